# shellcheck shell=bash
# Child processes: started, waited for, ended; no job outlives its command.

CHILD=""  # the job that was begun last

# stop_child PID: ends a background job and what it started.
stop_child() {
  local child=$1 grandchild try
  if ! kill -0 "$child" 2>/dev/null; then return 0; fi
  while IFS= read -r grandchild; do
    stop_child "$grandchild"
  done < <(tr ' ' '\n' 2>/dev/null <"/proc/$child/task/$child/children")
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

# wait_for COMMAND...: runs COMMAND where a signal can interrupt it (bash handles TERM only between foreground
# children).
wait_for() {
  local child status=0
  "$@" &
  child=$!
  wait "$child" || status=$?
  return "$status"
}

# stop_orphans: kill -9 reaches a run, but not its jobs: they go on sending from a snapshot that this run removes, and
# could leave cut-off objects in place of good ones. Every job inherits the lock on STATE_DIR/jobs; who holds it now is
# an orphan.
stop_orphans() {
  local jobs="$STATE_DIR/jobs" orphan tries free=false
  if ! : 2>/dev/null >>"$jobs"; then
    die "$EXIT_SPACE" "$jobs cannot be written" "free space on that file system and check its owner"
  fi
  if ! flock --nonblock "$jobs" true; then
    warn "jobs of a run that was killed are still at work; they are ended now"
    # Again and again: one that has just started another is ended, and that one is not.
    for (( tries = 0; tries < 10; tries++ )); do
      while IFS= read -r orphan; do kill -KILL "$orphan" 2>/dev/null || true; done < <(holders_of "$jobs")
      if flock --timeout 1 "$jobs" true; then free=true; break; fi
    done
    if [[ $free == false ]]; then
      if ! only_dying_hold "$jobs"; then
        die "$EXIT_LOCKED" "jobs of a run that was killed cannot be ended" \
          "look for rclone and tar of '$(id -un)' with 'ps'; nothing was done"
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
holders_of() {
  { find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$1" 2>/dev/null || true; } | cut -d / -f 3 | sort --unique
}

# in_background FUNCTION ARG...: starts a job without the lock (a child that outlives us must not keep it) and sets
# CHILD.
in_background() {
  ( start_job "$@" ) </dev/null &
  CHILD=$!
}

# in_background_asking FUNCTION ARG...: the same for a job that may ask the person at the terminal.
in_background_asking() {
  ( start_job "$@" ) <&0 &
  CHILD=$!
}

# start_job FUNCTION ARG...: the inside of in_background: set -e and the ERR trap hold here, the EXIT trap is the
# parent's.
start_job() {
  trap - EXIT HUP INT TERM
  JOB_LEVEL=$BASH_SUBSHELL
  if [[ -n $LOCK_FD ]]; then exec {LOCK_FD}>&-; LOCK_FD=""; fi
  "$@"
}
