# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages systemd lib/server/process lib/server/own-server lib/server/answer-fault prometheus backable lib/server/unit-command
# Host step admin-api: adds --web.enable-admin-api to the command of the Prometheus unit, whatever that is,
# and sees to it that the API is guarded. Restarts the server only if the flag is off now, and only once.
# `remove` restores the unit and restarts the server: without it the API would stay open until somebody
# else restarts it, on a host that no longer says so anywhere.

readonly STEP=admin-api
readonly STEP_SETTINGS='UNIT URL EXPOSURE READY_TIMEOUT_SECONDS API_CURL_CONFIG LOOPBACK_LISTEN PROXY_LISTEN'
readonly ADMIN_FLAG=--web.enable-admin-api

read_settings() {
  require_setting UNIT '^[A-Za-z0-9@._:\\-]+\.service$' 'a service unit'
  require_setting URL '^https?://[^[:space:]]+$' 'an http or https URL'
  require_setting EXPOSURE '^(loopback|reverse-proxy|accept-public)$' 'loopback, reverse-proxy or accept-public'
  UNIT="${SETTINGS[UNIT]}" URL="${SETTINGS[URL]%/}" EXPOSURE="${SETTINGS[EXPOSURE]}"
  CURL_CONFIG="$(setting API_CURL_CONFIG '')"
  READY_TIMEOUT="$(setting READY_TIMEOUT_SECONDS 300)"
  if [[ ! $READY_TIMEOUT =~ ^[1-9][0-9]{0,4}$ ]]; then
    die "$EXIT_CONFIGURATION" 'setting READY_TIMEOUT_SECONDS must be whole seconds; nothing was changed'
  fi
  DROP_IN="$(drop_in_of "$UNIT")" EXEC_COMMAND=''
}

# step_says: what is so on this host when the step has ended.
step_says() {
  printf 'the admin API of %s is on at %s' "$UNIT" "$URL"
  if [[ $EXPOSURE == reverse-proxy ]]; then printf '; nginx keeps it from everybody else'; fi
  if [[ $RESTARTED == true ]]; then printf '; the server was restarted for it'; fi
}

# drop_in_of UNIT: the name sorts after override.conf, which `systemctl edit` writes and which may set ExecStart=.
drop_in_of() { printf '/etc/systemd/system/%s.d/zz-prometheus-backup-admin-api.conf' "$1"; }

step_install() {
  read_settings
  read_proxy_settings
  ensure_tools curl
  require_backable "$UNIT" "$URL" "$CURL_CONFIG"
  use_server "$URL" "$CURL_CONFIG"
  require_server "$UNIT" "$READY_TIMEOUT"
  require_own_server "$UNIT"
  require_version
  server_flag web.enable-admin-api
  IS_ON="$VALUE"
  if [[ $IS_ON == true && $EXPOSURE != reverse-proxy && ! -v STATE_FILES[$DROP_IN] ]]; then
    # Whoever has turned it on, a script maybe: it is so already.
    unit_files "$UNIT" "$DROP_IN"
    check_exposure
    return 0
  fi
  find_exec_start "$UNIT" "$DROP_IN" "$ADMIN_FLAG"
  check_exposure
  if [[ $EXPOSURE == reverse-proxy ]]; then
    install_proxy
  elif unit_mentions "$UNIT" "$ADMIN_FLAG"; then
    drop_our_flag
  elif [[ $IS_ON != true || -v STATE_FILES[$DROP_IN] ]]; then
    remember_server "$URL"
    put_drop_in "$UNIT" "$DROP_IN" "$EXEC_COMMAND $ADMIN_FLAG" "$ADMIN_FLAG" "$ADMIN_FLAG"
  fi
  if [[ $IS_ON != true ]]; then
    restart_and_confirm
  fi
}

# remember_server URL: what remove needs to restart the server and to see it come back.
remember_server() {
  remember_value unit "$UNIT"
  remember_value url "$1"
  remember_value curl_config "$CURL_CONFIG"
  remember_value ready_timeout "$READY_TIMEOUT"
}

# check_exposure: what listens where, before anything is changed.
check_exposure() {
  read_public_listeners "$UNIT"
  if ((${#LISTENERS[@]} == 0)); then
    die "$EXIT_REFUSED" "on which address $UNIT listens cannot be seen, so the admin API cannot be said to be guarded; nothing was changed. Set adminApi.exposure to accept-public if you guard it yourself"
  fi
  if ((${#PUBLIC[@]} == 0)) || [[ $EXPOSURE == reverse-proxy ]]; then return 0; fi
  if [[ $EXPOSURE == accept-public ]]; then
    warn "$UNIT listens on ${PUBLIC[*]}: whoever reaches it can delete series while the admin API is on"
    return 0
  fi
  ways_out
  local risk='where anybody could delete series through the admin API; nothing was changed.'
  die "$EXIT_REFUSED" "$UNIT listens on ${PUBLIC[*]}, $risk $WAYS_OUT"
}

# ways_out: sets WAYS_OUT for a server that listens on more than loopback, each on a line of its own to be pasted.
ways_out() {
  local flag="--web.listen-address=127.0.0.1:${PUBLIC[0]##*:}" home='to the ExecStart= of the unit'
  environment_files "$UNIT"
  find_line web.listen-address "${UNIT_FILES[@]}" "${ENVIRONMENT_FILES[@]}"
  if [[ -n $PLACE ]]; then
    home="in the place of what $PLACE says"
  elif ((${#ENVIRONMENT_FILES[@]} > 0)) && [[ $EXEC_COMMAND =~ [[:space:]]\$\{?([A-Za-z_]+) ]]; then
    home="to ${BASH_REMATCH[1]} in ${ENVIRONMENT_FILES[-1]}"
  fi
  WAYS_OUT="Each of these lines, at the host in the file of the stack, is a way out:
    adminApi: { exposure: reverse-proxy }   # nginx takes ${PUBLIC[*]} and denies the admin paths
    adminApi: { exposure: accept-public }   # a firewall or proxy of yours guards it
    source: hot                             # leaves the admin API off; every backup misses the newest hours
Or let it listen on loopback only: on the host add $flag $home, then run: systemctl daemon-reload; \
systemctl restart $UNIT"
}

# drop_our_flag: the unit has the flag of its own by now; ours on top of it would stop the next start.
drop_our_flag() {
  if [[ -v STATE_FILES[$DROP_IN] ]]; then
    take_back "$DROP_IN"
    unset "STATE_FILES[$DROP_IN]"
    save_state
    reload_units
  fi
}

# restart_and_confirm: the one restart. Fails, and so rolls back, if the server does not come up with the flag on.
restart_and_confirm() {
  note "restarting $UNIT to turn the admin API on"
  CHANGED=true
  if ! restart_unit "$UNIT" || ! wait_ready "$UNIT" "$READY_TIMEOUT"; then
    keep_journal "$UNIT" "$WORK/journal"
    if replays_wal; then
      # Putting the unit back would restart the server and begin the replay anew.
      CHANGING=false
      die "$EXIT_SERVER" "$UNIT has the admin API on but still replays its WAL after $READY_TIMEOUT s; it was left to it. Run \`pulumi up\` again when it is ready, or raise adminApi.readyTimeoutSeconds"
    fi
    die_with "$EXIT_SERVER" "$WORK/journal" \
      "$UNIT did not become ready at $BASE_URL within $READY_TIMEOUT s with $ADMIN_FLAG, its last words are above"
  fi
  server_flag web.enable-admin-api
  if [[ $VALUE != true ]]; then
    die "$EXIT_ADMIN_API" \
      "$UNIT came up without the admin API although its command has $ADMIN_FLAG; is $BASE_URL another server?"
  fi
}

# step_roll_back: the files are back already; the server follows if it had been restarted.
step_roll_back() {
  roll_back_proxy
  if [[ $RELOADED == true ]]; then systemctl daemon-reload; fi
  if [[ $RESTARTED == true ]]; then
    BASE_URL="$URL"
    restart_anew "$UNIT" || return 1
    if ! wait_ready "$UNIT" 120; then
      note "$UNIT was put back and restarted, but is not ready yet"
      return 1
    fi
  fi
}

step_remove() {
  local unit="${STATE_VALUES[unit]:-}" had_drop_in=false
  if [[ -n $unit && -v STATE_FILES[$(drop_in_of "$unit")] ]]; then had_drop_in=true; fi
  stop_proxy
  # Before the program that it starts the server with, in case this ends half-way.
  if [[ $had_drop_in == true ]]; then take_back "$(drop_in_of "$unit")"; fi
  take_back_all
  if [[ $had_drop_in == false ]]; then return 0; fi
  systemctl daemon-reload
  if [[ "$(unit_property "$unit" ActiveState)" != active ]] || ! runs_with_our_flag "$unit"; then return 0; fi
  use_server "${STATE_VALUES[url]}" "${STATE_VALUES[curl_config]:-}"
  if ! restart_unit "$unit" || ! follow_address "$unit" ||
    ! wait_ready "$unit" "${STATE_VALUES[ready_timeout]:-300}"; then
    keep_journal "$unit" "$WORK/journal"
    die_with "$EXIT_SERVER" "$WORK/journal" \
      "$unit was restored and restarted, but is not ready at $BASE_URL. Look at: systemctl status $unit"
  fi
}

# runs_with_our_flag UNIT: false after an interrupted removal, which needs no second restart.
runs_with_our_flag() {
  tr '\0' '\n' <"/proc/$(unit_property "$1" MainPID)/cmdline" | grep -xF -e "$ADMIN_FLAG" >/dev/null
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
