# shellcheck shell=bash
# What a backup must send: the source-aware rule. A block that compaction made from stored blocks is not sent again; where some of
# them are not stored yet but held (hold.sh), those are sent instead of it.

# plan_backup BLOCKS HELD FILE: for the selected repository, writes {reuse, upload, heads, covered} to FILE, its numbers in words to FILE.words
# and to FILE.todo a line for each block to send: ULID, recorded object and checksum, kind, manifest entry. Needs repository_open and
# find_sound_manifests.
plan_backup() {
  local blocks=$1 held=$2 target=$3 damaged="$STATE_DIR/damaged/$REPOSITORY" journal="$STATE_DIR/journal/$REPOSITORY"
  if [[ ! -f $damaged ]]; then damaged=/dev/null; fi
  if [[ ! -f $journal ]]; then journal=/dev/null; fi
  jq --null-input --raw-output --compact-output --slurpfile blocks "$blocks" --slurpfile held "$held" --rawfile listing "$OBJECT_LIST" --rawfile damaged "$damaged" \
    --rawfile journal "$journal" "$(plan_filter)" "${SOUND[@]:-/dev/null}" >"$target.lines"
  head -n 1 "$target.lines" >"$target"
  sed --quiet 2p "$target.lines" >"$target.words"
  tail -n +3 "$target.lines" >"$target.todo"
}

# plan_filter: the jq program. Stored blocks are those of the manifests and, newer knowledge, what a broken-off run has left in its journal. One
# counts only while its object is listed with the size that was recorded.
# Rule: every source of the block is held by stored blocks whose own sources do not overlap, neither has tombstones, and the
# sample counts are equal. The largest stored blocks are taken first. A held block counts as stored, and is sent if it is needed.
plan_filter() {
  cat <<'JQ'
  def lines(text): [text | split("\n")[] | select(. != "")];
  (reduce lines($listing)[] as $line ({}; ($line | split("\t")) as $row | .[$row[1]] = ($row[0] | tonumber))) as $there
  | (reduce lines($damaged)[] as $object ({}; .[$object] = true)) as $bad
  | (reduce ((inputs | select(.layout == "blocks") | .blocks[]), (lines($journal)[] | fromjson? // empty) | select(.head | not)) as $block ({}; .[$block.ulid] = $block)) as $known
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
  | .,
    "new=\(.upload | length) pooled=\(.reuse | length) covered=\(.covered | length) heads=\(.heads | length) bytes=\([.upload[].bytes, .heads[].bytes] | add // 0)",
    ((.heads[], .upload[]) | [.ulid, .recorded.object // "-", .recorded.objectSha256 // "-", (if .head then "head" elif .held then "held" else "block" end), (del(.recorded, .held) | tojson)] | join("\t"))
JQ
}
