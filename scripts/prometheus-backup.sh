#!/usr/bin/env bash
# Usage: prometheus-backup.sh [COMMAND]. Backs up and restores the Prometheus server of this host.
# Exit codes: docs/exit-codes.md. Format of the repository: docs/format.md. Settings: /etc/prometheus-backup/.
set -Eeuo pipefail
# lastpipe: the last part of a pipe runs here, so that a function can set variables at the end of one.
# assoc_expand_once: a key of an array is text, and not looked at again for something to expand.
shopt -s inherit_errexit lastpipe assoc_expand_once
umask 077
# What the caller's terminal shows, before everything is read in one way; whoever called us so may have kept it already.
export CALLER_LOCALE="${CALLER_LOCALE-${LC_ALL:-${LC_CTYPE:-${LANG:-}}}}"
export LC_ALL=C TZ=UTC

# What was typed, and the command of it.
CALLED_WITH=() COMMAND=""

# main ARG...: one command a call. Without any it is a run, unless a person sits there: that one gets the overview.
main() {
  CALLED_WITH=("$@")
  COMMAND=run
  if print_words "$@"; then return 0; fi
  if (( $# > 0 )) && [[ $1 != -* ]]; then COMMAND=$1; shift; fi
  require_command "$COMMAND"
  if is_one_of --help "$@" || is_one_of -h "$@"; then print_help "$COMMAND"; return 0; fi
  begin
  # Called by the server's unit before it starts: must work whatever the settings say.
  if [[ $COMMAND == recover || $COMMAND == explain ]]; then "command_$COMMAND" "$@"; return 0; fi
  split_options "$@"
  set -- "${WORDS[@]}"
  take_location "$@"
  if [[ -n $LOCATION ]]; then
    use_location
  else
    load_config
    if ! is_one_of "$COMMAND" restore heal export companions bootstrap; then become_backup_user "$COMMAND" "$@"; fi
  fi
  clean_environment
  "command_${COMMAND//-/_}" "${ARGUMENTS[@]}"
}

# print_words ARG...: what is no command: help, the version. False if it is one.
print_words() {
  case "${1:-}" in
    "") if (( $# > 0 )) || [[ ! -t 0 ]]; then return 1; fi; print_help overview ;;
    --help | -h) print_help overview ;;
    help) if (( $# > 1 )); then require_command "$2"; fi; print_help "${2:-overview}" ;;
    --version) printf 'prometheus-backup %s\n' "$TOOL_VERSION" ;;
    *) return 1 ;;
  esac
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; exit; fi
