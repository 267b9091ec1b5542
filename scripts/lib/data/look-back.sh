# shellcheck shell=bash
# Looking back as far as the repository does: its list names every object, and so every block that ever was stored and
# has not gone with retention. What a block was (its time, what it was made from) never changes, so it is read once from
# a manifest that has it, and kept. Only what the server has no more, without a reason that shows, costs more: the last
# backup that holds it and the one after that, which tell how it went.

# Files of look_back: its result, what is known of blocks of older backups, the newest manifest, one of the older.
OLDER="" BLOCK_FACTS="" NEWEST_SOUND="" OLDER_MANIFEST=""
OLDER_SUMMARIES=""  # the file with those of find_holders, once they were asked for

# look_back BLOCKS PRESENT: for the selected repository, the server's blocks as describe_blocks wrote them, and a file
# with the ULIDs of all that are there: OLDER, a file with {lost, known}: entries of blocks that the newest manifests do
# not tell of, each with the newest backup that holds it. Sets UNEXPLAINED, what only a damaged manifest can tell. Needs
# find_sound_manifests and the list of the repository; without that, OLDER is empty.
look_back() {
  local facts="$SCRATCH/block-facts.$REPOSITORY"
  OLDER="$SCRATCH/look-back.$REPOSITORY" UNEXPLAINED=0
  printf '{"lost":[],"known":[]}\n' >"$OLDER"
  if [[ ! -s $OBJECT_LIST ]] || (( ${#SOUND[@]} == 0 )); then return 0; fi
  BLOCK_FACTS="$STATE_DIR/cache/blocks/$REPOSITORY.$REPOSITORY_HOST" OLDER_SUMMARIES=""
  NEWEST_SOUND="$SCRATCH/newest-sound.$REPOSITORY"
  unpack_manifests "$MANIFEST_LIMIT_BYTES" "${SOUND[-1]}" >"$NEWEST_SOUND"
  mkdir -p -- "${BLOCK_FACTS%/*}"
  touch -- "$BLOCK_FACTS" "$BLOCK_FACTS.explained"
  keep_formed_facts
  learn_blocks
  stored_facts >"$facts"
  find_gone "$1" "$2" "$facts" >"$SCRATCH/gone.lines"
  sed --quiet 's/^beyond\t\(-\{0,1\}[0-9]*\)$/\1/p' "$SCRATCH/gone.lines" >"$BLOCK_FACTS.beyond"
  sed '/^beyond/d' "$SCRATCH/gone.lines" >"$SCRATCH/gone"
  if [[ -s $SCRATCH/gone ]]; then judge_gone; fi
  REPOSITORY_ERROR=""
}

# damaged_manifests: how many backups of the selected repository cannot tell what they hold, of those that were needed.
# Needs look_back.
damaged_manifests() {
  if (( UNEXPLAINED == 0 )); then printf '%d' "${#UNSOUND[@]}"; return 0; fi
  grep --count $'^[^\t]* damaged\t' "$OLDER_SUMMARIES" || true
}

# keep_formed_facts: BLOCK_FACTS without what is not in its form, such as a line that a full disk has cut off: what it
# told is learned again.
keep_formed_facts() {
  take_notes facts "$BLOCK_FACTS" "$SCRATCH/facts"
  if cmp --silent -- "$SCRATCH/facts" "$BLOCK_FACTS"; then return 0; fi
  rm -rf -- "$BLOCK_FACTS"
  cat -- "$SCRATCH/facts" >"$BLOCK_FACTS"
}

# stored_facts: the lines of BLOCK_FACTS (object, bytes and facts, with tabs) of objects that the repository lists with
# that size.
stored_facts() {
  awk -F '\t' 'FILENAME == ARGV[1] { there[$2] = $1; next }
    ($1 in there) && there[$1] == $2 && !seen[$0]++' "$OBJECT_LIST" "$BLOCK_FACTS"
}

# unknown_objects FILE: those of the list of which BLOCK_FACTS knows nothing, a line each, to FILE.
unknown_objects() {
  awk -F '\t' 'FILENAME == ARGV[1] { known[$1 "\t" $2]; next }
    $2 ~ /^(blocks|archives)\// && !(($2 "\t" $1) in known) { print $2 }' "$BLOCK_FACTS" "$OBJECT_LIST" >"$1"
}

# learn_blocks: BLOCK_FACTS knows every stored object that a backup names. The newest manifest tells of nearly all; for
# the rest as few older ones are read as have them.
learn_blocks() {
  local unknown="$SCRATCH/unknown" name last
  unknown_objects "$unknown"
  if [[ ! -s $unknown ]]; then return 0; fi
  learn_from "$NEWEST_SOUND"
  for last in false true; do
    unknown_objects "$unknown"
    if [[ ! -s $unknown ]]; then return 0; fi
    find_holders "$unknown" true >"$SCRATCH/holders"
    holders_to_read "$last" >"$SCRATCH/holders.read"
    while IFS= read -r name; do
      if older_manifest "$name"; then learn_from "$OLDER_MANIFEST"; rm -f -- "$OLDER_MANIFEST"; fi
    done <"$SCRATCH/holders.read"
  done
  unknown_objects "$unknown"
  # If no manifest is damaged, they are of runs that were cut off.
  if [[ -s $unknown ]] && grep --quiet $'^[^\t]* damaged\t' "$OLDER_SUMMARIES"; then
    UNEXPLAINED="$(wc -l <"$unknown")"
  fi
}

# learn_from FILE: what a checked manifest says of its blocks, to BLOCK_FACTS.
learn_from() {
  jq --raw-output '(.archive // {}) as $tar | .blocks[] | select(.head | not) | {object, objectBytes} as $own
    | (if .object then $own else $tar end) as $at | select($at.object)
    | {ulid, minTime, maxTime, sources, parents: [.meta.compaction.parents[]?.ulid]} as $facts
    | [$at.object, ($at.objectBytes | tostring), ($facts | tojson)] | join("\t")' "$1" >"$SCRATCH/learned"
  awk 'FILENAME == ARGV[1] { known[$0]; next } !($0 in known)' "$BLOCK_FACTS" "$SCRATCH/learned" >"$SCRATCH/learned.new"
  cat -- "$SCRATCH/learned.new" >>"$BLOCK_FACTS"
}

# older_manifest NAME: OLDER_MANIFEST: a copy of a backup's manifest, checked. False if it is not as it was written; one
# that nobody could judge (status 3) is added to UNJUDGED.
older_manifest() {
  local status=0
  OLDER_MANIFEST="$SCRATCH/look-back-manifest.$REPOSITORY.$1"
  if [[ -s $OLDER_MANIFEST ]]; then return 0; fi
  if [[ -z ${SUMS["$1.json"]:-} ]]; then manifest_sums "$MANIFESTS/$1.json"; fi
  judge_manifest "$1.json" "$OLDER_MANIFEST" || status=$?
  if (( status == 0 )); then return 0; fi
  rm -f -- "$OLDER_MANIFEST"
  if (( status == 3 )) && ! is_one_of "$1" "${UNJUDGED[@]}"; then UNJUDGED+=("$1"); fi
  return "$status"
}

# find_holders FILE [SPANS]: the backups that hold one of the objects in FILE, oldest first: {name, objects}, a line
# each, with these objects alone. With SPANS (true), each object with the first and the last backup that holds it, and
# tabs.
find_holders() {
  if [[ -z $OLDER_SUMMARIES ]]; then
    OLDER_SUMMARIES="$SCRATCH/look-back-summaries.$REPOSITORY"
    borrow_summaries
    read_summaries "$SCRATCH/summaries.list" checked
    note_unread
    mv -fT -- "$SCRATCH/summaries" "$OLDER_SUMMARIES"
  fi
  awk -F '\t' -v spans="${2:-false}" "$(ranges_program; holders_program)" "$1" "$OLDER_SUMMARIES"
}

# holders_program: the awk program of find_holders.
holders_program() {
  cat <<'AWK'
  function list_wanted(  kind, n) {
    for (kind in top) for (n = 1; n <= top[kind]; n++) if ((object[kind, n]) in wanted) {
      found[kind, n]; names[kind, ++counts[kind]] = object[kind, n]
    }
    add_up(found, below)
  }
  FILENAME == ARGV[1] { wanted[$0]; next }
  NF == 3 { load_object(); next }
  NF == 2 && !/^[^\t]* damaged\t/ {
    if (!ready++) list_wanted()
    backup = substr($1, 1, 16); held = ""
    if (!read_ranges($2)) next
    for (i = 1; i <= RANGES; i++) for (j = below[kinds[i], from[i] - 1] + 1; j <= below[kinds[i], to[i]]; j++) {
      name = names[kinds[i], j]
      if (!(name in first)) { first[name] = backup; order[++known] = name }
      last[name] = backup
      if (spans != "true") held = held ",\"" name "\":true"
    }
    if (held != "") print "{\"name\":\"" backup "\",\"objects\":{" substr(held, 2) "}}"
  }
  END { if (spans == "true") for (i = 1; i <= known; i++) print order[i] FS first[order[i]] FS last[order[i]] }
AWK
}

# borrow_summaries: for root the short forms that the runs of this host have made, so that it need not read every
# manifest. They say where to look, nothing more.
borrow_summaries() {
  local name
  name="$(summaries_folder)/$REPOSITORY.$REPOSITORY_HOST"
  mkdir -p -- "$STATE_DIR/cache/${name%/*}"
  borrowed_cache "$name" | formed_lines >"$SCRATCH/borrowed" || : >"$SCRATCH/borrowed"
  if [[ -s $SCRATCH/borrowed ]]; then mv -fT -- "$SCRATCH/borrowed" "$STATE_DIR/cache/$name"; fi
}

# borrowed_cache NAME: what the runs of this host keep in that file, read as the user to whom it belongs; nothing if
# there is none, or if we are that user.
borrowed_cache() {
  if [[ ${BACKUP_STATE:-$STATE_DIR} == "$STATE_DIR" || ! -f $BACKUP_STATE/cache/$1 ]]; then return 0; fi
  read_plain "$BACKUP_STATE/cache/$1" || true
}

# holders_to_read LAST: names of backups whose manifests tell of the objects in SCRATCH/holders, as few as will do if
# each was held without a break; with LAST (true), the last one of each.
holders_to_read() {
  sort --field-separator=$'\t' --key=3 -- "$SCRATCH/holders" | awk -F '\t' -v each="$1" '
    each == "true" ? !($3 in seen) : at == "" || $2 > at { print $3; seen[$3]; at = $3 }'
}
