# shellcheck shell=bash
# The name of a run: its time to the second. Two runs never have one.

STARTED_AT=""  # when the backup began, as the manifest says it

# name_run: a backup is named by the second in which its run begins, and no two have one name, however a run ends: each
# name is noted before it is used. Without the note (the first run, or a state directory that was lost), the
# repositories tell the last name. Needs the lock.
name_run() {
  local note="$STATE_DIR/last-name" last="$SCRATCH/last-name" now
  if [[ ! -e $note ]] || ! has_lines "$BACKUP_PATTERN" "$note" || ! cp -- "$note" "$last" 2>/dev/null; then
    in_background newest_name "$last"
    wait "$CHILD"
  fi
  pass_name "$(<"$last")"
  printf -v now '%(%s)T' -1
  printf -v BACKUP '%(%Y%m%dT%H%M%SZ)T' "$now"
  printf -v STARTED_AT '%(%Y-%m-%dT%H:%M:%SZ)T' "$now"
  if ! { printf '%s\n' "$BACKUP" >"$note.new" && sync -- "$note.new" && mv -fT -- "$note.new" "$note" &&
    sync -- "$STATE_DIR"; } 2>/dev/null; then
    die "$EXIT_SPACE" "$note cannot be written" "free space on that file system and check its owner"
  fi
}

# newest_name FILE: writes the newest name of a backup of this host in any repository. One that cannot be listed has
# nothing to say here: nothing is stored there without a list.
newest_name() {
  local index
  for index in "${!REPOSITORY_NAMES[@]}"; do
    select_repository "$index"
    if repository_list; then sed --quiet 's#^[0-9]*\tbackups/\(.*\)\.json\t.*#\1#p' "$OBJECT_LIST"; fi
  done | sort | tail -n 1 >"$1"
}

# pass_name NAME: waits until the clock has passed the second of that name, if that is near. A name from further ahead
# comes from another clock, and require_new_name looks whether the new one is taken.
pass_name() {
  local given now try
  if [[ ! $1 =~ $BACKUP_PATTERN ]]; then return 0; fi
  given="$(date --utc --date "${1:0:4}-${1:4:2}-${1:6:2} ${1:9:2}:${1:11:2}:${1:13:2}" +%s 2>/dev/null)" || return 0
  for (( try = 0; try < NAME_WAIT_SECONDS * 10; try++ )); do
    printf -v now '%(%s)T' -1
    if (( now > given || given - now >= NAME_WAIT_SECONDS )); then return 0; fi
    sleep 0.1
  done
}

# require_new_name: no manifest of this name is in the list of the selected repository; ends with 12 if one is.
require_new_name() {
  if object_bytes "backups/$BACKUP.json" >/dev/null; then
    die "$EXIT_REFUSED" "repository $REPOSITORY has a backup $BACKUP already, and backups are written once" \
      "the clock has gone back; run again"
  fi
}
