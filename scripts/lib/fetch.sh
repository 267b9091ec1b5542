# shellcheck shell=bash
# Download: objects stream through checksum, decompression and tar into a staging directory. A block gets its ULID as a name there
# only when all of it was checked, so what an interrupted restore leaves can be continued, and never be taken for a whole block.

# fetch_selected DIR: the selected blocks of BACKUP into DIR, PARALLEL at a time. Ends with 7, 8 or 9 and names block and repository.
fetch_selected() {
  STAGING=$1
  FETCHED_BYTES=0
  local started=${EPOCHREALTIME/./} took
  prepare_staging
  read_block_files
  read_copies
  fetch_blocks
  fetch_archive
  fetch_wal
  report_damage
  sync --file-system -- "$STAGING" || true
  took=$(( ${EPOCHREALTIME/./} - started ))
  if (( FETCHED_BYTES > 10000000 && took > 0 )); then
    FETCH_SPEED=$(( FETCHED_BYTES * 1000000 / took ))
    say "Fetched and checked $(human_bytes "$FETCHED_BYTES") in $(seconds_text $(( took / 1000 ))) ($(human_bytes "$FETCH_SPEED")/s)."
    if [[ $COMMAND == restore ]]; then note_metrics restore_bytes_per_second "$FETCH_SPEED"; fi
  fi
}

# prepare_staging: makes STAGING, or keeps what an earlier try for the same backup had finished there.
prepare_staging() {
  local digest index ulid
  digest="$(jq --raw-output .digest "$MANIFEST")"
  mkdir --parents -- "$STAGING" || die "$EXIT_SPACE" "$STAGING cannot be made" "look at that file system; nothing was touched"
  chmod 0700 -- "$STAGING"
  if [[ "$(cat -- "$STAGING/digest" 2>/dev/null)" != "$digest" ]]; then find "$STAGING" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +; fi
  find "$STAGING" -mindepth 1 -maxdepth 1 -name 'part-*' -exec rm -rf -- {} +
  printf '%s\n' "$digest" >"$STAGING/digest" || die "$EXIT_SPACE" "$STAGING cannot be written" "free space (or inodes) there; nothing was touched"
  for ulid in "$STAGING"/*; do
    ulid="${ulid##*/}"
    if [[ $ulid =~ $ULID_PATTERN && " ${B_ULID[*]} " != *" $ulid "* ]]; then rm -rf -- "${STAGING:?}/$ulid"; fi
  done
  for index in "${!B_ULID[@]}"; do
    ulid="${B_ULID[index]}"
    if [[ -d $STAGING/$ulid ]] && ! check_block "$STAGING/$ulid" "$index"; then rm -rf -- "${STAGING:?}/$ulid"; fi
  done
}

# count_staged DIR: how many selected blocks an earlier try has finished there.
count_staged() {
  local ulid count=0
  if [[ "$(cat -- "$1/digest" 2>/dev/null)" == "$(jq --raw-output .digest "$MANIFEST")" ]]; then
    for ulid in "${B_ULID[@]}"; do if [[ -d $1/$ulid ]]; then count=$(( count + 1 )); fi; done
  fi
  printf '%d' "$count"
}

# read_block_files: the small files that the manifest holds itself: BLOCK_META and BLOCK_TOMBSTONES (base64) by ULID.
read_block_files() {
  local ulid meta marks
  declare -gA BLOCK_META=() BLOCK_TOMBSTONES=()
  while IFS= read -r ulid && IFS= read -r meta && IFS= read -r marks; do
    BLOCK_META[$ulid]=$meta
    BLOCK_TOMBSTONES[$ulid]=$marks
  done < <(jq --raw-output '.[] | .ulid, (.meta | tojson), (.tombstones // "" | gsub("[^A-Za-z0-9+/=]"; ""))' "$SELECTED")
}

# fetch_blocks: one object a block.
fetch_blocks() {
  local index running=0 todo=() total=0 count=0
  for index in "${!B_ULID[@]}"; do
    if [[ -n ${B_OBJECT[index]} && ! -d $STAGING/${B_ULID[index]} ]]; then todo+=("$index") total=$(( total + B_OBJECT_BYTES[index] )); fi
  done
  rm -f -- "$SCRATCH"/fetch.*
  for index in "${todo[@]}"; do
    if (( running >= PARALLEL )); then wait -n || true; running=$(( running - 1 )); fi
    if [[ -e $SCRATCH/fetch.failed ]]; then break; fi
    count=$(( count + 1 ))
    if is_terminal; then progress "block $count of ${#todo[@]}, $(human_bytes "$FETCHED_BYTES") of $(human_bytes "$total")"; fi
    in_background fetch_block "$index"
    running=$(( running + 1 ))
    FETCHED_BYTES=$(( FETCHED_BYTES + B_OBJECT_BYTES[index] ))
  done
  wait || true
  progress_done
  for index in "${todo[@]}"; do
    if [[ -s $SCRATCH/fetch.$index.error ]]; then fetch_failed "block ${B_ULID[index]}" "$(cat -- "$SCRATCH/fetch.$index.error")"; fi
  done
  for index in "${todo[@]}"; do
    if [[ ! -d $STAGING/${B_ULID[index]} ]]; then fetch_failed "block ${B_ULID[index]}" "$EXIT_REPOSITORY its download ended without a result"; fi
  done
}

# fetch_block INDEX: one block, as a job. Tries every repository that lists its object; a failure is left as "CODE WORDS".
fetch_block() {
  local index=$1 part
  part="$STAGING/part-${B_ULID[index]}"
  if fetch_from_any "${B_OBJECT[index]}" "${B_OBJECT_BYTES[index]}" "${B_SHA256[index]}" "$part" unpack_block "${B_ULID[index]}" &&
    finish_block "$part" "$index"; then return 0; fi
  rm -rf -- "$part"
  printf '%s\n' "$FETCH_ERROR" >"$SCRATCH/fetch.$index.error"
  : >"$SCRATCH/fetch.failed"
}

# fetch_from_any OBJECT BYTES SHA256 DIR COMMAND ARG...: feeds the object to COMMAND in DIR, from the first repository that has it
# right; a transfer that breaks is tried twice. False sets FETCH_ERROR ("CODE WORDS").
fetch_from_any() {
  local object=$1 bytes=$2 sha256=$3 directory=$4 try index copies=()
  shift 4
  FETCH_ERROR="$EXIT_NOT_FOUND no repository has its object $object with $bytes bytes"
  read_copies
  read -r -a copies <<<"${COPIES["$object|$bytes"]:-}" || true
  for index in "${copies[@]}"; do
    select_repository "$index" "$RESTORE_HOST"
    for try in 1 2; do
      if [[ -e $directory ]]; then rm -rf -- "$directory"; fi
      mkdir --mode=0700 -- "$directory" || { FETCH_ERROR="$EXIT_SPACE $directory cannot be made"; return 1; }
      if fetch_object "$object" "$sha256" "$directory" "$@"; then return 0; fi
      if [[ $FETCH_ERROR == "$EXIT_SPACE "* ]]; then return 1; fi
      if [[ $FETCH_ERROR == "$EXIT_VERIFICATION "* ]]; then printf '%s\t%s\n' "$REPOSITORY" "$object" >>"$SCRATCH/damaged.found"; break; fi
    done
  done
  return 1
}

# fetch_object OBJECT SHA256 DIR COMMAND ARG...: one try. False sets FETCH_ERROR.
fetch_object() {
  local object=$1 sha256=$2 directory=$3 base sum=""
  shift 3
  FETCH_NUMBER=$(( ${FETCH_NUMBER:-0} + 1 ))
  base="$SCRATCH/get.$BASHPID.$FETCH_NUMBER"
  "read_from_$REPOSITORY_TYPE" "$object" "$base" "$@" "$directory" || true
  read -r sum _ 2>/dev/null <"$base.sum" || true
  if [[ -e $base.error ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY repository $REPOSITORY ($REPOSITORY_SHOWN): $object: $(cat -- "$base.error")"
  elif [[ -s $base.words ]] && grep --quiet --ignore-case 'no space left\|quota' "$base.words"; then
    FETCH_ERROR="$EXIT_SPACE no space left in $directory"
  elif [[ $sum != "$sha256" ]]; then
    FETCH_ERROR="$EXIT_VERIFICATION repository $REPOSITORY ($REPOSITORY_SHOWN): $object is damaged: its checksum is not the recorded one"
  elif [[ -e $base.failed ]]; then
    FETCH_ERROR="$EXIT_VERIFICATION $object cannot be unpacked: $(head -c 200 -- "$base.words" | tr '\n' ' ')"
  else
    return 0
  fi
  return 1
}

# read_from_path OBJECT BASE COMMAND...: from a file. Hash and COMMAND read it side by side, both from the page cache, which spares a
# copy of every byte. BASE.sum gets the hash, BASE.words what COMMAND said, BASE.failed and BASE.error tell of failures.
read_from_path() {
  local file="$REPOSITORY_ROOT/$1" base=$2 hasher
  shift 2
  if ! check_object "${file#"$REPOSITORY_ROOT/"}" || [[ ! -r $file ]]; then printf '%s' "${REPOSITORY_ERROR:-cannot be read}" >"$base.error"; return 0; fi
  openssl dgst -sha256 -r <"$file" >"$base.sum" 2>"$base.hash.words" &
  hasher=$!
  "$@" <"$file" 2>"$base.words" || printf '%d' $? >"$base.failed"
  wait "$hasher" || printf '%s' "$(head -c 200 -- "$base.hash.words")" >"$base.error"
}

# read_from_rclone OBJECT BASE COMMAND...: from a stream. What COMMAND does not read is still read here, so that the hash covers all of it.
read_from_rclone() {
  local object=$1 base=$2 hasher
  shift 2
  mkfifo -- "$base.hash" || { printf 'no fifo can be made in %s' "$SCRATCH" >"$base.error"; return 0; }
  openssl dgst -sha256 -r <"$base.hash" >"$base.sum" &
  hasher=$!
  { repository_get "$object" || printf '%s' "${REPOSITORY_ERROR:-unknown reason}" >"$base.error"; } |
    tee -- "$base.hash" | { "$@" 2>"$base.words" || printf '%d' $? >"$base.failed"; cat >/dev/null; }
  wait "$hasher" || true
}

# unpack_block ULID DIR: standard input is the object of one block; its chunks and index land in DIR.
unpack_block() {
  zstd --decompress --stdout --quiet | tar --extract --directory "$2" --no-same-owner --no-same-permissions --strip-components=1 -- "$1/chunks" "$1/index"
}

# finish_block DIR INDEX: adds meta.json and tombstones, checks the block and gives it its name. False sets FETCH_ERROR.
finish_block() {
  local directory=$1 index=$2 ulid=${B_ULID[$2]}
  if ! printf '%s\n' "${BLOCK_META[$ulid]}" >"$directory/meta.json" || ! write_tombstones "$directory/tombstones" "${BLOCK_TOMBSTONES[$ulid]}"; then
    FETCH_ERROR="$EXIT_SPACE $directory cannot be written"
    return 1
  fi
  if ! check_block "$directory" "$index"; then FETCH_ERROR="$EXIT_VERIFICATION $BLOCK_ERROR"; return 1; fi
  mv --no-target-directory -- "$directory" "$STAGING/$ulid"
}

# write_tombstones FILE BASE64: the recorded file, or one without any marks (magic number, version 1, checksum of nothing).
write_tombstones() {
  if [[ -n $2 ]]; then base64 --decode <<<"$2" >"$1"; else printf '\x01\x30\xba\x30\x01\x00\x00\x00\x00' >"$1"; fi
}

# check_block DIR INDEX: nothing but the files of a block, as many bytes as recorded, and the right meta.json. False sets BLOCK_ERROR.
check_block() {
  local directory=$1 index=$2 bytes=0 kind size path
  BLOCK_ERROR=""
  find "$directory" -mindepth 1 -printf '%y %s %P\n' | while read -r kind size path; do
    case "$kind $path" in
      "d chunks" | "f meta.json" | "f tombstones") ;;
      "f index" | "f chunks/"[0-9][0-9][0-9][0-9][0-9][0-9]) bytes=$(( bytes + size )) ;;
      *) BLOCK_ERROR="its object holds '$path', which no block has" ;;
    esac
  done
  if [[ -n $BLOCK_ERROR ]]; then return 1; fi
  if [[ ! -f $directory/index || ! -s $directory/meta.json || $bytes != "${B_BYTES[index]}" ]]; then
    BLOCK_ERROR="it has $bytes bytes instead of ${B_BYTES[index]}, or lacks its index or meta.json"
    return 1
  fi
}

# fetch_failed WHAT "CODE WORDS": ends with CODE. What was finished stays for the next try, unless the disk is full.
fetch_failed() {
  report_damage
  local code=${2%% *} after="the data of the server are untouched; run the same command again, it continues where this one stopped"
  if (( code == EXIT_SPACE )); then rm -rf -- "$STAGING"; after="the data of the server are untouched and the partial download was removed; free space and try again"; fi
  if (( code == EXIT_VERIFICATION )); then after="the data of the server are untouched; use another repository or backup, or leave this block out with --block or --from/--to"; fi
  die "$code" "$1 could not be restored: ${2#* }" "$after"
}

# report_damage: objects that were not as recorded are named, and noted for the next run, which sends them again if the server has them.
report_damage() {
  local repository object
  if [[ ! -s $SCRATCH/damaged.found ]]; then return 0; fi
  while IFS=$'\t' read -r repository object; do
    warn "$object in repository $repository is damaged; where another repository has it whole, that one was used"
    if [[ $RESTORE_HOST != "$HOST_NAME" || ! -d $BACKUP_STATE ]]; then continue; fi
    # shellcheck disable=SC2016  # the inner shell expands it
    as_backup_user sh -c 'mkdir -p -- "$1" && printf "%s\n" "$3" >>"$1/$2"' sh "$BACKUP_STATE/damaged" "$repository" "$object" || true
  done < <(sort --unique "$SCRATCH/damaged.found")
  rm -f -- "$SCRATCH/damaged.found"
}
