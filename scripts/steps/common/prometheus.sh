# shellcheck shell=bash
# The server, seen from its host. Needs curl, but no jq: this runs before anything is installed.

HTTP_STATUS='' HTTP_BODY='' BASE_URL='' API_CURL=()

# use_server URL CURL_CONFIG: what the functions below talk to. curl does what its configuration says, so that must be
# root's.
use_server() {
  BASE_URL="${1%/}"
  API_CURL=(curl --silent --show-error --noproxy '*' --proto '=http,https')
  if [[ -z $2 ]]; then return 0; fi
  if [[ -e $2 && ! "$(stat --format '%u %A' -- "${2%/*}" "$2" | tr '\n' ' ')" =~ ^0\ d....-..-.\ 0\ -....-..-.\ $ ]]; then
    die "$EXIT_REFUSED" "$2 can be changed by others than root, and curl would do as root whatever it says; nothing was changed. Run \`pulumi up --replace '**-credentials'\`, which gives it to root"
  fi
  API_CURL+=(--config "$2")
}

# http_get PATH [CURL_ARGUMENT...]: sets HTTP_STATUS (000 without an answer) and HTTP_BODY. Never fails.
http_get() {
  local path="$1"
  shift
  : >"$WORK/body"
  HTTP_STATUS="$("${API_CURL[@]}" --max-time 10 --output "$WORK/body" --write-out '%{http_code}' "$@" "$BASE_URL$path" 2>"$WORK/curl")" || HTTP_STATUS=000
  HTTP_BODY="$(tr -d '\0' <"$WORK/body")"
}

# json_value KEY: sets VALUE from HTTP_BODY, a flat member that is a string without escapes, or true or false.
json_value() {
  local key="${1//./\\.}"
  VALUE=''
  if [[ $HTTP_BODY =~ \"$key\":\"([^\"\\]*)\" || $HTTP_BODY =~ \"$key\":(true|false) ]]; then
    VALUE="${BASH_REMATCH[1]}"
  fi
}

# server_flag NAME: sets VALUE to a flag of the running server.
server_flag() {
  http_get /api/v1/status/flags
  if [[ $HTTP_STATUS != 200 || $HTTP_BODY != '{"status":"success"'* ]]; then
    die "$EXIT_SERVER" "$BASE_URL/api/v1/status/flags answered with HTTP $HTTP_STATUS and not as Prometheus does; nothing was changed. Check the URL with its route prefix, and the credentials"
  fi
  json_value "$1"
}

# wait_ready UNIT SECONDS: true once the server is ready; false when time is up or the unit has given up.
wait_ready() {
  local deadline=$((SECONDS + $2)) restarts
  restarts="$(unit_property "$1" NRestarts)"
  while true; do
    http_get /-/ready
    if [[ $HTTP_STATUS == 200 ]]; then return 0; fi
    if [[ "$(unit_property "$1" ActiveState)" =~ ^(failed|inactive)$ ]] ||
      (("$(unit_property "$1" NRestarts)" > restarts + 2)); then
      return 1
    fi
    if ((SECONDS >= deadline)); then return 1; fi
    sleep 1
  done
}

# replays_wal: true if the server answers that it is reading its WAL. A restart would make it begin again.
replays_wal() {
  http_get /-/ready
  if [[ $HTTP_STATUS != 503 ]]; then return 1; fi
  http_get /api/v1/status/walreplay
  [[ $HTTP_STATUS == 200 && $HTTP_BODY =~ \"max\":([0-9]+),\"current\":([0-9]+) ]] &&
    ((BASH_REMATCH[2] < BASH_REMATCH[1]))
}

# require_server UNIT SECONDS: the unit runs and the URL is a Prometheus that is ready.
require_server() {
  local patience=15
  require_unit "$1" Prometheus
  http_get /-/ready
  if [[ $HTTP_STATUS == 503 ]]; then patience="$2"; fi
  refuse_unasked
  if ! wait_ready "$1" "$patience"; then
    refuse_unasked
    keep_journal "$1" "$WORK/journal"
    die_with "$EXIT_SERVER" "$WORK/journal" \
      "Prometheus at $BASE_URL is not ready (HTTP $HTTP_STATUS, $(curl_words "$WORK/curl")); nothing was changed. Look at: systemctl status $1"
  fi
}

# refuse_unasked: refuses a server that cannot be asked with these settings, which no waiting would change.
refuse_unasked() {
  local FAULT REMEDY
  explain_answer "$HTTP_STATUS" "$WORK/body" "$(curl_words "$WORK/curl")" prometheus.url prometheus.apiCredentials \
    "$(setting API_CURL_CONFIG '')"
  if [[ -n $FAULT ]]; then die "$EXIT_SERVER" "Prometheus at $BASE_URL $FAULT; nothing was changed. $REMEDY"; fi
}

# refuse_agent WHY ADVICE: refuses a server in agent mode.
refuse_agent() {
  http_get /-/ready
  if [[ $HTTP_BODY == 'Prometheus Agent '* ]]; then
    die "$EXIT_REFUSED" "Prometheus at $BASE_URL runs in agent mode: $1; nothing was changed. $2"
  fi
}

# require_version: 2.39 is the first that takes overlapping blocks, which a restore may bring.
require_version() {
  http_get /api/v1/status/buildinfo
  json_value version
  if [[ ! $VALUE =~ ^([0-9]+)\.([0-9]+) ]]; then
    die "$EXIT_SERVER" "$BASE_URL/api/v1/status/buildinfo names no version (HTTP $HTTP_STATUS); nothing was changed. Check that the URL reaches Prometheus"
  fi
  if ((BASH_REMATCH[1] < 2 || (BASH_REMATCH[1] == 2 && BASH_REMATCH[2] < 39))); then
    die "$EXIT_REFUSED" "this is Prometheus $VALUE, and 2.39 is the oldest that starts on overlapping blocks, which a restore can need; nothing was changed. Upgrade Prometheus first"
  fi
}

# own_listeners UNIT: sets LISTENERS to the addresses that the unit's processes listen on, and PROCESSES to these.
own_listeners() {
  local process all=()
  mapfile -t PROCESSES < <(unit_processes "$1")
  for process in "${PROCESSES[@]}"; do
    read_sockets "$process"
    all+=("${LISTENERS[@]}")
  done
  LISTENERS=("${all[@]}")
}

# read_listeners UNIT: the same; in some containers not even root sees whose sockets are whose, and there the server's
# own ports must do.
read_listeners() {
  own_listeners "$1"
  if ((${#LISTENERS[@]} == 0)); then
    server_flag web.listen-address
    take_server_ports
    match_listeners "${PROCESSES[0]:-self}" '' "$SERVER_PORTS"
  fi
}

# take_server_ports: sets SERVER_PORTS to the ports of the running server, ":9090 :9091", by its flags, which were just
# asked for, and by the URL.
take_server_ports() {
  json_value web.listen-address
  SERVER_PORTS="$(grep -o ':[0-9]*' <<<"$VALUE" | tr '\n' ' ')" || true
  if [[ $BASE_URL =~ ^https?://[^/]*:([0-9]+)(/|$) ]]; then SERVER_PORTS+=" :${BASH_REMATCH[1]}"; fi
}

# read_public_listeners UNIT: sets PUBLIC to those that are reachable from other hosts.
read_public_listeners() {
  local address
  PUBLIC=()
  read_listeners "$1"
  for address in "${LISTENERS[@]}"; do
    if [[ $address != 127.* && $address != '[::1]:'* ]]; then PUBLIC+=("$address"); fi
  done
}

# require_reload UNIT: refuses a server that cannot be told to load its configuration without a signal that might end
# it.
require_reload() {
  local main way_out
  if find_reload "$1"; then return 0; fi
  main="$(program_name "$(unit_property "$1" MainPID)")"
  way_out="Add --web.enable-lifecycle to the server, or let the script that starts it end with: exec prometheus"
  die "$EXIT_REFUSED" "$1 cannot be told to load its configuration: its main process is not the server but $main, which a signal could end, and no other process of it is known to be the server; nothing was changed. $way_out"
}

# find_reload UNIT: sets RELOAD to unit (its ExecReload=, which may send a signal to the main process, so that must be
# the server), lifecycle (an HTTP request) or signal (to SERVER_PID); false if there is no way.
find_reload() {
  local main data lifecycle
  RELOAD=''
  http_get /api/v1/status/flags
  take_server_ports
  json_value storage.tsdb.path
  data="$VALUE"
  json_value web.enable-lifecycle
  lifecycle="$VALUE"
  main="$(unit_property "$1" MainPID)"
  find_server_process "$1" "$data" "$SERVER_PORTS"
  if [[ -n $SERVER_PID && $SERVER_PID == "$main" && "$(unit_property "$1" CanReload)" == yes ]]; then
    RELOAD=unit
  elif [[ $lifecycle == true ]]; then
    RELOAD=lifecycle
  elif [[ -n $SERVER_PID ]]; then
    RELOAD=signal
  fi
  [[ -n $RELOAD ]]
}

# order_reload UNIT SECONDS: tells the server; false if that did not work.
order_reload() {
  find_reload "$1" || return 1
  if [[ $RELOAD == lifecycle ]]; then
    http_get /-/reload --request POST --max-time "$2"
    # What stands in front of the server may keep this to itself; the answer of the server would be 200, or 500 with its
    # words.
    if [[ $HTTP_STATUS == [25]00 || -z $SERVER_PID ]]; then [[ $HTTP_STATUS == 200 ]]; return $?; fi
    RELOAD=signal
  fi
  case "$RELOAD" in
    unit) systemctl reload -- "$1" ;;
    signal) kill -HUP "$SERVER_PID" ;;
  esac
}

# reload_server UNIT SECONDS: true once the server says that it has taken its configuration again. The reload
# command succeeds even if the server refuses the file, and a unit need not know how to reload.
reload_server() {
  local deadline=$((SECONDS + $2)) before was_good
  http_get /api/v1/status/runtimeinfo
  json_value reloadConfigSuccess
  was_good="$VALUE"
  json_value lastConfigTime
  before="$VALUE"
  # The time of the last reload has whole seconds; two in one second could not be told apart.
  if [[ $before == "$(date -u +%Y-%m-%dT%H:%M:%S)"* ]]; then sleep 1.1; fi
  order_reload "$1" "$2" || return 1
  while ((SECONDS < deadline)); do
    http_get /api/v1/status/runtimeinfo
    json_value lastConfigTime
    if [[ -n $VALUE && $VALUE != "$before" ]]; then
      json_value reloadConfigSuccess
      if [[ $VALUE == true ]]; then return 0; fi
    fi
    json_value reloadConfigSuccess
    if [[ $was_good == true && $VALUE == false ]]; then return 1; fi
    sleep 0.3
  done
  return 1
}
