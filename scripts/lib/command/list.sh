# shellcheck shell=bash
# list: the backups of a host.

UNREAD=()  # names of the repositories that could not be read

# command_list [OPTION...]: backups of this host in every repository, newest first; see --help.
command_list() {
  local json only host index now wanted=() since="" SCREEN_WIDTH
  UNREAD=()
  read_options list "$@"
  json=${OPTIONS[json]:-false} only=${OPTIONS[repository]:-} host=${OPTIONS[host]:-$HOST_NAME}
  require_host_name "$host"
  if [[ ! ${OPTIONS[last]:-1} =~ ^[1-9][0-9]{0,5}$ ]]; then
    usage_error "--last takes a number, not '${OPTIONS[last]}'"
  fi
  if [[ -v OPTIONS[since] ]]; then
    since="$(milliseconds_at "${OPTIONS[since]}")" || bad_time --since "${OPTIONS[since]}"
  fi
  open_state
  load_metrics
  require_tools
  if [[ -n $only ]]; then find_repository "$only"; fi
  : >"$SCRATCH/list"
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ -z $only ]] || (( index == REPOSITORY_INDEX )); then wanted+=("$index"); fi
  done
  ask_repositories "$host" "${wanted[@]}"
  await_answers
  for index in "${wanted[@]}"; do
    if ! take_answer "$index" "$host" || ! find_summaries; then
      warn "repository $REPOSITORY ($REPOSITORY_SHOWN) cannot be listed: $REPOSITORY_ERROR"
      UNREAD+=("$REPOSITORY")
      continue
    fi
    list_rows >>"$SCRATCH/list"
    # A text in it has a backslash before each quote.
    if grep --quiet --fixed-strings '"unread":true' -- "$SCRATCH/summaries.list"; then
      warn "repository $REPOSITORY ($REPOSITORY_SHOWN): a manifest could not be judged, because a program of this host failed"
      UNREAD+=("$REPOSITORY")
    fi
    if [[ $host == "$HOST_NAME" && -z $LOCATION ]]; then note_contents; fi
  done
  printf -v now '%(%s)T' -1
  keep_rows "${OPTIONS[last]:-}" "$since"
  if [[ $json == true ]]; then
    jq --slurp 'sort_by(.name, .repository) | reverse' "$SCRATCH/list" >"$SCRATCH/result"
    print_result "$SCRATCH/result"
  elif [[ -s $SCRATCH/list ]]; then
    screen_width 1
    jq --slurp --raw-output --argjson now "$now" "$(list_table)" "$SCRATCH/list" | signs |
      fit_columns "$SCREEN_WIDTH" >"$SCRATCH/result"
    print_rows "$SCRATCH/result"
  elif (( ${#UNREAD[@]} == 0 )) && [[ -n $since ]]; then
    say "there is no backup of $host since $(second_text "$since")"
  elif (( ${#UNREAD[@]} == 0 )); then
    say_no_backups "$host" "$only"
  fi
  if (( ${#UNREAD[@]} > 0 )); then say_unread "${#wanted[@]}" "$host"; exit "$EXIT_REPOSITORY"; fi
}

# keep_rows COUNT MILLISECONDS: of SCRATCH/list, the rows of the newest COUNT backups, and of those taken at that time
# or later; all if both are "".
keep_rows() {
  local since=""
  if [[ -z $1$2 ]]; then return 0; fi
  if [[ -n $2 ]]; then printf -v since '%(%Y%m%dT%H%M%SZ)T' $(( ($2 + 999) / 1000 )); fi
  jq --slurp --compact-output --argjson last "${1:-null}" --arg since "$since" '
    map(select(.name >= $since)) | (map(.name) | unique | if $last then .[-$last:] else . end | .[0] // "") as $first
    | .[] | select(.name >= $first)' "$SCRATCH/list" >"$SCRATCH/list.kept"
  mv -f -- "$SCRATCH/list.kept" "$SCRATCH/list"
}

# say_no_backups HOST REPOSITORY: all places were looked at (with REPOSITORY, that one) and hold none. Only a host's own
# run makes one.
say_no_backups() {
  if [[ -n $LOCATION ]]; then say "there are no backups of $1 in $LOCATION"
  elif [[ -n $2 ]]; then say "there are no backups of $1 in repository $2"
  elif [[ $1 != "$HOST_NAME" ]]; then say "there are no backups of host '$1' in any repository of this host"
  else say "no backups of $1 yet; take one with: prometheus-backup.sh run"; fi
}

# say_unread ASKED HOST: what the list cannot know, because of ASKED repositories those of UNREAD could not be read.
say_unread() {
  local next="prometheus-backup.sh check" holds=""
  if [[ -n $LOCATION ]]; then next="check the place, the network and the credentials"; fi
  if [[ -s $SCRATCH/list ]]; then
    say "$(join_words ', ' "${UNREAD[@]}") could not be read; there may be more. Next: $next"
    return 0
  fi
  if (( $1 > ${#UNREAD[@]} )); then holds=", without any of $2"; fi
  say "Nobody knows what backups exist: $(( $1 - ${#UNREAD[@]} )) of $(count_text "$1" repository repositories) could be read (above)$holds." \
    "Next: $next"
}

# list_rows: one JSON line a backup of the selected repository; needs find_summaries. Complete: every object is
# listed with its recorded size, and verify found none of them damaged.
list_rows() {
  local file
  read_summaries "$SCRATCH/summaries.list"
  for file in "$SCRATCH/summaries" "$SCRATCH/catalog.rows"; do
    awk -F '\t' "$(ranges_program; flaws_program)" "$(damage_notes)" "$OBJECT_LIST" "$file"
  done | jq --raw-input --compact-output --arg repository "$REPOSITORY" --arg host "$REPOSITORY_HOST" '
    split("\t") as [$missing, $bad, $pinned, $json] | ($json | fromjson)
    | ($missing | tonumber) as $missingObjects | ($bad | tonumber) as $damagedObjects
    | {name, host: $host, $repository, complete: (.damaged != true and $missingObjects + $damagedObjects == 0),
        suspect: (.suspect != null), suspectReason: .suspect,
          damaged: (.damaged == true and .newer != true and .unread != true),
          $missingObjects, $damagedObjects,
        pinned: ($pinned == "true"), note: (.note // null)}
      + (if .newer then {newer} else {} end) + (if .unread then {unread} else {} end)
      + if .damaged then {startedAt: null, sizeBytes: 0, sentBytes: 0, blocks: 0, samples: 0,
        oldestSample: null, newestSample: null}
      else {host, lacks: (.lacks // 0), lost: (.lost // [] | length), startedAt, source, layout, head, sizeBytes,
        sentBytes,
        blocks, samples, oldestSample, newestSample} end'
}

# flaws_program: the awk program that says of each row of a file of summaries (third file) how many of its objects the
# list of the second one lacks, how many of the others are in the first one, and whether it is pinned, and prints its
# JSON behind that. What an archive holds has no objects.
flaws_program() {
  cat <<'AWK'
  function find_flaws(  kind, n, name) {
    for (kind in top) for (n = 1; kind != "a" && n <= top[kind]; n++) {
      name = object[kind, n]
      if (!(name in there) || there[name] != bytes[kind, n]) missing[kind, n]
      else if (name in bad) damaged[kind, n]
    }
    add_up(missing, missings)
    add_up(damaged, damages)
  }
  function count(sums) { return $1 ~ / damaged$/ ? 0 : count_in(sums, $2) }
  FILENAME == ARGV[1] { bad[$0]; next }
  FILENAME == ARGV[2] { there[$2] = $1; next }
  NF == 3 { load_object(); next }
  NF == 2 {
    if (!ready++) find_flaws()
    print count(missings) FS count(damages) FS (("pins/" substr($1, 1, 16)) in there ? "true" : "false") FS $2
  }
AWK
}

# list_table: the jq program for people: one row a backup, tab between columns.
list_table() {
  words_program
  cat <<'JQ'
  def age: if . < 7200 then "\(. / 60 | floor) min" elif . < 172800 then "\(. / 3600 | floor) h"
    else "\(. / 86400 | floor) d" end;
  def day: if . then .[5:10] + " " + .[11:16] else "?" end;
  ["BACKUP", "AGE", "SIZE", "SENT", "BLOCKS", "COVERS (UTC)", "WHERE", "STATE"],
  (sort_by(.name, .repository) | reverse[] | [
    .name, (if .startedAt then ($now - (.startedAt | fromdate) | age) else "?" end), (.sizeBytes | size),
      (.sentBytes | size), .blocks,
    "\(.oldestSample | day) … \(.newestSample | day)", .repository,
    ([(if .newer then "NEWER than this version, which cannot read it" elif .unread
      then "NOT READ: a program of this host failed" elif .damaged
      then "DAMAGED: the manifest cannot be read" elif .complete then "complete" else
        (if (.damagedObjects // 0) > 0 then "DAMAGED: \(.damagedObjects | counted("object"))" else empty end),
        (if (.missingObjects // 0) > 0
          then "INCOMPLETE: \(.missingObjects | counted("object")) \(if .missingObjects == 1 then "is" else "are" end) missing"
            else empty end) end),
      (if .suspect then "SUSPECT: " + .suspectReason else empty end),
      (if (.lacks // 0) > 0 then "lacks \(.lacks | counted("damaged block"))" else empty end),
        (if (.lost // 0) > 0 then "\(.lost | counted("block")) lost" else empty end),
      (if .pinned then "pinned" else empty end), (if .note then "note: \(.note)" else empty end)] | join(", "))
  ]) | @tsv
JQ
}

# fit_columns [WIDTH]: the rows of list_table as a table as wide as that. What names a backup, its place and its state
# always stay; of the others those that fit, the most wanted first. A state that does not fit goes on below. Without a
# width, for who searches the text: the columns that fit 80, and a line a row.
fit_columns() {
  # A character is a byte with those that go on from it left out.
  LC_ALL=C awk -F '\t' -v width="${1:-80}" -v fold="${1:+1}" '
    function shown_length(text) { gsub(/[\200-\277]/, "", text); return length(text) }
    { rows[NR] = $0; for (i = 1; i < NF; i++) if (shown_length($i) > wide[i]) wide[i] = shown_length($i) }
    END {
      taken = wide[1] + 2 + wide[7] + 2 + length("complete"); keep[1] = keep[7] = 1
      wanted = split("3 6 2 5 4", order, " ")
      for (i = 1; i <= wanted; i++) if (taken + wide[order[i]] + 2 <= width) {
        keep[order[i]] = 1; taken += wide[order[i]] + 2
      }
      for (r = 1; r <= NR; r++) {
        n = split(rows[r], cells, "\t"); line = ""
        for (i = 1; i < n; i++) if (i in keep) {
          line = line cells[i] sprintf("%" (wide[i] - shown_length(cells[i]) + 2) "s", "")
        }
        if (!fold || shown_length(line cells[n]) <= width) { print line cells[n]; continue }
        sub(/ +$/, "", line)
        print line
        print "    " cells[n]
      }
    }'
}
