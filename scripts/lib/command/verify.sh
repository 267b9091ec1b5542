# shellcheck shell=bash
# Verification: the bytes in the repository against the manifest. (That they also boot and answer is the drill's proof.)

# How much is read with one call, which has one time limit.
readonly VERIFY_BATCH_BYTES=$((8 * 1024 * 1024 * 1024))

# command_verify [BACKUP|latest] [--sample N/T] [--repository NAME]: reads every object where it lies; ends with 9 and
# names what is damaged. The next run sends damaged blocks again as long as the server still has them.
command_verify() {
  local WANTED sample only index status worst=0 found=0 now unread_places=()
  read_options verify "$@"
  sample=${OPTIONS[sample]:-} only=${OPTIONS[repository]:-} JSON=${OPTIONS[json]:-false}
  check_sample "$sample"
  WANTED=${WANTED:-latest}
  require_backup_name "$WANTED" "$HOST_NAME"
  open_state
  load_metrics
  require_tools
  be_gentle
  if [[ $WANTED != latest && ! $WANTED =~ $BACKUP_PATTERN ]]; then
    ONLY_REPOSITORY=$only
    open_repositories "$HOST_NAME"
    complete_name "$WANTED" "$HOST_NAME"
    WANTED=$COMPLETED
  fi
  if [[ -n $only ]]; then find_repository "$only"; fi
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ -n $only ]] && (( index != REPOSITORY_INDEX )); then continue; fi
    status=0
    in_background verify_repository "$index" "$WANTED" "$sample"
    wait "$CHILD" || status=$?
    if (( status == EXIT_NOT_FOUND )); then
      if [[ $WANTED != latest ]]; then continue; fi
      warn "repository ${REPOSITORY_NAMES[index]} holds no backup of $HOST_NAME"
    fi
    found=$(( found + 1 ))
    if [[ $JSON == true ]]; then note_verified "${REPOSITORY_NAMES[index]}" "$status"; fi
    if (( status != 0 && worst != EXIT_VERIFICATION )); then worst=$status; fi
    if ! is_one_of "$status" 0 "$EXIT_NOT_FOUND" "$EXIT_VERIFICATION"; then unread_places+=("${REPOSITORY_NAMES[index]}"); fi
  done
  if (( found == 0 )); then
    ONLY_REPOSITORY=$only
    die "$EXIT_NOT_FOUND" "$(no_repository) has a backup '$WANTED'" "see: $(as_typed list "$HOST_NAME")"
  fi
  printf -v now '%(%s)T' -1
  set_metric verify_last_exit_code "$worst"
  if (( worst == 0 )) && [[ -z $sample ]]; then set_metric verify_last_success_timestamp_seconds "$now"; fi
  store_metrics || true
  if [[ $JSON == true ]]; then
    jq --slurp --arg host "$HOST_NAME" --argjson exitCode "$worst" '{$host, $exitCode, repositories: .}' \
      "$SCRATCH/verified" >"$SCRATCH/result"
    print_result "$SCRATCH/result"
  fi
  if (( ${#unread_places[@]} > 0 )); then say "Not verified: $(join_words ', ' "${unread_places[@]}") (above)."; fi
  exit "$worst"
}

# note_verified REPOSITORY STATUS: a line for --json: what the job of that repository has read, or that it did not come
# to that.
note_verified() {
  local done="$SCRATCH/verified.$1"
  if [[ ! -s $done ]]; then printf '{"backup":null,"objects":0,"bytes":0,"damaged":[]}\n' >"$done"; fi
  jq --compact-output --arg repository "$1" --argjson exitCode "$2" '{$repository, $exitCode} + .' \
    "$done" >>"$SCRATCH/verified"
}

# check_sample TEXT: "N/T" with 1 <= N <= T, or nothing.
check_sample() {
  if [[ -z $1 ]]; then return 0; fi
  if [[ ! $1 =~ ^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$ ]] || (( ${1%/*} > ${1#*/} )); then
    usage_error "--sample takes N/T, such as 2/7 for the second of seven parts"
  fi
}

# verify_repository INDEX BACKUP SAMPLE: one repository of command_verify, as a job.
verify_repository() {
  local backup=$2 sample=$3 started=$SECONDS bad objects bytes status=0
  select_repository "$1"
  repository_list || repository_fault "cannot be listed"
  if [[ $backup == latest ]]; then
    backup="$(awk -F '\t' '$2 ~ /^backups\// { print substr($2, 9, 16) }' "$OBJECT_LIST" | sort | tail -n 1)"
  fi
  if [[ -z $backup ]] || ! object_bytes "backups/$backup.json" >/dev/null; then exit "$EXIT_NOT_FOUND"; fi
  MANIFEST="$SCRATCH/verify.json"
  read_manifest "$backup" "$MANIFEST" || status=$?
  if (( status == 3 )); then repository_fault "the manifest"; fi
  if (( status != 0 )); then
    die "$EXIT_VERIFICATION" "repository $REPOSITORY: $REPOSITORY_ERROR" \
      "use another backup or repository: $(as_typed list "$HOST_NAME")"
  fi
  list_expected "$sample" >"$SCRATCH/expected"
  find_damage
  bad="$(wc -l <"$SCRATCH/damage")"
  note_damage
  objects="$(wc -l <"$SCRATCH/expected")" bytes="$(awk -F '\t' '{ n += $1 } END { print n + 0 }' "$SCRATCH/expected")"
  jq --raw-input --slurp --compact-output --arg backup "$backup" --argjson objects "$objects" --argjson bytes "$bytes" \
    '{$backup, $objects, $bytes, damaged: [split("\n")[] | select(. != "") | split("\t")
      | {object: .[0], reason: .[1]}]}' "$SCRATCH/damage" >"$SCRATCH/verified.$REPOSITORY"
  if (( bad == 0 )); then
    if [[ $JSON == false ]]; then
      tell "✔ $backup in $REPOSITORY: $(count_text "$objects" object), $(human_bytes "$bytes"), all as the manifest says ($(( SECONDS - started )) s)"
    fi
    return 0
  fi
  if [[ $JSON == false ]]; then sed 's/^/  ✘ /; s/\t/  /' "$SCRATCH/damage" | signs; fi
  die "$EXIT_VERIFICATION" "backup $backup in repository $REPOSITORY has $(count_text "$bad" "damaged or missing object") (above)" \
    "the next run repairs what the server still has; restore from another backup or repository meanwhile"
}

# list_expected SAMPLE: "bytes<TAB>sha256<TAB>object" of the manifest's objects, or of the N-th of T parts of them.
list_expected() {
  if [[ -z $1 ]]; then manifest_objects "$MANIFEST"; return 0; fi
  manifest_objects "$MANIFEST" | awk -v n="${1%/*}" -v t="${1#*/}" 'NR % t == n - 1'
}

# find_damage: "object<TAB>what is wrong" for each object of SCRATCH/expected that is not as recorded, to
# SCRATCH/damage. Ends with 8 if the repository does not let it find out: a connection that breaks is no damage.
find_damage() {
  local batch prefix="$SCRATCH/batch.$REPOSITORY" unread="$SCRATCH/unread"
  # What its size speaks against is not read: it may be without end.
  awk -F '\t' 'FILENAME == ARGV[1] { there[$2] = $1; next } ($3 in there) && there[$3] != $1 { print "size\t" $3 }' \
    "$OBJECT_LIST" "$SCRATCH/expected" >"$SCRATCH/found"
  awk -F '\t' -v limit="$VERIFY_BATCH_BYTES" -v base="$prefix." \
    'FILENAME == ARGV[1] { known[$2]; next } $3 in known { next }
    { if (bytes > 0 && bytes + $1 > limit) { number++; bytes = 0 } bytes += $1;
      print $3 >(base sprintf("%06d", number)) }' "$SCRATCH/found" "$SCRATCH/expected"
  if watches_progress; then
    progress_bytes "$REPOSITORY: read" "$(awk -F '\t' '{ n += $1 } END { printf "%.0f", n }' "$SCRATCH/expected")" \
      bytes_read
  fi
  for batch in "$prefix".*; do
    if [[ -e $batch ]]; then repository_hash "$batch" >>"$SCRATCH/found" || true; fi
  done
  awk -F '\t' -v nothing="$NOTHING_SHA256" 'FILENAME == ARGV[1] { if ($1 != "" && $1 != nothing) read[$2]; next }
    !($3 in read) { print $3 }' "$SCRATCH/found" "$SCRATCH/expected" >"$unread"
  if [[ -s $unread ]]; then read_singly "$unread"; fi
  progress_done
  awk -F '\t' 'FILENAME == ARGV[1] { sum[$2] = $1; next }
    !($3 in sum) || sum[$3] == "" { print $3 "\tis missing or cannot be read"; next }
    sum[$3] == "size" { print $3 "\thas another size"; next }
    sum[$3] != $2 { print $3 "\thas another checksum" }' "$SCRATCH/found" "$SCRATCH/expected" >"$SCRATCH/damage"
}

# read_singly FILE: another try for each object that FILE names, if the repository still lists it; adds to
# SCRATCH/found. Ends with 8 if the repository cannot be listed, or has one that it does not give. What can be opened on
# a path and not read is damage.
read_singly() {
  local object bytes
  repository_list || repository_fault "cannot be listed"
  while IFS= read -r object; do
    bytes="$(object_bytes "$object")" || continue
    printf '%s\n' "$object" >"$SCRATCH/single"
    if repository_hash "$SCRATCH/single" >"$SCRATCH/single.sum"; then
      cat -- "$SCRATCH/single.sum" >>"$SCRATCH/found"
      # rclone ends well where it finds nothing; the list says whether something is there.
      if [[ $REPOSITORY_TYPE == path || $bytes == 0 ]]; then continue; fi
      if [[ -s $SCRATCH/single.sum && "$(<"$SCRATCH/single.sum")" != "$NOTHING_SHA256"* ]]; then continue; fi
      REPOSITORY_ERROR="it is listed, and nothing of it came"
    fi
    progress_done
    repository_fault "$object"
  done <"$1"
}

# note_damage: what the next run must not count as stored, and no more what was read as recorded now.
note_damage() {
  local notes="$STATE_DIR/damaged/$REPOSITORY"
  if [[ ! -s $SCRATCH/damage && ! -f $notes ]]; then return 0; fi
  mkdir -p -- "${notes%/*}"
  if [[ ! -f $notes ]]; then : >"$notes"; fi
  awk -F '\t' 'FILENAME == ARGV[1] { bad[$1]; next } FILENAME == ARGV[2] { good[$3]; next } !($1 in good) {
    bad[$1] } END { for (object in bad) print object }' \
    "$SCRATCH/damage" "$SCRATCH/expected" "$notes" | sort >"$SCRATCH/damaged.new"
  mv -fT -- "$SCRATCH/damaged.new" "$notes"
}
