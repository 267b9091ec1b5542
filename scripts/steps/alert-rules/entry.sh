# shellcheck shell=bash
# The rule_files key of a prometheus.yml, read and changed line by line: a YAML library would rewrite
# comments and layout of a file that belongs to others. What is not understood is refused, and promtool
# has the last word. TEXT holds the file, each line with its line end.

readonly ENTRY_MARK='# prometheus-backup'

# find_rule_files: sets KEY_LINE (-1 without the key), KEY_REST (what follows the colon), LAST_ITEM, ITEM_INDENT, ITEMS.
find_rule_files() {
  local index line
  KEY_LINE=-1 KEY_REST='' LAST_ITEM=-1 ITEM_INDENT='  ' ITEMS=()
  for index in "${!TEXT[@]}"; do
    line="${TEXT[index]%$'\n'}"
    line="${line%$'\r'}"
    if ((KEY_LINE < 0)); then
      if [[ $line =~ ^(rule_files|\"rule_files\"|\'rule_files\')[[:space:]]*:([[:space:]].*)?$ ]]; then
        KEY_LINE=$index
        plain_value "${BASH_REMATCH[2]}"
        KEY_REST="$PLAIN"
      fi
    elif [[ $line =~ ^([[:space:]]*)-[[:space:]]+(.*)$ ]]; then
      if ((LAST_ITEM < 0)); then ITEM_INDENT="${BASH_REMATCH[1]}"; fi
      LAST_ITEM=$index
      plain_value "${BASH_REMATCH[2]}"
      ITEMS+=("$PLAIN")
    elif [[ ! $line =~ ^[[:space:]]*(#|$) ]]; then
      break
    fi
  done
  if [[ $KEY_REST =~ ^\[(.+)\]$ ]]; then read_flow_items "${BASH_REMATCH[1]}"; fi
}

# plain_value TEXT: sets PLAIN to the scalar that TEXT begins with, without comment and quotes.
plain_value() {
  local text="${1#"${1%%[![:space:]]*}"}"
  if [[ $text =~ ^\"([^\"]*)\" || $text =~ ^\'([^\']*)\' ]]; then
    PLAIN="${BASH_REMATCH[1]}"
    return
  fi
  if [[ $text == '#'* ]]; then text=''; fi
  text="${text%%[[:space:]]#*}"
  PLAIN="${text%"${text##*[![:space:]]}"}"
}

# read_flow_items TEXT: the items of a list in brackets, to see whether they cover our file.
read_flow_items() {
  local item parts
  IFS=, read -r -a parts <<<"$1"
  for item in "${parts[@]}"; do
    plain_value "$item"
    ITEMS+=("$PLAIN")
  done
}

# is_covered PATH DIRECTORY: true if an item matches PATH as Prometheus matches it, relative to DIRECTORY.
is_covered() {
  local item
  for item in "${ITEMS[@]}"; do
    if [[ $item != /* ]]; then item="$2/${item#./}"; fi
    # A star does not reach over a slash there, but would here.
    # shellcheck disable=SC2053 # the item is a pattern
    if [[ $1 == $item && ${1//[^\/]/} == "${item//[^\/]/}" ]]; then return 0; fi
  done
  return 1
}

# insert_entry PATTERN: changes TEXT and sets ENTRY to the line it wrote; false for a form it leaves alone.
insert_entry() {
  local original
  case "$KEY_REST" in
    '')
      if ((KEY_LINE < 0)); then
        ENTRY="rule_files: ['$1'] $ENTRY_MARK"
        insert_line $((${#TEXT[@]} - 1)) "$ENTRY"
      else
        ENTRY="$ITEM_INDENT- '$1' $ENTRY_MARK"
        insert_line $((LAST_ITEM < 0 ? KEY_LINE : LAST_ITEM)) "$ENTRY"
      fi
      ;;
    null | Null | NULL | '~' | '[]' | '[ ]')
      original="${TEXT[KEY_LINE]%$'\n'}"
      ENTRY="rule_files: ['$1'] $ENTRY_MARK, before: ${original%$'\r'}"
      TEXT[KEY_LINE]="${TEXT[KEY_LINE]/"${original%$'\r'}"/"$ENTRY"}"
      ;;
    *) return 1 ;;
  esac
}

# insert_line INDEX TEXT: puts TEXT after line INDEX, with the line end of that file.
insert_line() {
  local end=$'\n' text="$2"
  if [[ ${TEXT[0]:-} == *$'\r\n' ]]; then end=$'\r\n'; fi
  if (($1 < 0)); then
    TEXT=("$text$end")
    return
  fi
  if [[ ${TEXT[$1]} != *$'\n' ]]; then
    # A file without a last line end stays one.
    TEXT[$1]+="$end"
  else
    text+="$end"
  fi
  TEXT=("${TEXT[@]:0:$1+1}" "$text" "${TEXT[@]:$1+1}")
}

# remove_entry ENTRY: takes exactly that line out of TEXT; false if it is not there as it was written.
remove_entry() {
  local index line
  for index in "${!TEXT[@]}"; do
    line="${TEXT[index]%$'\n'}"
    line="${line%$'\r'}"
    if [[ $line != "$1" ]]; then continue; fi
    if [[ $1 == *" $ENTRY_MARK, before: "* ]]; then
      TEXT[index]="${TEXT[index]/"$line"/"${1#*" $ENTRY_MARK, before: "}"}"
      return 0
    fi
    if [[ ${TEXT[index]} != *$'\n' ]] && ((index > 0)); then
      TEXT[index - 1]="${TEXT[index - 1]%$'\n'}"
      TEXT[index - 1]="${TEXT[index - 1]%$'\r'}"
    fi
    TEXT=("${TEXT[@]:0:index}" "${TEXT[@]:index+1}")
    return 0
  done
  return 1
}
