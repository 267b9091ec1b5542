# shellcheck shell=bash
# Download of what is not one object a block: an archive backup, and the WAL of a cold one.

ARCHIVED=()  # the blocks that the archive held

# Names that a server gives to the files of its WAL, WBL and head, with those of an interrupted checkpoint, repair or
# cut.
readonly WAL_MEMBER='^((d (wal|wbl|chunks_head|wal/checkpoint\.[0-9]{1,20}(\.tmp)?))|(f ((wal|wbl)/[0-9]{8,20}(\.repair)?|wal/checkpoint\.[0-9]{1,20}(\.tmp)?/[0-9]{8,20}|chunks_head/[0-9]{6,20}(\.tmp)?)))$'

# fetch_archive: the selected blocks that are no objects of their own out of the one archive, in one pass.
fetch_archive() {
  local object bytes sha256 root compression index folder="$STAGING/part-archive"
  ARCHIVED=()
  for index in "${!B_ULID[@]}"; do
    if [[ -z ${B_OBJECT[index]} && ! -d $STAGING/${B_ULID[index]} ]]; then ARCHIVED+=("$index"); fi
  done
  if (( ${#ARCHIVED[@]} == 0 )); then return 0; fi
  IFS='|' read -r bytes sha256 object root compression <<<"$M_ARCHIVE"
  if [[ ! $root =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ || ! $sha256 =~ $SHA256_PATTERN ]]; then
    fetch_failed "the archive" "$EXIT_VERIFICATION the manifest describes it in a way that no backup does"
  fi
  progress "archive $object, $(human_bytes "$bytes"), for {}"
  FETCH_ERROR=""
  in_background fetch_archive_object "$object" "$bytes" "$sha256" "$folder" "$root" "$compression"
  wait "$CHILD" || true
  progress_done
  if [[ ! -e $SCRATCH/archive.ok ]]; then
    fetch_failed "the archive" \
      "$(cat -- "$SCRATCH/archive.error" 2>/dev/null || printf '%d its download was cut off' "$EXIT_REPOSITORY")"
  fi
  FETCHED_BYTES=$(( FETCHED_BYTES + bytes ))
  for index in "${ARCHIVED[@]}"; do
    if ! finish_block "$folder/${B_ULID[index]}" "$index"; then fetch_failed "block ${B_ULID[index]}" "$FETCH_ERROR"; fi
  done
  as_owner rm -rf -- "$folder"
}

# fetch_archive_object OBJECT BYTES SHA256 DIR ROOT COMPRESSION: a child of its own, so that a signal can end it; says
# so in files.
fetch_archive_object() {
  if fetch_from_any "$1" "$2" "$3" "$4" unpack_archive "$5" "$6"; then : >"$SCRATCH/archive.ok"; return 0; fi
  printf '%s\n' "$FETCH_ERROR" >"$SCRATCH/archive.error"
}

# unpack_archive ROOT COMPRESSION DIR: the members are ROOT/ULID/...; only the selected blocks are taken.
unpack_archive() {
  local unpacker=(gzip --decompress --stdout) index members=()
  if [[ $2 == zstd ]]; then unpacker=(zstd --decompress --stdout --quiet); fi
  for index in "${ARCHIVED[@]}"; do members+=("$1/${B_ULID[index]}"); done
  unpack_members "$3" --strip-components=1 -- "${members[@]}"
}

# fetch_wal: WAL and head of a cold backup, for a restore of the whole.
fetch_wal() {
  local object bytes sha256 part="$STAGING/part-wal" entry
  if ! wants_wal || [[ -z $M_WAL ]]; then return 0; fi
  IFS='|' read -r bytes sha256 object <<<"$M_WAL"
  # What an earlier try had unpacked may have been served since. It goes first, so that there are never two of them.
  as_owner rm -rf -- "${STAGING:?}/wal" "${STAGING:?}/wbl" "${STAGING:?}/chunks_head"
  if ! fetch_from_any "$object" "$bytes" "$sha256" "$part" unpack_wal || ! check_wal "$part" "$object"; then
    as_owner rm -rf -- "$part"
    fetch_failed "the WAL" "$FETCH_ERROR"
  fi
  for entry in wal wbl chunks_head; do
    if [[ -d $part/$entry ]]; then as_owner mv --no-target-directory -- "$part/$entry" "$STAGING/$entry"; fi
  done
  as_owner rm -rf -- "$part"
}

# check_wal DIR OBJECT: nothing but the files of a WAL and a head. False sets FETCH_ERROR.
check_wal() {
  local kind size path
  plain_members "$1" | while read -r kind size path; do
    if [[ ! "$kind $path" =~ $WAL_MEMBER ]]; then
      FETCH_ERROR="$EXIT_VERIFICATION $2 holds '$path', which no WAL has"
      return 1
    fi
  done
}

# unpack_wal DIR: standard input is the object of a cold backup's WAL.
unpack_wal() {
  local unpacker=(zstd --decompress --stdout --quiet)
  unpack_members "$1"
}
