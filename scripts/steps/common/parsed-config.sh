# shellcheck shell=bash
# What Prometheus makes of a configuration before it is put in force: its own program reads each candidate in the place
# of the file in force, on this host and seen by nobody else, and its API prints what it has read in one form. That
# program cannot connect to anything, so nothing is scraped, sent or alerted meanwhile.

PARSE_FAULT='' OTHER_VIEW=''

# in_place CANDIDATE COMMAND...: runs COMMAND where CANDIDATE lies in the place of CONFIG, and so do relative paths.
in_place() {
  local candidate="$1" outside
  shift
  outside="$(readlink /proc/self/ns/mnt)"
  systemd-run --quiet --pipe --wait --collect --setenv=LC_ALL=C --property=PrivateMounts=yes \
    --property=RuntimeMaxSec=300 \
    --property=KillSignal=SIGKILL --property='SystemCallFilter=~connect' --property=SystemCallErrorNumber=EUCLEAN \
    -- /bin/bash -c "$(declare -f enter_place serve_until_closed as_user); enter_place \"\$@\"" place "$CONFIG" \
    "$candidate" "$outside" "$@"
}

# enter_place CONFIG CANDIDATE OUTSIDE COMMAND...: inside. systemd leaves out what a host cannot do, so it is looked at;
# no network gives that error.
enter_place() {
  local config="$1" candidate="$2" outside="$3" said
  shift 3
  said="$({ : <>/dev/tcp/127.0.0.1/9; } 2>&1)" || true
  if [[ "$(readlink /proc/self/ns/mnt)" == "$outside" || $said != *'needs cleaning'* ]]; then
    echo 'systemd cannot run a program apart from others on this host' >&2
    return 125
  fi
  mount --bind -- "$candidate" "$config" || return 125
  "$@"
}

# serve_until_closed COMMAND...: until standard input ends, which it does when the step ends, however that happens.
serve_until_closed() {
  "$@" </dev/null &
  cat >/dev/null
}

# start_judge: a server in the place of the real one, without a configuration yet. Sets JUDGE_URL, and JUDGE, which
# holds it.
start_judge() {
  local program deadline=$((SECONDS + 60)) port
  program="$(server_program prometheus)"
  if [[ -z $program ]]; then
    PARSE_FAULT='there is no prometheus program on this host that nobody but root can change'
    return 1
  fi
  chmod -- 0711 "$WORK"
  rm -rf -- "$WORK/judge"
  mkdir -m 0711 -- "$WORK/judge"
  install -d -m 0700 -o "$UNIT_USER" -- "$WORK/judge/data"
  install -m 0640 -o root -g "$(id -g -- "$UNIT_USER")" -- /dev/null "$WORK/judge/config"
  port="$(free_port)"
  JUDGE_URL="http://127.0.0.1:$port"
  exec {JUDGE}> >(in_place "$WORK/judge/config" serve_until_closed as_user "$UNIT_USER" "$program" \
    --config.file="$CONFIG" \
    --storage.tsdb.path="$WORK/judge/data" --web.listen-address="127.0.0.1:$port" --web.enable-lifecycle \
    --log.level=error >"$WORK/judge/log" 2>&1)
  JUDGE_PID=$!
  until [[ "$(ask_judge ready /-/ready)" == 200 ]]; do
    if ! kill -0 "$JUDGE_PID" 2>/dev/null || ((SECONDS >= deadline)); then
      PARSE_FAULT="$(tail -n 1 -- "$WORK/judge/log")"
      PARSE_FAULT="${PARSE_FAULT:-it did not start within 60 s}"
      return 1
    fi
    sleep 0.05
  done
}

# stop_judge: nothing of it is left when this returns.
stop_judge() {
  if [[ -z ${JUDGE:-} ]]; then return 0; fi
  exec {JUDGE}>&-
  while kill -0 "$JUDGE_PID" 2>/dev/null; do sleep 0.05; done
  JUDGE=''
}

# ask_judge OUTPUT PATH [CURL_ARGUMENT...]: prints the status.
ask_judge() {
  curl --silent --noproxy '*' --max-time 120 --output "$WORK/judge/$1" \
    --write-out '%{http_code}' "${@:3}" "$JUDGE_URL$2" || true
}

# parse_configs FILE...: puts what Prometheus makes of each FILE in the place of CONFIG into FILE.parsed, in the form of
# its API. False if that cannot be found out; PARSE_FAULT says why. A FILE that Prometheus does not read gives an empty
# one.
parse_configs() {
  local status=0
  if [[ -n $OTHER_VIEW ]]; then
    PARSE_FAULT="$OTHER_VIEW"
    return 1
  fi
  if start_judge; then judge_configs "$@" || status=$?; else status=1; fi
  if ((status != 0)); then PARSE_FAULT="what Prometheus would make of it cannot be seen before ($PARSE_FAULT)"; fi
  stop_judge
  return "$status"
}

# judge_configs FILE...: a file may be read and not be applied, for lack of a network; then its status is 500, too.
judge_configs() {
  local file status
  for file; do
    cat -- "$file" >"$WORK/judge/config"
    status="$(ask_judge reload /-/reload --request POST)"
    if [[ $status == 500 ]] && grep -qF "couldn't load configuration" -- "$WORK/judge/reload"; then
      : >"$file.parsed"
      continue
    fi
    if [[ $status != 200 && $status != 500 || "$(ask_judge config /api/v1/status/config)" != 200 ]] ||
      ! jq --join-output .data.yaml "$WORK/judge/config" >"$file.parsed" 2>/dev/null ||
      ! kill -0 "$JUDGE_PID" 2>/dev/null; then
      PARSE_FAULT="it answered with HTTP $status"
      return 1
    fi
  done
}

# loaded_config FILE: the configuration that the server runs with, in the same form. False if it does not tell.
loaded_config() {
  http_get /api/v1/status/config
  [[ $HTTP_STATUS == 200 ]] && jq --join-output .data.yaml "$WORK/body" >"$1" 2>/dev/null
}

# section FILE KEY: the lines of KEY in what the API prints. without_section FILE KEY: all others.
section() { awk -v key="$2:" '/^[^ -]/ { on = ($0 == key); next } on' "$1"; }
without_section() { awk -v key="$2:" '/^[^ -]/ { on = ($0 == key) } !on' "$1"; }

# adds_exactly BASE NEW KEY ITEMS: true if NEW says what BASE says, and at the end of the list KEY what the file ITEMS
# says.
adds_exactly() {
  [[ -s $2 ]] && cmp -s <(without_section "$1" "$3") <(without_section "$2" "$3") &&
    cmp -s <(section "$1" "$3" && cat -- "$4") <(section "$2" "$3")
}
