# shellcheck shell=bash
# Where the data of a server belong, and what its retention will do: from the server if it answers, else from what is
# left of it.

# How the server runs (unit|elsewhere|stopped), and what has named the data directory.
SERVER_STATE="" FACTS_FROM=""

# read_server_facts: sets DATA_DIRECTORY, SERVER_VERSION, RETENTION_TIME, RETENTION_SIZE, SERVER_STATE
# (unit|elsewhere|stopped) and FACTS_FROM. Ends with 3 if nothing tells where the data belong, with 12 if two sources
# disagree or a masked unit might tell it.
read_server_facts() {
  local arguments="$SCRATCH/arguments" unit_path
  read_unit
  unit_arguments >"$arguments"
  unit_path="$(unit_data_directory "$arguments")"
  DATA_DIRECTORY="" SERVER_VERSION="" RETENTION_TIME="" RETENTION_SIZE="" ADMIN_API="" FACTS_FROM=""
  api GET /-/ready
  if [[ $API_STATUS == 200 ]]; then
    require_server
    read_server
    FACTS_FROM="the running server"
    SERVER_STATE=elsewhere
    if [[ $UNIT_RUNS == true ]]; then SERVER_STATE=unit; fi
  else
    SERVER_STATE=stopped
    if [[ $UNIT_RUNS == true ]]; then SERVER_STATE=unit; require_askable; fi
    facts_of_dead_server "$arguments" "$unit_path"
  fi
  DATA_DIRECTORY="$(realpath --canonicalize-missing -- "$DATA_DIRECTORY")"
  if [[ $DATA_DIRECTORY == / || $DATA_DIRECTORY == *$'\n'* ]]; then
    die "$EXIT_REFUSED" "the data directory '$DATA_DIRECTORY' cannot be right" \
      "set prometheus.dataDirectory in this host's configuration"
  fi
  if [[ -e $DATA_DIRECTORY && ! -d $DATA_DIRECTORY ]]; then
    die "$EXIT_REFUSED" "$DATA_DIRECTORY is not a directory" "look at it, and move it away by hand"
  fi
  confirm_data_directory "$unit_path"
  STAGE_OWNER="$(data_owner)"
}

# require_askable: ends with 4 if the server runs and answers something from which nobody would ever learn that it is
# ready: what is restored to it would be taken back.
require_askable() {
  explain_server
  if [[ -z $FAULT ]]; then return 0; fi
  die "$EXIT_SERVER" "Prometheus at $PROMETHEUS_URL $FAULT, so a restore could not see that it works; nothing was touched" "${REMEDY,}"
}

# confirm_data_directory FROM-UNIT: what only the server, its last answer or a backup says is not enough for root to
# make, move or give away anything: sets CONFIRMED, whether the settings or the unit say it too. Ends with 12 if the
# unit says otherwise, or if it would be root's.
confirm_data_directory() {
  CONFIRMED=true
  if [[ -n $DATA_DIR ]]; then return 0; fi
  if [[ -n $1 ]]; then
    if [[ "$(realpath --canonicalize-missing -- "$1")" == "$DATA_DIRECTORY" ]]; then return 0; fi
    die "$EXIT_REFUSED" "by $FACTS_FROM the data are in $DATA_DIRECTORY, but the unit $PROMETHEUS_UNIT says $1" \
      "restart the server if its unit was changed, or set prometheus.unit or prometheus.dataDirectory to the right one"
  fi
  CONFIRMED=false
  if [[ -d $DATA_DIRECTORY && "$(stat --format %u -- "$DATA_DIRECTORY")" == 0 ]]; then
    die "$EXIT_REFUSED" "by $FACTS_FROM the data are in $DATA_DIRECTORY, which belongs to root, and neither the settings nor the unit $PROMETHEUS_UNIT say so" \
      "set prometheus.dataDirectory in this host's configuration if that is right"
  fi
}

# facts_of_dead_server ARGUMENTS FROM-UNIT: the settings win, then the unit, then what the server said when it last
# answered, then the backup.
facts_of_dead_server() {
  local arguments=$1 unit_path=$2 saved="$BACKUP_STATE/server.json" saved_path
  # Backup runs and restores each keep their own; the newer one counts.
  if [[ $STATE_DIR/server.json -nt $saved ]]; then saved="$STATE_DIR/server.json"; fi
  take_note server "$saved" >"$SCRATCH/server.json" || : >"$SCRATCH/server.json"
  saved="$SCRATCH/server.json"
  saved_path="$(jq --raw-output .dataDirectory "$saved")"
  RETENTION_TIME="$(argument_value storage.tsdb.retention.time "$arguments")"
  RETENTION_SIZE="$(argument_value storage.tsdb.retention.size "$arguments")"
  if [[ ! $RETENTION_TIME =~ [1-9] ]]; then RETENTION_TIME="$(jq --raw-output .retentionTime "$saved")"; fi
  if [[ ! $RETENTION_SIZE =~ [1-9] ]]; then RETENTION_SIZE="$(jq --raw-output .retentionSize "$saved")"; fi
  if [[ ! $RETENTION_TIME$RETENTION_SIZE =~ [1-9] && $RESTORE_HOST == "$HOST_NAME" ]]; then
    RETENTION_TIME="$(jq --raw-output .prometheus.retentionTime "$MANIFEST")" \
      RETENTION_SIZE="$(jq --raw-output .prometheus.retentionSize "$MANIFEST")"
  fi
  # What Prometheus does when nobody says anything.
  if [[ ! $RETENTION_TIME$RETENTION_SIZE =~ [1-9] ]]; then RETENTION_TIME=15d; fi
  choose_data_directory "$unit_path" "$saved_path"
  SERVER_VERSION="$(packaged_version "$(unit_program)")"
  if [[ -z $SERVER_VERSION ]]; then SERVER_VERSION="$(jq --raw-output .version "$saved")"; fi
  if [[ -n $SERVER_VERSION ]] && ! version_at_least "$SERVER_VERSION" "$OLDEST_SERVER"; then
    die "$EXIT_REFUSED" "Prometheus $SERVER_VERSION is too old: before $OLDEST_SERVER overlapping or restored blocks stop the server" "upgrade Prometheus first"
  fi
}

# choose_data_directory FROM-UNIT FROM-STATE: sets DATA_DIRECTORY and FACTS_FROM.
choose_data_directory() {
  if [[ -n $DATA_DIR ]]; then
    DATA_DIRECTORY="${DATA_DIR%/}" FACTS_FROM="prometheus.dataDirectory in the settings"
  elif [[ -n $1 && -n $2 &&
    "$(realpath --canonicalize-missing -- "$1")" != "$(realpath --canonicalize-missing -- "$2")" ]]; then
    die "$EXIT_REFUSED" "the server does not answer, its unit says that the data belong to $1, and when it last answered they were in $2" \
      "set prometheus.dataDirectory in this host's configuration to the right one"
  elif [[ -n $1 ]]; then
    DATA_DIRECTORY=$1 FACTS_FROM="the unit $PROMETHEUS_UNIT"
  elif [[ $2 == /* ]]; then
    DATA_DIRECTORY=$2 FACTS_FROM="the server's last answer"
  elif [[ $RESTORE_HOST == "$HOST_NAME" && "$(jq --raw-output .prometheus.dataDirectory "$MANIFEST")" == /* ]]; then
    DATA_DIRECTORY="$(jq --raw-output .prometheus.dataDirectory "$MANIFEST")" FACTS_FROM="the backup"
  elif [[ $UNIT_LOAD == masked ]]; then
    die "$EXIT_REFUSED" "the server does not answer, and $PROMETHEUS_UNIT is masked, so it tells nothing about the data and cannot be started" \
      "run: systemctl unmask $PROMETHEUS_UNIT"
  else
    die "$EXIT_CONFIGURATION" \
      "the server does not answer, and neither $PROMETHEUS_UNIT nor $BACKUP_STATE tells where its data belong" \
      "set prometheus.dataDirectory in this host's configuration, or restore with --target DIR"
  fi
}

# require_stoppable: a full restore stops the server, so it must run under the unit or not at all; ends with 12
# otherwise.
require_stoppable() {
  if [[ $SERVER_STATE == elsewhere ]]; then
    die "$EXIT_REFUSED" "a server answers at $PROMETHEUS_URL, but not as $PROMETHEUS_UNIT, so it cannot be stopped" \
      "set prometheus.unit to its unit, stop it by hand, or use --merge or --target DIR"
  fi
  if [[ $SERVER_STATE == unit && $UNIT_CAN_STOP == false ]]; then
    die "$EXIT_REFUSED" "$PROMETHEUS_UNIT refuses to be stopped (RefuseManualStop)" \
      "take that out of the unit, or use --merge or --target DIR"
  fi
  require_no_others
}

# require_no_others: nobody but the unit may have files of the data directory open; ends with 12 otherwise. Of a unit
# that systemd does not know, as a masked one, a process may live on all the same, and nobody can stop it.
require_no_others() {
  local others which=""
  if [[ $UNIT_KNOWN == false ]]; then which=all; fi
  others="$(processes_below "$DATA_DIRECTORY" "$which" | sed --quiet '1,3 { s/\t/ (/; s/$/)/; p }' | tr '\n' ' ')"
  if [[ -n $others ]]; then
    die "$EXIT_REFUSED" "another process has files in $DATA_DIRECTORY open: pid ${others% }" \
      "stop it first; nothing was touched"
  fi
}

# data_owner: "user:group" for restored files: the unit's, else that of the data directory, else the backup user. An
# owner need not have a name on this host. The group of such a unit is that of the data directory, or has the user's
# number. A unit of root's may start its server as somebody else, an init script for instance: whoever has the data
# directory is that one, and the server could not delete what is root's.
data_owner() {
  local group="$UNIT_GROUP"
  if [[ $UNIT_KNOWN == true && ( $UNIT_USER != root || ! -d $DATA_DIRECTORY ) ]]; then
    if [[ -z $group && -d $DATA_DIRECTORY ]]; then group="$(stat --format %g -- "$DATA_DIRECTORY")"; fi
    printf '%s:%s' "$UNIT_USER" "${group:-$UNIT_USER}"
  elif [[ -d $DATA_DIRECTORY ]]; then stat --format %u:%g -- "$DATA_DIRECTORY"
  else printf '%s:%s' "$BACKUP_USER" "$(id --group -- "$BACKUP_USER")"; fi
}
