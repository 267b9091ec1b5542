# shellcheck shell=bash
# Restores run as root, but the state directory belongs to the backup user. Root must not follow what that user may have put
# there, nor leave files there which that user cannot read: so root keeps a directory of its own beside it.

# open_root_state: sets BACKUP_STATE (the backup user's directory) and points STATE_DIR to one that only this user can write.
open_root_state() {
  BACKUP_STATE="$STATE_DIR"
  if (( EUID == 0 )) && [[ -z ${LOCATION:-} ]]; then
    STATE_DIR="$STATE_DIR-restore"
    mkdir --parents -- "$STATE_DIR" || die "$EXIT_SPACE" "$STATE_DIR cannot be made" "look at that file system"
    if [[ -L $STATE_DIR || "$(stat --format %u -- "$STATE_DIR")" != 0 ]]; then
      die "$EXIT_REFUSED" "$STATE_DIR does not belong to root" "look who made it, and remove it"
    fi
    chmod 0700 -- "$STATE_DIR"
  elif [[ ! -w $STATE_DIR ]]; then
    STATE_DIR="$(mktemp --directory --tmpdir prometheus-backup.XXXXXX)"
    CLEANUP_HOOKS+=(remove_private_state)
  fi
  JOURNAL="$STATE_DIR/switch/journal"
  clean_environment
}

# remove_private_state: the exit hook of a caller who is neither root nor the backup user, and of --at.
remove_private_state() { rm -rf -- "$STATE_DIR"; }

# as_backup_user COMMAND...: root runs COMMAND as the backup user.
as_backup_user() {
  local group
  if (( EUID != 0 )) || [[ $BACKUP_USER == root ]] || ! group="$(id -g -- "$BACKUP_USER" 2>/dev/null)"; then "$@"; return $?; fi
  HOME="${BACKUP_STATE:-$STATE_DIR}" XDG_CACHE_HOME="${BACKUP_STATE:-$STATE_DIR}/cache" as_user "$BACKUP_USER:$group" "$@"
}

# take_common_lock: the lock that backup runs take too, without writing as root into the backup user's directory. Ends with 10.
take_common_lock() {
  local lock="$BACKUP_STATE/lock" holder words
  if [[ ! -d $BACKUP_STATE ]]; then lock="$STATE_DIR/lock"; fi
  # shellcheck disable=SC2016  # the inner shell expands it
  if [[ ! -e $lock ]]; then as_backup_user sh -c 'umask 077; : >>"$1"' sh "$lock" || true; fi
  if [[ ! -f $lock || -L $lock ]]; then die "$EXIT_REFUSED" "$lock is not a plain file" "look who made it, and remove it"; fi
  exec {LOCK_FD}<"$lock" || die "$EXIT_CONFIGURATION" "$lock cannot be opened" "run 'pulumi up', which sets the owner of $BACKUP_STATE"
  if ! flock --nonblock "$LOCK_FD"; then
    holder="$(head -c 200 <"$lock" | tr -cd '[:print:]')"
    die "$EXIT_LOCKED" "another run (${holder:-just started}) holds the lock" "nothing was done; wait for it, or look at it with 'ps'"
  fi
  printf -v words 'pid %d, %s since %(%H:%M:%S)T UTC' "$$" "$COMMAND" -1
  # shellcheck disable=SC2016  # the inner shell expands it
  as_backup_user sh -c 'printf "%s\n" "$2" >"$1"' sh "$lock" "$words" 2>/dev/null || true
}
