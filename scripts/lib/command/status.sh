# shellcheck shell=bash
# Where this host stands: first the verdict, then what it is taken from: what runs, drills and lists of this host have
# noted, and whether each repository answers now.

SERVER_CODE=0  # of await_status_of_server

# status_report: everything as one JSON object. Needs await_status_of_server.
status_report() {
  local key wounds="$SCRATCH/wounds.json" next="" next_drill=""
  take_note wounds "$STATE_DIR/wounds.json" >"$wounds" || : >"$wounds"
  next_call run; next=$NEXT_RUN
  next_call drill; next_drill=$NEXT_RUN
  for key in "${REPOSITORY_NAMES[@]}"; do contents_of "$key"; done >"$SCRATCH/contents"
  answers_of_repositories >"$SCRATCH/answers"
  for key in "${!METRICS[@]}"; do printf '%s\t%s\n' "$key" "${METRICS[$key]}"; done |
    jq --raw-input --slurp --arg host "$HOST_NAME" --arg environment "$ENVIRONMENT" \
      --slurpfile server "$SCRATCH/server.now" --slurpfile tsdb "$SCRATCH/tsdb.now" \
      --argjson serverCode "$SERVER_CODE" --rawfile why "$SCRATCH/server.words" \
      --arg serverMeaning "$(exit_meaning "$SERVER_CODE")" --slurpfile wounds "$wounds" \
      --slurpfile contents "$SCRATCH/contents" --slurpfile answers "$SCRATCH/answers" --argjson next "${next:-null}" \
      --argjson nextDrill "${next_drill:-null}" \
      --argjson interval "$EXPECTED_INTERVAL_SECONDS" --argjson drillInterval "${DRILL_INTERVAL_SECONDS:-null}" \
      --argjson late "$LATE_SECONDS" --argjson now "$EPOCHSECONDS" \
      --arg lastCode "$(code_in_words "${METRICS[last_exit_code]:-0}")" \
      --arg verifyCode "$(code_in_words "${METRICS[verify_last_exit_code]:-0}")" "$(duration_filter; standing_filter)"
}

# duration_filter: a jq function for times in words, as human_seconds has them.
duration_filter() {
  cat <<'JQ'
  def duration: floor | if . < 0 then 0 else . end
    | if . < 120 then "\(.) s" elif . < 7200 then "\(. / 60 | floor) min" elif . < 172800
      then "\(. / 3600 | floor) h \(. % 3600 / 60 | floor) min" else "\(. / 86400 | floor) d" end;
JQ
}

# standing_filter: the jq program of status_report: the metrics in, "name<TAB>value" a line. The verdict is against a
# host as soon as one thing is.
standing_filter() {
  cat <<'JQ'
  ([split("\n")[] | select(. != "") | split("\t") | {(.[0]): (.[1] | tonumber)}] | add // {}) as $m
  | (reduce $answers[] as $one ({}; .[$one.name] = $one.error)) as $errors
  | def ago: ($now - .) | duration + " ago"; def old: ($now - .) | duration + " old";
    ($m.last_success_timestamp_seconds
      | if . then "the last good backup is \(old)" else "no good backup is known to this host" end) as $last
  | (if $serverCode != 0
        then "no backup can be taken now (\($serverCode): \($serverMeaning)); \($last)"
      elif $m.last_run_timestamp_seconds == null then "no run has ended on this host yet"
      elif ($m.last_exit_code // 0) != 0
        then "the last run failed \($m.last_run_timestamp_seconds | ago) (\($lastCode))"
      elif $m.last_success_timestamp_seconds == null then $last
      elif $now - $m.last_success_timestamp_seconds > $interval + $late
        then "\($last), and one is due every \($interval | duration)"
      elif $m.suspect == 1 then "the newest backup is far smaller than the one before. Data lost? prometheus-backup.sh restore latest. Meant to be smaller? prometheus-backup.sh run --accept-smaller"
      elif ($m.verify_last_exit_code // 0) != 0 then "the last verification or drill failed (\($verifyCode))"
      elif any($errors[]; .) then "repository \([$answers[] | select(.error) | .name] | join(", ")) does not answer"
      else null end) as $against
  | {$host, $environment, protected: ($against == null),
      verdict: ($against // "\($last)\(if $next == null then ", and when the next run comes is not known" else "" end)\(if $m.drill_last_success_timestamp_seconds == null then ", and no drill has proven one yet" else "" end)"),
      lastRun: (if $m.last_run_timestamp_seconds == null then null
        else {at: ($m.last_run_timestamp_seconds | todate), exitCode: $m.last_exit_code,
          seconds: $m.last_duration_seconds} end),
      lastSuccess: ($m.last_success_timestamp_seconds | if . then todate else null end),
        nextRun: ($next | if . then todate else null end),
      lastDrill: ($m.drill_last_success_timestamp_seconds | if . then todate else null end),
        nextDrill: ($nextDrill | if . then todate else null end), drillIntervalSeconds: $drillInterval,
      lastVerify: ($m.verify_last_success_timestamp_seconds | if . then todate else null end),
      repositories: [$contents[]
        | . + {lastSuccess: ($m["repository_last_success_timestamp_seconds|repository=\(.name)"]
        | if . then todate else null end),
        lastExitCode: $m["repository_last_exit_code|repository=\(.name)"], error: $errors[.name]}],
      server: ($server[0] // null), tsdb: ($tsdb[0] // null),
      serverError: (if $serverCode == 0 then null
        else {exitCode: $serverCode, words: ($why | rtrimstr("\n")
          | if . == "" then "cannot be asked; look at: prometheus-backup.sh check" else . end)} end),
      wounds: ($wounds[0] // null), metrics: $m}
JQ
}

# status_text: the jq program for people.
status_text() {
  duration_filter
  words_program
  cat <<'JQ'
  def ago: if . == null then "never, as far as this host knows"
    else "\(sub("T"; " ") | sub("Z$"; " UTC")), \(now - fromdate | duration) ago" end;
  def ahead: "\(sub("T"; " ") | sub("Z$"; " UTC")), in \(fromdate - now | duration)";
  .metrics as $m
  | "\(.host)\(if .environment == "" then "" else " (\(.environment))" end): \(if .protected then "PROTECTED" else "NOT PROTECTED" end): \(.verdict)",
  "  last good   \(.lastSuccess | ago)\(if .metrics.suspect == 1 then ", but suspect: far smaller than the one before" else "" end)",
  "  last run    \(.lastRun.at | ago)\(if .lastRun then ", \(if .lastRun.exitCode == 0 then "good" else "failed with exit code \(.lastRun.exitCode)" end), took \(.lastRun.seconds // 0 | duration)" else "" end)",
  "  next run    \(.nextRun | if . then ahead else "not known to this host" end)",
  "  good drill  \(.lastDrill | ago)\(if .nextDrill then "; the next: \(.nextDrill | ahead)" elif .drillIntervalSeconds then "" else "; none is scheduled" end)",
  "  good verify \(.lastVerify | ago)",
  (.repositories[] | "  \(.name | . + " " * ([11 - length, 0] | max)) \(if .lookedAt then "\(.backups | counted("backup")), \(.sizeBytes | size), newest \(.newest // "none") (looked at \(now - (.lookedAt | fromdate) | duration) ago)" else "not looked at yet" end)\(if (.lastExitCode // 0) != 0 then "; the last run failed there with \(.lastExitCode), the last good one was \(.lastSuccess | ago)" else "" end)\(if .error then "; DOES NOT ANSWER: \(.error)" else "" end)"),
  (.wounds // {damaged: [], lost: []} | (.damaged[:20][] | "  DAMAGED     block \(.ulid): \(.reason)"),
    (.lost[:20][] | "  LOST        block \(.ulid)\(if .backup then ", held by backup \(.backup)" else "" end)"),
    (if .damaged + .lost == [] then empty
      else "              \([(.damaged, .lost) | length] | [if .[0] > 0 then "\(.[0]) damaged" else empty end, if .[1] > 0 then "\(.[1]) lost" else empty end] | join(", ")) in the last run; mend it with: prometheus-backup.sh heal" end)),
  (if .server then
    "  server      Prometheus \(.server.version), retention \(.server.retention), admin API \(.server.adminApi | if . == "true" then "on" else "off" end), \(.server.dataBytes | if . then size else "not measured yet" end) in \(.server.dataDirectory)",
    (if .tsdb then "  head        \(.tsdb.series) series" else empty end),
    "  leftovers   \(if .server.leftoverSnapshots == null then "not looked for" elif .server.leftoverSnapshots == [] then "none" else (.server.leftoverSnapshots | join(", ")) + "; those that nobody else made go with: rm -r -- " + (.server.dataDirectory as $at | .server.leftoverSnapshots | map(["\($at)/snapshots/\(.)"] | @sh) | join(" ")) end)"
  else "  server      \(.serverError.words)" end)
JQ
}

# answers_of_repositories: {name, error} of each, a JSON line each. Needs ask_repositories.
answers_of_repositories() {
  local index
  await_answers
  for index in "${!REPOSITORY_NAMES[@]}"; do
    take_answer "$index" "$HOST_NAME" || true
    jq --null-input --compact-output --arg name "$REPOSITORY" --arg error "$REPOSITORY_ERROR" \
      '{$name, error: (if $error == "" then null else $error end)}'
  done
}

# command_status [--json]: whether this host is protected, then what that is taken from (status_report). A server or a
# repository that does not answer is a fact here, not an error.
command_status() {
  local json SERVER_CODE=0
  read_options status "$@"
  json=${OPTIONS[json]:-false}
  open_state
  load_metrics
  require_tools
  ask_repositories "$HOST_NAME" "${!REPOSITORY_NAMES[@]}"
  await_status_of_server
  status_report >"$SCRATCH/status.json"
  if [[ $json == true ]]; then
    jq . "$SCRATCH/status.json" >"$SCRATCH/result"
    print_result "$SCRATCH/result"
  else
    jq --raw-output "$(status_text)" "$SCRATCH/status.json" | signs >"$SCRATCH/result"
    print_rows "$SCRATCH/result"
  fi
}

# await_status_of_server: SCRATCH/server.now and SCRATCH/tsdb.now as JSON, as far as they were known in time, and
# SERVER_CODE with SCRATCH/server.words where the server cannot be used.
await_status_of_server() {
  local until=$(( EPOCHSECONDS + ANSWER_PATIENCE_SECONDS ))
  : >"$SCRATCH/server.now" && : >"$SCRATCH/tsdb.now" && : >"$SCRATCH/server.words"
  in_background status_of_server 2>"$SCRATCH/server.words"
  until has_ended "$CHILD" || (( EPOCHSECONDS >= until )); do sleep 0.05; done
  if has_ended "$CHILD"; then wait "$CHILD" 2>/dev/null || SERVER_CODE=$?; else
    # Such as behind a mount whose server is gone.
    leave_behind "$CHILD"
    if [[ ! -s $SCRATCH/server.now ]]; then SERVER_CODE=$EXIT_SERVER; fi
    printf 'did not tell all within %d s; look at: prometheus-backup.sh check\n' "$ANSWER_PATIENCE_SECONDS" \
      >"$SCRATCH/server.words"
  fi
  sed --in-place 's/^prometheus-backup: error: //' "$SCRATCH/server.words"
  sed --in-place '$!d' "$SCRATCH/server.words"
}

# status_of_server: the job of await_status_of_server. Ends as require_server and read_server do. How much there is on
# the disk comes last, as that may take long.
status_of_server() {
  local LOOKS_ONLY=true
  require_server
  read_server
  note_status null null
  api GET /api/v1/status/tsdb
  api_value tsdb '{series: .headStats.numSeries, chunks: .headStats.chunkCount, topMetrics: .seriesCountByMetricName}' \
    >"$SCRATCH/tsdb.new" || printf 'null\n' >"$SCRATCH/tsdb.new"
  mv -f -- "$SCRATCH/tsdb.new" "$SCRATCH/tsdb.now"
  note_status "$(bytes_below "$DATA_DIRECTORY" --exclude snapshots)" \
    "$(list_snapshots | jq --raw-input . | jq --slurp .)"
}

# note_status BYTES LEFTOVERS: SCRATCH/server.now, whole at any time.
note_status() {
  jq --null-input --arg version "$SERVER_VERSION" --arg retention "$RETENTION_TIME" \
    --arg dataDirectory "$DATA_DIRECTORY" --arg adminApi "$ADMIN_API" \
    --argjson dataBytes "$1" --argjson leftoverSnapshots "$2" '$ARGS.named' >"$SCRATCH/server.new"
  mv -f -- "$SCRATCH/server.new" "$SCRATCH/server.now"
}
