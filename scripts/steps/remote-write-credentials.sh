# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages systemd lib/server/answer-fault prometheus remote-storage
# Host step remote-write-credentials: files with the passwords, tokens and keys of remote_write targets, which only root
# and the server can read. A step of its own, because one secret makes a whole payload unreadable in the preview. The
# server reads them at every request, so a new password takes effect here; it is proven here as well.

readonly STEP=remote-write-credentials STEP_IS_SECRET=true
readonly STEP_SETTINGS="$REMOTE_WRITE_SETTINGS"

# step_says: what is so on this host when the step has ended.
step_says() {
  printf 'secrets for %s lie where the server alone can read them (files: %d)' "${TARGETS[*]}" "${#FILE_PATHS[@]}"
}

step_install() {
  local since
  read_targets
  give_to_server
  find_files_in_use
  put_payload_files
  if ((${#ROTATED[@]} > 0)) && [[ "$(unit_property "$UNIT" ActiveState)" == active ]]; then
    since="$(date +%s)"
    ensure_tools curl
    use_server "${SETTINGS[URL]}" "$(setting API_CURL_CONFIG '')"
    confirm_arrival "$since" "${ROTATED[@]}"
  fi
}

# give_to_server: the group of the files is the one that the server runs with; what only root needs has mode 0600.
give_to_server() {
  local index user group
  if [[ "$(unit_property "$UNIT" LoadState)" != loaded ]]; then
    die "$EXIT_CONFIGURATION" \
      "this host has no unit $UNIT; install Prometheus first, or name its unit in the configuration"
  fi
  user="$(unit_property "$UNIT" User)"
  group="$(unit_property "$UNIT" Group)"
  if [[ -z $group ]]; then group="$(id -gn -- "${user:-root}")"; fi
  for index in "${!FILE_PATHS[@]}"; do
    case "${FILE_MODES[index]}" in
      0640) FILE_OWNERS[index]="root:$group" ;;
      0600) FILE_OWNERS[index]=root:root ;;
      *) die "$EXIT_REFUSED" \
        "${FILE_PATHS[index]} holds a secret and must have mode 0640, not ${FILE_MODES[index]}; nothing was changed" ;;
    esac
  done
}

# find_files_in_use: sets KEPT_FILES to those that the configuration in force names, and ROTATED to the targets of
# those among them that get another content. A target with another URL or user has another file, so that whatever
# becomes of the change, the configuration in force finds its own.
find_files_in_use() {
  local config='' index path name
  ROTATED=()
  if [[ -f $LIBRARY/remote-write.state ]]; then
    config="$(awk -F '\t' '$1 == "value" && $2 == "config" { print $3 }' "$LIBRARY/remote-write.state")"
  fi
  if [[ ! -f $config ]]; then return 0; fi
  for path in "${!STATE_FILES[@]}"; do
    if grep -qF -- "$path" "$config"; then KEPT_FILES+=("$path"); fi
  done
  for index in "${!FILE_PATHS[@]}"; do
    path="${FILE_PATHS[index]}" name="${FILE_PATHS[index]##*/}"
    name="${name%%.*}"
    if [[ ! -v ENDPOINT[$name] || " ${KEPT_FILES[*]} " != *" $path "* ]] || cmp -s -- "$WORK/files/$index" "$path"; then
      continue
    fi
    ROTATED+=("$name")
  done
}

step_remove() { take_back_all; }

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
