# shellcheck shell=bash
# What a backup must send: the source-aware rule. A block that compaction made from stored blocks is not sent again;
# where some of them are not stored yet but held (held.sh), those are sent instead of it.

PLANNED_SAMPLES=0  # of plan_backup: what the backup will hold

# plan_backup BLOCKS HELD FILE: for the selected repository, writes {reuse, upload, heads, covered, damaged, lacks,
# lost, accepted} to FILE, its numbers in words to FILE.words, {damaged, lost} to FILE.wounds and to FILE.todo a line
# for each block to send: ULID, recorded object and checksum, kind, manifest entry. Sets PLANNED_SAMPLES. Needs
# BLOCKS.damaged, BLOCKS.present, repository_open, find_sound_manifests and look_back.
plan_backup() {
  local blocks=$1 held=$2 target=$3 damaged="$STATE_DIR/damaged/$REPOSITORY" journal="$STATE_DIR/journal/$REPOSITORY"
  if [[ ! -f $damaged ]]; then damaged=/dev/null; fi
  take_notes journal "$journal" "$SCRATCH/journal.$REPOSITORY"
  wounds_arguments
  unpack_manifests "$(( MANIFEST_LIMIT_BYTES * READ_MANIFESTS ))" "${SOUND[@]}" |
    jq --null-input --raw-output --compact-output --slurpfile blocks "$blocks" --slurpfile wounded "$blocks.damaged" \
    --rawfile present "$blocks.present" \
    --slurpfile held "$held" --rawfile listing "$OBJECT_LIST" --rawfile damaged "$damaged" \
    --slurpfile journal "$SCRATCH/journal.$REPOSITORY" --arg layout "$FORMAT" \
    --slurpfile older "$OLDER" "${WOUNDS_ARGUMENTS[@]}" "$(wounds_filter; plan_filter)" >"$target.lines"
  sed --quiet 1p "$target.lines" >"$target"
  sed --quiet 2p "$target.lines" >"$target.words"
  PLANNED_SAMPLES="$(sed --quiet 3p "$target.lines")"
  sed --quiet 4p "$target.lines" >"$target.wounds"
  tail -n +5 "$target.lines" >"$target.todo"
}

# plan_filter: the jq program, behind wounds_filter. Stored blocks are those of the manifests and, newer knowledge, what
# a broken-off run has left in its journal. One counts only while its object is listed with the size that was recorded.
# What the manifest says of it is what its object holds; from the live block come its tombstones alone. A live block
# that is damaged, or differs from what was stored of it, is taken from the repository as it was; without a copy there,
# and with nothing that stands for it, it is lacking. Rule: every source of the block is held by stored blocks whose own
# sources do not overlap, neither has tombstones, and the sample counts are equal. The largest stored blocks are taken
# first. A held block counts as stored, and is sent if it is needed.
plan_filter() {
  cat <<'JQ'
  past as $past
  | (reduce lines($listing)[] as $line ({}; ($line | split("\t")) as $row | .[$row[1]] = ($row[0] | tonumber)))
    as $there
  | set(lines($damaged)[]) as $bad
  | (reduce ($journal[] | select(.head | not)) as $block ($past.known; remember($block))) as $known
  | (if $layout == "archive" then {} else $known
  | map_values(select(.object and $there[.object] == .objectBytes and ($bad[.object] | not)) | del(.backup)) end)
    as $pool
  | set($blocks[0][].ulid) as $present_blocks
  | [$held[0][] | select($layout == "blocks") | select(($pool[.ulid] or $present_blocks[.ulid]) | not)
    | . + {head: false, held: true, recorded: ($known[.ulid] // {} | {object, objectSha256})}] as $aside
  | ([$pool[], $aside[] | select(.numTombstones == 0 and .tombstones == "")] | sort_by(-(.sources | length), .ulid))
    as $clean
  | def cover($block):
      if $block == null or $block.numTombstones > 0 or $block.tombstones != "" then null
      else (reduce $block.sources[] as $source ({}; .[$source] = true)) as $wanted
        | reduce $clean[] as $stored ({left: $wanted, taken: []};
            if (.left | length) > 0 and ([$stored.sources[] as $source | .left[$source] == true] | all)
            then .taken += [$stored] | reduce $stored.sources[] as $source (.; .left |= del(.[$source]))
            else . end)
        | if (.left | length) == 0 and ([.taken[].numSamples] | add) == $block.numSamples then .taken else null end
      end;
    def before($ulid): $past.covered[$ulid] | if . != null and all($pool[.]) then map($pool[.]) else null end;
    def stand_in($block; $by): .reuse += [$by[] | select(.held | not)] | .upload += [$by[] | select(.held)]
      | if $block then .covered += [($block | {ulid, minTime, maxTime, numSamples}) + {by: [$by[].ulid]}] else . end;
    def send($block): .upload += [$block + {recorded: ($known[$block.ulid] // {} | {object, objectSha256})}];
  (reduce $wounded[0][] as $one ({}; .[$one.ulid] = $one.reason)) as $reasons
  | reduce ($blocks[0][], ($wounded[0][] | select(.usable | not) | {ulid, gone: .block})) as $block
    ({reuse: [], upload: [], heads: [], covered: [], damaged: [], lacks: []};
    if $block.head then .heads += [$block]
    else $known[$block.ulid] as $entry | (if has("gone") then null else ($block | difference($entry)) end)
      as $difference
    | ($reasons[$block.ulid] // $difference) as $reason | ($block.gone // $block) as $told
    | if $reason == null then
        if $pool[$block.ulid] then .reuse += [$pool[$block.ulid] | marked($block)]
        else cover($block) as $by | if $by then stand_in($block; $by) else send($block) end end
      else ({ulid: $block.ulid, minTime: ($told.minTime // $entry.minTime), maxTime: ($told.maxTime // $entry.maxTime),
        $reason}) as $wound
        | .damaged += [$wound]
        | (cover($told | if has("sources") then . else null end) // before($block.ulid)) as $by
        | if $pool[$block.ulid] then .reuse += [$pool[$block.ulid]]
          elif $by then stand_in($told | if has("sources") then . else null end; $by)
          elif ($block | has("gone") | not) and $difference == null then send($block)
          else .lacks += [$wound] end
      end
    end)
  | .reuse |= unique_by(.ulid) | .upload |= unique_by(.ulid)
  | . + ([$blocks[0][], $wounded[0][].block | select(. != null and (.head | not))] as $live | $past
  | losses($live; lines($present)))
  | .,
    "new=\(.upload | length) pooled=\(.reuse | length) covered=\(.covered | length) heads=\(.heads | length) bytes=\([.upload[].bytes, .heads[].bytes] | add // 0)",
    ([.reuse[].numSamples, .upload[].numSamples, .heads[].numSamples] | add // 0),
    {damaged, lost: [.lost[] | {ulid, minTime, maxTime, backup}]},
    ((.heads[], .upload[])
      | [.ulid, .recorded.object // "-", .recorded.objectSha256 // "-",
        (if .head then "head" elif .held then "held" else "block" end), (del(.recorded, .held) | tojson)] | join("\t"))
JQ
}
