# shellcheck shell=bash
# The state directory: one run at a time, and scratch folders that do not outlive their runs.

# open_state: makes sure that the state directory can be used, and a scratch folder of this run inside it.
open_state() {
  mkdir -p -- "$STATE_DIR" 2>/dev/null || true
  if [[ ! -d $STATE_DIR || ! -w $STATE_DIR ]]; then
    die "$EXIT_CONFIGURATION" "$STATE_DIR cannot be written by '$(id -un)'" \
      "run 'pulumi up', which creates it with the right owner"
  fi
  if ! SCRATCH="$(mktemp -d -- "$STATE_DIR/scratch.$$.XXXXXX" 2>/dev/null)"; then
    SCRATCH=""
    die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" \
      "free space on that file system; the backups are untouched"
  fi
  if (( $(free_bytes "$STATE_DIR") < STATE_HEADROOM_BYTES )); then
    die "$EXIT_SPACE" "less than $(human_bytes "$STATE_HEADROOM_BYTES") are free on the file system of $STATE_DIR" \
      "free space there; the backups are untouched"
  fi
  require_no_pipes "$STATE_DIR"
  sweep_scratch
}

# sweep_scratch: scratch folders of commands that were killed. Their jobs may still write there: take_lock ends them and
# sweeps once more.
sweep_scratch() {
  local old
  for old in "$STATE_DIR"/scratch.*; do
    if [[ $old != "$SCRATCH" ]] && ! scratch_in_use "$old"; then rm -rf -- "$old" 2>/dev/null || true; fi
  done
}

# scratch_in_use DIR: whether the process that made DIR (its pid is in the name) still runs this command.
scratch_in_use() {
  local pid=${1##*/scratch.}
  still_runs "${pid%%.*}"
}

# still_runs PID: whether that process is there and runs this command.
still_runs() {
  [[ $1 =~ ^[0-9]+$ && -r /proc/$1/cmdline ]] && tr '\0' ' ' <"/proc/$1/cmdline" | grep 'prometheus-backup' >/dev/null
}

# take_lock: the one lock of every command that changes something; ends with 10 if another run holds it.
take_lock() {
  local holder pid
  if ! : 2>/dev/null >>"$STATE_DIR/lock"; then
    if [[ ! -e $STATE_DIR/lock ]]; then
      die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" \
        "free space on that file system; the backups are untouched"
    fi
    die "$EXIT_CONFIGURATION" "$STATE_DIR/lock cannot be opened" "run 'pulumi up', which sets the owner of $STATE_DIR"
  fi
  exec {LOCK_FD}<"$STATE_DIR/lock"
  if ! flock --nonblock "$LOCK_FD"; then
    holder="$(head -c 200 -- "$STATE_DIR/lock" | tr -cd '[:print:]')"
    pid="${holder#pid }"
    # A run that was killed leaves its lock to the program it had just called, which soon ends.
    if [[ -z $holder ]] || still_runs "${pid%%,*}" || ! flock --timeout 20 "$LOCK_FD"; then
      die "$EXIT_LOCKED" "another run (${holder:-just started}) holds the lock" \
        "nothing was done; wait for it, or look at it with 'ps'"
    fi
  fi
  printf 'pid %d, %s since %(%H:%M:%S)T UTC\n' "$$" "$COMMAND" -1 >"$STATE_DIR/lock.new" || true
  cat -- "$STATE_DIR/lock.new" >"$STATE_DIR/lock" || true
  rm -f -- "$STATE_DIR/lock.new"
  stop_orphans
  sweep_scratch
}
