# shellcheck shell=bash
# Healing: exactly the damaged and missing blocks of the live server come back, from the newest backup that has them.

QUICK=false  # option
HEALED=false  # whether all that was to come back is back
PUT_ASIDE=()  # where the damaged blocks are now
HEAL_STOPPED=false  # whether a heal has stopped the server, this one or one that was killed
DROPPED=true  # whether the server has let go of blocks that were moved away

# command_heal [--plan] [--yes] [--quick] [--repository NAME]: ends with 9 if something damaged is in no backup, and
# with 8 if not all could be read; --plan, too. --quick compares sizes, not contents.
command_heal() {
  parse_heal_options "$@"
  require_restore_user
  load_metrics
  open_root_state
  recover_interrupted
  open_state
  require_tools
  SECONDS=0
  take_common_lock
  begin_phases
  resolve_backup latest
  SELECTED="$SCRATCH/selected.json"
  REFUSALS=() HOPELESS=() NOT_READ=()
  print_at_end heal_document
  read_server_facts
  require_no_others
  if [[ ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_REFUSED" "the data directory $DATA_DIRECTORY is gone altogether" \
      "bring it back with: prometheus-backup.sh restore latest"
  fi
  read_heal_note
  find_wounds
  plan_heal
  if (( ${#B_ULID[@]} == 0 )); then
    if [[ $PLAN_ONLY == false && $HEAL_STOPPED == true ]]; then start_after_heal; fi
    heal_verdict
    return 0
  fi
  if [[ $PLAN_ONLY == true ]]; then heal_verdict; fi
  stop_after_plan "Bring back $(blocks_text ${#B_ULID[@]})?"
  begin_change "blocks=$(IFS=,; printf '%s' "${B_ULID[*]}")"
  STAGING="$DATA_DIRECTORY/restore-$BACKUP"
  remove_other_staging "$DATA_DIRECTORY/restore-"
  fetch_selected "$STAGING"
  keep_own_marks
  bring_back
  HEALED=true
  say "Brought back $(blocks_text ${#B_ULID[@]}); $(answered_text)."
  heal_verdict
}

# parse_heal_options ARG...: and what the functions of restore look at.
parse_heal_options() {
  read_options heal "$@"
  PLAN_ONLY=${OPTIONS[plan]:-false} ASSUME_YES=${OPTIONS[yes]:-false} QUICK=${OPTIONS[quick]:-false} \
    JSON=${OPTIONS[json]:-false}
  if [[ $JSON == true && $PLAN_ONLY$ASSUME_YES == falsefalse ]]; then
    usage_error "heal --json asks nobody: pass --plan or --yes, too"
  fi
  ONLY_REPOSITORY=${OPTIONS[repository]:-} RESTORE_MODE=merge RESTORE_HOST="$HOST_NAME" PARTIAL=true
  ALLOW_RETENTION_LOSS=false FROM_MS="" TO_MS="" ONLY_BLOCKS=()
}

# plan_heal: what is wrong and what comes back; ends with 7 if there is no space.
plan_heal() {
  local ulid reason
  REFUSALS=()
  STAGING="$DATA_DIRECTORY/restore-$BACKUP"
  plan_say "The server has $(blocks_text "$(wc -l <"$SCRATCH/live.ulids")") in $DATA_DIRECTORY: $CHECKED checked against backups, $UNKNOWN in no backup yet or merged since"
  while IFS='|' read -r ulid reason; do plan_say "  ✘ $ulid: $reason"; done <"$SCRATCH/wounds"
  while IFS='|' read -r ulid reason; do plan_say "  ✘ $ulid: is missing ($reason)"; done < <(
    jq --raw-output '.missing as $missing | .chosen[] | select([.ulid] | inside($missing))
      | "\(.ulid)|\(.minTime / 1000 | floor | todate) to \(.maxTime / 1000 | floor | todate), in backup \(.backup)"' \
        "$SCRATCH/healers.json")
  if (( ${#NOT_READ[@]} > 0 )); then plan_line "not read" "$(join_words '; ' "${NOT_READ[@]}"); there may be more"; fi
  if (( ${#B_ULID[@]} > 0 )); then
    plan_fetch
    plan_access
    plan_space "$STAGING"
    plan_heal_server
    refuse_if_planned
  fi
}

# plan_heal_server: what becomes of the server meanwhile.
plan_heal_server() {
  if [[ $FACTS_FROM == "the running server" ]]; then
    plan_line server "goes on running; it finds the blocks within about a minute"
  elif [[ $UNIT_KNOWN == true ]] && unit_is active activating reloading deactivating; then
    plan_line server "! $PROMETHEUS_UNIT runs, but is not ready (HTTP $API_STATUS): it is stopped for the change and started again"
  elif [[ $UNIT_KNOWN == true ]] && { [[ $HEAL_STOPPED == true ]] || unit_is failed; }; then
    plan_line server "$PROMETHEUS_UNIT is down; it is started at the end"
  else plan_line server "not running, and stays so"; fi
}

# heal_verdict: ends with 9 if damage is left for which no backup has a copy, with 8 if what could not be read may have
# one, or may tell of more damage.
heal_verdict() {
  local code=$EXIT_VERIFICATION ulid vanished=() found="nothing"
  for ulid in "${HOPELESS[@]}"; do
    if [[ ! -d $DATA_DIRECTORY/$ulid ]]; then vanished+=("$ulid"); fi
  done
  if (( ${#vanished[@]} > 0 )); then
    warn "lost, and in no block of the repositories that were read: ${vanished[*]}. An archive may have them:" \
      "restore BACKUP --merge --block ULID. If they may go: prometheus-backup.sh run --accept-loss ULID"
  fi
  if (( ${#HOPELESS[@]} > 0 )); then
    if (( ${#UNREACHABLE[@]} > 0 )); then code=$EXIT_REPOSITORY; fi
    die "$code" "$(hopeless_words)" "move such a block out of $DATA_DIRECTORY if it keeps the server from starting"
  fi
  if [[ -s $SCRATCH/wounds ]] || (( ${#B_ULID[@]} > 0 )); then found="nothing else"; fi
  if (( ${#NOT_READ[@]} > 0 )); then
    die "$EXIT_REPOSITORY" "$found is damaged or missing as far as could be read; not read:\
 $(join_words '; ' "${NOT_READ[@]}")" "run this again when that can be read, or is given up"
  fi
  if [[ $found == nothing ]]; then say "✔ nothing is damaged or missing"; fi
}

# hopeless_words: what no backup has, or none of those that were read.
hopeless_words() {
  if (( ${#NOT_READ[@]} == 0 )); then printf 'no backup has %s' "${HOPELESS[*]}"; return 0; fi
  printf 'no backup that was read has %s (not read: %s)' "${HOPELESS[*]}" "$(join_words '; ' "${NOT_READ[@]}")"
}

# keep_own_marks: a damaged block keeps its own marks where they can be read, and what its meta.json counts of them:
# series may have been deleted since the backup. They come from the copies of describe_blocks.
keep_own_marks() {
  local ulid own staged count
  describe_blocks "$DATA_DIRECTORY" "$SCRATCH/marks.json" ||
    die "$EXIT_VERIFICATION" "$BLOCK_ERROR" "run this again; no block of the server was changed"
  for ulid in "${B_ULID[@]}"; do
    own="$SCRATCH/marks.json.copies/$ulid" staged="$STAGING/$ulid"
    if ! grep --quiet "^$ulid"$'\t' "$SCRATCH/marks.json.tombstones"; then continue; fi
    write_as_owner "$staged/tombstones" <"$own/tombstones"
    count="$(jq '.stats.numTombstones? | numbers' "$own/meta.json" 2>/dev/null)" || count=""
    if [[ ! $count =~ ^[0-9]{1,15}$ ]]; then continue; fi
    # shellcheck disable=SC2016  # jq expands it
    as_owner jq --compact-output --argjson count "$count" '.stats.numTombstones = $count' "$staged/meta.json" \
      >"$SCRATCH/marked.json" 2>/dev/null || continue
    write_as_owner "$staged/meta.json" <"$SCRATCH/marked.json"
  done
}

# bring_back: damaged blocks out of the way, then the whole ones in. A running server holds a loaded block open by its
# ULID, so it must first notice that the damaged one is gone.
bring_back() {
  local ulid stamp
  printf -v stamp '%(%Y%m%dT%H%M%SZ)T' -1
  own_staged
  PUT_ASIDE=()
  CLEANUP_HOOKS+=(undo_heal)
  if [[ $FACTS_FROM != "the running server" ]]; then stop_for_heal; fi
  while IFS='|' read -r ulid _; do
    if [[ " ${HOPELESS[*]} " == *" $ulid "* ]]; then continue; fi
    PUT_ASIDE+=("$DATA_DIRECTORY/damaged-$ulid-$stamp")
    as_owner mv --no-target-directory -- "$DATA_DIRECTORY/$ulid" "$DATA_DIRECTORY/damaged-$ulid-$stamp"
  done <"$SCRATCH/wounds"
  if [[ $FACTS_FROM == "the running server" ]]; then
    if (( ${#PUT_ASIDE[@]} > 0 )); then wait_until_dropped; fi
    move_into_server
  else
    move_into_stopped
  fi
  say_put_aside "${PUT_ASIDE[@]}"
  PUT_ASIDE=()
}

# say_put_aside PATH...: where damaged blocks are kept, if there are any.
say_put_aside() { if (( $# > 0 )); then say "The damaged ones are kept as $*; remove them when you like."; fi; }

# stop_for_heal: nobody has the data open after it. Whether the server is to start again is written down first, for a
# heal that comes after one that was killed. Ends with 12 if the server goes on.
stop_for_heal() {
  if [[ $UNIT_KNOWN == true ]] && unit_is active activating reloading deactivating; then
    printf '%s\n' "$UNIT_PID" >"$STATE_DIR/heal.stopped" ||
      die "$EXIT_SPACE" "$STATE_DIR/heal.stopped cannot be written" "free space there; nothing was touched"
    HEAL_STOPPED=true
  fi
  if [[ $HEAL_STOPPED == true ]]; then DOWN_SINCE=$EPOCHSECONDS; fi
  begin_phase stop "stopping it"
  unit_stop || die "$EXIT_REFUSED" "$PROMETHEUS_UNIT could not be stopped ($STOP_ERROR)" \
    "look at: systemctl status $PROMETHEUS_UNIT"
}

# read_heal_note: sets HEAL_STOPPED, whether a heal has stopped the server and did not live to start it again.
read_heal_note() {
  HEAL_STOPPED=false
  if [[ ! -e $STATE_DIR/heal.stopped ]]; then return 0; fi
  if [[ $UNIT_KNOWN == false ]] || unit_is active; then rm -f -- "$STATE_DIR/heal.stopped"; return 0; fi
  HEAL_STOPPED=true
  warn "a heal was cut off while $PROMETHEUS_UNIT was stopped; the next one that ends well starts it"
  if [[ $UNIT_PID == 0 ]]; then UNIT_PID="$(process_of_note "$STATE_DIR/heal.stopped")"; fi
}

# start_after_heal: starts the server that heal has stopped, or that its damage kept down; ends with 4 if it does not
# come up.
start_after_heal() {
  if ! unit_start; then
    forget_stop
    if (( ${#HOPELESS[@]} > 0 )); then warn "$(hopeless_words); such a block may keep the server from starting"; fi
    die "$EXIT_SERVER" "what backups have is back, but the server does not come up ($START_ERROR)" \
      "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  forget_stop
  say "The server is up again."
}

# forget_stop: the server was started; whether it came up or not, heal owes it nothing.
forget_stop() {
  HEAL_STOPPED=false
  rm -f -- "$STATE_DIR/heal.stopped"
}

# undo_heal STATUS: the exit hook of a heal that was cut off or could not bring a block back. Damaged blocks return to
# their places where nothing has come in their stead, and a server that was stopped is started.
undo_heal() {
  local aside ulid kept=()
  for aside in "${PUT_ASIDE[@]}"; do
    ulid="${aside##*/damaged-}"
    ulid="${ulid%%-*}"
    if [[ ! -d $aside ]]; then continue; fi
    if [[ -e $DATA_DIRECTORY/$ulid ]]; then kept+=("$aside"); continue; fi
    if as_owner mv --no-target-directory -- "$aside" "$DATA_DIRECTORY/$ulid"; then
      say "prometheus-backup: block $ulid is in its place again, damaged as it was."
    else
      warn "the damaged block $ulid could not be put back; it is in $aside"
    fi
  done
  say_put_aside "${kept[@]}"
  if [[ $HEAL_STOPPED == false ]]; then return 0; fi
  if old_process_ended 60 && order_start; then
    forget_stop
    say "prometheus-backup: $PROMETHEUS_UNIT is started again."
  else
    warn "$PROMETHEUS_UNIT is not up again, because its old process has not ended; when it has, heal starts it"
  fi
}

# wait_until_dropped: until the server has let go of the blocks that are no longer there. Sets DROPPED, whether it has:
# one that goes on with them never opens their copies, which have the same names.
wait_until_dropped() {
  local deadline=$(( EPOCHSECONDS + MERGE_PATIENCE_SECONDS )) there loaded looks
  DROPPED=false
  looks="$(server_metric prometheus_tsdb_reloads_total)"
  blocks_of_server "$SCRATCH/live.json"
  there="$(jq length "$SCRATCH/live.json")"
  while (( EPOCHSECONDS < deadline )); do
    loaded="$(server_metric prometheus_tsdb_blocks_loaded)"
    if [[ -n $loaded ]] && (( loaded <= there )) && { [[ -z $looks ]] || has_looked "$looks"; }; then
      DROPPED=true
      break
    fi
    progress "waiting for the server to let go of the damaged blocks for {} (it looks every minute)"
    wait_for sleep 1
  done
  progress_done
}

# move_into_stopped: the blocks get their place, and the server is started if it was its damage that kept it down. Ends
# with 9 if it does not serve them.
move_into_stopped() {
  local ulid
  ASKED=0
  begin_phase swap "moving the whole blocks in"
  for ulid in "${B_ULID[@]}"; do as_owner mv --no-target-directory -- "$STAGING/$ulid" "$DATA_DIRECTORY/$ulid"; done
  as_owner rm -rf -- "$STAGING"
  if [[ $UNIT_KNOWN == true ]] && { [[ $SERVER_STATE == unit || $HEAL_STOPPED == true ]] || unit_is failed; }; then
    begin_phase start "starting it"
    start_after_heal
    progress_done
    DOWN_SINCE=""
    begin_phase check
    ask_blocks "${!B_ULID[@]}"
    if (( ${#UNANSWERED[@]} > 0 )); then
      die "$EXIT_VERIFICATION" "the blocks are in their place, but $(unanswered_text)" \
        "look at: journalctl -u $PROMETHEUS_UNIT"
    fi
  fi
  end_phase
}
