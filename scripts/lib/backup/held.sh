# shellcheck shell=bash
# Blocks that are held between two runs: links of the backup user's own to the server's two-hour blocks. The run sends
# those, and a block that the server has merged from them is covered (docs/decisions/008-held-blocks.md). Only bytes are
# at stake: without a held block the run sends the merged one whole.

FREE_PERCENT=""  # of is_nearly_full

readonly HELD_FOLDER=prometheus-backup-held
# A held block takes space of its own from the moment when the server has merged it: these are the limits of that.
readonly HOLD_MINUTES=$((48 * 60))
readonly HOLD_FREE_PERCENT=10

# hold_blocks ULID...: links those that come from the head, and notes all of them as seen.
hold_blocks() {
  local ulid error count=0 left
  if [[ ! -d $HELD_DIRECTORY/.new ]]; then
    error="$(as_owner mkdir -p -- "$HELD_DIRECTORY/.new" 2>&1)" || hold_failed "$HELD_DIRECTORY cannot be made" "$error"
  fi
  left=("$HELD_DIRECTORY"/.new/*)
  if [[ -e ${left[0]} ]]; then as_owner rm -rf -- "${left[@]}"; fi
  for ulid in "$@"; do
    # Only what is worth a link is judged here, twelve times a day, so without a start of jq. The run reads the blocks
    # properly.
    if ! as_owner dd if="$DATA_DIRECTORY/$ulid/meta.json" "${READ_NOW[@]}" count="$NOTE_BYTES" 2>/dev/null |
      grep '"level": 1,' >/dev/null; then
      continue
    fi
    if hold_block "$ulid"; then count=$(( count + 1 )); fi
  done
  printf '%s\n' "$@" >>"$STATE_DIR/hold" || die "$EXIT_SPACE" "$STATE_DIR/hold cannot be written" \
    "free space there; the next run sends merged blocks whole"
  if (( count > 0 )); then log "hold blocks=$count"; fi
}

# hold_block ULID: links one block, under its name only when it is whole. False if the server removed it meanwhile.
hold_block() {
  local from="$DATA_DIRECTORY/$1" new="$HELD_DIRECTORY/.new/$1" error
  if [[ -d $HELD_DIRECTORY/$1 ]]; then return 1; fi
  if error="$(link_below "$HELD_DIRECTORY/.new" "$1" 2>&1)" && [[ -s $new/meta.json && -s $new/index ]]; then
    as_owner mv --no-target-directory -- "$new" "$HELD_DIRECTORY/$1"
    return 0
  fi
  as_owner rm -rf -- "$new"
  if [[ -d $from ]]; then hold_failed "block $1 cannot be linked" "${error:-it lacks meta.json or index}"; fi
  return 1
}

# hold_failed WHAT WORDS: ends with 7 and the last line of the system's words.
hold_failed() {
  die "$EXIT_SPACE" "$1 (${2##*$'\n'})" \
    "free space or inodes there and check the owner; until then runs send merged blocks whole, and nothing is lost"
}

# lock_hold: hold and the end of a run change the same folder and note. False if the other one does not end.
lock_hold() {
  # A second descriptor would wait for the first.
  if [[ -n ${HOLD_FD:-} ]]; then return 0; fi
  { exec {HOLD_FD}>>"$STATE_DIR/hold.lock"; } 2>/dev/null || return 1
  if flock --timeout 60 "$HOLD_FD"; then return 0; fi
  exec {HOLD_FD}>&-
  HOLD_FD=""
  return 1
}

# require_hold_lock: the same, or the end with 10.
require_hold_lock() {
  lock_hold || die "$EXIT_LOCKED" "$STATE_DIR/hold.lock cannot be had" \
    "look for another prometheus-backup.sh with 'ps', and at the space there; the next run sends merged blocks whole"
}

# is_nearly_full: whether less than HOLD_FREE_PERCENT of the file system are free; sets FREE_PERCENT.
is_nearly_full() {
  local free all
  read -r free all < <(stat --file-system --format '%a %b' -- "$DATA_DIRECTORY")
  FREE_PERCENT=$(( free * 100 / all ))
  (( FREE_PERCENT < HOLD_FREE_PERCENT ))
}

# let_go_of_old [CONDITION OF FIND...]: a run that has not come for two days, or a file system that gets full, is no
# reason to pin more. Not during a run, which may be reading them.
let_go_of_old() {
  local run_lock ulid old=()
  while IFS= read -r ulid; do
    if [[ $ulid =~ $ULID_PATTERN ]]; then old+=("$ulid"); fi
  done < <(find "$HELD_DIRECTORY" -mindepth 1 -maxdepth 1 -type d "$@" -printf '%f\n')
  if (( ${#old[@]} == 0 )) || [[ ! -r $STATE_DIR/lock ]]; then return 0; fi
  exec {run_lock}<"$STATE_DIR/lock"
  if flock --nonblock "$run_lock"; then
    let_go "${old[@]}"
    log "hold let_go=${#old[@]}${FREE_PERCENT:+ free_percent=$FREE_PERCENT}"
  fi
  exec {run_lock}<&-
}

# let_go ULID...: removes our links, never the server's blocks, and what a killed hold left.
let_go() {
  local ulid links=("$HELD_DIRECTORY"/.new*)
  for ulid in "$@"; do links+=("${HELD_DIRECTORY:?}/${ulid:?}"); done
  as_owner rm -rf -- "${links[@]}" ||
    warn "held blocks in $HELD_DIRECTORY could not be removed, and keep the space of merged blocks; remove them as root"
  as_owner rmdir -- "$HELD_DIRECTORY" 2>/dev/null || true
}

# read_held: the blocks of HELD_DIRECTORY as JSON in HELD_BLOCKS, as describe_blocks has them. If one of them is
# damaged, the run does without all.
read_held() {
  local words
  printf '[]\n' >"$HELD_BLOCKS"
  : >"$HELD_BLOCKS.ulids"
  if [[ ! -d $HELD_DIRECTORY ]]; then return 0; fi
  if describe_blocks "$HELD_DIRECTORY" "$HELD_BLOCKS"; then
    words="$(jq --raw-output '.[0] // empty | "block \(.ulid) "
      + (if .block then ": " + .reason else "has no readable meta.json" end)' "$HELD_BLOCKS.damaged")"
    if [[ -z $words ]]; then return 0; fi
  else words=$BLOCK_ERROR; fi
  warn "the held blocks in $HELD_DIRECTORY cannot be used (${words/ : /: }); merged blocks are sent whole"
  printf '[]\n' >"$HELD_BLOCKS"
}
