# shellcheck shell=bash
# Download: objects stream through checksum, decompression and tar into a staging directory. A block gets its ULID as a
# name there only when all of it was checked, so what an interrupted restore leaves can be continued, and never be taken
# for a whole block.

# What an archive may hold: directories, and files with one name and no bits but those for reading, writing and
# executing.
readonly PLAIN_MEMBER='^(d[0-7]+|f[0-7]{1,3},1)$'

# fetch_selected DIR: the selected blocks of BACKUP into DIR, several at a time. Ends with 7, 8 or 9 and names block and
# repository.
fetch_selected() {
  STAGING=$1
  FETCHED_BYTES=0
  local started=${EPOCHREALTIME/./} took speed=""
  begin_phase download
  prepare_staging
  read_copies
  fetch_blocks
  fetch_archive
  fetch_wal
  report_damage "another repository had it whole, and that one was used"
  sync --file-system -- "$STAGING" || true
  took=$(( ${EPOCHREALTIME/./} - started ))
  if (( FETCHED_BYTES > 10000000 && took > 0 )); then
    FETCH_SPEED=$(( FETCHED_BYTES * 1000000 / took ))
    speed=" ($(human_bytes "$FETCH_SPEED")/s)"
    if [[ $PHASED == false ]] || ! is_terminal; then
      say "Fetched and checked $(human_bytes "$FETCHED_BYTES") in $(seconds_text $(( took / 1000 )))$speed."
    fi
    if [[ $COMMAND == restore ]]; then note_metrics restore_bytes_per_second "$FETCH_SPEED" "repository=$REPOSITORY"; fi
  fi
  PHASE_WORDS="$(human_bytes "$FETCHED_BYTES") from $REPOSITORY, checked as it came$speed"
  if (( FETCHED_BYTES == 0 )); then PHASE_WORDS="all of it was there already"; fi
  end_phase
}

# prepare_staging: makes STAGING, or keeps what an earlier try for the same backup had finished there.
prepare_staging() {
  local index ulid old
  as_owner mkdir --parents -- "$STAGING" || die "$EXIT_SPACE" "$STAGING cannot be made" \
    "look at that file system; nothing was touched"
  as_owner chmod 0700 -- "$STAGING"
  if ! is_staged "$STAGING"; then as_owner find "$STAGING" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +; fi
  for old in "$STAGING"/part-*; do
    if [[ -e $old ]]; then as_owner rm -rf -- "$old"; fi
  done
  printf '%s\n' "$M_DIGEST" | write_as_owner "$STAGING/digest" ||
    die "$EXIT_SPACE" "$STAGING cannot be written" "free space (or inodes) there; nothing was touched"
  for ulid in "$STAGING"/*; do
    ulid="${ulid##*/}"
    if [[ $ulid =~ $ULID_PATTERN && " ${B_ULID[*]} " != *" $ulid "* ]]; then as_owner rm -rf -- "${STAGING:?}/$ulid"; fi
  done
  for index in "${!B_ULID[@]}"; do
    ulid="${B_ULID[index]}"
    if [[ -d $STAGING/$ulid ]] && ! check_block "$STAGING/$ulid" "$index"; then
      as_owner rm -rf -- "${STAGING:?}/$ulid"
    fi
  done
}

# is_staged DIR: whether an earlier try for this very backup has left something there.
is_staged() { [[ -e $1/digest && "$(as_owner cat -- "$1/digest" 2>/dev/null)" == "$M_DIGEST" ]]; }

# write_as_owner FILE: standard input goes to FILE.
write_as_owner() { as_owner tee -- "$1" >/dev/null; }

# fetch_blocks: one object a block; several jobs, each with a batch of blocks.
fetch_blocks() {
  local index jobs running=0 todo=() batches=() folders=() total=0 batch FETCH_RAW=0 FETCH_TOTAL
  for index in "${!B_ULID[@]}"; do
    if [[ -n ${B_OBJECT[index]} && ! -d $STAGING/${B_ULID[index]} ]]; then
      todo+=("$index") total=$(( total + B_OBJECT_BYTES[index] )) FETCH_RAW=$(( FETCH_RAW + B_BYTES[index] ))
    fi
  done
  FETCH_TOTAL=$total
  rm -f -- "$SCRATCH"/fetch.*
  make_batches "$total"
  jobs="$(transfer_jobs)"
  for batch in "${batches[@]}"; do
    if (( running >= jobs )); then wait -n || true; running=$(( running - 1 )); fi
    if [[ -e $SCRATCH/fetch.failed ]]; then break; fi
    progress_bytes "from $REPOSITORY:" "$total" bytes_staged
    # shellcheck disable=SC2086  # a batch is a list of numbers
    in_background fetch_batch $batch
    running=$(( running + 1 ))
    for index in $batch; do FETCHED_BYTES=$(( FETCHED_BYTES + B_OBJECT_BYTES[index] )); done
  done
  wait || true
  progress_done
  if (( ${#folders[@]} > 0 )); then as_owner rm -rf -- "${folders[@]}"; fi
  for index in "${todo[@]}"; do
    if [[ -s $SCRATCH/fetch.$index.error ]]; then
      fetch_failed "block ${B_ULID[index]}" "$(cat -- "$SCRATCH/fetch.$index.error")"
    fi
  done
  for index in "${todo[@]}"; do
    if [[ ! -d $STAGING/${B_ULID[index]} ]]; then
      fetch_failed "block ${B_ULID[index]}" "$EXIT_REPOSITORY its download ended without a result"
    fi
  done
}

# bytes_staged: sets ARRIVED to the bytes of objects that have come to STAGING: as they are, or unpacked to more.
bytes_staged() {
  as_owner find "$STAGING" -type f -printf '%s %P\n' 2>/dev/null | awk -v packed="$FETCH_TOTAL" -v raw="$FETCH_RAW" '
    { split($2, path, "/"); part = path[1] }
    sub(/-objects$/, "", part) { come[part] += $1; next }
    { unpacked[part] += $1 }
    END { ratio = raw > 0 ? packed / raw : 0; for (part in unpacked) {
      if (unpacked[part] * ratio > come[part]) come[part] = unpacked[part] * ratio }
      for (part in come) n += come[part]; printf "%.0f\n", n }' | read -r ARRIVED
}

# unpack_block ULID DIR: standard input is the object of one block; its chunks and index land in DIR.
unpack_block() {
  local unpacker=(zstd --decompress --stdout --quiet)
  unpack_members "$2" --strip-components=1 -- "$1/chunks" "$1/index"
}

# finish_block DIR INDEX: adds meta.json and tombstones, checks the block and gives it its name. False sets FETCH_ERROR.
finish_block() {
  local directory=$1 index=$2 ulid=${B_ULID[$2]} status=0
  if ! add_block_files "$directory/.." "${directory##*/}" "$index"; then
    FETCH_ERROR="$EXIT_SPACE $directory cannot be written"
    return 1
  fi
  check_block "$directory" "$index" || status=$?
  if (( status == 3 )); then FETCH_ERROR="$EXIT_REPOSITORY $BLOCK_ERROR"; return 1; fi
  if (( status != 0 )); then FETCH_ERROR="$EXIT_VERIFICATION $BLOCK_ERROR"; return 1; fi
  as_owner mv --no-target-directory -- "$directory" "$STAGING/$ulid"
}

# add_block_files DIR NAME INDEX [NAME INDEX...]: to the blocks DIR/NAME their meta.json, and the recorded tombstones or
# a file without any marks (magic number, version 1, checksum of nothing). Made in SCRATCH, so that one program brings
# those of a whole batch.
add_block_files() {
  local directory=$1 made="$SCRATCH/files.$BASHPID" ulid marks names=()
  rm -rf -- "$made"
  shift
  while (( $# > 0 )); do
    ulid=${B_ULID[$2]} marks=${BLOCK_TOMBSTONES[${B_ULID[$2]}]}
    mkdir --parents -- "$made/$1" && printf '%s\n' "${BLOCK_META[$ulid]}" >"$made/$1/meta.json" || return 1
    if [[ -n $marks ]]; then base64 --decode <<<"$marks" >"$made/$1/tombstones" || return 1
    else printf '\x01\x30\xba\x30\x01\x00\x00\x00\x00' >"$made/$1/tombstones" || return 1; fi
    names+=("$1/meta.json" "$1/tombstones")
    shift 2
  done
  tar --create --directory "$made" --format=gnu -- "${names[@]}" |
    as_owner tar --extract --directory "$directory" --no-same-owner --no-same-permissions || return 1
  rm -rf -- "$made"
}

# plain_members DIR: every entry below DIR, a line each: d or f, its bytes and its path. Of anything else, such as a
# link, a device or a program with the rights of its owner, the first word is "-".
plain_members() {
  local kind size path
  as_owner find "$1" -mindepth 1 \( -type d -printf 'd%m' -o -type f -printf 'f%m,%n' -o -printf '%y' \) \
    -printf ' %s %P\n' |
    while read -r kind size path; do
      if [[ $kind =~ $PLAIN_MEMBER ]]; then kind=${kind:0:1}; else kind=-; fi
      printf '%s %s %s\n' "$kind" "$size" "$path"
    done
}

# check_block DIR INDEX: nothing but the files of a block, as many bytes as recorded, and the right meta.json. False
# sets BLOCK_ERROR; status 3 if nobody could look.
check_block() {
  local directory=$1 index=$2 bytes=0 kind size path
  BLOCK_ERROR=""
  plain_members "$directory" | while read -r kind size path; do
    case "$kind $path" in
      "d chunks" | "f meta.json" | "f tombstones") ;;
      "f index" | "f chunks/"[0-9][0-9][0-9][0-9][0-9][0-9]) bytes=$(( bytes + size )) ;;
      *) BLOCK_ERROR="its object holds '$path', which no block has" ;;
    esac
  done || { BLOCK_ERROR="what was unpacked could not be listed"; return 3; }
  if [[ -n $BLOCK_ERROR ]]; then return 1; fi
  if [[ ! -f $directory/index || ! -s $directory/meta.json || $bytes != "${B_BYTES[index]}" ]]; then
    BLOCK_ERROR="it has $bytes bytes instead of ${B_BYTES[index]}, or lacks its index or meta.json"
    return 1
  fi
}

# fetch_failed WHAT "CODE WORDS": ends with CODE. What was finished stays for the next try, unless the disk is full.
fetch_failed() {
  report_damage "the next run sends it again if the server still has it"
  local code=${2%% *} after="the data of the server are untouched; run the same command again, it continues where this one stopped"
  if (( code == EXIT_SPACE )); then
    as_owner rm -rf -- "$STAGING"
    after="the data of the server are untouched and the partial download was removed; free space and try again"
  fi
  if (( code == EXIT_VERIFICATION )); then
    after="the data of the server are untouched; use another repository or backup, or leave this block out with --block or --from/--to"
  fi
  die "$code" "$1 could not be restored: ${2#* }" "$after"
}

# report_damage WORDS: objects that were not as recorded are named, with WORDS on what that means now, and noted for the
# next run, which sends them again if the server has them.
report_damage() {
  local repository object words=$1
  if [[ ! -s $SCRATCH/damaged.found ]]; then return 0; fi
  while IFS=$'\t' read -r repository object; do
    warn "$object in repository $repository is damaged; $words"
    if [[ $RESTORE_HOST != "$HOST_NAME" || ! -d $BACKUP_STATE ]]; then continue; fi
    # shellcheck disable=SC2016  # the inner shell expands it
    in_backup_state 'mkdir -p -- "$1" && printf "%s\n" "$3" >>"$1/$2"' "$BACKUP_STATE/damaged" "$repository" \
      "$object" || true
  done < <(sort --unique "$SCRATCH/damaged.found")
  rm -f -- "$SCRATCH/damaged.found"
}
