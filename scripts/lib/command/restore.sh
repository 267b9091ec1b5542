# shellcheck shell=bash
# restore, the way back: find the backup, say what will happen, download while the server runs, then switch.

# command_restore BACKUP|latest [OPTION...]: see --help.
command_restore() {
  parse_restore_options "$@"
  require_restore_user
  load_metrics
  open_root_state
  recover_interrupted
  open_state
  require_tools
  SECONDS=0
  begin_phases
  if [[ $PLAN_ONLY == false && $RESTORE_MODE != target ]]; then take_common_lock; fi
  ONLY_REPOSITORY="$RESTORE_REPOSITORY"
  resolve_backup "$WANTED" "$RESTORE_HOST"
  select_blocks
  REFUSALS=()
  print_at_end plan_document
  require_selected_objects
  "restore_$RESTORE_MODE"
}

# parse_restore_options ARG...: sets WANTED, RESTORE_MODE (full|target|merge) and what the options say; refuses what
# contradicts itself.
parse_restore_options() {
  read_options restore "$@"
  require_backup restore
  PLAN_ONLY=${OPTIONS[plan]:-false} ASSUME_YES=${OPTIONS[yes]:-false} RESTORE_MODE=full TARGET=${OPTIONS[target]:-}
  RESTORE_HOST=${OPTIONS[host]:-$HOST_NAME} RESTORE_REPOSITORY=${OPTIONS[repository]:-}
  ALLOW_RETENTION_LOSS=${OPTIONS[allow-retention-loss]:-false}
  values_of block | mapfile -t ONLY_BLOCKS
  read_range
  if [[ -v OPTIONS[merge] && -n $TARGET ]]; then usage_error "--merge and --target exclude each other"; fi
  JSON=${OPTIONS[json]:-false}
  if [[ $JSON == true && $PLAN_ONLY == false ]]; then usage_error "restore --json is for its plan: pass --plan, too"; fi
  if [[ -v OPTIONS[merge] ]]; then RESTORE_MODE=merge; elif [[ -n $TARGET ]]; then RESTORE_MODE=target; fi
  check_restore_options
}

# check_restore_options: what parse_restore_options cannot see before the end.
check_restore_options() {
  local ulid
  if [[ ! $RESTORE_HOST =~ $HOST_PATTERN ]]; then usage_error "'$RESTORE_HOST' is not the name of a host"; fi
  for ulid in "${ONLY_BLOCKS[@]}"; do
    if [[ ! $ulid =~ $ULID_PATTERN ]]; then usage_error "'$ulid' is not the ULID of a block"; fi
  done
  if [[ $RESTORE_MODE == target && $TARGET != /* ]]; then TARGET="$PWD/$TARGET"; fi
  if [[ -n $LOCATION && $RESTORE_MODE != target ]]; then usage_error "with --at a restore needs --target DIR"; fi
  if (( ${#ONLY_BLOCKS[@]} > 0 )); then PARTIAL=true; fi
  if [[ $PARTIAL == true && $RESTORE_MODE == full ]]; then
    die "$EXIT_REFUSED" "a full restore replaces all data of the server, so a part of a backup (--from, --to, --block) would lose the rest" \
      "add --merge to put these blocks into the running server, or --target DIR to put them elsewhere"
  fi
}

# require_restore_user: full restores and merges change the server's files and its unit.
require_restore_user() {
  if [[ $RESTORE_MODE != target ]] && (( EUID != 0 )); then
    die "$EXIT_CONFIGURATION" "a restore into the server must run as root, not as '$(id -un)'" "$(as_root)"
  fi
}

# restore_full: everything of the backup in place of what the server has.
restore_full() {
  local started
  read_server_facts
  require_stoppable
  choose_staging
  plan_full
  stop_after_plan "Replace the data of this server?"
  begin_change "backup=$BACKUP host=$RESTORE_HOST"
  started=$EPOCHREALTIME
  # Inside the data directory lies what a merge or heal has left that was cut off.
  remove_other_staging "${STAGING%"$BACKUP"}" "$DATA_DIRECTORY/restore-"
  # Where the staging directory is to lie.
  make_directories "${STAGING%/*}"
  fetch_selected "$STAGING"
  switch_data
  note_restored
  if [[ -n $KEPT_ASIDE ]]; then
    say "The data from before are in $KEPT_ASIDE. When you are sure that you do not need them: rm -rf ${KEPT_ASIDE@Q}"
  fi
  if (( ${#UNANSWERED[@]} > 0 )); then
    die "$EXIT_VERIFICATION" "$BACKUP is in place and the server runs on it, but $(unanswered_text)" \
      "ask it yourself for a time of each block: prometheus-backup.sh show $BACKUP"
  fi
  say "Restored $BACKUP: $(blocks_text ${#B_ULID[@]}), downtime $(seconds_text "$DOWNTIME_MS"), all in all $(elapsed_text "$started"); $(answered_text)."
}

# note_restored: what the server holds now is the restored backup, so the next run compares with that one, and calls
# nothing lost that is newer. Earlier restores stay noted, for what they put aside is still in backups.
note_restored() {
  local line
  printf -v line '%(%Y%m%dT%H%M%SZ)T %s' -1 "$BACKUP"
  if [[ ! -d $BACKUP_STATE ]]; then return 0; fi
  # shellcheck disable=SC2016  # the inner shell expands it
  in_backup_state '{ tail -n 50 -- "$1/restored" 2>/dev/null; printf "%s\n" "$2"; } >"$1/restored.new" &&
    mv -fT -- "$1/restored.new" "$1/restored"' "$BACKUP_STATE" "$line" ||
    warn "$BACKUP_STATE/restored cannot be written; the next run may call blocks lost that the restored backup did not have"
}

# restore_target: the selected blocks as a data directory of its own; no server is touched.
restore_target() {
  require_new_directory "$TARGET"
  plan_target
  stop_after_plan "Restore to $TARGET?"
  make_target "$TARGET"
  STAGE_OWNER="$(stat --format %u:%g -- "$TARGET")"
  STAGING="$TARGET/.prometheus-backup-$BACKUP"
  fetch_selected "$STAGING"
  own_staged
  staged_entries | as_owner env --chdir="$STAGING" xargs --no-run-if-empty mv --target-directory="$TARGET" --
  as_owner rm -rf -- "$STAGING"
  say "Restored $(blocks_text ${#B_ULID[@]}) of $BACKUP to $TARGET; it is a data directory:"
  say "  prometheus --config.file=/dev/null --storage.tsdb.path=${TARGET@Q} --storage.tsdb.retention.time=100y --web.listen-address=127.0.0.1:9099"
}
