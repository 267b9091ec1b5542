# shellcheck shell=bash
# Backup retention: which backups go, and then which objects no kept manifest names. Manifests go first, objects after.

CLOCK_DOUBT=""  # of clock_is_sound

# prune_after_run SUMMARY: retention at the end of a good run; never called after a suspect one. SUMMARY learns of all
# damaged manifests.
prune_after_run() {
  local plan="$SCRATCH/prune.$REPOSITORY" names
  plan_prune "$plan"
  { printf '%s\n' "${UNSOUND[@]}"; if is_blocked "$plan"; then flagged_summaries damaged; fi; } | sort --unique |
    sed '/^$/d' >"$SCRATCH/damaged.names"
  note_unread
  printf '%s\n' "${UNJUDGED[@]}" | sort --unique >"$SCRATCH/unread.names"
  printf 'repository_damaged_backups|repository=%s\t%d\n' "$REPOSITORY" \
    "$(comm -23 "$SCRATCH/damaged.names" "$SCRATCH/unread.names" | wc -l)" >>"$1"
  if is_blocked "$plan"; then
    names="$(paste --serial --delimiters ' ' -- "$SCRATCH/damaged.names")"
    warn "repository $REPOSITORY: retention removes no object, because a manifest cannot be read (${names:-its list and its manifests differ}) and nobody knows what it needs. See: docs/restore.md, The backup is damaged"
  fi
  if ! has_work "$plan"; then return 0; fi
  # Look again: what the plan deletes must be right for the repository as it is now, and its clock is asked as well.
  repository_open || repository_fault "cannot be listed before retention"
  plan_prune "$plan"
  if ! clock_is_sound; then
    warn "$CLOCK_DOUBT; retention was left out"
    printf 'repository_future_backups|repository=%s\t1\n' "$REPOSITORY" >>"$1"
    return 0
  fi
  apply_prune "$plan"
  log "prune repository=$REPOSITORY backups=$(wc -l <"$SCRATCH/going.manifests") objects=$(wc -l <"$SCRATCH/going.objects")"
}

# note_unread: to UNJUDGED the names of those that nobody could judge when read_summaries looked at them.
note_unread() {
  local name
  flagged_summaries unread | while IFS= read -r name; do
    if ! is_one_of "$name" "${UNJUDGED[@]}"; then UNJUDGED+=("$name"); fi
  done
}

# flagged_summaries FLAG: names of the backups whose manifest plan_prune found to be so ("damaged", and of those
# "unread", which nobody could judge), a line each.
flagged_summaries() { jq --raw-output --arg flag "$1" 'select(.[$flag]) | .name' "$SCRATCH/summaries.list"; }

# clock_is_sound: whether this host's clock may say how old backups are: the repository's own clock has written this
# run's within an hour of its name, and has written none after it that is named later. False sets CLOCK_DOUBT. Needs
# repository_open.
clock_is_sound() {
  local later
  read_misdated
  if [[ $MISDATED == *"\"$BACKUP\""* ]]; then
    CLOCK_DOUBT="this host's clock is more than an hour ahead of repository $REPOSITORY"
    return 1
  fi
  later="$(awk -F '\t' -v name="$BACKUP" -v misdated="$MISDATED" '$2 ~ /^backups\// { other = substr($2, 9, 16);
    if (other > name && !index(misdated, other)) print other }' "$OBJECT_LIST" | sort | tail -n 1)"
  if [[ -n $later ]]; then
    CLOCK_DOUBT="repository $REPOSITORY holds $later, and its own clock agrees with that name: this host's clock is behind"
    return 1
  fi
}

# has_work PLAN: whether anything would be removed.
has_work() {
  local work
  read -r work _ <"$1"
  (( work > 0 ))
}

# is_blocked PLAN: whether no object may go, because a manifest is damaged or missing.
is_blocked() {
  local blocked
  read -r _ blocked <"$1"
  [[ $blocked == true ]]
}

# plan_prune FILE: the number of things to remove and whether objects must stay, then {keep, remove, objects, blocked},
# a line each, for the selected repository; needs repository_open.
plan_prune() {
  local target=$1 cutoff
  read_last_mark
  read_summaries "$SCRATCH/summaries.list" checked
  printf -v cutoff '%(%F %T)T' "$((EPOCHSECONDS - ORPHAN_GRACE_HOURS * 3600))"
  take_notes journal "$STATE_DIR/journal/$REPOSITORY" "$SCRATCH/journal.$REPOSITORY"
  jq --raw-output .object "$SCRATCH/journal.$REPOSITORY" >"$SCRATCH/journaled"
  awk -F '\t' '$2 ~ /^(backups|pins)\//' "$OBJECT_LIST" >"$SCRATCH/listed.backups"
  awk -F '\t' "$(ranges_program; holds_program)" pass=1 "$SCRATCH/summaries" pass=2 "$SCRATCH/summaries" |
    jq --slurp --compact-output --rawfile listing "$SCRATCH/listed.backups" \
    --argjson pause "$EXPECTED_INTERVAL_SECONDS" \
    --argjson minimum "$KEEP_MINIMUM" --argjson days "${KEEP_DAYS:-null}" --argjson last "${KEEP_LAST:-null}" \
    --argjson hourly "${KEEP_HOURLY:-null}" --argjson daily "${KEEP_DAILY:-null}" \
    --argjson weekly "${KEEP_WEEKLY:-null}" \
    --argjson monthly "${KEEP_MONTHLY:-null}" --argjson yearly "${KEEP_YEARLY:-null}" "$(prune_filter)" \
    >"$SCRATCH/judged"
  jq --raw-output '.keep[].name' "$SCRATCH/judged" >"$SCRATCH/kept"
  awk -F '\t' -v cutoff="$cutoff" -v mark="marks/$LAST_MARK" "$(ranges_program; orphans_program)" \
    "$SCRATCH/kept" "$SCRATCH/journaled" "$SCRATCH/summaries" "$OBJECT_LIST" >"$SCRATCH/orphans"
  jq --raw-output --compact-output --rawfile orphans "$SCRATCH/orphans" "$(plan_prune_filter)" "$SCRATCH/judged" \
    >"$target"
}

# holds_program: the awk program that prints of each summary its JSON and, of the blocks that any backup calls lost,
# those that it holds.
holds_program() {
  cat <<'AWK'
  pass == 1 && NF == 3 { load_object(); next }
  pass == 1 {
    if (match($2, /"lost":\["[^]]*\]/)) {
      count = split(substr($2, RSTART, RLENGTH), words, "\"")
      for (i = 4; i < count; i += 2) lost[words[i]]
    }
    next
  }
  NF == 2 {
    if (!ready++) for (id in object) {
      split(id, part, SUBSEP)
      ulid = substr(object[id], part[1] == "b" ? 8 : 10, 26)
      if (part[1] == "o" || !(ulid in lost)) continue
      wanted_kind[++wanted] = part[1]; wanted_number[wanted] = part[2] + 0; wanted_ulid[wanted] = ulid
    }
    held = ""
    if (wanted && read_ranges($2)) for (i = 1; i <= wanted; i++) for (j = 1; j <= RANGES; j++) {
      if (kinds[j] != wanted_kind[i] || from[j] > wanted_number[i] || to[j] < wanted_number[i]) continue
      held = held ",\"" wanted_ulid[i] "\""
    }
    print "[" $2 ",[" substr(held, 2) "]]"
  }
AWK
}

# orphans_program: the awk program that prints what no backup of the first file, and no line of the second one, needs
# of the repository's list (fourth file), if it was written before the cutoff: size and name. The third file holds the
# summaries.
orphans_program() {
  cat <<'AWK'
  function gather_needed(  kind, n, depth) {
    for (kind in top) {
      depth = 0
      for (n = 1; n <= top[kind]; n++) { depth += edge[kind, n]; if (depth > 0) needed[object[kind, n]] }
    }
  }
  FILENAME == ARGV[1] { kept[$0]; next }
  FILENAME == ARGV[2] { needed[$0]; next }
  FILENAME == ARGV[3] && NF == 3 { load_object(); next }
  FILENAME == ARGV[3] {
    if (!ready++) find_absent()
    if (!(substr($1, 1, 16) in kept)) next
    if (count_in(absences, $2) != 0) { print "the summary of " substr($1, 1, 16) " is not whole" >"/dev/stderr";
      exit 1 }
    for (i = 1; i <= RANGES; i++) { edge[kinds[i], from[i]]++; edge[kinds[i], to[i] + 1]-- }
    next
  }
  { if (!gathered++) gather_needed() }
  $3 "" >= cutoff "" { next }
  $2 ~ /^marks\// && $2 != mark { print $1 FS $2 }
  # What a check left that was cut off.
  $2 ~ /^probe-/ { print $1 FS $2 }
  $2 ~ /^(blocks|heads|archives|companions)\// && !($2 in needed) { print $1 FS $2 }
AWK
}

# plan_prune_filter: the jq program that puts the plan together from what prune_filter says of the backups. Old marks
# go along with the rest.
plan_prune_filter() {
  cat <<'JQ'
  [$orphans | split("\n")[] | select(. != "") | split("\t") | {bytes: (.[0] | tonumber), object: .[1]}] as $objects
  | ($objects | map(select(.object | startswith("marks/")))) as $marks
  | ($objects | map(select(.object | startswith("marks/") | not))) as $orphans
  | .objects = (if .blocked then []
      else $orphans + (if $orphans != [] or .remove != [] or ($marks | length) > 20 then $marks else [] end) end)
  | "\((.remove | length) + (.objects | length)) \(.blocked)", .
JQ
}

# prune_filter: the jq program that judges the backups for plan_prune. Input: what holds_program prints. In a backup's
# age, the time between two backups counts at most as long as the schedule leaves between two runs: a clock that jumps
# ahead makes no backup older than one more run would. One that was named by a clock more than an hour ahead of the
# repository's own is as old as the repository says. What holds a block that the newest backup calls lost stays; while
# there is one that nobody could judge, all do, for it may call a block so.
prune_filter() {
  cat <<'JQ'
  def lines(text): [text | split("\n")[] | select(. != "")];
  def seconds: "\(.[0:4])-\(.[4:6])-\(.[6:8])T\(.[9:11]):\(.[11:13]):\(.[13:15])Z" | fromdate;
  def newest_of(count; key): if count == null then [] else
    [group_by(.when | key)[] | last] | sort_by(.when) | reverse | .[:count] | map(.name) end;
  def set: reduce .[] as $one ({}; .[$one] = true);
  map(.[0] + {holds: .[1]})
  | [lines($listing)[] | split("\t") | {object: .[1], time: .[2]}] as $there
  | ([$there[].object | select(startswith("pins/")) | .[5:]] | set) as $pins
  | (reduce ($there[] | select(.object | startswith("backups/")))
    as $row ({}; .[$row.object[8:24]] = ($row.time | sub(" "; "T") + "Z" | fromdate? // null))) as $written
  | (map(select(.damaged | not) | $written[.name] as $at | (.name | seconds) as $named
  | . + {at: (if $at != null and $named > $at + 3600 then $at else $named end)})
    | sort_by(.at, .name) | map(.when = (.at | strftime("%Y%m%dT%H%M%SZ")))) as $readable
  | (reduce ($readable | last | .lost // [])[] as $ulid ({}; .[$ulid] = true)) as $lost
  | def holds_lost: any(.holds[]; $lost[.]);
  ($readable | map(select(.suspect == null))) as $good
  | (($good | last | .when) // "") as $newest
  | (reduce ($readable | reverse)[] as $b ({age: 0, at: null, ages: {}};
      $b.at as $at
      | (if .at then .age += ([.at - $at, $pause] | min) else . end) | .at = $at | .ages[$b.name] = .age) | .ages)
        as $ages
  | any(.[]; .unread) as $unread
  | ([$days, $last, $hourly, $daily, $weekly, $monthly, $yearly] | all(. == null)) as $unlimited
  | ([$good[-$minimum:][].name] | if $minimum == 0 then [] else . end | set) as $floor
  | (if $last then [$good[-$last:][].name] else [] end | set) as $lasts
  | ((($good | newest_of($hourly; .[0:11])) + ($good | newest_of($daily; .[0:8]))
    + ($good | newest_of($weekly; seconds | strftime("%G%V"))) + ($good | newest_of($monthly; .[0:6]))
    + ($good | newest_of($yearly; .[0:4]))) | set) as $periods
  | [$readable[] | . as $b | $ages[.name] as $age
    | (if $unlimited then "no retention is set"
      elif $pins[$b.name] then "pinned"
      elif holds_lost then "holds a block that the server has lost"
      elif $floor[$b.name] then "one of the newest \($minimum)"
      elif $days and $age <= $days * 86400 then "younger than \($days) day\(if $days == 1 then "" else "s" end)"
      elif $lasts[$b.name] then "one of the last \($last)"
      elif $periods[$b.name] then "newest of its period"
      elif $b.suspect and ($b.when > $newest or ($days | not)) then "suspect, kept for inspection"
      elif $unread then "the manifest of another one could not be judged"
      else null end) as $why
    | {name, $why, $age}] as $judged
  | (any(.[]; .damaged) or length != ([$there[].object | select(startswith("backups/"))] | length)) as $blocked
  | {
    keep: [$judged[] | select(.why) | {name, why}],
    remove: [$judged[] | select(.why | not) | {name, ageDays: (.age / 86400 | floor)}],
    $blocked
  }
JQ
}

# apply_prune PLAN: manifests first, so that no backup is listed whose objects are going.
apply_prune() {
  local plan=$1
  jq --raw-output 'objects | (.remove[] | "backups/\(.name).json"), .objects[].object' "$plan" >"$SCRATCH/going"
  grep '^backups/' "$SCRATCH/going" >"$SCRATCH/going.manifests" || true
  grep --invert-match '^backups/' "$SCRATCH/going" >"$SCRATCH/going.objects" || true
  repository_delete "$SCRATCH/going.manifests" || repository_fault "retention"
  if [[ $REPOSITORY_TYPE == rclone ]]; then
    while IFS= read -r object; do rm -f -- "$MANIFESTS/${object#backups/}"; done <"$SCRATCH/going.manifests"
  fi
  repository_delete "$SCRATCH/going.objects" || repository_fault "retention"
  awk -F '\t' 'FILENAME == ARGV[1] { gone[$0]; next } !($2 in gone)' "$SCRATCH/going" \
    "$OBJECT_LIST" >"$SCRATCH/staying" && mv -f -- "$SCRATCH/staying" "$OBJECT_LIST"
  note_contents
}
