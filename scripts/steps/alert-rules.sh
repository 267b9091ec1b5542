# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages users systemd lib/server/process lib/server/answer-fault prometheus lib/server/unit-command lib/server/port parsed-config server-config
# Host step alert-rules: the rules file, an entry for it in prometheus.yml if none covers it, a reload (no
# restart), and proof through the API that the group is loaded. promtool sees everything first.

readonly STEP=alert-rules
readonly STEP_SETTINGS='UNIT URL GROUP API_CURL_CONFIG'

# step_says: what is so on this host when the step has ended.
step_says() {
  printf 'the alert rules of %s are in force (%d)' "$RULES" "$(grep --count -- '- alert:' "$WORK/files/0")"
}

step_install() {
  require_setting UNIT '^[A-Za-z0-9@._:\\-]+\.service$' 'a service unit'
  require_setting URL '^https?://[^[:space:]]+$' 'an http or https URL'
  UNIT="${SETTINGS[UNIT]}"
  if ((${#FILE_PATHS[@]} != 1)) || [[ ! ${FILE_PATHS[0]} =~ ^(/[A-Za-z0-9._@+-]+)+\.ya?ml$ ]]; then
    die "$EXIT_CONFIGURATION" \
      "the rules file needs one plain absolute path that ends in .yml, not '${FILE_PATHS[*]}'; nothing was changed"
  fi
  RULES="${FILE_PATHS[0]}"
  ensure_tools curl jq
  use_server "${SETTINGS[URL]}" "$(setting API_CURL_CONFIG '')"
  require_server "$UNIT" 120
  refuse_agent 'it evaluates no rules' 'Let a server that has the metrics of this host evaluate them'
  require_reload "$UNIT"
  find_promtool
  find_config
  run_promtool 'the new rules file' rules "$WORK/files/0"
  run_promtool_in_force "$RULES"
  compose_config
  remember_server
  put_payload_files
  if [[ $IN_FORCE_LATER == true ]]; then run_promtool_in_force ''; fi
  if [[ $CONFIG_CHANGED == true ]]; then remember_value entry "$ENTRY"; fi
  write_config "$ADVICE"
  # Before the reload: a pattern of somebody else's may still load the file under its old name.
  drop_stale_files
  if [[ $CONFIG_CHANGED == true || $RULES_CHANGED == true ]] || ! groups_are_loaded; then
    CHANGED=true
    reload_and_confirm
  fi
}

# compose_config: sets TEXT to the configuration as it shall be, and CONFIG_CHANGED.
compose_config() {
  # A pattern rather than the bare path: promtool fails on a path that is missing, and whoever restores this
  # file elsewhere would have to edit it first.
  local pattern="${RULES%.*}*.${RULES##*.}" fits=true
  ADVICE="Add the entry '$pattern' to rule_files there yourself, and run \`pulumi up\` again"
  RULES_CHANGED=false
  if ! is_installed "$WORK/files/0" "${FILE_OWNERS[0]}" "${FILE_MODES[0]}" "$RULES"; then RULES_CHANGED=true; fi
  read_config
  forget_lost_entry
  print_text >"$WORK/base"
  find_rule_files
  insert_entry "$pattern" || fits=false
  print_text >"$WORK/wanted"
  if ! parse_configs "$WORK/current" "$WORK/base" "$WORK/wanted"; then
    if loaded_config "$WORK/loaded" && is_covered "$WORK/loaded"; then return 0; fi
    die "$EXIT_REFUSED" "rule_files in $CONFIG does not cover $RULES, and nothing is added there: $PARSE_FAULT; nothing was changed. $ADVICE"
  fi
  if is_covered "$WORK/current.parsed"; then return 0; fi
  printf -- '- %s\n' "$pattern" >"$WORK/items"
  if [[ $fits == true ]]; then check_text "an entry for $RULES" "$ADVICE"; fi
  if [[ $fits == false ]] || ! adds_exactly "$WORK/base.parsed" "$WORK/wanted.parsed" rule_files "$WORK/items"; then
    die "$EXIT_REFUSED" "rule_files in $CONFIG is written in a form to which no line can be added that changes nothing else; nothing was changed. $ADVICE"
  fi
}

# forget_lost_entry: takes our entry out of TEXT. What was recorded and is not there any more is nobody's: others write
# that file, too.
forget_lost_entry() {
  ENTRY="${STATE_VALUES[entry]:-}"
  if [[ -n $ENTRY && -z $OTHER_VIEW ]] && ! remove_entry "$ENTRY"; then
    unset 'STATE_VALUES[entry]'
    ENTRY=''
  fi
}

reload_and_confirm() {
  load_config "$RULES"
  if ! groups_are_loaded; then
    die "$EXIT_VERIFICATION" \
      "$UNIT has reloaded, but $BASE_URL/api/v1/rules does not show group ${SETTINGS[GROUP]//$'\n'/, } from $RULES"
  fi
}

# groups_are_loaded: true if the API shows every expected group from our file, under whatever name the configuration
# gives it.
groups_are_loaded() {
  local group
  http_get '/api/v1/rules?type=alert'
  if [[ $HTTP_STATUS != 200 ]]; then return 1; fi
  while IFS= read -r group; do
    if ! group_is_loaded "$group"; then return 1; fi
  done <<<"$(setting GROUP prometheus-backup)"
}

# group_is_loaded GROUP: by the answer in $WORK/body.
group_is_loaded() {
  local file
  while IFS= read -r file; do
    if [[ $file != /* ]]; then file="${CONFIG%/*}/$file"; fi
    if [[ $file == "$RULES" || $file -ef $RULES ]]; then return 0; fi
  done < <(jq --raw-output --arg name "$1" '.data.groups[] | select(.name == $name) | .file' "$WORK/body" 2>/dev/null)
  return 1
}

step_roll_back() { unload_config; }

step_remove() {
  if [[ -n ${STATE_VALUES[entry]:-} ]] && open_config; then
    if remove_entry "${STATE_VALUES[entry]}"; then
      put_back_text
    else
      warn "${STATE_VALUES[config]} no longer has the line that was added for the rules; nothing was taken from it"
    fi
  fi
  take_back_all
  reload_after_removal 'evaluate the removed rules'
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
