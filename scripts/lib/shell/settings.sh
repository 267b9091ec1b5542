# shellcheck shell=bash
# The settings of this host: read once, checked as a whole before any work. keys.sh has their names and forms.

CONFIG_PROBLEMS=()  # a line each

# user:group of the data that are restored, held or linked; empty where that is whoever runs this.
STAGE_OWNER=""

# load_config: reads CONFIG_FILE and sets one variable a setting. Ends with 3 and every problem at once.
load_config() {
  CONFIG_PROBLEMS=()
  check_config_file
  check_config_keys
  set_config_defaults
  # The host step that prepared the directory says which one it found; a setting in the file wins.
  if [[ -r ${CONFIG_FILE%/*}/textfile-directory ]]; then TEXTFILE_DIR="$(<"${CONFIG_FILE%/*}/textfile-directory")"; fi
  if (( ${#CONFIG_PROBLEMS[@]} == 0 )); then
    # shellcheck source=/dev/null
    source "$CONFIG_FILE"
    check_config_forms
    load_repositories
  fi
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

# check_config_keys: adds one line to CONFIG_PROBLEMS for what is not KEY='value', and for each key that this version
# does not know. A value may have several lines. What is not there has its default.
check_config_keys() {
  local text taken name number=1 known=" ${CONFIG_KEYS[*]} " end=$'\n'
  local value="('[^']*'|\"[^\"\$\`\\\\]*\"|\\\\'|[A-Za-z0-9_./:@%+,=-])*"
  local note="^[[:blank:]]*(#[^$end]*)?$end" setting="^([A-Z][A-Z0-9_]*)=$value$end"
  text="$(<"$CONFIG_FILE")$end"
  while [[ -n $text ]]; do
    if [[ $text =~ $note ]]; then taken=${BASH_REMATCH[0]}
    elif [[ $text =~ $setting ]]; then
      taken=${BASH_REMATCH[0]} name=${BASH_REMATCH[1]}
      if [[ $known != *" $name "* && ! $name =~ ^REPOSITORY_[1-9][0-9]{0,2}_(NAME|TYPE|LOCATION|PRUNE|PROOF)$ ]]; then
        CONFIG_PROBLEMS+=("$name is no setting of this version")
      fi
    else
      CONFIG_PROBLEMS+=("line $number must be a setting, KEY='value'")
      taken="${text%%"$end"*}$end"
    fi
    text=${text:${#taken}} taken=${taken//[!$end]/}
    number=$(( number + ${#taken} ))
  done
}

# require_FORM NAME: the setting NAME must have this form, or CONFIG_PROBLEMS gets a line; for check_config_forms. An
# optional one may be empty.
require_host() {
  if [[ ! ${!1} =~ $HOST_PATTERN ]]; then
    CONFIG_PROBLEMS+=("$1 must be lower-case letters, digits, dots and dashes: it is a folder of every repository")
  fi
}
require_url() {
  if [[ ! ${!1} =~ ^https?://[^[:space:]]+$ ]]; then CONFIG_PROBLEMS+=("$1 must begin with http:// or https://"); fi
}
require_path() { if [[ ${!1} != /* ]]; then CONFIG_PROBLEMS+=("$1 must be an absolute path"); fi; }
require_optional_path() { if [[ -n ${!1} ]]; then require_path "$1"; fi; }
require_whole() {
  if [[ ! ${!1} =~ ^(0|[1-9][0-9]{0,8})$ ]]; then CONFIG_PROBLEMS+=("$1 must be a whole number"); fi
}
require_optional_whole() {
  if [[ ! ${!1} =~ ^(0|[1-9][0-9]{0,8})?$ ]]; then CONFIG_PROBLEMS+=("$1 must be a whole number, or empty"); fi
}
require_optional_count() {
  if [[ ! ${!1} =~ ^([1-9][0-9]{0,8})?$ ]]; then CONFIG_PROBLEMS+=("$1 must be a whole number above 0, or empty"); fi
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
  if [[ -n $LOCATION ]]; then return 0; fi
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
as_owner() { if [[ -z $STAGE_OWNER ]]; then "$@"; else as_user "$STAGE_OWNER" "$@"; fi; }

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
