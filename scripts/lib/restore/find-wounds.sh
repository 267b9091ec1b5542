# shellcheck shell=bash
# What is wrong with the blocks of the live server: by structure, by size, by content against the newest backup that has
# them, and by what is not there at all.

WOUND=""  # what is wrong with a block, of equals_copy
# How many live blocks have a copy to compare with, and how many none.
CHECKED=null UNKNOWN=null

# find_wounds: writes SCRATCH/wounds, a line each: "ulid|what is wrong", and SELECTED, the stored blocks that bring it
# back. HOPELESS gets the damaged and lost blocks that no backup has, of those that were read: NOT_READ says in words
# which were not. CHECKED and UNKNOWN count the live blocks with and without a copy to compare with.
find_wounds() {
  local ulid object bytes sha256 done=0 count
  HOPELESS=()
  judge_live_blocks "${OPEN_REPOSITORIES[@]}"
  read_facts "$MANIFEST"
  cp -- "$SCRATCH/live-blocks.json.ulids" "$SCRATCH/live.ulids"
  jq --raw-output '"\(.checked) \(.unknown)"' "$SCRATCH/judged.json" | read -r CHECKED UNKNOWN
  jq --raw-output '.damaged[] | "\(.ulid)|\(.reason)"' "$SCRATCH/judged.json" >"$SCRATCH/wounds"
  if [[ $QUICK == false ]]; then
    count="$(jq '.comparable | length' "$SCRATCH/judged.json")"
    while read -r ulid object bytes sha256; do
      done=$(( done + 1 ))
      progress "comparing block $done of $count with the backups for {}"
      WOUND=""
      # Compaction or retention may have removed it while we looked.
      if ! equals_copy "$ulid" "$object" "$bytes" "$sha256" && [[ -d $DATA_DIRECTORY/$ulid ]]; then
        printf '%s|%s\n' "$ulid" "$WOUND" >>"$SCRATCH/wounds"
      fi
    done < <(jq --raw-output '.comparable[] | join(" ")' "$SCRATCH/judged.json")
    progress_done
  fi
  choose_healers
}

# judge_live_blocks INDEX...: what a run would say of the blocks in the data directory, by the manifests of these
# repositories: SCRATCH/judged.json with damaged, lost and accepted as in a plan of backup, stored (by ULID the entry of
# what is stored), comparable (of live blocks that are as such an entry says: ULID, object, its size and checksum),
# checked and unknown. Sets NOT_READ (words), of which those of repositories that could not be read, or of which a
# manifest could not be judged, are in UNREACHABLE, too. Leaves the first repository selected.
judge_live_blocks() {
  local index misdated="[]" files=() older=() damaged all
  NOT_READ=()
  describe_blocks "$DATA_DIRECTORY" "$SCRATCH/live-blocks.json" ||
    die "$EXIT_VERIFICATION" "$BLOCK_ERROR" "run this again"
  for index in "$@"; do
    select_repository "$index" "$HOST_NAME"
    if [[ $COMMAND == heal && $REPOSITORY_TYPE != path ]] && ! fetch_manifests; then
      warn "repository $REPOSITORY ($REPOSITORY_SHOWN) is left out: $REPOSITORY_ERROR"
      note_unreachable
      continue
    fi
    find_sound_manifests
    files+=("${SOUND[@]}")
    look_back "$SCRATCH/live-blocks.json" "$SCRATCH/live-blocks.json.ulids"
    older+=("$OLDER")
    if (( ${#UNJUDGED[@]} > 0 )); then
      REPOSITORY_ERROR="manifests could not be judged: ${UNJUDGED[*]:0:3}"
      note_unreachable
    fi
    damaged="$(damaged_manifests)"
    if [[ $COMMAND == heal ]] && (( damaged > 0 )); then
      all="$(OPEN_REPOSITORIES=("$index") backup_names "$HOST_NAME" | wc -l)"
      NOT_READ+=("$damaged of $(count_text "$all" backup) in $REPOSITORY")
    fi
    misdated="$(jq --null-input --compact-output --argjson all "$misdated" --argjson here "$MISDATED" '$all + $here
      | unique')"
  done
  NOT_READ+=("${UNREACHABLE[@]}")
  select_repository "$1" "$HOST_NAME"
  MISDATED=$misdated wounds_arguments
  # By name, whatever the repository.
  printf '%s\n' "${files[@]}" | awk -F / 'NF { print $NF "\t" $0 }' | sort | cut -f 2- | mapfile -t files
  cat -- /dev/null "${older[@]}" >"$SCRATCH/look-back"
  unpack_manifests "$(( MANIFEST_LIMIT_BYTES * READ_MANIFESTS * ${#REPOSITORY_NAMES[@]} ))" "${files[@]}" |
    jq --null-input --compact-output --slurpfile blocks "$SCRATCH/live-blocks.json" \
    --slurpfile wounded "$SCRATCH/live-blocks.json.damaged" \
    --rawfile present "$SCRATCH/live-blocks.json.ulids" --slurpfile older "$SCRATCH/look-back" \
    "${WOUNDS_ARGUMENTS[@]}" "$(wounds_filter; judge_filter)" >"$SCRATCH/judged.json"
}

# judge_filter: the jq program of judge_live_blocks, behind wounds_filter.
judge_filter() {
  cat <<'JQ'
  past as $past
  | (reduce $wounded[0][] as $one ({}; .[$one.ulid] = $one.reason)) as $reasons
  | [$blocks[0][] | select($reasons[.ulid] | not) | . + {reason: difference($past.known[.ulid])}] as $sound
  | ($past | losses([$blocks[0][], $wounded[0][].block | select(.)]; lines($present)))
  + {
    damaged: ([$wounded[0][] | {ulid, minTime, maxTime, reason}] + [$sound[] | select(.reason)
      | {ulid, minTime, maxTime, reason}]),
    comparable: [$sound[] | select(.reason == null) | $past.known[.ulid] | select(.object)
      | [.ulid, .object, .objectBytes, .objectSha256]],
    checked: ([$blocks[0][] | select($past.known[.ulid])] | length),
    unknown: ([$blocks[0][] | select($past.known[.ulid] | not)] | length),
    stored: ($past.known | map_values(select(.object)))
  }
JQ
}

# equals_copy ULID OBJECT BYTES SHA256: false, with WOUND, if the content of a live block is not that of its copy.
# (Another version of zstd packs the same files into other bytes, so the checksum alone is no proof.)
equals_copy() {
  # Where the owner of the data can unpack it, and the next heal removes what a killed one left.
  local ulid=$1 staging="$DATA_DIRECTORY/restore-$BACKUP" file ended=()
  local words="$SCRATCH/compare.words"
  local folder="$staging/part-compare"
  PACK_THREADS=1
  if [[ "$(pack_block "$DATA_DIRECTORY" "$ulid" | openssl dgst -sha256 -r)" == "$4 "* ]]; then return 0; fi
  as_owner mkdir --parents -- "$staging" || true
  if ! fetch_from_any "$2" "$3" "$4" "$folder" unpack_block "$ulid"; then
    not_compared "$ulid" "${FETCH_ERROR#* }"
    as_owner rm -rf -- "$folder"
    as_owner rmdir --ignore-fail-on-non-empty -- "$staging" || true
    return 0
  fi
  if ! find "$folder" -type f -printf '%P\n' >"$SCRATCH/compare.files" || [[ ! -s $SCRATCH/compare.files ]]; then
    not_compared "$ulid" "not all of its copy could be listed"
  fi
  while IFS= read -r file; do
    ended=(0 0)
    as_owner dd if="$DATA_DIRECTORY/$ulid/$file" "${READ_NOW[@]}" 2>"$words" |
      as_owner cmp --silent -- - "$folder/$file" || ended=("${PIPESTATUS[@]}")
    if grep --quiet --ignore-case 'input/output error\|no such file' "$words"; then
      WOUND="its $file cannot be read"
      break
    fi
    # To whom cmp does not listen any more, because it has seen a difference, has not failed by itself.
    if (( ended[0] != 0 && ended[0] != 141 )) && ! grep --quiet 'Broken pipe' "$words"; then
      not_compared "$ulid" "its $file: $(said "$words" "dd ended with ${ended[0]}")"
      break
    fi
    if (( ended[1] == 1 )); then WOUND="its $file is not what was backed up"; break; fi
    if (( ended[1] != 0 )); then not_compared "$ulid" "its $file: cmp ended with ${ended[1]}"; break; fi
  done <"$SCRATCH/compare.files"
  as_owner rm -rf -- "$folder"
  as_owner rmdir --ignore-fail-on-non-empty -- "$staging" || true
  [[ -z $WOUND ]]
}

# not_compared ULID REASON: a block of which nobody knows whether its content is damaged.
not_compared() {
  warn "block $1 could not be compared with its backup: $2"
  NOT_READ+=("the content of block $1")
}

# choose_healers: which stored blocks bring back what is damaged or missing. A damaged block is replaced by its own
# copy; what is missing altogether, or damaged without a copy of its own, by blocks that cover its time: those of the
# newest backup, and where it has none either, because it was taken after the loss, those of the newest one that has;
# and what runs call lost, itself.
choose_healers() {
  local index
  jq --compact-output .stored "$SCRATCH/judged.json" >"$SCRATCH/stored.json"
  blocks_of_server "$SCRATCH/live.json"
  HEAD_START="$(head_start)"
  for index in "${OPEN_REPOSITORIES[@]}"; do
    cat -- "$SCRATCH/objects.${REPOSITORY_NAMES[index]}.$HOST_NAME"
  done >"$SCRATCH/listed"
  jq --null-input --rawfile wounds "$SCRATCH/wounds" --slurpfile live "$SCRATCH/live.json" \
    --slurpfile stored "$SCRATCH/stored.json" \
    --slurpfile judged "$SCRATCH/judged.json" --rawfile listed "$SCRATCH/listed" \
    --slurpfile manifest "$MANIFEST" --argjson head "${HEAD_START:-null}" --argjson now $(( EPOCHSECONDS * 1000 )) \
    --argjson retention "$(milliseconds_of "${RETENTION_TIME%% or *}")" \
    --argjson limited "$(size_limited)" "$(healers_filter)" >"$SCRATCH/healers.json"
  jq .chosen "$SCRATCH/healers.json" >"$SELECTED"
  jq --raw-output '.hopeless[]' "$SCRATCH/healers.json" | mapfile -t HOPELESS
  load_selected
}

# size_limited: whether the server drops blocks by size, so that a missing old one says nothing.
size_limited() {
  if [[ ${RETENTION_SIZE:-0B} =~ [1-9] || ${RETENTION_TIME:-} == *B ]]; then printf true; else printf false; fi
}

# healers_filter: the jq program of choose_healers. Retention explains what is older than it allows; with a limit by
# size, whatever is older than the oldest block that is still there. The head covers its own time; while it cannot be
# seen (no server), head blocks stay out. Older backups fill only holes between blocks that are there: what lies before
# all of them may have been left behind on purpose. A damaged block without a copy is hopeless, and stays where it is,
# unless blocks that come back stand for it, by the words of the backup or because they and the healthy ones hold all of
# its time; what time that was, only its own meta.json can tell.
healers_filter() {
  cat <<'JQ'
  ($ARGS.named.judged[0] // {lost: [], accepted: []}) as $told
  | ($ARGS.named.listed | if . then reduce (split("\n")[] | select(. != "") | split("\t"))
    as $row ({}; .["\($row[1])|\($row[0])"] = true) else null end) as $listed
  | def is_there: .object == null or $listed == null or $listed["\(.object)|\(.objectBytes)"];
  ($stored[0] | map_values(select(is_there))) as $stored
  | [$told.lost[] | select(if .object then is_there else .backup == $manifest[0].name end)] as $lost
  | [$told.accepted[].ulid] as $accepted
  | [$wounds | split("\n")[] | select(. != "") | split("|")[0]] as $damaged
  | ([$live[0][] | select([.ulid] | inside($damaged) | not)]
    + (if $head == null then [] else [{ulid: "", minTime: $head, maxTime: $now, parents: []}] end)
    | sort_by(.minTime)) as $healthy
  | ([$damaged[] | $stored[.] // empty]) as $own
  | ($healthy + $own | sort_by(.minTime)) as $there
  | ([$there[].maxTime] | max // 0) as $newest
  | ([$healthy[] | select(.ulid != "") | .minTime] | min) as $oldest
  | def held($held; $block): reduce $held[] as $one ($block.minTime; if $one.minTime <= . and $one.maxTime > .
    then $one.maxTime else . end) >= $block.maxTime;
    def wanted($block): ([$block.ulid] | inside([$own[], $lost[] | .ulid] + $accepted) | not)
      and ($retention == 0 or ([$newest, $now] | max) - $block.maxTime < $retention)
      and (($limited | not) or ($oldest != null and $block.minTime >= $oldest))
      and (if $head == null then ($block.head | not) else $block.maxTime <= $head end)
      and (held($there; $block) | not);
  [$manifest[0].blocks[] | select(wanted(.)) | . + {backup: $manifest[0].name}] as $newer
  | ([$stored[] | select(.backup != $manifest[0].name and $oldest != null and .minTime >= $oldest) | select(wanted(.))]
  | sort_by(.backup) | reverse) as $older
  | (reduce $older[] as $block ({there: ($there + $newer | sort_by(.minTime)), taken: []};
      if held(.there; $block) then . else .taken += [$block] | .there = (.there + [$block] | sort_by(.minTime)) end)
        | $newer + .taken + $lost) as $missing
  | ([$healthy[] | select(.ulid != "")] + $own + $missing | sort_by(.minTime)) as $after
  | def returns($ulids): $ulids - [$after[].ulid] == [] and ($ulids - [$missing[].ulid]) != $ulids;
    def times($ulid): [$live[0][] | select(.ulid == $ulid)];
    def replaced($ulid): any($manifest[0].covered[]?; .ulid == $ulid and returns(.by))
      or any(times($ulid)[]; . as $block | held($after; $block)
        and any($missing[]; .minTime < $block.maxTime and .maxTime > $block.minTime));
  {chosen: ($own + $missing | sort_by(-.maxTime)), missing: [$missing[].ulid],
     hopeless: ([$damaged[] | . as $ulid | select($stored[$ulid] == null and (replaced($ulid) | not))]
       + ([$told.lost[].ulid] - [$lost[].ulid]))}
JQ
}
