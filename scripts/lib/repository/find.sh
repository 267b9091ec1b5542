# shellcheck shell=bash
# Finding a backup: which repository holds it whole, and which one is the newest that can be trusted.

COMPLETED=""  # the whole name, of complete_name
DWARFED=""  # why a name is not trusted, of is_dwarfed
WITHOUT_NOTES=false  # whether notes of damage count for nothing, since every backup has one
declare -gA COPIES=()  # of read_copies
COPIES_READ=""  # whether it was called

UNREACHABLE=()   # of open_repositories and note_unreachable: what could not be read, in words

# resolve_backup NAME|latest [HOST]: NAME may be the beginning of one. Looks in every repository (or in ONLY_REPOSITORY
# alone), on disk before remote. Sets BACKUP, BACKUP_COMPLETE, BACKUP_FLAWS (words), MANIFEST (a checked copy), what
# read_facts sets, and OPEN_REPOSITORIES, and leaves the repository that holds it selected. An incomplete backup is
# found by its name, never as latest. Ends with 11 if there is none, 8 if a repository that may have it could not say, 9
# if it is damaged.
resolve_backup() {
  local wanted=$1 host=${2:-$HOST_NAME}
  BACKUP="" BACKUP_COMPLETE=false BACKUP_FLAWS="" MANIFEST="" FIND_NOTES=()
  require_backup_name "$wanted" "$host"
  open_repositories "$host"
  complete_name "$wanted" "$host"
  wanted=$COMPLETED
  if [[ $wanted == latest ]]; then find_latest "$host"; else find_named "$wanted" "$host"; fi
  if [[ -z $BACKUP ]]; then no_backup_found "$wanted" "$host"; fi
}

# require_backup_name TEXT HOST: ends with 11 unless it is a name, the beginning of one, or 'latest'.
require_backup_name() {
  if [[ $1 == latest || $1 =~ $BACKUP_PREFIX_PATTERN ]]; then return 0; fi
  die "$EXIT_NOT_FOUND" "'$1' is not the name of a backup" \
    "names look like 20261122T020000Z or 'latest'; see: $(as_typed list "$2")"
}

# complete_name TEXT HOST: sets COMPLETED to the one backup in the open repositories whose name begins like that; names
# and 'latest' stay what they are. Ends with 2 if there are several, with 8 or 11 if there is none.
complete_name() {
  local names=() shown
  COMPLETED=$1
  if [[ $1 == latest || $1 =~ $BACKUP_PATTERN ]]; then return 0; fi
  { backup_names "$2" | grep -- "^$1" || true; } | sort --reverse --unique | mapfile -t names
  if (( ${#names[@]} == 0 )); then no_backup_found "$1" "$2"; fi
  if (( ${#names[@]} > 1 )); then
    shown="$(join_words ', ' "${names[@]:0:8}")"
    if (( ${#names[@]} > 8 )); then shown+=" and $(( ${#names[@]} - 8 )) more"; fi
    die "$EXIT_USAGE" "$(count_text ${#names[@]} backup) begin with '$1': $shown" "type more of the name"
  fi
  COMPLETED=${names[0]}
  if (( ${#UNREACHABLE[@]} > 0 )); then
    warn "'$1' is taken for $COMPLETED; others like that may lie where nothing could be read: $(join_words '; ' "${UNREACHABLE[@]}")"
  fi
}

# open_repositories HOST: reads the list of every repository that answers, side by side. Sets OPEN_REPOSITORIES, and
# UNREACHABLE (words), to which try_backup adds where a manifest is listed that cannot be fetched or judged.
open_repositories() {
  local host=$1 type index wanted=()
  OPEN_REPOSITORIES=() UNREACHABLE=()
  if [[ -n ${ONLY_REPOSITORY:-} ]]; then find_repository "$ONLY_REPOSITORY"; fi
  for type in path rclone; do
    for index in "${!REPOSITORY_NAMES[@]}"; do
      if [[ ${REPOSITORY_TYPES[index]} != "$type" ]]; then continue; fi
      if [[ -z ${ONLY_REPOSITORY:-} || $index == "$REPOSITORY_INDEX" ]]; then wanted+=("$index"); fi
    done
  done
  PLACE_MUST_SHOW=true ask_repositories "$host" "${wanted[@]}"
  await_answers
  for index in "${wanted[@]}"; do
    if take_answer "$index" "$host"; then OPEN_REPOSITORIES+=("$index"); else note_unreachable; fi
  done
  if (( ${#OPEN_REPOSITORIES[@]} == 0 )); then
    die "$EXIT_REPOSITORY" "no repository can be read: $(join_words '; ' "${UNREACHABLE[@]}")" \
      "check the mount, the network and the credentials"
  fi
}

# find_named NAME HOST: this very backup, whole if some repository has it whole.
find_named() {
  local status=0
  try_backup "$1" "$2" || status=$?
  if (( status != 1 )); then BACKUP=$1; fi
}

# find_latest HOST: the newest backup that is complete, not suspect and not dated in the future; says which newer ones
# it passed over. Where all that speaks against the others is what was noted as damaged, which may be mended since, the
# newest of them.
find_latest() {
  local host=$1 name names=() horizon status skipped=() misdated="" index
  WITHOUT_NOTES=false
  printf -v horizon '%(%Y%m%dT%H%M%SZ)T' $(( EPOCHSECONDS + 300 ))
  backup_names "$host" | sort --reverse --unique | mapfile -t names
  for index in "${OPEN_REPOSITORIES[@]}"; do
    select_repository "$index" "$host"
    read_misdated
    misdated+=$MISDATED
  done
  for name in "${names[@]}"; do
    if [[ $name > $horizon ]]; then skipped+=("$name is dated in the future"); continue; fi
    if [[ $misdated == *"\"$name\""* ]]; then skipped+=("$name was named by a clock that ran ahead"); continue; fi
    status=0
    try_backup "$name" "$host" || status=$?
    if (( status == 1 )); then skipped+=("$name cannot be read (${FIND_NOTES[-1]})"); continue; fi
    if (( status == 2 )); then skipped+=("$name is not whole (${FIND_NOTES[-1]})"); continue; fi
    if [[ -n $M_SUSPECT ]]; then skipped+=("$name is suspect ($M_SUSPECT)"); continue; fi
    if is_dwarfed "$name" "$host"; then skipped+=("$name is not trusted ($DWARFED)"); continue; fi
    BACKUP=$name
    break
  done
  if (( ${#skipped[@]} > 0 )); then warn "passed over: $(join_words '; ' "${skipped[@]:0:5}")"; fi
  if [[ -z $BACKUP ]]; then find_noted "$host" "${names[@]}"; fi
  if [[ -n $BACKUP ]] && (( ${#UNREACHABLE[@]} > 0 )); then
    warn "a newer backup may lie where nothing could be read: $(join_words '; ' "${UNREACHABLE[@]}")"
  fi
}

# find_noted HOST NAME...: the newest of these backups of which nothing is missing, whatever was noted of its objects.
# Whoever uses it reads and compares each of them anyway.
find_noted() {
  local host=$1 name
  shift
  WITHOUT_NOTES=true
  for name in "$@"; do
    if [[ $name > $horizon || $misdated == *"\"$name\""* ]] || ! try_backup "$name" "$host" || [[ -n $M_SUSPECT ]] ||
      is_dwarfed "$name" "$host"; then
      continue
    fi
    BACKUP=$name
    warn "$name is taken all the same: no other backup is whole, and what was noted as damaged may be mended since; each object is checked"
    break
  done
  WITHOUT_NOTES=false
}

# is_dwarfed NAME HOST: whether another repository calls the backup of MANIFEST suspect, or lacks it and has an older
# good one beside which it is nearly empty. So look the first backups of a machine that replaced another one, in a
# repository that is new with it. What nobody could judge there may say so: it counts as if it did. Sets DWARFED to the
# reason; what was selected stays selected.
is_dwarfed() {
  local name=$1 host=$2 mine=$REPOSITORY index here="" older other="$SCRATCH/manifest.other" samples=$M_SAMPLES status
  DWARFED=""
  for index in "${OPEN_REPOSITORIES[@]}"; do
    if [[ ${REPOSITORY_NAMES[index]} == "$mine" ]]; then here=$index; fi
    if [[ ${REPOSITORY_NAMES[index]} == "$mine" || -n $DWARFED ]]; then continue; fi
    select_repository "$index" "$host"
    if object_bytes "backups/$name.json" >/dev/null; then
      status=0
      read_manifest "$name" "$other" || status=$?
      if (( status == 3 )); then not_judged "$REPOSITORY"
      elif (( status == 0 )) && [[ -n $M_SUSPECT ]]; then DWARFED="suspect in $REPOSITORY: $M_SUSPECT"; fi
      continue
    fi
    while IFS= read -r older; do
      status=0
      read_manifest "$older" "$other" || status=$?
      if (( status == 3 )); then not_judged "$older in $REPOSITORY, which lacks it"; break; fi
      if (( status != 0 )) || [[ -n $M_SUSPECT ]]; then continue; fi
      if (( samples * 100 < M_SAMPLES * SHRINK_PERCENT )); then
        DWARFED="$(count_text "$samples" sample), but $M_SAMPLES in $older in $REPOSITORY, which lacks it"
      fi
      break
    done < <(OPEN_REPOSITORIES=("$index") backup_names "$host" | awk -v name="$name" '$0 < name' | sort --reverse)
  done
  select_repository "$here" "$host"
  read_facts "$MANIFEST"
  [[ -n $DWARFED ]]
}

# not_judged WHAT: sets DWARFED for what could not be compared with WHAT, in the selected repository.
not_judged() {
  note_unreachable
  DWARFED="it could not be compared with $1: $REPOSITORY_ERROR"
}

# backup_names HOST: names of all manifests in the open repositories, a line each.
backup_names() {
  local index
  for index in "${OPEN_REPOSITORIES[@]}"; do
    select_repository "$index" "$1"
    cut -f 2 "$OBJECT_LIST" | sed --regexp-extended --quiet 's#^backups/([0-9]{8}T[0-9]{6}Z)\.json$#\1#p'
  done
}

# try_backup NAME HOST: selects the first repository that has the backup whole and puts its manifest into MANIFEST.
# Status 2: only an incomplete one was found (selected all the same); 1: none. What speaks against one that is listed is
# added to FIND_NOTES.
try_backup() {
  local name=$1 host=$2 index partial="" lacking damaged status
  for index in "${OPEN_REPOSITORIES[@]}"; do
    select_repository "$index" "$host"
    if ! object_bytes "backups/$name.json" >/dev/null; then continue; fi
    MANIFEST="$SCRATCH/manifest.$index.json"
    status=0
    read_manifest "$name" "$MANIFEST" || status=$?
    if (( status == 3 )); then note_unreachable; fi
    if (( status != 0 )); then FIND_NOTES+=("$REPOSITORY: $REPOSITORY_ERROR"); continue; fi
    lacking="$(lacking_objects "$MANIFEST")" damaged="$(damaged_objects "$MANIFEST")"
    if (( lacking + damaged == 0 )); then
      BACKUP_COMPLETE=true BACKUP_FLAWS=""
      return 0
    fi
    if (( damaged > 0 )); then
      FIND_NOTES+=("$damaged of its objects $(if (( damaged == 1 )); then printf is; else printf are; fi) damaged in $REPOSITORY")
    fi
    if (( lacking > 0 )); then FIND_NOTES+=("$REPOSITORY lacks $lacking of its objects"); fi
    if [[ -z $partial ]]; then partial=$index; describe_flaws "$REPOSITORY" "$lacking" "$damaged"; fi
  done
  if [[ -z $partial ]]; then return 1; fi
  select_repository "$partial" "$host"
  MANIFEST="$SCRATCH/manifest.$partial.json"
  read_facts "$MANIFEST"
  BACKUP_COMPLETE=false
  return 2
}

# note_unreachable: the selected repository to UNREACHABLE, once.
note_unreachable() {
  local words="$REPOSITORY ($REPOSITORY_SHOWN): $REPOSITORY_ERROR"
  if ! is_one_of "$words" "${UNREACHABLE[@]}"; then UNREACHABLE+=("$words"); fi
}

# no_repository: the subject of a sentence about what is in none; it claims no more than what was looked at.
no_repository() {
  if (( ${#UNREACHABLE[@]} > 0 )); then printf 'no repository that answers'
  elif [[ -n ${ONLY_REPOSITORY:-} ]]; then printf 'no repository that was asked (%s)' "$ONLY_REPOSITORY"
  else printf 'no repository'; fi
}

# no_backup_found NAME HOST: ends with 8 if an unreachable repository may hold it, with 9 if it is there and damaged,
# else with 11.
no_backup_found() {
  local what="backup $1" of="" notes="" nowhere
  if [[ $1 == latest ]]; then what="complete backup that can be trusted"; fi
  if [[ $2 != "$HOST_NAME" ]]; then of=" of host '$2'"; fi
  if (( ${#UNREACHABLE[@]} > 0 )); then
    die "$EXIT_REPOSITORY" \
      "$(no_repository) holds a $what$of, and these do not answer: $(join_words '; ' "${UNREACHABLE[@]}")" \
      "check the mount, the network and the credentials"
  fi
  if (( ${#FIND_NOTES[@]} > 0 )); then notes=" (${FIND_NOTES[-1]})"; fi
  if [[ $1 != latest ]] && backup_names "$2" | grep --line-regexp -- "$1" >/dev/null; then
    die "$EXIT_VERIFICATION" "backup $1$of is there, but cannot be used$notes" \
      "choose another one: $(as_typed list "$2")"
  fi
  nowhere="there is no $what$of"
  if [[ -n ${ONLY_REPOSITORY:-} ]]; then nowhere="$(no_repository) holds a $what$of"; fi
  die "$EXIT_NOT_FOUND" "$nowhere$notes" "see what there is: $(as_typed list "$2")"
}

# read_copies: COPIES: by "object|bytes" the indexes of the open repositories that list it, the selected first. Read
# once.
read_copies() {
  local index key order=()
  if [[ -n $COPIES_READ ]]; then return 0; fi
  COPIES=()
  for index in "${OPEN_REPOSITORIES[@]}"; do
    if [[ ${REPOSITORY_NAMES[index]} == "$REPOSITORY" ]]; then
      order=("$index" "${order[@]}")
    else
      order+=("$index")
    fi
  done
  for index in "${order[@]}"; do
    while IFS= read -r key; do COPIES[$key]+="$index "; done < <(
      awk -F '\t' '{ print $2 "|" $1 }' "$SCRATCH/objects.${REPOSITORY_NAMES[index]}.$RESTORE_HOST")
  done
  COPIES_READ=true
}
