# shellcheck shell=bash
# pin, unpin: a backup that stays whatever retention says.

# command_pin BACKUP|latest / command_unpin BACKUP|latest: keeps a backup whatever retention says, in every repository
# that has it.
command_pin() { change_pin pin "$@"; }

command_unpin() { change_pin unpin "$@"; }

# change_pin ACTION BACKUP|latest: see command_pin.
change_pin() {
  local action=$1 backup index found=0 WANTED
  read_options "$@"
  require_backup "$action"
  require_backup_name "$WANTED" "$HOST_NAME"
  open_state
  load_metrics
  require_tools
  take_lock
  backup=$WANTED
  if [[ ! $backup =~ $BACKUP_PATTERN ]]; then
    ONLY_REPOSITORY="" resolve_backup "$backup"
    backup=$BACKUP
  fi
  for index in "${!REPOSITORY_NAMES[@]}"; do
    select_repository "$index"
    repository_list || repository_fault "cannot be listed"
    if ! object_bytes "backups/$backup.json" >/dev/null; then continue; fi
    require_owner || repository_fault "owner.json"
    found=$(( found + 1 ))
    if [[ $action == pin ]]; then
      printf 'pinned\n' | repository_put "pins/$backup" || repository_fault "pins/$backup"
    else
      repository_delete_one "pins/$backup" || repository_fault "pins/$backup"
    fi
    say "$backup is ${action}ned in $REPOSITORY"
    note_change "$action repository=$REPOSITORY backup=$backup"
  done
  if (( found == 0 )); then
    die "$EXIT_NOT_FOUND" "no repository has a backup $backup" "see: prometheus-backup.sh list"
  fi
}
