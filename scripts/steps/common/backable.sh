# shellcheck shell=bash
# Hosts that cannot be backed up are refused by the first step that meets them.

# require_backable UNIT URL CURL_CONFIG: refuses a host that lacks what every host needs and cannot install it, and one
# whose server cannot be backed up. A server that is down is left
# to the steps that need it, and what it says only to those who have its credentials to the steps that come after these.
require_backable() {
  require_installable curl jq zstd
  if [[ -z $1 || -z $2 ]]; then return 0; fi
  if [[ -e $3 ]]; then use_server "$2" "$3"; else use_server "$2" ''; fi
  http_get /-/ready
  if [[ "$(unit_property "$1" LoadState)" != loaded && $HTTP_BODY == 'Prometheus '* ]]; then
    die "$EXIT_REFUSED" "a Prometheus answers at $BASE_URL, but this host has no unit $1; nothing was changed. Name its unit in prometheus.unit. In a container it cannot be backed up, because its paths are not those of the host"
  fi
  if [[ "$(unit_property "$1" ActiveState)" == active ]]; then require_own_server "$1"; fi
}

# require_own_server UNIT: refuses a server that runs and whose data are not to be had on this host, or are none.
require_own_server() {
  local data='' ports=''
  refuse_agent 'it keeps no data of its own that could be backed up' \
    'Back up the servers that it sends samples to, and take this host out of the stack'
  http_get /api/v1/status/flags
  if [[ $HTTP_STATUS == 200 && $HTTP_BODY == '{"status":"success"'* ]]; then
    take_server_ports
    ports="$SERVER_PORTS"
    json_value storage.tsdb.path
    data="$VALUE"
    if [[ -n $data && $data != /* ]]; then
      http_get /api/v1/status/runtimeinfo
      json_value CWD
      data="$VALUE/$data"
    fi
    require_version
  fi
  why_no_backup "$1" "$data" "$ports"
  if [[ -n $WHY ]]; then die "$EXIT_REFUSED" "$WHY; nothing was changed. $WAY_OUT"; fi
}
