# shellcheck shell=bash
# From blocks to objects: packed, compressed, hashed and sent in one stream, without a temporary copy.

# pack_block DIR ULID: the object of one block on standard output. The same block always gives the same bytes, so that a
# damaged object can be replaced under its name; chunks and index never change, meta.json and tombstones go into the manifest.
# Other files that lie there are none of the server's, and a restore takes no object with one in it.
pack_block() {
  local segments=("$1/$2"/chunks/[0-9][0-9][0-9][0-9][0-9][0-9])
  if [[ ! -e ${segments[0]} ]]; then segments=(); fi
  tar --create --directory "$1" --no-recursion --format=gnu --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --mtime=@0 -- "$2/chunks" "${segments[@]/#"$1/"/}" "$2/index" | compress "$PACK_THREADS"
}

# compress THREADS: zstd from standard input to output. The number of threads does not change the bytes, and all repositories get the same, so
# that one can stand in for another. Chunks repeat themselves in four bytes rather than in the five or more that zstd looks for up to level 12.
# Jobs of 2 MB that know nothing of the one before take a third of the memory of those that zstd chooses (docs/decisions/009-compression.md).
compress() {
  local tuning=ovlog=1
  if (( COMPRESSION_LEVEL > 1 && COMPRESSION_LEVEL < 13 )); then tuning+=,mml=4; fi
  zstd --quiet "-$COMPRESSION_LEVEL" "-T$1" -B2M "--zstd=$tuning"
}

# send OBJECT COMMAND...: stores what COMMAND prints as OBJECT. Sets SENT_BYTES and SENT_SHA256; tries three times.
send() {
  local object=$1 try
  check_object "$object" || return 1
  for try in 1 2 3; do
    REPOSITORY_ERROR=""
    if at_repository send "$@"; then return 0; fi
    if [[ -z $REPOSITORY_ERROR ]]; then REPOSITORY_ERROR="the data could not be read or compressed"; fi
    case "$REPOSITORY_ERROR" in
      *"No space left"* | "no answer "* | *quota* | *credentials* | *"may not do this"*) REPOSITORY_ERROR="$object: $REPOSITORY_ERROR"; return 1 ;;
    esac
    if (( try < 3 )); then sleep $(( try * 2 )); fi
  done
  REPOSITORY_ERROR="$object: $REPOSITORY_ERROR (3 tries)"
  return 1
}

# send_path OBJECT COMMAND...: one try on a path: written aside, hashed as it lies there while it is flushed, renamed. That the name lasts as well is
# left to settle_path, once for all.
send_path() {
  local object=$1 target="$REPOSITORY_ROOT/$1" temp errors="$SCRATCH/error.$BASHPID" flushing
  shift
  temp="${target%/*}/.partial-$$-${BASHPID}-${target##*/}"
  if { [[ -d ${target%/*} ]] || mkdir -p -- "${target%/*}" 2>"$errors"; } && { "$@" >"$temp"; } 2>"$errors" &&
    allow_quiet "$(stat --format %s -- "$temp")" && { sync -- "$temp" 2>"$errors" & flushing=$!; } &&
    SENT_BYTES="$(stat --format %s -- "$temp")" && SENT_SHA256="$(openssl dgst -sha256 -r "$temp")" && wait "$flushing" &&
    mv -f -- "$temp" "$target" 2>"$errors"; then SENT_SHA256="${SENT_SHA256:0:64}"; return 0; fi
  rm -f -- "$temp"
  mv -f -- "$errors" "$SCRATCH/error"
  path_failed
  return 1
}

# send_rclone OBJECT COMMAND...: one try on a remote. Fifos carry the count and the hash of what was sent, because bash does
# not tell the status of a process substitution.
send_rclone() {
  local object=$1 counter hasher status=0 base="$SCRATCH/send.$BASHPID"
  shift
  rm -f -- "$base".*
  mkfifo -- "$base.count" "$base.hash" || return 1
  wc -c <"$base.count" >"$base.bytes" &
  counter=$!
  openssl dgst -sha256 -r <"$base.hash" >"$base.sum" &
  hasher=$!
  "$@" | tee -- "$base.count" "$base.hash" | put_rclone "$object" || status=$?
  wait "$counter" || status=$?
  wait "$hasher" || status=$?
  if (( status == 0 )); then
    SENT_BYTES="$(cat -- "$base.bytes")"
    SENT_SHA256="$(cut -c 1-64 "$base.sum")"
    rm -f -- "$base".*
    return 0
  fi
  # The far end took a stream whose source failed: what it holds there now is cut off.
  if [[ -z $REPOSITORY_ERROR ]] && ! object_bytes "$object" >/dev/null; then repository_delete_one "$object" || true; fi
  return 1
}

# store_blocks PLAN DIR: sends the blocks of PLAN.todo (ULID, recorded object, its checksum, kind, manifest entry), several at
# a time; PLAN.uploaded gets their manifest entries, a line each. False after the first failure, with REPOSITORY_ERROR set;
# what was stored stays noted.
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
bytes_in() { awk 'match($0, /"bytes":[0-9]+/) { n += substr($0, RSTART + 8, RLENGTH - 8) } END { printf "%.0f", n }' "$1"; }

# bytes_packed PID: sets ARRIVED to the bytes of the blocks that are stored, and what is read of those on their way. It is
# read as fast as it is sent, but for what pipes hold.
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

# store_block ENTRY-FILE DIR ULID OBJECT SHA256: sends one block, as a job; appends its manifest entry to the journal, so that
# a run which is cut off later need not send it again. The result ("ok" or the error) goes to ENTRY-FILE.result.
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
    # The recorded object is gone or damaged, and a newer zstd writes other bytes: older manifests must not point to them.
    object="blocks/$ulid.r$BACKUP.tar.zst"
  fi
  if [[ "$(<"$file")" =~ \"bytes\":([0-9]+) ]]; then SENDING_BYTES=${BASH_REMATCH[1]}; fi
  if [[ $stored == false ]] && ! send "$object" pack_block "$directory" "$ulid"; then
    printf '%s\n' "${REPOSITORY_ERROR:-unknown}" >"$file.result"
    exit 1
  fi
  # In a job that is called as part of a condition, set -e does not hold.
  entry="$(<"$file")" || exit 1
  printf -v entry '{"object":"%s","objectBytes":%d,"objectSha256":"%s",%s' "$object" "$SENT_BYTES" "$SENT_SHA256" "${entry#\{}"
  printf '%s\n' "$entry" >"$file.done" || exit 1
  if [[ $object != heads/* ]]; then
    exec {lock}>>"$STATE_DIR/journal/$REPOSITORY.lock"
    flock "$lock"
    printf '%s\n' "$entry" >>"$STATE_DIR/journal/$REPOSITORY"
    exec {lock}>&-
  fi
  printf 'ok\n' >"$file.result"
}

# is_there OBJECT DIR ULID: whether the repository holds just what this block packs to, though no manifest that was looked at says so: one of long
# ago may, of a time before a restore, or one that is damaged. Sets what send sets.
is_there() {
  local object=$1 there name="$SCRATCH/there.$BASHPID"
  printf '%s\n' "$object" >"$name"
  there="$(repository_hash "$name" | cut -f 1)" || return 1
  if [[ ! $there =~ $SHA256_PATTERN || "$(pack_block "$2" "$3" | openssl dgst -sha256 -r)" != "$there "* ]]; then return 1; fi
  SENT_BYTES="$(object_bytes "$object")" SENT_SHA256=$there
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
  if (( ${#stored[@]} == 0 )); then : >"$plan.uploaded"; else cat -- "${stored[@]}" >"$plan.uploaded"; fi || error="${error:-its notes cannot be written}"
  if [[ -z $error ]] && (( $(wc -l <"$plan.uploaded") != count )); then error="the notes of what was uploaded are not whole"; fi
  if [[ -n $error ]]; then REPOSITORY_ERROR=$error; return 1; fi
}
