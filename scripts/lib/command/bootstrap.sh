# shellcheck shell=bash
# A new host is born from a backup: once. What is left to say so lies in root's own state, where the backup user cannot
# write.

# command_bootstrap BACKUP|latest [--host NAME] [--repository NAME]: restores a server without finished blocks, running
# or never started, unless that was done before. One line on standard output says what became of it, and another one if
# there is something to warn about; a server that has data is left alone, which is no failure.
command_bootstrap() {
  local marker begun blocks
  parse_bootstrap_options "$@"
  require_restore_user
  load_metrics
  open_root_state
  marker="$STATE_DIR/bootstrapped" begun="$STATE_DIR/bootstrap-begun"
  if [[ -e $marker ]]; then
    printf 'nothing to do: %s. Data that were lost since then come back with: prometheus-backup.sh restore latest\n' \
      "$(head -n 1 -- "$marker")"
    return 0
  fi
  recover_interrupted
  open_state
  require_tools
  find_data_directory
  blocks="$(finished_blocks "$DATA_DIRECTORY")"
  if (( blocks > 0 )) && [[ ! -e $begun ]]; then
    finish_bootstrap "left alone, because $DATA_DIRECTORY held $(blocks_text "$blocks") of its own, at"
    printf 'warning: left alone: %s holds %s of its own, so this host is not new. To restore it all the same: prometheus-backup.sh restore %s --host %s\n' \
      "$DATA_DIRECTORY" "$(blocks_text "$blocks")" "$WANTED" "$RESTORE_HOST"
    return 0
  fi
  # Known to be new from here on, even if the repository answers only after the server has made blocks of its own.
  if [[ ! -e $begun ]]; then printf '%(%Y-%m-%dT%H:%M:%SZ)T\n' -1 >"$begun"; fi
  require_startable
  CLEANUP_HOOKS+=(say_not_started)
  resolve_backup "$WANTED" "$RESTORE_HOST"
  if (( blocks > 0 )); then bootstrap_beneath "$blocks"; else restore_named; fi
  finish_bootstrap "bootstrapped from backup $BACKUP of $RESTORE_HOST at"
  cat -- "$marker"
  if [[ "$(systemctl show --property=UnitFileState --value -- "$PROMETHEUS_UNIT" 2>/dev/null)" == disabled ]]; then
    printf 'warning: %s runs, but will not start when this host boots. Run: systemctl enable %s\n' "$PROMETHEUS_UNIT" \
      "$PROMETHEUS_UNIT"
  fi
}

# require_startable: a new host is meant to run in the end, so a server that is down needs a unit. Ends with 3 or 12
# without one.
require_startable() {
  if [[ $SERVER_STATE != stopped || $UNIT_KNOWN == true ]]; then return 0; fi
  if [[ $UNIT_LOAD == masked ]]; then
    die "$EXIT_REFUSED" "$PROMETHEUS_UNIT is masked, so it could not be started on the restored data; nothing was done" "run: systemctl unmask $PROMETHEUS_UNIT"
  fi
  die "$EXIT_CONFIGURATION" \
    "the server does not answer, and there is no unit $PROMETHEUS_UNIT to start it with (systemd: $UNIT_LOAD); nothing was done" \
    "install Prometheus, or set prometheus.unit to the name of its unit"
}

# say_not_started STATUS: the exit hook of a bootstrap that failed.
say_not_started() {
  if (( $1 != 0 )) && unit_is inactive failed; then
    say "prometheus-backup: $PROMETHEUS_UNIT is not running; the try that succeeds starts it."
  fi
}

# finish_bootstrap WORDS: leaves the note after which nothing is ever bootstrapped here.
finish_bootstrap() {
  local marker="$STATE_DIR/bootstrapped"
  printf '%s %(%Y-%m-%dT%H:%M:%SZ)T\n' "$1" -1 >"$marker.new"
  mv -fT -- "$marker.new" "$marker"
  rm -f -- "$STATE_DIR/bootstrap-begun"
}

# restore_named [OPTION...]: restores BACKUP in a process of its own, which opens state and lock like any other restore.
restore_named() {
  wait_for "$BASH" "$(self_path)" restore "$BACKUP" --host "$RESTORE_HOST" \
    ${ONLY_REPOSITORY:+--repository "$ONLY_REPOSITORY"} --yes "$@" || exit $?
}

# bootstrap_beneath COUNT: an earlier try failed, and the server has finished blocks of its own since. They stay; the
# backup comes beneath them. Ends with 12 while some of it must wait for the server's memory.
bootstrap_beneath() {
  local waiting
  say "prometheus-backup: the server has finished $(blocks_text "$1") since the first try ($(head -n 1 -- "$STATE_DIR/bootstrap-begun")); they stay, and the backup is merged in."
  restore_named --merge
  select_blocks
  read_server_facts
  leave_out_held_blocks
  waiting=$(( ${#B_ULID[@]} + OVERLAPPING_HEAD ))
  if (( waiting > 0 )); then
    die "$EXIT_REFUSED" "$(blocks_text "$waiting") of backup $BACKUP overlap what the server still holds in memory, so they wait" \
      "the others are in; run this again in about 3 h"
  fi
}

# parse_bootstrap_options ARG...: sets WANTED and what the functions of restore look at.
parse_bootstrap_options() {
  read_options bootstrap "$@"
  require_backup bootstrap
  ONLY_REPOSITORY=${OPTIONS[repository]:-} RESTORE_HOST=${OPTIONS[host]:-$HOST_NAME}
  RESTORE_MODE=full PARTIAL=false FROM_MS="" TO_MS="" ONLY_BLOCKS=()
  require_host_name "$RESTORE_HOST"
  if [[ -n $ONLY_REPOSITORY ]]; then find_repository "$ONLY_REPOSITORY"; fi
}

# find_data_directory: sets DATA_DIRECTORY before any backup is looked at; ends with 3 if nothing on this host tells it.
find_data_directory() {
  MANIFEST="$SCRATCH/manifest.json"
  printf '{"prometheus":{"retentionTime":"","retentionSize":"","dataDirectory":""}}\n' >"$MANIFEST"
  read_server_facts
}

# finished_blocks DIR: how many blocks lie in it. A WAL alone is what any server has after its first minutes.
finished_blocks() {
  find "$1" -mindepth 2 -maxdepth 2 -name meta.json -printf '%h\n' 2>/dev/null | sed 's|.*/||' |
    grep --count --extended-regexp "$ULID_PATTERN" || true
}
