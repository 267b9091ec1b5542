# shellcheck shell=bash
# Asking repositories for what they hold, side by side: one that does not answer costs a command no more than
# ANSWER_PATIENCE_SECONDS, whatever its kind.

declare -gA ASKED_JOBS=()  # by the index of a repository
ANSWERS=""  # the descriptor on which the jobs say that they have ended

# For how long a repository that is asked may bring next to nothing. What tries again and again to reach one reads a
# little each time; a list that comes is more than that.
ANSWER_PATIENCE_SECONDS=20
readonly ANSWER_BYTES=16384

# ask_repositories HOST INDEX...: asks each in a job of its own, for take_answer. Nobody waits for these jobs as such:
# one whose file system hangs may not end.
ask_repositories() {
  local host=$1 index
  shift
  ASKED_JOBS=()
  exec {ANSWERS}<> <(:)
  CLEANUP_HOOKS+=(end_asking)
  for index in "$@"; do
    rm -rf -- "$SCRATCH/asked.$index"
    mkdir -- "$SCRATCH/asked.$index"
    in_background list_apart "$index" "$host" >"$SCRATCH/asked.$index/words" 2>&1
    disown "$CHILD"
    ASKED_JOBS[$index]=$CHILD
  done
}

# list_apart INDEX HOST: the list of one, and what speaks against it or nothing in a file "answer". All of it is in a
# folder of its own, since others ask as well.
list_apart() {
  SCRATCH="$SCRATCH/asked.$1"
  # A path gives up by itself a little earlier, and says more about why.
  if (( IDLE_TIMEOUT_SECONDS > ANSWER_PATIENCE_SECONDS - 3 )); then
    IDLE_TIMEOUT_SECONDS=$(( ANSWER_PATIENCE_SECONDS > 3 ? ANSWER_PATIENCE_SECONDS - 3 : 1 ))
  fi
  select_repository "$1" "$2"
  if repository_list; then REPOSITORY_ERROR=""; else REPOSITORY_ERROR=${REPOSITORY_ERROR:-unknown reason}; fi
  printf '%s\n' "$REPOSITORY_ERROR" >"$SCRATCH/answer.new"
  mv -f -- "$SCRATCH/answer.new" "$SCRATCH/answer"
  printf '%d\n' "$1" >&"$ANSWERS"
}

# await_answers: until each of those that were asked has answered, or is given up.
await_answers() {
  local index job now waiting=() since=$EPOCHSECONDS
  local -A heard=() came=()
  while :; do
    waiting=()
    for index in "${!ASKED_JOBS[@]}"; do
      job=${ASKED_JOBS[$index]}
      if [[ -e $SCRATCH/asked.$index/answer ]] || has_ended "$job"; then continue; fi
      now="$(bytes_moved "$job")"
      if (( now >= ${came[$index]:-0} + ANSWER_BYTES )) || [[ -z ${heard[$index]:-} ]]; then
        came[$index]=$now heard[$index]=$EPOCHSECONDS
      fi
      if (( EPOCHSECONDS - heard[$index] >= ANSWER_PATIENCE_SECONDS )); then end_unwaited "$job"; continue; fi
      waiting+=("${REPOSITORY_NAMES[index]}")
    done
    if (( ${#waiting[@]} == 0 )); then break; fi
    say_asking $(( EPOCHSECONDS - since )) "${waiting[@]}"
    read -r -t 1 -u "$ANSWERS" _ || true
  done
  progress_done
  exec {ANSWERS}>&-
}

# say_asking SECONDS NAME...: who has not answered yet and, after a while, how to do without, where the command can.
say_asking() {
  local seconds=$1 others=""
  shift
  if (( seconds >= 5 && ${#REPOSITORY_NAMES[@]} > $# )) &&
    [[ " ${COMMAND_OPTIONS[$COMMAND]:-} " == *" repository:"* ]]; then
    others="; only another: --repository NAME"
  fi
  progress "asking $(join_words ', ' "$@") for {}$others"
}

# take_answer INDEX HOST: selects that repository, with its list in OBJECT_LIST. False, with REPOSITORY_ERROR, if it did
# not answer or has none. Needs await_answers.
take_answer() {
  local folder="$SCRATCH/asked.$1"
  select_repository "$1" "$2"
  if [[ -e $folder/answer ]]; then REPOSITORY_ERROR="$(<"$folder/answer")"
  else
    REPOSITORY_ERROR="$(tail -n 1 -- "$folder/words")"
    REPOSITORY_ERROR=${REPOSITORY_ERROR:-no answer within $ANSWER_PATIENCE_SECONDS s}
  fi
  # Whoever touches a path again that hangs gets the same answer at once.
  if [[ -e $folder/hung.$REPOSITORY ]]; then mv -f -- "$folder/hung.$REPOSITORY" "$SCRATCH"; fi
  if [[ -n $REPOSITORY_ERROR ]]; then return 1; fi
  mv -f -- "$folder/${OBJECT_LIST##*/}" "$OBJECT_LIST"
}

# end_asking: the exit hook of ask_repositories, for a command that was ended meanwhile.
end_asking() {
  local index
  for index in "${!ASKED_JOBS[@]}"; do
    if [[ ! -e $SCRATCH/asked.$index/answer ]]; then end_unwaited "${ASKED_JOBS[$index]}"; fi
  done
}

# end_unwaited PID: ends a job and what it has started, without waiting for either. The job is stopped first: it must
# neither start something else nor say in its own words that what it had started has ended.
end_unwaited() {
  local child
  kill -STOP "$1" 2>/dev/null || true
  while IFS= read -r child; do
    if [[ -n $child ]]; then end_unwaited "$child"; fi
  done < <(tr ' ' '\n' 2>/dev/null <"/proc/$1/task/$1/children")
  kill -KILL "$1" 2>/dev/null || true
}

# bytes_moved PID: what PID and all below it, and those of them that have ended, have read and written so far.
bytes_moved() {
  local process name value bytes=0
  for process in $(processes_of "$1"); do
    while read -r name value; do
      if [[ $name == [rw]char: && $value =~ ^[0-9]+$ ]]; then bytes=$(( bytes + value )); fi
    done 2>/dev/null <"/proc/$process/io" || true
  done
  printf '%d' "$bytes"
}
