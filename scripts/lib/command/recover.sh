# shellcheck shell=bash
# recover: what the server's unit calls before it starts.

# command_recover [--before-start | --guard | --serve] JOURNAL: --before-start is called by the unit before the server
# starts, --guard by the restore itself (it waits for the end of its standard input), --serve by later commands;
# --after-cold is the guardian of a cold backup. Reads no settings: it must work whatever they say.
command_recover() {
  local mode=$1
  if [[ $mode == --after-cold ]]; then guard_cold "${@:2}"; return 0; fi
  JOURNAL=$2
  if [[ $mode == --guard ]] && ! left_alone; then return 0; fi
  # A guard that cannot be taken out is no reason against a start.
  if [[ ! -e $JOURNAL ]]; then remove_left_guards "$mode" || true; return 0; fi
  if [[ "$(stat --format %u -- "$JOURNAL")" != "$EUID" ]]; then
    die "$EXIT_REFUSED" "$JOURNAL belongs to somebody else" "look who made it, and remove it"
  fi
  recover_from_journal "$mode"
}
