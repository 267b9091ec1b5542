# shellcheck shell=bash
# The plan: what a restore will do, every line computed, and the reasons why it will not.

# A clock that runs a little behind is no block from the future.
readonly CLOCK_TOLERANCE_MS=300000

# Below this number of small blocks a start is not worth a line; opening one took 1.4 ms on a busy machine of two cores.
readonly MANY_BLOCKS=100
readonly OPEN_MS=2

# plan_full: prints the plan of a full restore and ends with the first reason against it (7 or 12).
plan_full() {
  REFUSALS=()
  plan_say "Restore of backup $BACKUP to $HOST_NAME"
  plan_say ""
  plan_backup_lines
  plan_fetch
  plan_space "$STAGING" "${STAGING%"$BACKUP"}" "$DATA_DIRECTORY/restore-"
  plan_start
  plan_retention "$(wal_bytes)"
  plan_future "$SELECTED"
  plan_access
  plan_configuration
  if [[ $SERVER_STATE == unit ]]; then
    plan_line server "running ($PROMETHEUS_UNIT); stopped for the switch only$(last_downtime)"
  elif [[ $UNIT_KNOWN == true ]]; then plan_line server "$PROMETHEUS_UNIT is stopped; it is started at the end"
  else plan_line server "not running, and there is no unit $PROMETHEUS_UNIT: start it yourself at the end"; fi
  if [[ -n "$(tsdb_entries "$DATA_DIRECTORY")" ]]; then
    plan_line "old data" "moved to $ASIDE, brought back if anything fails"
  else
    plan_line "old data" "none: $DATA_DIRECTORY $(if [[ -d $DATA_DIRECTORY ]]; then printf 'holds no data'; else printf 'does not exist'; fi) (known from $FACTS_FROM)"
  fi
  refuse_if_planned
}

# plan_target: the same for --target.
plan_target() {
  REFUSALS=()
  plan_say "Restore of backup $BACKUP of $RESTORE_HOST to $TARGET (no server is touched)"
  plan_say ""
  STAGING="$TARGET/.prometheus-backup-$BACKUP"
  plan_backup_lines
  plan_fetch
  plan_space "$STAGING"
  plan_start
  refuse_if_planned
}

# plan_line NAME TEXT [REST...]: one line of the plan.
plan_line() {
  local name=$1
  shift
  if [[ ${JSON:-false} == true ]]; then printf '%s\t%s\n' "$name" "${*//[$'\t\n']/ }" >>"$SCRATCH/plan.lines"; fi
  plan_say "$(printf '  %-10s %s' "$name" "$*")"
}

# plan_say TEXT: a line of a plan: the result where only the plan was asked for and not for programs, talk before a
# question.
plan_say() {
  if [[ ${PLAN_ONLY:-false} == false ]]; then say "$1"
  elif [[ ${JSON:-false} == false ]]; then tell "$1"; fi
}

# refuse CODE FACT ACTION: notes a reason against the restore; the plan is printed to its end first.
refuse() { REFUSALS+=("$1" "$2" "$3"); }

# refuse_if_planned: ends with the first reason against the restore, if there is one.
refuse_if_planned() {
  local index
  plan_say ""
  if (( ${#REFUSALS[@]} == 0 )); then return 0; fi
  for (( index = 3; index < ${#REFUSALS[@]}; index += 3 )); do
    warn "${REFUSALS[index + 1]}; ${REFUSALS[index + 2]}"
  done
  die "${REFUSALS[0]}" "${REFUSALS[1]}; nothing was touched" "${REFUSALS[2]}"
}

# plan_backup_lines: what the backup is and what it covers.
plan_backup_lines() {
  local state=complete newest=${B_MAX[0]} oldest gaps size from to
  read -r oldest gaps from to < <(count_gaps)
  if [[ $BACKUP_COMPLETE == false ]]; then state=$BACKUP_FLAWS; fi
  if [[ -n $M_SUSPECT ]]; then state+=", SUSPECT: $M_SUSPECT"; fi
  if [[ $RESTORE_HOST != "$HOST_NAME" ]]; then state+=", of host $RESTORE_HOST"; fi
  size="$(sum "${B_BYTES[@]}")"
  plan_line backup "$state; $(blocks_text ${#B_ULID[@]}), $(human_bytes "$size"), $(samples_text "${B_SAMPLES[@]}")"
  if [[ $RESTORE_HOST == "$HOST_NAME" && -z $LOCATION ]]; then plan_line proven "$(last_drill)"; fi
  plan_line covers "$(minute_text "$oldest") … $(minute_text "$newest") UTC, $(gaps_text "$gaps" "${from:-}" "${to:-}")"
  plan_damaged
  plan_lacking
  if [[ $RESTORE_MODE == full ]]; then
    plan_line misses "the $(human_seconds $(( EPOCHSECONDS - newest / 1000 ))) since then$(if [[ -n "$(tsdb_entries "$DATA_DIRECTORY")" ]]; then printf ' (what is still on disk is kept aside, see below)'; fi)"
  elif [[ $PARTIAL == true ]]; then
    if [[ -n $FROM_MS$TO_MS ]]; then plan_line wanted "$(range_text)"; fi
    plan_line part "whole blocks that touch the wanted time$(wanted_text); the backup has $(blocks_text "$M_BLOCKS")"
  fi
}

# wanted_text: " (2026-11-22 02:00:00 … 2026-11-22 06:00:00 UTC)", the wanted range as it was understood; "" if blocks
# were named.
wanted_text() {
  if [[ -z $FROM_MS$TO_MS ]]; then return 0; fi
  printf ' (%s … %s UTC)' \
    "$(if [[ -n $FROM_MS ]]; then printf '%(%Y-%m-%d %H:%M:%S)T' $(( FROM_MS / 1000 )); else printf 'its beginning'; fi)" \
    "$(if [[ -n $TO_MS ]]; then printf '%(%Y-%m-%d %H:%M:%S)T' $(( TO_MS / 1000 )); else printf 'its end,'; fi)"
}

# plan_lacking: what the server had, or had had before, and the backup does not hold.
plan_lacking() {
  local words
  jq --raw-output '(.lacks[:10][]? | "block \(.ulid), which was damaged on the server and in no backup (\(.reason))"),
    (.lost[:10][]? | "block \(.ulid), which was gone from the server; backup \(.backup // "?") holds it: restore it with --merge --block \(.ulid)")' "$MANIFEST" |
    while IFS= read -r words; do plan_line lacks "$words"; done
}

# last_drill / last_downtime: what earlier commands on this host have measured, in words.
last_drill() {
  local at=${METRICS[drill_last_success_timestamp_seconds]:-}
  if [[ -z $at ]]; then
    printf 'no drill has succeeded on this host yet'
  else
    printf 'the last good drill was on %(%Y-%m-%d %H:%M)T UTC' "$at"
  fi
}

last_downtime() {
  if [[ -n ${METRICS[downtime_seconds]:-} ]]; then printf ' (%.1f s the last time)' "${METRICS[downtime_seconds]}"; fi
}

# gaps_text GAPS FROM TO: "1 gap: 2026-11-22 02:00 … 2026-11-22 04:00"; of several the longest.
gaps_text() {
  case "$1" in
    0) printf 'no gaps' ;;
    1) printf '1 gap: %s … %s' "$(minute_text "$2")" "$(minute_text "$3")" ;;
    *) printf '%s, the longest: %s … %s' "$(count_text "$1" gap)" "$(minute_text "$2")" "$(minute_text "$3")" ;;
  esac
}

# count_gaps: "oldest gaps from to": where the selected blocks begin (ms), how often more than ten minutes lie between
# them, and between which times the most.
count_gaps() {
  local index
  for index in "${!B_MIN[@]}"; do printf '%d %d\n' "${B_MIN[index]}" "${B_MAX[index]}"; done | sort --numeric-sort |
    awk 'NR == 1 { oldest = $1; end = $2 }
      $1 - end > 600000 { gaps++; if ($1 - end > longest) { longest = $1 - end; from = end; to = $1 } }
      $2 > end { end = $2 }
      END { printf "%s %d %s %s\n", oldest, gaps, from, to }'
}

# plan_fetch: bytes to download and how long that will take.
plan_fetch() {
  local bytes speed="${METRICS[restore_bytes_per_second|repository=$REPOSITORY]:-0}" time="no download measured yet" \
    staged
  selected_objects | awk -F '|' '!seen[$3]++ { n += $1 } END { printf "%d\n", n }' | read -r bytes
  if (( ${speed%.*} > 0 )); then
    time="about $(human_seconds $(( bytes / ${speed%.*} + 1 ))) at the last measured $(human_bytes "${speed%.*}")/s"
  fi
  staged="$(count_staged "$STAGING")"
  if (( staged > 0 )); then time+="; $(blocks_text "$staged") there already from an earlier try"; fi
  if [[ -n $BANDWIDTH_LIMIT && $REPOSITORY_TYPE == rclone ]]; then
    time+="; the settings limit it to $BANDWIDTH_LIMIT"
  fi
  plan_line fetch "$(human_bytes "$bytes") from $REPOSITORY, $time"
}

# plan_start: what many blocks that are still to be merged mean for a server that starts on them.
plan_start() {
  local index small=0
  for index in "${!B_MIN[@]}"; do
    if (( B_MAX[index] - B_MIN[index] <= BLOCK_RANGE_MS )); then small=$(( small + 1 )); fi
  done
  if (( small < MANY_BLOCKS )); then return 0; fi
  plan_line start "$small of $(blocks_text ${#B_ULID[@]}) are of two hours: the server takes longer to open them (about $(human_seconds $(( small * OPEN_MS / 1000 + 1 )))),"
  plan_line "" "then merges them, with one busy CPU and up to a tenth of the space more until that is done"
}

# plan_retention LIVE-BYTES: what the server's retention would delete again.
plan_retention() {
  local size by_time by_size lost
  size="$(retention_bytes)"
  read -r by_time by_size < <(count_lost "$1")
  lost=$(( by_time > by_size ? by_time : by_size ))
  if (( lost == 0 )); then
    plan_line retention "${RETENTION_TIME:-unknown}$(if (( size > 0 )); then printf ' and %s' "$(human_bytes "$size")"; fi): keeps all of it"
    return 0
  fi
  plan_line retention "! $lost of $(blocks_text ${#B_ULID[@]}) go beyond this server's $(if (( by_time >= by_size )); then printf '%s' "$RETENTION_TIME"; else human_bytes "$size"; fi) and would be deleted within hours of the restore"
  plan_lost_blocks "$lost"
  plan_line "" "keep them: raise --storage.tsdb.retention.$(if (( by_time >= by_size )); then printf time; else printf size; fi), or restore them elsewhere with --target"
  if [[ $ALLOW_RETENTION_LOSS == false ]]; then
    refuse "$EXIT_REFUSED" "the server's retention would delete $lost of $(blocks_text ${#B_ULID[@]}) again" \
      "raise the server's retention, or use --target DIR, or pass --allow-retention-loss"
  fi
}

# retention_bytes: the server's limit by size, 0 if it has none.
retention_bytes() {
  local size
  size="$(bytes_of "${RETENTION_SIZE:-0B}")"
  if (( size == 0 )); then size="$(bytes_of "${RETENTION_TIME##* }")"; fi
  printf '%d' "$size"
}

# count_lost LIVE-BYTES: "blocks-by-time blocks-by-size" that the server's retention would delete of the selected ones.
# It counts from the newest block, and the server will soon have cut one that ends now.
count_lost() {
  jq --raw-output --argjson time "$(milliseconds_of "${RETENTION_TIME%% or *}")" --argjson size "$(retention_bytes)" \
    --argjson used "$1" \
    --argjson now $(( EPOCHSECONDS * 1000 )) "$(retention_filter)" "$SELECTED"
}

# plan_lost_blocks COUNT: names the oldest COUNT blocks of the selection, ten at most.
plan_lost_blocks() {
  local ulid from to
  while IFS='|' read -r ulid from to; do
    plan_line "" "$ulid  $(minute_text "$from") … $(minute_text "$to") UTC"
  done < <(jq --raw-output --argjson lost "$1" '.[-$lost:][:10][] | [.ulid, .minTime, .maxTime] | join("|")' \
    "$SELECTED")
  if (( $1 > 10 )); then plan_line "" "and $(( $1 - 10 )) older ones"; fi
}

# retention_filter: the jq program of count_lost. SELECTED is sorted, newest first. To the server, meta.json and
# tombstones are part of a block.
retention_filter() {
  cat <<'JQ'
  def size: .bytes + (.meta | tojson | utf8bytelength) + 1 + ([(.tombstones // "" | length) * 3 / 4, 9] | max);
  ([.[].maxTime, $now] | max) as $newest
  | [.[] | select($time > 0 and $newest - .maxTime >= $time)] as $old
  | (reduce .[] as $block ({used: $used, out: 0};
      .used += ($block | size) | if $size > 0 and .used > $size then .out += 1 else . end)) as $big
  | "\($old | length) \($big.out)"
JQ
}

# plan_access: the server's user must be able to reach its data directory, and to write there.
plan_access() {
  local owner place stuck
  if (( EUID != 0 )); then return 0; fi
  owner="$(data_owner)"
  place="$(nearest_directory "${DATA_DIRECTORY%/*}/")"
  if ! may "$owner" -x "$place"; then
    plan_line access "! the user '${owner%:*}' cannot enter $place"
    refuse "$EXIT_REFUSED" \
      "the server's user '${owner%:*}' cannot enter $place, so the server would not start on the restored data" \
      "mend the owner or mode of $place"
  elif [[ -d $DATA_DIRECTORY ]] && ! may "$owner" -w "$DATA_DIRECTORY"; then
    plan_line access "! the user '${owner%:*}' cannot write to $DATA_DIRECTORY, which belongs to $(stat --format %U:%G -- "$DATA_DIRECTORY")"
    refuse "$EXIT_REFUSED" \
      "the server's user '${owner%:*}' cannot write to $DATA_DIRECTORY, so the server would not start on the restored data" \
      "run: chown $owner $DATA_DIRECTORY && chmod u+rwx $DATA_DIRECTORY"
  elif stuck="$(stuck_entry)" && [[ -n $stuck ]]; then
    plan_line access "! the user '${owner%:*}' cannot move $stuck"
    refuse "$EXIT_REFUSED" \
      "the server's user '${owner%:*}' cannot move $stuck in $DATA_DIRECTORY, which belongs to $(stat --format %U:%G -- "$DATA_DIRECTORY/$stuck")" \
      "run: chown -R $owner $DATA_DIRECTORY"
  fi
}

# stuck_entry: the first directory of a server's data that its user may not move; nothing if it may move all.
stuck_entry() {
  if [[ ! -d $DATA_DIRECTORY ]]; then return 0; fi
  as_owner find "$DATA_DIRECTORY" -mindepth 1 -maxdepth 1 -type d \( -name '[0-7]*' -o -name 'wal*' -o -name wbl -o \
    -name 'chunk*' \) \
    ! -writable -printf '%f\n' -quit
}

# may USER:GROUP TEST PATH: what test says when that user asks.
may() { as_user "$1" test "$2" "$3" 2>/dev/null; }

# plan_configuration: a running server may have a file on disk that it would not start with; then a restore would end
# its service.
plan_configuration() {
  local checker words
  if [[ $SERVER_STATE != unit || $CONFIG_IN_FORCE != /* || ! -r $CONFIG_IN_FORCE ]]; then return 0; fi
  checker="$(server_program promtool)"
  # As the server's user: what that user may read is what the server will find.
  if [[ -z $checker ]] ||
    words="$(as_user "$(data_owner)" timeout 60 "$checker" check config "$CONFIG_IN_FORCE" 2>&1)"; then
    return 0
  fi
  # Its unit may give the server more rights than its user has.
  if [[ $words == *"permission denied"* ]]; then return 0; fi
  words="$(tr -s '\n\t ' ' ' <<<"${words##*FAILED:}")"
  plan_line config "! $CONFIG_IN_FORCE has an error that the running server has not met yet"
  refuse "$EXIT_REFUSED" "the server would not start again with $CONFIG_IN_FORCE (${words:0:300})" \
    "mend that file first: promtool check config $CONFIG_IN_FORCE"
}

# plan_future FILE: a block of those in FILE that ends in the future makes every scrape fail as out of bounds.
plan_future() {
  local late
  late="$(jq --raw-output --argjson limit $(( EPOCHSECONDS * 1000 + CLOCK_TOLERANCE_MS )) \
    '[.[] | select(.maxTime > $limit)] | if length == 0 then empty else "\(length) \(if length == 1 then "block ends" else "blocks end" end) in the future, the last at \(.[0].maxTime / 1000 | floor | todate)" end' "$1")"
  if [[ -z $late ]]; then return 0; fi
  plan_line future "! $late"
  refuse "$EXIT_REFUSED" "$late, and the server would refuse every new sample until then" \
    "correct this host's clock if it is wrong (now $(date -u +%FT%TZ)), or restore them elsewhere with --target DIR"
}

# plan_damaged: the objects that the restore needs and the notes name: where each is whole, or that it is whole nowhere.
plan_damaged() {
  local object bytes index bad whole name
  for index in "${OPEN_REPOSITORIES[@]}"; do
    ( select_repository "$index" "$RESTORE_HOST"; sed "s/\$/\t$REPOSITORY/" "$(damage_notes)" )
  done >"$SCRATCH/damage-notes"
  if [[ ! -s $SCRATCH/damage-notes ]]; then return 0; fi
  read_copies
  while IFS='|' read -r bytes _ object; do
    bad="" whole=""
    for index in ${COPIES["$object|$bytes"]:-}; do
      name="${REPOSITORY_NAMES[index]}"
      if grep --quiet --line-regexp --fixed-strings -- "$object"$'\t'"$name" "$SCRATCH/damage-notes"; then
        bad+="${bad:+, }$name"
      else
        whole="${whole:-$name}"
      fi
    done
    if [[ -n $bad && -n $whole ]]; then plan_line damaged "$object in $bad; it is taken from $whole"
    elif [[ -n $bad ]]; then
      plan_line damaged "! $object in $bad, and no other repository has it: the restore will end there, unless it was mended since"
    fi
  done < <(selected_objects | sort --unique)
}

# stop_after_plan QUESTION: ends here for --plan; otherwise goes on only with --yes or a typed yes. A typed no is an
# answer, and no error.
stop_after_plan() {
  if [[ $PLAN_ONLY == true ]]; then exit 0; fi
  end_phase
  if [[ $ASSUME_YES == true ]]; then return 0; fi
  if ! can_ask; then
    die "$EXIT_REFUSED" "there is no terminal to ask on" "pass --yes to go on without the question; nothing was done"
  fi
  if ! confirm "$1"; then say "Nothing was done."; exit 0; fi
}
