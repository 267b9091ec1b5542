# shellcheck shell=bash
# parts: core payload files packages users systemd lib/server-process prometheus lib/unit-command server-config
# Host step alert-rules: the rules file, an entry for it in prometheus.yml if none covers it, a reload (no
# restart), and proof through the API that the group is loaded. promtool sees everything first.

readonly STEP=alert-rules
readonly STEP_SETTINGS='UNIT URL GROUP API_CURL_CONFIG'

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
  require_reload "$UNIT"
  find_promtool
  find_config
  run_promtool 'the new rules file' rules "$WORK/files/0"
  run_promtool "$CONFIG as it is in force, before any change," config "$CONFIG"
  compose_config
  remember_server
  put_payload_files
  if [[ $CONFIG_CHANGED == true ]]; then remember_value entry "$ENTRY"; fi
  write_config
  # Before the reload: a pattern of somebody else's may still load the file under its old name.
  drop_stale_files
  if [[ $CONFIG_CHANGED == true || $RULES_CHANGED == true ]] || ! groups_are_loaded; then
    CHANGED=true
    reload_and_confirm
  fi
}

# compose_config: sets TEXT to the configuration as it shall be, and CONFIG_CHANGED.
compose_config() {
  local stem="${RULES%.*}"
  RULES_CHANGED=false
  if ! is_installed "$WORK/files/0" "${FILE_OWNERS[0]}" "${FILE_MODES[0]}" "$RULES"; then RULES_CHANGED=true; fi
  read_config
  ENTRY="${STATE_VALUES[entry]:-}"
  find_rule_files
  if is_covered "$RULES" "${CONFIG%/*}"; then return 0; fi
  if [[ -n $ENTRY ]]; then remove_entry "$ENTRY"; fi
  find_rule_files
  # A pattern rather than the bare path: promtool fails on a path that is missing, and whoever restores this
  # file elsewhere would have to edit it first.
  insert_entry "${stem}*.${RULES##*.}" ||
    die "$EXIT_REFUSED" "rule_files in $CONFIG is written as a list in brackets, which cannot be extended without rewriting it; nothing was changed. Add \"$RULES\" to it yourself, or write one entry a line"
  check_text "an entry for $RULES" 'Add the entry under rule_files yourself'
}

reload_and_confirm() {
  load_config "$RULES"
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

step_roll_back() { unload_config; }

step_remove() {
  local config="${STATE_VALUES[config]:-}"
  if [[ -f $config && -n ${STATE_VALUES[entry]:-} ]]; then
    mapfile TEXT <"$config"
    if remove_entry "${STATE_VALUES[entry]}"; then
      put_back_text "$config"
    else
      warn "$config no longer has the line that was added for the rules; nothing was taken from it"
    fi
  fi
  take_back_all
  reload_after_removal 'evaluate the removed rules'
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
