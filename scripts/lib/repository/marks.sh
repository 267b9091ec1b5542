# shellcheck shell=bash
# Marks: every run leaves an object marks/<random> where it stores, and remembers it. A place that lacks the mark of
# last time is not the place of last time: a disk that is not mounted, or another one. A mark that this machine does not
# remember was left by another one with the same identity: a clone. The state directory has marks/known, and for each
# repository marks/NAME.last: mark, newest backup, location. See docs/decisions/010-marks.md.

MARK=""  # of this run
# Of read_last_mark.
LAST_MARK="" LAST_BACKUP="" LAST_LOCATION="" LAST_SPOILED=""

readonly MARK_PATTERN='^[0-9a-f]{32}$'
# How long a run waits for another one, which has to give way, before it gives way itself.
MARK_PATIENCE_SECONDS=30

# read_last_mark: sets LAST_MARK, LAST_BACKUP ("-": none) and LAST_LOCATION of the selected repository, all "" if
# nothing is known. The file belongs to the backup user; LAST_SPOILED is its path if there is one that no run has left
# so, else "".
read_last_mark() {
  local file="${BACKUP_STATE:-$STATE_DIR}/marks/$REPOSITORY.last"
  LAST_MARK="" LAST_BACKUP="" LAST_LOCATION="" LAST_SPOILED=""
  if [[ -n $LOCATION || $REPOSITORY_HOST != "$HOST_NAME" || ! -e $file && ! -L $file ]]; then return 0; fi
  if is_note "$file"; then
    { IFS= read -r LAST_MARK && IFS= read -r LAST_BACKUP && IFS= read -r LAST_LOCATION; } < <(read_plain "$file") ||
      true
  fi
  if [[ $LAST_MARK =~ $MARK_PATTERN && ( $LAST_BACKUP =~ $BACKUP_PATTERN || $LAST_BACKUP == - ) &&
    -n $LAST_LOCATION ]]; then
    return 0
  fi
  LAST_MARK="" LAST_BACKUP="" LAST_LOCATION="" LAST_SPOILED="$file"
}

# require_place: whether what repository_list has found is the place where the backups of this host lie. False sets
# REPOSITORY_ERROR: such a place did not answer, whatever the command. A host that has stored nothing there yet may find
# it empty, unless it asks for a backup on a machine that knows nothing (PLACE_MUST_SHOW): then some host's repository
# has to be there.
require_place() {
  local anew=""
  if [[ $TAKE_OVER == true ]]; then return 0; fi
  if [[ $COMMAND == run ]]; then anew="; if it is to begin anew, run once: prometheus-backup.sh run --take-over"; fi
  read_last_mark
  if [[ -n $LAST_MARK && $LAST_LOCATION == "${REPOSITORY_ROOT%/*}" ]]; then
    if holds_last "$LAST_MARK" "$LAST_BACKUP"; then return 0; fi
    if is_vacant; then
      REPOSITORY_ERROR="it is empty, and has held backups of this host (is its file system mounted?)$anew"
    else
      REPOSITORY_ERROR="it holds neither the mark of the last run nor backup $LAST_BACKUP or a newer one (is another file system mounted there?)$anew"
    fi
    return 1
  fi
  # Of a state that is older than marks are.
  if [[ -z $LAST_MARK && -z $LOCATION && $REPOSITORY_HOST == "$HOST_NAME" &&
    -v METRICS["repository_last_success_timestamp_seconds|repository=$REPOSITORY"] ]] &&
    ! grep --quiet $'\tbackups/' "$OBJECT_LIST"; then
    REPOSITORY_ERROR="it is empty, and has held backups of this host (is its file system mounted?)$anew"
    return 1
  fi
  if ! is_vacant; then return 0; fi
  if [[ -n $LAST_SPOILED ]]; then
    REPOSITORY_ERROR="it is empty, and what $LAST_SPOILED holds does not tell whether it has held backups of this host$anew"
    return 1
  fi
  if [[ -n $LOCATION || $REPOSITORY_HOST != "$HOST_NAME" ]] || { [[ ${PLACE_MUST_SHOW:-false} == true ]] &&
    (( ${#METRICS[@]} == 0 )); }; then
    if at_repository is_bare; then
      REPOSITORY_ERROR="${REPOSITORY_ROOT%/*} holds backups of no host (is its file system mounted?)"
      return 1
    fi
  fi
}

# holds_last MARK BACKUP: whether the list has that mark, that backup or a newer one.
holds_last() {
  awk -F '\t' -v mark="marks/$1" -v backup="backups/$2.json" \
    '$2 == mark || (backup != "backups/-.json" && $2 ~ /^backups\// && $2 >= backup) { found = 1; exit } END {
      exit !found }' "$OBJECT_LIST"
}

# is_vacant: whether nothing of a repository of this host is there.
is_vacant() { [[ ! -s $OBJECT_LIST ]]; }

# own_marks: SCRATCH/marks.own: the marks that this machine has left. After a take-over they are all that are listed; a
# machine that remembers nothing of this repository, because its state is new or older than marks are, takes those of
# runs that are over for its own: its identity was compared.
own_marks() {
  local known="$STATE_DIR/marks/known" over=""
  if [[ ! -f $known ]]; then known=/dev/null; fi
  read_last_mark
  if [[ $TAKE_OVER == true ]]; then over=9
  elif [[ -z $LAST_MARK$LAST_SPOILED ]]; then
    over="$(awk -F '\t' '$2 ~ /^backups\// && $3 > over { over = $3 } END { print over }' "$OBJECT_LIST")"
  fi
  { cat -- "$known" && awk -F '\t' -v over="$over" '$2 ~ /^marks\// && over != "" && $3 "" <= over "" {
    print substr($2, 7) }' "$OBJECT_LIST"; } >"$SCRATCH/marks.own" && return 0
  REPOSITORY_ERROR="$SCRATCH/marks.own cannot be written"
  return 1
}

# strange_marks FILE: of the marks that FILE lists ("bytes<TAB>marks/MARK"), those that stand (are not empty) and are
# not of SCRATCH/marks.own, a line each, sorted.
strange_marks() {
  awk -F '\t' 'FILENAME == ARGV[1] { own["marks/" $0]; next } $2 ~ /^marks\// && $1 > 0 && !($2 in own) {
    print substr($2, 7) }' "$SCRATCH/marks.own" "$1" | sort
}

# require_own_marks: no other machine has written here since this one did; else ends with 12. False sets
# REPOSITORY_ERROR.
require_own_marks() {
  local strange
  own_marks || return 1
  strange="$(strange_marks "$OBJECT_LIST" | sed --quiet 1p)"
  if [[ -n $strange ]]; then
    refuse_twin "$(awk -F '\t' -v mark="marks/$strange" '$2 == mark { print substr($3, 1, 19) " UTC";
      exit }' "$OBJECT_LIST")"
  fi
}

# refuse_twin WHEN: ends with 12.
refuse_twin() {
  die "$EXIT_REFUSED" "another machine with the name and the identity of this one writes to $REPOSITORY_SHOWN (a run of $1 was not made here): one is a clone of the other, or this one was put back to an earlier state; no backup was recorded there" \
    "let one of them alone make backups; on that one, run once: prometheus-backup.sh run --take-over, and give the other another host name"
}

# begin_marks: MARK, the mark of this run. It is remembered before it is left anywhere.
begin_marks() {
  local known="$STATE_DIR/marks/known"
  MARK="$(openssl rand -hex 16)"
  { mkdir -p -- "$STATE_DIR/marks" && { if [[ -f $known ]]; then tail \
    -n 50000 -- "$known"; fi; printf '%s\n' "$MARK"; } >"$known.new" &&
    mv -fT -- "$known.new" "$known"; } 2>/dev/null ||
    die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" \
    "free space on that file system; the backups are untouched"
}

# leave_mark: puts MARK into the selected repository, looks who else has left one meanwhile, and remembers the place. Of
# two machines that do this at the same time at least one sees the other, because each looks after it has written; one
# gives way and ends with 12. Needs require_owner.
leave_mark() {
  local known="$STATE_DIR/marks/known"
  printf '%s\n' "$BACKUP" | repository_put "marks/$MARK" || return 1
  await_precedence || return 1
  awk 'FILENAME == ARGV[1] { known[$0]; next } !($0 in known)' "$known" "$SCRATCH/marks.own" >"$SCRATCH/marks.taken"
  if [[ -s $SCRATCH/marks.taken ]] && ! cat -- "$SCRATCH/marks.taken" >>"$known"; then
    REPOSITORY_ERROR="$known cannot be written"
    return 1
  fi
  note_place "$(awk -F '\t' '$2 ~ /^backups\// { print substr($2, 9, 16) }' "$OBJECT_LIST" | sort | tail -n 1)"
}

# await_precedence: true as soon as nobody else's mark stands. The larger mark gives way at once, the smaller one if the
# other does not.
await_precedence() {
  local deadline=$(( SECONDS + MARK_PATIENCE_SECONDS )) strange
  while true; do
    at_repository marks >"$SCRATCH/marks.all" || return 1
    take_listing "$SCRATCH/marks.all" >"$SCRATCH/marks" || return 1
    strange="$(strange_marks "$SCRATCH/marks" | sed --quiet 1p)"
    if [[ -z $strange ]]; then return 0; fi
    if [[ $strange < $MARK ]] || (( SECONDS >= deadline )); then break; fi
    sleep 1
  done
  # Empty, it does not stand any more. A host need not have the right to delete. rclone takes nothing from /dev/null.
  printf '' | repository_put "marks/$MARK" || true
  refuse_twin "this very moment"
}

# note_place BACKUP: what require_place will look for; "" for none.
note_place() {
  local file="$STATE_DIR/marks/$REPOSITORY.last"
  { printf '%s\n%s\n%s\n' "$MARK" "${1:--}" "${REPOSITORY_ROOT%/*}" >"$file.new" &&
    mv -fT -- "$file.new" "$file"; } 2>/dev/null && return 0
  REPOSITORY_ERROR="$file cannot be written"
  return 1
}
