# shellcheck shell=bash
# The guardian: a process that brings the old data back when the command that has stopped the server is killed.

# The pipe to the guardian, which gets its name from start_guardian by the environment, and the descriptor that holds
# it open.
GUARDIAN_PIPE="${GUARDIAN_PIPE:-}" GUARD_FD=""

# How long the guardian of a restore waits for a server that does not let go of its data;
# after that the next start or command rolls back.
readonly GUARDIAN_PATIENCE_SECONDS=3600

# start_guardian BASE ARG...: this program with ARG..., as a process that outlives this one, even a kill -9 of its whole
# group, and then sets things right. Returns when it is there. BASE is where pipe and log lie.
start_guardian() {
  local pipe="$1.guard" log="$1.guardian.log" deadline=$(( EPOCHSECONDS + 60 ))
  shift
  rm -f -- "$pipe"
  mkfifo --mode=0600 -- "$pipe"
  # Opened for both directions, so that nobody ever waits for an end that was killed before it could open its own.
  exec {GUARD_FD}<>"$pipe"
  # A grandchild, so that the exit trap does not find it among our jobs and end it.
  ( exec {end}<"$pipe" {GUARD_FD}>&-; drop_locks; GUARDIAN_PIPE="$pipe" setsid "$BASH" "$(self_path)" \
    "$@" <&"$end" >/dev/null 2>>"$log" & )
  while [[ -e $pipe ]]; do
    if (( EPOCHSECONDS >= deadline )); then
      die "$EXIT_UNEXPECTED" "no process could be started to watch over this one" \
        "look at $log; the server was not touched"
    fi
    sleep 0.02
  done
}

# left_alone: what a guardian does first. It says that it is there by removing the name of its pipe, and waits for the
# end of that. False if the one it watches over said that all is well.
left_alone() {
  local words=""
  trap '' HUP INT PIPE
  rm -f -- "$GUARDIAN_PIPE"
  read -r words || true
  [[ $words != 'done' ]]
}

# drop_locks: closes them in a process that lives on after the run they belong to.
drop_locks() {
  local name number
  for name in SWITCH_FD LOCK_FD JOBS_FD; do
    number=${!name:-}
    if [[ -n $number ]]; then exec {number}>&-; fi
  done
}

# dismiss_guardian: the restore has come to its end by itself.
dismiss_guardian() {
  if [[ -z $GUARD_FD ]]; then return 0; fi
  { printf 'done\n' >&"$GUARD_FD"; } 2>/dev/null || true
  exec {GUARD_FD}>&-
  GUARD_FD=""
}
