# shellcheck shell=bash
# The switch of a full restore: old entries out, staged ones in, server stopped meanwhile. Entries are moved, not the
# directory: it may be a mount point, and other things may live in it.

# Of switch_data: how long the server was down, and where the data from before are.
DOWNTIME_MS=0 KEPT_ASIDE=""
RESTORED=false  # whether there is no way back any more

# switch_data: puts the staged blocks in place of the server's data. Sets DOWNTIME_MS and KEPT_ASIDE. Ends with 4, 9 or
# 12 after the old data are back.
switch_data() {
  local stopped
  KEPT_ASIDE=""
  prepare_switch
  stopped=$(( ${EPOCHREALTIME/./} / 1000 ))
  if [[ $WAS_RUNNING == true ]]; then DOWN_SINCE=$EPOCHSECONDS; fi
  begin_phase stop "stopping it"
  set_phase stopping
  unit_stop || switch_failed "$EXIT_REFUSED" "$PROMETHEUS_UNIT could not be stopped ($STOP_ERROR)" \
    "look at: systemctl status $PROMETHEUS_UNIT"
  begin_phase swap "moving its data aside and the restored blocks in"
  set_phase moving-out
  move_out || switch_failed "$EXIT_UNEXPECTED" "the data of the server could not be moved aside" \
    "look at $DATA_DIRECTORY and the messages above"
  set_phase moving-in
  move_in || switch_failed "$EXIT_UNEXPECTED" "the restored blocks could not be moved in" \
    "look at $DATA_DIRECTORY and the messages above"
  begin_phase start "starting it"
  set_phase starting
  unit_start || switch_failed "$EXIT_SERVER" "the server does not come up on the restored data ($START_ERROR)" \
    "look at: journalctl -u $PROMETHEUS_UNIT"
  DOWNTIME_MS=$(( ${EPOCHREALTIME/./} / 1000 - stopped ))
  progress_done
  DOWN_SINCE=""
  begin_phase check "comparing what it serves with the backup for {}"
  check_restored
  PHASE_WORDS="$(blocks_text ${#B_ULID[@]}) as in the backup"
  if [[ $UNIT_KNOWN == false ]]; then PHASE_WORDS="nothing was asked"; fi
  end_phase
  end_switch
  note_metrics downtime_seconds "$(( DOWNTIME_MS / 1000 )).$(printf '%03d' $(( DOWNTIME_MS % 1000 )))"
}

# switch_failed CODE FACT ACTION: ends the command; the exit hook undo_switch puts the old data back.
switch_failed() { die "$1" "$2" "$3"; }

# prepare_switch: everything that can be done before the server stops.
prepare_switch() {
  own_staged
  mkdir --parents -- "${JOURNAL%/*}"
  exec {SWITCH_FD}>"${JOURNAL%/*}/lock"
  flock --nonblock "$SWITCH_FD" || die "$EXIT_LOCKED" "another restore is switching data right now" \
    "nothing was done; wait for it"
  staged_entries >"${JOURNAL%/*}/entries"
  CREATED=false
  if [[ ! -d $DATA_DIRECTORY ]]; then CREATED=true; fi
  # Looked at again: the download may have taken hours.
  WAS_RUNNING=false
  if [[ $UNIT_KNOWN == true ]] && unit_is active activating reloading deactivating; then WAS_RUNNING=true; fi
  CLEANUP_HOOKS+=(undo_switch)
  set_phase prepared
  start_guardian "${JOURNAL%/*}/switch" recover --guard "$JOURNAL"
  if [[ $CREATED == true ]]; then make_directories "$DATA_DIRECTORY"; fi
  sync --file-system -- "$STAGING"
  if [[ $UNIT_KNOWN == true ]]; then
    install_guard || die "$EXIT_UNEXPECTED" "the guard of $PROMETHEUS_UNIT could not be installed" \
      "look at /etc/systemd/system; nothing was touched"
  fi
}

# make_directories PATH: the directory, and what is missing above it, as the server's user and for it. Where that user
# may not make it, root does, if the settings or the unit name the place and nobody else can change the way there.
make_directories() {
  # Of what lies in the root directory, nothing stands before the last slash.
  local path=${1:-/} owner=$STAGE_OWNER parent first
  if [[ -d $path ]]; then return 0; fi
  parent="$(nearest_directory "$path")"
  if ! as_owner test -w "$parent"; then
    first="${path#"${parent%/}/"}"
    first="${parent%/}/${first%%/*}"
    if [[ $CONFIRMED == false ]] || ! belongs_to_root "$parent"; then
      die "$EXIT_REFUSED" "$first does not exist, and '${owner%:*}' may not make it; nothing was touched" \
        "run: install -d -o ${owner%:*} -g ${owner#*:} $first"
    fi
    mkdir --mode=0755 -- "$first" || die "$EXIT_SPACE" "$first cannot be made" \
      "look at that file system; nothing was touched"
    chown --no-dereference -- "$owner" "$first"
  fi
  ( umask 022; as_owner mkdir --parents -- "$path" ) ||
    die "$EXIT_SPACE" "$path cannot be made" "look at that file system; nothing was touched"
}

# move_out: what the server has now goes to ASIDE.
move_out() {
  local entries=()
  tsdb_entries "$DATA_DIRECTORY" | mapfile -t entries
  if (( ${#entries[@]} == 0 )); then return 0; fi
  as_owner mkdir --mode=0755 -- "$ASIDE" || return 1
  as_owner env --chdir="$DATA_DIRECTORY" mv --target-directory="$ASIDE" -- "${entries[@]}" || return 1
  sync -- "$DATA_DIRECTORY" "$ASIDE"
  KEPT_ASIDE="$ASIDE"
}

# move_in: the staged entries get their place.
move_in() {
  local entries=()
  mapfile -t entries <"${JOURNAL%/*}/entries"
  as_owner env --chdir="$STAGING" mv --target-directory="$DATA_DIRECTORY" -- "${entries[@]}" || return 1
  sync -- "$DATA_DIRECTORY"
}

# end_switch: from here on the restored data are the data.
end_switch() {
  rm -f -- "$JOURNAL"
  RESTORED=true
  sync -- "${JOURNAL%/*}"
  PHASE=""
  dismiss_guardian
  if [[ $UNIT_KNOWN == true ]]; then remove_guard; fi
  as_owner rm -rf -- "$STAGING"
  rm -f -- "${JOURNAL%/*}/entries"
  exec {SWITCH_FD}>&-
}

# check_restored: the server holds exactly what the manifest says, but for what its retention was allowed to delete, and
# has something from the time of each block; ends with 9 (and the old data) otherwise. Sets ASKED and UNANSWERED: whose
# time it did not speak about.
check_restored() {
  local expected loaded by_time=0 by_size=0 lost=0 indexes
  ASKED=0 UNANSWERED=()
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  # A block that another one names as its parent is deleted when that one is loaded.
  expected="$(jq '([.[].meta.compaction.parents // [] | .[].ulid] | unique) as $parents
    | [.[] | select([.ulid] | inside($parents) | not)] | length' "$SELECTED")"
  # Counted again: the download may have taken hours.
  if [[ $ALLOW_RETENTION_LOSS == true ]]; then
    read -r by_time by_size < <(count_lost "$(wal_bytes)")
    lost=$(( by_time > by_size ? by_time : by_size ))
  fi
  loaded="$(server_metric prometheus_tsdb_blocks_loaded)"
  if [[ -z $loaded ]]; then
    warn "the server does not show prometheus_tsdb_blocks_loaded at /metrics, so its blocks were not counted"
  elif (( loaded > expected || loaded < expected - lost )); then
    switch_failed "$EXIT_VERIFICATION" \
      "the server has loaded $(blocks_text "$loaded"), the backup has $expected$(if (( lost > 0 )); then printf ', of which its retention deletes %d' "$lost"; fi)" \
      "look at: journalctl -u $PROMETHEUS_UNIT"
  elif (( loaded != expected )); then
    warn "the server has loaded $loaded of $(blocks_text "$expected") (its retention was allowed to delete some)"
  fi
  check_series
  # The newest come first, and retention begins with the oldest.
  indexes=("${!B_ULID[@]}")
  ask_blocks "${indexes[@]:0:${#indexes[@]}-lost}"
  if (( ${#UNANSWERED[@]} > 0 )) && [[ $ANSWER_STATUS == 200 ]]; then
    switch_failed "$EXIT_VERIFICATION" "$(unanswered_text)" "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
}

# check_series: the series of the smallest block, counted by the server.
check_series() {
  local wanted from to found
  jq --raw-output 'map(select(.numTombstones == 0 and .numSeries > 0 and .numSeries <= 50000))
    | min_by(.numSeries) // empty
    | "\(.numSeries) \(.minTime / 1000) \((.maxTime - 1) / 1000)"' "$SELECTED" | read -r wanted from to || return 0
  API_LIMIT=60 api GET /api/v1/series --get --data-urlencode 'match[]={__name__!=""}' --data-urlencode "start=$from" \
    --data-urlencode "end=$to"
  found="$(api_value series length)" || found=""
  if [[ -z $found ]]; then
    warn "the server did not list series ($(answer_words)), so they were not counted"
    return 0
  fi
  if (( found < wanted )) && [[ $ALLOW_RETENTION_LOSS == false ]]; then
    switch_failed "$EXIT_VERIFICATION" "the server finds $found series where the backup has $wanted" \
      "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
}
