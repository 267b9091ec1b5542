# shellcheck shell=bash
# Work on a mounted path. A server that went away behind a mount (NFS) lets whoever touches it hang in the kernel, where
# no signal may end it. So a child does that work, without our locks, and is left behind once nothing has moved for
# IDLE_TIMEOUT_SECONDS.

# The job under a limit, whether it was left behind, its notes, and the descriptor on which it says how it goes.
LIMIT_CHILD="" LIMIT_HUNG=false LIMIT_NOTE="" LIMIT_SAID=""
# In the job: where its results go, and its end of that descriptor.
LIMIT_FILE="" LIMIT_FD=""

# at_repository VERB ARG...: the function VERB_path or VERB_rclone. rclone has limits of its own.
at_repository() {
  local verb=$1
  shift
  if [[ $REPOSITORY_TYPE == path ]]; then within_limit "${verb}_path" "$@"; else "${verb}_rclone" "$@"; fi
}

# within_limit FUNCTION ARG...: FUNCTION in a child, which may set REPOSITORY_ERROR, SENT_BYTES and SENT_SHA256. False,
# with REPOSITORY_ERROR set, if nothing in it has read, written or computed for so long; whoever asks again in this
# command gets the same answer at once. What it prints comes after it has ended: whoever reads from a pipe would wait
# for a child that hangs with the other end.
within_limit() {
  local base="$SCRATCH/limit.$BASHPID" status=0
  start_limited "$base.out" "$base.err" "$@"
  wait_limited || status=$?
  if [[ -s $base.out ]]; then cat -- "$base.out" || status=$?; fi
  if [[ -s $base.err ]]; then cat -- "$base.err" >&2 || true; fi
  rm -f -- "$base.out" "$base.err"
  return "$status"
}

# start_limited OUT ERR FUNCTION ARG...: the first half, for functions in which set -e is to hold. OUT and ERR get what
# it prints.
start_limited() {
  local in said=$1 words=$2
  shift 2
  LIMIT_CHILD="" LIMIT_HUNG=false LIMIT_NOTE="$SCRATCH/limit.$BASHPID"
  if [[ -e $SCRATCH/hung.$REPOSITORY ]]; then return 0; fi
  # A pipe of which this end is never closed: a child that hangs would keep it open for ever.
  exec {in}<&0 {LIMIT_SAID}<> <(:)
  ( limited_job "$LIMIT_NOTE" "$LIMIT_SAID" "$@" ) <&"$in" >"$said" 2>"$words" &
  LIMIT_CHILD=$!
  exec {in}<&-
}

# wait_limited: the second half: gives what FUNCTION gave. Sets LIMIT_HUNG, whether it was left behind.
wait_limited() {
  local hung="$SCRATCH/hung.$REPOSITORY" word value status="" limit=$IDLE_TIMEOUT_SECONDS quiet=0 step=5 before="" now
  if [[ -z $LIMIT_CHILD ]]; then LIMIT_HUNG=true; REPOSITORY_ERROR="$(<"$hung")"; return "$EXIT_REPOSITORY"; fi
  if (( limit < 20 )); then step=1; fi
  while [[ -z $status ]] && (( quiet < limit )); do
    if read -r -t "$step" -u "$LIMIT_SAID" word value; then
      if [[ $word == end ]]; then status=$value; else limit=$(( IDLE_TIMEOUT_SECONDS + value )); fi
    elif has_ended "$LIMIT_CHILD"; then
      status=$EXIT_UNEXPECTED
    else
      now="$(activity "$LIMIT_CHILD")"
      if [[ $now == "$before" ]]; then quiet=$(( quiet + step )); else quiet=0 before=$now; fi
    fi
  done
  exec {LIMIT_SAID}>&-
  if [[ -z $status ]]; then
    LIMIT_HUNG=true
    leave_behind "$LIMIT_CHILD"
    REPOSITORY_ERROR="no answer for $quiet s (does the server behind the mount still run?)"
    printf '%s\n' "$REPOSITORY_ERROR" >"$hung" || true
    return "$EXIT_REPOSITORY"
  fi
  status=0
  wait "$LIMIT_CHILD" 2>/dev/null || status=$?
  if [[ -f $LIMIT_NOTE ]]; then
    { read -r SENT_BYTES; read -r SENT_SHA256; IFS= read -r REPOSITORY_ERROR; } <"$LIMIT_NOTE" || true
    rm -f -- "$LIMIT_NOTE"
  fi
  return "$status"
}

# limited_job NOTE FD FUNCTION ARG...: the inside of within_limit.
limited_job() {
  local open
  LIMIT_FILE=$1 LIMIT_FD=$2
  shift 2
  # Locks, and ends of pipes that others wait for.
  for open in "/proc/$BASHPID/fd"/*; do
    open=${open##*/}
    if (( open > 2 && open != 255 && open != LIMIT_FD && open != ${JOBS_FD:-0} )); then exec {open}>&-; fi
  done
  LOCK_FD=""
  trap - HUP INT TERM
  trap 'end_limited "$?"' EXIT
  JOB_LEVEL=$BASH_SUBSHELL
  "$@"
}

# end_limited STATUS: hands over what the function has set, and says that it is over.
end_limited() {
  trap - EXIT ERR
  { printf '%s\n' "${SENT_BYTES:-}" "${SENT_SHA256:-}" "${REPOSITORY_ERROR:-}" >"$LIMIT_FILE"; } 2>/dev/null || true
  printf 'end %d\n' "$1" >&"$LIMIT_FD" || true
  exit "$1"
}

# allow_quiet BYTES: what comes next in this job moves that many bytes without a trace, as a flush does; 1 MB/s is
# enough.
allow_quiet() {
  if [[ -n $LIMIT_FD ]]; then printf 'quiet %d\n' $(( $1 / 1000000 )) >&"$LIMIT_FD" || true; fi
}

# activity PID: what PID and all below it have read, written and computed so far.
activity() {
  local process
  processes_of "$1" | while read -r process; do
    printf '%s ' "$process"
    { cat "/proc/$process/io" && cut -d ' ' -f 14,15 "/proc/$process/stat"; } 2>/dev/null | tr '\n' ' '
  done || true
}
