# shellcheck shell=bash
# hold: what cron calls between two runs, see held.sh.

# command_hold: what cron calls every hour between the runs. Silent as long as there is nothing new.
command_hold() {
  local dir fresh=() known
  if (( $# > 0 )); then usage_error "hold takes no options, not '$1'"; fi
  # Written by the first complete run: before it, nothing is stored that a merged block could go with.
  if [[ ! -s $STATE_DIR/hold ]]; then return 0; fi
  require_no_pipes "$STATE_DIR"
  if ! has_lines "/.*|$ULID_PATTERN" "$STATE_DIR/hold"; then return 0; fi
  known="$(<"$STATE_DIR/hold")"
  DATA_DIRECTORY="${known%%$'\n'*}"
  if [[ ! -d $DATA_DIRECTORY ]]; then return 0; fi
  HELD_DIRECTORY="$DATA_DIRECTORY/$HELD_FOLDER"
  own_data
  for dir in "$DATA_DIRECTORY"/*/; do
    dir="${dir%/}"
    if [[ ${dir##*/} =~ $ULID_PATTERN && $known != *$'\n'"${dir##*/}"* ]]; then fresh+=("${dir##*/}"); fi
  done
  if (( ${#fresh[@]} > 0 )); then
    require_hold_lock
    hold_blocks "${fresh[@]}"
    let_go_of_old -cmin "+$HOLD_MINUTES"
  fi
  if [[ -d $HELD_DIRECTORY ]] && is_nearly_full; then
    require_hold_lock
    let_go_of_old
  fi
}

# finish_hold: after a complete run everything that was held is stored, in one way or another; what it saw need not be
# held any more. The backup is complete, whatever becomes of this.
finish_hold() {
  local gone=()
  if ! lock_hold; then
    warn "$STATE_DIR/hold.lock cannot be had, so $HELD_DIRECTORY was left as it is; the next run empties it"
    return 0
  fi
  mapfile -t gone <"$HELD_BLOCKS.ulids"
  let_go "${gone[@]}"
  if ! { printf '%s\n' "$DATA_DIRECTORY" && cat -- "$BLOCKS.ulids"; } 2>/dev/null >"$STATE_DIR/hold.new" ||
    ! mv -fT -- "$STATE_DIR/hold.new" "$STATE_DIR/hold"; then
    rm -f -- "$STATE_DIR/hold.new"
    warn "$STATE_DIR/hold cannot be written; blocks that are stored will be held once more"
  fi
  exec {HOLD_FD}>&-
  HOLD_FD=""
}
