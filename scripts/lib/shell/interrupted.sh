# shellcheck shell=bash
# What a command that was ended by a signal has left, in words: said after its exit hooks have taken back what they take
# back.

# say_interrupted STATUS: nothing unless STATUS is that of a signal.
say_interrupted() {
  local words
  case "$1" in 129 | 130 | 143) ;; *) return 0 ;; esac
  if [[ -z $SCRATCH ]]; then words="Nothing was done."
  elif declare -F "left_by_$COMMAND" >/dev/null; then words="$("left_by_$COMMAND")"
  else return 0; fi
  say "prometheus-backup: interrupted. $words"
}

# left_by_run: which repositories have the backup already, and that the next run goes on in the others.
left_by_run() {
  local name complete="" lacking=""
  for name in "${REPOSITORY_NAMES[@]}"; do
    if [[ -s $SCRATCH/summary.$name ]]; then complete+="${complete:+, }$name"; else lacking+="${lacking:+, }$name"; fi
  done
  if [[ -z $complete ]]; then
    printf 'No backup was recorded, the last one is untouched; what was sent stays, and the next run goes on from there: prometheus-backup.sh run'
  elif [[ -n $lacking ]]; then
    printf 'Backup %s is complete in %s. In %s it was not recorded, and the last one there is untouched; what was sent stays for the next run: prometheus-backup.sh run' "$BACKUP" "$complete" "$lacking"
  else
    printf 'Backup %s is complete in %s; only what comes after it (retention, the catalog) was cut off, and the next run does it.' "$BACKUP" "$complete"
  fi
}

# left_by_restore: by phase. What the switch had moved, its exit hook has moved back and said so.
left_by_restore() {
  if [[ $RESTORED == true ]]; then
    printf 'The restore is complete, and the server runs on the restored data%s.' \
      "${KEPT_ASIDE:+; those from before are in $KEPT_ASIDE}"
    return 0
  fi
  if [[ -n ${PHASE:-} ]]; then
    printf 'The restore is not undone yet (above); the next prometheus-backup.sh command as root tries it again.'
    return 0
  fi
  if (( ${MOVED_IN:-0} > 0 )); then
    printf '%s of %s are in the running server, which finds them within a minute; the same command again brings the rest.' "$MOVED_IN" "$(blocks_text ${#B_ULID[@]})"
    return 0
  fi
  case "${RESTORE_MODE:-full}" in
    target) printf 'No server was touched.' ;;
    *) printf 'The data of the server are as they were.' ;;
  esac
  left_download
}

# left_by_bootstrap: what `pulumi up` calls is a restore.
left_by_bootstrap() { left_by_restore; }

# left_download: what was fetched, and how to go on or to throw it away.
left_download() {
  if [[ -z ${STAGING:-} || ! -e ${STAGING:-}/digest ]]; then printf ' Nothing was fetched.'; return 0; fi
  printf ' What was fetched is kept in %s: the same command again goes on from there; without it: rm -rf %s' \
    "$STAGING" "${STAGING@Q}"
}

# left_by_heal: undo_heal has put damaged blocks back and started the server, and said so.
left_by_heal() {
  if (( ${MOVED_IN:-0} > 0 )); then
    printf '%s of %s are back; the same command again brings the rest.' "$MOVED_IN" "$(blocks_text ${#B_ULID[@]})"
    return 0
  fi
  printf 'No block of the server was changed.'
  left_download
}

# left_by_export: the directory is as good as new for the next try.
left_by_export() {
  printf 'No server was touched.'
  left_download
}

# left_by_prune: manifests go before the objects that only they name.
left_by_prune() {
  if [[ -e $SCRATCH/going ]]; then
    printf 'Part of what was to go is gone; every backup that is still listed has all its objects, and the next prune removes the rest.'
  else printf 'Nothing was removed.'; fi
}

# left_by_list, left_by_show, left_by_status: these only look.
left_by_list() { printf 'Nothing was changed.'; }

left_by_show() { left_by_list; }

left_by_status() { left_by_list; }

# left_by_check: its probe may be on its way just now.
left_by_check() { printf 'Nothing was changed; a repository may hold a probe of a few bytes, which a run removes in some days.'; }

# left_by_pin, left_by_unpin: a repository is named when it is done.
left_by_pin() { printf 'Only what is named above was done; the same command again does the rest.'; }

left_by_unpin() { left_by_pin; }

# left_by_companions: what is in force is never touched.
left_by_companions() { printf 'No file in force was touched.'; }

# left_by_browse: Ctrl-C is how it ends.
left_by_browse() { printf 'The restored copy was removed, and no server was touched.'; }

# left_by_verify: what a repository was found to hold is noted at its end alone.
left_by_verify() { printf 'What was being read counts as not verified; nothing was changed.'; }

# left_by_drill: the copy is gone.
left_by_drill() {
  printf 'The restored copy was removed, and no server was touched; until the next good one, this drill counts as failed.'
}
