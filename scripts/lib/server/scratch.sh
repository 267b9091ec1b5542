# shellcheck shell=bash
# A throw-away server over restored blocks: on loopback, without a configuration, and without retention or compaction,
# which would change the blocks while they are looked at.

SCRATCH_PROGRAM=""  # of require_server_program
# Of start_scratch_server.
SCRATCH_URL="" SCRATCH_PID="" SCRATCH_VERSION="" SCRATCH_ERROR=""

# require_server_program: sets SCRATCH_PROGRAM before anything is fetched; ends with 3 if there is none.
require_server_program() {
  SCRATCH_PROGRAM="$(server_program prometheus)"
  if [[ -n $SCRATCH_PROGRAM ]]; then return 0; fi
  die "$EXIT_CONFIGURATION" \
    "there is no prometheus program on this host$(if (( EUID == 0 )); then printf ' that nobody but root can change'; fi)" \
    "install one, or put it on the PATH"
}

# choose_drill_place drill|browse: sets DRILL_PLACE, where the blocks go, and removes what was left there by commands
# that were killed.
choose_drill_place() {
  local place="${DRILL_DIRECTORY:-$SCRATCH}" old
  DRILL_PLACE="$place/prometheus-backup-$1.$$"
  for old in "$place"/prometheus-backup-{drill,browse}.*; do
    if [[ -d $old && ! -L $old && -O $old && ${old##*.} =~ ^[0-9]+$ ]] && ! kill -0 "${old##*.}" 2>/dev/null; then
      rm -rf -- "$old"
    fi
  done
}

# start_scratch_server DIR: sets SCRATCH_URL when it is ready; ends with 4 if it does not start. The exit trap ends it.
start_scratch_server() {
  local directory=$1 port deadline
  port="$(free_port)"
  SCRATCH_URL="http://127.0.0.1:$port"
  : >"$SCRATCH/empty.yml"
  in_background run_scratch_server "$SCRATCH_PROGRAM" "$directory" "$port"
  SCRATCH_PID=$CHILD
  deadline=$(( EPOCHSECONDS + READY_TIMEOUT_SECONDS ))
  # The drill asks this server from here on, never the real one.
  PROMETHEUS_URL="$SCRATCH_URL" API_CURL_CONFIG=""
  while api GET /-/ready; [[ $API_STATUS != 200 ]]; do
    if ! kill -0 "$SCRATCH_PID" 2>/dev/null || (( EPOCHSECONDS >= deadline )); then
      SCRATCH_ERROR="$(grep 'err=\|level=ERROR\|error' "$SCRATCH/server.log" | tail -n 1)" || SCRATCH_ERROR=""
      SCRATCH_ERROR=${SCRATCH_ERROR:0:400}
      return 1
    fi
    wait_for sleep 0.2
  done
  api GET /api/v1/status/buildinfo
  SCRATCH_VERSION="$(api_value buildinfo .version)" || SCRATCH_VERSION=""
}

# run_scratch_server PROGRAM DIR PORT: as a job. It dies with this command, even if that is killed.
run_scratch_server() {
  exec setpriv --pdeathsig KILL -- "$1" --config.file="$SCRATCH/empty.yml" --storage.tsdb.path="$2" \
    --web.listen-address="127.0.0.1:$3" \
    --storage.tsdb.retention.time=100y --storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h \
    --query.max-samples=2000000000 --query.timeout=1h --log.level=warn >"$SCRATCH/server.log" 2>&1
}

# stop_scratch_server: ends it.
stop_scratch_server() {
  kill -TERM "$SCRATCH_PID" 2>/dev/null || true
  wait "$SCRATCH_PID" 2>/dev/null || true
}
