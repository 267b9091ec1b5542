# shellcheck shell=bash
# The settings of this host: read once, checked as a whole before any work.

# load_config: reads CONFIG_FILE and sets one variable a setting. Ends with 3 and every problem at once.
load_config() {
  CONFIG_PROBLEMS=()
  check_config_file
  set_config_defaults
  # The host step that prepared the directory says which one it found; a setting in the file wins.
  if [[ -r ${CONFIG_FILE%/*}/textfile-directory ]]; then TEXTFILE_DIR="$(<"${CONFIG_FILE%/*}/textfile-directory")"; fi
  # shellcheck source=/dev/null
  source "$CONFIG_FILE" || die "$EXIT_CONFIGURATION" "$CONFIG_FILE is not a settings file" \
    "run 'pulumi up' to write it again"
  check_config_values
  load_repositories
  if (( ${#CONFIG_PROBLEMS[@]} > 0 )); then
    printf '  - %s\n' "${CONFIG_PROBLEMS[@]}" >&2
    die "$EXIT_CONFIGURATION" "$CONFIG_FILE has ${#CONFIG_PROBLEMS[@]} wrong settings (above)" \
      "mend them in the stack's configuration and run 'pulumi up'"
  fi
  PROMETHEUS_URL="${PROMETHEUS_URL%/}"
}

# check_config_file: the file is sourced, so it must belong to root (or to whoever runs this) and be writable by nobody
# else.
check_config_file() {
  local facts owner mode remedy="run 'pulumi up' for this host"
  if [[ ! -f $CONFIG_FILE || ! -r $CONFIG_FILE ]]; then
    if (( EUID != 0 )); then remedy="$(as_root), or 'pulumi up' for this host"; fi
    die "$EXIT_CONFIGURATION" "$CONFIG_FILE cannot be read" \
      "$remedy; on a machine that is no host of a stack, name the repository: --at PLACE --host NAME"
  fi
  facts="$(stat --dereference --format '%u %a' -- "$CONFIG_FILE")"
  owner=${facts% *} mode=${facts#* }
  if (( owner != 0 && owner != EUID )) || (( (8#$mode & 8#022) != 0 )); then
    die "$EXIT_CONFIGURATION" \
      "$CONFIG_FILE belongs to user $owner with mode $mode, so others could run code through it" \
      "chown it to root and chmod it to 0644"
  fi
}

# set_config_defaults: the same defaults as components/backupJob/settings.ts, for settings that an older file lacks.
set_config_defaults() {
  HOST_NAME="" ENVIRONMENT="" PROMETHEUS_URL=http://127.0.0.1:9090 PROMETHEUS_UNIT=prometheus.service
  BACKUP_USER=prometheus SCHEDULER=cron RUN_CALENDAR="" DRILL_CALENDAR="" DATA_DIR="" API_CURL_CONFIG="" \
    SOURCE=snapshot FORMAT=blocks ARCHIVE_COMPRESSION=gzip
  SKIP_HEAD=false KEEP_DAYS="" KEEP_LAST="" KEEP_HOURLY="" KEEP_DAILY="" KEEP_WEEKLY="" KEEP_MONTHLY="" KEEP_YEARLY=""
  KEEP_MINIMUM=3 ORPHAN_GRACE_HOURS=48 EXPECTED_INTERVAL_SECONDS=86400 DRILL_INTERVAL_SECONDS="" \
    DURATION_LIMIT_SECONDS="" ADMIN_API_EXPOSURE=loopback SHRINK_PERCENT=50 NEW_HOST=false TEXTFILE_DIR=""
  SNAPSHOT_TIMEOUT_SECONDS=3600 TRANSFER_TIMEOUT_SECONDS=7200 API_TIMEOUT_SECONDS=10 READY_TIMEOUT_SECONDS=900
  IDLE_TIMEOUT_SECONDS=60
  PARALLEL=2 COMPRESSION_LEVEL=2 BANDWIDTH_LIMIT="" NICE=10 IONICE_CLASS=2 IONICE_LEVEL=7 REPOSITORY_COUNT=0
  RCLONE_CONFIG_FILE=/etc/prometheus-backup/rclone.conf HEARTBEAT_URL_FILE="" COMPANIONS=true \
    STATE_DIR=/var/lib/prometheus-backup STAGE_OWNER=""
}

# check_config_values: adds one line to CONFIG_PROBLEMS for each value that cannot work.
check_config_values() {
  local name
  if [[ ! $HOST_NAME =~ $HOST_PATTERN ]]; then
    CONFIG_PROBLEMS+=("HOST_NAME must be lower-case letters, digits, dots and dashes: it is a folder of every repository")
  fi
  require_choice SOURCE snapshot hot cold
  require_choice FORMAT blocks archive
  require_choice SCHEDULER cron systemd
  require_choice ARCHIVE_COMPRESSION gzip zstd
  require_choice SKIP_HEAD true false
  require_choice NEW_HOST true false
  require_choice COMPANIONS true false
  require_choice ADMIN_API_EXPOSURE loopback reverse-proxy accept-public
  for name in KEEP_MINIMUM ORPHAN_GRACE_HOURS EXPECTED_INTERVAL_SECONDS SHRINK_PERCENT SNAPSHOT_TIMEOUT_SECONDS \
    TRANSFER_TIMEOUT_SECONDS IDLE_TIMEOUT_SECONDS API_TIMEOUT_SECONDS READY_TIMEOUT_SECONDS PARALLEL COMPRESSION_LEVEL \
    NICE IONICE_CLASS \
    IONICE_LEVEL REPOSITORY_COUNT; do
    if [[ ! ${!name} =~ ^[0-9]{1,9}$ ]]; then CONFIG_PROBLEMS+=("$name must be a whole number"); fi
  done
  for name in KEEP_DAYS KEEP_LAST KEEP_HOURLY KEEP_DAILY KEEP_WEEKLY KEEP_MONTHLY KEEP_YEARLY; do
    if [[ ! ${!name} =~ ^([1-9][0-9]{0,5})?$ ]]; then
      CONFIG_PROBLEMS+=("$name must be a whole number above 0, or empty")
    fi
  done
  for name in DRILL_INTERVAL_SECONDS DURATION_LIMIT_SECONDS; do
    if [[ ! ${!name} =~ ^[0-9]{0,9}$ ]]; then CONFIG_PROBLEMS+=("$name must be a whole number, or empty"); fi
  done
  if [[ ! $PROMETHEUS_URL =~ ^https?://[^[:space:]]+$ ]]; then
    CONFIG_PROBLEMS+=("PROMETHEUS_URL must begin with http:// or https://")
  fi
  if [[ -n $TEXTFILE_DIR && $TEXTFILE_DIR != /* ]]; then CONFIG_PROBLEMS+=("TEXTFILE_DIR must be an absolute path"); fi
  if [[ -n $DATA_DIR && $DATA_DIR != /* ]]; then CONFIG_PROBLEMS+=("DATA_DIR must be an absolute path"); fi
  if [[ $STATE_DIR != /* ]]; then CONFIG_PROBLEMS+=("STATE_DIR must be an absolute path"); fi
}

# require_choice NAME VALUE...: the setting NAME must be one of the values.
require_choice() {
  local name=$1 value
  shift
  for value in "$@"; do
    if [[ ${!name} == "$value" ]]; then return 0; fi
  done
  CONFIG_PROBLEMS+=("$name must be one of: $*")
}

# load_repositories: fills REPOSITORY_NAMES, _TYPES, _LOCATIONS, _PRUNES and _PROOFS, in the order of the configuration.
load_repositories() {
  local index name type location prune proof
  REPOSITORY_NAMES=() REPOSITORY_TYPES=() REPOSITORY_LOCATIONS=() REPOSITORY_PRUNES=() REPOSITORY_PROOFS=()
  if (( ${#CONFIG_PROBLEMS[@]} > 0 )); then return 0; fi
  if (( REPOSITORY_COUNT < 1 )); then
    CONFIG_PROBLEMS+=("REPOSITORY_COUNT must be at least 1: there is nowhere to put a backup")
  fi
  for (( index = 1; index <= REPOSITORY_COUNT; index++ )); do
    name="REPOSITORY_${index}_NAME" type="REPOSITORY_${index}_TYPE" location="REPOSITORY_${index}_LOCATION" \
      prune="REPOSITORY_${index}_PRUNE"
    name="${!name:-}" type="${!type:-}" location="${!location:-}" prune="${!prune:-true}"
    proof="REPOSITORY_${index}_PROOF" && proof="${!proof:-required}"
    if [[ ! $name =~ $REPOSITORY_PATTERN ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_NAME must be lower-case letters, digits and dashes")
    fi
    if [[ $type == path && $location != /* ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_LOCATION must be an absolute path")
    fi
    if [[ $type == rclone && $location != *:* ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_LOCATION must be REMOTE:BUCKET")
    fi
    if [[ $type != path && $type != rclone ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_TYPE must be path or rclone")
    fi
    if [[ $prune != true && $prune != false ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_PRUNE must be true or false")
    fi
    if [[ $proof != required && $proof != warn ]]; then
      CONFIG_PROBLEMS+=("REPOSITORY_${index}_PROOF must be required or warn")
    fi
    REPOSITORY_NAMES+=("$name") REPOSITORY_TYPES+=("$type") REPOSITORY_LOCATIONS+=("${location%/}") \
      REPOSITORY_PRUNES+=("$prune") REPOSITORY_PROOFS+=("$proof")
  done
}

# require_tools: every program that the commands need, checked before the first effect.
require_tools() {
  local tool missing=()
  for tool in awk base64 curl find flock jq mktemp openssl sort stat tar timeout zstd; do
    if ! command -v "$tool" >/dev/null 2>&1; then missing+=("$tool"); fi
  done
  if [[ " ${REPOSITORY_TYPES[*]} " == *" rclone "* ]] && ! command -v rclone >/dev/null 2>&1; then missing+=(rclone); fi
  if (( ${#missing[@]} > 0 )); then
    die "$EXIT_CONFIGURATION" "this host lacks ${missing[*]}" \
      "run 'pulumi up', which installs the packages, or install them by hand"
  fi
}

# clean_environment: settings of the caller's shell must not change what tools do (rclone 1.60 fails on AWS_CA_BUNDLE).
clean_environment() {
  unset AWS_CA_BUNDLE CURL_CA_BUNDLE TAR_OPTIONS GZIP ZSTD_CLEVEL ZSTD_NBTHREADS
  export XDG_CACHE_HOME="$STATE_DIR/cache"
  # With --at the caller's own identity is the one that counts.
  if [[ -n ${LOCATION:-} ]]; then return 0; fi
  unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
  export HOME="$STATE_DIR"
}

# as_user USER:GROUP COMMAND...: root runs COMMAND with the rights of that user and no way back to its own; everybody
# else as themselves. A user that is only a number has no further groups. From the root directory, since that user may
# not be where root was called.
as_user() {
  local user=${1%:*} group=${1#*:} groups=--clear-groups
  shift
  if (( EUID != 0 )) || [[ $user == 0 || $user == root ]]; then "$@"; return $?; fi
  if [[ ! $user =~ ^[0-9]+$ ]] || getent passwd "$user" >/dev/null; then groups=--init-groups; fi
  ( cd / && exec setpriv --reuid "$user" --regid "$group" "$groups" --no-new-privs --inh-caps=-all -- "$@" )
}

# as_backup_user COMMAND...: root runs COMMAND as the backup user.
as_backup_user() {
  local group
  if (( EUID != 0 )) || [[ $BACKUP_USER == root ]] || ! group="$(id -g -- "$BACKUP_USER" 2>/dev/null)"; then
    "$@"
    return $?
  fi
  HOME="${BACKUP_STATE:-$STATE_DIR}" XDG_CACHE_HOME="${BACKUP_STATE:-$STATE_DIR}/cache" as_user "$BACKUP_USER:$group" \
    "$@"
}

# as_owner COMMAND...: COMMAND as the user to whom the data belong that are restored, held or linked (STAGE_OWNER,
# "user:group"; empty: as whoever runs this). That user can do all of it in its own directories, and root, who would
# follow what lies there, does nothing.
as_owner() { if [[ -z ${STAGE_OWNER:-} ]]; then "$@"; else as_user "$STAGE_OWNER" "$@"; fi; }

# own_data: root links and removes links in the data directory as the user to whom it belongs.
own_data() { if (( EUID == 0 )); then STAGE_OWNER="$(stat --dereference --format %u:%g -- "$DATA_DIRECTORY")"; fi; }

# become_backup_user ARG...: root hands over to the backup user, so that no command leaves root's files in its state.
become_backup_user() {
  local wanted
  wanted="$(id -u -- "$BACKUP_USER" 2>/dev/null)" ||
    die "$EXIT_CONFIGURATION" "the user '$BACKUP_USER' does not exist on this host" \
      "set prometheus.user to the user of the Prometheus unit"
  if (( EUID == wanted )); then return 0; fi
  if (( EUID != 0 )); then
    die "$EXIT_CONFIGURATION" "this command runs as '$BACKUP_USER' or root, not as '$(id -un)'" "$(as_root)"
  fi
  exec setpriv --reuid "$BACKUP_USER" --regid "$(id -g -- "$BACKUP_USER")" --init-groups \
    --inh-caps=-all -- "$BASH" "$0" "$@"
}
