# shellcheck shell=bash
# Companions on request: the files of a backup beside those in force, never over them.

# The files, and the object that holds them: of read_companions.
C_PATH=() C_MODE=() C_USER=() C_GROUP=() C_OBJECT="" C_BYTES="" C_SHA256=""

# command_companions BACKUP|latest [--target DIR] [--host NAME] [--repository NAME]: lists them, or puts them below DIR.
command_companions() {
  parse_companions_options "$@"
  load_metrics
  open_root_state
  open_state
  require_tools
  resolve_backup "$WANTED" "$RESTORE_HOST"
  read_companions
  if [[ -z $TARGET ]]; then
    say "Companions of backup $BACKUP of $RESTORE_HOST; --target DIR puts them below DIR:"
    printf '%s\n' "${C_PATH[@]}"
    return 0
  fi
  require_new_directory "$TARGET"
  make_target "$TARGET"
  fetch_companions
  say "Companions of backup $BACKUP of $RESTORE_HOST are in $TARGET; what is in force was not touched:"
  compare_companions
  explain_companions
}

# parse_companions_options ARG...: sets WANTED, TARGET (empty: list only) and what the functions of restore look at.
parse_companions_options() {
  read_options companions "$@"
  require_backup companions
  TARGET=${OPTIONS[target]:-} ONLY_REPOSITORY=${OPTIONS[repository]:-} RESTORE_HOST=${OPTIONS[host]:-$HOST_NAME}
  require_host_name "$RESTORE_HOST"
  if [[ -n $TARGET && $TARGET != /* ]]; then TARGET="$PWD/$TARGET"; fi
}

# read_companions: the arrays C_PATH, C_MODE, C_USER and C_GROUP (- where an older backup did not note them), and
# C_OBJECT, C_BYTES, C_SHA256. Ends with 11 if there are none. The manifest came from outside, so whatever becomes a
# path or an owner is checked.
read_companions() {
  local path mode user group object bytes sha256
  C_PATH=() C_MODE=() C_USER=() C_GROUP=()
  while IFS=$'\t' read -r path mode user group object bytes sha256; do
    if [[ $path != /?* || "$path/" == */../* || $path == *//* || $path == *[[:cntrl:]\\]* || ! $mode =~ ^0?[0-7]{3}$ ||
      ! $user$group =~ ^[A-Za-z0-9_.-]+$ || ! $object =~ $OBJECT_PATTERN || ! $sha256 =~ $SHA256_PATTERN ||
        ! $bytes =~ ^[0-9]+$ ]]; then
      die "$EXIT_VERIFICATION" "the manifest of $BACKUP describes the companion '$path' in a way that no backup does" \
        "use another backup or repository"
    fi
    C_PATH+=("$path") C_MODE+=("$mode") C_USER+=("$user") C_GROUP+=("$group") C_OBJECT=$object C_BYTES=$bytes \
      C_SHA256=$sha256
  done < <(jq --raw-output '.companions[]
    | [.path, .mode // "640", .user // "-", .group // "-", .object, .objectBytes, .objectSha256] | @tsv' "$MANIFEST")
  if (( ${#C_PATH[@]} == 0 )); then
    die "$EXIT_NOT_FOUND" "backup $BACKUP holds no companions" \
      "they were turned off in its host's settings (companions), or could not be read; try an older backup"
  fi
}

# fetch_companions: checked, in TARGET. A failure leaves nothing in it.
fetch_companions() {
  local part="$TARGET/.prometheus-backup-companions" index owner entry
  if ! fetch_from_any "$C_OBJECT" "$C_BYTES" "$C_SHA256" "$part" unpack_companions || ! check_companions "$part"; then
    rm -rf -- "$part"
    die "${FETCH_ERROR%% *}" "the companions of $BACKUP could not be fetched: ${FETCH_ERROR#* }" \
      "use another backup or repository; $TARGET is empty"
  fi
  find "$part" -mindepth 1 -type d -exec chmod 0755 -- {} +
  for index in "${!C_PATH[@]}"; do
    chmod -- "${C_MODE[index]}" "$part${C_PATH[index]}"
    owner="${C_USER[index]}:${C_GROUP[index]}"
    # A host without that user: what is not given away stays with the caller.
    if (( EUID == 0 )) && [[ $owner != -:- ]]; then
      chown -- "$owner" "$part${C_PATH[index]}" 2>/dev/null || chmod go= -- "$part${C_PATH[index]}"
    fi
  done
  find "$part" -mindepth 1 -maxdepth 1 -print0 | while IFS= read -r -d '' entry; do
    mv --no-target-directory -- "$entry" "$TARGET/${entry##*/}"
  done
  rmdir -- "$part"
}

# unpack_companions DIR: standard input is their object.
unpack_companions() {
  local unpacker=(zstd --decompress --stdout --quiet)
  unpack_members "$1"
}

# check_companions DIR: just the files that the manifest names, and no link among them. False sets FETCH_ERROR.
check_companions() {
  local odd
  odd="$(comm -3 <(plain_members "$1" | sed --quiet --regexp-extended '/^d /d; s|^(.) [0-9]+ |\1 /|p' | sort) <(printf 'f %s\n' "${C_PATH[@]}" | sort) | sed --quiet 1p)"
  if [[ -z $odd ]]; then return 0; fi
  FETCH_ERROR="$EXIT_VERIFICATION their object does not hold what the manifest says (${odd#"${odd%%[![:space:]]*}"})"
  return 1
}

# compare_companions: a line for each: what this host has in its place, and how many secrets are masked in it.
compare_companions() {
  local path state masked
  for path in "${C_PATH[@]}"; do
    if [[ $path == /unit.txt ]]; then state="the unit as systemd showed it, drop-ins included"
    elif [[ $path == /left-out.txt ]]; then state="what is not in the others"
    elif [[ ! -e $path ]]; then state="this host has none"
    elif cmp --silent -- "$TARGET$path" "$path"; then state="the same as in force"
    else state="differs from the one in force"; fi
    masked="$(grep --only-matching --fixed-strings '<secret>' -- "$TARGET$path" | wc -l)" || masked=0
    if (( masked > 0 )) && [[ $path != /left-out.txt ]]; then state+="; secrets masked as <secret>: $masked"; fi
    say "$(printf '  %-48s %s' "$path" "$state")"
  done
}

# explain_companions: how to put in force what differs. Only the person knows whether that is right on this host.
explain_companions() {
  local index path config="" owner commands=()
  if [[ -f $TARGET/left-out.txt ]]; then
    say ""
    head -n 20 -- "$TARGET/left-out.txt" >&2
    if (( "$(wc -l <"$TARGET/left-out.txt")" > 20 )); then say "… (all of it: $TARGET/left-out.txt)"; fi
  fi
  for index in "${!C_PATH[@]}"; do
    path="${C_PATH[index]}"
    if [[ $path == /unit.txt || $path == /left-out.txt ]] || cmp --silent -- "$TARGET$path" "$path"; then continue; fi
    if grep --quiet --extended-regexp '^(global|scrape_configs):' -- "$TARGET$path"; then config=$path; fi
    owner=""
    if [[ ${C_USER[index]} != - ]]; then owner=" --owner=${C_USER[index]} --group=${C_GROUP[index]}"; fi
    commands+=("install -D --mode=${C_MODE[index]}$owner -- $(printf '%q %q' "$TARGET$path" "$path")")
  done
  if (( ${#commands[@]} == 0 )); then return 0; fi
  if [[ -n $config ]]; then commands+=("promtool check config $(printf '%q' "$config")"); fi
  say ""
  say "To put one in force, look at the difference, put masked secrets and password files back by hand, then:"
  printf '  %s\n' "${commands[@]}" "$(loading_command)" >&2
}

# loading_command: what lets the server load its configuration. A reload may be a signal to the unit's main process,
# which would end a shell that has started the server.
loading_command() {
  local verb=reload
  read_unit
  if [[ $UNIT_PID != 0 && "$(program_name "$UNIT_PID")" != prometheus* ]]; then verb=restart; fi
  printf 'systemctl %s %s' "$verb" "$PROMETHEUS_UNIT"
}
