# shellcheck shell=bash
# parts: core payload files
# Host step bootstrap: a new host is born from a backup, once. The host command knows whether this one is new, and
# leaves a note
# after success, which `remove` and later settings do not touch. A failed restore has put the server's own data back.

readonly STEP=bootstrap
readonly STEP_SETTINGS='HOST BACKUP REPOSITORY'
readonly HOST_COMMAND="${STEP_HOST_COMMAND:-/usr/local/bin/prometheus-backup.sh}"

# step_says: what is so on this host is in the words of the command already.
step_says() { :; }

step_install() {
  local command=("$HOST_COMMAND" bootstrap) status=0
  require_setting HOST '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$' 'the name of a host'
  require_setting BACKUP '^(latest|[0-9]{8}T[0-9]{6}Z)$' 'the name of a backup, or latest'
  if [[ ! -x $HOST_COMMAND ]]; then
    die "$EXIT_CONFIGURATION" \
      "$HOST_COMMAND is not installed, which restores this host; nothing was changed. Let this step depend on a BackupJob"
  fi
  command+=("${SETTINGS[BACKUP]}" --host "${SETTINGS[HOST]}")
  if [[ -n ${SETTINGS[REPOSITORY]:-} ]]; then
    require_setting REPOSITORY '^[a-z][a-z0-9-]{0,31}$' 'the name of a repository'
    command+=(--repository "${SETTINGS[REPOSITORY]}")
  fi
  "${command[@]}" >"$WORK/said" 2>"$WORK/errors" || status=$?
  if ((status != 0)); then
    die_with "$status" "$WORK/errors" \
      "this host could not be restored from backup ${SETTINGS[BACKUP]} of ${SETTINGS[HOST]} (above); its data are as before. Mend that and run \`pulumi up\` again"
  fi
  cat -- "$WORK/said"
  # What is worth knowing of a restore that has worked.
  sed -n 's/^prometheus-backup: \(warning: .*\)/\1/p; /^The data from before are in /p' -- "$WORK/errors"
}

# The data stay, and so does the note that there is nothing left to do.
step_remove() { take_back_all; }

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
