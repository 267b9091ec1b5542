# shellcheck shell=bash
# The switch of a full restore: old entries out, staged ones in, server stopped meanwhile. Entries are moved, not the directory:
# it may be a mount point, and other things may live in it. Every step is written down first, so that whoever comes after a
# crash (the guardian, the unit's next start, the next command) can put the old data back.

# choose_staging: sets STAGING and ASIDE, on the file system of the data directory, so that every move is a rename: beside it, or in it where the
# server's user may not write beside it.
choose_staging() {
  local parent="${DATA_DIRECTORY%/*}" base="$DATA_DIRECTORY." stamp
  parent="${parent:-/}"
  if [[ -d $DATA_DIRECTORY && "$(mount_of "$parent")" != "$(mount_of "$DATA_DIRECTORY")" ]] ||
    { [[ -d $parent ]] && ! as_owner test -w "$parent"; }; then base="$DATA_DIRECTORY/"; fi
  printf -v stamp '%(%Y%m%dT%H%M%SZ)T' -1
  STAGING="${base}restore-$BACKUP"
  ASIDE="${base}before-$stamp"
}

# mount_of PATH: the mount point it lies on; bind mounts of one file system count as different, since no rename crosses them.
mount_of() { findmnt --noheadings --output TARGET --target "$1" 2>/dev/null || stat --format %m -- "$1"; }

# other_staging PREFIX...: downloads of other backups that were never switched in, a line each.
other_staging() {
  local old prefix
  for prefix in "$@"; do
    for old in "$prefix"*; do
      if [[ -d $old && $old != "$STAGING" && ${old#"$prefix"} =~ $BACKUP_PATTERN ]]; then printf '%s\n' "$old"; fi
    done
  done | sort --unique
}

# remove_other_staging PREFIX...: removes them. Only when the person has said yes: each may be hours of download.
remove_other_staging() {
  local old
  other_staging "$@" | while IFS= read -r old; do as_owner rm -rf -- "$old" </dev/null; done
}

# tsdb_entries DIR: names of what a server keeps in its data directory; everything else there is not ours to move.
tsdb_entries() {
  if [[ ! -d $1 ]]; then return 0; fi
  as_owner find "$1" -mindepth 1 -maxdepth 1 ! -name '*[[:cntrl:]]*' -printf '%f\n' |
    grep --extended-regexp '^([0-7][0-9A-HJKMNP-TV-Z]{25}(\..*)?|wal|wal\..*|wbl|chunks_head|chunk_snapshot\..*|lock|queries\.active)$' | sort || true
}

# switch_data: puts the staged blocks in place of the server's data. Sets DOWNTIME_MS and KEPT_ASIDE. Ends with 4, 9 or 12 after the
# old data are back.
switch_data() {
  local stopped
  KEPT_ASIDE=""
  prepare_switch
  stopped=$(( ${EPOCHREALTIME/./} / 1000 ))
  if [[ $WAS_RUNNING == true ]]; then DOWN_SINCE=$EPOCHSECONDS; fi
  begin_phase stop "stopping it"
  set_phase stopping
  unit_stop || switch_failed "$EXIT_REFUSED" "$PROMETHEUS_UNIT could not be stopped ($STOP_ERROR)" "look at: systemctl status $PROMETHEUS_UNIT"
  begin_phase swap "moving its data aside and the restored blocks in"
  set_phase moving-out
  move_out || switch_failed "$EXIT_UNEXPECTED" "the data of the server could not be moved aside" "look at $DATA_DIRECTORY and the messages above"
  set_phase moving-in
  move_in || switch_failed "$EXIT_UNEXPECTED" "the restored blocks could not be moved in" "look at $DATA_DIRECTORY and the messages above"
  begin_phase start "starting it"
  set_phase starting
  unit_start || switch_failed "$EXIT_SERVER" "the server does not come up on the restored data ($START_ERROR)" "look at: journalctl -u $PROMETHEUS_UNIT"
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
  flock --nonblock "$SWITCH_FD" || die "$EXIT_LOCKED" "another restore is switching data right now" "nothing was done; wait for it"
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
  if [[ $UNIT_KNOWN == true ]]; then install_guard || die "$EXIT_UNEXPECTED" "the guard of $PROMETHEUS_UNIT could not be installed" "look at /etc/systemd/system; nothing was touched"; fi
}

# data_owner: "user:group" for restored files: the unit's, else that of the data directory, else the backup user. An owner need not have a name
# on this host. The group of such a unit is that of the data directory, or has the user's number.
data_owner() {
  local group="$UNIT_GROUP"
  if [[ $UNIT_KNOWN == true ]]; then
    if [[ -z $group && -d $DATA_DIRECTORY ]]; then group="$(stat --format %g -- "$DATA_DIRECTORY")"; fi
    printf '%s:%s' "$UNIT_USER" "${group:-$UNIT_USER}"
  elif [[ -d $DATA_DIRECTORY ]]; then stat --format %u:%g -- "$DATA_DIRECTORY"
  else printf '%s:%s' "$BACKUP_USER" "$(id --group -- "$BACKUP_USER")"; fi
}

# make_directories PATH: the directory, and what is missing above it, as the server's user and for it. Where that user may not make it,
# root does, if the settings or the unit name the place and nobody else can change the way there.
make_directories() {
  local path=$1 owner=$STAGE_OWNER parent first
  if [[ -d $path ]]; then return 0; fi
  parent="$(nearest_directory "$path")"
  if ! as_owner test -w "$parent"; then
    first="${path#"${parent%/}/"}"
    first="${parent%/}/${first%%/*}"
    if [[ $CONFIRMED == false ]] || ! belongs_to_root "$parent"; then
      die "$EXIT_REFUSED" "$first does not exist, and '${owner%:*}' may not make it; nothing was touched" "run: install -d -o ${owner%:*} -g ${owner#*:} $first"
    fi
    mkdir --mode=0755 -- "$first" || die "$EXIT_SPACE" "$first cannot be made" "look at that file system; nothing was touched"
    chown --no-dereference -- "$owner" "$first"
  fi
  ( umask 022; as_owner mkdir --parents -- "$path" ) || die "$EXIT_SPACE" "$path cannot be made" "look at that file system; nothing was touched"
}

# set_phase PHASE: the journal, on disk before the step begins. False, with the old one in its place, if there is no room.
set_phase() {
  printf '%s\n' "phase=$1" "unit=$PROMETHEUS_UNIT" "unit_known=$UNIT_KNOWN" "data=$DATA_DIRECTORY" "staging=$STAGING" "aside=$ASIDE" \
    "was_running=$WAS_RUNNING" "created=$CREATED" "backup=$BACKUP" "ready_timeout=$READY_TIMEOUT_SECONDS" "url=$PROMETHEUS_URL" "pid=$UNIT_PID" \
    "api_curl_config=$API_CURL_CONFIG" "owner=$STAGE_OWNER" >"$JOURNAL.new" || return 1
  sync -- "$JOURNAL.new" && mv -f -- "$JOURNAL.new" "$JOURNAL" && sync -- "${JOURNAL%/*}" || return 1
  PHASE=$1
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

# check_restored: the server holds exactly what the manifest says, but for what its retention was allowed to delete, and has something from the time of
# each block; ends with 9 (and the old data) otherwise. Sets ASKED and UNANSWERED: whose time it did not speak about.
check_restored() {
  local expected loaded by_time=0 by_size=0 lost=0 indexes
  ASKED=0 UNANSWERED=()
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  # A block that another one names as its parent is deleted when that one is loaded.
  expected="$(jq '([.[].meta.compaction.parents // [] | .[].ulid] | unique) as $parents | [.[] | select([.ulid] | inside($parents) | not)] | length' "$SELECTED")"
  # Counted again: the download may have taken hours.
  if [[ $ALLOW_RETENTION_LOSS == true ]]; then
    read -r by_time by_size < <(count_lost "$(wal_bytes)")
    lost=$(( by_time > by_size ? by_time : by_size ))
  fi
  loaded="$(server_metric prometheus_tsdb_blocks_loaded)"
  if [[ -z $loaded ]]; then warn "the server does not show prometheus_tsdb_blocks_loaded at /metrics, so its blocks were not counted"
  elif (( loaded > expected || loaded < expected - lost )); then
    switch_failed "$EXIT_VERIFICATION" "the server has loaded $loaded blocks, the backup has $expected$(if (( lost > 0 )); then printf ', of which its retention deletes %d' "$lost"; fi)" \
      "look at: journalctl -u $PROMETHEUS_UNIT"
  elif (( loaded != expected )); then warn "the server has loaded $loaded of $expected blocks (its retention was allowed to delete some)"; fi
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
  jq --raw-output 'map(select(.numTombstones == 0 and .numSeries > 0 and .numSeries <= 50000)) | min_by(.numSeries) // empty
    | "\(.numSeries) \(.minTime / 1000) \((.maxTime - 1) / 1000)"' "$SELECTED" | read -r wanted from to || return 0
  API_LIMIT=60 api GET /api/v1/series --get --data-urlencode 'match[]={__name__!=""}' --data-urlencode "start=$from" --data-urlencode "end=$to"
  found="$(api_value length)" || found=""
  if [[ -z $found ]]; then warn "the server did not list series (HTTP $API_STATUS), so they were not counted"; return 0; fi
  if (( found < wanted )) && [[ $ALLOW_RETENTION_LOSS == false ]]; then
    switch_failed "$EXIT_VERIFICATION" "the server finds $found series where the backup has $wanted" "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
}
