# shellcheck shell=bash
# The payload on standard input: settings, files, what the toolkit carries, and `end` as its last line.

declare -A SETTINGS=()
FILE_PATHS=() FILE_OWNERS=() FILE_MODES=() FILE_SUMS=()

# receive_payload: reads all of standard input; an incomplete payload is refused before anything is changed.
receive_payload() {
  cat >"$WORK/payload"
  if [[ "$(tail -n 1 -- "$WORK/payload")" != end ]]; then
    die "$EXIT_USAGE" "the payload of step $STEP arrived incomplete; nothing was changed. Run \`pulumi up\` again"
  fi
  mkdir "$WORK/files"
  parse_payload "$WORK/payload"
  take_from_toolkit
}

# parse_payload FILE: sets SETTINGS and FILE_*; file contents go to $WORK/files/0, 1, ...
parse_payload() {
  local line number=0 output=''
  while IFS= read -r line; do
    number=$((number + 1))
    case "$line" in
      '| '*)
        if [[ -z $output ]]; then
          die "$EXIT_USAGE" "line $number of the payload is content without a file; nothing was changed"
        fi
        printf '%s\n' "${line#'| '}" >&"$output"
        continue
        ;;
      setting' '*) add_setting "${line#setting }" "$number" ;;
      file' '* | carried' '*)
        add_file "$line" "$number"
        if [[ -n $output ]]; then exec {output}>&-; fi
        exec {output}>"$WORK/files/$((${#FILE_PATHS[@]} - 1))"
        ;;
      end) break ;;
      *) die "$EXIT_USAGE" "line $number of the payload is not understood; nothing was changed" ;;
    esac
  done <"$1"
  if [[ -n $output ]]; then exec {output}>&-; fi
}

# add_setting "KEY value" LINE: a repeated key keeps all its values, one a line.
add_setting() {
  local key="${1%% *}" value=''
  if [[ $1 == *' '* ]]; then
    value="${1#* }"
  fi
  if [[ ! $key =~ ^[A-Z][A-Z0-9_]*$ || " INSTALLATION $STEP_SETTINGS " != *" $key "* ]]; then
    die "$EXIT_USAGE" "line $2 of the payload sets $key, which step $STEP does not know; nothing was changed"
  fi
  if [[ -v SETTINGS[$key] ]]; then
    SETTINGS[$key]+=$'\n'"$value"
  else
    SETTINGS[$key]="$value"
  fi
}

# add_file "file PATH OWNER MODE" LINE, or carried with a checksum. PATH may hold spaces, so it is read from the right.
add_file() {
  if [[ ! $1 =~ ^(file|carried)' '(/.*)' '([^ :]+:[^ :]+)' '(0[0-7]{3})(' '([0-9a-f]{64}))?$ ]] ||
    [[ ${BASH_REMATCH[1]} == carried && -z ${BASH_REMATCH[6]} ]] ||
    [[ "${BASH_REMATCH[2]}/" == */../* || ${BASH_REMATCH[2]} == *[[:cntrl:]]* ]]; then
    die "$EXIT_USAGE" "line $2 of the payload names a file in a form that is not understood; nothing was changed"
  fi
  FILE_PATHS+=("${BASH_REMATCH[2]}")
  FILE_OWNERS+=("${BASH_REMATCH[3]}")
  FILE_MODES+=("${BASH_REMATCH[4]}")
  FILE_SUMS+=("${BASH_REMATCH[6]}")
}

# take_from_toolkit: the content of each carried file: the section of the toolkit that has the name of the file.
take_from_toolkit() {
  local index path
  for index in "${!FILE_PATHS[@]}"; do
    path="${FILE_PATHS[index]}"
    if [[ -z ${FILE_SUMS[index]} ]]; then continue; fi
    awk -v section="#== ${path##*/}" '/^#== / { on = ($0 == section); next } on' \
      "$TOOLKIT" >"$WORK/files/$index" 2>/dev/null || true
    printf '%s  %s\n' "${FILE_SUMS[index]}" "$WORK/files/$index" | sha256sum --check --quiet >/dev/null 2>&1 ||
      die "$EXIT_USAGE" "the toolkit does not hold $path as it should be; nothing was changed. Run \`pulumi up\` again"
  done
}

# find_payload_file PATH: sets FOUND to the content that the payload brings for PATH.
find_payload_file() {
  local index
  for index in "${!FILE_PATHS[@]}"; do
    if [[ ${FILE_PATHS[index]} == "$1" ]]; then
      FOUND="$WORK/files/$index"
      return 0
    fi
  done
  die "$EXIT_USAGE" "the payload of step $STEP lacks $1; nothing was changed"
}

# setting KEY DEFAULT: prints the value; the default stands for a missing or an empty one.
setting() { printf '%s' "${SETTINGS[$1]:-$2}"; }

# require_setting KEY PATTERN MEANING: refuses values that do not match before they reach a command.
require_setting() {
  if [[ ! ${SETTINGS[$1]:-} =~ $2 ]]; then
    die "$EXIT_CONFIGURATION" "setting $1 must be $3, not '${SETTINGS[$1]:-}'; nothing was changed"
  fi
}

# report_result: one line for whoever watches, which the stack keeps: whether the step has changed anything, and what is
# so on this host now (step_says). Secrets do not enter it, in no form.
report_result() {
  local word=unchanged says
  if [[ $CHANGED == true ]]; then word=installed; fi
  says="$(step_says)"
  if [[ -n $says ]]; then printf '%s: %s\n' "$word" "$says"; fi
}
