# shellcheck shell=bash
# parts: core payload files packages systemd prometheus
# Host step alert-rules: the rules file, an entry for it in prometheus.yml if none covers it, a reload (no
# restart), and proof through the API that the group is loaded. promtool sees everything first.

readonly STEP=alert-rules
readonly STEP_SETTINGS='UNIT URL GROUP API_CURL_CONFIG'
SIGNALLED=false

step_install() {
  require_setting UNIT '^[A-Za-z0-9@._:-]+\.service$' 'a service unit'
  require_setting URL '^https?://[^[:space:]]+$' 'an http or https URL'
  UNIT="${SETTINGS[UNIT]}"
  if ((${#FILE_PATHS[@]} != 1)) || [[ ! ${FILE_PATHS[0]} =~ ^(/[A-Za-z0-9._@+-]+)+\.ya?ml$ ]]; then
    die "$EXIT_CONFIGURATION" "the rules file needs one plain absolute path that ends in .yml, not '${FILE_PATHS[*]}'; nothing was changed"
  fi
  RULES="${FILE_PATHS[0]}"
  ensure_tools curl
  use_server "${SETTINGS[URL]}" "$(setting API_CURL_CONFIG '')"
  require_server "$UNIT" 120
  find_promtool
  find_config
  run_promtool 'the new rules file' rules "$WORK/files/0"
  run_promtool "$CONFIG as it is in force, before any change," config "$CONFIG"
  compose_config
  remember_value unit "$UNIT"
  remember_value url "${SETTINGS[URL]}"
  remember_value curl_config "$(setting API_CURL_CONFIG '')"
  put_payload_files
  write_config
  # Before the reload: a pattern of somebody else's may still load the file under its old name.
  drop_stale_files
  if [[ $CONFIG_CHANGED == true || $RULES_CHANGED == true ]] || ! groups_are_loaded; then
    CHANGED=true
    reload_and_confirm
  fi
}

# find_promtool: the one beside the server's own binary fits its version best.
find_promtool() {
  find_binary "$UNIT"
  PROMTOOL="${BINARY%/*}/promtool"
  if [[ ! -x $PROMTOOL ]]; then
    PROMTOOL="$(command -v promtool)" ||
      die "$EXIT_CONFIGURATION" "there is no promtool beside $BINARY nor on PATH, so rules cannot be checked before they are loaded; nothing was changed. Install it from the same release as Prometheus"
  fi
}

# find_config: sets CONFIG to the file that the server reads, with its directory as the server sees it.
find_config() {
  server_flag config.file
  CONFIG="$VALUE"
  if [[ $CONFIG != /* ]]; then
    http_get /api/v1/status/runtimeinfo
    json_value CWD
    CONFIG="$VALUE/$CONFIG"
  fi
  if [[ ! -f $CONFIG ]]; then
    die "$EXIT_CONFIGURATION" "the server names $CONFIG as its configuration, which is no file on this host; nothing was changed"
  fi
}

# run_promtool WHAT rules|config FILE: refuses with promtool's words.
run_promtool() {
  if ! "$PROMTOOL" check "$2" "$3" >"$WORK/promtool" 2>&1; then
    die_with "$EXIT_CONFIGURATION" "$WORK/promtool" "promtool does not accept $1; its words are above, nothing was changed"
  fi
}

# compose_config: sets TEXT to the configuration as it shall be, and CONFIG_CHANGED; checks it beside the one
# in force, because its relative paths count from there.
compose_config() {
  local stem="${RULES%.*}" status=0
  REAL_CONFIG="$(realpath -- "$CONFIG")"
  CONFIG_CHANGED=false RULES_CHANGED=false
  if ! is_installed "$WORK/files/0" "${FILE_OWNERS[0]}" "${FILE_MODES[0]}" "$RULES"; then RULES_CHANGED=true; fi
  mapfile TEXT <"$REAL_CONFIG"
  ENTRY="${STATE_VALUES[entry]:-}"
  find_rule_files
  if is_covered "$RULES" "${CONFIG%/*}"; then return; fi
  if [[ -n $ENTRY ]]; then remove_entry "$ENTRY"; fi
  find_rule_files
  # A pattern rather than the bare path: promtool fails on a path that is missing, and whoever restores this
  # file elsewhere would have to edit it first.
  insert_entry "${stem}*.${RULES##*.}" ||
    die "$EXIT_REFUSED" "rule_files in $CONFIG is written as a list in brackets, which cannot be extended without rewriting it; nothing was changed. Add \"$RULES\" to it yourself, or write one entry a line"
  CONFIG_CHANGED=true
  # Beside the old one, and gone again before anything else happens.
  NEW_CONFIG="$(mktemp -- "${REAL_CONFIG%/*}/.${REAL_CONFIG##*/}.XXXXXXXX")"
  cp -a -- "$REAL_CONFIG" "$NEW_CONFIG"
  printf '%s' "${TEXT[@]}" >"$NEW_CONFIG"
  "$PROMTOOL" check config "$NEW_CONFIG" >"$WORK/promtool" 2>&1 || status=$?
  cp -a -- "$NEW_CONFIG" "$WORK/config"
  rm -f -- "$NEW_CONFIG"
  if ((status != 0)); then
    die_with "$EXIT_CONFIGURATION" "$WORK/promtool" "promtool does not accept $CONFIG with an entry for $RULES; its words are above, nothing was changed. Add the entry under rule_files yourself"
  fi
}

# write_config: puts the checked text in force, with owner and mode of the old one.
write_config() {
  if [[ $CONFIG_CHANGED == false ]]; then return; fi
  remember_value config "$REAL_CONFIG"
  remember_value entry "$ENTRY"
  keep_for_undo "$REAL_CONFIG"
  move_into_place "$WORK/config" "$REAL_CONFIG" || cannot_write "$REAL_CONFIG"
}

reload_and_confirm() {
  local status=0
  SIGNALLED=true
  reload_server "$UNIT" 60 || status=$?
  if ((status != 0)); then
    keep_journal "$UNIT" "$WORK/journal"
    die_with "$EXIT_CONFIGURATION" "$WORK/journal" "$UNIT did not load its configuration with $RULES; the words of its journal are above"
  fi
  if ! groups_are_loaded; then
    die "$EXIT_VERIFICATION" "$UNIT has reloaded, but $BASE_URL/api/v1/rules does not show group ${SETTINGS[GROUP]//$'\n'/, } from $RULES"
  fi
}

# groups_are_loaded: true if the API shows every expected group from our file.
groups_are_loaded() {
  local group
  http_get '/api/v1/rules?type=alert'
  while IFS= read -r group; do
    if [[ $HTTP_STATUS != 200 || $HTTP_BODY != *"\"name\":\"$group\",\"file\":\"${RULES}\""* ]]; then return 1; fi
  done <<<"$(setting GROUP prometheus-backup)"
}

# step_roll_back: both files are as they were; the server follows if it had been told of the new ones.
step_roll_back() {
  if [[ -n ${NEW_CONFIG:-} ]]; then rm -f -- "$NEW_CONFIG"; fi
  if [[ $SIGNALLED == true ]] && ! reload_server "$UNIT" 60; then
    note "$UNIT has not reloaded its old configuration"
    return 1
  fi
}

step_remove() {
  local unit="${STATE_VALUES[unit]:-}" config="${STATE_VALUES[config]:-}"
  if [[ -f $config && -n ${STATE_VALUES[entry]:-} ]]; then
    mapfile TEXT <"$config"
    if remove_entry "${STATE_VALUES[entry]}"; then
      cp -a -- "$config" "$WORK/config"
      printf '%s' "${TEXT[@]}" >"$WORK/config"
      move_into_place "$WORK/config" "$config"
    else
      warn "$config no longer has the line that was added for the rules; nothing was taken from it"
    fi
  fi
  take_back_all
  if [[ -z $unit || "$(unit_property "$unit" ActiveState)" != active ]]; then return; fi
  use_server "${STATE_VALUES[url]}" "${STATE_VALUES[curl_config]:-}"
  if ! reload_server "$unit" 30; then
    # The files are clean; a server that cannot reload for another reason is no reason to keep ours.
    warn "$unit has not reloaded, so it may evaluate the removed rules until it does. Look at: journalctl -u $unit"
  fi
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
