# shellcheck shell=bash
# Restores run as root, but the state directory belongs to the backup user. Root must not follow what that user may have
# put there, nor leave files there which that user cannot read: so root keeps a directory of its own beside it.

# open_root_state: sets BACKUP_STATE (the backup user's directory) and points STATE_DIR to one that only this user can
# write.
open_root_state() {
  BACKUP_STATE="$STATE_DIR"
  if (( EUID == 0 )) && [[ -z ${LOCATION:-} ]]; then
    STATE_DIR="$STATE_DIR-restore"
    mkdir --parents -- "$STATE_DIR" || die "$EXIT_SPACE" "$STATE_DIR cannot be made" "look at that file system"
    if [[ -L $STATE_DIR || "$(stat --format %u -- "$STATE_DIR")" != 0 ]]; then
      die "$EXIT_REFUSED" "$STATE_DIR does not belong to root" "look who made it, and remove it"
    fi
    chmod 0700 -- "$STATE_DIR"
    if [[ -d $BACKUP_STATE ]] && ! clear_pipes "$BACKUP_STATE"; then
      warn "$PIPE is no plain file and cannot be removed as '$BACKUP_USER'; nothing was read there"
    fi
  elif [[ ! -w $STATE_DIR ]]; then
    STATE_DIR="$(mktemp --directory --tmpdir prometheus-backup.XXXXXX)"
    CLEANUP_HOOKS+=(remove_private_state)
  fi
  JOURNAL="$STATE_DIR/switch/journal"
  clean_environment
}

# remove_private_state: the exit hook of a caller who is neither root nor the backup user, and of --at.
remove_private_state() { rm -rf -- "$STATE_DIR"; }

# in_backup_state SCRIPT ARG...: root has the backup user's shell do that in the state directory of that user, and waits
# no longer than 20 s for it, whatever that user puts in the place of a file.
in_backup_state() { as_backup_user timeout --kill-after=5 20 sh -c "umask 077; $1" sh "${@:2}"; }

# in_root_state SCRIPT ARG...: the same as root, in its own.
in_root_state() { sh -c "umask 077; $1" sh "${@:2}"; }

# take_common_lock: the lock that backup runs take too, without writing as root into the backup user's directory. Ends
# with 10.
take_common_lock() {
  local lock="$BACKUP_STATE/lock" writer=in_backup_state holder words
  if [[ ! -d $BACKUP_STATE ]]; then lock="$STATE_DIR/lock" writer=in_root_state; fi
  # shellcheck disable=SC2016  # the inner shell expands it
  if [[ ! -e $lock ]]; then "$writer" ': >>"$1"' "$lock" || true; fi
  if [[ ! -f $lock || -L $lock ]]; then
    die "$EXIT_REFUSED" "$lock is not a plain file" "look who made it, and remove it"
  fi
  exec {LOCK_FD}<"$lock" || die "$EXIT_CONFIGURATION" "$lock cannot be opened" \
    "run 'pulumi up', which sets the owner of $BACKUP_STATE"
  if ! flock --nonblock "$LOCK_FD"; then
    holder="$(read_plain "$lock" 200 | tr -cd '[:print:]')"
    die "$EXIT_LOCKED" "another run (${holder:-just started}) holds the lock" \
      "nothing was done; wait for it, or look at it with 'ps'"
  fi
  printf -v words 'pid %d, %s since %(%H:%M:%S)T UTC' "$$" "$COMMAND" -1
  # shellcheck disable=SC2016  # the inner shell expands it
  "$writer" 'printf "%s\n" "$2" >"$1"' "$lock" "$words" 2>/dev/null || true
}
