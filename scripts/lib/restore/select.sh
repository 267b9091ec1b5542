# shellcheck shell=bash
# Which blocks of the backup are wanted, and whether the repositories still hold them.

# The wanted blocks, side by side.
B_ULID=() B_OBJECT=() B_OBJECT_BYTES=() B_SHA256=() B_BYTES=() B_MIN=() B_MAX=() B_SAMPLES=() B_SERIES=()
declare -gA BLOCK_META=() BLOCK_TOMBSTONES=()  # by ULID

# select_blocks: the wanted blocks of MANIFEST, newest first, in the arrays B_ULID, B_OBJECT, B_OBJECT_BYTES, B_SHA256,
# B_BYTES, B_MIN, B_MAX, B_SAMPLES, B_SERIES, and as JSON in SELECTED. Ends with 11 if there are none.
select_blocks() {
  local unknown json wanted=""
  SELECTED="$SCRATCH/selected.json"
  # Their form was checked when they were read from the command line.
  if (( ${#ONLY_BLOCKS[@]} > 0 )); then printf -v wanted ',"%s"' "${ONLY_BLOCKS[@]}"; fi
  jq --raw-output --argjson wanted "[${wanted#,}]" --argjson from "${FROM_MS:-null}" --argjson to "${TO_MS:-null}" \
    "(\$wanted - ([.blocks[].ulid] + [.covered[].ulid]) | join(\", \")), ($(select_filter) | tojson, ($(selected_rows)))" "$MANIFEST" >"$SCRATCH/selected"
  {
    IFS= read -r unknown
    if [[ -n $unknown ]]; then
      die "$EXIT_NOT_FOUND" "backup $BACKUP has no block $unknown" \
        "see its blocks: $(as_typed "show $BACKUP" "$RESTORE_HOST")"
    fi
    IFS= read -r json
    printf '%s\n' "$json" >"$SELECTED"
    read_selected
  } <"$SCRATCH/selected"
  if (( ${#B_ULID[@]} == 0 )) && jq --exit-status '.blocks == [] and .wal != null' "$MANIFEST" >/dev/null; then
    die "$EXIT_NOT_FOUND" \
      "backup $BACKUP was taken before the server had a finished block: it holds only WAL and head" \
      "stop the server and unpack $(jq --raw-output .wal.object "$MANIFEST") of $REPOSITORY_SHOWN into its data directory"
  fi
  if (( ${#B_ULID[@]} == 0 )); then
    die "$EXIT_NOT_FOUND" "no block of backup $BACKUP lies in that time ($(range_text))" \
      "it holds $(jq --raw-output '"\(.coverage.oldestSample) to \(.coverage.newestSample)"' "$MANIFEST")"
  fi
}

# select_filter: the jq program of select_blocks. A block that compaction made from stored ones stands for those.
select_filter() {
  cat <<'JQ'
  . as $manifest
  | ([$wanted[] as $ulid | $manifest.covered[] | select(.ulid == $ulid) | .by[]] + $wanted) as $names
  | [.blocks[] | select(($names | length) == 0 or ([.ulid] | inside($names)))
    | select($from == null or .maxTime > $from) | select($to == null or .minTime < $to)]
  | sort_by(-.maxTime, .ulid)
JQ
}

# load_selected: SELECTED into the arrays.
load_selected() {
  jq --raw-output "$(selected_rows)" "$SELECTED" >"$SCRATCH/selected"
  read_selected <"$SCRATCH/selected"
}

# selected_rows: a jq program: three lines a block, its numbers, its meta.json, its tombstones in base64.
selected_rows() {
  cat <<'JQ'
  # Samples may lie anywhere in 64 bits, of which jq writes the ends as 1e+18, and bash cannot tell two ends apart.
  def near: [[., 9007199254740991] | min, -9007199254740991] | max;
  .[] | ([.ulid, .object // "", .objectBytes, .objectSha256 // "", .bytes, (.minTime, .maxTime | near), .numSamples,
    .numSeries] | join("|")),
    (.meta | tojson), (.tombstones // "" | gsub("[^A-Za-z0-9+/=]"; ""))
JQ
}

# read_selected: such lines from standard input into the arrays, BLOCK_META and BLOCK_TOMBSTONES by ULID among them. The
# manifest came from outside, so whatever becomes a path is checked.
read_selected() {
  local ulid object bytes sha size min max samples series meta marks
  B_ULID=() B_OBJECT=() B_OBJECT_BYTES=() B_SHA256=() B_BYTES=() B_MIN=() B_MAX=() B_SAMPLES=() B_SERIES=()
  BLOCK_META=() BLOCK_TOMBSTONES=()
  while IFS='|' read -r ulid object bytes sha size min max samples series && IFS= read -r meta && IFS= read -r marks; do
    if [[ ! $ulid =~ $ULID_PATTERN || ! $min$max =~ ^-?[0-9]+-?[0-9]+$ || ! $bytes$size$samples$series =~ ^[0-9]+$ ]] ||
      [[ -n $object && ! ( $object =~ $OBJECT_PATTERN && $sha =~ $SHA256_PATTERN ) ]]; then
      die "$EXIT_VERIFICATION" "the manifest of $BACKUP describes the block '$ulid' in a way that no backup does" \
        "use another backup or repository"
    fi
    B_ULID+=("$ulid") B_OBJECT+=("$object") B_OBJECT_BYTES+=("$bytes") B_SHA256+=("$sha") B_BYTES+=("$size")
    B_MIN+=("$min") B_MAX+=("$max") B_SAMPLES+=("$samples") B_SERIES+=("$series")
    BLOCK_META[$ulid]=$meta BLOCK_TOMBSTONES[$ulid]=$marks
  done
}

# drop_selected FILTER: keeps only the blocks for which the jq FILTER is true.
keep_selected() {
  jq "map(select($1))" "$SELECTED" >"$SELECTED.new"
  mv -f -- "$SELECTED.new" "$SELECTED"
  load_selected
}

# selected_objects: "bytes|sha256|object" of what must be fetched for the selected blocks: their objects, or the
# archive.
selected_objects() {
  local index archived=false
  for index in "${!B_ULID[@]}"; do
    if [[ -z ${B_OBJECT[index]} ]]; then archived=true; continue; fi
    printf '%s|%s|%s\n' "${B_OBJECT_BYTES[index]}" "${B_SHA256[index]}" "${B_OBJECT[index]}"
  done
  if [[ $archived == true && -n $M_ARCHIVE ]]; then cut -d '|' -f 1-3 <<<"$M_ARCHIVE"; fi
  if wants_wal && [[ -n $M_WAL ]]; then printf '%s
' "$M_WAL"; fi
}

# wants_wal: whether WAL and head of a cold backup come along: with all its blocks, and to where a server starts on
# them.
wants_wal() { [[ $PARTIAL == false && ( $RESTORE_MODE == full || $RESTORE_MODE == target ) ]]; }

# require_selected_objects: some open repository lists every object that is needed; ends with 11 (or 8) otherwise.
require_selected_objects() {
  local lists=() index missing
  if [[ $BACKUP_COMPLETE == true ]]; then return 0; fi
  for index in "${OPEN_REPOSITORIES[@]}"; do lists+=("$SCRATCH/objects.${REPOSITORY_NAMES[index]}.$RESTORE_HOST"); done
  selected_objects >"$SCRATCH/wanted"
  missing="$(cat -- "${lists[@]}" | awk -F '[\t|]' 'first { there[$2 "|" $1] = 1; next } !(($3 "|" $1) in there) {
    print $3 }' first=1 - first=0 "$SCRATCH/wanted" |
    sed --quiet 1,3p | tr '\n' ' ')"
  if [[ -z $missing ]]; then return 0; fi
  if (( ${#UNREACHABLE[@]} > 0 )); then
    die "$EXIT_REPOSITORY" \
      "backup $BACKUP is incomplete in $REPOSITORY (missing: ${missing% }), and these do not answer: $(join_words '; ' "${UNREACHABLE[@]}")" \
      "bring that repository back, or choose another backup"
  fi
  die "$EXIT_NOT_FOUND" "backup $BACKUP is incomplete (missing or of another size: ${missing% })" \
    "choose another backup, or only some of its blocks with --from, --to or --block and --merge or --target"
}
