# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages systemd users lib/server/answer-fault prometheus
# Host step victoria-metrics: single-node VictoriaMetrics, from Debian's package or from a release that is fetched and
# checked. The unit of the payload says how it runs. `remove` takes program and unit; the data directory and the user
# it belongs to stay.

readonly STEP=victoria-metrics
readonly STEP_SETTINGS='URL DATA_DIRECTORY DOWNLOAD_URL DOWNLOAD_SHA256'
readonly UNIT=victoria-metrics.service SERVER_USER=_victoria-metrics
readonly START_LINK=/etc/systemd/system/multi-user.target.wants/$UNIT

# What this run has done beside files, for the way back.
WAS_OURS=false TOUCHED_UNIT=false ENABLED=false MADE_USER=false GOT_PACKAGE=false ANSWERED=false NEW_DATA=''

# step_says: what is so on this host when the step has ended.
step_says() { printf 'VictoriaMetrics answers at %s, with its data in %s' "${SETTINGS[URL]}" "$DATA"; }

step_install() {
  require_setting URL '^http://[^[:space:]/]+:[0-9]+$' 'an http URL with a port'
  require_setting DATA_DIRECTORY '^(/[A-Za-z0-9._@+-]+)+$' 'a plain absolute path'
  DATA="${SETTINGS[DATA_DIRECTORY]}"
  if [[ -v STATE_VALUES[data] ]]; then WAS_OURS=true; fi
  read_command
  refuse_foreign_server
  refuse_foreign_data
  ensure_tools curl
  use_server "${SETTINGS[URL]}" ''
  refuse_taken_address
  fetch_release
  ensure_server_user
  remember_value data "$DATA"
  ensure_data_directory
  put_release
  # Before the package: its installation starts the server, which must not run a moment with other flags than ours.
  put_payload_files
  ensure_package
  drop_stale_files
  check_flags
  settle_unit
}

# read_command: sets COMMAND and BINARY to what the unit of the payload runs.
read_command() {
  if ((${#FILE_PATHS[@]} != 1)); then
    die "$EXIT_USAGE" "the payload of step $STEP should have one file, not ${#FILE_PATHS[@]}; nothing was changed"
  fi
  COMMAND="$(sed -n 's/^ExecStart=\(.\+\)$/\1/p' -- "$WORK/files/0")"
  BINARY="${COMMAND%% *}"
  if [[ $BINARY != /*victoria-metrics* ]]; then
    die "$EXIT_USAGE" "the payload of step $STEP names no program; nothing was changed"
  fi
}

# refuse_foreign_server: a server that somebody else runs here is theirs.
refuse_foreign_server() {
  if [[ $WAS_OURS == true ]]; then return 0; fi
  case "$(unit_property "$UNIT" ActiveState)" in
    active | activating | reloading)
      die "$EXIT_REFUSED" "$UNIT runs on this host already and was not installed by this stack; nothing was changed. Send metrics to that server as it is, or stop and disable it first"
      ;;
  esac
}

# refuse_taken_address: whatever else answers there would be taken for the new server.
refuse_taken_address() {
  local address pid
  address="$(grep -o -- ' -httpListenAddr=[^ ]*' <<<"$COMMAND")"
  pid="$(unit_property "$UNIT" MainPID)"
  if [[ -r /proc/$pid/cmdline && " $(tr '\0' ' ' <"/proc/$pid/cmdline")" == *"$address "* ]]; then return 0; fi
  http_get /
  if [[ $HTTP_STATUS != 000 ]]; then
    die "$EXIT_REFUSED" "something else answers at $BASE_URL already; nothing was changed. Stop it, or give VictoriaMetrics another address in \`victoriaMetrics.listen\`"
  fi
}

# runs_as_told: true if the server that runs was started with COMMAND, from the program that lies there now. Not every
# container lets root see which file a process runs, so a release is also known by its checksum.
runs_as_told() {
  local pid running
  if [[ -n "$(setting DOWNLOAD_URL '')" && ${STATE_VALUES[started]:-} != "${STATE_VALUES[program]:-}" ]]; then
    return 1
  fi
  pid="$(unit_property "$UNIT" MainPID)"
  if [[ "$(unit_property "$UNIT" ActiveState)" != active || ! -r /proc/$pid/cmdline ]]; then return 1; fi
  running="$(tr '\0' ' ' <"/proc/$pid/cmdline")"
  [[ ${running% } == "$COMMAND" && "$(readlink -- "/proc/$pid/exe" 2>/dev/null)" != *' (deleted)' ]]
}

# check_flags: a flag that this version does not know would stop a server that runs.
check_flags() {
  local flag name
  as_user "$SERVER_USER" timeout 30 "$BINARY" -help >"$WORK/help" 2>&1 || true
  if ! grep -qE '^  -storageDataPath( |$)' -- "$WORK/help"; then
    die_with "$EXIT_CONFIGURATION" "$WORK/help" \
      "$BINARY does not say which flags it has; is it VictoriaMetrics, for a $(uname -m) processor?"
  fi
  for flag in ${COMMAND#"$BINARY"}; do
    name="${flag%%=*}"
    name="${name#-}"
    name="${name#-}"
    if ! grep -qE "^  -${name//./[.]}( |\$)" -- "$WORK/help"; then
      die "$EXIT_CONFIGURATION" "this version of VictoriaMetrics has no flag -$name"
    fi
  done
}

# settle_unit: starts the server at boot and now, restarts it only if it runs otherwise than told, and proves it.
settle_unit() {
  # Also what an interrupted run has left undone.
  if [[ $CHANGED == true || "$(unit_property "$UNIT" NeedDaemonReload)" == yes ]]; then systemctl daemon-reload; fi
  if [[ "$(systemctl is-enabled -- "$UNIT" 2>/dev/null)" != enabled ]]; then
    TOUCHED_UNIT=true ENABLED=true CHANGED=true
    remember_value enabled true
    systemctl enable --quiet -- "$UNIT" >"$WORK/enable" 2>&1 ||
      die_with "$EXIT_CONFIGURATION" "$WORK/enable" "$UNIT cannot be enabled, see above"
  fi
  if ! runs_as_told; then
    TOUCHED_UNIT=true CHANGED=true
    note "starting $UNIT"
    if ! restart_unit "$UNIT"; then server_failed 'does not start'; fi
    remember_value started "${STATE_VALUES[program]:-}"
  fi
  if ! wait_ready "$UNIT" 120; then server_failed "does not answer at $BASE_URL (HTTP $HTTP_STATUS)"; fi
  if ! runs_as_told; then server_failed 'does not run with its new flags'; fi
  ANSWERED=true
  if [[ $CHANGED == true ]]; then prove_server; fi
}

server_failed() {
  keep_journal "$UNIT" "$WORK/journal"
  die_with "$EXIT_SERVER" "$WORK/journal" "$UNIT $1; the words of its journal are above"
}

# prove_server: a sample that is written must come back. It is deleted again.
prove_server() {
  local value="$RANDOM$RANDOM" try
  printf 'prometheus_backup_probe{step="%s"} %s\n' "$STEP" "$value" >"$WORK/probe"
  http_get /api/v1/import/prometheus --data-binary "@$WORK/probe"
  if [[ $HTTP_STATUS != 2* ]]; then server_failed "does not take a sample (HTTP $HTTP_STATUS: ${HTTP_BODY:0:200})"; fi
  for ((try = 0; try < 60; try++)); do
    http_get /internal/force_flush
    http_get '/api/v1/export?match%5B%5D=prometheus_backup_probe'
    if [[ $HTTP_STATUS == 200 && $HTTP_BODY == *"[$value]"* ]]; then
      http_get '/api/v1/admin/tsdb/delete_series?match%5B%5D=prometheus_backup_probe'
      return 0
    fi
    sleep 0.5
  done
  server_failed 'has taken a sample and does not give it back'
}

# step_roll_back: the files are as they were. The server of before runs as before; a new one is gone.
step_roll_back() {
  if [[ $WAS_OURS == true ]]; then
    systemctl daemon-reload
    if [[ $TOUCHED_UNIT == false ]]; then return 0; fi
    if ! restart_anew "$UNIT" >/dev/null 2>&1 || ! wait_ready "$UNIT" 120; then
      note "$UNIT does not run with its old settings either. Look at: journalctl -u $UNIT"
      return 1
    fi
    return 0
  fi
  if [[ $TOUCHED_UNIT == true || $GOT_PACKAGE == true ]]; then
    systemctl stop -- "$UNIT" >/dev/null 2>&1
  fi
  if [[ $ENABLED == true ]]; then rm -f -- "$START_LINK"; fi
  if [[ $GOT_PACKAGE == true ]]; then drop_package; fi
  systemctl daemon-reload
  systemctl reset-failed -- "$UNIT" >/dev/null 2>&1
  drop_new_data
  if [[ $MADE_USER == true ]]; then userdel -- "$SERVER_USER" >/dev/null 2>&1; fi
  return 0
}

step_remove() {
  local data="${STATE_VALUES[data]:-}"
  if [[ -n $data && "$(unit_property "$UNIT" LoadState)" == loaded ]]; then
    # Stopping writes what is in memory to the data directory, which takes its time.
    systemctl stop -- "$UNIT"
    if [[ ${STATE_VALUES[enabled]:-false} == true ]]; then
      systemctl disable --quiet -- "$UNIT" 2>/dev/null || rm -f -- "$START_LINK"
    fi
  fi
  take_back_all
  if [[ ${STATE_VALUES[package]:-} == installed ]]; then drop_package; fi
  systemctl daemon-reload
  systemctl reset-failed -- "$UNIT" >/dev/null 2>&1 || true
  if [[ -d $data ]]; then
    give_back_data_directory
    printf 'the data of VictoriaMetrics stay in %s\n' "$data"
  fi
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
