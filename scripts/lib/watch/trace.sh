# shellcheck shell=bash
# The trace of what changes something: in the log of this host, whoever did it and from where. Runs write their own
# lines there (log).

CHANGE=""  # the command that changes something, as its lines in the log name it

# caller_name: the person behind sudo, or of the login, or the user that this runs as.
caller_name() {
  local name=${SUDO_USER:-}
  if [[ -z $name ]]; then name="$(logname 2>/dev/null)" || name=""; fi
  if [[ -z $name ]]; then name="$(id -un)"; fi
  if [[ ! $name =~ ^[A-Za-z0-9._@-]{1,64}$ ]]; then name='?'; fi
  printf '%s' "$name"
}

# note_change WORD...: one line of the log, as the user to whom it belongs. Never ends the command.
note_change() {
  local line
  if [[ -n $LOCATION || ! -f $LOG_FILE || -L $LOG_FILE ]]; then return 0; fi
  printf -v line '%(%Y-%m-%dT%H:%M:%SZ)T %s user=%s' -1 "$*" "$(caller_name)"
  # shellcheck disable=SC2016  # the inner shell expands it
  as_backup_user sh -c 'printf "%s\n" "$2" >>"$1"' sh "$LOG_FILE" "$line" 2>/dev/null ||
    warn "$LOG_FILE cannot be written, so it does not tell of this $COMMAND"
}

# begin_change WORD...: a change begins that takes its time; its end, with the exit code, is noted too.
begin_change() {
  CHANGE="$COMMAND $*"
  note_change "$CHANGE begins"
  CLEANUP_HOOKS+=(end_change)
}

# end_change STATUS: the exit hook of begin_change.
end_change() { note_change "$CHANGE ended exit_code=$1"; }
