# shellcheck shell=bash
# Many blocks with few programs: a batch is brought here by one program if it does not lie in a path, hashed by one and
# unpacked by one pair. A batch that is not exactly right is thrown away and fetched again block by block, which finds
# out what is wrong and where a good copy is.

# How much one batch may hold: enough that starting programs costs little beside it, few enough that an interruption
# loses little.
BATCH_BYTES=$((256 * 1024 * 1024))
BATCH_BLOCKS=64
# The same for what comes through rclone: its objects lie on this disk until they are unpacked, mostly in memory alone,
# for they are gone before they would be written. That takes less CPU time than pipes and tee, which copies 8 kB at a
# time. A larger object is unpacked as it comes.
REMOTE_BATCH_BYTES=$BATCH_BYTES

# make_batches BYTES: the caller's todo, BYTES in all, as lists of indexes in the caller's batches. Each job gets
# several, so that all end at about the same time. Makes the folders that the jobs use.
make_batches() {
  local share=$(( $1 / (4 * PARALLEL) )) limit index place bytes=0 count=0 batch="" batch_place=""
  for index in "${todo[@]}"; do
    place="${COPIES["${B_OBJECT[index]}|${B_OBJECT_BYTES[index]}"]:-}"
    place="${place%% *}"
    limit=$REMOTE_BATCH_BYTES
    if [[ -n $place && ${REPOSITORY_TYPES[place]} == path ]]; then limit=$BATCH_BYTES; fi
    if (( limit > share )); then limit=$share; fi
    if (( count > 0 )) &&
      [[ -z $place || $place != "$batch_place" || $count == "$BATCH_BLOCKS" ||
      $(( bytes + B_OBJECT_BYTES[index] )) -gt $limit ]]; then
      batches+=("$batch")
      batch="" bytes=0 count=0
    fi
    batch+="${batch:+ }$index" bytes=$(( bytes + B_OBJECT_BYTES[index] )) count=$(( count + 1 )) batch_place=$place
  done
  if (( count > 0 )); then batches+=("$batch"); fi
  for batch in "${batches[@]}"; do folders+=("$STAGING/part-${batch%% *}"); done
  if (( ${#folders[@]} > 0 )); then
    as_owner mkdir --mode=0700 -- "${folders[@]}" || die "$EXIT_SPACE" "$STAGING cannot be written" \
      "free space (or inodes) there; nothing was touched"
  fi
}

# fetch_batch INDEX...: blocks of one batch, as a job. A failure is left by fetch_block.
fetch_batch() {
  local index place folder="$STAGING/part-$1" source
  place="${COPIES["${B_OBJECT[$1]}|${B_OBJECT_BYTES[$1]}"]:-}"
  place="${place%% *}"
  # One program reads and unpacks a batch, so it must be allowed both.
  if [[ -n $place ]] && owner_reads; then
    select_repository "$place" "$RESTORE_HOST"
    source="$REPOSITORY_ROOT"
    if [[ $REPOSITORY_TYPE != path ]]; then source="$folder-objects"; fi
    if at_repository unpack_batch "$folder" "$source" "$@"; then
      as_owner rm -rf -- "$folder-objects"
      return 0
    fi
    as_owner rm -rf -- "$folder" "$folder-objects"
  fi
  for index in "$@"; do
    if [[ -e $SCRATCH/fetch.failed ]]; then return 0; fi
    if [[ ! -d $STAGING/${B_ULID[index]} ]]; then fetch_block "$index"; fi
  done
}

# owner_reads: whether those to whom the data belong are the backup user, who may read the repositories.
owner_reads() {
  if (( EUID != 0 )) || [[ -z $STAGE_OWNER ]]; then return 0; fi
  [[ "$(id -u -- "${STAGE_OWNER%:*}" 2>/dev/null)" == "$(id -u -- "$BACKUP_USER")" ]]
}

# bring_batch DIR INDEX...: the objects of these blocks from the selected remote into DIR. False otherwise, and for a
# block that is too large for that. Listed, and nothing is asked about any of them, not even its time: see hash_rclone.
bring_batch() {
  local directory=$1 index wanted="$SCRATCH/batch.$2.wanted"
  shift
  if (( $# == 1 && B_OBJECT_BYTES[$1] > REMOTE_BATCH_BYTES )); then return 1; fi
  for index in "$@"; do
    check_object "${B_OBJECT[index]}" || return 1
    printf '%s\n' "${B_OBJECT[index]}"
  done >"$wanted"
  run_rclone copy --files-from-raw - --use-server-modtime --transfers 2 --ignore-checksum \
    --multi-thread-streams 0 -- "$REPOSITORY_ROOT/" "$directory" <"$wanted"
}

# unpack_batch_path and unpack_batch_rclone DIR SOURCE INDEX...: from where the objects lie; after bringing them there.
unpack_batch_path() { unpack_batch "$@"; }

unpack_batch_rclone() { bring_batch "$2" "${@:3}" && unpack_batch "$@"; }

# unpack_batch DIR SOURCE INDEX...: the blocks whose objects lie in SOURCE, side by side into the empty DIR; each gets
# its name in STAGING if all of them are as recorded. False otherwise, whatever the reason.
unpack_batch() {
  local folder=$1 source=$2 index hasher largest=0 files=() members=() ready=() own=() checksums="$SCRATCH/batch.$3"
  shift 2
  for index in "$@"; do
    check_object "${B_OBJECT[index]}" || return 1
    files+=("$source/${B_OBJECT[index]}")
    members+=("${B_ULID[index]}/chunks" "${B_ULID[index]}/index")
    ready+=("$folder/${B_ULID[index]}")
    own+=("${B_ULID[index]}" "$index")
    if (( B_OBJECT_BYTES[index] > largest )); then largest=${B_OBJECT_BYTES[index]}; fi
  done
  sums_of "$largest" "${files[@]}" >"$checksums" 2>/dev/null &
  hasher=$!
  # Records of 256 kB: with its usual 10 kB, tar spends a third of its time on reading and writing such small pieces.
  if ! read_many "$largest" zstd --decompress --force --stdout --quiet -- :: "${files[@]}" 2>/dev/null |
    as_owner tar --extract --ignore-zeros --blocking-factor=512 --directory "$folder" --no-same-owner \
    --no-same-permissions -- "${members[@]}" 2>/dev/null; then
    wait "$hasher" || true
    return 1
  fi
  wait "$hasher" || return 1
  check_sums "$checksums" "$@" || return 1
  check_batch "$folder" "$@" || return 1
  add_block_files "$folder" "${own[@]}" 2>/dev/null || return 1
  as_owner mv --target-directory="$STAGING" -- "${ready[@]}" 2>/dev/null
}

# check_sums FILE INDEX...: whether openssl's lines in FILE have the recorded checksums, in this order.
check_sums() {
  local file=$1 index line lines=()
  shift
  mapfile -t lines <"$file"
  if (( ${#lines[@]} != $# )); then return 1; fi
  for line in "${lines[@]}"; do
    index=$1
    shift
    if [[ ${line:0:64} != "${B_SHA256[index]}" ]]; then return 1; fi
  done
}

# check_batch DIR INDEX...: check_block for all blocks in DIR, with one program, before meta.json and tombstones are
# there.
check_batch() {
  local directory=$1 kind size path name index strange=""
  local -A sizes=() whole=()
  shift
  plain_members "$directory" | while read -r kind size path; do
    name="${path%%/*}"
    case "$kind ${path:${#name}}" in
      "d " | "d /chunks") ;;
      "f /index") whole[$name]=true; sizes[$name]=$(( ${sizes[$name]:-0} + size )) ;;
      "f /chunks/"[0-9][0-9][0-9][0-9][0-9][0-9]) sizes[$name]=$(( ${sizes[$name]:-0} + size )) ;;
      *) strange=$path ;;
    esac
  done
  if [[ -n $strange ]]; then return 1; fi
  for index in "$@"; do
    name="${B_ULID[index]}"
    if [[ ${whole[$name]:-} != true || ${sizes[$name]} != "${B_BYTES[index]}" ]]; then return 1; fi
  done
}
