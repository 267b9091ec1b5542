# shellcheck shell=bash
# Beginning and end of every command: temporary files, the exit trap.

# begin: traps and empty lists. The first call of every command.
begin() {
  SCRATCH="" CLEANUP_HOOKS=() LOCK_FD="" JOB_LEVEL=0
  trap 'report_bug "$?" "$LINENO"' ERR
  trap 'finish "$?"' EXIT
  trap 'end_by_signal 129' HUP
  trap 'end_by_signal 130' INT
  trap 'end_by_signal 143' TERM
  # Whoever reads our output may stop before its end, as head does: writing fails then, and nothing else.
  trap : PIPE
  # Where the backup user may not be, such as the home of whoever called sudo, find fails.
  if [[ ! -r . || ! -x . ]]; then cd /; fi
}

# end_by_signal STATUS: a second one, while the first is answered, changes nothing: it would cut off what takes back.
end_by_signal() {
  trap '' HUP INT TERM
  exit "$1"
}

# finish STATUS: stops children, runs the hooks newest first, removes what this run made, exits with STATUS.
finish() {
  local status=$1 child index
  trap '' HUP INT TERM
  trap - ERR EXIT
  set +e
  PHASED=false PHASE_NAME=""
  end_progress
  explain_full_state "$status" || status=$EXIT_SPACE
  # Only jobs that were not waited for: a number that was may belong to somebody else by now.
  for child in $(jobs -p); do stop_child "$child"; done
  for (( index = ${#CLEANUP_HOOKS[@]} - 1; index >= 0; index-- )); do "${CLEANUP_HOOKS[index]}" "$status"; done
  end_progress
  if declare -F say_interrupted >/dev/null; then say_interrupted "$status"; fi
  if [[ -n $SCRATCH ]]; then rm -rf -- "$SCRATCH"; fi
  exit "$status"
}

# end_progress: hold has only part of the functions.
end_progress() { if declare -F progress_done >/dev/null; then progress_done; fi; }

# explain_full_state STATUS: a full file system under our feet breaks whatever comes first, with whatever words. False,
# and one more line that says so, if STATUS may come from that.
explain_full_state() {
  case "$1" in "$EXIT_UNEXPECTED" | "$EXIT_SNAPSHOT" | "$EXIT_REPOSITORY") ;; *) return 0 ;; esac
  if [[ -z $SCRATCH ]] || head -c 65536 /dev/zero 2>/dev/null >"$SCRATCH/room"; then return 0; fi
  printf 'prometheus-backup: error: the file system of %s is full (bytes or inodes), which is why this failed; %s\n' \
    "$STATE_DIR" \
    "free space there; the backups are untouched" >&2 || true
  return 1
}

# be_gentle: low CPU and disk priority for the rest of the run; monitoring comes before its backup.
be_gentle() {
  renice --priority "$NICE" --pid $$ >/dev/null 2>&1 || true
  if command -v ionice >/dev/null 2>&1; then
    ionice --class "$IONICE_CLASS" --classdata "$IONICE_LEVEL" --pid $$ 2>/dev/null || true
  fi
}

# self_path: this program, whatever the directory it was called from.
self_path() { realpath -- "$0"; }

# as_root: advice to type the same line as root, whole, with the path: where /usr/local/bin is none of sudo's.
as_root() {
  local word line
  line="run: sudo $(self_path)"
  for word in "${CALLED_WITH[@]}"; do
    if [[ ! $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then word=${word@Q}; fi
    line+=" $word"
  done
  printf '%s' "$line"
}
