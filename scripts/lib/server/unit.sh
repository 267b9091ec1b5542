# shellcheck shell=bash
# The server as systemd and the kernel see it: for the time when its API cannot answer.

# Of read_unit.
UNIT_RUNS=false UNIT_CAN_STOP=true UNIT_USER="" UNIT_GROUP="" UNIT_LOAD=not-found

# read_unit: sets UNIT_KNOWN, UNIT_RUNS, UNIT_CAN_STOP (true|false), UNIT_USER, UNIT_GROUP (empty: not known), UNIT_PID
# (0: none) and UNIT_LOAD (loaded|masked|not-found|…), and PROMETHEUS_UNIT to the name under which kernel and journal
# know the unit, which may have others.
read_unit() {
  UNIT_KNOWN=false UNIT_RUNS=false UNIT_CAN_STOP=true UNIT_USER="" UNIT_GROUP="" UNIT_PID=0 UNIT_LOAD=not-found
  if [[ ! -d /run/systemd/system ]] || ! command -v systemctl >/dev/null 2>&1; then return 0; fi
  read_unit_properties
}

# read_unit_properties: the same, of a host with systemd.
read_unit_properties() {
  local -A property=()
  local key value
  while IFS='=' read -r key value; do property[$key]=$value; done < <(
    systemctl show --property=Id,LoadState,ActiveState,CanStop,User,Group,MainPID -- "$PROMETHEUS_UNIT" 2>/dev/null)
  UNIT_LOAD="${property[LoadState]:-not-found}"
  if [[ $UNIT_LOAD != loaded ]]; then return 0; fi
  UNIT_KNOWN=true
  PROMETHEUS_UNIT="${property[Id]:-$PROMETHEUS_UNIT}"
  UNIT_USER="${property[User]:-root}"
  UNIT_USER="${UNIT_USER:-root}"
  UNIT_GROUP="${property[Group]:-}"
  if [[ -z $UNIT_GROUP ]] && ! UNIT_GROUP="$(id --group --name -- "$UNIT_USER" 2>/dev/null)"; then
    UNIT_GROUP="$(id --group -- "$UNIT_USER" 2>/dev/null)" || UNIT_GROUP=""
  fi
  UNIT_PID="${property[MainPID]:-0}"
  if [[ ${property[CanStop]:-yes} == no ]]; then UNIT_CAN_STOP=false; fi
  if [[ ${property[ActiveState]} =~ ^(active|activating|reloading|deactivating)$ ]]; then UNIT_RUNS=true; fi
}

# unit_is STATE...: whether the unit's ActiveState is one of these.
unit_is() {
  local state
  state="$(systemctl show --property=ActiveState --value -- "$PROMETHEUS_UNIT" 2>/dev/null)" || state=""
  [[ " $* " == *" $state "* ]]
}

# processes_below DIR [all]: "pid<TAB>command" of every process with an open file below DIR, a line each; those of the
# unit only with "all". A lock file would not do: Debian's builds run without one.
processes_below() {
  local pattern pid which=${2:-}
  # shellcheck disable=SC2001  # a pattern with brackets is clearer in sed
  pattern="$(sed 's/[][*?\\]/\\&/g' <<<"$1")"
  find /proc/[0-9]*/fd -lname "$pattern/*" -printf '%h\n' 2>/dev/null | sort --unique |
    while IFS=/ read -r _ _ pid _; do
    if [[ $pid == "$$" || $pid == "$BASHPID" ]] || { [[ $which != all ]] && in_unit "$pid"; }; then continue; fi
    printf '%s\t%s\n' "$pid" "$(head -c 100 -- "/proc/$pid/cmdline" 2>/dev/null | tr '\0' ' ')"
  done || true
}

# in_unit PID: whether the process belongs to the server's unit.
in_unit() { grep --quiet --fixed-strings --regexp="/$PROMETHEUS_UNIT" -- "/proc/$1/cgroup" 2>/dev/null; }
