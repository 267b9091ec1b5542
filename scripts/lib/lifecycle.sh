# shellcheck shell=bash
# One run at a time, and nothing left behind: lock, temporary files, child processes, the exit trap.

# begin: traps and empty lists. The first call of every command.
begin() {
  SCRATCH="" CLEANUP_HOOKS=() LOCK_FD="" JOB_LEVEL=0
  declare -gA METRICS=()
  trap 'report_bug "$?" "$LINENO"' ERR
  trap 'finish "$?"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # Whoever reads our output may stop before its end, as head does: writing fails then, and nothing else.
  trap : PIPE
  # Where the backup user may not be, such as the home of whoever called sudo, find fails.
  if [[ ! -r . || ! -x . ]]; then cd /; fi
}

# finish STATUS: stops children, runs the hooks newest first, removes what this run made, exits with STATUS.
finish() {
  local status=$1 child index
  trap - ERR EXIT
  trap '' HUP INT TERM
  set +e
  PHASED=false PHASE_NAME=""
  end_progress
  explain_full_state "$status" || status=$EXIT_SPACE
  # Only jobs that were not waited for: a number that was may belong to somebody else by now.
  for child in $(jobs -p); do stop_child "$child"; done
  for (( index = ${#CLEANUP_HOOKS[@]} - 1; index >= 0; index-- )); do "${CLEANUP_HOOKS[index]}" "$status"; done
  end_progress
  if declare -F say_interrupted >/dev/null; then say_interrupted "$status"; fi
  if [[ -n $SCRATCH ]]; then rm -rf -- "$SCRATCH"; fi
  exit "$status"
}

# end_progress: hold has only part of the functions.
end_progress() { if declare -F progress_done >/dev/null; then progress_done; fi; }

# explain_full_state STATUS: a full file system under our feet breaks whatever comes first, with whatever words. False, and one
# more line that says so, if STATUS may come from that.
explain_full_state() {
  case "$1" in "$EXIT_UNEXPECTED" | "$EXIT_SNAPSHOT" | "$EXIT_REPOSITORY") ;; *) return 0 ;; esac
  if [[ -z $SCRATCH ]] || head -c 65536 /dev/zero 2>/dev/null >"$SCRATCH/room"; then return 0; fi
  printf 'prometheus-backup: error: the file system of %s is full (bytes or inodes), which is why this failed; %s\n' "$STATE_DIR" \
    "free space there; the backups are untouched" >&2 || true
  return 1
}

# stop_child PID: ends a background job and what it started.
stop_child() {
  local child=$1 grandchild try
  if ! kill -0 "$child" 2>/dev/null; then return 0; fi
  while IFS= read -r grandchild; do stop_child "$grandchild"; done < <(tr ' ' '\n' 2>/dev/null <"/proc/$child/task/$child/children")
  kill -TERM "$child" 2>/dev/null
  # One that hangs in the kernel, behind a mount whose server is gone, ends for no signal.
  for (( try = 0; try < STOP_SECONDS * 10; try++ )); do
    if has_ended "$child"; then wait "$child" 2>/dev/null; return 0; fi
    sleep 0.1
  done
  leave_behind "$child"
}

# processes_of PID: PID and all below it, a line each.
processes_of() {
  local child children=()
  printf '%d\n' "$1"
  { read -r -a children <"/proc/$1/task/$1/children"; } 2>/dev/null || true
  for child in "${children[@]}"; do processes_of "$child"; done
}

# has_ended PID: whether that child of ours is over; one that nobody has waited for still has its number.
has_ended() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  [[ ${stat##*) } == Z* ]]
}

# leave_behind PID: ends it and all below it, without waiting: who hangs in the kernel ends when the kernel lets go.
leave_behind() {
  local process
  disown "$1" 2>/dev/null || true
  # All of them first: the children of one that is dead are found no more.
  for process in $(processes_of "$1"); do kill -KILL "$process" 2>/dev/null || true; done
}

# wait_for COMMAND...: runs COMMAND where a signal can interrupt it (bash handles TERM only between foreground children).
wait_for() {
  local child status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  return "$status"
}

# open_state: makes sure that the state directory can be used, and a scratch folder of this run inside it.
open_state() {
  mkdir -p -- "$STATE_DIR" 2>/dev/null || true
  if [[ ! -d $STATE_DIR || ! -w $STATE_DIR ]]; then
    die "$EXIT_CONFIGURATION" "$STATE_DIR cannot be written by '$(id -un)'" "run 'pulumi up', which creates it with the right owner"
  fi
  if ! SCRATCH="$(mktemp -d -- "$STATE_DIR/scratch.$$.XXXXXX" 2>/dev/null)"; then
    SCRATCH=""
    die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" "free space on that file system; the backups are untouched"
  fi
  if (( $(free_bytes "$STATE_DIR") < STATE_HEADROOM_BYTES )); then
    die "$EXIT_SPACE" "less than $(human_bytes "$STATE_HEADROOM_BYTES") are free on the file system of $STATE_DIR" "free space there; the backups are untouched"
  fi
  sweep_scratch
}

# sweep_scratch: scratch folders of commands that were killed. Their jobs may still write there: take_lock ends them and sweeps once more.
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
still_runs() { [[ $1 =~ ^[0-9]+$ && -r /proc/$1/cmdline ]] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -q 'prometheus-backup'; }

# take_lock: the one lock of every command that changes something; ends with 10 if another run holds it.
take_lock() {
  local holder pid
  if ! : 2>/dev/null >>"$STATE_DIR/lock"; then
    if [[ ! -e $STATE_DIR/lock ]]; then die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" "free space on that file system; the backups are untouched"; fi
    die "$EXIT_CONFIGURATION" "$STATE_DIR/lock cannot be opened" "run 'pulumi up', which sets the owner of $STATE_DIR"
  fi
  exec {LOCK_FD}<"$STATE_DIR/lock"
  if ! flock --nonblock "$LOCK_FD"; then
    holder="$(head -c 200 -- "$STATE_DIR/lock" | tr -cd '[:print:]')"
    pid="${holder#pid }"
    # A run that was killed leaves its lock to the program it had just called, which soon ends.
    if [[ -z $holder ]] || still_runs "${pid%%,*}" || ! flock --timeout 20 "$LOCK_FD"; then
      die "$EXIT_LOCKED" "another run (${holder:-just started}) holds the lock" "nothing was done; wait for it, or look at it with 'ps'"
    fi
  fi
  printf 'pid %d, %s since %(%H:%M:%S)T UTC\n' "$$" "$COMMAND" -1 >"$STATE_DIR/lock.new" || true
  cat -- "$STATE_DIR/lock.new" >"$STATE_DIR/lock" || true
  rm -f -- "$STATE_DIR/lock.new"
  stop_orphans
  sweep_scratch
}

# stop_orphans: kill -9 reaches a run, but not its jobs: they go on sending from a snapshot that this run removes, and could
# leave cut-off objects in place of good ones. Every job inherits the lock on STATE_DIR/jobs; who holds it now is an orphan.
stop_orphans() {
  local jobs="$STATE_DIR/jobs" orphan tries free=false
  if ! : 2>/dev/null >>"$jobs"; then die "$EXIT_SPACE" "$jobs cannot be written" "free space on that file system and check its owner"; fi
  if ! flock --nonblock "$jobs" true; then
    warn "jobs of a run that was killed are still at work; they are ended now"
    # Again and again: one that has just started another is ended, and that one is not.
    for (( tries = 0; tries < 10; tries++ )); do
      while IFS= read -r orphan; do kill -KILL "$orphan" 2>/dev/null || true; done < <(holders_of "$jobs")
      if flock --timeout 1 "$jobs" true; then free=true; break; fi
    done
    if [[ $free == false ]]; then
      if ! only_dying_hold "$jobs"; then
        die "$EXIT_LOCKED" "jobs of a run that was killed cannot be ended" "look for rclone and tar of '$(id -un)' with 'ps'; nothing was done"
      fi
      # They hang in the kernel and end as soon as it lets go; none of them does anything any more.
      rm -f -- "$jobs"
      : >>"$jobs"
    fi
  fi
  exec {JOBS_FD}<"$jobs"
  flock "$JOBS_FD"
}

# only_dying_hold FILE: whether all who have FILE open are killed already (bit 9 of their pending signals).
only_dying_hold() {
  local process pending
  while IFS= read -r process; do
    pending="$(awk '/^ShdPnd:/ { print $2 }' "/proc/$process/status" 2>/dev/null)" || continue
    if [[ -n $pending ]] && (( (16#$pending & 16#100) == 0 )); then return 1; fi
  done < <(holders_of "$1")
}

# holders_of FILE: the processes that have FILE open, a line each.
holders_of() { { find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$1" 2>/dev/null || true; } | cut -d / -f 3 | sort --unique; }

# in_background FUNCTION ARG...: starts a job without the lock (a child that outlives us must not keep it) and sets CHILD.
in_background() {
  ( start_job "$@" ) </dev/null &
  CHILD=$!
}

# in_background_asking FUNCTION ARG...: the same for a job that may ask the person at the terminal.
in_background_asking() {
  ( start_job "$@" ) <&0 &
  CHILD=$!
}

# start_job FUNCTION ARG...: the inside of in_background: set -e and the ERR trap hold here, the EXIT trap is the parent's.
start_job() {
  trap - EXIT HUP INT TERM
  JOB_LEVEL=$BASH_SUBSHELL
  if [[ -n $LOCK_FD ]]; then exec {LOCK_FD}>&-; LOCK_FD=""; fi
  "$@"
}

# be_gentle: low CPU and disk priority for the rest of the run; monitoring comes before its backup.
be_gentle() {
  renice --priority "$NICE" --pid $$ >/dev/null 2>&1 || true
  if command -v ionice >/dev/null 2>&1; then ionice --class "$IONICE_CLASS" --classdata "$IONICE_LEVEL" --pid $$ 2>/dev/null || true; fi
}
