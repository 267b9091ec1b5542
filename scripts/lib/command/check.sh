# shellcheck shell=bash
# check: the whole chain without a backup.

# How many links were tried, and how they came out.
CHECKS=0 PASSED=0 UNCHECKED=0 WARNINGS=0
FIRST_FAILURE=0  # the exit code of the first that failed
PROBED=false  # whether the last one did not fail
# Whether what others need is there.
TOOLS_THERE=false SERVER_ANSWERS=false

# How long `check --repositories` waits for rights that the same `up` has given, and what servers say until they know of
# them.
PROOF_PATIENCE_SECONDS=30
readonly LATE_RIGHTS='AccessDenied|Forbidden|InvalidAccessKeyId|NoSuchBucket|status code: 40[34]'

# What a check ends with that says nothing, and one that found something to think about: no exit codes of the command.
readonly NOT_CHECKED=77
readonly WARNED=78

# command_check [--repositories]: one line a link of the chain; ends with the code of the first that failed, after all
# were tried. With --repositories it is what `pulumi up` asks.
command_check() {
  local index
  read_options check "$@"
  CHECKS=0 PASSED=0 UNCHECKED=0 WARNINGS=0 FIRST_FAILURE=0 JSON=${OPTIONS[json]:-false}
  open_state
  load_metrics
  if [[ ${OPTIONS[repositories]:-false} == true ]]; then
    require_tools
    for index in "${!REPOSITORY_NAMES[@]}"; do prove_repository "$index"; done
    prove_credentials
    exit "$FIRST_FAILURE"
  fi
  probe configuration check_configuration
  probe tools check_tools
  TOOLS_THERE=$PROBED
  probe schedule check_schedule
  probe Prometheus check_server
  # What the job learned is gone with it; the questions that follow need the facts here.
  SERVER_ANSWERS=$PROBED
  if [[ $SERVER_ANSWERS == true ]]; then require_server; read_server; fi
  if [[ $SOURCE == snapshot ]]; then probe "admin API" check_admin_api; fi
  probe "data directory" check_data_directory
  probe space check_space
  for index in "${!REPOSITORY_NAMES[@]}"; do probe "${REPOSITORY_NAMES[index]}" check_repository "$index"; done
  probe disks check_disks
  probe textfile check_textfile
  probe metrics check_served
  probe alerts check_alerts
  probe "last run" check_last_run
  probe "last drill" check_last_drill
  probe leftovers check_leftovers
  if [[ $JSON == true ]]; then
    jq --slurp --arg host "$HOST_NAME" --argjson exitCode "$FIRST_FAILURE" '{$host, $exitCode, checks: .}' \
      "$SCRATCH/checks" >"$SCRATCH/result"
    print_result "$SCRATCH/result"
    exit "$FIRST_FAILURE"
  fi
  tell "$HOST_NAME: $PASSED of $(count_text "$CHECKS" check) passed$(if (( WARNINGS > 0 )); then printf ', %d to think about (!)' "$WARNINGS"; fi)$(if (( UNCHECKED > 0 )); then printf ', %d not made (–)' "$UNCHECKED"; fi)"
  exit "$FIRST_FAILURE"
}

# not_checked WHY / warned WHAT: end a check so.
not_checked() { printf '%s' "$1"; exit "$NOT_CHECKED"; }

warned() { printf '%s' "$1"; exit "$WARNED"; }

# probe NAME FUNCTION ARG...: runs one check as a job; its output is the fact, its exit code the result.
probe() {
  local name=$1 status=0 mark=✔ words
  shift
  in_background "$@" >"$SCRATCH/check" 2>"$SCRATCH/check.error"
  wait "$CHILD" || status=$?
  PROBED=false
  words="$(cat -- "$SCRATCH/check")"
  case "$status" in
    0) PROBED=true PASSED=$(( PASSED + 1 )) CHECKS=$(( CHECKS + 1 )) ;;
    "$NOT_CHECKED") mark=– UNCHECKED=$(( UNCHECKED + 1 )) ;;
    "$WARNED") mark='!' WARNINGS=$(( WARNINGS + 1 )) ;;
    *)
      mark=✘ CHECKS=$(( CHECKS + 1 ))
      words="$(sed 's/^prometheus-backup: error: //' "$SCRATCH/check.error" | tail -n 1)"
      if (( FIRST_FAILURE == 0 )); then FIRST_FAILURE=$status; fi ;;
  esac
  if [[ $JSON == false ]]; then tell "$(printf '  %s %-15s %s' "$mark" "$name" "$words")"; return 0; fi
  jq --null-input --compact-output --arg name "$name" --arg state "$mark" --arg words "$words" \
    --argjson exitCode "$status" \
    '{$name, state: ({"✔": "passed", "!": "warning", "–": "not checked"}[$state] // "failed"), $words,
      exitCode: (if $exitCode == 77 or $exitCode == 78 then 0 else $exitCode end)}' >>"$SCRATCH/checks"
}

# prove_repository INDEX: whether this user can write, read and delete there. Rights that the same `up` has given may
# need some seconds until the server knows of them. A repository of another machine's is there; whose it is to be is not
# for a step to decide.
prove_repository() {
  local name="${REPOSITORY_NAMES[$1]}" until=$(( SECONDS + PROOF_PATIENCE_SECONDS )) status mark
  while :; do
    status=0
    in_background try_repository "$1" >"$SCRATCH/check" 2>"$SCRATCH/check.error"
    wait "$CHILD" || status=$?
    if (( status == 0 )); then
      say "$(printf '  ✔ %-15s %s' "$name" "$(cat -- "$SCRATCH/check")")"
      return 0
    fi
    if (( SECONDS >= until )) || ! grep --quiet --extended-regexp "$LATE_RIGHTS" "$SCRATCH/check.error"; then break; fi
    sleep 3
  done
  mark=✘
  if [[ ${REPOSITORY_PROOFS[$1]} == warn ]] || (( status == EXIT_REFUSED )); then mark='!'
  elif (( FIRST_FAILURE == 0 )); then FIRST_FAILURE=$status; fi
  say "$(printf '  %s %-15s %s' "$mark" "$name" "$(sed 's/^prometheus-backup: error: //' "$SCRATCH/check.error" | tail -n 1)")"
}

# prove_credentials: whether this user can ask the server with the credentials that root has given it: files that they
# name may be closed to it. A server that is not up yet is no fault.
prove_credentials() {
  if [[ -z $API_CURL_CONFIG ]]; then return 0; fi
  api GET /-/ready
  explain_server
  if [[ -z $FAULT ]]; then return 0; fi
  say "  ✘ Prometheus      $PROMETHEUS_URL $FAULT; ${REMEDY,}"
  if (( FIRST_FAILURE == 0 )); then FIRST_FAILURE=$EXIT_SERVER; fi
}

check_configuration() { printf '%s' "$CONFIG_FILE"; }

check_tools() {
  require_tools
  printf 'jq %s, zstd %s' "$(jq --version | sed 's/^jq-//')" \
    "$(zstd --version | grep --only-matching --extended-regexp '[0-9]+\.[0-9.]+' | sed --quiet 1p)"
  if command -v rclone >/dev/null; then
    printf ', rclone %s' "$(rclone --config /dev/null version 2>/dev/null | sed -n '1s/^rclone v//p')"
  fi
}

check_server() {
  if [[ $TOOLS_THERE == false ]]; then not_checked "a tool is missing (above)"; fi
  require_server
  read_server
  printf '%s at %s, ready, retention %s' "$SERVER_VERSION" "$PROMETHEUS_URL" "${RETENTION_TIME:-unknown}"
}

# need_server: the checks below ask the server; without it they say so and do not ask again.
need_server() {
  if [[ $SERVER_ANSWERS == false ]]; then not_checked "Prometheus cannot be used (above)"; fi
}

check_admin_api() {
  need_server
  require_admin_api
  if listens_on_loopback "$LISTEN_ADDRESS"; then printf 'enabled, listens on loopback only'; return 0; fi
  printf 'enabled, listens on %s: anybody who reaches it can delete series' "$LISTEN_ADDRESS"
}

check_data_directory() {
  need_server
  require_data_directory
  check_live_blocks
  printf '%s, %s' "$DATA_DIRECTORY" "$(blocks_text "$(wc -l <"$SCRATCH/live-blocks.json.ulids")")"
}

# check_live_blocks: ends with 9 if a run would call a block damaged or lost, by the manifests that are on this host.
check_live_blocks() {
  local words
  judge_live_blocks "${!REPOSITORY_NAMES[@]}"
  words="$(wounds_in_words "$SCRATCH/judged.json")"
  if [[ -z $words ]] && (( ${#UNREACHABLE[@]} == 0 )); then return 0; fi
  if [[ -z $words ]]; then
    die "$EXIT_REPOSITORY" "whether a block is damaged or lost is not known: $(join_words '; ' "${UNREACHABLE[@]}")" \
      "look at memory and disk of this host, and run this again"
  fi
  die "$EXIT_VERIFICATION" "${words//$'\n'/; }" "prometheus-backup.sh heal brings back what backups have"
}

# need_data: the same for the data directory.
need_data() {
  need_server
  if [[ ! -d $DATA_DIRECTORY ]]; then not_checked "$DATA_DIRECTORY is not to be seen (above)"; fi
}

check_space() {
  need_data
  if [[ $SOURCE == snapshot ]]; then require_snapshot_space; fi
  printf '%s free on %s' "$(human_bytes "$(free_bytes "$DATA_DIRECTORY")")" "$DATA_DIRECTORY"
}

# check_repository INDEX: owner, then write, read and delete of a probe object.
check_repository() {
  select_repository "$1"
  repository_open || repository_fault "list"
  require_owner || repository_fault "owner.json"
  write_read_delete
}

# try_repository INDEX: the same, and nothing is left: a place that may not be mounted yet must not pass for one that
# holds something.
try_repository() {
  local new=false
  select_repository "$1"
  repository_list || repository_fault "list"
  if object_bytes owner.json >/dev/null; then require_owner || repository_fault "owner.json"; fi
  if [[ $REPOSITORY_TYPE == path ]] && ! within_limit test -e "$REPOSITORY_ROOT"; then new=true; fi
  write_read_delete
  if [[ $new == true ]]; then
    within_limit rmdir --ignore-fail-on-non-empty -- "$REPOSITORY_ROOT" || repository_fault "delete"
  fi
}

# write_read_delete: a probe object in the selected repository.
write_read_delete() {
  local object text back="$SCRATCH/probe.$BASHPID"
  object="probe-$$-$BASHPID"
  # What nobody deletes must not become more and more.
  if [[ $REPOSITORY_PRUNE == false ]]; then object=probe-of-check; fi
  printf -v text 'probe %(%s)T' -1
  printf '%s' "$text" | repository_put "$object" || repository_fault "write"
  repository_get "$object" >"$back" || repository_fault "read"
  if [[ "$(<"$back")" != "$text" ]]; then
    REPOSITORY_ERROR="$object is not what was written"
    repository_fault "read"
  fi
  if [[ $REPOSITORY_PRUNE == false ]]; then
    printf '%s: write, read; nothing is deleted there' "$REPOSITORY_SHOWN"
    return 0
  fi
  repository_delete_one "$object" || repository_fault "delete"
  printf '%s: write, read, delete' "$REPOSITORY_SHOWN"
}

check_textfile() {
  if [[ -z $TEXTFILE_DIR ]]; then not_checked "no directory for node_exporter is set"; fi
  if [[ ! -d $TEXTFILE_DIR || ! -w $TEXTFILE_DIR ]]; then
    die "$EXIT_CONFIGURATION" "'$(id -un)' cannot write $TEXTFILE_DIR, so no metric reaches node_exporter" \
      "run 'pulumi up', which sets the owner"
  fi
  printf '%s' "$TEXTFILE_DIR"
}

check_leftovers() {
  local count
  need_data
  count="$(list_snapshots | wc -l)"
  if (( count == 0 )); then printf 'none'; return 0; fi
  die "$EXIT_SNAPSHOT" "deleted blocks are pinned by $(count_text "$count" snapshot) in $DATA_DIRECTORY/snapshots" \
    "those that nobody else made go with: $(removal_of_leftovers)"
}

# removal_of_leftovers: the command that removes the first snapshots that are left.
removal_of_leftovers() {
  local names=()
  mapfile -t -n 5 names < <(list_snapshots)
  printf 'rm -r --'
  printf ' %q' "${names[@]/#/$DATA_DIRECTORY/snapshots/}"
}
