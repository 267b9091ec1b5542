# shellcheck shell=bash
# Repository on a mounted path. A write is a new file, flushed, then renamed: there is never half an object under its
# name. The folder of a host may be a symbolic link, which find only follows with a slash behind it.

# list_path: see repository_open. A repository whose own folder is missing is an unmounted disk, not an empty
# repository. Nor is one empty whose folder for this host cannot be looked at, or leads nowhere.
list_path() {
  if [[ ! -d ${REPOSITORY_ROOT%/*} ]]; then
    REPOSITORY_ERROR="${REPOSITORY_ROOT%/*} does not exist (is its file system mounted?)"
    return 1
  fi
  if [[ ! -L $REPOSITORY_ROOT ]] && ! stat -- "$REPOSITORY_ROOT" >/dev/null 2>"$SCRATCH/error"; then
    if [[ "$(<"$SCRATCH/error")" == *": No such file or directory"?(" (os error 2)") ]]; then return 0; fi
    path_failed
    return 1
  fi
  if [[ ! -d $REPOSITORY_ROOT ]]; then
    REPOSITORY_ERROR="$REPOSITORY_ROOT is no directory and no link to one (is its file system mounted?)"
    return 1
  fi
  lines_path ""
}

# marks_path: the same of marks/, as the repository has it now.
marks_path() { lines_path marks/; }

# lines_path FOLDER: a line for each file below it: bytes, name and time, with tabs. A line end in a name is there as an
# octet that no name of ours has.
lines_path() {
  if as_backup_user find "$REPOSITORY_ROOT/$1" -type f ! -name '.partial-*' \
    -printf "%s\\t$1%P\\t%TY-%Tm-%Td %TH:%TM:%.2TS\\0" 2>"$SCRATCH/error" | tr '\n\0' '\001\n'; then return 0; fi
  path_failed
  return 1
}

# is_bare_path: whether no host has a repository beside that of this one.
is_bare_path() { [[ -z "$(compgen -G "${REPOSITORY_ROOT%/*}/*/owner.json")" ]]; }

# put_path OBJECT: see repository_put.
put_path() {
  # The name of the error file is made here: in a redirection, BASHPID is that of the child.
  local target="$REPOSITORY_ROOT/$1" temp errors="$SCRATCH/error.$BASHPID"
  temp="${target%/*}/.partial-$$-${BASHPID}-${target##*/}"
  if mkdir -p -- "${target%/*}" 2>"$errors" &&
    cat 2>"$errors" >"$temp" &&
    sync -- "$temp" 2>"$errors" &&
    mv -fT -- "$temp" "$target" 2>"$errors" &&
    sync -- "${target%/*}" 2>"$errors"; then rm -f -- "$errors"; return 0; fi
  rm -f -- "$temp"
  mv -fT -- "$errors" "$SCRATCH/error"
  path_failed
  return 1
}

# get_path OBJECT: see repository_get.
get_path() {
  if [[ -e $REPOSITORY_ROOT/$1 && ! -f $REPOSITORY_ROOT/$1 ]]; then REPOSITORY_ERROR="$1 is no plain file"; return 1; fi
  if as_backup_user dd if="$REPOSITORY_ROOT/$1" "${READ_NOW[@]}" ${2:+count="$2"} 2>"$SCRATCH/error"; then return 0; fi
  path_failed
  return 1
}

# settle_path: whatever happens to the power from here on, what send_path stored is there under its name.
settle_path() {
  if find "$REPOSITORY_ROOT/" -maxdepth 1 -type d -exec sync -- {} + 2>"$SCRATCH/error"; then return 0; fi
  path_failed
  return 1
}

# delete_path FILE: see repository_delete.
delete_path() {
  local object
  while IFS= read -r object; do
    if ! rm -f -- "${REPOSITORY_ROOT:?}/$object" 2>"$SCRATCH/error"; then path_failed; return 1; fi
  done <"$1"
}

# sweep_path: removes unfinished writes of runs that are dead; called under the lock.
sweep_path() {
  find "$REPOSITORY_ROOT/" -type f -name '.partial-*' -delete 2>/dev/null || true
}

# remove_own_partials STATUS: the exit hook of a run. Jobs that a signal stopped leave unfinished writes, which may be
# large.
remove_own_partials() {
  local index
  if (( $1 == 0 )); then return 0; fi
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ ${REPOSITORY_TYPES[index]} == path ]]; then
      select_repository "$index"
      within_limit find "$REPOSITORY_ROOT/" -type f -name ".partial-$$-*" -delete 2>/dev/null
    fi
  done
  return 0
}

# hash_path: for object names on standard input, "sha256<TAB>object" lines, without a sum for those that are not there,
# are no plain file, or that the disk does not give. False if anything else kept one from being read. Many are read by
# one program; what has no sum then is read by itself, which tells why.
hash_path() {
  local object objects=() file sum limit status=0
  local -A known=()
  mapfile -t objects
  if (( ${#objects[@]} > 1 )); then
    limit="$(largest_object "${objects[@]}")"
    { sums_of "$limit" "${objects[@]/#/"$REPOSITORY_ROOT/"}" 2>/dev/null || true; } |
      while IFS=$'\t' read -r sum file; do known[${file#"$REPOSITORY_ROOT/"}]=$sum; done
  fi
  for object in "${objects[@]}"; do
    sum=${known[$object]:-}
    if [[ -z $sum ]]; then hash_one "$object" || status=1; fi
    printf '%s\t%s\n' "$sum" "$object"
  done
  return "$status"
}

# hash_one OBJECT: sets the caller's sum for hash_path. False, with REPOSITORY_ERROR, if anything but the object kept it
# from being read.
hash_one() {
  local file="$REPOSITORY_ROOT/$1" words="$SCRATCH/hash.$BASHPID" limit
  limit="$(largest_object "$1")"
  : >"$words"
  if [[ -f $file || ! -e $file ]]; then
    sum="$(as_backup_user dd if="$file" "${READ_NOW[@]}" count="$(( limit + 1 ))" 2>"$words" |
      openssl dgst -sha256 -r | cut -c 1-64)" || sum=""
  fi
  if [[ -n $sum || ! -f $file ]] || grep --quiet --ignore-case 'input/output error' -- "$words"; then return 0; fi
  REPOSITORY_ERROR="no checksum of $file could be worked out (dd or openssl failed, or was killed)"
  if ! as_backup_user test -r "$file"; then REPOSITORY_ERROR="'$BACKUP_USER' may not read $file"; fi
  return 1
}

# largest_object OBJECT...: the largest size that the list has for one of them: what has more now has been exchanged.
# Of what is not listed nobody knows.
largest_object() {
  local list=$OBJECT_LIST
  if [[ ! -f $list ]]; then list=/dev/null; fi
  printf '%s\n' "$@" | awk -F '\t' 'FILENAME == ARGV[1] { size[$2] = $1; next }
    { bytes = $1 in size ? size[$1] + 0 : 1e15; if (bytes > most) most = bytes } END { printf "%.0f\n", most }' \
    "$list" -
}

# path_failed: sets REPOSITORY_ERROR from the tool's words.
path_failed() {
  REPOSITORY_ERROR="$(head -c 300 -- "$SCRATCH/error" 2>/dev/null | tail -n 1)"
  REPOSITORY_ERROR="${REPOSITORY_ERROR#*: }"
}
