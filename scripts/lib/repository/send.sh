# shellcheck shell=bash
# One stream into one object, hashed on its way, without a temporary copy.

# send OBJECT COMMAND...: stores what COMMAND prints as OBJECT. Sets SENT_BYTES and SENT_SHA256; tries three times.
send() {
  local object=$1 try
  check_object "$object" || return 1
  for try in 1 2 3; do
    REPOSITORY_ERROR=""
    if at_repository send "$@"; then return 0; fi
    if [[ -z $REPOSITORY_ERROR ]]; then REPOSITORY_ERROR="the data could not be read or compressed"; fi
    case "$REPOSITORY_ERROR" in
      *"No space left"* | "no answer "* | *quota* | *credentials* | *"may not do this"*)
        REPOSITORY_ERROR="$object: $REPOSITORY_ERROR"; return 1
        ;;
    esac
    if (( try < 3 )); then sleep $(( try * 2 )); fi
  done
  REPOSITORY_ERROR="$object: $REPOSITORY_ERROR (3 tries)"
  return 1
}

# send_path OBJECT COMMAND...: one try on a path: written aside, hashed as it lies there while it is flushed, renamed.
# That the name lasts as well is left to settle_path, once for all.
send_path() {
  local object=$1 target="$REPOSITORY_ROOT/$1" temp errors="$SCRATCH/error.$BASHPID" flushing
  shift
  temp="${target%/*}/.partial-$$-${BASHPID}-${target##*/}"
  if { [[ -d ${target%/*} ]] || mkdir -p -- "${target%/*}" 2>"$errors"; } && { "$@" >"$temp"; } 2>"$errors" &&
    allow_quiet "$(stat --format %s -- "$temp")" && { sync -- "$temp" 2>"$errors" & flushing=$!; } &&
    SENT_BYTES="$(stat --format %s -- "$temp")" && SENT_SHA256="$(openssl dgst -sha256 -r "$temp")" &&
    wait "$flushing" &&
    mv -fT -- "$temp" "$target" 2>"$errors"; then SENT_SHA256="${SENT_SHA256:0:64}"; return 0; fi
  rm -f -- "$temp"
  mv -fT -- "$errors" "$SCRATCH/error"
  path_failed
  return 1
}

# send_rclone OBJECT COMMAND...: one try on a remote. Fifos carry the count and the hash of what was sent, because bash
# does not tell the status of a process substitution.
send_rclone() {
  local object=$1 counter hasher status=0 base="$SCRATCH/send.$BASHPID"
  shift
  rm -f -- "$base".*
  mkfifo -- "$base.count" "$base.hash" || return 1
  wc -c <"$base.count" >"$base.bytes" &
  counter=$!
  openssl dgst -sha256 -r <"$base.hash" >"$base.sum" &
  hasher=$!
  "$@" | tee -- "$base.count" "$base.hash" | put_rclone "$object" || status=$?
  wait "$counter" || status=$?
  wait "$hasher" || status=$?
  if (( status == 0 )); then
    SENT_BYTES="$(cat -- "$base.bytes")"
    SENT_SHA256="$(cut -c 1-64 "$base.sum")"
    rm -f -- "$base".*
    return 0
  fi
  # The far end took a stream whose source failed: what it holds there now is cut off.
  if [[ -z $REPOSITORY_ERROR ]] && ! object_bytes "$object" >/dev/null; then repository_delete_one "$object" || true; fi
  return 1
}
