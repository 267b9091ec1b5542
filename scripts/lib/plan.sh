# shellcheck shell=bash
# What a backup must send: the source-aware rule. A block that compaction made from stored blocks is not sent again; where some of
# them are not stored yet but held (hold.sh), those are sent instead of it.

# How many manifests are read to know the pool. Older ones matter only for blocks that left the server long ago.
readonly POOL_MANIFESTS=50

# plan_backup BLOCKS HELD FILE: for the selected repository, writes {reuse, upload, heads, covered} to FILE; needs repository_open.
plan_backup() {
  local blocks=$1 held=$2 target=$3 damaged="$STATE_DIR/damaged/$REPOSITORY"
  read_pool >"$SCRATCH/pool.$REPOSITORY"
  if [[ ! -f $damaged ]]; then damaged=/dev/null; fi
  jq --slurp --slurpfile blocks "$blocks" --slurpfile held "$held" --rawfile listing "$OBJECT_LIST" --rawfile damaged "$damaged" \
    "$(plan_filter)" "$SCRATCH/pool.$REPOSITORY" >"$target"
}

# read_pool: stored blocks, a line each, oldest knowledge first: the newest manifests, then what a broken-off run had stored.
read_pool() {
  local manifests=() name
  while IFS= read -r name; do manifests+=("$MANIFESTS/$name"); done < <(
    find "$MANIFESTS" -type f -name '*.json' -printf '%f\n' 2>/dev/null | sort | tail -n "$POOL_MANIFESTS")
  if (( ${#manifests[@]} > 0 )); then
    jq --compact-output 'select(.layout == "blocks") | .blocks[] | select(.head | not)' "${manifests[@]}"
  fi
  if [[ -f $STATE_DIR/journal/$REPOSITORY ]]; then
    jq --compact-output --raw-input 'fromjson? // empty | select(.head | not)' "$STATE_DIR/journal/$REPOSITORY"
  fi
}

# plan_filter: the jq program. A stored block counts only while its object is listed with the size that was recorded.
# Rule: every source of the block is held by stored blocks whose own sources do not overlap, neither has tombstones, and the
# sample counts are equal. The largest stored blocks are taken first. A held block counts as stored, and is sent if it is needed.
plan_filter() {
  cat <<'JQ'
  def lines(text): [text | split("\n")[] | select(. != "")];
  (reduce lines($listing)[] as $line ({}; ($line | split("\t")) as $row | .[$row[1]] = ($row[0] | tonumber))) as $there
  | (reduce lines($damaged)[] as $object ({}; .[$object] = true)) as $bad
  | (reduce .[] as $block ({}; .[$block.ulid] = $block)) as $known
  | ($known | map_values(select($there[.object] == .objectBytes and ($bad[.object] | not)))) as $pool
  | (reduce $blocks[0][] as $block ({}; .[$block.ulid] = true)) as $present
  | [$held[0][] | select(($pool[.ulid] or $present[.ulid]) | not) | . + {head: false, held: true, recorded: ($known[.ulid] // {} | {object, objectSha256})}] as $aside
  | ([$pool[], $aside[] | select(.numTombstones == 0 and .tombstones == "")] | sort_by(-(.sources | length), .ulid)) as $clean
  | def cover($block):
      if $block.numTombstones > 0 or $block.tombstones != "" then null
      else (reduce $block.sources[] as $source ({}; .[$source] = true)) as $wanted
        | reduce $clean[] as $stored ({left: $wanted, taken: []};
            if (.left | length) > 0 and ([$stored.sources[] as $source | .left[$source] == true] | all)
            then .taken += [$stored] | reduce $stored.sources[] as $source (.; .left |= del(.[$source]))
            else . end)
        | if (.left | length) == 0 and ([.taken[].numSamples] | add) == $block.numSamples then .taken else null end
      end;
  reduce $blocks[0][] as $block ({reuse: [], upload: [], heads: [], covered: []};
    if $block.head then .heads += [$block]
    elif $pool[$block.ulid] then .reuse += [$block + ($pool[$block.ulid] | {object, objectBytes, objectSha256})]
    else cover($block) as $by
      | if $by then .reuse += [$by[] | select(.held | not)] | .upload += [$by[] | select(.held)]
          | .covered += [($block | {ulid, minTime, maxTime, numSamples}) + {by: [$by[].ulid]}]
        else .upload += [$block + {recorded: ($known[$block.ulid] // {} | {object, objectSha256})}] end
    end)
  | .reuse |= unique_by(.ulid) | .upload |= unique_by(.ulid)
JQ
}
