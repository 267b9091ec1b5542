# shellcheck shell=bash
# The cold source: the server is stopped, everything with WAL and head is hard-linked, and the server starts again
# before anything is sent. Staged as in hot.sh.

SERVER_STOPPED=false  # by this run, which starts it again
STOPPED_AT=""  # EPOCHREALTIME of that
COLD_NEWEST=""  # the newest sample of the head that was stopped, in milliseconds

readonly STAGE_PREFIX=prometheus-backup-stage

# source_cold: see above. The server is started again whatever happens: by a cleanup hook, by the guardian if this run
# is killed, by the next run if that was killed as well.
source_cold() {
  if (( EUID != 0 )); then
    die "$EXIT_CONFIGURATION" "a cold backup stops and starts $PROMETHEUS_UNIT, which needs root" \
      "run 'pulumi up', which lets the job of a cold source run as root"
  fi
  COLD_NEWEST="$(head_max_time)"
  if ! systemctl is-active --quiet -- "$PROMETHEUS_UNIT"; then
    die "$EXIT_REFUSED" "the server answers, but $PROMETHEUS_UNIT is not what runs it, so it cannot be stopped" \
      "set prometheus.unit to the unit of this server"
  fi
  read_unit
  if [[ $UNIT_CAN_STOP == false ]]; then
    die "$EXIT_REFUSED" "$PROMETHEUS_UNIT refuses to be stopped (RefuseManualStop)" \
      "take that out of the unit, or choose source snapshot or hot"
  fi
  open_stage
  CLEANUP_HOOKS+=(start_after_cold)
  start_guardian "$STATE_DIR/cold" recover --after-cold "$PROMETHEUS_UNIT" "$UNIT_PID" "$STATE_DIR/cold.stopped" \
    "$SOURCE_DIR"
  printf '%s\n' "$UNIT_PID" >"$STATE_DIR/cold.stopped" ||
    die "$EXIT_SPACE" "$STATE_DIR/cold.stopped cannot be written" "free space there; the server was not stopped"
  STOPPED_AT=$EPOCHREALTIME
  SERVER_STOPPED=true
  unit_stop || die "$EXIT_SNAPSHOT" "$PROMETHEUS_UNIT could not be stopped ($STOP_ERROR)" \
    "look at: journalctl -u $PROMETHEUS_UNIT"
  if ! link_blocks || ! link_head; then
    if no_room_to_link; then links_lack_room; fi
    die "$EXIT_SNAPSHOT" "the data of the stopped server could not be linked ($(tail -n 1 -- "$SCRATCH/error"))" \
      "look at $DATA_DIRECTORY; all of it has to be on one file system for a cold backup, not so for source snapshot or hot; no new backup was recorded"
  fi
  if ! unit_start; then
    end_cold
    server_stays_down
  fi
  end_cold
  log "cold links downtime_seconds=${METRICS[downtime_seconds]}"
}

# end_cold: the server is up again, and nobody needs to watch over it any more.
end_cold() {
  SERVER_STOPPED=false
  rm -f -- "$STATE_DIR/cold.stopped"
  dismiss_guardian
  set_metric downtime_seconds "$(awk -v a="$STOPPED_AT" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')"
}

# head_max_time: the newest sample of the running server in ms, or nothing if its head is empty.
head_max_time() {
  local newest
  newest="$(server_metric prometheus_tsdb_head_max_time)"
  if [[ $newest != 0 ]]; then printf '%s' "$newest"; fi
}

# server_stays_down: ends with 4. The unit has been started; whatever keeps it down, another start will not mend.
server_stays_down() {
  die "$EXIT_SERVER" "$PROMETHEUS_UNIT was stopped for a cold backup and does not come up again ($START_ERROR); no new backup was recorded" \
    "look at: journalctl -u $PROMETHEUS_UNIT. When that is mended: systemctl start $PROMETHEUS_UNIT"
}

# start_after_cold STATUS: the cleanup hook of source_cold. A server that takes long to shut down is left to the
# guardian, who waits for it; one that was interrupted does not wait until the server is ready.
start_after_cold() {
  if [[ $SERVER_STOPPED == false ]]; then return 0; fi
  # First, because its links may hold the last inodes, without which the server does not come up.
  close_stage
  if ! old_process_ended 60 || ! order_start; then
    warn "$PROMETHEUS_UNIT is not up again yet; it is tried once more when its old process has ended. Look at: systemctl status $PROMETHEUS_UNIT"
    return 0
  fi
  if (( $1 < 128 )) && ! await_start; then
    warn "$PROMETHEUS_UNIT does not come up again ($START_ERROR). Look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  end_cold
}

# guard_cold UNIT PID NOTE STAGE: the guardian of a cold backup. It waits for the end of its standard input; unless the
# run said that all is well, it starts the server as soon as the process that the run had stopped is gone. After an hour
# it leaves that to the next run.
guard_cold() {
  local note=$3 stage=$4 deadline=$(( EPOCHSECONDS + 3600 ))
  PROMETHEUS_UNIT=$1 UNIT_PID=$2
  if ! left_alone; then return 0; fi
  until stays_up || ! old_process_lives; do
    if (( EPOCHSECONDS >= deadline )); then return 0; fi
    sleep 0.2
  done
  # First, as in start_after_cold. Whatever linked has ended: it had the other end of our standard input.
  as_user "$(stat --format %u:%g -- "${stage%/*}")" rm -rf -- "$stage" || true
  systemctl reset-failed -- "$PROMETHEUS_UNIT" 2>/dev/null || true
  systemctl start -- "$PROMETHEUS_UNIT" && rm -f -- "$note"
}

# stays_up: whether the unit is up and nobody is about to stop it: a "systemctl stop" of a run that was killed may still
# be under way.
stays_up() {
  local looks=10
  while (( looks-- > 0 )); do
    if ! unit_is active; then return 1; fi
    sleep 0.2
  done
}

# process_of_note FILE: the process that a cold backup was about to stop, or 0.
process_of_note() { sed --quiet '1 { s/^\([0-9][0-9]*\)$/\1/p }' -- "$1" 2>/dev/null | grep . || printf 0; }

# start_left_stopped: what a cold backup left that was killed together with its guardian, as when the power fails. Ends
# with 4 while the process that it had stopped is still at work.
start_left_stopped() {
  if [[ ! -e $STATE_DIR/cold.stopped ]] || (( EUID != 0 )); then return 0; fi
  read_unit
  UNIT_PID="$(process_of_note "$STATE_DIR/cold.stopped")"
  if ! old_process_ended "$STOP_PATIENCE_SECONDS"; then
    die "$EXIT_SERVER" "process $UNIT_PID of $PROMETHEUS_UNIT, which a cold backup was to stop, has not ended yet, and two servers would spoil the data" \
      "look at: systemctl status $PROMETHEUS_UNIT"
  fi
  if ! stays_up; then
    warn "a cold backup was cut off while $PROMETHEUS_UNIT was stopped; it is started now"
    if ! unit_start; then
      rm -f -- "$STATE_DIR/cold.stopped"
      server_stays_down
    fi
  fi
  rm -f -- "$STATE_DIR/cold.stopped"
}

# link_head: WAL, WBL and head chunks of the stopped server. It opens new segments at its next start and never writes to
# these again, so links are enough.
link_head() {
  local parts=() part
  for part in wal wbl chunks_head; do
    if [[ -d $DATA_DIRECTORY/$part ]]; then parts+=("$part"); fi
  done
  if (( ${#parts[@]} > 0 )); then link_below "$SOURCE_DIR" "${parts[@]}" 2>"$SCRATCH/error"; fi
}

# pack_head: what link_head linked, as one object.
pack_head() {
  local parts=() part
  for part in wal wbl chunks_head; do
    if [[ -d $SOURCE_DIR/$part ]]; then parts+=("$part"); fi
  done
  tar --create --directory "$SOURCE_DIR" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner -- "${parts[@]}" |
    compress "$PARALLEL"
}

# store_head PLAN: sends WAL and head of a cold backup; PLAN.wal gets the manifest entry, or null.
store_head() {
  local plan=$1 object="heads/$BACKUP-wal.tar.zst" raw
  printf 'null\n' >"$plan.wal"
  if [[ $SOURCE != cold || ! -d $SOURCE_DIR/wal ]]; then return 0; fi
  send "$object" pack_head || return 1
  raw=$(( $(bytes_below "$SOURCE_DIR/wal") + $(bytes_below "$SOURCE_DIR/wbl") +
    $(bytes_below "$SOURCE_DIR/chunks_head") ))
  jq --null-input --arg object "$object" --argjson objectBytes "$SENT_BYTES" --arg objectSha256 "$SENT_SHA256" \
    --argjson rawBytes "$raw" \
    --argjson newestSample "${COLD_NEWEST:-null}" '$ARGS.named' >"$plan.wal"
}
