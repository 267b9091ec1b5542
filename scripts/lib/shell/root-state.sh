# shellcheck shell=bash
# Restores run as root, but the state directory belongs to the backup user. Root must not follow what that user may have
# put there, nor leave files there which that user cannot read: so root keeps a directory of its own beside it.

# open_root_state: sets BACKUP_STATE (the backup user's directory) and points STATE_DIR to one that only this user can
# write.
open_root_state() {
  BACKUP_STATE="$STATE_DIR"
  if (( EUID == 0 )) && [[ -z $LOCATION ]]; then
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

# take_common_lock: the lock that backup runs take too. Root neither opens nor writes that file: a keeper with the
# rights of the backup user does, who looks at what it has opened, and holds the lock for as long as LOCK_FD is open,
# here or with whoever has inherited it. Ends with 10.
take_common_lock() {
  local lock="$BACKUP_STATE/lock" rights=(as_backup_user) heard answer="" words
  if [[ ! -d $BACKUP_STATE ]]; then lock="$STATE_DIR/lock" rights=(); fi
  printf -v words 'pid %d, %s since %(%H:%M:%S)T UTC' "$$" "$COMMAND" -1
  # A pipe of which this end is never closed: writing there ends nobody.
  exec {heard}<> <(:)
  # A grandchild, since "wait" waits for such a child as well; what the terminal ends ends the keeper after us.
  exec {LOCK_FD}> >(keep_lock "${rights[@]}" <&0 >&"$heard" 2>/dev/null &)
  IFS= read -r -t 20 -u "$heard" answer || true
  exec {heard}>&-
  answer="$(tr -cd '[:print:]' <<<"$answer")"
  case "$answer" in
    got) ;;
    strange) die "$EXIT_REFUSED" "$lock is not a plain file" "look who made it, and remove it" ;;
    "held "*)
      answer=${answer#held }
      die "$EXIT_LOCKED" "another run (${answer:-just started}) holds the lock" \
        "nothing was done; wait for it, or look at it with 'ps'" ;;
    *) die "$EXIT_CONFIGURATION" "$lock cannot be opened by '$BACKUP_USER'" \
      "run 'pulumi up', which sets the owner of $BACKUP_STATE" ;;
  esac
}

# keep_lock RIGHTS...: the keeper of the caller's lock with its words.
keep_lock() {
  trap '' HUP INT QUIT TERM
  trap - EXIT ERR
  "$@" sh -c "$(lock_keeper)" sh "$lock" "$words" || printf 'no\n'
}

# lock_keeper: the sh program of take_common_lock, for the file $1 with the words $2. Opened for reading and writing, no
# pipe keeps it waiting. It says "got", "held" and by whom, or "strange", and ends at once or when its input ends.
lock_keeper() {
  cat <<'SH'
  umask 077
  if [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; then echo strange; exit 0; fi
  exec 8<>"$1"
  if [ ! -f /proc/self/fd/8 ]; then echo strange; exit 0; fi
  if ! flock --nonblock 8; then printf 'held %s\n' "$(head -c 200 <&8 | sed -n 1p)"; exit 0; fi
  truncate --size 0 /proc/self/fd/8 && printf '%s\n' "$2" >&8
  echo got
  exec cat >/dev/null
SH
}
