# shellcheck shell=bash
# Blocks into a running server: it looks for new directories every minute, so a rename is all it takes and no scrape is
# missed.

# How many blocks leave_out_held_blocks has left out.
HELD=0 OVERLAPPING_HEAD=0

# How long the server may take to notice: it looks every minute.
MERGE_PATIENCE_SECONDS=100

# restore_merge: the selected blocks whose range the server does not hold, newest first.
restore_merge() {
  read_server_facts
  require_live_server
  STAGING="$DATA_DIRECTORY/restore-$BACKUP"
  leave_out_held_blocks
  plan_merge
  if (( ${#B_ULID[@]} == 0 )); then
    # Nobody needs the rest of one that was cut off any more, not even that of this backup.
    if [[ $PLAN_ONLY == false ]]; then STAGING="" remove_other_staging "$DATA_DIRECTORY/restore-"; fi
    say "Nothing to do."
    return 0
  fi
  stop_after_plan "Merge these blocks into the running server?"
  begin_change "backup=$BACKUP host=$RESTORE_HOST merge=${#B_ULID[@]}"
  remove_other_staging "$DATA_DIRECTORY/restore-"
  fetch_selected "$STAGING"
  move_into_server
  say "Merged $(blocks_text ${#B_ULID[@]}) of $BACKUP into the running server; $(answered_text)."
}

# require_live_server: the API answers and its data directory is there; ends with 4 or 12 otherwise.
require_live_server() {
  if [[ $FACTS_FROM != "the running server" ]]; then
    die "$EXIT_SERVER" "Prometheus at $PROMETHEUS_URL does not answer (${API_ERROR:-HTTP $API_STATUS}), so nothing can be merged into it" \
      "start it, or restore without --merge"
  fi
  if [[ ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_REFUSED" "the data directory $DATA_DIRECTORY of the running server is gone" \
      "restore without --merge; that restarts the server"
  fi
}

# blocks_of_server FILE: what the server has on disk, as a JSON array of {ulid, minTime, maxTime, parents}. Blocks
# without a readable meta.json do not exist for the server, so they do not exist here.
blocks_of_server() {
  local file files=() summary='{ulid, minTime, maxTime, parents: [.compaction.parents // [] | .[].ulid]} | select(.ulid and .minTime and .maxTime)'
  for file in "$DATA_DIRECTORY"/*/meta.json; do
    if [[ -s $file && ${file%/meta.json} =~ /[0-7][0-9A-HJKMNP-TV-Z]{25}$ ]]; then files+=("$file"); fi
  done
  : >"$1.lines"
  if (( ${#files[@]} > 0 )) && ! as_owner jq --compact-output "$summary" "${files[@]}" >"$1.lines" 2>/dev/null; then
    : >"$1.lines"
    for file in "${files[@]}"; do as_owner jq --compact-output "$summary" "$file" >>"$1.lines" 2>/dev/null || true; done
  fi
  jq --slurp . "$1.lines" >"$1"
}

# head_start: time (ms) where the head begins, or nothing if it is empty.
head_start() {
  api GET /api/v1/status/tsdb
  api_value tsdb ".headStats.minTime | select(. > 0 and . < $(( (EPOCHSECONDS + 86400) * 1000 ))) | floor" || true
}

# leave_out_held_blocks: drops from the selection what the server holds already, and what overlaps its head. Sets HELD
# (count), OVERLAPPING_HEAD (count) and HEAD_START.
leave_out_held_blocks() {
  local before=${#B_ULID[@]} after
  blocks_of_server "$SCRATCH/live.json"
  HEAD_START="$(head_start)"
  jq --slurpfile live "$SCRATCH/live.json" '
    ($live[0] | sort_by(.minTime)) as $live
    | map(select(. as $block
    | reduce $live[] as $one ($block.minTime; if $one.minTime <= . and $one.maxTime > . then $one.maxTime else . end)
      | . < $block.maxTime))' "$SELECTED" >"$SELECTED.new"
  mv -f -- "$SELECTED.new" "$SELECTED"
  load_selected
  after=${#B_ULID[@]}
  cp -- "$SELECTED" "$SCRATCH/unheld.json"
  HELD=$(( before - after ))
  # Samples of the head that a new block covers would be cut off the head: hold such a block back until the head has
  # moved on.
  keep_selected ".maxTime <= ${HEAD_START:-9e18}"
  OVERLAPPING_HEAD=$(( after - ${#B_ULID[@]} ))
}

# plan_merge: prints the plan of a merge and ends with the first reason against it.
plan_merge() {
  REFUSALS=()
  plan_say "Merge of backup $BACKUP${RESTORE_HOST:+ of $RESTORE_HOST} into the running server of $HOST_NAME"
  plan_say ""
  if (( ${#B_ULID[@]} > 0 )); then
    plan_backup_lines
    plan_fetch
    plan_space "$STAGING" "$DATA_DIRECTORY/restore-"
    plan_retention "$(bytes_below "$DATA_DIRECTORY")"
  fi
  # One from the future never stops overlapping the head, so that it was left out for that is no answer.
  plan_future "$SCRATCH/unheld.json"
  plan_line skipped "$(blocks_text "$HELD"): the server holds their time already"
  if (( OVERLAPPING_HEAD > 0 )); then
    plan_line "" "$OVERLAPPING_HEAD more overlap what is still in the server's memory (since $(minute_text "$HEAD_START") UTC); run this again in about 3 h for them"
  fi
  plan_line server "goes on running; it finds the new blocks within about a minute"
  refuse_if_planned
}

# move_into_server: staged blocks get their place, newest first, then waits until the server has loaded them. Ends with
# 9 after taking them out again if it cannot.
move_into_server() {
  local ulid failures before moved=()
  MOVED_IN=0
  own_staged
  sync --file-system -- "$STAGING"
  before="$(server_metric prometheus_tsdb_blocks_loaded)"
  failures="$(server_metric prometheus_tsdb_reloads_failures_total)"
  for ulid in "${B_ULID[@]}"; do
    if [[ -e $DATA_DIRECTORY/$ulid ]]; then continue; fi
    as_owner mv --no-target-directory -- "$STAGING/$ulid" "$DATA_DIRECTORY/$ulid"
    moved+=("$ulid") MOVED_IN=$(( MOVED_IN + 1 ))
  done
  sync -- "$DATA_DIRECTORY"
  wait_until_loaded $(( ${before:-0} + ${#moved[@]} )) "${failures:-0}" "${moved[@]}"
  as_owner rm -rf -- "$STAGING"
}

# wait_until_loaded COUNT FAILURES ULID...: until the server shows COUNT blocks, or has looked for them once more, since
# compaction may lower the number, and has answered a query from the time of each. Ends with 9 if it does not while our
# patience lasts: they are in their place, and a start loads them.
wait_until_loaded() {
  local count=$1 failures=$2 deadline=$(( EPOCHSECONDS + MERGE_PATIENCE_SECONDS )) loaded looks now_failed gone index \
    indexes=()
  shift 2
  for index in "${!B_ULID[@]}"; do
    if is_one_of "${B_ULID[index]}" "$@"; then indexes+=("$index"); fi
  done
  begin_phase load
  begin_asking "${indexes[@]}"
  looks="$(server_metric prometheus_tsdb_reloads_total)"
  while [[ $DROPPED == true ]] && (( EPOCHSECONDS < deadline )); do
    loaded="$(server_metric prometheus_tsdb_blocks_loaded)"
    now_failed="$(server_metric prometheus_tsdb_reloads_failures_total)"
    if (( ${now_failed:-0} > failures )); then
      for gone in "$@"; do as_owner mv --no-target-directory -- "$DATA_DIRECTORY/$gone" "$STAGING/$gone" || true; done
      as_owner rm -rf -- "$STAGING"
      die "$EXIT_VERIFICATION" \
        "the server could not load the merged blocks ($(last_words)); they were taken out again" \
        "look at: journalctl -u $PROMETHEUS_UNIT"
    fi
    if { (( ${loaded:-0} >= count )) || has_looked "$looks"; } && ask_again; then progress_done; end_phase; return 0; fi
    progress "waiting for the server to find the blocks for {} (it looks every minute)"
    wait_for sleep 1
  done
  progress_done
  as_owner rm -rf -- "$STAGING"
  blocks_of_server "$SCRATCH/live.json"
  gone="$(printf '%s\n' "$@" | jq --raw-input --slurp --raw-output --slurpfile live "$SCRATCH/live.json" \
    'split("\n") - [""] - [$live[0][] | .ulid, .parents[]] | join(", ")')"
  if [[ -n $gone ]]; then
    die "$EXIT_VERIFICATION" "the server has not kept $gone" "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  die "$EXIT_VERIFICATION" "the blocks are in their place, but $(unanswered_text); it may be compacting" \
    "a restart loads them: systemctl restart $PROMETHEUS_UNIT"
}

# has_looked BEFORE: whether the server has looked for blocks since prometheus_tsdb_reloads_total was BEFORE.
has_looked() {
  local now
  now="$(server_metric prometheus_tsdb_reloads_total)"
  [[ $1 =~ ^[0-9]+$ && $now =~ ^[0-9]+$ ]] && (( now > $1 ))
}
