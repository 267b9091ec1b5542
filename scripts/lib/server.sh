# shellcheck shell=bash
# The Prometheus server as its HTTP API shows it. Judged by HTTP code and content, never by curl's exit code alone.

# api METHOD PATH [CURL-ARG...]: one request. Sets API_STATUS ("000": no answer), API_BODY (a file) and API_ERROR. Always true.
api() {
  local method=$1 path=$2 limit=${API_LIMIT:-$API_TIMEOUT_SECONDS} auth=()
  shift 2
  API_BODY="$SCRATCH/answer" API_ERROR="" API_STATUS=000
  : >"$API_BODY"
  if [[ -n $API_CURL_CONFIG ]]; then auth=(--config "$API_CURL_CONFIG"); fi
  wait_for curl --silent --show-error --noproxy '*' --request "$method" --connect-timeout 5 --max-time "$limit" \
    --output "$API_BODY" --write-out '%{http_code}' "${auth[@]}" "$@" -- "$PROMETHEUS_URL$path" \
    >"$SCRATCH/status" 2>"$SCRATCH/error" || true
  API_STATUS="$(cat -- "$SCRATCH/status")"
  API_ERROR="$(head -c 300 -- "$SCRATCH/error" | tr '\n' ' ')"
  API_ERROR="${API_ERROR#curl: (*) }"
  API_ERROR="${API_ERROR% }"
}

# api_value FILTER: prints what jq's FILTER finds in a successful answer; false if the answer is not one.
api_value() {
  # jq 1.6 ends with 0 on an empty file even with --exit-status.
  [[ $API_STATUS == 200 && -s $API_BODY ]] || return 1
  jq --exit-status --raw-output "select(.status == \"success\") | .data | $1" "$API_BODY" 2>/dev/null
}

# require_server: the server answers, is ready and is a Prometheus; otherwise ends with 4. Sets SERVER_VERSION.
require_server() {
  local try
  for try in 1 2 3; do
    api GET /-/ready
    if [[ $API_STATUS != 000 || $API_ERROR == *"timed out"* ]]; then break; fi
    if (( try < 3 )); then sleep 1; fi
  done
  if [[ $API_STATUS == 000 ]]; then
    server_fault "does not answer ($API_ERROR, $try tries)" "look at: systemctl status $PROMETHEUS_UNIT"
  fi
  if [[ $API_STATUS == 503 ]]; then
    server_fault "is not ready, probably still replaying its WAL" "wait, or look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  if [[ $API_STATUS != 200 ]]; then
    server_fault "answers /-/ready with HTTP $API_STATUS" "check prometheusUrl (with its route prefix) and its credentials"
  fi
  api GET /api/v1/status/buildinfo
  if ! SERVER_VERSION="$(api_value '.version | select(type == "string")')"; then
    server_fault "does not answer like a Prometheus (HTTP $API_STATUS on buildinfo)" "check that no other program listens there"
  fi
  if ! version_at_least "$SERVER_VERSION" "$OLDEST_SERVER"; then
    die "$EXIT_REFUSED" "Prometheus $SERVER_VERSION is too old: before $OLDEST_SERVER overlapping or restored blocks stop the server" "upgrade Prometheus first"
  fi
}

# server_fault FACT ACTION: ends with 4 and says how old the last good backup is.
server_fault() {
  die "$EXIT_SERVER" "Prometheus at $PROMETHEUS_URL $1; nothing was done, $(last_success_in_words)" "$2"
}

# version_at_least VERSION WANTED: compares dotted numbers ("2.42.0+ds" is 2.42.0).
version_at_least() {
  local version=${1%%[!0-9.]*}
  [[ "$(printf '%s\n%s\n' "$2" "$version" | sort --version-sort | head -n 1)" == "$2" ]]
}

# read_server: sets DATA_DIRECTORY, RETENTION_TIME, RETENTION_SIZE, ADMIN_API, LISTEN_ADDRESS, CONFIG_IN_FORCE and WEB_CONFIG from the server.
read_server() {
  local cwd="" path
  api GET /api/v1/status/flags
  api_value '.["storage.tsdb.path"], .["web.enable-admin-api"] // "false", .["storage.tsdb.retention.size"] // "0B",
    .["web.listen-address"] // "", .["config.file"] // "", .["web.config.file"] // ""' >"$SCRATCH/flags" ||
    server_fault "gives no flags (HTTP $API_STATUS)" "check that the URL reaches Prometheus and not a proxy"
  { read -r path && read -r ADMIN_API && read -r RETENTION_SIZE && read -r LISTEN_ADDRESS && read -r CONFIG_IN_FORCE && read -r WEB_CONFIG; } <"$SCRATCH/flags" ||
    server_fault "gives flags that make no sense" "check that the URL reaches Prometheus and not a proxy"
  api GET /api/v1/status/runtimeinfo
  RETENTION_TIME=""
  if api_value '.storageRetention // "", .CWD // "/"' >"$SCRATCH/runtime"; then { read -r RETENTION_TIME && read -r cwd; } <"$SCRATCH/runtime"; fi
  if [[ $path != /* ]]; then path="${cwd:-/}/$path"; fi
  path="$(printf '%s' "$path" | tr -s /)"
  DATA_DIRECTORY="${path%/}"
  if [[ -n $DATA_DIR && ${DATA_DIR%/} != "$DATA_DIRECTORY" ]]; then
    die "$EXIT_CONFIGURATION" "dataDirectory is ${DATA_DIR%/}, but the server at $PROMETHEUS_URL writes to $DATA_DIRECTORY" "remove dataDirectory from the configuration, or correct it"
  fi
  OUT_OF_ORDER_WINDOW="" EXTERNAL_LABELS=""
  remember_server
}

# remember_server: keeps what the server said for a restore that finds it dead. Written only when it changed.
remember_server() {
  { cat -- "$SCRATCH/flags" "$SCRATCH/runtime"; printf '%s\n' "$SERVER_VERSION"; } >"$SCRATCH/facts"
  if [[ -s $STATE_DIR/server.json ]] && cmp --silent -- "$SCRATCH/facts" "$STATE_DIR/server.facts"; then return 0; fi
  jq --null-input --arg dataDirectory "$DATA_DIRECTORY" --arg version "$SERVER_VERSION" --arg retentionTime "$RETENTION_TIME" \
    --arg retentionSize "$RETENTION_SIZE" --arg configFile "$CONFIG_IN_FORCE" '$ARGS.named' >"$STATE_DIR/server.json.new" &&
    mv -f -- "$STATE_DIR/server.json.new" "$STATE_DIR/server.json" &&
    cat -- "$SCRATCH/facts" >"$STATE_DIR/server.facts"
}

# read_server_config: sets EXTERNAL_LABELS and OUT_OF_ORDER_WINDOW from the configuration in force ("" when not set).
read_server_config() {
  api GET /api/v1/status/config
  api_value '.yaml' >"$SCRATCH/prometheus.yml" || : >"$SCRATCH/prometheus.yml"
  EXTERNAL_LABELS="$(awk '/^  external_labels:/ { on = 1; next } on && /^    / { print; next } { on = 0 }' "$SCRATCH/prometheus.yml")"
  OUT_OF_ORDER_WINDOW="$(awk '$1 == "out_of_order_time_window:" { print $2; exit }' "$SCRATCH/prometheus.yml")"
}

# require_admin_api: ends with 5 before any other work when the snapshot API is off.
require_admin_api() {
  if [[ $ADMIN_API != true ]]; then
    die "$EXIT_ADMIN_API" "the admin API of Prometheus at $PROMETHEUS_URL is off, so it makes no snapshots" \
      "give this host an 'adminApi' (component AdminApi adds --web.enable-admin-api to its unit), or choose source hot"
  fi
}

# listens_on_loopback ADDRESSES: whether every one of them, as the server's flag has them, is a loopback address.
listens_on_loopback() {
  local address
  for address in ${1//,/ }; do
    case "$address" in 127.* | localhost:* | "[::1]"*) ;; *) return 1 ;; esac
  done
  [[ -n $1 ]]
}

# require_data_directory: the server's directory exists on this host and belongs to the user that runs this.
require_data_directory() {
  if [[ ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" "the server's data directory $DATA_DIRECTORY does not exist on this host" "check that $PROMETHEUS_URL is the local server"
  fi
  if [[ ! -r $DATA_DIRECTORY || ! -w $DATA_DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" "'$(id -un)' cannot read and write $DATA_DIRECTORY" "set backupUser to the user of the Prometheus unit"
  fi
}

# is_network_file_system PATH: whether Prometheus data there would be unsupported.
is_network_file_system() {
  [[ "$(stat --file-system --format %T -- "$1" 2>/dev/null)" =~ ^(nfs|nfs4|fuse|cifs|smb2)$ ]]
}

# bytes_below DIR [OPTION OF DU...]: size of all files below DIR, 0 if it is not there. A file that vanishes meanwhile makes du fail after
# it has printed its sum, so its status says nothing.
bytes_below() {
  local bytes
  bytes="$(du --summarize --bytes "${@:2}" -- "$1" 2>/dev/null | cut -f 1)" || true
  printf '%s' "${bytes:-0}"
}

# free_bytes PATH / free_inodes PATH: what an unprivileged user may still write there.
free_bytes() { df --output=avail --block-size=1 -- "$1" | tail -n 1 | tr -d ' '; }
free_inodes() { df --output=iavail -- "$1" | tail -n 1 | tr -d ' -'; }
