# shellcheck shell=bash
# The phases of what takes long and changes a server, each with its time: a line when it is over, on a terminal with a
# sign in front, elsewhere as a line of the log; and while it lasts what progress shows, above all while the server is
# down.

# The phase that was begun last: its name, its words, when, and what was said at its end.
PHASE_NAME="" PHASE_TEXT="" PHASE_SINCE=0 PHASE_WORDS=""

DOWN_SINCE=""   # since when the server is down by us
PHASED=false    # whether this command tells its phases: begin_phases

# begin_phases: for commands that change a server; what they have in common with others then tells its phases, too.
begin_phases() { PHASED=true; begin_phase plan; }

# begin_phase NAME [TEXT]: ends the phase before; TEXT is for progress.
begin_phase() {
  if [[ $PHASED == false ]]; then return 0; fi
  end_phase
  PHASE_NAME=$1 PHASE_TEXT=${2:-} PHASE_SINCE=${EPOCHREALTIME/./} PHASE_WORDS=""
  if [[ -z $PHASE_TEXT ]]; then return 0; fi
  if [[ -n $DOWN_SINCE ]]; then progress "Prometheus is down for {}; $PHASE_TEXT"; else progress "$PHASE_TEXT"; fi
}

# end_phase: says how long it took, and PHASE_WORDS.
end_phase() {
  local took
  if [[ -z $PHASE_NAME ]]; then return 0; fi
  took=$(( (${EPOCHREALTIME/./} - PHASE_SINCE) / 1000 ))
  if is_terminal; then
    say "$(printf '  ✔ %-9s %8s%s' "$PHASE_NAME" "$(seconds_text "$took")" "${PHASE_WORDS:+  $PHASE_WORDS}")"
  else
    log "$COMMAND phase=$PHASE_NAME seconds=$(printf '%d.%03d' $(( took / 1000 )) $(( took % 1000 ))) backup=$BACKUP"
  fi
  PHASE_NAME=""
}
