# shellcheck shell=bash
# What a person at the terminal sees while something takes long: from PROGRESS_AFTER_SECONDS on one line, anew each
# second, by a job of its own, since whoever works is waiting. Without a terminal nothing of it.

# The job that draws, and the process that began it.
PROGRESS_JOB="" PROGRESS_OWNER=""
# What it measures, of progress_bytes: a function, and the bytes to come.
PROGRESS_METER="" PROGRESS_TOTAL=""
# In the job: bytes that had come before, the most that were seen, and "time bytes" of a while.
ARRIVED_BEFORE=0 ARRIVED_MOST=0 ARRIVALS=()

PROGRESS_AFTER_SECONDS=2  # what is done sooner is not shown

# progress TEXT: what is being done now; "{}" in it is how long already, or how long the server is down. With
# PROGRESS_TOTAL set, bytes, speed and time left stand behind it: PROGRESS_METER is a function that sets ARRIVED, the
# bytes that have.
progress() {
  if ! watches_progress; then return 0; fi
  printf '%s\n' "$*" >"$SCRATCH/progress.$BASHPID" || return 0
  if [[ $PROGRESS_OWNER == "$BASHPID" ]]; then return 0; fi
  PROGRESS_OWNER=$BASHPID
  # No child of ours, disowned or not: bash may wait for whichever child ends next, and this one does not.
  PROGRESS_JOB="$(in_background draw_progress "$PROGRESS_OWNER" >/dev/null; printf '%d' "$CHILD")"
}

# watches_progress: whether a line that changes is of use to somebody.
watches_progress() { is_terminal && [[ -n ${SCRATCH:-} && ${TERM:-dumb} != dumb ]]; }

# progress_done: it is over, and its line is clear.
progress_done() {
  PROGRESS_METER="" PROGRESS_TOTAL=""
  if [[ $PROGRESS_OWNER != "$BASHPID" ]]; then return 0; fi
  PROGRESS_OWNER=""
  kill -KILL "$PROGRESS_JOB" 2>/dev/null || true
  # What it was just writing must not come later than what we write.
  until has_ended "$PROGRESS_JOB"; do read -r -t 0.01 _ <> <(:) || true; done
  clear_line
  PROGRESS_JOB=""
}

# progress_bytes TEXT TOTAL METER: the same as progress for TOTAL bytes, as METER counts them.
progress_bytes() {
  PROGRESS_TOTAL=$2 PROGRESS_METER=$3
  progress "$1"
}

# draw_progress PID: the job: until PID has ended or ends it.
draw_progress() {
  local owner=$1 open timer since=${DOWN_SINCE:-$EPOCHSECONDS} text
  # Locks, and ends of pipes that others wait for.
  for open in "/proc/$BASHPID/fd"/*; do
    open=${open##*/}
    if (( open > 2 && open != 255 )); then exec {open}>&-; fi
  done
  LOCK_FD="" ARRIVALS=()
  exec {timer}<> <(:)
  ARRIVED_BEFORE=0 ARRIVED_MOST=0
  if [[ -n $PROGRESS_METER ]]; then measure "$owner"; ARRIVED_BEFORE=$ARRIVED ARRIVED_MOST=0; fi
  while read -r -t 1 -u "$timer" _ || true; ! has_ended "$owner"; do
    if [[ -n $PROGRESS_METER ]]; then measure "$owner"; fi
    if (( EPOCHSECONDS - since < PROGRESS_AFTER_SECONDS )) ||
      ! { read -r text <"$SCRATCH/progress.$owner"; } 2>/dev/null; then
      continue
    fi
    text=${text//'{}'/$(human_seconds $(( EPOCHSECONDS - since )))}
    # What was not seen is not nothing: a short tar may have come and gone.
    if [[ -n $PROGRESS_METER ]] && (( ARRIVED > 0 )); then
      text+="$(arrived_text)"
      ARRIVALS+=("$EPOCHSECONDS $ARRIVED")
    fi
    draw_line "$text"
  done
}

# measure PID: sets ARRIVED by PROGRESS_METER, beyond what it was at first. What has come does not go.
measure() {
  ARRIVED=0
  "$PROGRESS_METER" "$1" || true
  ARRIVED=$(( ARRIVED - ARRIVED_BEFORE ))
  if (( ARRIVED > ARRIVED_MOST )); then ARRIVED_MOST=$ARRIVED; else ARRIVED=$ARRIVED_MOST; fi
}

# arrived_text: " 6.6 MB of 14.9 MB 44 % 1.0 MB/s about 8 s left". The speed is that of the last ten samples; 100 % is
# for what is done.
arrived_text() {
  local total=$PROGRESS_TOTAL first speed=0
  local at=$EPOCHSECONDS arrived=$ARRIVED
  if (( arrived > total )); then arrived=$total; fi
  printf '  %s of %s  %d %%' "$(human_bytes "$arrived")" "$(human_bytes "$total")" \
    $(( total > 0 ? (arrived * 100 / total > 99 ? 99 : arrived * 100 / total) : 99 ))
  if (( ${#ARRIVALS[@]} == 0 )); then return 0; fi
  first=${ARRIVALS[${#ARRIVALS[@]} > 10 ? ${#ARRIVALS[@]} - 10 : 0]}
  if (( at > ${first% *} && arrived > ${first#* } )); then speed=$(( (arrived - ${first#* }) / (at - ${first% *}) )); fi
  printf '  %s/s' "$(human_bytes "$speed")"
  if (( speed > 0 )); then printf '  about %s left' "$(human_seconds $(( (total - arrived) / speed + 1 )))"; fi
}

# draw_line TEXT: in place of the current line, cut to the terminal.
draw_line() {
  local columns text="  $1"
  columns="$(terminal_columns)"
  if (( ${#text} >= columns )); then text=${text:0:columns-1}; fi
  printf '\r\033[K%s' "$text" >&2
}

# terminal_columns: how many fit beside each other; where another job passes on what we write, as many as it has found.
terminal_columns() {
  local size
  size="$(stty size <&2 2>/dev/null)" || size=""
  if [[ $size =~ ^[0-9]+\ ([1-9][0-9]*)$ ]]; then
    printf '%d' "${BASH_REMATCH[1]}"
  else
    printf '%d' "${TERMINAL_COLUMNS:-80}"
  fi
}

# bytes_read PID: sets ARRIVED to what PID, all below it and those of them that have ended have read.
bytes_read() {
  local process
  for process in $(processes_of "$1"); do
    if [[ $process != "$BASHPID" ]]; then add_read "$process"; fi
  done
}

# add_read PID: adds to ARRIVED what that process has read.
add_read() {
  local name value
  while read -r name value; do
    if [[ $name == rchar: && $value =~ ^[0-9]+$ ]]; then ARRIVED=$(( ARRIVED + value )); fi
  done 2>/dev/null <"/proc/$1/io" || true
}
