# shellcheck shell=bash
# Lines for a terminal that is narrower than they are. What is no terminal gets them whole, for whoever searches them.

SCREEN_WIDTH=""  # of screen_width
SHOWN_LENGTH=0  # of shown_length
FOLDED=""  # of fold_text
# Of find_label.
LABEL="" LABEL_LENGTH=0

# Words with which a command begins that a message tells people to type: it stays on one line, to be copied.
readonly TYPED='^[`(]?(sudo|([^ ]*/)?prometheus-backup\.sh|systemctl|journalctl|rm)$'

# A number, and what it counts in: they stay together, too.
readonly A_NUMBER='^[(]?[0-9.]+$'
readonly A_UNIT='^((k|M|G|T)?B|k|M|G|s|min|h|d)[),.;]?$'

# screen_width FD: sets SCREEN_WIDTH to that of the terminal that FD is, to "" if it is none. Words of a job that are
# passed on to one (relay_words) have its width.
screen_width() {
  local size=""
  SCREEN_WIDTH=""
  if (( $1 == 2 )) && [[ ${RELAYED:-false} == true ]]; then SCREEN_WIDTH=${TERMINAL_COLUMNS:-80}; return 0; fi
  if [[ ! -t $1 ]]; then return 0; fi
  { size="$(stty size <&9 2>/dev/null)" || true; } 9>&"$1"
  if [[ $size =~ ^[0-9]+\ ([1-9][0-9]*)$ ]]; then SCREEN_WIDTH=${BASH_REMATCH[1]}; else SCREEN_WIDTH=80; fi
}

# shown_length TEXT: sets SHOWN_LENGTH: a character is a byte with those that go on from it left out.
shown_length() {
  local text=${1//[$'\200'-$'\277']/}
  SHOWN_LENGTH=${#text}
}

# fold_text TEXT WIDTH: sets FOLDED to TEXT in lines of that many columns, or none if WIDTH is "". What goes on stands
# below the text that a label has beside it. No word and no command is broken.
fold_text() {
  local line folded=()
  FOLDED=$1
  if [[ -z $2 ]]; then return 0; fi
  while IFS= read -r line; do
    fold_line "$line" "$2"
    folded+=("$FOLDED")
  done <<<"$1"
  printf -v FOLDED '%s\n' "${folded[@]}"
  FOLDED=${FOLDED%$'\n'}
}

# fold_line LINE WIDTH: the same for one line.
fold_line() {
  local width=$2 rest line start below gap unit SHOWN_LENGTH LABEL LABEL_LENGTH
  FOLDED=$1
  shown_length "$1"
  if (( SHOWN_LENGTH <= width )); then return 0; fi
  find_label "$1" "$width"
  line=$LABEL start=$LABEL rest=${1:${#LABEL}}
  printf -v below '%*s' "$LABEL_LENGTH" ""
  FOLDED=""
  while next_unit; do
    shown_length "$line$gap$unit"
    if [[ $line == "$start" ]]; then line+=$unit
    elif (( SHOWN_LENGTH <= width )); then line+="$gap$unit"
    else FOLDED+="$line"$'\n' start=$below line=$below$unit; fi
  done
  FOLDED+=$line
}

# next_unit: takes the next words that belong together from rest into unit, and the spaces before them into gap. False
# if there are none.
next_unit() {
  local word='^( *)([^ ]+)' number
  if [[ ! $rest =~ $word ]]; then return 1; fi
  gap=${BASH_REMATCH[1]} unit=${BASH_REMATCH[2]} rest=${rest:${#BASH_REMATCH[0]}}
  number=$unit
  while [[ $rest =~ $word ]]; do
    if [[ ! ( $number =~ $A_NUMBER && ${rest#"${rest%%[! ]*}"} =~ ^([^ ]+) && ${BASH_REMATCH[1]} =~ $A_UNIT ) ]] &&
      [[ ! ( ${unit%% *} =~ $TYPED && $unit != *[\;,.:\)\?] ) ]]; then
      return 0
    fi
    [[ $rest =~ $word ]]
    unit+=${BASH_REMATCH[0]} rest=${rest:${#BASH_REMATCH[0]}} number=""
  done
}

# find_label LINE WIDTH: sets LABEL to that with which LINE begins: spaces, and a word or two with a gap behind them;
# LABEL_LENGTH: where what goes on begins.
find_label() {
  local label='^( *[^ ]+( [^ ]+)*  +)[^ ]' SHOWN_LENGTH
  if [[ $1 =~ $label ]]; then
    LABEL=${BASH_REMATCH[1]}
    shown_length "$LABEL"
    LABEL_LENGTH=$SHOWN_LENGTH
    if (( LABEL_LENGTH * 2 <= $2 )); then return 0; fi
  fi
  LABEL=${1%%[! ]*}
  # Deeper than a line of its own below this one.
  LABEL_LENGTH=$(( ${#LABEL} + 4 ))
}

# print_rows FILE: print_result of lines for people.
print_rows() {
  local line SCREEN_WIDTH FOLDED
  screen_width 1
  if [[ -n $SCREEN_WIDTH ]]; then
    while IFS= read -r line; do
      fold_line "$line" "$SCREEN_WIDTH"
      printf '%s\n' "$FOLDED"
    done <"$1" >"$1.folded"
    mv -f -- "$1.folded" "$1"
  fi
  print_result "$1"
}

# print_help COMMAND: its help on standard output, in lines of 80 columns where that is no terminal; the overview for
# anything else.
print_help() {
  local SCREEN_WIDTH FOLDED
  screen_width 1
  fold_text "$(help_of "$1")" "${SCREEN_WIDTH:-80}"
  printf '%s\n' "$FOLDED"
}
