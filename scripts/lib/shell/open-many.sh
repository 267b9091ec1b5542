# shellcheck shell=bash
# Many files that others can exchange, for programs that would open them by their names, and wait for a pipe: one
# process opens them all, looks at what it has opened, and hands its descriptors over. That one may wait, but not for
# long, and nothing else does.

# How long one file may keep that process waiting: then a pipe has taken its place, or its file system hangs.
OPEN_PATIENCE_SECONDS=5
# How many it opens at once: processes may have 1024 files open.
readonly OPEN_AT_ONCE=500

# opener: the beginning of its bash program, for "DOTS WORD... :: FILE...": words, what stands before ::, files, a
# /dev/fd/N for each file, and names, the file by N. What is no plain file is a directory there, which no program reads.
# Each file is told by a dot on the descriptor DOTS, the end by an "e".
opener() {
  cat <<'BASH'
  dots=$1 words=() files=() names=()
  shift
  while [[ $1 != :: ]]; do words+=("$1"); shift; done
  shift
  exec {none}</
  for file; do
    at=$none
    if [[ -f $file && ! -L $file ]] && exec {open}<"$file" && [[ -f /dev/fd/$open ]]; then
      at=$open names[open]=$file
    fi
    files+=("/dev/fd/$at")
    printf . >&"$dots"
  done 2>/dev/null
  printf e >&"$dots"
BASH
}

# open_many AS PROGRAM WORD... :: FILE...: opener and PROGRAM by as_backup_user or as_owner, with no more than
# OPEN_AT_ONCE files. Status 124 if a file could not be opened in time; then PROGRAM has not begun.
open_many() {
  local as=$1 program=$2 dots child letter="" quiet=0
  shift 2
  # A pipe of which this end is never closed: whatever becomes of the other one, nobody is ended by writing.
  exec {dots}<> <(:)
  "$as" "$BASH" -c "$(opener; printf '%s\n' "$program")" opener "$dots" "$@" &
  child=$!
  while [[ $letter != e ]]; do
    if read -r -N 1 -t 1 -u "$dots" letter; then quiet=0; continue; fi
    letter="" quiet=$(( quiet + 1 ))
    if has_ended "$child"; then break; fi
    if (( quiet >= OPEN_PATIENCE_SECONDS )); then
      leave_behind "$child"
      exec {dots}>&-
      return 124
    fi
  done
  exec {dots}>&-
  wait "$child"
}

# read_many BYTES COMMAND... :: FILE...: COMMAND, with the rights of the backup user, which opens plain files of no more
# than BYTES by their names. False, and COMMAND has not begun, if one of them is anything else.
read_many() { open_many as_backup_user "$(reading)" "$@"; }

# reading: the program of read_many, behind opener. What find looks at is what was opened.
reading() {
  cat <<'BASH'
  fit="$(find -L "${files[@]}" -maxdepth 0 -type f -size "-$(( ${words[0]} + 1 ))c" -printf .)"
  if (( ${#fit} != ${#files[@]} )); then exit 1; fi
  exec "${words[@]:1}" "${files[@]}"
BASH
}

# sums_of BYTES FILE...: "sha256<TAB>file" for each of them that is a plain file of no more than BYTES, in this order.
# False if one that is such could not be read.
sums_of() {
  local limit=$1 status=0
  shift
  while (( $# > 0 )); do
    open_many as_backup_user "$(summing)" "$limit" :: "${@:1:OPEN_AT_ONCE}" || status=$?
    shift "$(( $# < OPEN_AT_ONCE ? $# : OPEN_AT_ONCE ))"
  done
  return "$status"
}

# summing: the program of sums_of, behind opener.
summing() {
  cat <<'BASH'
  set -o pipefail
  find -L "${files[@]}" -maxdepth 0 -type f -size "-$(( ${words[0]} + 1 ))c" -exec openssl dgst -sha256 -r {} + |
    while read -r sum name; do
      if [[ $name =~ ^\*?/dev/fd/([0-9]+)$ ]]; then printf '%s\t%s\n' "$sum" "${names[BASH_REMATCH[1]]}"; fi
    done
BASH
}

# ends_of HEAD TAIL FILE...: of each of these files of the data's owner, in this order, its first HEAD bytes and its
# last TAIL bytes (0 for none), as unsigned numbers of four bytes with the highest first, on one line. False if one is
# no plain file of at least as many bytes, or could not be read.
ends_of() {
  local head=$1 tail=$2
  shift 2
  while (( $# > 0 )); do
    open_many as_owner "$(reading_ends)" "$head" "$tail" :: "${@:1:OPEN_AT_ONCE}" || return 1
    shift "$(( $# < OPEN_AT_ONCE ? $# : OPEN_AT_ONCE ))"
  done
}

# reading_ends: the program of ends_of, behind opener.
reading_ends() {
  cat <<'BASH'
  set -o pipefail
  head=${words[0]} tail=${words[1]}
  fit="$(find -L "${files[@]}" -maxdepth 0 -type f -size "+$(( head + tail - 1 ))c" -printf .)"
  if (( ${#fit} != ${#files[@]} )); then exit 1; fi
  numbers() { od --address-radix=n --endian=big --format=u4 --width="$1" --output-duplicates; }
  if (( tail == 0 )); then head --quiet --bytes="$head" -- "${files[@]}" | numbers "$head"; exit; fi
  paste -d ' ' <(head --quiet --bytes="$head" -- "${files[@]}" | numbers "$head") \
    <(tail --quiet --bytes="$tail" -- "${files[@]}" | numbers "$tail")
BASH
}
