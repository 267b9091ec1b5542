# shellcheck shell=bash
# On a machine that is no host of a stack: the commands that only read, on a repository that is named on the command
# line.

# Of take_location.
LOCATION="" LOCATION_HOST="" ARGUMENTS=()

# take_location ARG...: takes --at LOCATION and its --host NAME out of the arguments. Sets LOCATION (empty: the settings
# of this host count), LOCATION_HOST and ARGUMENTS, the rest.
take_location() {
  local host=""
  LOCATION="" LOCATION_HOST="" ARGUMENTS=("$@")
  if ! is_one_of --at "$@"; then return 0; fi
  if ! is_one_of "$COMMAND" "${COMMANDS_ANYWHERE[@]}"; then
    usage_error "$COMMAND works on a host of its own, not with --at"
  fi
  ARGUMENTS=()
  while (( $# > 0 )); do
    case "$1" in
      --at) require_value "$@"; LOCATION=$2; shift ;;
      --host) require_value "$@"; host=$2; shift ;;
      *) ARGUMENTS+=("$1") ;;
    esac
    shift
  done
  if [[ -z $host ]]; then usage_error "--at needs --host NAME too, the host whose backups they are"; fi
  require_host_name "$host"
  LOCATION_HOST=$host
  if [[ $LOCATION != /* && $LOCATION != *:* ]]; then LOCATION="$PWD/$LOCATION"; fi
}

# use_location: the settings of a machine that has none. Nothing of it outlives the command; what a killed one left goes
# away.
use_location() {
  local old pid
  for old in "${TMPDIR:-/tmp}"/prometheus-backup-at.*.*; do
    pid=${old#*/prometheus-backup-at.}
    if [[ -d $old && ! -L $old && -O $old && ${pid%.*} =~ ^[0-9]+$ ]] && ! kill -0 "${pid%.*}" 2>/dev/null; then
      rm -rf -- "$old"
    fi
  done
  set_config_defaults
  HOST_NAME=$LOCATION_HOST BACKUP_USER="$(id -un)" REPOSITORY_COUNT=1
  REPOSITORY_NAMES=(given) REPOSITORY_LOCATIONS=("${LOCATION%/}") REPOSITORY_TYPES=(path) REPOSITORY_PRUNES=(false)
  STATE_DIR="$(mktemp --directory --tmpdir "prometheus-backup-at.$$.XXXXXX")" ||
    die "$EXIT_SPACE" "no directory can be made in ${TMPDIR:-/tmp}" \
    "free space there, or set TMPDIR to another directory"
  CLEANUP_HOOKS+=(remove_private_state)
  if [[ $LOCATION != /* ]]; then
    REPOSITORY_TYPES=(rclone)
    RCLONE_CONFIG_FILE="$(rclone config file 2>/dev/null | tail -n 1)" || RCLONE_CONFIG_FILE=""
  fi
}
