# shellcheck shell=bash
# The backup run: snapshot, then for each repository plan, upload, manifest, retention. Repositories do not stop each other.

# command_run ARG...: takes a backup now; what cron calls.
command_run() {
  local gathering
  parse_run_options "$@"
  begin_run
  require_tools
  require_note
  be_gentle
  name_run
  log "start backup=$BACKUP source=$SOURCE repositories=$(IFS=,; printf '%s' "${REPOSITORY_NAMES[*]}") user=$(caller_name)"
  heartbeat start
  start_left_stopped
  if [[ $SCHEDULER == systemd ]]; then await_server; fi
  require_server
  read_server
  require_data_directory
  settle_last_snapshot
  remove_old_stages
  HELD_DIRECTORY="$DATA_DIRECTORY/$HELD_FOLDER" HELD_BLOCKS="$SCRATCH/held.json"
  in_background gather
  gathering=$CHILD
  "source_$SOURCE"
  wait "$gathering"
  describe_source
  note_deletions
  stage_done snapshot
  store_everywhere
  finish_hold
  tell_wounds
  log "done backup=$BACKUP newest_sample=${NEWEST_SAMPLE:-none} seconds=$SECONDS"
}

# gather: what the source does not change, meanwhile: a snapshot is mostly waiting for the server.
gather() {
  if [[ $COMPANIONS == true ]]; then collect_companions; fi
  read_held
}

# parse_run_options ARG...: sets PIN, NOTE, TAKE_OVER, ACCEPT_SMALLER and ACCEPT_LOSS (a comma before each ULID).
parse_run_options() {
  local losses loss
  read_options run "$@"
  TAKE_OVER=${OPTIONS[take-over]:-false} ACCEPT_SMALLER=${OPTIONS[accept-smaller]:-false} ACCEPT_LOSS=""
  PIN=${OPTIONS[pin]:-false} NOTE=${OPTIONS[note]:-}
  values_of accept-loss | mapfile -t losses
  for loss in "${losses[@]}"; do accept_loss "$loss"; done
}

# accept_loss ULID[,ULID...]: adds them to ACCEPT_LOSS.
accept_loss() {
  if [[ ! ,$1 =~ ^(,[0-7][0-9A-HJKMNP-TV-Z]{25})+$ ]]; then usage_error "--accept-loss takes the names (ULIDs) of lost blocks with commas between them, not '$1'"; fi
  ACCEPT_LOSS+=",$1"
}

# require_note: ends with 2 if NOTE is nothing that list and show would print.
require_note() {
  if [[ -z $NOTE ]] ||
    jq --null-input --exit-status --arg note "$NOTE" "$(form_filter) [{\$note} | fault({\"\": {note: note}})] == []" >/dev/null; then
    return 0
  fi
  usage_error "--note takes at most 200 letters and signs in one line"
}

# begin_run: lock and metrics of this run. From here on every end writes the metrics.
begin_run() {
  load_metrics
  SECONDS=0 STAGE_START=0 ALL_STORED=false NEWEST_SAMPLE="" SNAPSHOT="" SNAPSHOT_DIR="" BACKUP=""
  CLEANUP_HOOKS+=(record_run remove_own_partials)
  open_state
  take_lock
  begin_marks
}

# name_run: a backup is named by the second in which its run begins, and no two have one name, however a run ends: each name is noted
# before it is used. Without the note (the first run, or a state directory that was lost), the repositories tell the last name. Needs the lock.
name_run() {
  local note="$STATE_DIR/last-name" last="$SCRATCH/last-name" now
  if [[ ! -e $note ]] || ! has_lines "$BACKUP_PATTERN" "$note" || ! cp -- "$note" "$last" 2>/dev/null; then
    in_background newest_name "$last"
    wait "$CHILD"
  fi
  pass_name "$(<"$last")"
  printf -v now '%(%s)T' -1
  printf -v BACKUP '%(%Y%m%dT%H%M%SZ)T' "$now"
  printf -v STARTED_AT '%(%Y-%m-%dT%H:%M:%SZ)T' "$now"
  if ! { printf '%s\n' "$BACKUP" >"$note.new" && sync -- "$note.new" && mv -f -- "$note.new" "$note" && sync -- "$STATE_DIR"; } 2>/dev/null; then
    die "$EXIT_SPACE" "$note cannot be written" "free space on that file system and check its owner"
  fi
}

# newest_name FILE: writes the newest name of a backup of this host in any repository. One that cannot be listed has nothing to say here:
# nothing is stored there without a list.
newest_name() {
  local index
  for index in "${!REPOSITORY_NAMES[@]}"; do
    select_repository "$index"
    if repository_list; then sed --quiet 's#^[0-9]*\tbackups/\(.*\)\.json\t.*#\1#p' "$OBJECT_LIST"; fi
  done | sort | tail -n 1 >"$1"
}

# pass_name NAME: waits until the clock has passed the second of that name, if that is near. A name from further ahead comes from another
# clock, and require_new_name looks whether the new one is taken.
pass_name() {
  local given now try
  if [[ ! $1 =~ $BACKUP_PATTERN ]]; then return 0; fi
  given="$(date --utc --date "${1:0:8} ${1:9:2}:${1:11:2}:${1:13:2}" +%s 2>/dev/null)" || return 0
  for (( try = 0; try < NAME_WAIT_SECONDS * 10; try++ )); do
    printf -v now '%(%s)T' -1
    if (( now > given || given - now >= NAME_WAIT_SECONDS )); then return 0; fi
    sleep 0.1
  done
}

# require_new_name: no manifest of this name is in the list of the selected repository; ends with 12 if one is.
require_new_name() {
  if object_bytes "backups/$BACKUP.json" >/dev/null; then
    die "$EXIT_REFUSED" "repository $REPOSITORY has a backup $BACKUP already, and backups are written once" "the clock has gone back; run again"
  fi
}

# stage_done NAME: writes down how long the stage took.
stage_done() {
  set_metric last_stage_duration_seconds $(( SECONDS - STAGE_START )) "stage=$1"
  STAGE_START=$SECONDS
}

# record_run STATUS: the metrics of this run, on success and on failure; a failed run keeps the last success. One that found the lock held was none.
record_run() {
  local status=$1 now
  if (( status == EXIT_LOCKED )); then return 0; fi
  # Without what earlier runs have left, the metrics would lose the last success.
  if [[ -z $SCRATCH && ! -r $STATE_DIR/metrics.state ]]; then heartbeat fail; return 0; fi
  printf -v now '%(%s)T' -1
  set_metric last_run_timestamp_seconds "$now"
  set_metric last_exit_code "$status"
  set_metric last_duration_seconds "$SECONDS"
  if [[ $ALL_STORED == true ]]; then set_metric last_success_timestamp_seconds "$now"; fi
  record_admin_api
  if [[ -n ${DATA_DIRECTORY:-} ]]; then
    set_metric leftover_snapshots "$(list_snapshots | wc -l)"
    set_metric leftover_snapshots_bytes "$(bytes_below "$DATA_DIRECTORY/snapshots")"
  fi
  if (( status != 0 )); then log "failed backup=${BACKUP:-none} exit_code=$status seconds=$SECONDS"; fi
  store_metrics || true
  if (( status == 0 )); then heartbeat success; else heartbeat fail; fi
}

# record_admin_api: whether the server's admin API is on, and whether others than this host reach it. Nothing if the server did not say.
record_admin_api() {
  local exposed=0
  if [[ -z ${ADMIN_API:-} ]]; then return 0; fi
  set_metric admin_api_enabled "$([[ $ADMIN_API == true ]] && printf 1 || printf 0)"
  if [[ $ADMIN_API == true && $ADMIN_API_EXPOSURE != accept-public ]] && ! listens_on_loopback "$LISTEN_ADDRESS"; then exposed=1; fi
  set_metric admin_api_exposed "$exposed"
}

# source_snapshot: a snapshot through the admin API; the sources that need none are in source.sh. A server that makes none because of a block that is
# damaged is backed up without it, and without its head.
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

# describe_source: the blocks of SOURCE_DIR as JSON in SCRATCH/blocks.json, with the files of describe_blocks beside it, and in blocks.json.present the
# ULIDs of all that are there. Ends with 6 if it cannot be read.
describe_source() {
  local hidden=()
  BLOCKS="$SCRATCH/blocks.json"
  describe_hidden
  if ! describe_blocks "$SOURCE_DIR" "$BLOCKS"; then die "$EXIT_SNAPSHOT" "$BLOCK_ERROR" "run again"; fi
  if (( ${#hidden[@]} > 0 )); then
    jq --slurp --compact-output add "$BLOCKS.damaged" "$SCRATCH/hidden.json.damaged" >"$BLOCKS.damaged.new"
    mv -f -- "$BLOCKS.damaged.new" "$BLOCKS.damaged"
  fi
  { cat -- "$BLOCKS.ulids"; live_blocks; } | sort --unique >"$BLOCKS.present"
  EMPTY_SOURCE=false
  if (( BLOCKS_COUNT == 0 )) && [[ ! -s $BLOCKS.present && $NEW_HOST == false ]]; then EMPTY_SOURCE=true; fi
  look_into_future
  log "blocks count=$BLOCKS_COUNT bytes=$BLOCKS_BYTES"
}

# describe_hidden: blocks that are in the data directory, but not in SOURCE_DIR, because the server skips what has no meta.json. The caller's hidden
# gets them, SCRATCH/hidden.json.damaged what is wrong with them; one that is sound has come since, and one that is gone again was on its way out.
describe_hidden() {
  local ulid
  live_blocks | while IFS= read -r ulid; do
    if [[ ! -d $SOURCE_DIR/$ulid ]]; then hidden+=("$ulid"); fi
  done
  if (( ${#hidden[@]} == 0 )); then return 0; fi
  if ! describe_blocks "$DATA_DIRECTORY" "$SCRATCH/hidden.json" "${hidden[@]}"; then hidden=(); return 0; fi
  live_blocks >"$SCRATCH/hidden.live"
  jq --compact-output --rawfile live "$SCRATCH/hidden.live" '($live | split("\n")) as $live | map(select(.ulid as $ulid | $live | index($ulid)) | .usable = false)' \
    "$SCRATCH/hidden.json.damaged" >"$SCRATCH/hidden.json.new"
  mv -f -- "$SCRATCH/hidden.json.new" "$SCRATCH/hidden.json.damaged"
}

# store_everywhere: every repository by itself; ends with the first failure's code after all were tried. Sets ALL_STORED at the end alone: until
# then, a signal may end the run at any moment.
store_everywhere() {
  local index status first=0
  LACKING=0 RUN_SUSPECT=0
  for index in "${!REPOSITORY_NAMES[@]}"; do
    status=0
    select_repository "$index"
    if [[ $REPOSITORY_TYPE == path ]]; then
      relay_words
      start_limited "$SCRATCH/words" "$SCRATCH/words" store_in_repository "$index" </dev/null
      wait_limited || status=$?
      if [[ $LIMIT_HUNG == true ]]; then kill "$RELAY" || true; ( repository_fault "reading and writing" ) || true; fi
      wait "$RELAY" 2>/dev/null || true
    else
      in_background store_in_repository "$index"
      wait "$CHILD" || status=$?
    fi
    record_repository "${REPOSITORY_NAMES[index]}" "$status"
    if (( status != 0 && first == 0 )); then first=$status; fi
  done
  if (( LACKING == 0 )) && [[ $EMPTY_SOURCE == false ]]; then ALL_STORED=true; fi
  note_wounds
  if (( first != 0 )); then exit "$first"; fi
  if [[ $EMPTY_SOURCE == true ]]; then
    die "$EXIT_SNAPSHOT" "the server holds no blocks at all; the backup was kept apart as suspect" \
      "look at $DATA_DIRECTORY; on a host that is really new, set prometheus.newHost: true"
  fi
}

# relay_words: a job, RELAY, that passes on what is written to SCRATCH/words, until all who write have closed it. It reads on when nobody takes the
# words any more: a log that is full stops no backup. One process, so that RELAY is all that has to be ended.
relay_words() {
  if is_terminal; then RELAYED=true TERMINAL_COLUMNS="$(terminal_columns)"; fi
  if [[ /dev/stderr -ef $LOG_FILE ]]; then LOG_RELAYED=true; fi
  rm -f -- "$SCRATCH/words"
  mkfifo -- "$SCRATCH/words"
  tee --output-error=warn /dev/null <"$SCRATCH/words" >&2 &
  RELAY=$!
}

# record_repository NAME STATUS: what the job of one repository left for the metrics. There is a summary if the backup is complete there, also
# when retention failed after that; LACKING counts those without one. The backup is suspect if one repository calls it so: another may be new, and have nothing to compare with.
record_repository() {
  local name=$1 status=$2 summary="$SCRATCH/summary.$1" key value now
  printf -v now '%(%s)T' -1
  set_metric repository_last_exit_code "$status" "repository=$name"
  if [[ ! -s $summary ]]; then LACKING=$(( LACKING + 1 )); return 0; fi
  set_metric repository_last_success_timestamp_seconds "$now" "repository=$name"
  while IFS=$'\t' read -r key value; do
    if [[ $key == suspect ]]; then RUN_SUSPECT=$(( value > RUN_SUSPECT ? value : RUN_SUSPECT )) value=$RUN_SUSPECT; fi
    if [[ $key == newest_sample ]]; then NEWEST_SAMPLE=$value; else set_metric "${key%%|*}" "$value" "$(label_of "$key")"; fi
  done <"$summary"
}

# label_of KEY: the part behind "|", or nothing.
label_of() { if [[ $1 == *"|"* ]]; then printf '%s' "${1#*|}"; fi; }

# store_in_repository INDEX: the job for one repository, in a process of its own; its exit code is the repository's result.
store_in_repository() {
  local plan started=$SECONDS summary
  select_repository "$1"
  repository_open || repository_fault "cannot be listed"
  require_owner || repository_fault "owner.json"
  require_new_name
  leave_mark || repository_fault "the mark of this run"
  at_repository sweep || repository_fault "unfinished writes"
  plan="$SCRATCH/plan.$REPOSITORY" summary="$SCRATCH/summary.$REPOSITORY"
  find_sound_manifests
  look_back "$BLOCKS" "$BLOCKS.present"
  plan_backup "$BLOCKS" "$HELD_BLOCKS" "$plan"
  judge_samples "$PLANNED_SAMPLES"
  cp -- "$plan.wounds" "$SCRATCH/wounds.$REPOSITORY"
  if [[ $FORMAT == archive ]]; then store_archive "$plan"; else store_pool "$plan"; fi
  store_head "$plan" || repository_fault "WAL and head"
  store_companions "$plan" || repository_fault "companions"
  compose_manifest "$plan" "$plan.manifest"
  publish_manifest "$plan.manifest"
  note_repaired "$plan.uploaded" "$plan.companions"
  # From here on the backup is complete, whatever happens.
  mv -f -- "$plan.manifest.summary" "$summary"
  {
    printf 'repository_damaged_backups|repository=%s\t%d\n' "$REPOSITORY" "${#UNSOUND[@]}"
    printf 'repository_future_backups|repository=%s\t%d\n' "$REPOSITORY" "$(future_backups)"
    printf 'last_stage_duration_seconds|stage=upload\t%s\n' $(( SECONDS - started ))
  } >>"$summary"
  if [[ $PIN == true ]]; then pin_new; fi
  log "stored repository=$REPOSITORY blocks=$(fact blocks "$summary") sent=$(fact uploaded_bytes "$summary") seconds=$(( SECONDS - started ))"
  started=$SECONDS
  if [[ -z $SUSPECT && $REPOSITORY_PRUNE == true ]]; then prune_after_run "$summary"; fi
  note_contents
  write_catalog
  printf 'last_stage_duration_seconds|stage=prune\t%s\n' $(( SECONDS - started )) >>"$summary"
}

# pin_new: the backup of this run is kept whatever retention says. Ends with 8 if that cannot be written.
pin_new() {
  printf 'pinned\n' | repository_put "pins/$BACKUP" || repository_fault "pins/$BACKUP"
  printf '7\tpins/%s\t%(%Y-%m-%d %H:%M:%S)T\n' "$BACKUP" -1 >>"$OBJECT_LIST"
}

# fact NAME FILE: the value of a line "NAME<TAB>VALUE".
fact() { awk -F '\t' -v name="$1" '$1 == name { print $2; exit }' "$2"; }

# repository_fault WHAT: ends with 7 or 8 and names repository and object.
repository_fault() {
  local code=$EXIT_REPOSITORY action="check the mount, the network and the credentials"
  if [[ -z ${LOCATION:-} && $COMMAND != check ]]; then action+=": prometheus-backup.sh check"; fi
  if [[ $COMMAND == run && -s $SCRATCH/summary.$REPOSITORY ]]; then action="the new backup is complete there; only what came after it failed"
  elif [[ $COMMAND == run ]]; then action="no new backup was recorded there, the last one is untouched; the next run resumes"; fi
  if [[ $REPOSITORY_ERROR == *"No space left"* || $REPOSITORY_ERROR == *"quota exceeded"* ]]; then code=$EXIT_SPACE; fi
  die "$code" "repository $REPOSITORY ($REPOSITORY_SHOWN): $1: ${REPOSITORY_ERROR:-unknown reason}" "$action"
}

# store_pool PLAN: sends the blocks that the pool lacks; PLAN.uploaded gets their manifest entries.
store_pool() {
  local plan=$1
  printf 'null\n' >"$plan.archive"
  log "plan repository=$REPOSITORY $(<"$plan.words")"
  require_room_beside_server "$(sed 's/.*bytes=//' "$plan.words")"
  store_blocks "$plan" "$SOURCE_DIR" || repository_fault "upload"
}

# store_archive PLAN: sends the source as one tar, the course's file, without blocks that are damaged; the manifest names
# its blocks without objects.
store_archive() {
  local plan=$1 extension=gz object
  if [[ $ARCHIVE_COMPRESSION == zstd ]]; then extension=zst; fi
  require_room_beside_server "$BLOCKS_BYTES"
  SENDING_BYTES=$BLOCKS_BYTES
  object="archives/prometheus-backup-${BACKUP:0:8}-${BACKUP:9:6}.tar.$extension"
  jq --compact-output '.heads[], .upload[] | del(.recorded) + {object: null, objectBytes: 0, objectSha256: null}' "$plan" >"$plan.uploaded"
  jq --raw-output '.lacks[].ulid' "$plan" >"$SCRATCH/left-out.$REPOSITORY"
  send "$object" pack_archive || repository_fault "upload"
  jq --null-input --arg object "$object" --argjson objectBytes "$SENT_BYTES" --arg objectSha256 "$SENT_SHA256" \
    --arg compression "$ARCHIVE_COMPRESSION" --arg root "${SOURCE_DIR##*/}" '$ARGS.named' >"$plan.archive"
}

# pack_archive: the tar of an archive backup, with the snapshot's name as its top folder: what blocks have, and no other
# file that lies there; of a cold backup the WAL and the head as well, for whoever unpacks it with tar alone.
pack_archive() {
  local packer=(gzip --stdout) ulid out=() block='\./[0-7][0-9A-HJKMNP-TV-Z]{25}' head='\./(wal|wbl|chunks_head)'
  if [[ $ARCHIVE_COMPRESSION == zstd ]]; then packer=(compress "$PARALLEL"); fi
  while IFS= read -r ulid; do out+=(! -path "./$ulid" ! -path "./$ulid/*"); done <"$SCRATCH/left-out.$REPOSITORY"
  ( cd -- "$SOURCE_DIR" && find . -regextype posix-extended \( -type d -regex "\.|$block(/chunks)?|$head(/.*)?" \
    -o -type f -regex "$block/(index|meta\.json|tombstones|chunks/[0-9]{6})|$head/.*" \) \
    "${out[@]}" -printf "${SOURCE_DIR##*/}/%P\0" ) | LC_ALL=C sort --zero-terminated |
    tar --create --directory "${SOURCE_DIR%/*}" --no-recursion --format=gnu --owner=0 --group=0 --numeric-owner \
      --null --files-from - | "${packer[@]}"
}

# judge_samples SAMPLES: a server that lost most of its samples since the last good backup is a symptom. Sets SUSPECT to the
# reason, or "". Who says that it is right like that says the same of the blocks that are gone: PLAN is made anew.
judge_samples() {
  local samples=$1 before name
  SUSPECT=""
  read -r before name < <(last_good_samples)
  if [[ $EMPTY_SOURCE == true ]]; then SUSPECT="the server holds no blocks"
  elif (( samples * 100 < before * SHRINK_PERCENT )); then
    if [[ $ACCEPT_SMALLER == true ]]; then ACCEPT_LOSS=all plan_backup "$BLOCKS" "$HELD_BLOCKS" "$plan"; return 0; fi
    SUSPECT="$samples samples instead of $before in the last good backup"
  fi
  if [[ -n $SUSPECT ]]; then
    warn "backup $BACKUP is suspect: $SUSPECT${name:+ ($name)}; it is kept, and retention deletes nothing for it. Data lost? prometheus-backup.sh restore latest. Meant to be smaller? prometheus-backup.sh run --accept-smaller"
  fi
}

# last_good_samples: samples and name of the newest backup that is as it was written, not suspect and not named by a wrong clock, or 0. Needs
# find_sound_manifests.
last_good_samples() {
  local name samples copy="$SCRATCH/last-good.json"
  while IFS= read -r name; do
    samples=""
    if [[ $MISDATED == *"\"${name%.json}\""* ]]; then continue; fi
    if [[ -n ${GOOD_SAMPLES["$name"]:-} ]]; then samples=${GOOD_SAMPLES[$name]}
    elif [[ " ${UNSOUND[*]} " == *" ${name%.json} "* ]]; then continue
    elif copy_manifest "${name%.json}" "$copy" && check_manifest "${name%.json}" "$copy"; then samples="$(good_samples "$M_SAMPLES" "$M_SUSPECT")"; fi
    if [[ $samples =~ ^[0-9]+$ ]]; then printf '%s %s\n' "$samples" "${name%.json}"; return 0; fi
  done < <(find "$MANIFESTS/" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' \
    -printf '%f\n' 2>/dev/null | sort --reverse)
  printf '0 \n'
}

# publish_manifest FILE: looks at the far end once more, then writes the manifest: from here on it is a backup.
publish_manifest() {
  local file=$1 missing
  repository_open || repository_fault "cannot be listed"
  require_new_name
  missing="$(missing_objects "$file.objects" | head -n 3 | tr '\n' ' ')"
  if [[ -n $missing ]]; then REPOSITORY_ERROR="missing or of another size: $missing"; repository_fault "check before the manifest"; fi
  at_repository settle || repository_fault "check before the manifest"
  send "backups/$BACKUP.json" cat -- "$file" || repository_fault "the manifest"
  at_repository settle || repository_fault "the manifest"
  note_sound "$SENT_SHA256" "$(fact samples "$file.summary")"
  note_place "$BACKUP" || warn "$REPOSITORY_ERROR"
  if [[ $REPOSITORY_TYPE == rclone ]]; then cp -- "$file" "$MANIFESTS/$BACKUP.json"; fi
  # So that retention need not list again to know it.
  printf '%d\tbackups/%s.json\t%(%Y-%m-%d %H:%M:%S)T\n' "$SENT_BYTES" "$BACKUP" -1 >>"$OBJECT_LIST"
  rm -f -- "$STATE_DIR/journal/$REPOSITORY"
}

# note_repaired ENTRIES COMPANIONS: what was sent just now is no longer damaged; what could not be sent again stays noted.
note_repaired() {
  local damaged="$STATE_DIR/damaged/$REPOSITORY"
  if [[ ! -f $damaged ]]; then return 0; fi
  jq --raw-output 'if type == "array" then .[] else . end | .object // empty' "$1" "$2" >"$SCRATCH/repaired.$REPOSITORY"
  grep --invert-match --line-regexp --fixed-strings --file "$SCRATCH/repaired.$REPOSITORY" -- "$damaged" >"$damaged.new" || true
  mv -f -- "$damaged.new" "$damaged"
}
