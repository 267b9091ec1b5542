# shellcheck shell=bash
# What this host knows to be damaged where it lies: objects that a verify or a restore has read and found other than
# recorded. Notes of the backup user, one file a repository; a run sends again what the server still has, and takes it
# out.

# damage_notes: the file with the notes on the selected repository, for root a copy; /dev/null if there are none, and
# for backups of another host.
damage_notes() {
  local notes="${BACKUP_STATE:-$STATE_DIR}/damaged/$REPOSITORY"
  if [[ -n $LOCATION || $REPOSITORY_HOST != "$HOST_NAME" || ! -f $notes || -L $notes ]]; then notes=/dev/null; fi
  if [[ $notes != /dev/null && -n ${BACKUP_STATE:-} && $BACKUP_STATE != "$STATE_DIR" ]]; then
    read_plain "$notes" >"$SCRATCH/damaged.$REPOSITORY.$BASHPID" || true
    notes="$SCRATCH/damaged.$REPOSITORY.$BASHPID"
  fi
  printf '%s' "$notes"
}

# damaged_objects FILE: how many objects of a manifest that read_manifest has read are noted for the selected
# repository. For drill and heal none, which read the objects themselves: what was noted may be mended, and a drill that
# passed a backup over would be green without it.
damaged_objects() {
  if [[ $WITHOUT_NOTES == true ]] || is_one_of "$COMMAND" drill heal; then printf 0; return 0; fi
  awk -F '\t' 'FILENAME == ARGV[1] { bad[$0]; next } NF == 3 && $3 in bad { damaged++ } END { print damaged + 0 }' \
    "$(damage_notes)" "$1.facts"
}

# describe_flaws REPOSITORY LACKING DAMAGED: sets BACKUP_FLAWS, what speaks against the backup there ("DAMAGED: 2
# objects in local"), "" if nothing does.
describe_flaws() {
  BACKUP_FLAWS=""
  if (( $3 > 0 )); then BACKUP_FLAWS="DAMAGED: $(count_text "$3" object) in $1"; fi
  if (( $2 > 0 )); then BACKUP_FLAWS+="${BACKUP_FLAWS:+, }INCOMPLETE: $(count_text "$2" object) missing in $1"; fi
}

