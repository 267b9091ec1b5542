# shellcheck shell=bash
# The rule_files key of a prometheus.yml, read and changed line by line in TEXT.

readonly ENTRY_MARK='# prometheus-backup'

# find_rule_files: sets KEY_LINE (-1 without the key), KEY_REST (what follows the colon), LAST_ITEM, ITEM_INDENT.
find_rule_files() {
  local index
  KEY_LINE=-1 KEY_REST='' LAST_ITEM=-1 ITEM_INDENT='  '
  find_document_end
  for ((index = 0; index < DOCUMENT_END; index++)); do
    bare_line "$index"
    if ((KEY_LINE < 0)); then
      if is_key "$LINE" rule_files; then
        KEY_LINE=$index
        KEY_REST="$PLAIN"
      fi
    elif [[ $LINE =~ ^([[:space:]]*)-[[:space:]]+(.*)$ ]]; then
      if ((LAST_ITEM < 0)); then ITEM_INDENT="${BASH_REMATCH[1]}"; fi
      LAST_ITEM=$index
    elif [[ ! $LINE =~ ^[[:space:]]*(#|$) ]]; then
      break
    fi
  done
}

# is_covered FILE: true if the parsed configuration FILE loads RULES already, as Prometheus matches patterns.
is_covered() {
  local item
  while IFS= read -r item; do
    plain_value "${item#- }"
    item="$PLAIN"
    # In the same directory under whatever name; a star does not reach over a slash in Prometheus, but would here.
    # shellcheck disable=SC2053 # the item is a pattern
    if [[ ${RULES##*/} == ${item##*/} && "${item%/*}" -ef "${RULES%/*}" ]] ||
      [[ $RULES == $item && ${RULES//[^\/]/} == "${item//[^\/]/}" ]]; then return 0; fi
  done < <(section "$1" rule_files)
  return 1
}

# insert_entry PATTERN: changes TEXT and sets ENTRY to the line it wrote; false for a form it leaves alone.
insert_entry() {
  case "$KEY_REST" in
    '')
      if ((KEY_LINE < 0)); then
        ENTRY="rule_files: ['$1'] $ENTRY_MARK"
        insert_lines $((DOCUMENT_END - 1)) "$ENTRY"
      else
        ENTRY="$ITEM_INDENT- '$1' $ENTRY_MARK"
        insert_lines $((LAST_ITEM < 0 ? KEY_LINE : LAST_ITEM)) "$ENTRY"
      fi
      ;;
    null | Null | NULL | '~' | '[]' | '[ ]')
      bare_line "$KEY_LINE"
      ENTRY="rule_files: ['$1'] $ENTRY_MARK, before: $LINE"
      TEXT[KEY_LINE]="${TEXT[KEY_LINE]/"$LINE"/"$ENTRY"}"
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
