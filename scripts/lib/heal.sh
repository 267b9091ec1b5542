# shellcheck shell=bash
# Healing: exactly the damaged and missing blocks of the live server come back, from the newest backup that has them.

# command_heal [--plan] [--yes] [--quick] [--repository NAME]: ends with 9 if something damaged is in no backup. --quick compares sizes, not contents.
command_heal() {
  parse_heal_options "$@"
  require_restore_user
  open_root_state
  recover_interrupted
  open_state
  require_tools
  SECONDS=0
  take_common_lock
  resolve_backup latest
  SELECTED="$SCRATCH/selected.json"
  read_server_facts
  require_no_others
  if [[ ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_REFUSED" "the data directory $DATA_DIRECTORY is gone altogether" "bring it back with: prometheus-backup.sh restore latest"
  fi
  find_wounds
  plan_heal
  if (( ${#B_ULID[@]} == 0 )); then heal_verdict; return 0; fi
  stop_after_plan "Bring back $(blocks_text ${#B_ULID[@]})?"
  STAGING="$DATA_DIRECTORY/restore-$BACKUP"
  remove_other_staging "$DATA_DIRECTORY/restore-"
  fetch_selected "$STAGING"
  keep_own_marks
  bring_back
  say "Brought back $(blocks_text ${#B_ULID[@]})."
  heal_verdict
}

# parse_heal_options ARG...: and what the functions of restore look at.
parse_heal_options() {
  PLAN_ONLY=false ASSUME_YES=false QUICK=false ONLY_REPOSITORY="" RESTORE_MODE=merge RESTORE_HOST="$HOST_NAME" PARTIAL=true
  ALLOW_RETENTION_LOSS=false FROM_MS="" TO_MS="" ONLY_BLOCKS=()
  while (( $# > 0 )); do
    case "$1" in
      --plan | --dry-run) PLAN_ONLY=true ;;
      --yes) ASSUME_YES=true ;;
      --quick) QUICK=true ;;
      --repository) require_value "$@"; ONLY_REPOSITORY=$2; shift ;;
      *) usage_error "heal does not know '$1'" ;;
    esac
    shift
  done
}

# plan_heal: what is wrong and what comes back; ends with 7 if there is no space.
plan_heal() {
  local ulid reason
  REFUSALS=()
  STAGING="$DATA_DIRECTORY/restore-$BACKUP"
  say "Blocks of the server in $DATA_DIRECTORY: $(wc -l <"$SCRATCH/live.ulids") there, $CHECKED compared with backups, $UNKNOWN newer than them or merged since"
  while IFS='|' read -r ulid reason; do say "  ✘ $ulid: $reason"; done <"$SCRATCH/wounds"
  while IFS='|' read -r ulid reason; do say "  ✘ $ulid: is missing ($reason)"; done < <(
    jq --raw-output '.missing as $missing | .chosen[] | select([.ulid] | inside($missing)) | "\(.ulid)|\(.minTime / 1000 | floor | todate) to \(.maxTime / 1000 | floor | todate), in backup \(.backup)"' "$SCRATCH/healers.json")
  if (( ${#B_ULID[@]} > 0 )); then plan_fetch; plan_space "$STAGING"; refuse_if_planned; fi
}

# heal_verdict: ends with 9 if damage is left for which no backup has a copy.
heal_verdict() {
  if (( ${#HOPELESS[@]} > 0 )); then
    die "$EXIT_VERIFICATION" "no backup has ${HOPELESS[*]}" "move such a block out of $DATA_DIRECTORY if it keeps the server from starting"
  fi
  if [[ ! -s $SCRATCH/wounds ]] && (( ${#B_ULID[@]} == 0 )); then say "✔ nothing is damaged or missing"; fi
}

# keep_own_marks: a damaged block that still has its own meta.json and tombstones keeps them: series may have been deleted since the backup.
keep_own_marks() {
  local ulid own
  for ulid in "${B_ULID[@]}"; do
    own="$DATA_DIRECTORY/$ulid"
    if jq --exit-status --arg ulid "$ulid" '.ulid == $ulid' "$own/meta.json" >/dev/null 2>&1 && [[ -s $own/tombstones ]]; then
      cp -- "$own/meta.json" "$own/tombstones" "$STAGING/$ulid/"
    fi
  done
}

# bring_back: damaged blocks out of the way, then the whole ones in. A running server holds a loaded block open by its ULID, so it must
# first notice that the damaged one is gone.
bring_back() {
  local ulid put_aside=() stamp
  printf -v stamp '%(%Y%m%dT%H%M%SZ)T' -1
  own_staged "$(data_owner)"
  if [[ $FACTS_FROM != "the running server" ]] && [[ $SERVER_STATE == unit ]]; then unit_stop || die "$EXIT_REFUSED" "$PROMETHEUS_UNIT could not be stopped ($STOP_ERROR)" "look at: systemctl status $PROMETHEUS_UNIT"; fi
  while IFS='|' read -r ulid _; do
    if [[ " ${HOPELESS[*]} " == *" $ulid "* ]]; then continue; fi
    mv --no-target-directory -- "$DATA_DIRECTORY/$ulid" "$DATA_DIRECTORY/damaged-$ulid-$stamp"
    put_aside+=("$DATA_DIRECTORY/damaged-$ulid-$stamp")
  done <"$SCRATCH/wounds"
  if [[ $FACTS_FROM == "the running server" ]]; then
    if (( ${#put_aside[@]} > 0 )); then wait_until_dropped; fi
    move_into_server
  else
    move_into_stopped
  fi
  if (( ${#put_aside[@]} > 0 )); then say "The damaged ones are kept as ${put_aside[*]}; remove them when you like."; fi
}

# wait_until_dropped: until the server has let go of the blocks that are no longer there.
wait_until_dropped() {
  local deadline=$(( EPOCHSECONDS + MERGE_PATIENCE_SECONDS )) there loaded
  blocks_of_server "$SCRATCH/live.json"
  there="$(jq length "$SCRATCH/live.json")"
  while (( EPOCHSECONDS < deadline )); do
    loaded="$(server_metric prometheus_tsdb_blocks_loaded)"
    if [[ -n $loaded ]] && (( loaded <= there )); then break; fi
    progress "waiting for the server to let go of the damaged blocks (it looks every minute)"
    wait_for sleep 1
  done
  progress_done
}

# move_into_stopped: the blocks get their place, and the server is started if it was its damage that kept it down.
move_into_stopped() {
  local ulid
  for ulid in "${B_ULID[@]}"; do mv --no-target-directory -- "$STAGING/$ulid" "$DATA_DIRECTORY/$ulid"; done
  rm -rf -- "$STAGING"
  if [[ $UNIT_KNOWN == true ]] && { [[ $SERVER_STATE == unit ]] || unit_is failed; }; then
    unit_start || die "$EXIT_SERVER" "the blocks are back, but the server does not come up ($START_ERROR)" "look at: journalctl -u $PROMETHEUS_UNIT"
    say "The server is up again."
  fi
}
