# shellcheck shell=bash
# The server's snapshot: made for one run, removed by it or the next one, and nobody else's is ever touched.

# The snapshot of this run: its name, and where it lies; "" without one.
SNAPSHOT="" SNAPSHOT_DIR=""
SNAPSHOT_REFUSED=""  # why the server makes none

# take_snapshot: asks the server for a snapshot. Sets SNAPSHOT (its name) and SNAPSHOT_DIR, or SNAPSHOT_REFUSED, the
# reason, if it makes none because a block is damaged. Ends with 5, 6 or 7.
take_snapshot() {
  local answer
  SNAPSHOT_REFUSED=""
  require_snapshot_space
  list_snapshots >"$SCRATCH/snapshots.before"
  CLEANUP_HOOKS+=(remove_own_snapshot)
  ask_for_snapshot
  if [[ $API_STATUS != 200 ]]; then snapshot_failed; return 0; fi
  answer="$(api_value snapshot .name)" || answer=""
  if [[ ! $answer =~ $SNAPSHOT_PATTERN ]]; then
    die "$EXIT_SNAPSHOT" "Prometheus at $PROMETHEUS_URL named no snapshot (its answer has no name of the form 20261122T020000Z-0123456789abcdef)" \
      "check that the URL is a Prometheus and look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  SNAPSHOT="$answer"
  SNAPSHOT_DIR="$DATA_DIRECTORY/snapshots/$SNAPSHOT"
  if [[ ! -d $SNAPSHOT_DIR ]]; then
    die "$EXIT_SNAPSHOT" "the snapshot $SNAPSHOT is not in $DATA_DIRECTORY/snapshots" \
      "check that $PROMETHEUS_URL is the server of this host"
  fi
}

# ask_for_snapshot: as api, but the request outlives this run: whatever kills it, the answer is written down in
# STATE_DIR/snapshot.asked, and the next run learns the name of what it has to remove. STATE_DIR/snapshot.intent says
# that there is a request; who asks holds a lock in the former. The room for the answer is taken before, as blanks,
# which JSON may end with: a file system that others fill meanwhile must not cost us the name.
ask_for_snapshot() {
  local asked="$STATE_DIR/snapshot.asked" lock auth=()
  rm -rf -- "$asked"
  { mkdir -- "$asked" && cp -- "$SCRATCH/snapshots.before" "$asked/before" && printf '%4096s' '' >"$asked/answer" &&
    printf '%3s' '' >"$asked/status" && printf '%512s' '' >"$asked/error" &&
    printf '%s\n' "$DATA_DIRECTORY" >"$STATE_DIR/snapshot.intent"; } 2>/dev/null ||
    die "$EXIT_SPACE" "no file can be made in $STATE_DIR (disk or inodes full)" \
    "free space on that file system; the backups are untouched"
  if [[ -n $API_CURL_CONFIG ]]; then auth=(--config "$API_CURL_CONFIG"); fi
  exec {lock}>"$asked/lock"
  flock "$lock"
  # It must neither keep the locks of a run nor be ended for an orphan of one.
  ( if [[ -n $LOCK_FD ]]; then exec {LOCK_FD}>&-; fi
    if [[ -n ${JOBS_FD:-} ]]; then exec {JOBS_FD}>&-; fi
    # shellcheck disable=SC2016  # the inner shell expands it
    exec setsid --fork bash \
      -c '"${@:2}" 3>&1 1<>"$1/status" 2<>"$1/error" | dd of="$1/answer" conv=notrunc status=none' bash "$asked" \
      curl --silent --show-error --noproxy '*' --request POST --connect-timeout 5 \
      --max-time $(( SNAPSHOT_TIMEOUT_SECONDS * 2 )) --output /dev/fd/3 \
      --write-out '%{http_code}' "${auth[@]}" -- "$PROMETHEUS_URL/api/v1/admin/tsdb/snapshot?skip_head=$SKIP_HEAD" \
      </dev/null >/dev/null 2>&1 )
  exec {lock}>&-
  API_BODY="$asked/answer" API_ERROR="timed out" API_STATUS=000
  if ! wait_for flock --shared --timeout "$SNAPSHOT_TIMEOUT_SECONDS" "$asked/lock" true; then return 0; fi
  API_STATUS="$(<"$asked/status")"
  API_ERROR="$(head -c 300 -- "$asked/error" | tr --squeeze-repeats ' \n' ' ')"
  API_ERROR="${API_ERROR#curl: (*) }"
  API_ERROR="${API_ERROR% }"
  if [[ ! $API_STATUS =~ ^[0-9]{3}$ ]]; then API_STATUS=000; fi
}

# snapshot_failed: turns the server's refusal into one of our codes, with its own words, or sets SNAPSHOT_REFUSED.
snapshot_failed() {
  local words
  words="$(jq --raw-output '.error // empty | gsub("[[:cntrl:]]"; " ") | .[:4000]' "$API_BODY" 2>/dev/null)" || words=""
  words="${words:-$(head -c 200 -- "$API_BODY" | tr -d '\000-\037' | sed 's/ *$//')}"
  case "$words $API_ERROR" in
    *"admin APIs disabled"*) ADMIN_API=false; require_admin_api ;;
    *"no space left"* | *"disk quota"*)
      die "$EXIT_SPACE" "the server found no space for the snapshot ($words)" \
        "free space on the file system of $DATA_DIRECTORY" ;;
    *"timed out"*)
      die "$EXIT_SNAPSHOT" "the snapshot took longer than $SNAPSHOT_TIMEOUT_SECONDS s" \
        "the server may still be writing it; the next run removes it if the server has named it by then; set skipHead or a longer limits.snapshotTimeoutSeconds" ;;
  esac
  if [[ $API_STATUS != 000 ]]; then SNAPSHOT_REFUSED="$(damage_behind "$words")"; fi
  if [[ -n $SNAPSHOT_REFUSED ]]; then return 0; fi
  die "$EXIT_SNAPSHOT" "the server refused the snapshot: HTTP $API_STATUS ${words:-$API_ERROR}" \
    "look at: journalctl -u $PROMETHEUS_UNIT"
}

# damage_behind WORDS: which damaged block made the server refuse, with its words; nothing if no block is. One that the
# words name and that is gone altogether is one as well: the server misses it within a minute.
damage_behind() {
  local damaged ulid
  describe_blocks "$DATA_DIRECTORY" "$SCRATCH/refused.json" || return 0
  damaged="$(jq --raw-output '.[:5][] | "block \(.ulid): \(.reason)"' "$SCRATCH/refused.json.damaged")"
  ulid="$(grep --only-matching --extended-regexp '[0-7][0-9A-HJKMNP-TV-Z]{25}' <<<"$1" | sed --quiet 1p)" || ulid=""
  if [[ -z $damaged && -n $ulid && ! -e $DATA_DIRECTORY/$ulid ]]; then damaged="block $ulid: it is gone"; fi
  if [[ -n $damaged ]]; then printf '%s (the server: %s)' "${damaged//$'\n'/; }" "$1"; fi
}

# require_snapshot_space: a snapshot that fills the disk stops the server's own writes, so look first.
require_snapshot_space() {
  local needed=0 free inodes
  if [[ $SKIP_HEAD == false ]]; then needed="$SNAPSHOT_HEADROOM_BYTES"; fi
  free="$(free_bytes "$DATA_DIRECTORY")"
  inodes="$(free_inodes "$DATA_DIRECTORY")"
  if (( free < needed )); then
    die "$EXIT_SPACE" "$(human_bytes "$free") are free on the file system of $DATA_DIRECTORY, a snapshot with head needs $(human_bytes "$needed")" "free space, or set skipHead: true"
  fi
  if [[ -n $inodes ]] && (( inodes < 1000 )) &&
    [[ "$(stat --file-system --format %T -- "$DATA_DIRECTORY")" != btrfs ]]; then
    die "$EXIT_SPACE" "only $inodes inodes are free on the file system of $DATA_DIRECTORY" "remove small files there"
  fi
}

# require_room_beside_server BYTES: ends with 7 if that many bytes of blocks, which take about three quarters of it when
# they are packed, would fill the file system that the selected repository shares with the server: its own writes would
# fail as well.
require_room_beside_server() {
  local free
  if [[ $REPOSITORY_TYPE != path ||
    "$(stat --format %d -- "${REPOSITORY_ROOT%/*}")" != "$(stat --format %d -- "$DATA_DIRECTORY")" ]]; then
    return 0
  fi
  free="$(free_bytes "$DATA_DIRECTORY")"
  if (( $1 * 3 / 4 + ROOM_FOR_SERVER_BYTES > free )); then
    die "$EXIT_SPACE" "$(human_bytes "$free") are free on the file system that repository $REPOSITORY ($REPOSITORY_SHOWN) shares with the server, and $(human_bytes "$1") are to be packed, beside $(human_bytes "$ROOM_FOR_SERVER_BYTES") for the server" \
      "free space, or put the repository elsewhere; no new backup was recorded there"
  fi
}

# list_snapshots: names of the snapshots that are there and look like one, a line each.
list_snapshots() {
  if [[ ! -d $DATA_DIRECTORY/snapshots ]]; then return 0; fi
  # One that somebody else removes meanwhile makes find complain; that is no fault of this run.
  { find "$DATA_DIRECTORY/snapshots/" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended \
    -regex ".*/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}" -printf '%f\n' 2>/dev/null || true; } | sort
}

# settle_last_snapshot: what the request of a run that was cut off has made: waits for the server's answer, and removes
# it. Ends with 6 if there is none.
settle_last_snapshot() {
  if [[ -e $STATE_DIR/snapshot.intent && -e $STATE_DIR/snapshot.asked/lock ]] &&
    ! wait_for flock --shared --timeout "$SNAPSHOT_TIMEOUT_SECONDS" "$STATE_DIR/snapshot.asked/lock" true; then
    die "$EXIT_SNAPSHOT" "the server has still not answered the request for a snapshot that an earlier run made" \
      "look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  remove_own_snapshot
}

# remove_own_snapshot: removes what our request made, and nobody else's: a snapshot is ours when the server has named it
# to us, or is proven to be. While the server has not answered, it is left to the next run.
remove_own_snapshot() {
  local directory name asked="$STATE_DIR/snapshot.asked"
  if [[ ! -s $STATE_DIR/snapshot.intent ]]; then return 0; fi
  read -r directory <"$STATE_DIR/snapshot.intent" || directory=""
  if [[ ! -d $asked || $directory != /* ]]; then rm -rf -- "$STATE_DIR/snapshot.intent" "$asked"; return 0; fi
  if [[ $directory != "${DATA_DIRECTORY:-}" ]] || ! flock --shared --nonblock "$asked/lock" true; then return 0; fi
  name="$(named_snapshot "$asked/answer")" || name="$(own_partial_snapshot "$asked")" || name=""
  if [[ -n $name ]]; then
    rm -rf -- "${DATA_DIRECTORY:?}/snapshots/${name:?}" ||
      warn "the snapshot $name could not be removed; it will pin deleted blocks"
  else
    tell_strange_snapshots "$asked/before"
  fi
  rm -rf -- "$STATE_DIR/snapshot.intent" "$asked"
}

# named_snapshot FILE: the name in the server's answer: of the snapshot that it made, or in its words about one that
# failed, where a path shows it.
named_snapshot() {
  local names
  names="$(jq --raw-output 'objects | if .status == "success" then .data.name? else .error? end
    | strings' "$1" 2>/dev/null |
    sed --regexp-extended 's#^([0-9]{8}T[0-9]{6}Z-[0-9a-f]{16})$#/snapshots/\1/#' |
    grep -oE '/snapshots/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}/' | cut -d / -f 3 | sort --unique)" || return 1
  [[ $names =~ $SNAPSHOT_PATTERN ]] && printf '%s' "$names"
}

# own_partial_snapshot DIR: the server said that it failed at the head, which it writes last, into a directory that it
# does not name. The one that is new and holds links of all blocks and nothing else is that; if there are two, or it
# holds anything else, nobody can tell.
own_partial_snapshot() {
  local name
  jq --exit-status '.error | startswith("create snapshot: snapshot head block: ")' "$1/answer" >/dev/null 2>&1 ||
    return 1
  name="$(list_snapshots | comm -13 "$1/before" -)"
  [[ $name =~ $SNAPSHOT_PATTERN ]] || return 1
  cmp --silent <(live_blocks) <(find "$DATA_DIRECTORY/snapshots/$name" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort) ||
    return 1
  printf '%s' "$name"
}

# tell_strange_snapshots FILE: what has appeared since FILE was written may be another person's, or the rest of a
# request that failed.
tell_strange_snapshots() {
  local name
  while IFS= read -r name; do
    warn "the snapshot $name appeared while the server was asked for one, and the server did not say whose it is; it is left alone. If nobody else made it: rm -r -- $(printf '%q' "$DATA_DIRECTORY/snapshots/$name")"
  done < <(list_snapshots | comm -13 "$1" -)
}

# seconds_of_snapshot NAME: the Unix time in a snapshot's (or backup's) name.
seconds_of_snapshot() {
  local name=$1
  date -u --date "${name:0:4}-${name:4:2}-${name:6:2} ${name:9:2}:${name:11:2}:${name:13:2}" +%s
}

# source_snapshot: a snapshot through the admin API; the sources that need none are in hot.sh and cold.sh. A server that
# makes none because of a block that is damaged is backed up without it, and without its head.
source_snapshot() {
  require_admin_api
  take_snapshot
  if [[ -n $SNAPSHOT_REFUSED ]]; then
    warn "the server makes no snapshot because of $SNAPSHOT_REFUSED; the backup is made of links to its finished blocks, without the head. Mend it with: prometheus-backup.sh heal"
    SOURCE=hot
    source_hot
    return 0
  fi
  SOURCE_DIR="$SNAPSHOT_DIR"
  log "snapshot name=$SNAPSHOT seconds=$(( SECONDS - STAGE_START ))"
}
