# shellcheck shell=bash
# run: takes a backup now: snapshot, then for each repository plan, upload, manifest, retention. Repositories do not
# stop each other.

# Options.
ACCEPT_SMALLER=false ACCEPT_LOSS="" PIN=false NOTE="" TAKE_OVER=false
HELD_BLOCKS=""  # the file with the blocks that hold has set aside
STAGE_START=0  # SECONDS when the last stage ended
ALL_STORED=false NEWEST_SAMPLE=""  # in every repository
STORED_IN=""  # names of those that have it, with commas between them
# How many repositories got no backup, and how many a suspect one.
LACKING=0 RUN_SUSPECT=0
RELAY=""  # the job of relay_words

# command_run ARG...: takes a backup now; what cron calls.
command_run() {
  local gathering
  parse_run_options "$@"
  begin_run
  require_tools
  require_note
  be_gentle
  name_run
  log "start backup=$BACKUP source=$SOURCE repositories=$(IFS=,; printf '%s' "${REPOSITORY_NAMES[*]}") user=$(caller_name)"
  heartbeat start
  start_left_stopped
  if [[ $SCHEDULER == systemd ]]; then await_server; fi
  require_server
  read_server
  require_data_directory
  settle_last_snapshot
  remove_old_stages
  HELD_DIRECTORY="$DATA_DIRECTORY/$HELD_FOLDER" HELD_BLOCKS="$SCRATCH/held.json"
  in_background gather
  gathering=$CHILD
  "source_$SOURCE"
  wait "$gathering"
  describe_source
  note_deletions
  stage_done snapshot
  store_everywhere
  finish_hold
  tell_wounds
  log "done backup=$BACKUP newest_sample=${NEWEST_SAMPLE:-none} seconds=$SECONDS"
}

# gather: what the source does not change, meanwhile: a snapshot is mostly waiting for the server.
gather() {
  if [[ $COMPANIONS == true ]]; then collect_companions; fi
  read_held
}

# parse_run_options ARG...: sets PIN, NOTE, TAKE_OVER, ACCEPT_SMALLER and ACCEPT_LOSS (a comma before each ULID).
parse_run_options() {
  local losses loss
  read_options run "$@"
  TAKE_OVER=${OPTIONS[take-over]:-false} ACCEPT_SMALLER=${OPTIONS[accept-smaller]:-false} ACCEPT_LOSS=""
  PIN=${OPTIONS[pin]:-false} NOTE=${OPTIONS[note]:-}
  values_of accept-loss | mapfile -t losses
  for loss in "${losses[@]}"; do accept_loss "$loss"; done
}

# accept_loss ULID[,ULID...]: adds them to ACCEPT_LOSS.
accept_loss() {
  if [[ ! ,$1 =~ ^(,[0-7][0-9A-HJKMNP-TV-Z]{25})+$ ]]; then
    usage_error "--accept-loss takes the names (ULIDs) of lost blocks with commas between them, not '$1'"
  fi
  ACCEPT_LOSS+=",$1"
}

# require_note: ends with 2 if NOTE is nothing that list and show would print.
require_note() {
  if [[ -z $NOTE ]] ||
    jq --null-input --exit-status --arg note "$NOTE" "$(form_filter) [{\$note} | fault({\"\": {note: note}})] == []" \
    >/dev/null; then
    return 0
  fi
  usage_error "--note takes at most 200 letters and signs in one line"
}

# begin_run: lock and metrics of this run. From here on every end writes the metrics.
begin_run() {
  load_metrics
  SECONDS=0 STAGE_START=0 ALL_STORED=false STORED_IN="" NEWEST_SAMPLE="" SNAPSHOT="" SNAPSHOT_DIR="" BACKUP=""
  CLEANUP_HOOKS+=(record_run remove_own_partials)
  open_state
  take_lock
  begin_marks
}

# stage_done NAME: writes down how long the stage took.
stage_done() {
  set_metric last_stage_duration_seconds $(( SECONDS - STAGE_START )) "stage=$1"
  STAGE_START=$SECONDS
}

# record_run STATUS: the metrics of this run, on success and on failure; a failed run keeps the last success. One that
# found the lock held was none.
record_run() {
  local status=$1 now
  if (( status == EXIT_LOCKED )); then return 0; fi
  # Without what earlier runs have left, the metrics would lose the last success.
  if [[ -z $SCRATCH && ! -r $STATE_DIR/metrics.state ]]; then heartbeat fail; return 0; fi
  printf -v now '%(%s)T' -1
  set_metric last_run_timestamp_seconds "$now"
  set_metric last_exit_code "$status"
  set_metric last_duration_seconds "$SECONDS"
  if [[ $ALL_STORED == true ]]; then set_metric last_success_timestamp_seconds "$now"; fi
  record_admin_api
  if [[ -n ${DATA_DIRECTORY:-} ]]; then
    set_metric leftover_snapshots "$(list_snapshots | wc -l)"
    set_metric leftover_snapshots_bytes "$(bytes_below "$DATA_DIRECTORY/snapshots")"
  fi
  if (( status != 0 )); then
    log "failed backup=${BACKUP:-none} exit_code=$status seconds=$SECONDS${STORED_IN:+ stored_in=$STORED_IN}"
  fi
  store_metrics || true
  if (( status == 0 )); then heartbeat success; else heartbeat fail; fi
}

# record_admin_api: whether the server's admin API is on, and whether others than this host reach it. Nothing if the
# server did not say.
record_admin_api() {
  local exposed=0
  if [[ -z ${ADMIN_API:-} ]]; then return 0; fi
  set_metric admin_api_enabled "$([[ $ADMIN_API == true ]] && printf 1 || printf 0)"
  if [[ $ADMIN_API == true && $ADMIN_API_EXPOSURE != accept-public ]] && ! listens_on_loopback "$LISTEN_ADDRESS"; then
    exposed=1
  fi
  set_metric admin_api_exposed "$exposed"
}

# store_everywhere: every repository by itself; ends with the first failure's code after all were tried. Sets ALL_STORED
# at the end alone: until then, a signal may end the run at any moment.
store_everywhere() {
  local index status first=0
  LACKING=0 RUN_SUSPECT=0
  for index in "${!REPOSITORY_NAMES[@]}"; do
    status=0
    select_repository "$index"
    if [[ $REPOSITORY_TYPE == path ]]; then
      relay_words
      start_limited "$SCRATCH/words" "$SCRATCH/words" store_in_repository "$index" </dev/null
      wait_limited || status=$?
      if [[ $LIMIT_HUNG == true ]]; then kill "$RELAY" || true; ( repository_fault "reading and writing" ) || true; fi
      wait "$RELAY" 2>/dev/null || true
    else
      in_background store_in_repository "$index"
      wait "$CHILD" || status=$?
    fi
    record_repository "${REPOSITORY_NAMES[index]}" "$status"
    if (( status != 0 && first == 0 )); then first=$status; fi
  done
  if (( LACKING == 0 )) && [[ $EMPTY_SOURCE == false ]]; then ALL_STORED=true; fi
  note_wounds
  if (( first != 0 )); then exit "$first"; fi
  if [[ $EMPTY_SOURCE == true ]]; then
    die "$EXIT_SNAPSHOT" "the server holds no blocks at all; the backup was kept apart as suspect" \
      "look at $DATA_DIRECTORY; on a host that is really new, set prometheus.newHost: true"
  fi
}

# relay_words: a job, RELAY, that passes on what is written to SCRATCH/words, until all who write have closed it. It
# reads on when nobody takes the words any more: a log that is full stops no backup. One process, so that RELAY is all
# that has to be ended.
relay_words() {
  if is_terminal; then RELAYED=true TERMINAL_COLUMNS="$(terminal_columns)"; fi
  if [[ /dev/stderr -ef $LOG_FILE ]]; then LOG_RELAYED=true; fi
  rm -f -- "$SCRATCH/words"
  mkfifo -- "$SCRATCH/words"
  tee --output-error=warn /dev/null <"$SCRATCH/words" >&2 &
  RELAY=$!
}

# record_repository NAME STATUS: what the job of one repository left for the metrics. There is a summary if the backup
# is complete there, also when retention failed after that; LACKING counts those without one. The backup is suspect if
# one repository calls it so: another may be new, and have nothing to compare with.
record_repository() {
  local name=$1 status=$2 summary="$SCRATCH/summary.$1" key value now
  printf -v now '%(%s)T' -1
  set_metric repository_last_exit_code "$status" "repository=$name"
  if [[ ! -s $summary ]]; then LACKING=$(( LACKING + 1 )); return 0; fi
  STORED_IN+="${STORED_IN:+,}$name"
  set_metric repository_last_success_timestamp_seconds "$now" "repository=$name"
  while IFS=$'\t' read -r key value; do
    if [[ $key == suspect ]]; then RUN_SUSPECT=$(( value > RUN_SUSPECT ? value : RUN_SUSPECT )) value=$RUN_SUSPECT; fi
    if [[ $key == newest_sample ]]; then
      NEWEST_SAMPLE=$value
    else
      set_metric "${key%%|*}" "$value" "$(label_of "$key")"
    fi
  done <"$summary"
}
