# shellcheck shell=bash
# One backup in one repository: what is stored, in which form, and its manifest.

BLOCKS=""  # the file with the blocks of the source, of describe_source
EMPTY_SOURCE=false  # whether there are none
SUSPECT=""  # why the backup is not trusted, of judge_samples

# describe_source: the blocks of SOURCE_DIR as JSON in SCRATCH/blocks.json, with the files of describe_blocks beside it,
# and in blocks.json.present the ULIDs of all that are there. Ends with 6 if it cannot be read.
describe_source() {
  local hidden=()
  BLOCKS="$SCRATCH/blocks.json"
  describe_hidden
  if ! describe_blocks "$SOURCE_DIR" "$BLOCKS"; then die "$EXIT_SNAPSHOT" "$BLOCK_ERROR" "run again"; fi
  if (( ${#hidden[@]} > 0 )); then
    jq --slurp --compact-output add "$BLOCKS.damaged" "$SCRATCH/hidden.json.damaged" >"$BLOCKS.damaged.new"
    mv -fT -- "$BLOCKS.damaged.new" "$BLOCKS.damaged"
  fi
  { cat -- "$BLOCKS.ulids"; live_blocks; } | sort --unique >"$BLOCKS.present"
  EMPTY_SOURCE=false
  if (( BLOCKS_COUNT == 0 )) && [[ ! -s $BLOCKS.present && $NEW_HOST == false ]]; then EMPTY_SOURCE=true; fi
  look_into_future
  log "blocks count=$BLOCKS_COUNT bytes=$BLOCKS_BYTES"
}

# describe_hidden: blocks that are in the data directory, but not in SOURCE_DIR, because the server skips what has no
# meta.json. The caller's hidden gets them, SCRATCH/hidden.json.damaged what is wrong with them; one that is sound has
# come since, and one that is gone again was on its way out.
describe_hidden() {
  local ulid
  live_blocks | while IFS= read -r ulid; do
    if [[ ! -d $SOURCE_DIR/$ulid ]]; then hidden+=("$ulid"); fi
  done
  if (( ${#hidden[@]} == 0 )); then return 0; fi
  if ! describe_blocks "$DATA_DIRECTORY" "$SCRATCH/hidden.json" "${hidden[@]}"; then hidden=(); return 0; fi
  live_blocks >"$SCRATCH/hidden.live"
  jq --compact-output --rawfile live "$SCRATCH/hidden.live" \
    '($live | split("\n")) as $live | map(select(.ulid as $ulid | $live | index($ulid)) | .usable = false)' \
    "$SCRATCH/hidden.json.damaged" >"$SCRATCH/hidden.json.new"
  mv -fT -- "$SCRATCH/hidden.json.new" "$SCRATCH/hidden.json.damaged"
}

# store_in_repository INDEX: the job for one repository, in a process of its own; its exit code is the repository's
# result.
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
  mv -fT -- "$plan.manifest.summary" "$summary"
  {
    printf 'repository_damaged_backups|repository=%s\t%d\n' "$REPOSITORY" "$(( ${#UNSOUND[@]} - ${#UNJUDGED[@]} ))"
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
  if (( ${#UNJUDGED[@]} > 0 )); then
    REPOSITORY_ERROR="a program of this host failed (above)"
    repository_fault "manifests could not be judged: ${UNJUDGED[*]:0:3}"
  fi
}

# pin_new: the backup of this run is kept whatever retention says. Ends with 8 if that cannot be written.
pin_new() {
  printf 'pinned\n' | repository_put "pins/$BACKUP" || repository_fault "pins/$BACKUP"
  printf '7\tpins/%s\t%(%Y-%m-%d %H:%M:%S)T\n' "$BACKUP" -1 >>"$OBJECT_LIST"
}

# store_pool PLAN: sends the blocks that the pool lacks; PLAN.uploaded gets their manifest entries.
store_pool() {
  local plan=$1
  printf 'null\n' >"$plan.archive"
  log "plan repository=$REPOSITORY $(<"$plan.words")"
  require_room_beside_server "$(sed 's/.*bytes=//' "$plan.words")"
  store_blocks "$plan" "$SOURCE_DIR" || repository_fault "upload"
}

# store_archive PLAN: sends the source as one tar, the course's file, without blocks that are damaged; the manifest
# names its blocks without objects.
store_archive() {
  local plan=$1 extension=gz object
  if [[ $ARCHIVE_COMPRESSION == zstd ]]; then extension=zst; fi
  require_room_beside_server "$BLOCKS_BYTES"
  SENDING_BYTES=$BLOCKS_BYTES
  object="archives/prometheus-backup-${BACKUP:0:8}-${BACKUP:9:6}.tar.$extension"
  jq --compact-output '.heads[], .upload[] | del(.recorded) + {object: null, objectBytes: 0, objectSha256: null}' \
    "$plan" >"$plan.uploaded"
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

# judge_samples SAMPLES: a server that lost most of its samples since the last good backup is a symptom, and where
# nobody could judge that backup, nobody knows. Sets SUSPECT to the reason, or "". Who says that it is right like that
# says the same of the blocks that are gone: PLAN is made anew.
judge_samples() {
  local samples=$1 before name unjudged
  SUSPECT=""
  read -r before name unjudged < <(last_good_samples)
  if [[ $EMPTY_SOURCE == true ]]; then SUSPECT="the server holds no blocks"
  elif (( samples * 100 < before * SHRINK_PERCENT )); then
    if [[ $ACCEPT_SMALLER == true ]]; then ACCEPT_LOSS=all plan_backup "$BLOCKS" "$HELD_BLOCKS" "$plan"; return 0; fi
    SUSPECT="$(samples_text "$samples") instead of $(human_count "$before") in the last good backup"
  elif [[ $unjudged != - && $ACCEPT_SMALLER == false ]]; then
    SUSPECT="it could not be compared with the backup before, $unjudged, which could not be judged"
  fi
  if [[ $name == - ]]; then name=""; fi
  if [[ -n $SUSPECT ]]; then
    warn_once suspect "backup $BACKUP is suspect: $SUSPECT${name:+ ($name)}; it is kept, and retention deletes nothing for it. Data lost? prometheus-backup.sh restore latest. Meant to be smaller? prometheus-backup.sh run --accept-smaller"
  fi
}

# publish_manifest FILE: looks at the far end once more, then writes the manifest: from here on it is a backup.
publish_manifest() {
  local file=$1 missing
  repository_open || repository_fault "cannot be listed"
  require_new_name
  missing="$(missing_objects "$file.objects" | sed --quiet 1,3p | tr '\n' ' ')"
  if [[ -n $missing ]]; then
    REPOSITORY_ERROR="missing or of another size: $missing"
    repository_fault "check before the manifest"
  fi
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

# note_repaired ENTRIES COMPANIONS: what was sent just now is no longer damaged; what could not be sent again stays
# noted, and all of it where the new notes cannot be written.
note_repaired() {
  local damaged="$STATE_DIR/damaged/$REPOSITORY"
  if [[ ! -f $damaged ]]; then return 0; fi
  jq --raw-output 'if type == "array" then .[] else . end | .object // empty' "$1" "$2" >"$SCRATCH/repaired.$REPOSITORY"
  grep --invert-match --line-regexp --fixed-strings --file "$SCRATCH/repaired.$REPOSITORY" -- \
    "$damaged" >"$damaged.new" || (( $? == 1 )) || return 0
  mv -fT -- "$damaged.new" "$damaged"
}
