# shellcheck shell=bash
# The rule_files key of a prometheus.yml, read and changed line by line in TEXT.

readonly ENTRY_MARK='# prometheus-backup'

# find_rule_files: sets KEY_LINE (-1 without the key), KEY_REST (what follows the colon), LAST_ITEM, ITEM_INDENT, ITEMS.
find_rule_files() {
  local index
  KEY_LINE=-1 KEY_REST='' LAST_ITEM=-1 ITEM_INDENT='  ' ITEMS=()
  for index in "${!TEXT[@]}"; do
    bare_line "$index"
    if ((KEY_LINE < 0)); then
      if is_key "$LINE" rule_files; then
        KEY_LINE=$index
        KEY_REST="$PLAIN"
      fi
    elif [[ $LINE =~ ^([[:space:]]*)-[[:space:]]+(.*)$ ]]; then
      if ((LAST_ITEM < 0)); then ITEM_INDENT="${BASH_REMATCH[1]}"; fi
      LAST_ITEM=$index
      plain_value "${BASH_REMATCH[2]}"
      ITEMS+=("$PLAIN")
    elif [[ ! $LINE =~ ^[[:space:]]*(#|$) ]]; then
      break
    fi
  done
  if [[ $KEY_REST =~ ^\[(.+)\]$ ]]; then read_flow_items "${BASH_REMATCH[1]}"; fi
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
        insert_lines $((${#TEXT[@]} - 1)) "$ENTRY"
      else
        ENTRY="$ITEM_INDENT- '$1' $ENTRY_MARK"
        insert_lines $((LAST_ITEM < 0 ? KEY_LINE : LAST_ITEM)) "$ENTRY"
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

# remove_entry ENTRY: takes exactly that line out of TEXT; false if it is not there as it was written.
remove_entry() {
  local index
  for index in "${!TEXT[@]}"; do
    bare_line "$index"
    if [[ $LINE != "$1" ]]; then continue; fi
    if [[ $1 == *" $ENTRY_MARK, before: "* ]]; then
      TEXT[index]="${TEXT[index]/"$LINE"/"${1#*" $ENTRY_MARK, before: "}"}"
    else
      delete_lines "$index" "$index"
    fi
    return 0
  done
  return 1
}
