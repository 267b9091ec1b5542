# shellcheck shell=bash
# show: one backup in detail.

# command_show BACKUP [--json] [--repository NAME] [--host NAME]: what one backup holds; --json prints the manifest.
command_show() {
  local WANTED json host
  read_options show "$@"
  ONLY_REPOSITORY=${OPTIONS[repository]:-} json=${OPTIONS[json]:-false} host=${OPTIONS[host]:-$HOST_NAME}
  require_host_name "$host"
  open_state
  load_metrics
  require_tools
  resolve_backup "${WANTED:-latest}" "$host"
  if [[ $json == true ]]; then
    jq . "$MANIFEST" >"$SCRATCH/result"
    print_result "$SCRATCH/result"
    return 0
  fi
  states_of_backup "$host" >"$SCRATCH/states"
  jq --raw-output --rawfile states "$SCRATCH/states" "$(show_text)" "$MANIFEST" |
    signs >"$SCRATCH/result"
  print_rows "$SCRATCH/result"
}

# states_of_backup HOST: what can be said of BACKUP in each repository that was asked, a line each; what was found first
# stays selected. Needs resolve_backup.
states_of_backup() {
  local mine=$REPOSITORY manifest=$MANIFEST complete=$BACKUP_COMPLETE flaws=$BACKUP_FLAWS asked index words="" here=0
  asked=("${OPEN_REPOSITORIES[@]}")
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if ! is_one_of "$index" "${asked[@]}"; then continue; fi
    if [[ ${REPOSITORY_NAMES[index]} == "$mine" ]]; then here=$index words=${flaws:-complete in $mine}
    else OPEN_REPOSITORIES=("$index") FIND_NOTES=(); state_in_repository "${REPOSITORY_NAMES[index]}" "$1"; fi
    if [[ -n $words ]]; then printf '%s\n' "$words"; fi
  done
  for words in "${UNREACHABLE[@]}"; do printf 'not looked at in %s\n' "$words"; done
  if (( ${#asked[@]} + ${#UNREACHABLE[@]} < ${#REPOSITORY_NAMES[@]} )); then printf 'nothing else was asked\n'; fi
  OPEN_REPOSITORIES=("${asked[@]}")
  select_repository "$here" "$1"
  MANIFEST=$manifest BACKUP_COMPLETE=$complete BACKUP_FLAWS=$flaws
}

# state_in_repository NAME HOST: sets words for the one repository that is open, to "" for one that is in UNREACHABLE.
state_in_repository() {
  local status=0
  try_backup "$BACKUP" "$2" || status=$?
  case "$status" in
    0) words="complete in $1" ;;
    2) words=$BACKUP_FLAWS ;;
    *)
      words="not in $1"
      if (( ${#FIND_NOTES[@]} > 0 )); then words="cannot be read in ${FIND_NOTES[-1]}"; fi
      if [[ " ${UNREACHABLE[*]}" == *" $1 ("* ]]; then words=""; fi ;;
  esac
}

# show_text: the jq program for people.
show_text() {
  words_program
  cat <<'JQ'
  def ms: [[. / 1000 | floor, 253402300799] | min, -30610224000] | max | todate;
  def minute: ms | sub("T"; " ") | sub(":[0-9.]+Z$"; "");
  "Backup \(.name) of \(.host)", "",
  "  taken      \(.startedAt) to \(.finishedAt), source \(.source), tool \(.tool)",
  ($states | rtrimstr("\n") | split("\n") | "  state      \(.[0])", (.[1:][] | "             \(.)")),
  (.suspect | values | "  suspect    SUSPECT: \(.)"),
  (.note | values | "  note       \(.)"),
  "  server     Prometheus \(.prometheus.version), retention \(.prometheus.retentionTime), data in \(.prometheus.dataDirectory)",
  "  covers     \(.coverage.oldestSample) … \(.coverage.newestSample), \(if .coverage.gaps == [] then "no gaps" else "\(.coverage.gaps | length | counted("gap"))" end)",
  (.coverage.gaps[] | "             gap \(.from) … \(.to)"),
  (.coverage.notCovered[] | "  misses     \(.)"),
  (.lost[]? | "  lost       block \(.ulid), \(.minTime | ms) … \(.maxTime | ms): gone from the server\(if .backup then ", held by backup \(.backup)" else "" end)"),
  (.coverage.future[]? | "  future     \(if .ulid then "block \(.ulid)" else "the WAL" end) holds samples up to \(.newestSample) ms"),
  "  holds      \(.totals.blocks | counted("block")), \(.totals.samples | counted("sample")), \(.totals.rawBytes | size), \(.totals.sizeBytes | size) in the repository",
  (if has("lastDrill") then "  drills     \(if .lastDrill then "the last good one before this backup: \(.lastDrill.finishedAt), restored in \(.lastDrill.restoreSeconds) s" else "no good one before this backup" end)" else empty end),
  (if .covered != [] then "  replaced   \(.covered | length | counted("compacted block")) \(if (.covered | length) == 1 then "is" else "are" end) stored as the blocks they were made from" else empty end), "",
  (.blocks[] | "  \(.ulid)  \(.minTime | minute) … \(.maxTime | minute | sub("^-?[0-9]+-"; ""))  \(.bytes | size)\(if .head then "  head" else "" end)\(if .numTombstones > 0 then "  \(.numTombstones | counted("tombstone"))" else "" end)")
JQ
}
