# shellcheck shell=bash
# One object from a repository into a directory: from the first repository that has it right, hashed while it is
# unpacked.

# With less than that free, an object as recorded that cannot be unpacked says nothing about the object.
readonly FULL_BYTES=$((1024 * 1024))

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
  FETCH_NUMBER=$(( ${FETCH_NUMBER:-0} + 1 ))
  base="$SCRATCH/get.$BASHPID.$FETCH_NUMBER"
  if ! at_repository read_from "$object" "$base" "$@" "$directory" && [[ ! -e $base.error ]]; then
    printf '%s' "${REPOSITORY_ERROR:-unknown reason}" >"$base.error"
  fi
  read -r sum _ 2>/dev/null <"$base.sum" || true
  if [[ -e $base.error ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY repository $REPOSITORY ($REPOSITORY_SHOWN): $object: $(cat -- "$base.error")"
  elif [[ -s $base.words ]] && grep --quiet --ignore-case 'no space left\|quota\|wrote only' "$base.words"; then
    FETCH_ERROR="$EXIT_SPACE no space left in $directory"
  elif [[ ! $sum =~ $SHA256_PATTERN ]]; then
    FETCH_ERROR="$EXIT_SPACE no checksum of $object could be written to $SCRATCH"
  elif [[ $sum == "$NOTHING_SHA256" && $sum != "$sha256" ]]; then
    FETCH_ERROR="$EXIT_REPOSITORY repository $REPOSITORY ($REPOSITORY_SHOWN): $object came without a byte, though the repository lists it"
  elif [[ $sum != "$sha256" ]]; then
    FETCH_ERROR="$EXIT_VERIFICATION repository $REPOSITORY ($REPOSITORY_SHOWN): $object is damaged: its checksum is not the recorded one"
  elif [[ -e $base.failed ]] && (( $(free_bytes "$directory") < FULL_BYTES )); then
    FETCH_ERROR="$EXIT_SPACE no space left in $directory"
  elif [[ -e $base.failed ]]; then
    FETCH_ERROR="$EXIT_VERIFICATION $object cannot be unpacked: $(head -c 200 -- "$base.words" | tr '\n' ' ')"
  else
    return 0
  fi
  return 1
}

# read_from_path OBJECT BASE COMMAND...: from a file. Hash and COMMAND read it side by side, both from the page cache.
# BASE.sum gets the hash, BASE.words what COMMAND said, BASE.failed and BASE.error tell of failures.
read_from_path() {
  local file="$REPOSITORY_ROOT/$1" base=$2 hasher
  shift 2
  if ! check_object "${file#"$REPOSITORY_ROOT/"}" || [[ ! -r $file ]]; then
    printf '%s' "${REPOSITORY_ERROR:-cannot be read}" >"$base.error"
    return 0
  fi
  as_backup_user openssl dgst -sha256 -r -- "$file" >"$base.sum" 2>"$base.hash.words" &
  hasher=$!
  as_backup_user cat -- "$file" | "$@" 2>"$base.words" || printf '%d' $? >"$base.failed"
  wait "$hasher" || printf '%s' "$(head -c 200 -- "$base.hash.words")" >"$base.error"
}

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
