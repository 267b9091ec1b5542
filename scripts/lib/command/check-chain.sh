# shellcheck shell=bash
# The part of check that ends at a person: somebody calls the runs, they succeed, their metrics arrive, rules look at
# them, and an Alertmanager is there that tells. A green check of a host of which nobody would hear is worse than none.

# How long after its end the metrics of a run may be on their way.
readonly SCRAPE_PATIENCE_SECONDS=120
# What a backup or a drill may be late.
readonly LATE_SECONDS=3600

# check_schedule: cron has the entry, and runs; or systemd has the timer.
check_schedule() {
  local fields
  if [[ $SCHEDULER == systemd ]]; then check_timer; return 0; fi
  fields="$(scheduled run)"
  if [[ -z $fields ]]; then
    die "$EXIT_CONFIGURATION" "no line of $CRON_FILE calls this command, so no backup is taken by itself" \
      "run 'pulumi up', which writes it"
  fi
  if ! cron_runs; then
    if [[ -n $CRON_UNIT ]]; then
      die "$EXIT_CONFIGURATION" "$CRON_FILE is there, but cron does not run" "run: systemctl enable --now $CRON_UNIT"
    fi
    die "$EXIT_CONFIGURATION" "$CRON_FILE is there, but this host has no cron that reads it" \
      "install cron, cronie or systemd-cron, or set scheduler: systemd"
  fi
  next_call run
  if [[ -z $NEXT_RUN ]]; then printf '"%s", cron runs' "$fields"; return 0; fi
  printf '"%s", cron runs, next in %s' "$fields" "$(human_seconds $(( NEXT_RUN - EPOCHSECONDS )))"
}

# check_timer: the timer of the runs is there after a boot, and elapses.
check_timer() {
  local timer
  timer="$(timer_of run)"
  if ! systemctl is-enabled --quiet -- "$timer" 2>/dev/null ||
    ! systemctl is-active --quiet -- "$timer" 2>/dev/null; then
    die "$EXIT_CONFIGURATION" "$timer is not enabled and active, so no backup is taken by itself" \
      "run: systemctl enable --now $timer"
  fi
  next_elapse run
  if [[ -z $NEXT_RUN ]]; then printf '%s is active' "$timer"; return 0; fi
  printf '%s is active, next in %s' "$timer" "$(human_seconds $(( NEXT_RUN - EPOCHSECONDS )))"
}

# check_disks: a repository in a path is of little use on the disk of the data.
check_disks() {
  local index device same=() elsewhere=()
  need_data
  device="$(stat --format %d -- "$DATA_DIRECTORY")"
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ ${REPOSITORY_TYPES[index]} == path &&
      "$(stat --format %d -- "${REPOSITORY_LOCATIONS[index]}" 2>/dev/null)" == "$device" ]]; then
      same+=("${REPOSITORY_NAMES[index]}")
    else elsewhere+=("${REPOSITORY_NAMES[index]}"); fi
  done
  if (( ${#same[@]} == 0 )); then printf 'every repository is on another disk than the data'; return 0; fi
  if (( ${#elsewhere[@]} > 0 )); then
    printf '%s: another disk than the data; if that of the data dies, %s goes with them' \
      "$(join_words ', ' "${elsewhere[@]}")" "$(join_words ', ' "${same[@]}")"
    return 0
  fi
  warned "$(join_words ', ' "${same[@]}"): on the disk of the data, and there is no other repository: if that disk dies, both are gone"
}

# check_served: what the last run wrote for node_exporter has arrived at this server.
check_served() {
  local last=${METRICS[last_run_timestamp_seconds]:-} served rules
  need_server
  if [[ -z $TEXTFILE_DIR ]]; then not_checked "no directory for node_exporter is set"; fi
  if [[ -z $last ]]; then not_checked "there was no run yet"; fi
  api GET /api/v1/query --get \
    --data-urlencode "query=max(prometheus_backup_last_run_timestamp_seconds{host=\"$HOST_NAME\"})"
  served="$(api_value query '.result[0].value[1] // "none"')" ||
    die "$EXIT_SERVER" "Prometheus does not answer a query ($(answer_words))" "look at: journalctl -u $PROMETHEUS_UNIT"
  served="$(printf '%.0f' "$served" 2>/dev/null)" || served=0
  if [[ ! $served =~ ^[0-9]{1,15}$ ]]; then served=0; fi
  if (( served >= ${last%.*} )); then printf 'Prometheus has those of the last run, %s' "$(ago "$served")"; return 0; fi
  if (( EPOCHSECONDS - ${last%.*} < SCRAPE_PATIENCE_SECONDS )); then
    not_checked "the last run has just ended; ask again in two minutes"
  fi
  rules="$(count_rules)"
  if [[ $rules == "0 "* ]]; then warned "this server does not have the metrics of the last run; another one may"; fi
  die "$EXIT_CONFIGURATION" \
    "Prometheus does not have the metrics of the last run, so its alerts look at old ones or at none" \
    "look whether it scrapes the node_exporter of this host, and that one reads $TEXTFILE_DIR"
}

# count_rules: "loaded failing": our alert rules in this server, and those that it cannot evaluate.
count_rules() {
  api GET '/api/v1/rules?type=alert'
  api_value rules '[.groups[].rules[] | select(.name | startswith("PrometheusBackup"))] | "\(length) \(map(select(.health == "err")) | length)"' || printf '0 0'
}

# check_alerts: rules are loaded, and an Alertmanager answers to whom the server would tell.
check_alerts() {
  local loaded failing urls=() url host answering=()
  need_server
  read -r loaded failing < <(count_rules)
  if (( loaded == 0 )); then
    warned "no alert rules of this tool are loaded here: unless another server has them, nobody will be told"
  fi
  if (( failing > 0 )); then
    die "$EXIT_CONFIGURATION" "$failing of $(count_text "$loaded" rule) cannot be evaluated" "look at: $PROMETHEUS_URL/rules"
  fi
  api GET /api/v1/alertmanagers
  # Printed and asked: an address, and nothing that a terminal or curl obeys.
  api_value alertmanagers \
    '.activeAlertmanagers[].url | strings | select(test("\\Ahttps?://[A-Za-z0-9._~:/%@\\[\\]-]{1,500}\\z"))' |
    mapfile -t urls || true
  if (( ${#urls[@]} == 0 )); then
    die "$EXIT_CONFIGURATION" "$(count_text "$loaded" rule) loaded, but no Alertmanager is configured: nobody will be told" \
      "name one under alerting: in the configuration of Prometheus"
  fi
  for url in "${urls[@]}"; do
    host="${url#*://}" host="${host%%/*}"
    if alertmanager_answers "$url"; then answering+=("${host##*@}"); fi
  done
  if (( ${#answering[@]} == 0 )); then
    die "$EXIT_CONFIGURATION" \
      "$(count_text "$loaded" rule) loaded, but no Alertmanager answers ($(printf '%s\n' "${urls[@]}" | sed 's#^[a-z]*://##; s#/.*##; s#.*@##' | paste --serial --delimiters ' ')): nobody will be told" \
      "look at that Alertmanager, and at alerting: in the configuration of Prometheus"
  fi
  printf '%s loaded, Alertmanager answers (%s)' "$(count_text "$loaded" rule)" "$(join_words ', ' "${answering[@]}")"
}

# alertmanager_answers URL: whether somebody is there. Who asks for credentials is there, too; the server has them, and
# this command need not.
alertmanager_answers() {
  local status
  status="$(curl --silent --noproxy '*' --insecure --globoff --max-time 5 --output /dev/null --write-out '%{http_code}' -- "${1%/api/v[0-9]*}/-/ready" 2>/dev/null)" || true
  [[ $status =~ ^[234] ]]
}

# check_last_run: it was good, and is not late.
check_last_run() {
  local last=${METRICS[last_run_timestamp_seconds]:-} code=${METRICS[last_exit_code]:-0}
  if [[ -z $last ]]; then not_checked "there was none yet: prometheus-backup.sh run"; fi
  if (( code != 0 )); then
    die "$code" "failed $(ago "${last%.*}") ($(code_in_words "$code"))" \
      "look at its log: /var/log/prometheus-backup.log"
  fi
  if (( EPOCHSECONDS - ${last%.*} > EXPECTED_INTERVAL_SECONDS + LATE_SECONDS )); then
    die "$EXIT_CONFIGURATION" \
      "good, but $(ago "${last%.*}"), and one is due every $(human_seconds "$EXPECTED_INTERVAL_SECONDS")" \
      "look at: journalctl -u $(if [[ $SCHEDULER == systemd ]]; then timer_of run; else printf cron; fi)"
  fi
  printf 'good, %s' "$(ago "${last%.*}")"
}

# check_last_drill: a backup of this host was proven, lately if drills are scheduled, and nothing has been found damaged
# since.
check_last_drill() {
  local last=${METRICS[drill_last_success_timestamp_seconds]:-} code=${METRICS[verify_last_exit_code]:-0} \
    since=${METRICS[drill_scheduled_since_timestamp_seconds]:-$EPOCHSECONDS}
  if (( code != 0 )); then
    die "$code" "the last verification or drill failed ($(code_in_words "$code"))" \
      "see what it says: prometheus-backup.sh verify"
  fi
  if [[ -n $DRILL_INTERVAL_SECONDS ]] &&
    (( EPOCHSECONDS - ${last:-${since%.*}} > DRILL_INTERVAL_SECONDS + LATE_SECONDS )); then
    die "$EXIT_VERIFICATION" \
      "no drill has succeeded for $(human_seconds $(( EPOCHSECONDS - ${last:-${since%.*}} ))), and one is due every $(human_seconds "$DRILL_INTERVAL_SECONDS")" "run: prometheus-backup.sh drill"
  fi
  if [[ -n $last ]]; then printf 'good, %s' "$(ago "$last")"; return 0; fi
  if [[ -n $DRILL_INTERVAL_SECONDS ]]; then
    not_checked "there was none yet; one is due every $(human_seconds "$DRILL_INTERVAL_SECONDS")"
  fi
  warned "none has proven yet that a backup of this host comes back: prometheus-backup.sh drill"
}

# code_in_words CODE: "8: a repository cannot be reached (offsite)".
code_in_words() {
  local name places=""
  for name in "${REPOSITORY_NAMES[@]}"; do
    if (( ${METRICS[repository_last_exit_code|repository=$name]:-0} == $1 && $1 != 0 )); then
      places+="${places:+, }$name"
    fi
  done
  printf '%d: %s%s' "$1" "$(exit_meaning "$1")" "${places:+; repository $places}"
}
