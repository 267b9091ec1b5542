# shellcheck shell=bash
# Blocks that have gone from the server without a reason that shows: the last backup that holds one, and the one after
# that, tell how it went.

# find_gone BLOCKS PRESENT FACTS: stored blocks that the server has no more, though nothing that is there now tells why
# ("lost"), and such that it has, which the newest manifests may not know ("known"): a line for each object, with tabs:
# that word, ULID, object. What has been beyond the server's retention once may have gone then, whatever its retention
# is now: the first line is "beyond" and the newest such time, which is kept.
find_gone() {
  local beyond
  beyond="$(head -c 100 -- "$BLOCK_FACTS.beyond" 2>/dev/null || borrowed_cache "blocks/${BLOCK_FACTS##*/}.beyond")"
  if [[ ! $beyond =~ ^-?[0-9]{1,16}$ ]]; then beyond=null; fi
  wounds_arguments
  jq --null-input --raw-output --slurpfile blocks "$1" --slurpfile wounded "$1.damaged" --rawfile present "$2" \
    --rawfile facts "$3" --rawfile explained "$BLOCK_FACTS.explained" --argjson beyond "$beyond" \
    --slurpfile newest "$NEWEST_SOUND" --argjson older "[]" "${WOUNDS_ARGUMENTS[@]}" "$(wounds_filter; gone_filter)"
}

# gone_filter: the jq program of find_gone, behind wounds_filter.
gone_filter() {
  cat <<'JQ'
  [$blocks[0][], $wounded[0][].block | select(. != null and (.head | not))] as $live
  | (reduce (lines($facts)[] | split("\t")) as [$object, $_, $json] ({}; ($json | fromjson) as $block
      | .[$block.ulid] = ($block + {objects: (.[$block.ulid].objects + [$object])}))) as $stored
  | ($newest[0] | set(.blocks[].ulid, .lost[]?.ulid, .accepted[]?.ulid)) as $told
  | set(lines($explained)[]) as $explained
  | set(lines($present)[]) as $there
  | merged_into($live; $there; $stored | map_values(.sources)) as $merged
  | (expiry([$server, $newest[0].prometheus]; $live; $now) | [.before, .oldest, $beyond] | max) as $beyond
  | "beyond\t\($beyond)", ($stored[] | select($told[.ulid] or $explained[.ulid] | not)
    | (if $there[.ulid] then "known"
      elif is_merged($merged) or ($beyond != null and .maxTime <= $beyond) then empty else "lost" end) as $kind
    | "\($kind)\t\(.ulid)\t\(.objects[])")
JQ
}

# judge_gone: how each block of SCRATCH/gone went: by the last good backup that holds it, and the next good one. Writes
# OLDER, and notes what is explained, so that nobody asks again.
judge_gone() {
  local last next pair status
  cut -f 3 "$SCRATCH/gone" >"$SCRATCH/gone.objects"
  find_holders "$SCRATCH/gone.objects" >"$SCRATCH/holders"
  # What is not suspect has no other value there; inside a text the quotes would have a backslash.
  { grep --fixed-strings '"suspect":null' -- "$OLDER_SUMMARIES" || true; } | cut -c 1-16 >"$SCRATCH/good.names"
  jq --null-input --raw-output --rawfile gone "$SCRATCH/gone" --rawfile good "$SCRATCH/good.names" \
    --argjson older "[]" "${WOUNDS_ARGUMENTS[@]}" "$(wounds_filter; pairs_filter)" "$SCRATCH/holders" >"$SCRATCH/pairs"
  : >"$SCRATCH/how"
  cut -f 1,2 "$SCRATCH/pairs" | sort --unique | while IFS=$'\t' read -r last next; do
    if ! older_manifest "$last"; then UNEXPLAINED=$(( UNEXPLAINED + 1 )); continue; fi
    pair=("$OLDER_MANIFEST") status=0
    if [[ $next != - ]]; then
      older_manifest "$next" || status=$?
      # What it would say against a loss, nobody knows.
      if (( status == 3 )); then UNEXPLAINED=$(( UNEXPLAINED + 1 )); continue; fi
      if (( status == 0 )); then pair+=("$OLDER_MANIFEST"); fi
    fi
    jq --null-input --compact-output --rawfile pairs "$SCRATCH/pairs" --argjson older "[]" "${WOUNDS_ARGUMENTS[@]}" \
      "$(wounds_filter; how_filter)" "${pair[@]}" >>"$SCRATCH/how"
  done
  jq --slurp --compact-output '{lost: map(.lost[]), known: map(.known[])}' "$SCRATCH/how" >"$OLDER"
  jq --raw-output '.explained[]' "$SCRATCH/how" >>"$BLOCK_FACTS.explained"
}

# pairs_filter: a jq program behind wounds_filter: a line for each block of SCRATCH/gone: last good backup that holds
# it, next good one ("-": none), word and ULID. Of one that the newest good backup holds, runs tell. What a restore put
# aside on purpose is in backups between it and the restored one.
pairs_filter() {
  cat <<'JQ'
  def put_aside: . as $name | any($restores[]; .backup < $name and $name < .at);
  [lines($good)[] | select(. as $name | $misdated | index($name) | not) | select(put_aside | not)] as $good
  | set($good[]) as $is_good
  | (reduce (lines($gone)[] | split("\t")) as [$kind, $ulid, $object] ({}; .[$object] += [{$kind, $ulid}])) as $wanted
  | (reduce inputs as $backup ({};
      reduce ($backup.objects | keys_unsorted[] | $wanted[.][]?) as $one (.;
        if $is_good[$backup.name] or $one.kind == "known"
        then .[$one.ulid] = ($one + {last: $backup.name}) else . end)))[]
  | .last as $last | [.last, ([$good[] | select(. > $last)][0] // "-"), .kind, .ulid]
  | select(.[1] != "-" or .[2] == "known") | join("\t")
JQ
}

# how_filter: a jq program behind wounds_filter, for the manifests of one pair of backups: {lost, known, explained}.
# Blocks that have come between the two and hold all of a block's time are that block without samples that were deleted:
# such a rewriting leaves no trace after the next merge.
how_filter() {
  cat <<'JQ'
  input as $last | (try input catch null) as $next
  | [lines($pairs)[] | split("\t")
    | select(.[0] == $last.name and (.[1] == "-" or $next == null or .[1] == $next.name))] as $rows
  | def entries($kind): set($rows[] | select(.[2] == $kind) | .[3]) as $wanted
      | [$last.blocks[] | select($wanted[.ulid] and (.head | not)) | . + {backup: $last.name}];
  (if $next == null then [] else [$next.blocks[] | select(.head | not)] end) as $live
  | set($last.blocks[].ulid) as $beside
  | merged_into($live; {}; {}) as $merged
  | (if $next == null then {}
    else expiry([$last.prometheus, $next.prometheus]; $live; $next.startedAt | fromdate * 1000) end) as $expiry
  | set($next.accepted[]?.ulid) as $accepted
  | ([$live[] | select($beside[.ulid] | not)] | sort_by(.minTime)) as $new
  | def explained: is_merged($merged) or expired($expiry) or $accepted[.ulid] or .numTombstones >= .numSeries
      or held($new);
  {known: entries("known")} + (entries("lost") | map(select(explained)) as $explained
    | {lost: (. - $explained), explained: [$explained[].ulid]})
JQ
}
