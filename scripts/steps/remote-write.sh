# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages users systemd lib/server/process lib/server/answer-fault prometheus lib/server/unit-command lib/server/port parsed-config server-config remote-storage
# Host step remote-write: a marked part of prometheus.yml with the remote_write targets, a reload (no restart), and
# proof
# by the server's metrics that samples arrive. promtool sees everything first; every other byte of the file stays.

readonly STEP=remote-write
readonly STEP_SETTINGS="$REMOTE_WRITE_SETTINGS"
readonly PART_FILE=/etc/prometheus-backup/remote-write.yml

# step_says: what is so on this host when the step has ended.
step_says() {
  if ((${#TARGETS[@]} == 0)); then printf 'samples are sent nowhere'; else printf 'samples are sent to %s' "${TARGETS[*]}"; fi
}

step_install() {
  local files_changed since
  read_targets
  ensure_tools curl jq
  use_server "${SETTINGS[URL]}" "$(setting API_CURL_CONFIG '')"
  require_server "$UNIT" 120
  require_reload "$UNIT"
  require_secret_files
  refuse_lost_headers
  find_promtool
  find_config
  run_promtool_in_force ''
  compose_config
  find_changed_files
  remember_server
  put_payload_files
  write_config "$ADVICE"
  if [[ $CONFIG_CHANGED == true || $files_changed == true ]] || ! queues_exist; then
    CHANGED=true
    since="$(date +%s)"
    load_config "remote_write to ${TARGETS[*]}"
    confirm_arrival "$since" "${TARGETS[@]}"
  fi
  drop_unused_secrets
  warn_without_labels
}

# require_secret_files: they come in a step of their own, before this one.
require_secret_files() {
  local path
  while IFS= read -r path; do
    if [[ -n $path && ! -f $path ]]; then
      die "$EXIT_CONFIGURATION" \
        "$path is missing, which the step for the credentials of remote_write installs; nothing was changed. Run \`pulumi up --replace '**remote-write-credentials'\`"
    fi
  done <<<"$(setting SECRET_FILE '')"
}

# refuse_lost_headers: the build of Debian 12 takes headers and sends none (prometheus/prometheus#13030), so that the
# samples of one tenant would end up with another.
refuse_lost_headers() {
  find_payload_file "$PART_FILE"
  if ! grep -q '^    headers:$' -- "$FOUND"; then return 0; fi
  http_get /api/v1/status/buildinfo
  json_value version
  if [[ $VALUE == 2.42.0+ds* ]]; then
    die "$EXIT_REFUSED" "Prometheus $VALUE of this distribution does not send the headers of remote_write, so neither \`tenant\` nor \`headers\` would reach the receiver; nothing was changed. Let a proxy in front of the receiver add them and leave them out here, or run a release of prometheus.io"
  fi
}

# compose_config: sets TEXT to the configuration as it shall be, and CONFIG_CHANGED.
compose_config() {
  local fits=true
  ADVICE="Write the targets that are shown above there yourself, and run \`pulumi up\` again"
  find_payload_file "$PART_FILE"
  read_config
  take_out_part ||
    die "$EXIT_REFUSED" "the lines \"$PART_BEGIN\" and \"$PART_END\" in $CONFIG do not enclose one part; nothing was changed. Remove what is left of the part by hand"
  print_text >"$WORK/base"
  put_in_part "$FOUND" || fits=false
  print_text >"$WORK/wanted"
  cp -- "$FOUND" "$WORK/ours"
  if [[ $fits == true && -z $OTHER_VIEW ]] && cmp -s -- "$WORK/current" "$WORK/wanted"; then return 0; fi
  if ! parse_configs "$WORK/current" "$WORK/base" "$WORK/wanted" "$WORK/ours"; then
    refuse_part "no targets are added to $CONFIG: $PARSE_FAULT"
  fi
  section "$WORK/ours.parsed" remote_write >"$WORK/items"
  if has_items "$WORK/base.parsed" && [[ -s $WORK/items ]] && cmp -s -- "$WORK/base" "$WORK/current"; then return 0; fi
  if [[ $fits == false ]]; then
    refuse_part "remote_write in $CONFIG has its value on the line of the key, which cannot be extended without rewriting it"
  fi
  check_text "the targets ${TARGETS[*]} in remote_write" \
    'If remote_write has targets of its own there, move them to the configuration of this module'
  if ! adds_exactly "$WORK/base.parsed" "$WORK/wanted.parsed" remote_write "$WORK/items"; then
    refuse_part "remote_write in $CONFIG is written in a form to which no lines can be added that change nothing else"
  fi
}

# refuse_part REASON: with the lines that are wanted.
refuse_part() {
  FAILURE_DETAIL="$(grep -v '^#' -- "$WORK/ours")"
  die "$EXIT_REFUSED" "$1; nothing was changed. $ADVICE"
}

# has_items PARSED: true if the parsed configuration sends to our targets already: each of them, as it is.
has_items() {
  awk 'function keep() { if (item != "") { if (!wanted) have[item] = 1;
    else if (!(item in have)) lacks = 1 } item = "" }
    /^- / || FNR == 1 { keep(); wanted = ours + 0 } { item = item $0 "\n" } END { keep(); exit lacks + 0 }' \
    <(section "$1" remote_write) ours=1 "$WORK/items"
}

# find_changed_files: sets files_changed if a file that the targets read, such as a certificate, will be another one.
find_changed_files() {
  local index
  files_changed=false
  for index in "${!FILE_PATHS[@]}"; do
    if [[ ${FILE_PATHS[index]} == "$PART_FILE" ]]; then continue; fi
    if ! is_installed "$WORK/files/$index" "${FILE_OWNERS[index]}" "${FILE_MODES[index]}" "${FILE_PATHS[index]}"; then
      files_changed=true
    fi
  done
}

# drop_unused_secrets: files of targets that are gone. Their own step leaves them as long as the configuration in force
# names them, because this step may fail and put that back.
drop_unused_secrets() {
  local kind copy path
  if [[ ! -f $LIBRARY/remote-write-credentials.state ]]; then return 0; fi
  while IFS=$'\t' read -r kind copy path; do
    if [[ $kind != file || $copy != - || $path != "$SECRETS"/*.* ]]; then continue; fi
    if [[ $'\n'"$(setting SECRET_FILE '')"$'\n' != *$'\n'"$path"$'\n'* ]]; then rm -f -- "$path"; fi
  done <"$LIBRARY/remote-write-credentials.state"
}

# warn_without_labels: several servers at one receiver are told apart by their external labels alone.
warn_without_labels() {
  http_get /api/v1/status/config
  if [[ $HTTP_STATUS == 200 && $HTTP_BODY != *external_labels:* ]]; then
    warn "$CONFIG has no external_labels: if other servers write to the same receiver, their series cannot be told from those of this one"
  fi
}

step_roll_back() { unload_config; }

step_remove() {
  if open_config; then
    if ! take_out_part; then
      warn "the marks of prometheus-backup in $REAL_CONFIG do not fit together any more; nothing was taken from it. Remove the part by hand"
    elif ((PART_AT >= 0)); then
      put_back_text
    fi
  fi
  take_back_all
  reload_after_removal 'write to the removed targets'
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
