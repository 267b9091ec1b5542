# shellcheck shell=bash
# Files and directories on the host, what was there before, and the way back.
# Two records: STATE_* (kept on disk, for `remove`) and UNDO_* (this run only, for a failing install).

declare -A STATE_FILES=() STATE_VALUES=()
STATE_DIRECTORIES=()
UNDO_PATHS=() UNDO_COPIES=()

# load_state: reads what earlier runs of this step recorded.
load_state() {
  local kind key value
  if [[ ! -e $LIBRARY/$STEP.state ]]; then return 0; fi
  while IFS=$'\t' read -r kind key value; do
    case "$kind" in
      file) STATE_FILES[$value]="$key" ;;
      directory) STATE_DIRECTORIES+=("$value") ;;
      value) STATE_VALUES[$key]="$value" ;;
      *) die "$EXIT_UNEXPECTED" "$LIBRARY/$STEP.state has a line that is not understood; nothing was changed" ;;
    esac
  done <"$LIBRARY/$STEP.state"
}

# save_state: written before the change it describes, so that a killed run can still be removed.
save_state() {
  local key
  {
    for key in "${!STATE_FILES[@]}"; do printf 'file\t%s\t%s\n' "${STATE_FILES[$key]}" "$key"; done
    for key in "${STATE_DIRECTORIES[@]}"; do printf 'directory\t-\t%s\n' "$key"; done
    for key in "${!STATE_VALUES[@]}"; do printf 'value\t%s\t%s\n' "$key" "${STATE_VALUES[$key]}"; done
  } | sort >"$WORK/state"
  if ! is_installed "$WORK/state" root:root 0600 "$LIBRARY/$STEP.state"; then
    replace_file "$WORK/state" root:root 0600 "$LIBRARY/$STEP.state"
  fi
}

# remember_value KEY VALUE: something else that remove needs to know.
remember_value() {
  STATE_VALUES[$1]="$2"
  save_state
}

# remember_file PATH: records whether PATH was there before this step first touched it, with a copy of it.
remember_file() {
  local copy=-
  if [[ -v STATE_FILES[$1] ]]; then return 0; fi
  if [[ -e $1 || -L $1 ]]; then
    copy="$(printf '%s' "$1" | sha256sum)"
    copy="${copy:0:16}"
    mkdir -p -- "$LIBRARY/$STEP.before"
    cp -a -- "$1" "$LIBRARY/$STEP.before/$copy"
  fi
  STATE_FILES[$1]="$copy"
  save_state
}

# is_installed SOURCE OWNER MODE TARGET: true if TARGET has exactly this content, owner and mode.
is_installed() {
  [[ -f $4 && ! -L $4 ]] && [[ "$(stat -c '%U:%G 0%a' -- "$4")" == "$2 $3" ]] && cmp -s -- "$1" "$4"
}

# keep_for_undo PATH: so that roll_back can bring back what PATH is now.
keep_for_undo() {
  local copy=''
  mkdir -p -- "$WORK/undo"
  if [[ -e $1 || -L $1 ]]; then
    copy="$WORK/undo/${#UNDO_PATHS[@]}"
    cp -a -- "$1" "$copy"
  fi
  UNDO_PATHS+=("$1")
  UNDO_COPIES+=("$copy")
  CHANGING=true
}

# move_into_place SOURCE TARGET: whole or not at all; a script that runs keeps its old file.
move_into_place() {
  local temp
  # The name ends in no suffix that anybody reads (.prom, .conf, .yml).
  temp="$(mktemp -- "${2%/*}/.${2##*/}.XXXXXXXX" 2>/dev/null)" || return 1
  if cp -a --remove-destination -- "$1" "$temp" 2>/dev/null && mv -fT -- "$temp" "$2"; then
    return 0
  fi
  rm -f -- "$temp"
  return 1
}

# replace_file SOURCE OWNER MODE TARGET: installs without a record for remove.
replace_file() {
  keep_for_undo "$4"
  cp -- "$1" "$WORK/new"
  chown -- "$2" "$WORK/new" || die "$EXIT_CONFIGURATION" \
    "$4 cannot be given to $2 on this host; is there such a user and group?"
  chmod -- "$3" "$WORK/new"
  move_into_place "$WORK/new" "$4" || cannot_write "$4"
  CHANGED=true
}

# put_file SOURCE OWNER MODE TARGET: installs and records, unless TARGET is already just that.
put_file() {
  if is_installed "$@" && [[ -v STATE_FILES[$4] ]]; then return 0; fi
  ensure_directory "${4%/*}" root:root 0755
  remember_file "$4"
  if ! is_installed "$@"; then
    replace_file "$@"
  fi
}

# put_payload_files: all files and blobs of the payload, in its order.
put_payload_files() {
  local index
  for index in "${!FILE_PATHS[@]}"; do
    put_file "$WORK/files/$index" "${FILE_OWNERS[index]}" "${FILE_MODES[index]}" "${FILE_PATHS[index]}"
  done
}

# ensure_directory PATH OWNER MODE: makes PATH and its parents if they are missing; never changes one that is there.
ensure_directory() {
  local parent="${1%/*}"
  if [[ -d $1 ]]; then return 0; fi
  if [[ -e $1 ]]; then
    die "$EXIT_CONFIGURATION" "$1 must be a directory, but it is a file; move it away or configure another path"
  fi
  if [[ -n $parent && ! -d $parent ]]; then
    ensure_directory "$parent" root:root 0755
  fi
  STATE_DIRECTORIES+=("$1")
  if [[ $1 != "$LIBRARY" ]]; then save_state; fi
  keep_for_undo "$1"
  mkdir -- "$1" 2>/dev/null || cannot_write "$1"
  chown -- "$2" "$1" 2>"$WORK/chown" ||
    die_with "$EXIT_CONFIGURATION" "$WORK/chown" \
    "$1 cannot be given to $2 on this host; is there such a user and group, and does its file system have owners?"
  chmod -- "$3" "$1"
  CHANGED=true
}

# install_program: the program itself, which is what `remove` will run.
install_program() {
  CHANGING=true
  ensure_directory "$LIBRARY" root:root 0755
  if ! is_installed "$0" root:root 0755 "$LIBRARY/$STEP.sh"; then
    replace_file "$0" root:root 0755 "$LIBRARY/$STEP.sh"
  fi
  # The copy in /tmp may be gone when a later change of this step's settings needs the toolkit again.
  if ! is_installed "$TOOLKIT" root:root 0644 "$LIBRARY/toolkit"; then
    replace_file "$TOOLKIT" root:root 0644 "$LIBRARY/toolkit"
  fi
  save_state
}

# take_back PATH: what PATH was before this step first touched it.
take_back() {
  local copy="${STATE_FILES[$1]:--}"
  if [[ $copy == - ]]; then
    if [[ -e $1 || -L $1 ]]; then
      keep_for_undo "$1"
      rm -f -- "$1"
      CHANGED=true
    fi
  elif [[ -e $LIBRARY/$STEP.before/$copy || -L $LIBRARY/$STEP.before/$copy ]]; then
    keep_for_undo "$1"
    move_into_place "$LIBRARY/$STEP.before/$copy" "$1"
    CHANGED=true
  fi
}

# drop_stale_files: what an earlier payload brought and this one no longer has. Paths in KEPT_FILES are the step's own.
KEPT_FILES=()
drop_stale_files() {
  local path wanted
  for path in "${!STATE_FILES[@]}"; do
    for wanted in "${FILE_PATHS[@]}" "${KEPT_FILES[@]}"; do
      if [[ $path == "$wanted" ]]; then continue 2; fi
    done
    take_back "$path"
    unset "STATE_FILES[$path]"
  done
  save_state
}

# roll_back: undoes this run, newest change first. Called with errexit off, so each step checks itself.
roll_back() {
  local index path copy status=0
  for ((index = ${#UNDO_PATHS[@]} - 1; index >= 0; index--)); do
    path="${UNDO_PATHS[index]}" copy="${UNDO_COPIES[index]}"
    if [[ -n $copy ]]; then
      move_into_place "$copy" "$path" || { note "could not bring back $path"; status=1; }
    elif [[ -d $path && ! -L $path ]]; then
      rmdir -- "$path" 2>/dev/null
    else
      rm -f -- "$path" || { note "could not remove $path"; status=1; }
    fi
  done
  if [[ ! -e $LIBRARY/$STEP.state ]]; then
    rm -rf -- "$LIBRARY/$STEP.before"
    rmdir -- "$LIBRARY" 2>/dev/null
  fi
  if declare -F step_roll_back >/dev/null; then
    step_roll_back || status=1
  fi
  return "$status"
}

# take_back_all: for remove. Directories go only if this step made them and nothing else is in them.
take_back_all() {
  local path
  for path in "${!STATE_FILES[@]}"; do
    take_back "$path"
  done
  while IFS= read -r path; do
    if [[ -n $path && $path != "$LIBRARY" ]]; then rmdir -- "$path" 2>/dev/null || true; fi
  done < <(printf '%s\n' "${STATE_DIRECTORIES[@]}" /etc/prometheus-backup/credentials \
    /etc/prometheus-backup/remote-write /etc/prometheus-backup | sort -r)
}

# forget_step: the last act of remove.
forget_step() {
  rm -rf -- "$LIBRARY/$STEP.before"
  rm -f -- "$LIBRARY/$STEP.state" "$LIBRARY/$STEP.sh"
  # The last step takes the toolkit along.
  if ! compgen -G "$LIBRARY/*.sh" >/dev/null; then rm -f -- "$LIBRARY/toolkit"; fi
  rmdir -- "$LIBRARY" 2>/dev/null || true
  printf 'removed\n'
}
