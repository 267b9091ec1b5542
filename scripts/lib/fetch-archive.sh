# shellcheck shell=bash
# Download of what is not one object a block: an archive backup, and the WAL of a cold one.

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
  progress "archive $object, $(human_bytes "$bytes")"
  FETCH_ERROR=""
  in_background fetch_archive_object "$object" "$bytes" "$sha256" "$folder" "$root" "$compression"
  wait "$CHILD" || true
  progress_done
  if [[ ! -e $SCRATCH/archive.ok ]]; then fetch_failed "the archive" "$(cat -- "$SCRATCH/archive.error" 2>/dev/null || printf '%d its download was cut off' "$EXIT_REPOSITORY")"; fi
  FETCHED_BYTES=$(( FETCHED_BYTES + bytes ))
  for index in "${ARCHIVED[@]}"; do
    if ! finish_block "$folder/${B_ULID[index]}" "$index"; then fetch_failed "block ${B_ULID[index]}" "$FETCH_ERROR"; fi
  done
  rm -rf -- "$folder"
}

# fetch_archive_object OBJECT BYTES SHA256 DIR ROOT COMPRESSION: a child of its own, so that a signal can end it; says so in files.
fetch_archive_object() {
  if fetch_from_any "$1" "$2" "$3" "$4" unpack_archive "$5" "$6"; then : >"$SCRATCH/archive.ok"; return 0; fi
  printf '%s\n' "$FETCH_ERROR" >"$SCRATCH/archive.error"
}

# unpack_archive ROOT COMPRESSION DIR: the members are ROOT/ULID/...; only the selected blocks are taken.
unpack_archive() {
  local decompress=(gzip --decompress --stdout) index members=()
  if [[ $2 == zstd ]]; then decompress=(zstd --decompress --stdout --quiet); fi
  for index in "${ARCHIVED[@]}"; do members+=("$1/${B_ULID[index]}"); done
  "${decompress[@]}" | tar --extract --directory "$3" --no-same-owner --no-same-permissions --strip-components=1 -- "${members[@]}"
}

# fetch_wal: WAL and head of a cold backup, for a restore of the whole.
fetch_wal() {
  local object bytes sha256 part="$STAGING/part-wal" entry
  if ! wants_wal || [[ -z $M_WAL ]]; then return 0; fi
  IFS='|' read -r bytes sha256 object <<<"$M_WAL"
  # What an earlier try had unpacked may have been served since. It goes first, so that there are never two of them.
  rm -rf -- "${STAGING:?}/wal" "${STAGING:?}/wbl" "${STAGING:?}/chunks_head"
  if ! fetch_from_any "$object" "$bytes" "$sha256" "$part" unpack_wal; then fetch_failed "the WAL" "$FETCH_ERROR"; fi
  for entry in wal wbl chunks_head; do
    if [[ -d $part/$entry ]]; then mv -- "$part/$entry" "$STAGING/$entry"; fi
  done
  rm -rf -- "$part"
}

# unpack_wal DIR: standard input is the object of a cold backup's WAL.
unpack_wal() { zstd --decompress --stdout --quiet | tar --extract --directory "$1" --no-same-owner --no-same-permissions; }

# staged_entries: names in STAGING that belong into a data directory, a line each.
staged_entries() {
  local entry
  for entry in "$STAGING"/*/; do
    entry="${entry%/}"
    entry="${entry##*/}"
    if [[ ! -L $STAGING/$entry && ( $entry =~ $ULID_PATTERN || $entry =~ ^(wal|wbl|chunks_head)$ ) ]]; then printf '%s\n' "$entry"; fi
  done
}

# own_staged USER:GROUP: what is staged gets its owner and the modes that a server makes itself.
own_staged() {
  local entries=()
  staged_entries | mapfile -t entries
  if (( ${#entries[@]} == 0 )); then return 0; fi
  entries=("${entries[@]/#/"$STAGING/"}")
  if (( EUID == 0 )) && [[ -n $1 ]]; then chown --recursive --no-dereference -- "$1" "${entries[@]}"; fi
  find "${entries[@]}" -type d -exec chmod 0755 {} + -o -type f -exec chmod 0644 {} +
}
