# shellcheck shell=bash
# The command line: one parser for all commands, by the table that help, completion and man page are made from too
# (components/host/command/commands.ts), and words for calls that make no sense.

WORDS=()  # of split_options

# Of read_options.
declare -gA OPTIONS=()

# usage_error TEXT [ADVICE]: ends with 2.
usage_error() {
  die "$EXIT_USAGE" "$1" "${2:+$2 }see: prometheus-backup.sh ${COMMAND:+$COMMAND }--help"
}

# require_command NAME: ends with 2 unless there is such a command.
require_command() {
  if is_one_of "$1" "${!COMMAND_OPTIONS[@]}" note-metrics recover; then return 0; fi
  COMMAND="" usage_error "there is no command '$1'" "$(did_you_mean "$1" "${COMMANDS_OF_PEOPLE[@]}")"
}

# split_options ARG...: sets WORDS to them, with --NAME=VALUE as two words.
split_options() {
  local word
  WORDS=()
  for word in "$@"; do
    if [[ $word =~ ^(--[a-z][a-z-]*)=(.*)$ ]]; then
      WORDS+=("${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}")
    else
      WORDS+=("$word")
    fi
  done
}

# read_options COMMAND ARG...: sets OPTIONS, by name "true" or the value (of one that may come again a line each), and
# WANTED, the backup or other word that was named, or "". Ends with 2 at anything that the command does not take.
read_options() {
  local command=$1 forms=() form found
  shift
  OPTIONS=()
  WANTED=""
  read -r -a forms <<<"${COMMAND_OPTIONS[$command]}"
  while (( $# > 0 )); do
    if [[ $1 != -* ]]; then take_word "$command" "$1"; shift; continue; fi
    found=""
    for form in "${forms[@]}"; do
      if [[ --${form%%:*} == "$1" ]]; then found=${form#*:}; fi
    done
    case "$found" in
      flag:*) OPTIONS[${found#*:}]=true ;;
      value:*) require_value "$@"; OPTIONS[${found#*:}]=$2; shift ;;
      list:*) require_value "$@"; add_value "${found#*:}" "$2"; shift ;;
      *) unknown_option "$command" "$1" "${forms[@]/#/--}" ;;
    esac
    shift
  done
}

# take_word COMMAND WORD: sets WANTED, the one word that a command takes.
take_word() {
  if [[ -z ${COMMAND_WORD[$1]} ]]; then unknown_option "$1" "$2"; fi
  if [[ -n $WANTED ]]; then usage_error "$1 takes one ${3:-backup}, not '$WANTED' and '$2'"; fi
  WANTED=$2
}

# require_backup COMMAND: ends with 2 if none was named.
require_backup() {
  if [[ -z $WANTED ]]; then usage_error "$1 needs the name of a backup, or 'latest'"; fi
}

# add_value NAME VALUE: one more of an option that may come again.
add_value() {
  if [[ $2 == *[[:cntrl:]]* ]]; then usage_error "--$1 takes no control characters"; fi
  OPTIONS[$1]+="${OPTIONS[$1]:+$'\n'}$2"
}

# values_of NAME: the values of an option that may come again, a line each.
values_of() { if [[ -n ${OPTIONS[$1]:-} ]]; then printf '%s\n' "${OPTIONS[$1]}"; fi; }

# unknown_option COMMAND WORD [FORM...]: ends with 2, and says which option was most likely meant.
unknown_option() {
  local command=$1 word=$2
  shift 2
  if (( $# == 0 )) && [[ -z ${COMMAND_WORD[$command]} && -z ${COMMAND_OPTIONS[$command]} ]]; then
    usage_error "$command takes no options, not '$word'"
  fi
  usage_error "$command does not know '$word'" "$(did_you_mean "$word" "${@%%:*}")"
}

# require_value OPTION VALUE: ends with 2 when an option came without its value.
require_value() {
  if [[ -z ${2:-} || ${2:-} == --* ]]; then usage_error "$1 needs a value"; fi
}

# did_you_mean WORD NAME...: the question, or nothing.
did_you_mean() {
  local near
  near="$(nearest "$@")"
  if [[ -n $near ]]; then printf "did you mean '%s'?" "$near"; fi
}

# nearest WORD NAME...: the name that was most likely meant, as components/fields/nearest.ts has it: one that differs in
# case, or in a third of its letters at most. Nothing if there is none.
nearest() {
  local word=$1
  shift
  if (( $# == 0 )); then return 0; fi
  # The word is no assignment for awk, which would read escapes in it.
  WORD="$word" awk '
    function least(a, b) { return a < b ? a : b }
    function distance(from, to, row, old, corner, i, j) {
      for (j = 0; j <= length(to); j++) row[j] = j
      for (i = 1; i <= length(from); i++) {
        corner = row[0]; row[0] = i
        for (j = 1; j <= length(to); j++) {
          old = row[j]
          row[j] = least(corner + (substr(from, i, 1) != substr(to, j, 1)), least(row[j], row[j - 1]) + 1)
          corner = old
        }
      }
      return row[length(to)]
    }
    BEGIN { typed = tolower(ENVIRON["WORD"]) }
    { letters = distance(typed, tolower($0)); limit = length($0) > length(typed) ? length($0) : length(typed) }
    letters <= limit / 3 && (best == "" || letters < fewest) { best = $0; fewest = letters }
    END { if (best != "") print best }' < <(printf '%s\n' "$@")
}

# require_host_name NAME: a host is a folder of the repository.
require_host_name() {
  if [[ ! $1 =~ $HOST_PATTERN ]]; then usage_error "'$1' is not a host name as the configuration allows it"; fi
}
