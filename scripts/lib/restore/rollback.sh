# shellcheck shell=bash
# After a restore that failed or was cut off: the old data come back, from whatever point it had reached. Idempotent,
# since the guardian, the unit's next start and the next command may all come here.

# How long a start of the unit waits for the same, within the time that systemd gives it.
readonly START_PATIENCE_SECONDS=20

# recover_interrupted: what every command of root does first.
recover_interrupted() {
  if [[ -e $JOURNAL ]]; then recover_from_journal --serve; else remove_left_guards --serve; fi
}

# recover_from_journal MODE: rolls back unless the restore that wrote the journal is still at work, or somebody has the
# data open.
recover_from_journal() {
  local mode=$1 wait=0
  if [[ $mode == --guard ]]; then wait=60; fi
  exec {SWITCH_FD}>>"${JOURNAL%/*}/lock"
  if ! flock --wait "$wait" "$SWITCH_FD"; then
    if [[ $mode == --before-start && "$(journal_value phase)" == starting ]]; then
      read_journal
      free_data "$mode" || rollback_waits
      return 0
    fi
    die "$EXIT_LOCKED" "a restore is moving the server's data right now, or waits until the server lets go of them" \
      "wait for it; the server must not start in the middle"
  fi
  if [[ ! -e $JOURNAL ]]; then exec {SWITCH_FD}>&-; return 0; fi
  read_journal
  say "prometheus-backup: the restore of backup $BACKUP was cut off (phase $PHASE)."
  if lived_on_restored_data; then
    say "prometheus-backup: the server has been running on the restored data since then, so they stay; the data from before are in $ASIDE."
    forget_switch "$mode"
    return 0
  fi
  free_data "$mode" || rollback_waits
  put_old_data_back || die "$EXIT_UNEXPECTED" \
    "the data from before could not all be moved back from $ASIDE to $DATA_DIRECTORY" \
    "look at both and at the messages above; the server must not start before"
  forget_switch "$mode"
  say "prometheus-backup: the data from before are back in $DATA_DIRECTORY."
  if [[ $mode != --before-start ]]; then serve_old_data; fi
}

# free_data MODE: stops the server before its data are moved; a start of the unit can only wait until its predecessor
# has ended. False, with STOP_ERROR, if a process still has the data open.
free_data() {
  local ending=unit_stop deadline=$EPOCHSECONDS
  if is_one_of "$PHASE" prepared stopping; then return 0; fi
  case "$1" in
    --guard) deadline=$(( EPOCHSECONDS + GUARDIAN_PATIENCE_SECONDS )) ;;
    --before-start) ending=data_is_closed deadline=$(( EPOCHSECONDS + START_PATIENCE_SECONDS )) ;;
  esac
  until "$ending"; do
    if (( EPOCHSECONDS >= deadline )); then return 1; fi
    sleep 2
  done
}

# rollback_waits: ends with 12, journal and guard stay where they are.
rollback_waits() {
  die "$EXIT_REFUSED" "the restore of backup $BACKUP was cut off, and the data from before ($ASIDE) cannot come back while the server has not ended ($STOP_ERROR); nothing was moved" \
    "end that process; the next start of $PROMETHEUS_UNIT or the next prometheus-backup.sh command then puts them back"
}

# lived_on_restored_data: whether the server has written to its WAL long after the restore ended. Then its data are the
# newer truth, and what was put aside is the older one. (Only if nobody was left to roll back at once.)
lived_on_restored_data() {
  local since
  if [[ $PHASE != starting ]]; then return 1; fi
  since=$(( $(stat --format %Y -- "$JOURNAL") + READY_TIMEOUT_SECONDS + 600 ))
  [[ -n "$(find "$DATA_DIRECTORY/wal/" -type f -newermt "@$since" -print -quit 2>/dev/null)" ]]
}

# put_old_data_back: by phase. False if something could not be moved; the journal stays then.
put_old_data_back() {
  case "$PHASE" in
    prepared | stopping) ;;
    moving-out | moving-back) move_back || return 1 ;;
    *)
      # No longer "starting", in which a start of the unit is let through. What is removed next may be what fills the
      # file system.
      set_phase undoing || true
      move_new_out || return 1
      set_phase moving-back || return 1
      move_back || return 1 ;;
  esac
  if [[ $CREATED == true ]]; then as_owner rmdir -- "$DATA_DIRECTORY" 2>/dev/null; fi
  return 0
}

# move_new_out: restored blocks go back to the staging directory, so that the next try need not fetch them again; what
# the server made on top of them goes away.
move_new_out() {
  local entry
  while IFS= read -r entry; do
    if [[ -d $STAGING && ! -e $STAGING/$entry ]] && grep --quiet --line-regexp --fixed-strings \
      -e "$entry" "${JOURNAL%/*}/entries"; then
      as_owner mv --no-target-directory -- "$DATA_DIRECTORY/$entry" "$STAGING/$entry" </dev/null || return 1
    else
      as_owner rm -rf -- "${DATA_DIRECTORY:?}/${entry:?}" || return 1
    fi
  done < <(tsdb_entries "$DATA_DIRECTORY")
}

# move_back: everything in ASIDE returns to its place.
move_back() {
  local entry
  if [[ ! -d $ASIDE ]]; then return 0; fi
  while IFS= read -r entry; do
    as_owner mv --no-target-directory -- "$ASIDE/$entry" "$DATA_DIRECTORY/$entry" </dev/null || return 1
  done < <(tsdb_entries "$ASIDE")
  as_owner rmdir -- "$ASIDE" || return 1
  sync -- "$DATA_DIRECTORY"
}

# forget_switch MODE: journal and guard go. A unit that is starting right now must not be reloaded under its own feet.
forget_switch() {
  rm -f -- "$JOURNAL"
  PHASE=""
  if [[ $UNIT_KNOWN == true ]]; then
    if [[ $1 == --before-start ]]; then remove_guard_later; else remove_guard; fi
  fi
  exec {SWITCH_FD}>&-
}

# undo_switch STATUS: the exit hook of a restore that did not get through. If the server cannot be stopped, nothing is
# moved, and everything stays as it is for the guardian, who waits for it, for the unit's next start and for the next
# command.
undo_switch() {
  if [[ -z ${PHASE:-} || ! -e $JOURNAL ]]; then return 0; fi
  if [[ $PHASE != prepared ]]; then say "prometheus-backup: putting the data from before back."; fi
  if [[ -n $DOWN_SINCE ]]; then progress "Prometheus is down for {}; the data from before come back"; fi
  if ! free_data --serve; then
    warn "the server could not be stopped ($STOP_ERROR), so nothing was moved: the data from before are in $ASIDE. They come back when it has ended; look at: systemctl status $PROMETHEUS_UNIT"
    return 0
  fi
  if ! put_old_data_back; then
    warn "the data from before could not all be moved back from $ASIDE to $DATA_DIRECTORY; look at both. The server is not started."
    return 0
  fi
  dismiss_guardian
  forget_switch --serve
  serve_old_data
}

# serve_old_data: starts the server if it ran before, and says whether it serves.
serve_old_data() {
  if [[ $UNIT_KNOWN == false || $WAS_RUNNING == false ]]; then
    say "prometheus-backup: the server is as it was before: not running."
    return 0
  fi
  if unit_start; then
    say "prometheus-backup: the data from before are served again."
  else
    warn "the data from before are in place, but the server does not come up on them either ($START_ERROR); look at: journalctl -u $PROMETHEUS_UNIT"
  fi
}
