# shellcheck shell=bash
# Stopping and starting the server's unit.

# Why the unit did not stop, or start.
STOP_ERROR="" START_ERROR=""
START_ORDERED=""  # EPOCHSECONDS of the order

# How long a server may take to stop beyond what its unit grants: Debian's unit gives up waiting after 20 s, without
# killing it.
readonly STOP_PATIENCE_SECONDS=300

# What stands in front of a server may answer for it until it is up, so a fault counts only after this time.
readonly FAULT_PATIENCE_SECONDS=20

# What systemd writes to the journal about a start that it did not even try.
readonly SKIPPED='(was|being) skipped|Assertion failed for|asserts failed'

# unit_stop: returns when no process has the data open any more, the unit's or another. False, with STOP_ERROR, if one
# goes on. A unit that systemd does not know (masked, another supervisor) cannot be stopped, only found out.
unit_stop() {
  STOP_ERROR=""
  if [[ $UNIT_KNOWN == true ]]; then end_unit || return 1; fi
  data_is_closed
}

# end_unit: the part of unit_stop that systemd does.
end_unit() {
  local deadline=$(( EPOCHSECONDS + STOP_PATIENCE_SECONDS )) pid
  pid="$(systemctl show --property=MainPID --value -- "$PROMETHEUS_UNIT")"
  # Of a process that it has given up on systemd says nothing any more; after a boot the number may be another's.
  if [[ ${pid:-0} != 0 ]]; then UNIT_PID=$pid; elif ! in_unit "${UNIT_PID:-0}"; then UNIT_PID=0; fi
  systemctl stop --no-block -- "$PROMETHEUS_UNIT" || unit_is inactive failed ||
    { STOP_ERROR="systemctl stop failed"; return 1; }
  until unit_is inactive failed && [[ $UNIT_PID == 0 || ! -d /proc/$UNIT_PID ]]; do
    if (( EPOCHSECONDS >= deadline )); then STOP_ERROR="it still runs after $STOP_PATIENCE_SECONDS s"; return 1; fi
    wait_for sleep 0.05
  done
}

# data_is_closed: whether no process at all has the data open. False, with STOP_ERROR, if one has.
data_is_closed() {
  local others
  others="$(processes_below "$DATA_DIRECTORY" all | sed --quiet 1p | tr '\t' ' ')"
  if [[ -n $others ]]; then STOP_ERROR="a process has its data open: pid $others"; return 1; fi
}

# unit_start: returns when the server is ready. False, with START_ERROR, as soon as the unit has failed.
unit_start() {
  START_ERROR=""
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  if ! old_process_ended "$STOP_PATIENCE_SECONDS"; then
    START_ERROR="its old process $UNIT_PID has not ended yet, and two servers would spoil the data"
    return 1
  fi
  order_start || { START_ERROR="systemctl start failed"; return 1; }
  begin_phase ready "loading data, $(human_seconds "$READY_TIMEOUT_SECONDS") at most"
  await_start
}

# order_start: tells systemd to start the unit, as the first time: it may have given up before.
order_start() {
  systemctl reset-failed -- "$PROMETHEUS_UNIT" 2>/dev/null || true
  START_ORDERED=$EPOCHSECONDS
  systemctl start --no-block -- "$PROMETHEUS_UNIT"
}

# await_start: until the unit is ready after order_start. False, with START_ERROR, if it is not: a server that replays
# its WAL gets its time, one that ends does not, even if systemd tries it again.
await_start() {
  local deadline=$(( EPOCHSECONDS + READY_TIMEOUT_SECONDS )) since=$EPOCHSECONDS
  while (( EPOCHSECONDS < deadline )); do
    if server_is_ready; then return 0; fi
    if [[ -z $FAULT ]]; then since=$EPOCHSECONDS; fi
    if (( EPOCHSECONDS - since >= FAULT_PATIENCE_SECONDS )); then
      START_ERROR="it runs, but $PROMETHEUS_URL $FAULT. $REMEDY"
      return 1
    fi
    if start_was_in_vain; then return 1; fi
    wait_for sleep 0.1
  done
  START_ERROR="it was not ready within $READY_TIMEOUT_SECONDS s"
  return 1
}

# start_was_in_vain: whether the unit that was asked to start is down: it failed, systemd tries it again, or systemd has
# done with it, which to systemd is no failure. Sets START_ERROR.
start_was_in_vain() {
  local -A property=()
  local key value words
  while IFS='=' read -r key value; do property[$key]=$value; done < <(
    systemctl show --property=ActiveState,SubState,NRestarts,Job -- "$PROMETHEUS_UNIT" 2>/dev/null)
  case "${property[ActiveState]:-} ${property[SubState]:-} ${property[NRestarts]:-0}" in
    failed*|*' auto-restart'*|*' '[1-9]*) ;;
    inactive*) if [[ ${property[Job]:-0} != 0 ]]; then return 1; fi ;;
    *) return 1 ;;
  esac
  words="$(last_words)"
  # Of a unit that is down and that nothing wants, systemd forgets whether its conditions were met.
  if [[ $words =~ $SKIPPED ]]; then
    START_ERROR="a condition of its unit is not met, so systemd does not start it: $words"
  else
    START_ERROR="it ended right after the start: $words"
  fi
}

# old_process_ended SECONDS: waits that long for the process that unit_stop was to end. False if it lives on, whether or
# not systemd has given up on it: asked to start the unit then, systemd would not wait for it.
old_process_ended() {
  local deadline=$(( EPOCHSECONDS + $1 ))
  while old_process_lives; do
    if (( EPOCHSECONDS >= deadline )); then return 1; fi
    sleep 0.1
  done
}

# old_process_lives: whether UNIT_PID is still a process of the unit, which itself is not up. (After a boot the number
# may be another's.)
old_process_lives() { [[ ${UNIT_PID:-0} != 0 ]] && in_unit "$UNIT_PID" && ! unit_is active; }

# server_is_ready: one look at /-/ready, while the unit runs. Sets FAULT and REMEDY (explain_answer): it runs, and that
# will not be seen by asking.
server_is_ready() {
  local AUTH API_STATUS API_WORDS
  FAULT="" REMEDY=""
  unit_is active || return 1
  api_credentials || true
  API_STATUS="$(curl --silent --show-error --noproxy '*' --max-time 5 --output "$SCRATCH/ready" --write-out '%{http_code}' "${AUTH[@]}" -- "$PROMETHEUS_URL/-/ready" 2>"$SCRATCH/ready.error")" || true
  if [[ $API_STATUS == 200 ]]; then return 0; fi
  API_WORDS="$(curl_words "$SCRATCH/ready.error")"
  API_BODY="$SCRATCH/ready" explain_server
  return 1
}

# last_words: the last line of the unit's journal that tells of a fault, since the start that was ordered here or of the
# last ten minutes. The journal may be a moment behind. What a child of systemd says before it has become the server is
# not always counted to the unit, because by then that child is gone; its line names the unit in a field, though.
last_words() {
  local try words="" lines="" since=${START_ORDERED:-$(( EPOCHSECONDS - 600 ))}
  for try in 1 2 3 4 5; do
    if (( try > 1 )); then sleep 0.4; fi
    lines="$(journalctl "_SYSTEMD_UNIT=$PROMETHEUS_UNIT" + "UNIT=$PROMETHEUS_UNIT" _UID=0 --since="@$since" --output=cat --no-pager 2>/dev/null | tail -n 40)" || true
    words="$(grep --ignore-case 'err=\|error' <<<"$lines" | tail -n 1)" || true
    if [[ -n $words ]]; then break; fi
    words="$(grep --ignore-case --extended-regexp "failed at|unable to|$SKIPPED" <<<"$lines" | tail -n 1)" || true
  done
  # Of the server's own lines the reason stands at the end, after time, place and level.
  words="$(sed --regexp-extended 's/^(ts|time)=[^ ]+ //; s/^caller=[^ ]+ //; s/^level=[A-Za-z]+ //; s/^source=[^ ]+ //' <<<"${words:-its journal tells nothing}")"
  printf '%s' "${words:0:400}"
}
