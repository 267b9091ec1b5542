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
  if [[ $json == true ]]; then jq . "$MANIFEST"
  else jq --raw-output --arg flaws "$BACKUP_FLAWS" --arg repository "$REPOSITORY" "$(show_text)" "$MANIFEST" |
    signs; fi >"$SCRATCH/result"
  print_result "$SCRATCH/result"
}

# show_text: the jq program for people.
show_text() {
  cat <<'JQ'
  def size: if . >= 1e9 then "\(. / 1e8 | round / 10) GB" elif . >= 1e6 then "\(. / 1e5 | round / 10) MB"
    else "\(. / 1e3 | round) kB" end;
  def ms: [[. / 1000 | floor, 253402300799] | min, -30610224000] | max | todate;
  "Backup \(.name) of \(.host)", "",
  "  taken      \(.startedAt) to \(.finishedAt), source \(.source), tool \(.tool)",
  "  state      \(if $flaws == "" then "complete in \($repository)" else $flaws end)\(if .suspect then ", SUSPECT: " + .suspect else "" end)",
  (.note | values | "  note       \(.)"),
  "  server     Prometheus \(.prometheus.version), retention \(.prometheus.retentionTime), data in \(.prometheus.dataDirectory)",
  "  covers     \(.coverage.oldestSample) … \(.coverage.newestSample), \(if .coverage.gaps == [] then "no gaps" else "\(.coverage.gaps | length) gap\(if (.coverage.gaps | length) == 1 then "" else "s" end)" end)",
  (.coverage.gaps[] | "             gap \(.from) … \(.to)"),
  (.coverage.notCovered[] | "  misses     \(.)"),
  (.lost[]? | "  lost       block \(.ulid), \(.minTime | ms) … \(.maxTime | ms): gone from the server\(if .backup then ", held by backup \(.backup)" else "" end)"),
  (.coverage.future[]? | "  future     \(if .ulid then "block \(.ulid)" else "the WAL" end) holds samples up to \(.newestSample) ms"),
  "  holds      \(.totals.blocks) blocks, \(.totals.samples) samples, \(.totals.rawBytes | size), \(.totals.sizeBytes | size) in the repository",
  (if has("lastDrill") then "  drilled    \(if .lastDrill then "\(.lastDrill.finishedAt), restored in \(.lastDrill.restoreSeconds) s" else "never before this backup" end)" else empty end),
  (if .covered != [] then "  replaced   \(.covered | length) compacted block\(if (.covered | length) == 1 then " is" else "s are" end) stored as the blocks they were made from" else empty end), "",
  (.blocks[] | "  \(.ulid)  \(.minTime | ms) … \(.maxTime | ms)  \(.bytes | size)\(if .head then "  head" else "" end)\(if .numTombstones > 0 then "  \(.numTombstones) tombstones" else "" end)")
JQ
}
