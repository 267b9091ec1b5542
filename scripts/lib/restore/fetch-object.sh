# shellcheck shell=bash
# One object from a repository into a directory: from the first repository that has it right, hashed while it is
# unpacked.

FETCH_NUMBER=0  # of objects that were asked for, for names of files

# With less than that free, an object as recorded that cannot be unpacked says nothing about the object.
readonly FULL_BYTES=$((1024 * 1024))

# What zstd and gzip, and what tar says if the bytes of an object that came as recorded are what nobody can unpack. What
# else they say is about this host.
readonly BAD_PACKING="$BAD_BYTES|not in gzip format|invalid compressed data|unexpected end of file"
readonly BAD_ARCHIVE='look like a tar archive|Not found in archive|Unexpected EOF|next header|Cannot (mknod|hard link|create symlink)|File exists|Not a directory|Is a directory|Unknown file type'
# The status of unpack_members if the unpacker failed, which tar does after it.
readonly NOT_UNPACKED=100

# fetch_block INDEX: one block, as a job. Tries every repository that lists its object; a failure is left as "CODE
# WORDS".
fetch_block() {
  local index=$1 part
  part="$STAGING/part-${B_ULID[index]}"
  if fetch_from_any "${B_OBJECT[index]}" "${B_OBJECT_BYTES[index]}" "${B_SHA256[index]}" "$part" unpack_block \
    "${B_ULID[index]}" &&
    finish_block "$part" "$index"; then return 0; fi
  as_owner rm -rf -- "$part"
  printf '%s\n' "$FETCH_ERROR" >"$SCRATCH/fetch.$index.error"
  : >"$SCRATCH/fetch.failed"
}

# fetch_from_any OBJECT BYTES SHA256 DIR COMMAND ARG...: feeds the object to COMMAND in DIR, from the first repository
# that has it right; a transfer that breaks is tried twice. False sets FETCH_ERROR ("CODE WORDS").
fetch_from_any() {
  local object=$1 bytes=$2 sha256=$3 directory=$4 try index copies=() code=$EXIT_NOT_FOUND
  shift 4
  if (( ${#UNREACHABLE[@]} > 0 )); then code=$EXIT_REPOSITORY; fi
  FETCH_ERROR="$code $(no_repository) has its object $object with $bytes bytes"
  read_copies
  read -r -a copies <<<"${COPIES["$object|$bytes"]:-}" || true
  for index in "${copies[@]}"; do
    select_repository "$index" "$RESTORE_HOST"
    for try in 1 2; do
      if [[ -e $directory ]]; then as_owner rm -rf -- "$directory"; fi
      as_owner mkdir --mode=0700 -- "$directory" || { FETCH_ERROR="$EXIT_SPACE $directory cannot be made"; return 1; }
      if fetch_object "$object" "$sha256" "$directory" "$@"; then return 0; fi
      if [[ $FETCH_ERROR == "$EXIT_SPACE "* ]]; then return 1; fi
      if [[ $FETCH_ERROR == "$EXIT_VERIFICATION "* ]]; then
        printf '%s\t%s\n' "$REPOSITORY" "$object" >>"$SCRATCH/damaged.found"
        break
      fi
    done
  done
  return 1
}

# fetch_object OBJECT SHA256 DIR COMMAND ARG...: one try. False sets FETCH_ERROR.
fetch_object() {
  local object=$1 sha256=$2 directory=$3 base sum=""
  shift 3
  FETCH_NUMBER=$(( FETCH_NUMBER + 1 ))
  base="$SCRATCH/get.$BASHPID.$FETCH_NUMBER"
  if ! at_repository read_from "$object" "$base" "$@" "$directory" && [[ ! -e $base.error ]]; then
    printf '%s' "${REPOSITORY_ERROR:-unknown reason}" >"$base.error"
  fi
  read -r sum _ 2>/dev/null <"$base.sum" || true
  if [[ -e $base.error ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY repository $REPOSITORY ($REPOSITORY_SHOWN): $object: $(cat -- "$base.error")"
  elif [[ -s $base.words ]] && grep --quiet --ignore-case 'no space left\|quota\|wrote only' "$base.words"; then
    FETCH_ERROR="$EXIT_SPACE no space left in $directory"
  elif [[ ! $sum =~ $SHA256_PATTERN ]] && (( $(free_bytes "$SCRATCH") < FULL_BYTES )); then
    FETCH_ERROR="$EXIT_SPACE no checksum of $object could be written to $SCRATCH"
  elif [[ ! $sum =~ $SHA256_PATTERN ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY $object could not be judged: openssl gave no checksum of it"
  elif [[ $sum == "$NOTHING_SHA256" && $sum != "$sha256" ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY repository $REPOSITORY ($REPOSITORY_SHOWN): $object came without a byte, though the repository lists it"
  elif [[ $sum != "$sha256" ]]; then
    FETCH_ERROR="$EXIT_VERIFICATION repository $REPOSITORY ($REPOSITORY_SHOWN): $object is damaged: its checksum is not the recorded one"
  elif [[ -e $base.failed ]] && (( $(free_bytes "$directory") < FULL_BYTES )); then
    FETCH_ERROR="$EXIT_SPACE no space left in $directory"
  elif [[ -e $base.failed ]]; then
    FETCH_ERROR="$object cannot be unpacked: $(head -c 200 -- "$base.words" | tr '\n' ' ')"
    if is_unpackable "$base"; then FETCH_ERROR="$EXIT_VERIFICATION $FETCH_ERROR"
    else FETCH_ERROR="$EXIT_REPOSITORY $FETCH_ERROR(status $(<"$base.failed"); a program of this host failed)"; fi
  else
    return 0
  fi
  return 1
}

# is_unpackable BASE: whether it is the bytes of an object, and no program that was killed, why COMMAND failed. Its
# checksum is right, so they are as they were packed.
is_unpackable() {
  local words=$BAD_ARCHIVE
  # To whom tar does not listen any more has not failed by itself.
  if [[ "$(<"$1.failed")" == "$NOT_UNPACKED" ]] && ! grep --quiet 'Broken pipe' "$1.words"; then words=$BAD_PACKING; fi
  grep --quiet --extended-regexp -- "$words" "$1.words"
}

# unpack_members DIR ARG...: unpacks standard input with the caller's unpacker and tar, which gets ARG, into DIR. Status
# NOT_UNPACKED if it is the unpacker that failed.
unpack_members() {
  local ended=() directory=$1
  shift
  as_owner "${unpacker[@]}" | as_owner tar --extract --directory "$directory" --no-same-owner --no-same-permissions \
    "$@" || ended=("${PIPESTATUS[@]}")
  if (( ${#ended[@]} == 0 )); then return 0; fi
  if (( ended[0] != 0 && ended[0] != 141 )); then return "$NOT_UNPACKED"; fi
  return "$(( ended[1] != 0 ? ended[1] : NOT_UNPACKED ))"
}

# read_from_path OBJECT BASE COMMAND...: from a file. Hash and COMMAND read it side by side, both from the page cache.
# BASE.sum gets the hash, BASE.words what COMMAND said, BASE.failed and BASE.error tell of failures.
read_from_path() {
  local file="$REPOSITORY_ROOT/$1" base=$2 hasher read=0 hashed=0 bytes=0
  shift 2
  if ! check_object "${file#"$REPOSITORY_ROOT/"}" || [[ ! -r $file ]] ||
    ! bytes="$(object_bytes "${file#"$REPOSITORY_ROOT/"}")"; then
    printf '%s' "${REPOSITORY_ERROR:-cannot be read}" >"$base.error"
    return 0
  fi
  sums_of "$bytes" "$file" >"$base.sum" 2>"$base.hash.words" &
  hasher=$!
  as_backup_user dd if="$file" "${READ_NOW[@]}" count="$(( bytes + 1 ))" 2>"$base.read.words" |
    { "$@" 2>"$base.words" || printf '%d' $? >"$base.failed"; } || read=$?
  wait "$hasher" || hashed=$?
  if (( hashed != 0 )); then said "$base.hash.words" "openssl ended with $hashed" >"$base.error"
  # What is not read to its end by COMMAND, which then has failed, breaks the pipe.
  elif (( read != 0 )) &&
    ! { [[ -e $base.failed ]] && { (( read == 141 )) || grep --quiet 'Broken pipe' "$base.read.words"; }; }; then
    said "$base.read.words" "dd ended with $read" >"$base.error"
  fi
}

# said FILE WORDS: what a program said in FILE, or WORDS if that is nothing.
said() { if [[ -s $1 ]]; then head -c 200 -- "$1" | tr '\n' ' '; else printf '%s' "$2"; fi; }

# read_from_rclone OBJECT BASE COMMAND...: from a stream. What COMMAND does not read is still read here, so that the
# hash covers all of it.
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
