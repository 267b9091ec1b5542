# shellcheck shell=bash
# What a unit runs, from root's files alone: the unit as systemd has it, and packages. Never by running what it names,
# and never from the running process, whose path and arguments are its own choice. PROMETHEUS_UNIT, UNIT_KNOWN and
# UNIT_USER (for a working directory) say of which unit; SCRATCH is a folder.

# Of unit_command.
COMMAND_PATH="" COMMAND_WORDS=()

# unit_arguments: the server's command line as its unit has it, one argument a line, the program first, with the
# variables of its environment put in. Nothing if systemd does not know it, or if there are variables and root alone
# could ask for them. What the running process says of itself is its own choice, so it is not asked.
unit_arguments() {
  unit_command
  if (( ${#COMMAND_WORDS[@]} == 0 )); then return 0; fi
  if [[ "${COMMAND_WORDS[*]}" != *'$'* || "$(unit_bus_property ExecStartEx)" == *'"no-env-expand"'* ]]; then
    printf '%s\n' "${COMMAND_WORDS[@]}"
  elif (( EUID == 0 )); then
    expand_unit_words | tr '\0' '\n'
  fi
}

# unit_command: sets COMMAND_WORDS to the words of the command that starts the server, after quotes and specifiers and
# before variables, and COMMAND_PATH to its program; both empty without one. Of several commands, the one whose program
# is called like the server. Behind the proxy of the step "admin API" a program of that step stands in front, with two
# words of its own: they are left out, and so is what only sets limits and priorities.
unit_command() {
  local index=0 count commands=() named=0
  COMMAND_PATH="" COMMAND_WORDS=()
  if [[ $UNIT_KNOWN == false ]]; then return 0; fi
  read_bus_words "$(unit_bus_property ExecStart)"
  # After the number of commands, of each: program, number of words, words, and eight numbers.
  while (( index + 2 < ${#BUS_WORDS[@]} )); do
    count=${BUS_WORDS[index + 2]}
    if (( named == 0 )); then commands+=("$index"); fi
    if [[ ${BUS_WORDS[index + 1]##*/} == prometheus ]]; then commands=("$index") named=$(( named + 1 )); fi
    index=$(( index + 2 + count + 8 ))
  done
  if (( ${#commands[@]} != 1 || named > 1 )); then return 0; fi
  index=${commands[0]}
  COMMAND_WORDS=("${BUS_WORDS[index + 1]}" "${BUS_WORDS[@]:index+4:BUS_WORDS[index+2]-1}")
  if [[ "${COMMAND_WORDS[*]:0:2}" == "/bin/bash $BEHIND_PROXY" ]]; then COMMAND_WORDS=("${COMMAND_WORDS[@]:4}"); fi
  if [[ "${COMMAND_WORDS[0]:-}" =~ (^|/)(env|nice|ionice|chrt|numactl|taskset|prlimit|setarch|setpriv|stdbuf)$ ]]; then
    for (( index = 1; index < ${#COMMAND_WORDS[@]}; index++ )); do
      if [[ ${COMMAND_WORDS[index]} == /*/prometheus ]]; then COMMAND_WORDS=("${COMMAND_WORDS[@]:index}"); break; fi
    done
  fi
  COMMAND_PATH="${COMMAND_WORDS[0]:-}"
}

# unit_bus_property NAME: a property of the unit's service as busctl prints it: its type, then words in double quotes,
# and numbers.
unit_bus_property() {
  local name=$PROMETHEUS_UNIT path=/org/freedesktop/systemd1/unit/ index character
  for (( index = 0; index < ${#name}; index++ )); do
    character="${name:index:1}"
    if [[ $character =~ [A-Za-z] || ( $character =~ [0-9] && $index != 0 ) ]]; then
      path+="$character"
    else
      printf -v path '%s_%02x' "$path" "'$character"
    fi
  done
  busctl get-property org.freedesktop.systemd1 "$path" org.freedesktop.systemd1.Service "$1" 2>/dev/null || true
}

# words_of_command UNIT: the words of its first command, variables as they are written, a line break in front of each;
# nothing if systemd does not tell.
words_of_command() {
  local PROMETHEUS_UNIT="$1" BUS_WORDS
  read_bus_words "$(unit_bus_property ExecStart)"
  # The number of commands, the program, and the number of words, which are next.
  if ((${#BUS_WORDS[@]} > 3)); then printf '\n%s' "${BUS_WORDS[@]:3:BUS_WORDS[2]}"; fi
}

# read_bus_words TEXT: sets BUS_WORDS to what busctl has printed, without the type.
read_bus_words() {
  local rest="${1#* }" word string='^[[:space:]]*"(([^"\\]|\\.)*)"' plain='^[[:space:]]*([^[:space:]"]+)'
  BUS_WORDS=()
  if [[ $1 != *' '* ]]; then return 0; fi
  while [[ $rest =~ $string || $rest =~ $plain ]]; do
    word="${BASH_REMATCH[1]}"
    rest="${rest:${#BASH_REMATCH[0]}}"
    # The escapes are those of C, and so of a format.
    # shellcheck disable=SC2059
    printf -v word -- "${word//%/%%}"
    BUS_WORDS+=("$word")
  done
}

# expand_unit_words: COMMAND_WORDS as systemd gives them to the program, each with a NUL behind it: a unit of the same
# environment and user prints them. Nothing that the unit names is run.
expand_unit_words() {
  local options=() index
  read_bus_words "$(unit_bus_property User)"
  if [[ -n ${BUS_WORDS[0]:-} ]]; then options+=("--uid=${BUS_WORDS[0]}"); fi
  add_directories STATE StateDirectory /var/lib
  add_directories CACHE CacheDirectory /var/cache
  add_directories LOGS LogsDirectory /var/log
  add_directories RUNTIME RuntimeDirectory /run
  add_directories CONFIGURATION ConfigurationDirectory /etc
  read_bus_words "$(unit_bus_property Environment)"
  for (( index = 1; index < ${#BUS_WORDS[@]}; index++ )); do options+=("--setenv=${BUS_WORDS[index]}"); done
  read_bus_words "$(unit_bus_property EnvironmentFiles)"
  # Of each: its path, and whether it may be missing.
  for (( index = 1; index + 1 < ${#BUS_WORDS[@]}; index += 2 )); do
    if [[ ${BUS_WORDS[index + 1]} == true ]]; then BUS_WORDS[index]="-${BUS_WORDS[index]}"; fi
    options+=("--property=EnvironmentFile=${BUS_WORDS[index]}")
  done
  timeout 30 systemd-run --quiet --collect --pipe --wait "${options[@]}" -- /usr/bin/printf '%s\0' \
    "${COMMAND_WORDS[@]}" 2>/dev/null </dev/null || true
}

# add_directories NAME PROPERTY ROOT: adds to options the variable in which systemd tells a unit where its directories
# are.
add_directories() {
  local all
  read_bus_words "$(unit_bus_property "$2")"
  if (( ${#BUS_WORDS[@]} < 2 )); then return 0; fi
  printf -v all ":$3/%s" "${BUS_WORDS[@]:1}"
  options+=("--setenv=$1_DIRECTORY=${all:1}")
}

# argument_value NAME FILE: the value of --NAME in a list of unit_arguments, or nothing.
argument_value() {
  awk -v flag="--$1" '$0 == flag { getline; value = $0 } index($0, flag "=") == 1 {
    value = substr($0, length(flag) + 2) } END { print value }' "$2"
}

# unit_data_directory FILE: where the data belong by a list of unit_arguments; nothing if the unit does not say it. Only
# of Prometheus itself is known what it makes of its flags, and what it does without them: a start script may add one,
# and what runs a container means another path.
unit_data_directory() {
  local path program
  program="$(unit_program)"
  if [[ ${program##*/} != prometheus || ! -s $1 ]] || ! is_program "$program"; then return 0; fi
  path="$(argument_value storage.tsdb.path "$1")"
  if [[ -z $path ]]; then
    path=data/
    if [[ "$(owning_package "$program")" == prometheus && -e /etc/debian_version ]]; then
      path=/var/lib/prometheus/metrics2/
    fi
  fi
  if [[ $path != /* ]]; then path="$(unit_working_directory)/$path"; fi
  printf '%s' "${path%/}"
}

# unit_working_directory: what a relative data path is relative to, as systemd has it.
unit_working_directory() {
  local directory
  directory="$(systemctl show --property=WorkingDirectory --value -- "$PROMETHEUS_UNIT" 2>/dev/null)" || directory=""
  # One that may be missing: where it is missing a restore makes it, and then it counts.
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

# belongs_to_root PATH: whether nobody but root can change what lies there, or put something else in its place. PATH
# without symbolic links.
belongs_to_root() {
  local path=$1
  while true; do
    # The group staff may write to /usr/local on older Debians. Where the sticky bit is set, others add names, but do
    # not change those of root.
    if [[ ! "$(stat --format '%u %G %A' -- "$path" 2>/dev/null)" =~ ^0\ ([^ ]+\ .....-..-.|(root|staff)\ ........-.|[^ ]+\ d........[tT])$ ]]; then
      return 1
    fi
    if [[ $path == / ]]; then return 0; fi
    path="${path%/*}"
    path="${path:-/}"
  done
}

# server_program NAME: path of NAME (prometheus or promtool): beside the unit's program, else on PATH; nothing if there
# is none. For root one that somebody else could have put there does not count.
server_program() {
  local candidate
  for candidate in "$(unit_program)" "$(command -v "$1")"; do
    if [[ ${candidate##*/} == prometheus ]]; then candidate="${candidate%/*}/$1"; fi
    # The unit may start anything: a client of Docker, a shell, sudo.
    if [[ ${candidate##*/} != "$1" ]]; then continue; fi
    candidate="$(realpath --canonicalize-existing -- "$candidate" 2>/dev/null)" || continue
    if is_program "$candidate" && { (( EUID != 0 )) || belongs_to_root "$candidate"; }; then
      printf '%s' "$candidate"
      return 0
    fi
  done
}

# owning_package PROGRAM: name of the package that PROGRAM came with, or nothing. packaged_version PROGRAM: its version,
# "2.42.0+ds".
owning_package() {
  dpkg-query --search -- "$1" 2>/dev/null | sed --quiet '1 s/[:,].*//p' ||
    rpm --query --file --queryformat '%{NAME}' -- "$1" 2>/dev/null || true
}

packaged_version() {
  local package
  package="$(owning_package "$1")"
  if [[ -z $package ]]; then return 0; fi
  # shellcheck disable=SC2016  # dpkg-query expands it
  dpkg-query --show --showformat '${source:Upstream-Version}' -- "$package" 2>/dev/null ||
    rpm --query --queryformat '%{VERSION}' -- "$package" 2>/dev/null || true
}
