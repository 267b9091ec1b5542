# shellcheck shell=bash
# What a restore takes of the file system that it writes to.

# What a staging directory may need beyond the blocks: meta.json, tombstones, directories.
readonly STAGING_MARGIN_BYTES=$((64 * 1024 * 1024))
# How many times its object the WAL of a cold backup may be that does not say so itself. Most of a WAL packs to a fifth.
readonly WAL_UNPACKED_FACTOR=10

# plan_space DIR [PREFIX...]: space and inodes for the blocks; today's data stay where they are, so nothing comes free
# before the end but the downloads of other backups at PREFIX, which go first.
plan_space() {
  local place needed free inodes files old
  place="$(nearest_directory "$1")"
  needed=$(( $(sum "${B_BYTES[@]}") + $(wal_bytes) + STAGING_MARGIN_BYTES + $(batch_bytes) - $(bytes_below "$1") ))
  while IFS= read -r old; do needed=$(( needed - $(bytes_below "$old") )); done < <(other_staging "${@:2}")
  free="$(free_bytes "$place")"
  inodes="$(free_inodes "$place")"
  files=$(( ${#B_ULID[@]} * 8 + $(sum "${B_BYTES[@]}") / 536870912 + 100 ))
  plan_line space "needs $(human_bytes "$needed"), $(human_bytes "$free") free on the file system of $place"
  if (( needed > free )); then
    refuse "$EXIT_SPACE" "$(human_bytes "$free") are free on the file system of $place, the restore needs $(human_bytes "$needed")" \
      "free space, or restore a part with --target DIR elsewhere"
  elif [[ -n $inodes ]] && (( inodes > 0 && files > inodes || inodes == 0 )) &&
    [[ "$(stat --file-system --format %T -- "$place")" != btrfs ]]; then
    refuse "$EXIT_SPACE" "only $inodes inodes are free on the file system of $place, the restore needs $files" \
      "remove small files there"
  fi
}

# batch_bytes: what batches from a remote may take beside the blocks, see fetch-batch.sh.
batch_bytes() {
  local all
  if [[ $REPOSITORY_TYPE == path ]]; then printf 0; return 0; fi
  all="$(sum "${B_OBJECT_BYTES[@]}")"
  printf '%d' $(( all < PARALLEL * REMOTE_BATCH_BYTES ? all : PARALLEL * REMOTE_BATCH_BYTES ))
}
