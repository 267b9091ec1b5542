# shellcheck shell=bash
# The server as systemd and the kernel see it: for the time when its API cannot answer.

# read_unit: sets UNIT_KNOWN, UNIT_RUNS, UNIT_CAN_STOP (true|false), UNIT_USER, UNIT_GROUP (empty: not known), UNIT_PID (0: none) and
# UNIT_LOAD (loaded|masked|not-found|…).
read_unit() {
  local -A property=()
  local key value
  UNIT_KNOWN=false UNIT_RUNS=false UNIT_CAN_STOP=true UNIT_USER="" UNIT_GROUP="" UNIT_PID=0 UNIT_LOAD=not-found
  if [[ ! -d /run/systemd/system ]] || ! command -v systemctl >/dev/null 2>&1; then return 0; fi
  while IFS='=' read -r key value; do property[$key]=$value; done < <(
    systemctl show --property=LoadState,ActiveState,CanStop,User,Group,MainPID -- "$PROMETHEUS_UNIT" 2>/dev/null)
  UNIT_LOAD="${property[LoadState]:-not-found}"
  if [[ $UNIT_LOAD != loaded ]]; then return 0; fi
  UNIT_KNOWN=true
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

# unit_arguments: the server's command line, one argument a line, the program first: of the running process, else of the unit with
# the variables of its EnvironmentFile put in. Nothing if neither can be read.
unit_arguments() {
  local line text
  if (( UNIT_PID > 0 )) && [[ -r /proc/$UNIT_PID/cmdline ]]; then tr '\0' '\n' <"/proc/$UNIT_PID/cmdline"; return 0; fi
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  line="$(systemctl show --property=ExecStart --value -- "$PROMETHEUS_UNIT" 2>/dev/null | tail -n 1)" || return 0
  text="${line#*argv[]=}"
  text="${text%% ; ignore_errors=*}"
  expand_unit_variables "$text" | xargs --no-run-if-empty printf '%s\n' 2>/dev/null || true
}

# expand_unit_variables TEXT: TEXT with $NAME and ${NAME} replaced by what the unit's environment sets; nothing is executed.
expand_unit_variables() {
  local text=$1 name value file
  systemctl show --property=Environment --value -- "$PROMETHEUS_UNIT" 2>/dev/null | xargs --no-run-if-empty printf '%s\n' >"$SCRATCH/environment" || true
  while IFS= read -r file; do
    file="${file% (ignore_errors=*}"
    # Lines that end in a backslash go on; quotes around the value are systemd's, not part of it.
    if [[ -r $file ]]; then sed --expression=':a; /\\$/ { N; s/\\\n//; ba }' -- "$file" |
      sed --regexp-extended --quiet "s/^([A-Za-z_][A-Za-z0-9_]*)=[\"']?(.*[^\"'])?[\"']?[[:space:]]*\$/\1=\2/p" >>"$SCRATCH/environment"; fi
  done < <(systemctl show --property=EnvironmentFiles --value -- "$PROMETHEUS_UNIT" 2>/dev/null)
  while IFS='=' read -r name value; do
    text="${text//"\${$name}"/"$value"}"
    text="${text//"\$$name"/"$value"}"
  done < <(tac -- "$SCRATCH/environment")
  printf '%s' "$text"
}

# argument_value NAME FILE: the value of --NAME in a list of unit_arguments, or the program's own default for it.
argument_value() {
  local name=$1 file=$2 value program
  value="$(awk -v flag="--$name" '$0 == flag { getline; value = $0 } index($0, flag "=") == 1 { value = substr($0, length(flag) + 2) } END { print value }' "$file")"
  program="$(head -n 1 -- "$file")"
  if [[ -z $value && -x $program ]]; then
    value="$(timeout 10 "$program" --help 2>&1 | sed --quiet "s/^ *--${name//./\\.}=\"\([^\"]*\)\".*/\1/p" | sed --quiet 1p)" || value=""
  fi
  printf '%s' "$value"
}

# processes_below DIR [all]: "pid<TAB>command" of every process with an open file below DIR, a line each; those of the unit only with "all".
# A lock file would not do: Debian's builds run without one.
processes_below() {
  local pattern pid which=${2:-}
  # shellcheck disable=SC2001  # a pattern with brackets is clearer in sed
  pattern="$(sed 's/[][*?\\]/\\&/g' <<<"$1")"
  find /proc/[0-9]*/fd -lname "$pattern/*" -printf '%h\n' 2>/dev/null | sort --unique | while IFS=/ read -r _ _ pid _; do
    if [[ $pid == "$$" || $pid == "$BASHPID" ]] || { [[ $which != all ]] && in_unit "$pid"; }; then continue; fi
    printf '%s\t%s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | head -c 100)"
  done || true
}

# in_unit PID: whether the process belongs to the server's unit.
in_unit() { grep --quiet --fixed-strings --regexp="/$PROMETHEUS_UNIT" -- "/proc/$1/cgroup" 2>/dev/null; }

# server_binary: path of the server's program: the unit's, else that of PATH.
server_binary() {
  local program=""
  if (( UNIT_PID > 0 )); then program="$(readlink -- "/proc/$UNIT_PID/exe" 2>/dev/null)" || program=""; fi
  if [[ -z $program ]]; then program="$(unit_arguments | sed --quiet 1p)"; fi
  if [[ ! -x $program ]]; then program="$(command -v prometheus)" || program=""; fi
  printf '%s' "$program"
}

# binary_version PROGRAM: "2.42.0+ds", or nothing.
binary_version() { timeout 10 "$1" --version 2>&1 | sed --regexp-extended --quiet 's/^prometheus, version ([^ ]+).*/\1/p' || true; }
