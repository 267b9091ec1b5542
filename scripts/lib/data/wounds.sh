# shellcheck shell=bash
# Damaged and lost blocks: what a backup must not take from the live disk, and what has gone from there without a
# reason. Runs, check and heal ask the same functions, so that each finds what the others report. The words for them are
# in docs/how-it-works.md.

WOUNDS_ARGUMENTS=()  # of jq, for wounds_filter
# What note_wounds has counted, and the lost blocks by name.
DAMAGED=0 LOST=0 LOST_ULIDS=""

# wounds_filter: jq functions over manifests (docs/format.md). The program that has them needs what wounds_arguments
# gives.
wounds_filter() {
  cat <<'JQ'
  def lines(text): [text | split("\n")[] | select(. != "")];
  def set(stream): reduce stream as $one ({}; .[$one] = true);
  def milliseconds: {y: 31536000000, w: 604800000, d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1} as $unit
    | ((. // "") | split(" or ")[0] // "") as $text
    | if $text | test("^([0-9]+(ms|[ywdhms]))+$") then [$text | match("([0-9]+)(ms|[ywdhms])"; "g").captures
    | (.[0].string | tonumber) * $unit[.[1].string]] | add else 0 end;
  # By size or by a share of the disk.
  def is_limited: ((.retentionSize // "") | test("[1-9]")) or ((.retentionTime // "") | test("[B%]$"));
  # What changes in place when series are deleted, from the block $by.
  def marked($by): . + {numTombstones: $by.numTombstones, tombstones: $by.tombstones}
    | if .meta.stats.numTombstones == $by.meta.stats.numTombstones then .
      elif $by.meta.stats.numTombstones == null then del(.meta.stats.numTombstones)
        else .meta.stats.numTombstones = $by.meta.stats.numTombstones end;
  # Entries by ULID. What an object holds was true when it was stored; an entry of later that says something else of the
  # same object took it elsewhere.
  def remember($entry): .[$entry.ulid] as $first
    | .[$entry.ulid] = (if $first and $entry.object and $first.object == $entry.object
      and $first.objectSha256 == $entry.objectSha256 then $first | marked($entry)
        | .backup = $entry.backup else $entry end);
  # The manifests of the input, in one pass: `known`, by ULID what was stored of it; `good`, the last one that later
  # ones are compared with: neither suspect nor named by a wrong clock, and after a restore the one that was restored;
  # `covered`, `lost` and `accepted` of the newest. $older: what look_back has found beside them.
  def past: reduce (inputs | select(.name as $name | $misdated | index($name) | not)) as $m
    ({known: (reduce ($older[] | .known[], .lost[]) as $block ({}; .[$block.ulid] = $block)), older: [$older[].lost[]],
      name: "", good: {name: ""}, covered: {}, lost: [], accepted: []};
    reduce ($m.blocks[] | select(.head | not)) as $block (.; .known |= remember($block + {backup: $m.name}))
    | if $m.name > .name then .name = $m.name | .lost = ($m.lost // []) | .accepted = ($m.accepted // [])
    | .covered = ([$m.covered[]? | {(.ulid): .by}] | add // {}) else . end
    | if $m.name > .good.name and (if $restored == null then $m.suspect == null else $m.name == $restored.backup
      or ($m.name > $restored.at and $m.suspect == null) end)
      then .good = {name: $m.name, prometheus: $m.prometheus, blocks: [$m.blocks[] | select(.head | not) | .ulid]}
        else . end);
  # Why a block is not what its entry says, or null.
  def difference($entry):
    def told: [.minTime, .maxTime, .numSamples, .numSeries, .numChunks, .level, (.sources | sort)];
    if $entry == null then null
    elif .bytes != $entry.bytes then "its files have \(.bytes) bytes, the backup's \($entry.bytes)"
    elif told != ($entry | told) then "its meta.json is not what was backed up" else null end;
  # What went into blocks that are there: their sources and parents, and of those that are there and cannot be read the
  # recorded ones. $there: a set.
  def merged_into($live; $there; $sources): set(($live[] | .sources[]), ($live[] | .meta.compaction.parents[]?.ulid),
    ($there | keys_unsorted[] as $ulid | $sources[$ulid][]?));
  def is_merged($merged): (if .sources == [] then [.ulid] else .sources end) as $of
    | $merged[.ulid] or all($of[]; $merged[.]);
  # What retention explains, by the settings of these servers.
  def expiry($servers; $live; $now): ($servers | map(. // {})) as $servers
    | {before: (($servers | map(.retentionTime | milliseconds | select(. > 0)) | min) as $retention
    | if $retention then $now - $retention + 3600000 else null end),
       oldest: (if any($servers[]; is_limited) then [$live[].maxTime] | min else null end)};
  def expired($expiry): ($expiry.before != null and .maxTime <= $expiry.before)
    or ($expiry.oldest != null and .maxTime <= $expiry.oldest);
  # Whether these blocks, sorted by time, hold all of its time.
  def held($sorted): . as $block
    | reduce $sorted[] as $one (.minTime; if $one.minTime <= . and $one.maxTime > . then $one.maxTime
      else . end) >= $block.maxTime;
  # {lost, accepted} by what `past` has told. $live: the blocks whose meta.json can be read; $present: ULIDs of all that
  # are there. What left without being lost: merged into a live block, beyond the retention of the server now or then,
  # or emptied by a deletion of series, of which Prometheus leaves no trace but the marks from before and the requests
  # that it has counted.
  def losses($live; $present):
    . as $past
    | set($present[]) as $there | set($past.lost[].ulid, $past.older[].ulid) as $carried
    | merged_into($live; $there; $past.known | map_values(.sources)) as $merged
    | expiry([$server, $past.good.prometheus]; $live; $now) as $expiry
    | ($live | sort_by(.minTime)) as $sorted
    | def emptied: .numTombstones >= .numSeries
        or (($deletions.deleted > $past.good.name or (.numTombstones > 0 and held($sorted)))
          and ($deletions.cleaned > $past.good.name or .maxTime - .minTime > $range));
      ([$past.good.blocks[]? | $past.known[.]] + $past.lost + $past.older | unique_by(.ulid)
        | map(select(($there[.ulid] or is_merged($merged) or expired($expiry)) | not))) as $gone
    | ([$past.accepted[] | select(($there[.ulid] or expired($expiry)) | not)]
       + [$gone[] | {ulid, minTime, maxTime, reason: (if .ulid as $ulid
         | $accept == "all" or ($accept | split(",") | index($ulid)) then "accepted" elif ($carried[.ulid] | not)
           and emptied then "deleted" else null end)} | select(.reason)]
       | unique_by(.ulid)) as $accepted
    | set($accepted[].ulid) as $known_to_go
    | {lost: [$gone[] | select($known_to_go[.ulid] | not)], $accepted};
JQ
}

# wounds_arguments: sets WOUNDS_ARGUMENTS, what the functions of wounds_filter look at beside the manifests, for jq.
wounds_arguments() {
  local restored=null restores="" deletions='{"deleted":"","cleaned":""}' at backup _ state=${BACKUP_STATE:-$STATE_DIR}
  { take_lines restored "$state/restored" || true; } | while read -r at backup; do
    restored="{\"at\":\"$at\",\"backup\":\"$backup\"}"
    restores+=",$restored"
  done
  { take_lines deletions "$state/deletions" || true; } | while read -r _ _ _ at backup; do
    deletions="{\"deleted\":\"${at#-}\",\"cleaned\":\"${backup#-}\"}"
  done
  WOUNDS_ARGUMENTS=(--argjson restored "$restored" --argjson restores "[${restores#,}]" --argjson deletions "$deletions"
    --arg accept "$ACCEPT_LOSS" --argjson misdated "$MISDATED"
    --argjson now "${EPOCHSECONDS}000" --argjson range "$BLOCK_RANGE_MS"
    --argjson server "$(jq --null-input --compact-output --arg retentionTime "${RETENTION_TIME:-}" --arg retentionSize "${RETENTION_SIZE:-}" '$ARGS.named')")
}

# note_deletions: how often series were deleted and tombstones cleaned since the server's start, and when a run first
# saw that: STATE_DIR/deletions gets "start deletions cleanings deleted-at cleaned-at". A server that does not tell has
# deleted nothing.
note_deletions() {
  local note="$STATE_DIR/deletions"
  server_metrics >"$SCRATCH/metrics" || return 0
  take_lines deletions "$note" >"$SCRATCH/deletions" || true
  if [[ ! -s $SCRATCH/deletions ]]; then printf '0 0 0 - -\n' >"$SCRATCH/deletions"; fi
  awk -v name="$BACKUP" '
    FILENAME == ARGV[1] { split($0, old, " "); next }
    $1 == "process_start_time_seconds" { start = $2 }
    /^prometheus_http_requests_total\{/ && /code="2/ && /\/admin\/tsdb\/delete_series"/ { deletions += $2 }
    /^prometheus_http_requests_total\{/ && /code="2/ && /\/admin\/tsdb\/clean_tombstones"/ { cleanings += $2 }
    END {
      same = (start == old[1])
      if (deletions > (same ? old[2] : 0)) old[4] = name
      if (cleanings > (same ? old[3] : 0)) old[5] = name
      print (start == "" ? 0 : start), deletions + 0, cleanings + 0, (old[4] == "" ? "-" : old[4]),
        (old[5] == "" ? "-" : old[5])
    }' "$SCRATCH/deletions" "$SCRATCH/metrics" >"$note.new" || return 0
  mv -fT -- "$note.new" "$note" || true
}

# note_wounds: what the jobs of all repositories and the files of the blocks have told, to STATE_DIR/wounds.json for
# status, and as metrics. Sets DAMAGED and LOST, the numbers, and LOST_ULIDS.
note_wounds() {
  local file files=() note="$SCRATCH/wounds.json"
  for file in "$SCRATCH"/wounds.*; do if [[ -s $file && $file != "$note" ]]; then files+=("$file"); fi; done
  jq --slurp --compact-output --slurpfile here "$BLOCKS.damaged" \
    '{damaged: ([.[].damaged[], ($here[0][] | {ulid, minTime, maxTime, reason})] | unique_by(.ulid)),
    lost: ([.[].lost[]] | unique_by(.ulid))}' "${files[@]:-/dev/null}" >"$note"
  jq --raw-output '"\(.damaged | length) \(.lost | length) \([.lost[].ulid] | join(","))"' "$note" |
    read -r DAMAGED LOST LOST_ULIDS
  set_metric damaged_blocks "$DAMAGED"
  set_metric lost_blocks "$LOST"
  cp -- "$note" "$STATE_DIR/wounds.json.new" && mv -fT -- "$STATE_DIR/wounds.json.new" "$STATE_DIR/wounds.json"
  wounds_in_words "$note" | while IFS= read -r file; do warn "$file"; done
}

# wounds_in_words FILE: a line for each block of {damaged, lost}, twenty of each kind at most.
wounds_in_words() {
  jq --raw-output '
    def day: if . == null then "?" else (. / 1000 | floor | [[., 253402300799] | min, -30610224000] | max | todate) end;
    def range: if .minTime == null then "" else " (\(.minTime | day) to \(.maxTime | day))" end;
    (.damaged[:20][] | "block \(.ulid)\(range) of the server is damaged: \(.reason)"),
    (.damaged[20:] | select(. != []) | "and \(length) damaged ones more"),
    (.lost[:20][] | "block \(.ulid)\(range) is lost: the server has it no more, and neither compaction nor its retention explains that\(if .backup then "; backup \(.backup) holds it" else "" end)"),
    (.lost[20:] | select(. != []) | "and \(length) lost ones more")' "$1"
}

# tell_wounds: ends with 9 if a block is damaged or lost. The backup is complete, as far as it can be.
tell_wounds() {
  local found=()
  if (( DAMAGED + LOST == 0 )); then return 0; fi
  if (( DAMAGED > 0 )); then found+=("$DAMAGED damaged"); fi
  if (( LOST > 0 )); then found+=("$LOST lost"); fi
  die "$EXIT_VERIFICATION" \
    "blocks of the server: $(join_words ', ' "${found[@]}") (above); backup $BACKUP holds what is sound, and retention keeps what holds the lost ones" \
    "bring them back: prometheus-backup.sh heal$(if (( LOST > 0 )); then printf '. If they may go: prometheus-backup.sh run --accept-loss %s' "$LOST_ULIDS"; fi)"
}
