# shellcheck shell=bash
# Where a restore gathers what it will move in: on the file system of the data directory, under a name of its own.

# staged_entries: names in STAGING that belong into a data directory, a line each.
staged_entries() {
  local entry
  for entry in "$STAGING"/*/; do
    entry="${entry%/}"
    entry="${entry##*/}"
    if [[ ! -L $STAGING/$entry && ( $entry =~ $ULID_PATTERN || $entry =~ ^(wal|wbl|chunks_head)$ ) ]]; then
      printf '%s\n' "$entry"
    fi
  done
}

# has_labels: whether this host has SELinux, with labels on its files.
has_labels() { [[ -e /sys/fs/selinux/enforce ]]; }

# label_staged ENTRY...: staged beside the data directory they have the label of that place, which a server in a domain
# of its own may not read.
label_staged() {
  if ! has_labels || [[ ${RESTORE_MODE:-} == target || ! -d ${DATA_DIRECTORY:-} ]]; then return 0; fi
  as_owner chcon --recursive --reference="$DATA_DIRECTORY" -- "$@" 2>/dev/null ||
    warn "the SELinux label of $DATA_DIRECTORY could not be given to the restored files; if the server cannot read them: restorecon -R $DATA_DIRECTORY"
}

# own_staged: what is staged, and belongs to its owner by now, gets the modes that a server makes itself.
own_staged() {
  local entries=()
  staged_entries | mapfile -t entries
  if (( ${#entries[@]} == 0 )); then return 0; fi
  entries=("${entries[@]/#/"$STAGING/"}")
  as_owner find "${entries[@]}" -type d -exec chmod 0755 {} + -o -type f -exec chmod 0644 {} +
  label_staged "${entries[@]}"
}

# count_staged DIR: how many selected blocks an earlier try has finished there.
count_staged() {
  local ulid count=0
  if is_staged "$1"; then
    for ulid in "${B_ULID[@]}"; do if [[ -d $1/$ulid ]]; then count=$(( count + 1 )); fi; done
  fi
  printf '%d' "$count"
}

# choose_staging: sets STAGING and ASIDE, on the file system of the data directory, so that every move is a rename:
# beside it, or in it where the server's user may not write beside it.
choose_staging() {
  local parent="${DATA_DIRECTORY%/*}" base="$DATA_DIRECTORY." stamp
  parent="${parent:-/}"
  if [[ -d $DATA_DIRECTORY && "$(mount_of "$parent")" != "$(mount_of "$DATA_DIRECTORY")" ]] ||
    { [[ -d $parent ]] && ! as_owner test -w "$parent"; }; then base="$DATA_DIRECTORY/"; fi
  printf -v stamp '%(%Y%m%dT%H%M%SZ)T' -1
  STAGING="${base}restore-$BACKUP"
  ASIDE="${base}before-$stamp"
}

# other_staging PREFIX...: downloads of other backups that were never switched in, a line each.
other_staging() {
  local old prefix
  for prefix in "$@"; do
    for old in "$prefix"*; do
      if [[ -d $old && $old != "$STAGING" && ${old#"$prefix"} =~ $BACKUP_PATTERN ]]; then printf '%s\n' "$old"; fi
    done
  done | sort --unique
}

# remove_other_staging PREFIX...: removes them. Only when the person has said yes: each may be hours of download.
remove_other_staging() {
  local old
  other_staging "$@" | while IFS= read -r old; do as_owner rm -rf -- "$old" </dev/null; done
}
