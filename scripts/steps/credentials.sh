# shellcheck shell=bash
# parts: core payload files users lib/watch/cron packages systemd lib/server/process lib/server/own-server lib/server/answer-fault prometheus backable
# Host step credentials: secret files of root, which the backup user can read and nobody but root can change: curl,
# rclone and
# AWS's libraries do what such a file says. A step of its own because one secret makes a whole payload unreadable in the
# preview.
# Nothing of them is ever printed.

readonly STEP=credentials STEP_SETTINGS='BACKUP_USER SERVER_UNIT SERVER_URL API_CURL_CONFIG' STEP_IS_SECRET=true
readonly SECRETS_DIRECTORY=/etc/prometheus-backup/credentials

# step_says: what is so on this host when the step has ended.
step_says() {
  printf 'secrets that only %s can read lie in %s (files: %d)' \
    "${SETTINGS[BACKUP_USER]}" "$SECRETS_DIRECTORY" "${#FILE_PATHS[@]}"
}

step_install() {
  local index group
  require_setting BACKUP_USER '^[A-Za-z_][A-Za-z0-9_.-]*$' 'the name of a user'
  require_user "${SETTINGS[BACKUP_USER]}"
  require_backable "$(setting SERVER_UNIT '')" "$(setting SERVER_URL '')" "$(setting API_CURL_CONFIG '')"
  group="$(id -gn -- "${SETTINGS[BACKUP_USER]}")"
  for index in "${!FILE_PATHS[@]}"; do
    if [[ ${FILE_MODES[index]} != 0640 || ${FILE_PATHS[index]%/*} != "$SECRETS_DIRECTORY" ]]; then
      die "$EXIT_REFUSED" "${FILE_PATHS[index]} holds a secret and must lie in $SECRETS_DIRECTORY with mode 0640, not ${FILE_MODES[index]}; nothing was changed"
    fi
    FILE_OWNERS[index]="root:$group"
  done
  close_directory "$group"
  put_payload_files
}

# close_directory GROUP: only root changes what is in there, and only GROUP reads it. Installations from before let
# everybody in.
close_directory() {
  ensure_directory "$SECRETS_DIRECTORY" "root:$1" 0750
  if [[ "$(stat --format '%U:%G 0%a' -- "$SECRETS_DIRECTORY")" == "root:$1 0750" ]]; then return 0; fi
  chown -- "root:$1" "$SECRETS_DIRECTORY"
  chmod -- 0750 "$SECRETS_DIRECTORY"
  CHANGED=true
}

step_remove() { take_back_all; }

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
