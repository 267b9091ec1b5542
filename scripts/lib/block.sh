# shellcheck shell=bash
# Blocks of a directory: what meta.json says, checked before anybody relies on it.

# describe_blocks DIR FILE: writes a JSON array of DIR's blocks (fields as in the manifest, without objects) to FILE, and their ULIDs, a line each,
# to FILE.ulids. Sets BLOCKS_COUNT, BLOCKS_BYTES and BLOCKS_SAMPLES.
# One block at most is marked as the head: the newest that ends off the grid and that the server's own directory does not
# hold, because the snapshot wrote it. Backfilled and restored blocks end off the grid as well, but they stay on the server.
# False, with a message in BLOCK_ERROR, if a block has no readable meta.json: it would silently miss from the backup.
describe_blocks() {
  local directory=$1 target=$2 ulid metas=()
  BLOCK_ERROR=""
  # A folder that is gone must not pass for a server without blocks.
  if [[ ! -d $directory ]]; then BLOCK_ERROR="$directory is gone"; return 1; fi
  find "$directory" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep --extended-regexp "$ULID_PATTERN" | sort >"$target.ulids" || true
  while IFS= read -r ulid; do metas+=("$directory/$ulid/meta.json"); done <"$target.ulids"
  : >"$SCRATCH/tombstones"
  # 9 bytes: the header and checksum of a file without tombstones.
  while IFS= read -r ulid; do
    printf '%s\t%s\n' "$ulid" "$(base64 --wrap=0 -- "$directory/$ulid/tombstones")" >>"$SCRATCH/tombstones"
  done < <(find "$directory" -mindepth 2 -maxdepth 2 -name tombstones -size +9c -printf '%h\n' | sed 's|.*/||' | grep --extended-regexp "$ULID_PATTERN")
  find "$directory" -mindepth 2 -type f \( -path '*/chunks/*' -o -name index \) -printf '%P\t%s\n' >"$SCRATCH/sizes"
  live_blocks >"$SCRATCH/live"
  if ! jq --null-input --raw-output --compact-output --rawfile live "$SCRATCH/live" --rawfile sizes "$SCRATCH/sizes" --rawfile tombstones "$SCRATCH/tombstones" \
    --argjson range "$BLOCK_RANGE_MS" "$(blocks_filter)" "${metas[@]:-/dev/null}" >"$target.lines" 2>/dev/null ||
    ! { read -r BLOCKS_COUNT BLOCKS_BYTES BLOCKS_SAMPLES && cat >"$target"; } <"$target.lines" || (( BLOCKS_COUNT != ${#metas[@]} )); then
    name_bad_meta "${metas[@]}"
    return 1
  fi
}

# name_bad_meta META-FILE...: sets BLOCK_ERROR to what is wrong with one of them.
name_bad_meta() {
  local meta
  BLOCK_ERROR="the blocks changed while they were read"
  for meta in "$@"; do
    # jq 1.6 ends with 0 on an empty file even with --exit-status.
    if [[ ! -s $meta ]] || ! jq --exit-status "$(meta_filter) is_meta" "$meta" >/dev/null 2>&1; then
      meta="${meta%/*}"
      BLOCK_ERROR="block ${meta##*/} has no readable meta.json"
      return 0
    fi
  done
}

# meta_filter: is_meta in jq: whether a meta.json is that of the block in whose folder it lies.
meta_filter() {
  cat <<'JQ'
  def is_meta: .ulid == (input_filename | split("/")[-2]) and (.minTime | type) == "number" and (.maxTime | type) == "number";
JQ
}

# blocks_filter: the jq program of describe_blocks: number of blocks, bytes and samples, then the array in a line. It reads the meta.json of every
# block; one that is not what it should be is an error.
blocks_filter() {
  meta_filter
  cat <<'JQ'
  def table(text): [text | split("\n")[] | select(. != "") | split("\t")];
  (reduce table($sizes)[] as $row ({}; .[$row[0][0:26]] += ($row[1] | tonumber))) as $bytes
  | (reduce table($tombstones)[] as $row ({}; .[$row[0]] = $row[1])) as $marks
  | ($live | split("\n")) as $there
  | [inputs | if is_meta then . else error("") end]
  | ([.[] | select(.maxTime % $range != 0 and (.compaction.level // 1) == 1 and (.compaction.sources // []) == [.ulid]
      and (.ulid as $ulid | $there | index($ulid) | not))] | max_by(.maxTime) | .ulid?) as $head
  | [.[] | {
      ulid, minTime, maxTime,
      bytes: ($bytes[.ulid] // 0),
      numSamples: (.stats.numSamples // 0), numSeries: (.stats.numSeries // 0), numChunks: (.stats.numChunks // 0),
      numTombstones: (.stats.numTombstones // 0),
      level: (.compaction.level // 1), sources: (.compaction.sources // [.ulid]),
      head: ($head != null and .ulid == $head),
      meta: ., tombstones: ($marks[.ulid] // "")
    }] | sort_by(.minTime, .ulid)
  | "\(length) \([.[].bytes] | add // 0) \([.[].numSamples] | add // 0)", .
JQ
}
