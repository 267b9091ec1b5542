# shellcheck shell=bash
# A repository: a folder of objects for this host. Two kinds: a path (local disk or NAS) and an rclone remote.
# Every function below works on the selected one; those that can fail return false and say why in REPOSITORY_ERROR.

# The selected repository, and whose folder it is: of select_repository.
REPOSITORY="" REPOSITORY_TYPE="" REPOSITORY_PRUNE="" REPOSITORY_HOST="" REPOSITORY_ROOT="" REPOSITORY_SHOWN=""
# Its list of objects (a file) and its manifests (a folder).
OBJECT_LIST="" MANIFESTS=""
REPOSITORY_INDEX=""  # of find_repository

# select_repository INDEX [HOST]: sets REPOSITORY (name), REPOSITORY_ROOT, REPOSITORY_SHOWN (for messages), MANIFESTS
# (folder) and REPOSITORY_PRUNE (whether this host deletes there).
select_repository() {
  local index=$1 host=${2:-$HOST_NAME}
  REPOSITORY="${REPOSITORY_NAMES[index]}"
  REPOSITORY_TYPE="${REPOSITORY_TYPES[index]}"
  REPOSITORY_PRUNE="${REPOSITORY_PRUNES[index]:-true}"
  REPOSITORY_HOST="$host"
  REPOSITORY_ROOT="${REPOSITORY_LOCATIONS[index]}/$host"
  REPOSITORY_ERROR=""
  OBJECT_LIST="$SCRATCH/objects.$REPOSITORY.$host"
  if [[ $REPOSITORY_TYPE == path ]]; then
    REPOSITORY_SHOWN="$REPOSITORY_ROOT"
    MANIFESTS="$REPOSITORY_ROOT/backups"
  else
    REPOSITORY_SHOWN="$REPOSITORY_ROOT"
    # Of the backup user, as whom rclone runs.
    MANIFESTS="${BACKUP_STATE:-$STATE_DIR}/cache/$REPOSITORY/$host/backups"
  fi
}

# find_repository NAME: sets REPOSITORY_INDEX; ends with 2 when there is none of that name.
find_repository() {
  local index
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ ${REPOSITORY_NAMES[index]} == "$1" ]]; then REPOSITORY_INDEX=$index; return 0; fi
  done
  die "$EXIT_USAGE" "there is no repository '$1'" "choose one of: ${REPOSITORY_NAMES[*]}"
}

# repository_open: repository_list, and brings MANIFESTS up to date.
repository_open() {
  repository_list || return 1
  if [[ $REPOSITORY_TYPE == rclone ]]; then fetch_manifests || return 1; fi
}

# repository_list: reads the list of objects (OBJECT_LIST: lines of bytes, object and time of writing as the
# repository's clock has it, with tabs). A place that is not the one where this host has stored its backups did not
# answer.
repository_list() {
  at_repository list >"$SCRATCH/listing" || return 1
  take_listing "$SCRATCH/listing" >"$OBJECT_LIST" || return 1
  tell_odd_names "$SCRATCH/listing"
  require_place
}

# take_listing FILE: the lines of a list (bytes, object and time, with tabs) that are about objects of this format,
# sorted by their names. A list has one line for each object, whatever its name; a name with a tab has more fields. What
# others have put there, such as the files that a NAS makes for itself, is none of ours. An object of ours without a
# size or time is not absent: False then, and REPOSITORY_ERROR says which.
take_listing() {
  local ours="$OBJECT_NAMES|owner\.json|${CATALOG//./\\.}|$PROBE_PATTERN" listed odd
  listed=$'^(0|[1-9][0-9]{0,14})\t[^\t]*\t[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$'
  { LC_ALL=C grep --text --extended-regexp $'^[^\t]*\t'"($ours)"$'(\t[^\t]*)?$' -- "$1" || true; } |
    LC_ALL=C sort -k 2 -t $'\t' >"$1.own"
  odd="$(LC_ALL=C grep --text --invert-match --extended-regexp --max-count=1 "$listed" -- "$1.own" | cut -f 2)" ||
    odd=""
  if [[ -z $odd ]]; then cat -- "$1.own"; return 0; fi
  REPOSITORY_ERROR="it lists $odd with a size or time that is none (look at that object there)"
  return 1
}

# tell_odd_names FILE: names of a list with control characters in them, which a NAS gives to none of its own files
# either.
tell_odd_names() {
  local odd first
  # rclone's list has "\n" and the like for them.
  odd="$(LC_ALL=C awk -F '\t' 'NF > 3 || /[\001-\010\012-\037\177]|\\[nrt\\]/' "$1")"
  if [[ -z $odd ]]; then return 0; fi
  first="$(cut -f 2 <<<"${odd%%$'\n'*}" | tr --complement '[:print:]\n' '?')"
  warn "repository $REPOSITORY: names with line ends or the like are there, $(wc -l <<<"$odd") in all, such as \
'${first:0:100}'; those objects are none of ours and left alone"
}

# repository_put OBJECT: stores standard input. The object is whole under its name or (path) not there at all.
repository_put() { check_object "$1" || return 1; at_repository put "$1"; }

# repository_get OBJECT [BYTES]: writes the object to standard output, or so much of it.
repository_get() { check_object "$1" || return 1; at_repository get "$@"; }

# repository_read OBJECT FILE: the object in FILE, with as many bytes as the list says. With another number it did not
# come: to rclone an object that is not there is none to print. Tried three times.
repository_read() {
  local wanted got="" try
  if ! wanted="$(object_bytes "$1")"; then REPOSITORY_ERROR="$1 is not there"; return 1; fi
  # Its size tells what is wrong with it.
  if [[ $1 == backups/* ]] && (( wanted > MANIFEST_LIMIT_BYTES )); then
    : >"$2" && truncate --size "$(( MANIFEST_LIMIT_BYTES + 1 ))" -- "$2"
    return $?
  fi
  if (( wanted > NOTE_BYTES && wanted > MANIFEST_LIMIT_BYTES )); then
    REPOSITORY_ERROR="$1 has $wanted bytes, which is more than anything has that is read whole"
    return 1
  fi
  for try in 1 2 3; do
    repository_get "$1" "$(( wanted + 1 ))" >"$2" || return 1
    got="$(stat --format %s -- "$2")" || return 1
    if [[ $got == "$wanted" ]]; then return 0; fi
    if (( try < 3 )); then sleep "$try"; fi
  done
  REPOSITORY_ERROR="$1 came with $got bytes instead of the $wanted that the repository lists"
  return 1
}

# repository_delete FILE: removes the objects that FILE names, a line each; those that are not there are no error.
repository_delete() {
  local object
  while IFS= read -r object; do check_object "$object" || return 1; done <"$1"
  if [[ -s $1 ]]; then at_repository delete "$1"; fi
}

# repository_delete_one OBJECT: the same for one.
repository_delete_one() {
  printf '%s\n' "$1" >"$SCRATCH/delete.$BASHPID"
  repository_delete "$SCRATCH/delete.$BASHPID"
}

# transfer_jobs: how many objects may be on their way to or from the selected repository at once. Each rclone keeps to a
# bandwidth limit by itself, so under one there is one rclone at a time.
transfer_jobs() {
  if [[ -n $BANDWIDTH_LIMIT && $REPOSITORY_TYPE == rclone ]]; then printf 1; else printf '%d' "$PARALLEL"; fi
}

# repository_hash FILE: reads the objects that FILE names at the far end; prints "sha256<TAB>object" for each it could
# read.
repository_hash() { at_repository hash <"$1"; }

# check_object NAME: only names of the format ever reach a path or a bucket.
check_object() {
  if [[ $1 =~ $OBJECT_PATTERN || $1 == owner.json || $1 == "$CATALOG" || $1 =~ ^$PROBE_PATTERN$ ]]; then return 0; fi
  REPOSITORY_ERROR="'$1' is not an object name of this format"
  return 1
}

# object_bytes OBJECT: its size in the list of repository_open; false if it is not there.
object_bytes() {
  awk -F '\t' -v object="$1" '$2 == object { print $1; found = 1 } END { exit !found }' "$OBJECT_LIST"
}

# require_owner: this prefix belongs to this very machine; another host, or a clone of this one, is refused with 12.
require_owner() {
  local owner id
  id="$(host_id)"
  if ! object_bytes owner.json >/dev/null; then
    require_own_marks || return 1
    printf '{"host":"%s","id":"%s","since":"%(%Y-%m-%dT%H:%M:%SZ)T"}\n' "$HOST_NAME" "$id" -1 |
      repository_put owner.json || return 1
    return 0
  fi
  repository_read owner.json "$SCRATCH/owner.$REPOSITORY" || return 1
  if ! owner="$(take_note owner "$SCRATCH/owner.$REPOSITORY" .id 2>/dev/null)"; then
    REPOSITORY_ERROR="owner.json is not in its form, so nobody can tell whose place this is; if it is this machine's, remove it"
    return 1
  fi
  if [[ $owner == "$id" ]]; then require_own_marks; return $?; fi
  if [[ $TAKE_OVER == true ]]; then
    own_marks || return 1
    printf '{"host":"%s","id":"%s","since":"%(%Y-%m-%dT%H:%M:%SZ)T"}\n' "$HOST_NAME" "$id" -1 |
      repository_put owner.json || return 1
    warn "$REPOSITORY_SHOWN belonged to another machine and now belongs to this one"
    return 0
  fi
  die "$EXIT_REFUSED" "$REPOSITORY_SHOWN belongs to another machine named '$HOST_NAME' (owner.json), and two writers would mix their blocks" \
    "give this host another name; if it replaces that machine for good, run once: prometheus-backup.sh run --take-over"
}

# host_id: what tells this machine from another one with the same host name; not the machine id itself, which is
# confidential.
host_id() {
  printf 'prometheus-backup %s %s' "$(cat /etc/machine-id 2>/dev/null || hostname)" "$HOST_NAME" |
    openssl dgst -sha256 -r | cut -c 1-64
}

# label_of KEY: the part behind "|", or nothing.
label_of() { if [[ $1 == *"|"* ]]; then printf '%s' "${1#*|}"; fi; }

# repository_fault WHAT: ends with 7 or 8 and names repository and object.
repository_fault() {
  local code=$EXIT_REPOSITORY action="check the mount, the network and the credentials"
  if [[ -z $LOCATION && $COMMAND != check ]]; then action+=": prometheus-backup.sh check"; fi
  if [[ $COMMAND == run && -s $SCRATCH/summary.$REPOSITORY ]]; then
    action="the new backup is complete there; only what came after it failed"
  elif [[ $COMMAND == run ]]; then
    action="no new backup was recorded there, the last one is untouched; the next run resumes"
  fi
  if [[ $REPOSITORY_ERROR == *"No space left"* || $REPOSITORY_ERROR == *"quota exceeded"* ]]; then code=$EXIT_SPACE; fi
  die "$code" "repository $REPOSITORY ($REPOSITORY_SHOWN): $1: ${REPOSITORY_ERROR:-unknown reason}" "$action"
}

# is_there OBJECT DIR ULID: whether the repository holds just what this block packs to, though no manifest that was
# looked at says so: one of long ago may, of a time before a restore, or one that is damaged. Sets what send sets.
is_there() {
  local object=$1 there name="$SCRATCH/there.$BASHPID"
  printf '%s\n' "$object" >"$name"
  there="$(repository_hash "$name" | cut -f 1)" || return 1
  if [[ ! $there =~ $SHA256_PATTERN || "$(pack_block "$2" "$3" | openssl dgst -sha256 -r)" != "$there "* ]]; then
    return 1
  fi
  SENT_BYTES="$(object_bytes "$object")" SENT_SHA256=$there
}
