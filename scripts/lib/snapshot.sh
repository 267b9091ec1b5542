# shellcheck shell=bash
# The server's snapshot: made for one run, removed by it whatever happens, and nobody else's is ever touched.

# take_snapshot: asks the server for a snapshot. Sets SNAPSHOT (its name) and SNAPSHOT_DIR, or SNAPSHOT_REFUSED, the reason, if it makes none because a
# block is damaged. Ends with 5, 6 or 7.
take_snapshot() {
  local answer
  SNAPSHOT_REFUSED=""
  require_snapshot_space
  list_snapshots >"$SCRATCH/snapshots.before"
  note_snapshot_intent
  CLEANUP_HOOKS+=(remove_own_snapshot)
  # Until the server answers it may still be writing, so a run that ends here leaves the note for the next one.
  SNAPSHOT_PENDING=true
  API_LIMIT="$SNAPSHOT_TIMEOUT_SECONDS" api POST "/api/v1/admin/tsdb/snapshot?skip_head=$SKIP_HEAD"
  if [[ $API_STATUS != 000 ]]; then SNAPSHOT_PENDING=false; fi
  if [[ $API_STATUS != 200 ]]; then snapshot_failed; return 0; fi
  answer="$(api_value '.name | select(type == "string")')" || answer=""
  if [[ ! $answer =~ $SNAPSHOT_PATTERN ]]; then
    die "$EXIT_SNAPSHOT" "Prometheus at $PROMETHEUS_URL named no snapshot (its answer has no name of the form 20261122T020000Z-0123456789abcdef)" \
      "check that the URL is a Prometheus and look at: journalctl -u $PROMETHEUS_UNIT"
  fi
  SNAPSHOT="$answer"
  printf 'named %s\n' "$SNAPSHOT" >>"$STATE_DIR/snapshot.intent" || true
  SNAPSHOT_DIR="$DATA_DIRECTORY/snapshots/$SNAPSHOT"
  if [[ ! -d $SNAPSHOT_DIR ]]; then
    die "$EXIT_SNAPSHOT" "the snapshot $SNAPSHOT is not in $DATA_DIRECTORY/snapshots" "check that $PROMETHEUS_URL is the server of this host"
  fi
}

# snapshot_failed: turns the server's refusal into one of our codes, with its own words, or sets SNAPSHOT_REFUSED.
snapshot_failed() {
  local words
  words="$(jq --raw-output '.error // empty | gsub("[[:cntrl:]]"; " ") | .[:4000]' "$API_BODY" 2>/dev/null)" || words=""
  words="${words:-$(head -c 200 -- "$API_BODY" | tr -d '\000-\037')}"
  case "$words $API_ERROR" in
    *"admin APIs disabled"*) ADMIN_API=false; require_admin_api ;;
    *"no space left"* | *"disk quota"*)
      die "$EXIT_SPACE" "the server found no space for the snapshot ($words)" "free space on the file system of $DATA_DIRECTORY; the partial snapshot was removed" ;;
    *"timed out"*)
      die "$EXIT_SNAPSHOT" "the snapshot took longer than $SNAPSHOT_TIMEOUT_SECONDS s" "the server may still be writing it, and the next run removes it; set skipHead or a longer snapshotTimeoutSeconds" ;;
  esac
  if [[ $API_STATUS != 000 ]]; then SNAPSHOT_REFUSED="$(damage_behind "$words")"; fi
  if [[ -n $SNAPSHOT_REFUSED ]]; then return 0; fi
  die "$EXIT_SNAPSHOT" "the server refused the snapshot: HTTP $API_STATUS ${words:-$API_ERROR}" "look at: journalctl -u $PROMETHEUS_UNIT"
}

# damage_behind WORDS: which damaged block made the server refuse, with its words; nothing if no block is. One that the words name and that is gone
# altogether is one as well: the server misses it within a minute.
damage_behind() {
  local damaged ulid
  describe_blocks "$DATA_DIRECTORY" "$SCRATCH/refused.json" || return 0
  damaged="$(jq --raw-output '.[:5][] | "block \(.ulid): \(.reason)"' "$SCRATCH/refused.json.damaged")"
  ulid="$(grep --only-matching --extended-regexp '[0-7][0-9A-HJKMNP-TV-Z]{25}' <<<"$1" | head -n 1)" || ulid=""
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
  if [[ -n $inodes ]] && (( inodes < 1000 )) && [[ "$(stat --file-system --format %T -- "$DATA_DIRECTORY")" != btrfs ]]; then
    die "$EXIT_SPACE" "only $inodes inodes are free on the file system of $DATA_DIRECTORY" "remove small files there"
  fi
}

# require_room_beside_server BYTES: ends with 7 if that many bytes of blocks, which take about three quarters of it when they are packed, would
# fill the file system that the selected repository shares with the server: its own writes would fail as well.
require_room_beside_server() {
  local free
  if [[ $REPOSITORY_TYPE != path || "$(stat --format %d -- "${REPOSITORY_ROOT%/*}")" != "$(stat --format %d -- "$DATA_DIRECTORY")" ]]; then return 0; fi
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

# note_snapshot_intent: writes down what was there and when we asked. The server makes the directory before it answers, so
# a run that dies in between (or a failed snapshot) leaves one without a name that we were told.
note_snapshot_intent() {
  { printf '%(%s)T %s\n' -1 "$DATA_DIRECTORY"; cat -- "$SCRATCH/snapshots.before"; } >"$STATE_DIR/snapshot.intent"
}

# remove_own_snapshot: removes what our request made, and nobody else's, even if it was made in the same second.
remove_own_snapshot() {
  local asked directory name
  if [[ ! -s $STATE_DIR/snapshot.intent ]]; then return 0; fi
  read -r asked directory <"$STATE_DIR/snapshot.intent" || return 0
  if [[ $directory != "${DATA_DIRECTORY:-}" || ! $asked =~ ^[0-9]+$ ]]; then return 0; fi
  while IFS= read -r name; do
    if is_own_snapshot "$name" "$asked"; then
      rm -rf -- "${DATA_DIRECTORY:?}/snapshots/${name:?}" || warn "the snapshot $name could not be removed; it will pin deleted blocks"
    fi
  done < <(list_snapshots)
  if [[ ${SNAPSHOT_PENDING:-false} == false ]]; then rm -f -- "$STATE_DIR/snapshot.intent"; fi
}

# is_own_snapshot NAME ASKED: the one that the server named to us; if it named none, one that is new since the note and
# whose name says that it was made within half a minute of our note: a busy machine may take that long to send the request.
is_own_snapshot() {
  local name=$1 asked=$2 named made
  named="${SNAPSHOT:-$(sed -n 's/^named //p' "$STATE_DIR/snapshot.intent")}"
  if [[ -n $named ]]; then
    # A plain "return" inside a trap gives the status from before the trap.
    if [[ $name == "$named" ]]; then return 0; else return 1; fi
  fi
  if tail -n +2 -- "$STATE_DIR/snapshot.intent" | grep --quiet --line-regexp --fixed-strings -e "$name"; then return 1; fi
  made="$(seconds_of_snapshot "$name")" || return 1
  (( made >= asked - 1 && made <= asked + 30 ))
}

# seconds_of_snapshot NAME: the Unix time in a snapshot's (or backup's) name.
seconds_of_snapshot() {
  local name=$1
  date -u --date "${name:0:4}-${name:4:2}-${name:6:2} ${name:9:2}:${name:11:2}:${name:13:2}" +%s
}
