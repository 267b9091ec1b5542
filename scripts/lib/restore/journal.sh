# shellcheck shell=bash
# The journal of a restore: what a switch has done so far, and where. Every step is written down before it is taken.

# journal_value KEY: from the journal; nothing if it is not there.
journal_value() { sed --quiet "s/^$1=//p" "$JOURNAL" 2>/dev/null || true; }

# read_journal: what the restore wrote down, into the variables that it used itself.
read_journal() {
  PHASE="$(journal_value phase)" BACKUP="$(journal_value backup)" DATA_DIRECTORY="$(journal_value data)" \
    STAGING="$(journal_value staging)"
  ASIDE="$(journal_value aside)" PROMETHEUS_UNIT="$(journal_value unit)" UNIT_KNOWN="$(journal_value unit_known)"
  WAS_RUNNING="$(journal_value was_running)" CREATED="$(journal_value created)" \
    READY_TIMEOUT_SECONDS="$(journal_value ready_timeout)"
  PROMETHEUS_URL="$(journal_value url)" API_CURL_CONFIG="$(journal_value api_curl_config)" \
    UNIT_PID="$(journal_value pid)"
  UNIT_PID=${UNIT_PID:-0} STAGE_OWNER="$(journal_value owner)"
  # Numbers that are none must not keep the data from coming back.
  if [[ ! $READY_TIMEOUT_SECONDS =~ ^[0-9]{1,9}$ ]]; then READY_TIMEOUT_SECONDS=900; fi
  if [[ ! $UNIT_PID =~ ^[0-9]{1,9}$ ]]; then UNIT_PID=0; fi
  if [[ $DATA_DIRECTORY != /?* || $STAGING != /?* || $ASIDE != /?* ]]; then
    die "$EXIT_UNEXPECTED" "$JOURNAL is damaged" "look at it by hand"
  fi
}

# set_phase PHASE: the journal, on disk before the step begins. False, with the old one in its place, if there is no
# room.
set_phase() {
  printf '%s\n' "phase=$1" "unit=$PROMETHEUS_UNIT" "unit_known=$UNIT_KNOWN" "data=$DATA_DIRECTORY" "staging=$STAGING" \
    "aside=$ASIDE" \
    "was_running=$WAS_RUNNING" "created=$CREATED" "backup=$BACKUP" "ready_timeout=$READY_TIMEOUT_SECONDS" \
    "url=$PROMETHEUS_URL" "pid=$UNIT_PID" \
    "api_curl_config=$API_CURL_CONFIG" "owner=$STAGE_OWNER" >"$JOURNAL.new" || return 1
  sync -- "$JOURNAL.new" && mv -fT -- "$JOURNAL.new" "$JOURNAL" && sync -- "${JOURNAL%/*}" || return 1
  PHASE=$1
}
