# shellcheck shell=bash
# The hot source: hard links of the finished blocks, taken while the server runs, without the admin API. They are staged
# inside the data directory (hard links need one file system) under a name that Prometheus ignores.

# source_hot: see above. Misses the head, up to about 3 hours.
source_hot() {
  open_stage
  link_until_consistent
  log "hot links seconds=$(( SECONDS - STAGE_START ))"
}

# remove_old_stages: those of runs that were killed. They pin blocks that the server has long deleted.
remove_old_stages() {
  local old
  for old in "$DATA_DIRECTORY/$STAGE_PREFIX".*; do
    if [[ -d $old ]]; then
      as_owner rm -rf -- "$old" ||
        warn "$old could not be removed, and keeps the space of deleted blocks; remove it as root"
    fi
  done
}

# open_stage: an empty folder for the links, gone at the end of the run; sets SOURCE_DIR.
open_stage() {
  SOURCE_DIR="$DATA_DIRECTORY/$STAGE_PREFIX.$BACKUP"
  CLEANUP_HOOKS+=(close_stage)
  if ! as_owner mkdir -- "$SOURCE_DIR" 2>"$SCRATCH/error"; then
    die "$EXIT_SPACE" "no folder can be made in $DATA_DIRECTORY ($(tail -n 1 "$SCRATCH/error"))" \
      "free space or inodes there"
  fi
}

# close_stage STATUS: the cleanup hook of open_stage.
close_stage() {
  as_owner rm -rf -- "${DATA_DIRECTORY:?}/$STAGE_PREFIX.${BACKUP:?}"
}

# link_until_consistent: links again until the list of blocks did not change meanwhile; compaction and retention may
# run.
link_until_consistent() {
  local try
  for try in 1 2 3 4 5; do
    live_blocks >"$SCRATCH/live.before"
    if link_blocks; then
      live_blocks >"$SCRATCH/live.after"
      if cmp --silent -- "$SCRATCH/live.before" "$SCRATCH/live.after"; then return 0; fi
    elif no_room_to_link; then links_lack_room
    fi
    log "hot try=$try the blocks changed meanwhile"
    as_owner find "$SOURCE_DIR" -mindepth 1 -delete
    sleep 2
  done
  die "$EXIT_SNAPSHOT" "the blocks changed during each of 5 tries" "run again; compaction rarely lasts that long"
}

# no_room_to_link: whether the last link failed for lack of space or inodes. links_lack_room: the end with 7 because of
# that.
no_room_to_link() { grep --quiet --extended-regexp 'No space left|quota exceeded' "$SCRATCH/error"; }

links_lack_room() {
  die "$EXIT_SPACE" "the blocks cannot be linked in $DATA_DIRECTORY ($(tail -n 1 -- "$SCRATCH/error"))" \
    "free space or inodes there"
}

# link_blocks: hard links of every block in SOURCE_DIR; false if one vanished on the way.
link_blocks() {
  local blocks=() ulid
  mapfile -t blocks < <(live_blocks)
  if (( ${#blocks[@]} == 0 )); then return 0; fi
  if ! link_below "$SOURCE_DIR" "${blocks[@]}" 2>"$SCRATCH/error"; then return 1; fi
  for ulid in "${blocks[@]}"; do
    # A directory on its way out has lost its files; one that stays like that is damage, which describe_source names.
    if [[ ! -s $SOURCE_DIR/$ulid/meta.json || ! -s $SOURCE_DIR/$ulid/index ]] && [[ ! -d $DATA_DIRECTORY/$ulid ]]; then
      return 1
    fi
  done
}
