# shellcheck shell=bash
# What is wrong with the blocks of the live server: by structure, by size, by content against the newest backup that has them, and by
# what is not there at all.

# find_wounds: writes SCRATCH/wounds, a line each: "ulid|what is wrong", and SELECTED, the stored blocks that bring it
# back. HOPELESS gets the damaged blocks that no backup has, of those that were read: NOT_READ says in words which were
# not. CHECKED and UNKNOWN count the live blocks with and without a copy to compare with.
find_wounds() {
  local ulid reason
  CHECKED=0 UNKNOWN=0 HOPELESS=()
  : >"$SCRATCH/wounds"
  : >"$SCRATCH/healers"
  collect_stored_blocks
  find "$DATA_DIRECTORY" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | { grep --extended-regexp "$ULID_PATTERN" || true; } | sort >"$SCRATCH/live.ulids"
  while IFS= read -r ulid; do
    progress "looking at block $ulid"
    reason=""
    examine_block "$ulid" || reason="$WOUND"
    # Compaction or retention may have removed it while we looked.
    if [[ -n $reason && -d $DATA_DIRECTORY/$ulid ]]; then printf '%s|%s\n' "$ulid" "$reason" >>"$SCRATCH/wounds"; fi
  done <"$SCRATCH/live.ulids"
  progress_done
  choose_healers
}

# collect_stored_blocks: SCRATCH/stored.json: by ULID the entry of the newest sound manifest that has the block, from
# all open repositories. Sets NOT_READ (words), of which those of repositories that could not be read are in
# UNREACHABLE, too.
collect_stored_blocks() {
  local index files=() listed
  NOT_READ=()
  for index in "${OPEN_REPOSITORIES[@]}"; do
    select_repository "$index" "$HOST_NAME"
    if [[ $REPOSITORY_TYPE != path ]] && ! fetch_manifests; then
      warn "repository $REPOSITORY ($REPOSITORY_SHOWN) is left out: $REPOSITORY_ERROR"
      note_unreachable
      continue
    fi
    find_sound_manifests
    files+=("${SOUND[@]}")
    listed="$(OPEN_REPOSITORIES=("$index") backup_names "$HOST_NAME" | wc -l)"
    if (( listed > ${#SOUND[@]} )); then
      NOT_READ+=("$(( listed - ${#SOUND[@]} )) of $listed backups in $REPOSITORY")
    fi
  done
  NOT_READ+=("${UNREACHABLE[@]}")
  jq --null-input '[inputs | . as $manifest | select(.layout == "blocks") | .blocks[] | select(.object and (.head | not)) | . + {backup: $manifest.name}]
    | sort_by(.backup) | reduce .[] as $block ({}; .[$block.ulid] = $block)' "${files[@]:-/dev/null}" >"$SCRATCH/stored.json"
  select_repository "${OPEN_REPOSITORIES[0]}" "$HOST_NAME"
  read_facts "$MANIFEST"
}

# examine_block ULID: false, with WOUND, if the block is damaged.
examine_block() {
  local ulid=$1 directory="$DATA_DIRECTORY/$1" entry bytes
  WOUND=""
  if ! jq --exit-status --arg ulid "$ulid" '.ulid == $ulid and (.minTime | type) == "number" and (.maxTime | type) == "number"' "$directory/meta.json" >/dev/null 2>&1; then
    WOUND="its meta.json is missing or not readable, so the server skips it"
    return 1
  fi
  if [[ ! -s $directory/index ]]; then WOUND="its index is missing or empty"; return 1; fi
  if ! has_sound_tombstones "$directory"; then WOUND="its tombstones are not readable, so the server does not start"; return 1; fi
  if [[ -z "$(find "$directory/chunks" -type f -size +0c -print -quit 2>/dev/null)" ]] && jq --exit-status '.stats.numSamples > 0' "$directory/meta.json" >/dev/null; then
    WOUND="its chunks are missing or empty"
    return 1
  fi
  entry="$SCRATCH/stored.entry"
  if ! jq --exit-status --compact-output --arg ulid "$ulid" '.[$ulid] // empty' "$SCRATCH/stored.json" >"$entry"; then UNKNOWN=$(( UNKNOWN + 1 )); return 0; fi
  CHECKED=$(( CHECKED + 1 ))
  bytes="$(find "$directory" \( -path "$directory/index" -o -path "$directory/chunks/*" \) -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')"
  if [[ $bytes != "$(jq .bytes "$entry")" ]]; then WOUND="its files have $bytes bytes, the backup's $(jq .bytes "$entry")"; return 1; fi
  if [[ $QUICK == true ]]; then return 0; fi
  PACK_THREADS=1
  if [[ "$(pack_block "$DATA_DIRECTORY" "$ulid" | openssl dgst -sha256 -r | cut -c 1-64)" == "$(jq --raw-output .objectSha256 "$entry")" ]]; then return 0; fi
  differs_from_copy "$entry" "$ulid"
}

# has_sound_tombstones DIR: whether the server can read the tombstones of the block: magic number and version, nothing or deletions, checksum. A
# block without the file has no deletions.
has_sound_tombstones() {
  if [[ ! -e $1/tombstones ]]; then return 0; fi
  (( $(stat --format %s -- "$1/tombstones" 2>/dev/null || printf 0) >= 9 )) && [[ "$(od --address-radix=n --format=x1 --read-bytes=5 -- "$1/tombstones" 2>/dev/null | tr -d ' \n')" == 0130ba3001 ]]
}

# differs_from_copy ENTRY ULID: false, with WOUND, if chunks or index are not those of the backup. (Another version of zstd packs the same files
# into other bytes, so the checksum alone is no proof.)
differs_from_copy() {
  local entry=$1 ulid=$2 folder="$SCRATCH/compare" file
  if ! fetch_from_any "$(jq --raw-output .object "$entry")" "$(jq .objectBytes "$entry")" "$(jq --raw-output .objectSha256 "$entry")" "$folder" unpack_block "$ulid"; then
    warn "block $ulid could not be compared with its backup: ${FETCH_ERROR#* }"
    rm -rf -- "$folder"
    return 0
  fi
  while IFS= read -r file; do
    if ! cmp --silent -- "$folder/$file" "$DATA_DIRECTORY/$ulid/$file"; then WOUND="its $file is not what was backed up"; break; fi
  done < <(find "$folder" -type f -printf '%P\n')
  rm -rf -- "$folder"
  [[ -z $WOUND ]]
}

# choose_healers: which stored blocks bring back what is damaged or missing. A damaged block is replaced by its own copy; what is missing
# altogether, or damaged without a copy of its own, by blocks that cover its time: those of the newest backup, and where it has none
# either, because it was taken after the loss, those of the newest one that has.
choose_healers() {
  blocks_of_server "$SCRATCH/live.json"
  HEAD_START="$(head_start)"
  jq --null-input --rawfile wounds "$SCRATCH/wounds" --slurpfile live "$SCRATCH/live.json" --slurpfile stored "$SCRATCH/stored.json" \
    --slurpfile manifest "$MANIFEST" --argjson head "${HEAD_START:-null}" --argjson now $(( EPOCHSECONDS * 1000 )) \
    --argjson retention "$(milliseconds_of "${RETENTION_TIME%% or *}")" --argjson limited "$(size_limited)" "$(healers_filter)" >"$SCRATCH/healers.json"
  jq .chosen "$SCRATCH/healers.json" >"$SELECTED"
  jq --raw-output '.hopeless[]' "$SCRATCH/healers.json" | mapfile -t HOPELESS
  load_selected
}

# size_limited: whether the server drops blocks by size, so that a missing old one says nothing.
size_limited() {
  if [[ ${RETENTION_SIZE:-0B} =~ [1-9] || ${RETENTION_TIME:-} == *B ]]; then printf true; else printf false; fi
}

# healers_filter: the jq program of choose_healers. Retention explains what is older than it allows; with a limit by size, whatever is older
# than the oldest block that is still there. The head covers its own time; while it cannot be seen (no server), head blocks stay out.
# Older backups fill only holes between blocks that are there: what lies before all of them may have been left behind on purpose.
# A damaged block without a copy is hopeless, and stays where it is, unless blocks that come back stand for it, by the words of the backup or
# because they and the healthy ones hold all of its time; what time that was, only its own meta.json can tell.
healers_filter() {
  cat <<'JQ'
  [$wounds | split("\n")[] | select(. != "") | split("|")[0]] as $damaged
  | ([$live[0][] | select([.ulid] | inside($damaged) | not)] + (if $head == null then [] else [{ulid: "", minTime: $head, maxTime: $now, parents: []}] end)
    | sort_by(.minTime)) as $healthy
  | ([$damaged[] | $stored[0][.] // empty]) as $own
  | ($healthy + $own | sort_by(.minTime)) as $there
  | ([$there[].maxTime] | max // 0) as $newest
  | ([$healthy[] | select(.ulid != "") | .minTime] | min) as $oldest
  | def held($held; $block): reduce $held[] as $one ($block.minTime; if $one.minTime <= . and $one.maxTime > . then $one.maxTime else . end) >= $block.maxTime;
    def wanted($block): ([$block.ulid] | inside([$own[].ulid]) | not)
      and ($retention == 0 or ([$newest, $now] | max) - $block.maxTime < $retention)
      and (($limited | not) or ($oldest != null and $block.minTime >= $oldest))
      and (if $head == null then ($block.head | not) else $block.maxTime <= $head end)
      and (held($there; $block) | not);
  [$manifest[0].blocks[] | select(wanted(.)) | . + {backup: $manifest[0].name}] as $newer
  | ([$stored[0][] | select(.backup != $manifest[0].name and $oldest != null and .minTime >= $oldest) | select(wanted(.))] | sort_by(.backup) | reverse) as $older
  | (reduce $older[] as $block ({there: ($there + $newer | sort_by(.minTime)), taken: []};
      if held(.there; $block) then . else .taken += [$block] | .there = (.there + [$block] | sort_by(.minTime)) end) | $newer + .taken) as $missing
  | ([$healthy[] | select(.ulid != "")] + $own + $missing | sort_by(.minTime)) as $after
  | def returns($ulids): $ulids - [$after[].ulid] == [] and ($ulids - [$missing[].ulid]) != $ulids;
    def times($ulid): [$live[0][] | select(.ulid == $ulid)];
    def replaced($ulid): any($manifest[0].covered[]?; .ulid == $ulid and returns(.by))
      or any(times($ulid)[]; . as $block | held($after; $block) and any($missing[]; .minTime < $block.maxTime and .maxTime > $block.minTime));
  {chosen: ($own + $missing | sort_by(-.maxTime)), missing: [$missing[].ulid],
     hopeless: [$damaged[] | . as $ulid | select($stored[0][$ulid] == null and (replaced($ulid) | not))]}
JQ
}
