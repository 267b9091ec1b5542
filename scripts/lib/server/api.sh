# shellcheck shell=bash
# The Prometheus server as its HTTP API shows it. Judged by HTTP code and content, never by curl's exit code alone.

AUTH=()  # options of curl, of api_credentials
API_WORDS=""  # of api: what curl said
# Of read_status_pages.
PAGE_STATUS=() STORAGE_PATH="" LISTEN_ADDRESS="" CONFIG_IN_FORCE="" WEB_CONFIG="" SERVER_CWD=""
# Of read_server.
EXTERNAL_LABELS="" OUT_OF_ORDER_WINDOW=""

# api_credentials: sets AUTH, curl's options for the credentials of the server. curl does what such a file says, such as
# writing any file, so for root one that others can change does not count. False then.
api_credentials() {
  AUTH=()
  if [[ -z ${API_CURL_CONFIG:-} ]]; then return 0; fi
  if (( EUID == 0 )) && ! belongs_to_root "$(realpath --canonicalize-missing -- "$API_CURL_CONFIG")"; then return 1; fi
  AUTH=(--config "$API_CURL_CONFIG")
}

# require_api_credentials: ends with 3 where api_credentials is false.
require_api_credentials() {
  api_credentials || die "$EXIT_CONFIGURATION" \
    "$API_CURL_CONFIG can be changed by others than root, and curl would do as root whatever it says" \
    "run 'pulumi up', which gives it to root"
}

# api METHOD PATH [CURL-ARG...]: one request. Sets API_STATUS ("000": no answer), API_BODY (a file), API_WORDS (curl's,
# if there was no answer) and API_ERROR (the same without their number). Always true.
api() {
  local method=$1 path=$2 limit=${API_LIMIT:-$API_TIMEOUT_SECONDS} AUTH
  shift 2
  API_BODY="$SCRATCH/answer" API_STATUS=000
  : >"$API_BODY"
  require_api_credentials
  wait_for curl --silent --show-error --noproxy '*' --request "$method" --connect-timeout 5 --max-time "$limit" \
    --output "$API_BODY" --write-out '%{http_code}' "${AUTH[@]}" "$@" -- "$PROMETHEUS_URL$path" \
    >"$SCRATCH/status" 2>"$SCRATCH/error" || true
  API_STATUS="$(cat -- "$SCRATCH/status")"
  API_WORDS="$(curl_words "$SCRATCH/error")"
  API_WORDS="${API_WORDS:0:300}"
  API_ERROR="${API_WORDS#curl: (*) }"
}

# explain_server: sets FAULT and REMEDY if the last answer shows why the server cannot be asked, and will not be until
# somebody mends the settings.
explain_server() {
  explain_answer "$API_STATUS" "$API_BODY" "$API_WORDS" prometheus.url prometheus.apiCredentials "$API_CURL_CONFIG"
}

# await_server: a run that a timer makes up for comes while the server that was started with the host replays its WAL.
# Waits until it does not say so any more, at most READY_TIMEOUT_SECONDS.
await_server() {
  local deadline=$(( EPOCHSECONDS + READY_TIMEOUT_SECONDS )) said=false
  while (( EPOCHSECONDS < deadline )); do
    api GET /-/ready
    if [[ $API_STATUS != 503 ]]; then return 0; fi
    if [[ $said == false ]]; then log "wait for=server reason=not_ready"; said=true; fi
    wait_for sleep 2
  done
}

# require_server: the server answers, is ready and is a Prometheus; otherwise ends with 4. Sets what read_status_pages
# sets.
require_server() {
  local try
  for try in 1 2 3; do
    api GET /-/ready
    explain_server
    if [[ $API_STATUS != 000 || $API_ERROR == *"timed out"* || -n $FAULT ]]; then break; fi
    if (( try < 3 )); then sleep 1; fi
  done
  if [[ -n $FAULT ]]; then server_fault "$FAULT" "${REMEDY,}"; fi
  if [[ $API_STATUS == 000 ]]; then
    server_fault "does not answer ($API_ERROR, $(count_text "$try" try tries))" "look at: systemctl status $PROMETHEUS_UNIT"
  fi
  if [[ $API_STATUS == 503 ]]; then
    server_fault "is not ready, probably still replaying its WAL" "wait, or look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  if [[ "$(head -n 1 -- "$API_BODY" | tr -d '\0')" == 'Prometheus Agent '* ]]; then
    die "$EXIT_REFUSED" "Prometheus at $PROMETHEUS_URL runs in agent mode: it keeps no data of its own that could be backed up" \
      "back up the servers that it sends samples to, and take this host out of the stack"
  fi
  if [[ $API_STATUS != 200 ]]; then
    server_fault "answers /-/ready with HTTP $API_STATUS" \
      "check prometheus.url (with its route prefix) and prometheus.apiCredentials"
  fi
  read_status_pages
  if [[ -z $SERVER_VERSION ]]; then
    server_fault "does not answer like a Prometheus (HTTP ${PAGE_STATUS[0]} on buildinfo)" \
      "check that no other program listens there"
  fi
  if ! version_at_least "$SERVER_VERSION" "$OLDEST_SERVER"; then
    die "$EXIT_REFUSED" "Prometheus $SERVER_VERSION is too old: before $OLDEST_SERVER overlapping or restored blocks stop the server" "upgrade Prometheus first"
  fi
}

# server_fault FACT ACTION: ends with 4 and says how old the last good backup is, for a command that was to do
# something.
server_fault() {
  local outcome=""
  if [[ ${LOOKS_ONLY:-false} == false ]]; then outcome="; nothing was done, $(last_success_in_words)"; fi
  die "$EXIT_SERVER" "Prometheus at $PROMETHEUS_URL $1$outcome" "$2"
}

# version_at_least VERSION WANTED: compares dotted numbers ("2.42.0+ds" is 2.42.0).
version_at_least() {
  local version=${1%%[!0-9.]*}
  [[ "$(printf '%s\n%s\n' "$2" "$version" | sort --version-sort | sed --quiet 1p)" == "$2" ]]
}

# read_status_pages: what the server says of itself. Sets SERVER_VERSION, STORAGE_PATH, ADMIN_API, RETENTION_SIZE,
# LISTEN_ADDRESS, CONFIG_IN_FORCE, WEB_CONFIG, RETENTION_TIME, SERVER_CWD, each "" if it does not say, and PAGE_STATUS,
# the HTTP codes of buildinfo, flags, runtimeinfo and config. The configuration in force goes to SCRATCH/prometheus.yml.
# All pages with one start of curl and jq each, which cost more than the pages.
read_status_pages() {
  local page pages=() AUTH index=0
  require_api_credentials
  for page in buildinfo flags runtimeinfo config; do
    : >"$SCRATCH/page.$page"
    pages+=(--output "$SCRATCH/page.$page" "$PROMETHEUS_URL/api/v1/status/$page")
  done
  wait_for curl --silent --noproxy '*' --fail-early --connect-timeout 5 --max-time "$API_TIMEOUT_SECONDS" \
    --write-out '%{http_code}\n' \
    "${AUTH[@]}" "${pages[@]}" >"$SCRATCH/status" 2>/dev/null || true
  PAGE_STATUS=(000 000 000 000)
  while IFS= read -r page; do PAGE_STATUS[index++]=$page; done <"$SCRATCH/status"
  index=0
  for page in buildinfo flags runtimeinfo config; do
    if [[ ${PAGE_STATUS[index++]} != 200 ]]; then : >"$SCRATCH/page.$page"; fi
  done
  jq --null-input --raw-output --rawfile buildinfo "$SCRATCH/page.buildinfo" --rawfile flags "$SCRATCH/page.flags" \
    --rawfile runtimeinfo "$SCRATCH/page.runtimeinfo" --rawfile config "$SCRATCH/page.config" \
    "$(status_filter)" >"$SCRATCH/server"
  head -n 9 -- "$SCRATCH/server" >"$SCRATCH/facts"
  tail -n +10 -- "$SCRATCH/server" >"$SCRATCH/prometheus.yml"
  { read -r SERVER_VERSION && read -r STORAGE_PATH && read -r ADMIN_API && read -r RETENTION_SIZE &&
    read -r LISTEN_ADDRESS && read -r CONFIG_IN_FORCE &&
    read -r WEB_CONFIG && read -r RETENTION_TIME && read -r SERVER_CWD; } <"$SCRATCH/facts"
}

# status_filter: the jq program of read_status_pages: nine lines, then the configuration. A page that is not in its form
# counts as empty.
status_filter() {
  answer_form
  cat <<'JQ'
  def data(page; $kind): try ([page | fromjson] | answer($kind)) catch {};
  data($flags; "flags") as $flags | data($runtimeinfo; "runtimeinfo") as $now
  | (data($buildinfo; "buildinfo").version, $flags["storage.tsdb.path"], $flags["web.enable-admin-api"] // "false",
      $flags["storage.tsdb.retention.size"] // "0B", $flags["web.listen-address"], $flags["config.file"],
      $flags["web.config.file"], $now.storageRetention, $now.CWD | . // ""),
    (data($config; "config").yaml | strings)
JQ
}

# read_server: what of the status pages decides where the data are: sets DATA_DIRECTORY (with no symbolic link in it,
# since find does not follow the one that it is given), EXTERNAL_LABELS and OUT_OF_ORDER_WINDOW ("" when not set). Needs
# require_server.
read_server() {
  local path=$STORAGE_PATH
  if [[ -z $path ]]; then
    server_fault "gives no flags (HTTP ${PAGE_STATUS[1]})" "check that the URL reaches Prometheus and not a proxy"
  fi
  if [[ $path != /* ]]; then path="${SERVER_CWD:-/}/$path"; fi
  path="$(printf '%s' "$path" | tr -s /)"
  DATA_DIRECTORY="$(realpath --canonicalize-missing -- "$path")"
  if [[ -n $DATA_DIR && "$(realpath --canonicalize-missing -- "$DATA_DIR")" != "$DATA_DIRECTORY" ]]; then
    die "$EXIT_CONFIGURATION" \
      "prometheus.dataDirectory is ${DATA_DIR%/}, but the server at $PROMETHEUS_URL writes to ${path%/}" \
      "remove it from the configuration, or correct it"
  fi
  EXTERNAL_LABELS="$(awk '/^  external_labels:/ { on = 1; next } on && /^    / { print; next } {
    on = 0 }' "$SCRATCH/prometheus.yml")"
  OUT_OF_ORDER_WINDOW="$(awk '$1 == "out_of_order_time_window:" { print $2; exit }' "$SCRATCH/prometheus.yml")"
  remember_server "$path"
  own_data
}

# remember_server PATH: keeps what the server said for a restore that finds it dead, with the data directory as the
# server calls it. Written only when it changed.
remember_server() {
  if [[ -s $STATE_DIR/server.json ]] && cmp --silent -- "$SCRATCH/facts" "$STATE_DIR/server.facts"; then return 0; fi
  jq --null-input --arg dataDirectory "${1%/}" --arg version "$SERVER_VERSION" --arg retentionTime "$RETENTION_TIME" \
    --arg retentionSize "$RETENTION_SIZE" --arg configFile "$CONFIG_IN_FORCE" '$ARGS.named' \
    >"$STATE_DIR/server.json.new" &&
    mv -fT -- "$STATE_DIR/server.json.new" "$STATE_DIR/server.json" &&
    cat -- "$SCRATCH/facts" >"$STATE_DIR/server.facts"
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
  require_own_server
  if [[ ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" "the server's data directory $DATA_DIRECTORY does not exist on this host" \
      "check that $PROMETHEUS_URL is the local server"
  fi
  if [[ ! -r $DATA_DIRECTORY || ! -w $DATA_DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" "'$(id -un)' cannot read and write $DATA_DIRECTORY" \
      "set prometheus.user to the user of the Prometheus unit"
  fi
}

# require_own_server: ends with 12 if the server's data cannot be backed up from this host.
require_own_server() {
  local ports=""
  if ! command -v systemctl >/dev/null 2>&1; then return 0; fi
  ports="$(grep --only-matching ':[0-9]*' <<<"$LISTEN_ADDRESS" | tr '\n' ' ')" || true
  if [[ $PROMETHEUS_URL =~ ^https?://[^/]*:([0-9]+)(/|$) ]]; then ports+=" :${BASH_REMATCH[1]}"; fi
  why_no_backup "$PROMETHEUS_UNIT" "$DATA_DIRECTORY" "$ports"
  if [[ -n $WHY ]]; then die "$EXIT_REFUSED" "$WHY" "${WAY_OUT,}"; fi
}

# server_metric NAME: the value of one of the server's own metrics without labels, or nothing.
server_metric() {
  { server_metrics || true; } | awk -v name="$1" '$1 == name && !found++ { printf "%.0f", $2 }'
}

# server_metrics: the lines of the server's own metrics that have their form: a name, perhaps with labels, and a number
# that is not negative and fits into 63 bits. False if it does not tell.
server_metrics() {
  api GET /metrics
  if [[ $API_STATUS != 200 ]]; then return 1; fi
  awk 'NF == 2 && /^[a-zA-Z_:][a-zA-Z0-9_:]*([{].*[}])? [0-9.e+]+$/ && length($2) < 26 &&
    $2 ~ /^[0-9]+([.][0-9]+)?(e[+]?[0-9][0-9]?)?$/ && $2 + 0 < 9.2e18' "$API_BODY"
}
