# shellcheck shell=bash
# The marked part of a prometheus.yml that holds the remote_write targets: with a key of its own, or as more items of
# a list that somebody else has written.

readonly PART_BEGIN='# BEGIN prometheus-backup remote_write' PART_END='# END prometheus-backup remote_write'
readonly PART_NOTE='# Written by prometheus-backup; what stands between these marks is overwritten.'

# take_out_part: takes the marked lines out of TEXT; sets PART_AT to where they began, -1 if there were none. False if
# the marks do not fit together.
take_out_part() {
  local index begins=() ends=()
  PART_AT=-1
  for index in "${!TEXT[@]}"; do
    bare_line "$index"
    LINE="${LINE#"${LINE%%[! ]*}"}"
    if [[ $LINE == "$PART_BEGIN" ]]; then begins+=("$index"); fi
    if [[ $LINE == "$PART_END" ]]; then ends+=("$index"); fi
  done
  if ((${#begins[@]} == 0 && ${#ends[@]} == 0)); then return 0; fi
  if ((${#begins[@]} != 1 || ${#ends[@]} != 1 || begins[0] > ends[0])); then return 1; fi
  PART_AT=${begins[0]}
  delete_lines "${begins[0]}" "${ends[0]}"
}

# find_remote_write: sets KEY_LINE (-1 without the key), KEY_REST (what follows the colon), LIST_END (its last line, -1
# without items) and ITEM_INDENT. Comments that are indented deeper than the items belong to them.
find_remote_write() {
  local index
  KEY_LINE=-1 KEY_REST='' LIST_END=-1 ITEM_INDENT='  '
  find_document_end
  for ((index = 0; index < DOCUMENT_END; index++)); do
    bare_line "$index"
    if ((KEY_LINE < 0)); then
      if is_key "$LINE" remote_write; then
        KEY_LINE=$index
        KEY_REST="$PLAIN"
      fi
    elif [[ $LINE =~ ^[[:space:]]*$ ]]; then
      continue
    elif ((LIST_END < 0)); then
      if [[ $LINE =~ ^[[:space:]]*# ]]; then continue; fi
      if [[ ! $LINE =~ ^([[:space:]]*)-([[:space:]]|$) ]]; then return 0; fi
      ITEM_INDENT="${BASH_REMATCH[1]}"
      LIST_END=$index
    elif [[ $LINE == "$ITEM_INDENT"[[:space:]]* || $LINE == "$ITEM_INDENT-"* && $LINE != "$ITEM_INDENT--"* ]]; then
      LIST_END=$index
    elif [[ ! $LINE =~ ^[[:space:]]*# ]]; then
      return 0
    fi
  done
}

# put_in_part FILE: inserts the targets of FILE, which is `remote_write:` with its items behind comments. False for a
# form of the key that cannot be extended by lines.
put_in_part() {
  local at line items=() lines=()
  find_remote_write
  sed '1,/^remote_write:$/d' -- "$1" >"$WORK/items"
  mapfile -t items <"$WORK/items"
  if ((KEY_LINE < 0)); then
    lines=("$PART_BEGIN" "$PART_NOTE" remote_write: "${items[@]}" "$PART_END")
    at=$((PART_AT >= 0 ? PART_AT - 1 : DOCUMENT_END - 1))
  else
    if [[ -n $KEY_REST ]]; then return 1; fi
    for line in "$PART_BEGIN" "$PART_NOTE" "${items[@]/#  /}" "$PART_END"; do lines+=("$ITEM_INDENT$line"); done
    at=$((LIST_END >= 0 ? LIST_END : KEY_LINE))
  fi
  insert_lines "$at" "${lines[@]}"
}
