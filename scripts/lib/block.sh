# shellcheck shell=bash
# Blocks of a directory: what meta.json says, checked before anybody relies on it.

# describe_blocks DIR FILE: writes a JSON array of DIR's blocks (fields as in the manifest, without objects) to FILE.
# One block at most is marked as the head: the newest that ends off the grid and that the server's own directory does not
# hold, because the snapshot wrote it. Backfilled and restored blocks end off the grid as well, but they stay on the server.
# False, with a message in BLOCK_ERROR, if a block has no readable meta.json: it would silently miss from the backup.
describe_blocks() {
  local directory=$1 target=$2 ulid
  BLOCK_ERROR=""
  # A folder that is gone must not pass for a server without blocks.
  if [[ ! -d $directory ]]; then BLOCK_ERROR="$directory is gone"; return 1; fi
  find "$directory" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep --extended-regexp "$ULID_PATTERN" | sort >"$SCRATCH/ulids" || true
  read_metas "$directory" || return 1
  : >"$SCRATCH/tombstones"
  # 9 bytes: the header and checksum of a file without tombstones.
  while IFS= read -r ulid; do
    printf '%s\t%s\n' "$ulid" "$(base64 --wrap=0 -- "$directory/$ulid/tombstones")" >>"$SCRATCH/tombstones"
  done < <(find "$directory" -mindepth 2 -maxdepth 2 -name tombstones -size +9c -printf '%h\n' | sed 's|.*/||' | grep --extended-regexp "$ULID_PATTERN")
  find "$directory" -mindepth 2 -type f \( -path '*/chunks/*' -o -name index \) -printf '%P\t%s\n' >"$SCRATCH/sizes"
  live_blocks >"$SCRATCH/live"
  jq --slurp --rawfile live "$SCRATCH/live" --rawfile sizes "$SCRATCH/sizes" --rawfile tombstones "$SCRATCH/tombstones" \
    --argjson range "$BLOCK_RANGE_MS" "$(blocks_filter)" "$SCRATCH/metas" >"$target"
}

# read_metas DIR: the meta.json of every block in SCRATCH/ulids, a line each, to SCRATCH/metas. An empty file counts as unreadable.
read_metas() {
  local directory=$1 ulid files=()
  local check='if .ulid == (input_filename | split("/")[-2]) and (.minTime | type) == "number" and (.maxTime | type) == "number" then . else error("") end'
  while IFS= read -r ulid; do files+=("$directory/$ulid/meta.json"); done <"$SCRATCH/ulids"
  : >"$SCRATCH/metas"
  if (( ${#files[@]} == 0 )); then return 0; fi
  if jq --compact-output "$check" "${files[@]}" >"$SCRATCH/metas" 2>/dev/null &&
    (( $(wc -l <"$SCRATCH/metas") == ${#files[@]} )); then return 0; fi
  while IFS= read -r ulid; do
    # jq 1.6 ends with 0 on an empty file even with --exit-status.
    if [[ ! -s $directory/$ulid/meta.json ]] || ! jq --exit-status "$check" "$directory/$ulid/meta.json" >/dev/null 2>&1; then
      BLOCK_ERROR="block $ulid has no readable meta.json"
      return 1
    fi
  done <"$SCRATCH/ulids"
  BLOCK_ERROR="the blocks changed while they were read"
  return 1
}

# blocks_filter: the jq program of describe_blocks.
blocks_filter() {
  cat <<'JQ'
  def table(text): [text | split("\n")[] | select(. != "") | split("\t")];
  (reduce table($sizes)[] as $row ({}; .[$row[0][0:26]] += ($row[1] | tonumber))) as $bytes
  | (reduce table($tombstones)[] as $row ({}; .[$row[0]] = $row[1])) as $marks
  | ($live | split("\n")) as $there
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
JQ
}
