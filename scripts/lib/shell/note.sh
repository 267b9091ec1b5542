# shellcheck shell=bash
# Notes: what this host keeps from one command to the next in directories that other users can write, and owner.json.
# Each has its form here or in a regular expression where it is read. What is not in that form is told by name and not
# used: it counts as unknown, never as nothing.

PIPE=""  # of clear_pipes

# What a note of this host may hold at most: more is none, and nobody's memory is filled with it.
readonly NOTE_BYTES=16000000

# How dd reads a plain file: it neither follows a link nor waits for a pipe, whatever takes the file's place meanwhile.
readonly READ_NOW=("iflag=nofollow,nonblock,count_bytes,fullblock" bs=64K status=none)

# note_form: jq functions: the forms of what is kept in JSON, by kind: in the state directory, and owner.json.
note_form() {
  form_filter
  manifest_form
  cat <<'JQ'
  def note_forms($kind; $place): {
    owner: {($place): {host: host, id: sha256, since: date}},
    server: {($place): {
      dataDirectory: any_of(path; "\"\""), version: text(1000), retentionTime: text(1000), retentionSize: text(1000)
    }},
    contents: {($place): {
      name: choice("[a-z][a-z0-9-]{0,31}"), backups: whole, sizeBytes: whole, newest: may(backup_name), lookedAt: date
    }},
    wounds: {
      ($place + ".damaged[]"): wound,
        ($place + ".lost[]"): (wound + {reason: may(text(1000)), backup: may(backup_name)})
    },
    facts: {($place): {ulid: ulid, minTime: time, maxTime: time, sources: list(ulid), parents: list(ulid)}},
    journal: (entry_forms($place) | .[$place].object = choice(object_letters))
  }[$kind];
  # What has that form, of a list of documents; together they are compared as quickly as one.
  def formed($kind): if [{all: .} | fault(note_forms($kind; "all[]"))] == [] then .
      else map(select([fault(note_forms($kind; ""))] == [])) end
    | if $kind == "journal" then map(select([odd(false)] == [])) else . end;
JQ
}

# is_note FILE: whether it is there, a plain file that can be read, and not larger than a note may be.
is_note() { [[ -f $1 && ! -L $1 && -r $1 ]] && (( $(stat --format %s -- "$1") <= NOTE_BYTES )); }

# read_plain FILE [BYTES]: what a plain file holds, no more of it than BYTES, as the user to whom such files belong. It
# neither waits for a pipe nor follows a link, whatever takes the file's place meanwhile. Whatever another user can
# exchange is opened by this alone.
read_plain() {
  local reader=(as_backup_user)
  # What root keeps of its own commands is closed to that user, and nobody else can put anything there.
  if (( EUID == 0 )) && [[ -n ${BACKUP_STATE:-} && $STATE_DIR != "$BACKUP_STATE" && $1 == "$STATE_DIR"/* ]]; then
    reader=()
  fi
  "${reader[@]}" dd if="$1" "${READ_NOW[@]}" count="${2:-$(( NOTE_BYTES + 1 ))}" 2>/dev/null
}

# clear_pipes DIRECTORY: removes pipes, sockets and devices below a state directory, and links to such: whoever opens
# one waits, perhaps for ever, and they hold no data. False if one of them stays, whose path is then in PIPE.
clear_pipes() {
  local look=(-mindepth 1 -path "$1/scratch.*" -prune -o ! -xtype f ! -xtype d ! -xtype l)
  PIPE="$(as_backup_user find "$1/" "${look[@]}" -print -exec rm -f -- {} \; 2>/dev/null |
    tr --complement '[:print:]\n' '?')" || true
  if [[ -z $PIPE ]]; then return 0; fi
  PIPE="${PIPE%%$'\n'*}"
  if [[ -n "$(as_backup_user find "$1/" "${look[@]}" -print -quit 2>/dev/null)" ]]; then return 1; fi
  warn "$PIPE was no plain file but a pipe, a socket or a device, for which every command would wait; it was removed"
}

# require_no_pipes DIRECTORY: the same; ends with 3 if one stays.
require_no_pipes() {
  clear_pipes "$1" || die "$EXIT_CONFIGURATION" "$PIPE is no plain file, and every command would wait for it" \
    "remove it"
}

# has_lines FORM FILE: whether FILE is a note of which every line matches FORM, an extended regular expression. If it is
# anything else, it says so.
has_lines() {
  local status=0
  if is_note "$2"; then
    # What cannot be read ends with a line of no form.
    LC_ALL=C grep --text --invert-match --line-regexp --extended-regexp -- "$1" >/dev/null \
      < <({ read_plain "$2" || printf '\n\001\n'; } 2>/dev/null) || status=$?
  fi
  if (( status == 1 )); then return 0; fi
  warn_of_note "$2"
  return 1
}

# line_form KIND: the form of each line of a note in plain text, by kind.
line_form() {
  local name='[0-9]{8}T[0-9]{6}Z' number='[0-9][0-9.e+]{0,24}'
  case "$1" in
    restored) printf '%s' "$name $name" ;;
    deletions) printf '%s' "$number $number $number (-|$name) (-|$name)" ;;
    turn) printf '%s' '[0-9]{1,9}' ;;
  esac
}

# take_lines KIND FILE: prints the lines of FILE if each of them has the form of its KIND; nothing if there is no such
# file. False if it is anything else, which it says.
take_lines() {
  local text
  if [[ ! -e $2 && ! -L $2 ]]; then return 0; fi
  if is_note "$2" && text="$(read_plain "$2" | tr '\0' '\001')" &&
    { [[ -z $text ]] || ! grep --quiet --text --invert-match --line-regexp --extended-regexp -- "$(line_form "$1")" \
      <<<"$text"; }; then
    if [[ -n $text ]]; then printf '%s\n' "$text"; fi
    return 0
  fi
  warn_of_note "$2"
  return 1
}

# take_note KIND FILE [FILTER]: prints the one document that FILE holds, or what jq's FILTER makes of it, in a line, if
# it has the form of its KIND. False if there is no such file, and if it is anything else, which it says.
take_note() {
  if [[ ! -e $2 && ! -L $2 ]]; then return 1; fi
  if is_note "$2" && read_plain "$2" | jq --slurp --exit-status --raw-output --compact-output --arg kind "$1" \
    "$(note_form) if length == 1 then formed(\$kind)[] else empty end | ${3:-.}" 2>/dev/null; then return 0; fi
  warn_of_note "$2"
  return 1
}

# take_notes KIND FILE TARGET: to TARGET the lines of FILE, a document each, that have the form of their KIND. Of facts,
# object and bytes stand before it, with tabs. It says if FILE holds anything else; of one that is not there TARGET is
# empty.
take_notes() {
  : >"$3"
  if [[ ! -e $2 && ! -L $2 ]]; then return 0; fi
  if is_note "$2" &&
    read_plain "$2" | jq --raw-input --slurp --raw-output --arg kind "$1" "$(note_form; notes_filter)" >"$3.lines" \
      2>/dev/null; then
    sed 1d "$3.lines" >"$3"
    if [[ "$(sed 1q "$3.lines")" == 0 ]]; then return 0; fi
  fi
  warn_of_note "$2"
}

# notes_filter: the jq program of take_notes: how many lines are something else, and the others.
notes_filter() {
  cat <<'JQ'
  (if $kind == "facts" then "(?:\(object_letters))\t\(whole)\t" else "" end) as $before
  | [split("\n")[] | select(. != "")] as $lines
  | [$lines[] | capture("\\A(?<before>\($before))(?<json>\\{.*)\\z")
    | .before as $before | .json | fromjson? | .before = $before] | formed($kind)
  | ($lines | length) - length, (.[] | .before + (del(.before) | tojson))
JQ
}

# warn_of_note FILE: that it is not what this host has written there.
warn_of_note() {
  warn "$1 holds something else than runs write there; what is not in that form was not used, and counts as unknown." \
    "If that is said again after the next complete run: remove it"
}
