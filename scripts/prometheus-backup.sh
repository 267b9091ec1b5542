#!/usr/bin/env bash
# Usage: prometheus-backup.sh [COMMAND]. Backs up and restores the Prometheus server of this host.
# Exit codes: docs/exit-codes.md. Format of the repository: docs/format.md. Settings: /etc/prometheus-backup/.
set -Eeuo pipefail
# lastpipe: the last part of a pipe runs here, so that a function can set variables at the end of one.
shopt -s inherit_errexit lastpipe
umask 077
export LC_ALL=C TZ=UTC

# main ARG...: one command a call.
main() {
  COMMAND=run
  if [[ ${1:-} == --help || ${1:-} == -h || ${1:-} == help ]]; then print_help overview; return 0; fi
  if (( $# > 0 )) && [[ $1 != -* ]]; then COMMAND=$1; shift; fi
  if is_one_of --help "$@" || is_one_of -h "$@"; then print_help "$COMMAND"; return 0; fi
  if [[ ${1:-} == --version ]]; then printf 'prometheus-backup %s\n' "$TOOL_VERSION"; return 0; fi
  begin
  case "$COMMAND" in
    run | list | show | verify | prune | pin | unpin | check | status | drill | browse | note-metrics | hold) ;;
    restore | heal | export | companions | bootstrap) ;;
    # Called by the server's unit before it starts: must work whatever the settings say.
    recover) command_recover "$@"; return 0 ;;
    *) die "$EXIT_USAGE" "there is no command '$COMMAND'" "see: prometheus-backup.sh --help" ;;
  esac
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

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; exit; fi
