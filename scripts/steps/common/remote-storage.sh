# shellcheck shell=bash
# What the server sends to remote storage: its targets, and proof by the server's own metrics that samples arrive.

readonly SECRETS=/etc/prometheus-backup/remote-write
readonly REMOTE_WRITE_SETTINGS='UNIT URL API_CURL_CONFIG TARGET SECRET_FILE'
# By name of the target: whether samples must arrive, seconds to wait, where to; what the first look and the last one
# saw.
TARGETS=()
declare -A ARRIVAL=() PATIENCE=() ENDPOINT=() FIRST_FAILED=() FIRST_SENT=() OUTCOME=()

# read_targets: the settings of both steps that have to do with remote storage.
read_targets() {
  local name arrival seconds url
  require_setting UNIT '^[A-Za-z0-9@._:\\-]+\.service$' 'a service unit'
  require_setting URL '^https?://[^[:space:]]+$' 'an http or https URL'
  UNIT="${SETTINGS[UNIT]}"
  while read -r name arrival seconds url; do
    if [[ ! $name =~ ^[a-z][a-z0-9-]*$ || ! $arrival =~ ^(required|warn)$ || ! $seconds =~ ^[0-9]{1,3}$ ]]; then
      die "$EXIT_CONFIGURATION" \
        "setting TARGET must be a name, required or warn, seconds and a URL; nothing was changed"
    fi
    TARGETS+=("$name")
    ARRIVAL[$name]="$arrival" PATIENCE[$name]="$seconds" ENDPOINT[$name]="$url"
  done <<<"$(setting TARGET '')"
}

# read_metrics: the metrics of the server go to $WORK/body.
read_metrics() {
  http_get /metrics
  if [[ $HTTP_STATUS != 200 ]]; then
    die "$EXIT_SERVER" "$BASE_URL/metrics answered with HTTP $HTTP_STATUS, so whether samples arrive cannot be seen"
  fi
}

# queue_value METRIC TARGET: sets VALUE to a metric of the target's queue, empty if the server has none.
queue_value() {
  VALUE="$(awk -v metric="prometheus_remote_storage_$1{" -v target="{remote_name=\"$2\"," \
    'index($0, metric) == 1 && index($0, target) { printf "%.0f", $NF; exit }' "$WORK/body")"
}

# queues_exist: true if the server has loaded every target.
queues_exist() {
  local name
  read_metrics
  for name in "${TARGETS[@]}"; do
    queue_value samples_total "$name"
    if [[ -z $VALUE ]]; then return 1; fi
  done
}

# judge TARGET SINCE: sets OUTCOME of TARGET to arrived, refused or waiting. A receiver that refuses counts as a sent
# batch, too: only sent samples without a failed one have arrived. Where some failed before the first look, that of a
# queue of before, or a refusal of now, later batches must tell.
judge() {
  local failed sent
  queue_value samples_failed_total "$1"
  failed="${VALUE:-0}"
  queue_value queue_highest_sent_timestamp_seconds "$1"
  sent="${VALUE:-0}"
  if [[ ! -v FIRST_FAILED[$1] ]]; then FIRST_FAILED[$1]="$failed" FIRST_SENT[$1]="$sent"; fi
  if ((failed > FIRST_FAILED[$1])); then
    OUTCOME[$1]=refused
  elif ((sent >= $2)) && { ((failed == 0)) || ((sent > FIRST_SENT[$1])); }; then
    # Sent and failed are counted one after the other; the second look cannot fall in between.
    if [[ ${OUTCOME[$1]:-} == sent ]]; then OUTCOME[$1]=arrived; else OUTCOME[$1]=sent; fi
  else
    OUTCOME[$1]=waiting
  fi
}

# confirm_arrival SINCE TARGET...: waits until samples from after the second SINCE have arrived at every target. One
# that gets none ends the step, or is warned about, as its settings say.
confirm_arrival() {
  local since=$(($1 + 1)) began=$SECONDS name open
  shift
  while true; do
    open=false
    read_metrics
    for name; do
      if [[ ${OUTCOME[$name]:-} =~ ^(arrived|refused|late)$ ]]; then continue; fi
      judge "$name" "$since"
      if [[ ${OUTCOME[$name]} == waiting ]] && ((SECONDS - began >= PATIENCE[$name])); then OUTCOME[$name]=late; fi
      if [[ ${OUTCOME[$name]} =~ ^(sent|waiting)$ ]]; then open=true; fi
      if [[ ${OUTCOME[$name]} =~ ^(refused|late)$ ]]; then report_missing "$name" "$since"; fi
    done
    if [[ $open == false ]]; then return 0; fi
    sleep 0.5
  done
}

# report_missing TARGET SINCE: says what is wrong with it, in the words of Prometheus where it has any.
report_missing() {
  local text
  text="remote_write target $1 (${ENDPOINT[$1]}) of Prometheus on $(uname -n) "
  if [[ ${OUTCOME[$1]} == refused ]]; then
    text+="refuses the samples"
  else
    text+="has got no sample within ${PATIENCE[$1]} s"
  fi
  : >"$WORK/journal"
  if journalctl --unit "$UNIT" --since "@$(($2 - 1))" --no-pager --output cat >"$WORK/said" 2>/dev/null; then
    grep -F "remote_name=$1 " "$WORK/said" | grep -E 'level=(warn|error|WARN|ERROR)' | tail -n 1 >"$WORK/journal" ||
      true
  fi
  if [[ ! -s $WORK/journal && ${OUTCOME[$1]} == late ]]; then explain_silence "$1" >"$WORK/journal"; fi
  if [[ ${ARRIVAL[$1]} == warn ]]; then
    cat -- "$WORK/journal"
    warn "$text; it stays configured, because its arrival is set to warn"
    return 0
  fi
  die_with "$EXIT_VERIFICATION" "$WORK/journal" \
    "$text. Correct the target or the receiver and run \`pulumi up\` again, or set its arrival to warn"
}

# explain_silence TARGET: Prometheus says nothing about samples that were never ready to be sent.
explain_silence() {
  local sent
  queue_value samples_total "$1"
  sent="${VALUE:-0}"
  queue_value samples_dropped_total "$1"
  if ((sent > 0)); then
    printf '%s\n' "Prometheus has sent samples to $1 ($sent so far), and none were answered yet."
  elif ((${VALUE:-0} > 0)); then
    printf '%s\n' "Prometheus has dropped every sample for $1 ($VALUE so far): its remoteWrite[].writeRelabelConfigs let nothing through."
  else
    printf '%s\n' "Prometheus had nothing to send to $1: nothing was scraped meanwhile. Is remoteWrite[].arrivalTimeoutSeconds shorter than the scrape interval?"
  fi
}
