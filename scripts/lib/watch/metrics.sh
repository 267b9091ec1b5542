# shellcheck shell=bash
# The metrics of this host: kept in the state directory, written whole and atomically to node_exporter's textfile
# directory.

declare -gA CHANGED_METRICS=()  # those of METRICS that this command has set

declare -gA METRICS=()   # of read_metrics and set_metric: "name" or "name|label=value" to value

# metric_table: name, help. Base units; the same HELP in every version, since two differing ones make a series vanish.
metric_table() {
  cat <<'TABLE'
last_success_timestamp_seconds	End of the last complete backup in every repository.
last_run_timestamp_seconds	End of the last run, whatever its result.
last_exit_code	Exit code of the last run (docs/exit-codes.md).
last_duration_seconds	Duration of the last run.
last_stage_duration_seconds	Duration of each stage of the last run.
expected_interval_seconds	Largest gap between two runs of the schedule.
duration_limit_seconds	Duration above which a run is too slow.
newest_sample_timestamp_seconds	Time of the newest sample in the newest complete backup.
oldest_sample_timestamp_seconds	Time of the oldest sample in the newest complete backup.
size_bytes	Size in the repository of all that the newest backup needs.
uploaded_bytes	Bytes that the last run sent.
blocks	Blocks that the newest backup names.
samples	Samples that the newest backup holds.
suspect_below_ratio	Share of the largest recent backup below which the newest is suspicious.
suspect	1 if the newest backup is far smaller than the one before.
damaged_blocks	Blocks of the server that the last run found damaged.
lost_blocks	Blocks of an earlier good backup that the server has no more without a reason.
future_blocks	Blocks of the newest backup that hold samples from the future.
leftover_snapshots	Snapshots in the server's data directory after the run.
leftover_snapshots_bytes	Size of these snapshots, blocks that the server still uses included.
downtime_seconds	How long the last cold backup or restore kept the server down.
admin_api_enabled	1 if the server's admin API was on in the last run.
admin_api_exposed	1 if it was on while the server listened on more than loopback, and nobody has accepted that.
repository_last_success_timestamp_seconds	End of the last complete backup in this repository.
repository_last_exit_code	Exit code of the last run for this repository.
repository_damaged_backups	Backups in this repository whose manifest the last run found damaged.
repository_future_backups	Backups in this repository that are dated in the future.
verify_last_success_timestamp_seconds	End of the last verification or drill without a fault.
verify_last_exit_code	Exit code of the last verification or drill.
drill_interval_seconds	Largest gap between two drills of their schedule.
drill_scheduled_since_timestamp_seconds	When the schedule of drills was first seen.
drill_last_success_timestamp_seconds	End of the last drill without a fault.
drill_restore_seconds	Duration of the restore in the last drill.
restore_bytes_per_second	Bytes a second of the last download from this repository by restore or drill.
build_info	Always 1; the version of this tool as a label.
TABLE
}

# load_metrics: reads the values of earlier commands into METRICS ("name" or "name|label=value" -> value).
# CHANGED_METRICS are those that this command sets.
load_metrics() {
  CHANGED_METRICS=()
  read_metrics || warn_of_note "$STATE_DIR/metrics.state"
}

# is_metric KEY VALUE: what the state file may hold. Times are whole seconds that a date can hold; those of samples may
# lie before 1970.
is_metric() {
  local form='(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?'
  case "$1" in
    *_sample_timestamp_seconds) form='-?(0|[1-9][0-9]{0,11})' ;;
    *_timestamp_seconds*) form='(0|[1-9][0-9]{0,10})' ;;
    *_exit_code*) form='(0|[1-9][0-9]{0,2})' ;;
  esac
  [[ $1 =~ ^[a-z_]{1,64}(\|(stage|repository)=[a-z][a-z0-9-]{0,31})?$ && $2 =~ ^$form$ ]]
}

# read_metrics: METRICS as the state file has them now, of what has its form. False if there is anything else; samples
# may be from any time.
read_metrics() {
  local key value status=0
  METRICS=()
  if [[ ! -e $STATE_DIR/metrics.state && ! -L $STATE_DIR/metrics.state ]]; then return 0; fi
  is_note "$STATE_DIR/metrics.state" || return 1
  while IFS=$'\t' read -r key value; do
    if is_metric "$key" "$value"; then METRICS[$key]=$value
    elif [[ $key != *_sample_timestamp_seconds ]]; then status=1; fi
  done < <(read_plain "$STATE_DIR/metrics.state")
  return "$status"
}

# set_metric NAME VALUE [LABEL=VALUE]: label values are ours (stage, repository), so they need no escapes.
set_metric() {
  local key=$1
  if [[ -n ${3:-} ]]; then key="$1|$3"; fi
  METRICS[$key]=$2
  CHANGED_METRICS[$key]=$2
}

# store_metrics: writes the state file and the textfile. False (with a warning) if that fails; never ends the command. A
# drill may have ended while a run was at work, or the other way round: of what the other one stored, only what this
# command set itself is replaced.
store_metrics() {
  local lock key status=0
  if ! { exec {lock}>>"$STATE_DIR/metrics.lock"; } 2>/dev/null; then lock=""; fi
  if [[ -n $lock ]]; then flock --timeout 10 "$lock" || true; fi
  read_metrics || true
  for key in "${!CHANGED_METRICS[@]}"; do METRICS[$key]=${CHANGED_METRICS[$key]}; done
  write_metrics || status=$?
  if [[ -n $lock ]]; then exec {lock}>&-; fi
  return "$status"
}

# write_metrics: METRICS, with what the settings say, to both files; as store_metrics.
write_metrics() {
  state_expectations
  forget_repositories
  set_metric build_info 1
  if ! keep_metrics 2>/dev/null; then
    rm -f -- "$STATE_DIR/metrics.state.new"
    warn "the metrics could not be kept in $STATE_DIR"
  fi
  if [[ -z $TEXTFILE_DIR ]]; then return 0; fi
  if ! write_textfile; then
    warn "the metrics could not be written to $TEXTFILE_DIR; node_exporter serves the old ones"
    return 1
  fi
}

# state_expectations: what the settings say should happen, so that rules on any server know it of every host.
state_expectations() {
  local limit=$DURATION_LIMIT_SECONDS
  if [[ -z $limit ]]; then limit=$(( EXPECTED_INTERVAL_SECONDS / 2 < 1800 ? EXPECTED_INTERVAL_SECONDS / 2 : 1800 )); fi
  set_metric expected_interval_seconds "$EXPECTED_INTERVAL_SECONDS"
  set_metric duration_limit_seconds "$limit"
  set_metric suspect_below_ratio "$(printf '%d.%02d' $(( SHRINK_PERCENT / 100 )) $(( SHRINK_PERCENT % 100 )))"
  if [[ -z $DRILL_INTERVAL_SECONDS ]]; then
    unset "METRICS[drill_interval_seconds]" "METRICS[drill_scheduled_since_timestamp_seconds]"
    return 0
  fi
  set_metric drill_interval_seconds "$DRILL_INTERVAL_SECONDS"
  if [[ ! -v METRICS[drill_scheduled_since_timestamp_seconds] ]]; then
    set_metric drill_scheduled_since_timestamp_seconds "$EPOCHSECONDS"
  fi
}

# forget_repositories: values of repositories that have left the settings would grow old for ever.
forget_repositories() {
  local key
  for key in "${!METRICS[@]}"; do
    if [[ $key == *"|repository="* && " ${REPOSITORY_NAMES[*]} " != *" ${key##*=} "* ]]; then
      # shellcheck disable=SC2016  # expanded here, it would be expanded once more, and executed
      unset 'METRICS[$key]'
    fi
  done
}

# keep_metrics: the state file, whole or not at all.
keep_metrics() {
  local key
  for key in "${!METRICS[@]}"; do
    printf '%s\t%s\n' "$key" "${METRICS[$key]}"
  done | sort >"$STATE_DIR/metrics.state.new" || return 1
  mv -fT -- "$STATE_DIR/metrics.state.new" "$STATE_DIR/metrics.state"
}

# write_textfile: one rename, readable by node_exporter; the temporary name must not end in .prom, or it is read
# half-written.
write_textfile() {
  local target="$TEXTFILE_DIR/prometheus_backup.prom" temp old
  temp="$target.$$"
  # Of commands that were killed while they wrote here.
  for old in "$target".[0-9]*; do
    if [[ -e $old ]] && ! still_runs "${old##*.}"; then rm -f -- "$old" 2>/dev/null || true; fi
  done
  if ! { render_metrics >"$temp"; } 2>/dev/null; then rm -f -- "$temp" 2>/dev/null; return 1; fi
  if chmod 0644 -- "$temp" && mv -fT -- "$temp" "$target"; then return 0; fi
  rm -f -- "$temp"
  return 1
}

# render_metrics: the exposition format. No timestamps: one would make node_exporter refuse the whole file.
render_metrics() {
  local name help key label labels lines common
  common="host=\"$HOST_NAME\",environment=\"$(escape_label "$ENVIRONMENT")\""
  while IFS=$'\t' read -r name help; do
    lines=""
    for key in "${!METRICS[@]}"; do
      if [[ ${key%%|*} != "$name" ]]; then continue; fi
      labels="$common"
      # Label values of METRICS are ours (stage, repository): letters, digits and dashes.
      if [[ $key == *"|"* ]]; then label=${key#*|}; labels+=",${label%%=*}=\"${label#*=}\""; fi
      if [[ $name == build_info ]]; then labels+=",version=\"$TOOL_VERSION\""; fi
      lines+="prometheus_backup_$name{$labels} ${METRICS[$key]}"$'\n'
    done
    if [[ -n $lines ]]; then
      printf '# HELP prometheus_backup_%s %s\n# TYPE prometheus_backup_%s gauge\n%s' "$name" "$help" "$name" "$lines"
    fi
  done < <(metric_table)
}

# escape_label TEXT: backslash, quote and newline as the exposition format wants them.
escape_label() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '%s' "${text//$'\n'/\\n}"
}

# last_success_in_words: for error messages. The metrics of a host that was set up anew know less than its repositories.
last_success_in_words() {
  local last=${METRICS[last_success_timestamp_seconds]:-0} now
  printf -v now '%(%s)T' -1
  if [[ $last == 0 ]]; then printf 'no good backup is known to this host (see: prometheus-backup.sh list)'; return 0; fi
  printf 'the last good backup is %s old' "$(human_seconds $(( now - last )))"
}

# note_metrics NAME VALUE [LABEL=VALUE]: adds to the metrics of this host, as the user they belong to. Never ends the
# command.
note_metrics() {
  if [[ ! -d $BACKUP_STATE || -n $LOCATION ]]; then return 0; fi
  "$BASH" "$(self_path)" note-metrics "$@" || warn "the metrics of this $COMMAND could not be kept"
}
