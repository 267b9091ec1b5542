# shellcheck shell=bash
# The drill: proof that a backup comes back. Restored to scratch, served by a throw-away server, every block read to its
# last sample.

# What was asked for: the directory, N/T or T, the part N of T, the turn to remember when it has succeeded.
DRILL_DIRECTORY="" DRILL_SAMPLE="" DRILL_PART="" DRILL_TURN=""
DRILL_RESTORE_MS=""  # how long the restore took
# Of read_expectations, by block: whether counts may differ, and in how many chunks the samples lie.
declare -gA MAY_LACK=() MAY_EXCEED=() BLOCK_CHUNKS=()
# Of check_samples: what is wrong, what could not be compared, what the server counts.
DRILL_ERROR="" DRILL_NOTE="" COUNTED=""

# command_drill [BACKUP|latest] [--sample N/T | T] [--repository NAME] [--directory DIR]: ends with 9 and names the
# block if one is not as the manifest says.
command_drill() {
  local started
  parse_drill_options "$@"
  BACKUP_STATE="$STATE_DIR"
  open_state
  load_metrics
  require_tools
  be_gentle
  read_unit
  require_server_program
  CLEANUP_HOOKS+=(record_drill)
  resolve_backup "$WANTED"
  select_blocks
  print_at_end drill_document
  choose_part
  require_selected_objects
  choose_drill_place drill
  require_drill_space "$DRILL_PLACE"
  say "Drill of backup $BACKUP from $REPOSITORY: $(blocks_text ${#B_ULID[@]}), $(human_bytes "$(sum "${B_BYTES[@]}")")$DRILL_PART"
  started=${EPOCHREALTIME/./}
  fetch_selected "$DRILL_PLACE"
  rm -f -- "$DRILL_PLACE/digest"
  start_scratch_server "$DRILL_PLACE" ||
    die "$EXIT_VERIFICATION" "a server does not start on the restored blocks ($SCRATCH_ERROR)" \
      "choose another backup: $(as_typed list "$HOST_NAME")"
  DRILL_RESTORE_MS=$(( (${EPOCHREALTIME/./} - started) / 1000 ))
  check_blocks
  stop_scratch_server
}

# parse_drill_options ARG...: sets WANTED, ONLY_REPOSITORY, DRILL_DIRECTORY and DRILL_SAMPLE, and what the functions of
# restore look at.
parse_drill_options() {
  read_options drill "$@"
  take_scratch_options
  DRILL_SAMPLE=${OPTIONS[sample]:-} JSON=${OPTIONS[json]:-false}
  if [[ $DRILL_SAMPLE == */* ]]; then check_sample "$DRILL_SAMPLE"
  elif [[ ! $DRILL_SAMPLE =~ ^([1-9][0-9]{0,3})?$ ]]; then
    usage_error "--sample takes N/T, such as 2/7 for the second of seven parts, or T for the next one in turn"
  fi
}

# take_scratch_options: what drill and browse have in common, and what the functions of restore look at.
take_scratch_options() {
  WANTED=${WANTED:-latest} ONLY_REPOSITORY=${OPTIONS[repository]:-} DRILL_DIRECTORY=${OPTIONS[directory]:-}
  DRILL_PLACE="" DRILL_RESTORE_MS="" FETCH_SPEED="" DRILL_SAMPLE="" DRILL_PART="" DRILL_TURN=""
  RESTORE_MODE=target RESTORE_HOST="$HOST_NAME" ONLY_BLOCKS=() PLAN_ONLY=false
  read_range
}

# choose_part: keeps one of DRILL_SAMPLE parts of the blocks. A block stays in its part however many come and go; where
# there are few, empty parts are left out. The turn goes on only after a drill that succeeded, so that a damaged part
# stays red; with --at nothing is remembered, and the day decides.
choose_part() {
  local turn parts count=${#B_ULID[@]} grouped="$SCRATCH/parts.json"
  if [[ -z $DRILL_SAMPLE ]]; then return 0; fi
  if [[ $DRILL_SAMPLE == */* ]]; then turn=$(( ${DRILL_SAMPLE%/*} - 1 ))
  elif [[ -n $LOCATION ]]; then turn=$(( EPOCHSECONDS / 86400 ))
  else
    turn="$(take_lines turn "$STATE_DIR/drill-turn" | tail -n 1)" || turn=0
    turn=$(( 10#${turn:-0} ))
    DRILL_TURN=$(( turn + 1 ))
  fi
  jq --argjson parts "${DRILL_SAMPLE#*/}" \
    'group_by(reduce (.ulid | explode[]) as $letter (0; (. * 31 + $letter) % 1000003) % $parts)' "$SELECTED" >"$grouped"
  parts="$(jq length "$grouped")"
  turn=$(( turn % parts ))
  jq --argjson turn "$turn" '.[$turn] | sort_by(-.maxTime, .ulid)' "$grouped" >"$SELECTED"
  load_selected
  PARTIAL=true
  DRILL_PART=" (part $(( turn + 1 )) of $parts; $(blocks_text "$count") in the backup)"
}

# require_drill_space DIR: ends with 7 if the blocks do not fit.
require_drill_space() {
  REFUSALS=()
  plan_space "$1" 2>/dev/null
  if (( ${#REFUSALS[@]} > 0 )); then
    die "${REFUSALS[0]}" "${REFUSALS[1]}" "free space, or name another place with --directory DIR"
  fi
}

# record_drill STATUS: the metrics, on success and on failure; the restored copy goes away.
record_drill() {
  local status=$1
  if [[ -n $DRILL_PLACE ]]; then rm -rf -- "$DRILL_PLACE"; fi
  set_metric verify_last_exit_code "$status"
  if [[ -n $FETCH_SPEED ]]; then set_metric restore_bytes_per_second "$FETCH_SPEED" "repository=$REPOSITORY"; fi
  if (( status == 0 )); then
    set_metric verify_last_success_timestamp_seconds "$EPOCHSECONDS"
    set_metric drill_last_success_timestamp_seconds "$EPOCHSECONDS"
    # The time of a part says nothing about that of the whole.
    if [[ -z $DRILL_SAMPLE ]]; then
      set_metric drill_restore_seconds "$(( DRILL_RESTORE_MS / 1000 )).$(printf '%03d' $(( DRILL_RESTORE_MS % 1000 )))"
    fi
    if [[ -n $DRILL_TURN ]]; then printf '%s\n' "$DRILL_TURN" >"$STATE_DIR/drill-turn" || true; fi
  fi
  store_metrics || true
}

# check_blocks: every block by itself, all of them, before the verdict.
check_blocks() {
  local index bad=0 marked=()
  read_expectations
  for index in "${!B_ULID[@]}"; do
    progress "reading block $(( index + 1 )) of ${#B_ULID[@]} for {}"
    if ! check_samples "$index"; then
      progress_done
      say "  ✘ block ${B_ULID[index]}: $DRILL_ERROR"
      if [[ $JSON == true ]]; then
        printf '%s\t%s\n' "${B_ULID[index]}" "${DRILL_ERROR//[$'\t\n']/ }" >>"$SCRATCH/drilled"
      fi
      bad=$(( bad + 1 ))
    elif [[ -n $DRILL_NOTE ]]; then marked+=("$DRILL_NOTE"); fi
  done
  progress_done
  if (( bad > 0 )); then
    die "$EXIT_VERIFICATION" "$bad of $(blocks_text ${#B_ULID[@]}) of backup $BACKUP not as the manifest says (above)" \
      "choose another backup: $(as_typed list "$HOST_NAME")"
  fi
  if (( ${#marked[@]} > 0 )); then
    say "  · blocks that $(printf '%s\n' "${marked[@]}" | sort | uniq --count | sed 's/^ *\([0-9]*\) \(.*\)/\2: \1/' | paste --serial --delimiters ';' | sed 's/;/; /g')"
  fi
  say "✔ ${#B_ULID[@]} of $(blocks_text ${#B_ULID[@]}), $(samples_text "${B_SAMPLES[@]}") as the manifest says$DRILL_PART; restored and ready in $(seconds_text "$DRILL_RESTORE_MS")"
}

# read_expectations: by block, whether counts may differ: MAY_LACK (deleted series, whose marks are not subtracted) and
# MAY_EXCEED (another block covers part of the same time, and the server answers for both).
read_expectations() {
  local ulid lack exceed chunks
  MAY_LACK=() MAY_EXCEED=() BLOCK_CHUNKS=()
  while IFS='|' read -r ulid lack exceed chunks; do
    # A manifest of others may hold a text there, which arithmetic would execute.
    if [[ ! $chunks =~ ^[0-9]{1,16}$ ]]; then chunks=0; fi
    BLOCK_CHUNKS[$ulid]=$chunks
    MAY_LACK[$ulid]=$lack
    MAY_EXCEED[$ulid]=$exceed
  done < <(jq --raw-output '. as $all | .[] | . as $block | [.ulid, (.numTombstones > 0 or .tombstones != ""),
    ([$all[] | select(.ulid != $block.ulid and .minTime < $block.maxTime and .maxTime > $block.minTime)] | length > 0),
      .numChunks] | join("|")' "$SELECTED")
}

# check_samples INDEX: counts the block's samples through the server. False sets DRILL_ERROR; DRILL_NOTE says what could
# not be exact.
check_samples() {
  local index=$1 ulid=${B_ULID[$1]} wanted=${B_SAMPLES[$1]}
  DRILL_ERROR="" DRILL_NOTE=""
  count_samples "$index" || return 1
  if (( COUNTED == wanted )); then return 0; fi
  if (( COUNTED > wanted )); then
    if [[ ${MAY_EXCEED[$ulid]} == true ]]; then DRILL_NOTE="share their time with others"; return 0; fi
    DRILL_ERROR="$(count_text "$COUNTED" sample) instead of $wanted"
    return 1
  fi
  if [[ ${MAY_LACK[$ulid]} == true ]]; then DRILL_NOTE="hold deleted series"; return 0; fi
  # Queries skip the markers that end a series, and the manifest's number holds them. Each one ends a chunk's run of
  # samples.
  if (( wanted - COUNTED <= BLOCK_CHUNKS[$ulid] )); then DRILL_NOTE="hold markers of ended series"; return 0; fi
  DRILL_ERROR="$(count_text "$COUNTED" sample) instead of $wanted"
  return 1
}

# count_samples INDEX: sets COUNTED. Counting drops the metric's name, so each name is counted by itself, a hundred in
# one query.
count_samples() {
  local index=$1 names=() at from=0 range open=0
  COUNTED=0
  if version_at_least "${SCRATCH_VERSION:-2}" 3.0; then
    open=1
  fi   # since 3.0 a range leaves out its first millisecond
  at=$(( B_MAX[index] - 1 ))
  range=$(( at - B_MIN[index] + open ))
  if (( range < 1 )); then range=1; fi
  API_LIMIT=600 api GET /api/v1/label/__name__/values --get --data-urlencode "start=$(decimal "${B_MIN[index]}")" \
    --data-urlencode "end=$(decimal "$at")"
  if ! api_value values '.[] | @json' >"$SCRATCH/names" && [[ "$(api_value values length)" != 0 ]]; then
    explain_api_failure
    return 1
  fi
  mapfile -t names <"$SCRATCH/names"
  while (( from < ${#names[@]} )); do
    count_names "$(decimal "$at")" "$range" "${names[@]:from:100}" || return 1
    from=$(( from + 100 ))
  done
}

# count_names TIME RANGE-MS JSON-NAME...: adds to COUNTED. False sets DRILL_ERROR with the server's words, such as a
# checksum that is wrong.
count_names() {
  local at=$1 range=$2 name query="" number=0 answer
  shift 2
  for name in "$@"; do
    number=$(( number + 1 ))
    query+="${query:+ or }label_replace(sum(count_over_time({__name__=$name}[${range}ms])),\"n\",\"$number\",\"\",\"\")"
  done
  API_LIMIT=3600 api POST /api/v1/query --data-urlencode "query=sum($query)" --data-urlencode "time=$at"
  if ! answer="$(api_value query '.result | if length == 0 then "0" else .[0].value[1] end')"; then
    explain_api_failure
    return 1
  fi
  COUNTED=$(( COUNTED + $(printf '%.0f' "$answer") ))
}

# explain_api_failure: sets DRILL_ERROR to the server's words, or to what is known without.
explain_api_failure() {
  DRILL_ERROR="$(jq --raw-output '.error? | strings' "$API_BODY" 2>/dev/null)" || DRILL_ERROR=""
  DRILL_ERROR="${DRILL_ERROR:0:300}"
  DRILL_ERROR="${DRILL_ERROR:-no answer ($(answer_words))}"
}

# decimal MILLISECONDS: seconds with three decimals, as the API takes them.
decimal() { printf '%d.%03d' $(( $1 / 1000 )) $(( $1 % 1000 )); }
