# shellcheck shell=bash
# The blocks of a backup, each as an object in the repository, several at a time.

# store_blocks PLAN DIR: sends the blocks of PLAN.todo (ULID, recorded object, its checksum, kind, manifest entry),
# several at a time; PLAN.uploaded gets their manifest entries, a line each. False after the first failure, with
# REPOSITORY_ERROR set; what was stored stays noted.
store_blocks() {
  local plan=$1 directory count jobs index=0 running=0 ulid object sha256 kind entry total=0 SENDING_PLAN=$1
  mkdir -p -- "$STATE_DIR/journal"
  count="$(wc -l <"$plan.todo")"
  jobs="$(transfer_jobs)"
  if watches_progress; then total="$(bytes_in "$plan.todo")"; fi
  while IFS=$'\t' read -r ulid object sha256 kind entry; do
    if (( running >= jobs )); then
      if ! wait -n; then break; fi
      running=$(( running - 1 ))
    fi
    index=$(( index + 1 ))
    PACK_THREADS=1
    # One job alone, as each of the last ones will be, packs with more.
    if (( jobs < PARALLEL || index > count - jobs + 1 )); then PACK_THREADS=$PARALLEL; fi
    progress_bytes "$REPOSITORY: block $index of $count" "$total" bytes_packed
    printf '%s' "$entry" >"$plan.$index"
    if [[ $kind == head ]]; then object="heads/$BACKUP.tar.zst" sha256=-; fi
    if [[ $kind == held ]]; then directory=$HELD_DIRECTORY; else directory=$2; fi
    in_background store_block "$plan.$index" "$directory" "$ulid" "$object" "$sha256"
    running=$(( running + 1 ))
  done <"$plan.todo"
  wait || true
  progress_done
  collect_results "$plan" "$count"
}

# bytes_in FILE: of the manifest entries in it, what their blocks hold.
bytes_in() {
  awk 'match($0, /"bytes":[0-9]+/) { n += substr($0, RSTART + 8, RLENGTH - 8) } END { printf "%.0f", n }' "$1"
}

# bytes_packed PID: sets ARRIVED to the bytes of the blocks that are stored, and what is read of those on their way. It
# is read as fast as it is sent, but for what pipes hold.
bytes_packed() {
  local process name result
  for result in "$SENDING_PLAN".*.result; do
    if [[ -e $result ]]; then ARRIVED=$(( ARRIVED + $(bytes_in "${result%.result}") )); fi
  done
  for process in $(processes_of "$1"); do
    { read -r name <"/proc/$process/comm"; } 2>/dev/null || continue
    if [[ $name == tar ]]; then add_read "$process"; fi
  done
}

# store_block ENTRY-FILE DIR ULID OBJECT SHA256: sends one block, as a job; appends its manifest entry to the journal,
# so that a run which is cut off later need not send it again. The result ("ok" or the error) goes to ENTRY-FILE.result.
# OBJECT and SHA256: what the newest manifests recorded of this block, or "-".
store_block() {
  local file=$1 directory=$2 ulid=$3 object=$4 sha256=$5 entry lock stored=false
  if [[ $object == - ]]; then
    object="blocks/$ulid.tar.zst"
    if object_bytes "$object" >/dev/null; then
      # What lies there is never written over: some manifest may need it as it is.
      if is_there "$object" "$directory" "$ulid"; then stored=true; else object="blocks/$ulid.r$BACKUP.tar.zst"; fi
    fi
  elif [[ $sha256 != - && "$(pack_block "$directory" "$ulid" | openssl dgst -sha256 -r)" != "$sha256 "* ]]; then
    # The recorded object is gone or damaged, and a newer zstd writes other bytes: older manifests must not point to
    # them.
    object="blocks/$ulid.r$BACKUP.tar.zst"
  fi
  if [[ "$(<"$file")" =~ \"bytes\":([0-9]+) ]]; then SENDING_BYTES=${BASH_REMATCH[1]}; fi
  if [[ $stored == false ]] && ! send "$object" pack_block "$directory" "$ulid"; then
    printf '%s\n' "${REPOSITORY_ERROR:-unknown}" >"$file.result"
    exit 1
  fi
  # In a job that is called as part of a condition, set -e does not hold.
  entry="$(<"$file")" || exit 1
  printf -v entry '{"object":"%s","objectBytes":%d,"objectSha256":"%s",%s' "$object" "$SENT_BYTES" "$SENT_SHA256" \
    "${entry#\{}"
  printf '%s\n' "$entry" >"$file.done" || exit 1
  if [[ $object != heads/* ]]; then
    exec {lock}>>"$STATE_DIR/journal/$REPOSITORY.lock"
    flock "$lock"
    printf '%s\n' "$entry" >>"$STATE_DIR/journal/$REPOSITORY"
    exec {lock}>&-
  fi
  printf 'ok\n' >"$file.result"
}

# collect_results PLAN COUNT: PLAN.uploaded from the jobs' results; false if one failed or did not end.
collect_results() {
  local plan=$1 count=$2 index result error="" stored=()
  for (( index = 1; index <= count; index++ )); do
    result=""
    if [[ -s $plan.$index.result ]]; then result="$(<"$plan.$index.result")"; fi
    if [[ $result == ok ]]; then stored+=("$plan.$index.done")
    elif [[ -z $error ]]; then error="${result:-an upload ended without a result}"; fi
  done
  if (( ${#stored[@]} == 0 )); then
    : >"$plan.uploaded"
  else
    cat -- "${stored[@]}" >"$plan.uploaded"
  fi || error="${error:-its notes cannot be written}"
  if [[ -z $error ]] && (( $(wc -l <"$plan.uploaded") != count )); then
    error="the notes of what was uploaded are not whole"
  fi
  if [[ -n $error ]]; then REPOSITORY_ERROR=$error; return 1; fi
}
