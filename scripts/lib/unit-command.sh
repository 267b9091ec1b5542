# shellcheck shell=bash
# What a unit runs, from root's files alone: the unit as systemd has it, and packages. Never by running what it names, and never from the
# running process, whose path and arguments are its own choice. PROMETHEUS_UNIT, UNIT_KNOWN and UNIT_USER say of which unit; SCRATCH is a folder.

# unit_arguments: the server's command line as its unit has it, one argument a line, the program first, with the variables of its environment
# put in. Nothing if systemd does not know it. What the running process says of itself is its own choice, so it is not asked.
unit_arguments() {
  unit_command
  expand_unit_variables "$COMMAND_TEXT" | xargs --no-run-if-empty printf '%s\n' 2>/dev/null || true
}

# unit_command: sets COMMAND_PATH, the program that the unit starts, and COMMAND_TEXT, its command as systemd shows it; both empty without one.
# Behind the proxy of the step "admin API" a program of that step stands in front, with two words of its own: they are left out.
unit_command() {
  local line
  COMMAND_PATH="" COMMAND_TEXT=""
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  line="$(systemctl show --property=ExecStart --value -- "$PROMETHEUS_UNIT" 2>/dev/null | tail -n 1)" || return 0
  if [[ ! $line =~ ^\{\ path=([^\;]*)\ \;\ argv\[\]=(.*)\ \;\ ignore_errors= ]]; then return 0; fi
  COMMAND_PATH="${BASH_REMATCH[1]}" COMMAND_TEXT="${BASH_REMATCH[2]}"
  if [[ $COMMAND_TEXT == "/bin/bash $BEHIND_PROXY "* ]]; then
    read -r _ _ _ _ COMMAND_TEXT <<<"$COMMAND_TEXT"
    COMMAND_PATH="${COMMAND_TEXT%% *}"
  fi
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

# argument_value NAME FILE: the value of --NAME in a list of unit_arguments, or nothing.
argument_value() {
  awk -v flag="--$1" '$0 == flag { getline; value = $0 } index($0, flag "=") == 1 { value = substr($0, length(flag) + 2) } END { print value }' "$2"
}

# unit_data_directory FILE: where the data belong by a list of unit_arguments; nothing if the unit does not say it. Only of Prometheus itself is
# known what it does without the flag: a start script may add one.
unit_data_directory() {
  local path program
  path="$(argument_value storage.tsdb.path "$1")"
  if [[ -z $path ]]; then
    program="$(unit_program)"
    if [[ ${program##*/} != prometheus ]] || ! is_program "$program"; then return 0; fi
    path=data/
    if [[ "$(owning_package "$program")" == prometheus && -e /etc/debian_version ]]; then path=/var/lib/prometheus/metrics2/; fi
  fi
  if [[ $path != /* ]]; then path="$(unit_working_directory)/$path"; fi
  printf '%s' "${path%/}"
}

# unit_working_directory: what a relative data path is relative to, as systemd has it.
unit_working_directory() {
  local directory
  directory="$(systemctl show --property=WorkingDirectory --value -- "$PROMETHEUS_UNIT" 2>/dev/null)" || directory=""
  directory="${directory#!}"
  if [[ $directory == '~' ]]; then directory="$(getent passwd "$UNIT_USER" | cut -d : -f 6)" || directory=""; fi
  printf '%s' "${directory:-/}"
}

# unit_program: path of the program that the unit starts, or nothing.
unit_program() {
  unit_command
  printf '%s' "$COMMAND_PATH"
}

# is_program PATH: whether that is a program and no script.
is_program() { [[ -f $1 && -x $1 && "$(head -c 4 -- "$1" 2>/dev/null | tr -d '\0')" == $'\x7fELF' ]]; }

# belongs_to_root PATH: whether nobody but root can change what lies there, or put something else in its place. PATH without symbolic links.
belongs_to_root() {
  local path=$1
  while true; do
    # The group staff may write to /usr/local on older Debians. Where the sticky bit is set, others add names, but do not change those of root.
    if [[ ! "$(stat --format '%u %G %A' -- "$path" 2>/dev/null)" =~ ^0\ ([^ ]+\ .....-..-.|(root|staff)\ ........-.|[^ ]+\ d........[tT])$ ]]; then return 1; fi
    if [[ $path == / ]]; then return 0; fi
    path="${path%/*}"
    path="${path:-/}"
  done
}

# server_program NAME: path of NAME (prometheus or promtool): beside the unit's program, else on PATH; nothing if there is none. For root one
# that somebody else could have put there does not count.
server_program() {
  local candidate
  for candidate in "$(unit_program)" "$(command -v "$1")"; do
    if [[ ${candidate##*/} == prometheus ]]; then candidate="${candidate%/*}/$1"; fi
    # The unit may start anything: a client of Docker, a shell, sudo.
    if [[ ${candidate##*/} != "$1" ]]; then continue; fi
    candidate="$(realpath --canonicalize-existing -- "$candidate" 2>/dev/null)" || continue
    if is_program "$candidate" && { (( EUID != 0 )) || belongs_to_root "$candidate"; }; then printf '%s' "$candidate"; return 0; fi
  done
}

# owning_package PROGRAM: name of the package that PROGRAM came with, or nothing. packaged_version PROGRAM: its version, "2.42.0+ds".
owning_package() { dpkg-query --search -- "$1" 2>/dev/null | sed --quiet '1 s/[:,].*//p' || rpm --query --file --queryformat '%{NAME}' -- "$1" 2>/dev/null || true; }
packaged_version() {
  local package
  package="$(owning_package "$1")"
  if [[ -z $package ]]; then return 0; fi
  # shellcheck disable=SC2016  # dpkg-query expands it
  dpkg-query --show --showformat '${source:Upstream-Version}' -- "$package" 2>/dev/null || rpm --query --queryformat '%{VERSION}' -- "$package" 2>/dev/null || true
}
