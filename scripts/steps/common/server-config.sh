# shellcheck shell=bash
# The server's configuration file: found, changed line by line, checked by promtool, put in force and loaded. A YAML
# library would rewrite comments and layout of a file that belongs to others. What the changed file means is asked from
# Prometheus itself (parsed-config), and promtool judges it. TEXT holds the file, each line with its line end.

CONFIG='' REAL_CONFIG='' IN_FORCE_LATER=false CONFIG_CHANGED=false CONFIG_WRITTEN=false SIGNALLED=false TEXT=()

# read_server_unit: what the unit says of the server's program and arguments; it runs nothing.
read_server_unit() {
  # shellcheck disable=SC2034  # what lib/unit-command works with
  PROMETHEUS_UNIT="$UNIT" UNIT_KNOWN=true SCRATCH="$WORK"
  UNIT_USER="$(unit_property "$UNIT" User)"
  UNIT_USER="${UNIT_USER:-root}"
  unit_arguments >"$WORK/arguments"
}

# find_promtool: the one beside the server's own binary fits its version best.
find_promtool() {
  read_server_unit
  PROMTOOL="$(server_program promtool)"
  if [[ -z $PROMTOOL ]]; then
    die "$EXIT_CONFIGURATION" \
      "there is no promtool beside the program of $UNIT nor on PATH that nobody but root can change, so nothing can be checked before it is loaded; nothing was changed. Install it from the same release as Prometheus, in /usr/local/bin, say; of one that is there, give file and directories to root"
  fi
}

# promtool_check rules|config FILE: as the server's user, who reads it later. Its words go to $WORK/promtool.
promtool_check() { as_user "$UNIT_USER" "$PROMTOOL" check "$1" "$2" >"$WORK/promtool" 2>&1; }

# find_config: sets CONFIG to the file that the server reads, with its directory as the server sees it. The word of the
# server alone is not enough for a file of somebody else's. OTHER_VIEW says why it is not the file of that name on this
# host, if so.
find_config() {
  local owner said
  server_flag config.file
  CONFIG="$VALUE"
  if [[ $CONFIG != /* ]]; then
    http_get /api/v1/status/runtimeinfo
    json_value CWD
    CONFIG="$VALUE/$CONFIG"
  fi
  look_for_other_view
  if [[ -n $OTHER_VIEW ]]; then return 0; fi
  said="$(argument_value config.file "$WORK/arguments")"
  if [[ -n $said && $said != /* ]]; then said="$(unit_working_directory)/$said"; fi
  if [[ -n $said && ! $said -ef $CONFIG ]]; then
    die "$EXIT_REFUSED" "the server names $CONFIG as its configuration, but $UNIT starts it with $said; nothing was changed. Restart it if its unit was changed, or check the URL"
  fi
  owner="$(stat --dereference --format %U -- "$CONFIG")"
  if [[ -z $said && $owner != root && $owner != "$UNIT_USER" ]]; then
    die "$EXIT_REFUSED" "the server names $CONFIG as its configuration, which belongs to $owner, and $UNIT does not say so; nothing was changed. Give the file to root"
  fi
}

# look_for_other_view: a unit may have a file system of its own, where another file lies at CONFIG.
look_for_other_view() {
  local process processes
  OTHER_VIEW=''
  if [[ ! -f $CONFIG ]]; then
    OTHER_VIEW="$CONFIG is no file on this host"
    return 0
  fi
  mapfile -t processes < <(unit_processes "$UNIT")
  for process in "${processes[@]}"; do
    if ! readlink -- "/proc/$process/root" >/dev/null 2>&1; then continue; fi
    if [[ ! "/proc/$process/root$CONFIG" -ef $CONFIG ]]; then
      OTHER_VIEW="$UNIT mounts another file at $CONFIG than lies there on this host, see: systemctl cat $UNIT"
      return 0
    fi
  done
}

# run_promtool WHAT rules|config FILE: refuses with promtool's words.
run_promtool() {
  local place='' file="$3" status=0
  if [[ $3 == "$WORK"/* ]]; then
    # Where the server's user can read it.
    place="$(mktemp -d)"
    chmod 0755 "$place"
    file="$place/${3##*/}.yml"
    install -m 0644 -- "$3" "$file"
  fi
  promtool_check "$2" "$file" || status=$?
  if [[ -n $place ]]; then rm -rf -- "$place"; fi
  if ((status != 0)); then refuse_text "$1" ''; fi
}

# refuse_text WHAT ADVICE: with the words of promtool on what it does not accept; it has many more on what it does.
refuse_text() {
  awk '/^Checking / { show() } { part = part $0 "\n"; if (/FAILED/ || !/^(Checking | *SUCCESS:|$)/) bad = 1 }
    END { show() } function show() { if (bad) printf "%s", part; part = ""; bad = 0 }' "$WORK/promtool" |
      head -n 40 >"$WORK/words"
  FAILURE_DETAIL="$(cat -- "$WORK/words")"
  die "$EXIT_CONFIGURATION" "promtool does not accept $1; its words are above, nothing was changed${2:+. $2}"
}

# run_promtool_in_force LATER: judges the file in force before any change. One that names the file LATER, which is not
# there yet, is judged when it is.
run_promtool_in_force() {
  if [[ -n $OTHER_VIEW ]] || promtool_check config "$CONFIG"; then return 0; fi
  if [[ -n $1 && ! -e $1 ]] && grep -F 'does not point to an existing file' -- "$WORK/promtool" | grep -F -- "$1" >/dev/null; then
    IN_FORCE_LATER=true
    return 0
  fi
  refuse_text "$CONFIG as it is in force, before any change," ''
}

# read_config: sets TEXT to the configuration in force.
read_config() {
  CONFIG_CHANGED=false
  if [[ -n $OTHER_VIEW ]]; then return 0; fi
  REAL_CONFIG="$(realpath -- "$CONFIG")"
  cp -- "$REAL_CONFIG" "$WORK/current"
  mapfile TEXT <"$WORK/current"
  if ! print_text | cmp -s - "$WORK/current"; then
    OTHER_VIEW="$CONFIG holds NUL characters"
  fi
}

# check_text WITH ADVICE: lets promtool see TEXT in the place of the file in force, because its relative paths count
# from there.
check_text() {
  CONFIG_CHANGED=true
  write_text "$REAL_CONFIG"
  cat -- "$WORK/config" >"$WORK/judge/config"
  in_place "$WORK/judge/config" as_user "$UNIT_USER" "$PROMTOOL" check config "$CONFIG" >"$WORK/promtool" 2>&1 ||
    refuse_text "$CONFIG with $1" "$2"
}

# write_text CONFIG: TEXT goes to $WORK/config, with owner and mode of CONFIG.
write_text() {
  rm -f -- "$WORK/config"
  cp -a -- "$1" "$WORK/config"
  # Whoever may write where it lies can put a link there meanwhile.
  if [[ -L $WORK/config ]]; then die "$EXIT_REFUSED" "$1 has become a symbolic link; nothing was changed"; fi
  print_text >"$WORK/config"
}

print_text() { if ((${#TEXT[@]} > 0)); then printf '%s' "${TEXT[@]}"; fi; }

# write_config ADVICE: puts the checked text in force, with owner and mode of the old one. Others write that file, too.
write_config() {
  if [[ $CONFIG_CHANGED == false ]]; then return 0; fi
  remember_value config "$CONFIG"
  cp -a -- "$REAL_CONFIG" "$WORK/config.before"
  if ! cmp -s -- "$WORK/config.before" "$WORK/current"; then
    die "$EXIT_REFUSED" "somebody else has changed $CONFIG meanwhile, and that was left as it is. Run \`pulumi up\` again"
  fi
  CONFIG_WRITTEN=true CHANGING=true
  if ! move_into_place "$WORK/config" "$REAL_CONFIG"; then
    if is_full "${REAL_CONFIG%/*}"; then cannot_write "$REAL_CONFIG"; fi
    die "$EXIT_REFUSED" "$REAL_CONFIG cannot be replaced: it is mounted by itself, or its directory cannot be written. $1"
  fi
  CHANGED=true
}

# take_config_back: what this run has written there, and nothing that somebody else has written since.
take_config_back() {
  if [[ $CONFIG_WRITTEN == false ]] || cmp -s -- "$WORK/config.before" "$REAL_CONFIG"; then return 0; fi
  if ! cmp -s -- "$WORK/config" "$REAL_CONFIG"; then
    note "somebody else has changed $CONFIG meanwhile, and that was left as it is"
    return 1
  fi
  move_into_place "$WORK/config.before" "$REAL_CONFIG" || { note "could not bring back $REAL_CONFIG"; return 1; }
}

# find_reload_patience: sets RELOAD_SECONDS. Of each remote_write queue that changes or goes, a reload sends the rest
# first, one queue after the other, and waits for a receiver that is down until the flush deadline.
find_reload_patience() {
  local queues
  RELOAD_SECONDS=60
  http_get /metrics
  queues="$(grep -c '^prometheus_remote_storage_shards{' "$WORK/body")" || queues=0
  http_get /api/v1/status/flags
  json_value storage.remote.flush-deadline
  if [[ ${VALUE:-1m} =~ ^(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?$ ]]; then
    RELOAD_SECONDS=$((60 +
      queues * (3600 * ${BASH_REMATCH[2]:-0} + 60 * ${BASH_REMATCH[4]:-0} + ${BASH_REMATCH[6]:-0})))
  fi
  if ((RELOAD_SECONDS > 300)); then RELOAD_SECONDS=300; fi
}

# load_config WHAT: reloads the server; refuses with the words of its journal if it does not take WHAT.
load_config() {
  local status=0
  SIGNALLED=true
  find_reload_patience
  reload_server "$UNIT" "$RELOAD_SECONDS" || status=$?
  if ((status != 0)); then
    keep_journal "$UNIT" "$WORK/journal"
    die_with "$EXIT_CONFIGURATION" "$WORK/journal" \
      "$UNIT did not load its configuration with $1; the words of its journal are above"
  fi
}

# unload_config: for step_roll_back. The configuration as it was; the server follows if it had been told of the new one.
unload_config() {
  local status=0
  stop_judge
  take_config_back || status=1
  if [[ $SIGNALLED == false ]]; then return "$status"; fi
  find_reload_patience
  if ! reload_server "$UNIT" "$RELOAD_SECONDS"; then
    note "$UNIT has not reloaded its old configuration"
    status=1
  fi
  return "$status"
}

# open_config: for removal; sets TEXT, and REAL_CONFIG to the file that what was recorded leads to now. False without
# one.
open_config() {
  REAL_CONFIG="$(realpath --quiet -- "${STATE_VALUES[config]:-}")" || return 1
  if [[ ! -f $REAL_CONFIG ]]; then return 1; fi
  mapfile TEXT <"$REAL_CONFIG"
}

# put_back_text: for removal; TEXT, without what was added to it, replaces the file.
put_back_text() {
  write_text "$REAL_CONFIG"
  move_into_place "$WORK/config" "$REAL_CONFIG" ||
    die "$EXIT_REFUSED" "$REAL_CONFIG cannot be replaced: it is mounted by itself, or its directory cannot be written. Take what prometheus-backup has added out of it, and run this again"
}

# reload_after_removal CONSEQUENCE: a server that runs forgets what was removed; the files are clean, so that one
# which cannot reload for another reason is no reason to keep them.
reload_after_removal() {
  local unit="${STATE_VALUES[unit]:-}"
  if [[ -z $unit || "$(unit_property "$unit" ActiveState)" != active ]]; then return 0; fi
  use_server "${STATE_VALUES[url]}" "${STATE_VALUES[curl_config]:-}"
  find_reload_patience
  if ! reload_server "$unit" "$RELOAD_SECONDS"; then
    warn "$unit has not reloaded, so it may $1 until it does. Look at: journalctl -u $unit"
  fi
}

# remember_server: what removal needs to find the server.
remember_server() {
  remember_value unit "$UNIT"
  remember_value url "${SETTINGS[URL]}"
  remember_value curl_config "$(setting API_CURL_CONFIG '')"
}

# is_key LINE KEY: true if the top-level KEY begins in LINE; sets PLAIN to the value behind it.
is_key() {
  if [[ ! $1 =~ ^("$2"|\""$2"\"|\'"$2"\')[[:space:]]*:([[:space:]].*)?$ ]]; then return 1; fi
  plain_value "${BASH_REMATCH[2]}"
}

# plain_value TEXT: sets PLAIN to the scalar that TEXT begins with, without comment and quotes.
plain_value() {
  local text="${1#"${1%%[![:space:]]*}"}"
  if [[ $text =~ ^\"([^\"]*)\" || $text =~ ^\'([^\']*)\' ]]; then
    PLAIN="${BASH_REMATCH[1]}"
    return 0
  fi
  if [[ $text == '#'* ]]; then text=''; fi
  text="${text%%[[:space:]]#*}"
  PLAIN="${text%"${text##*[![:space:]]}"}"
}

# find_document_end: sets DOCUMENT_END to the line behind the first document of TEXT, the one that Prometheus reads.
find_document_end() {
  local index content=false
  for index in "${!TEXT[@]}"; do
    bare_line "$index"
    if [[ $LINE =~ ^(---|\.\.\.)([[:space:]]|$) ]]; then
      if [[ $content == true ]]; then
        DOCUMENT_END=$index
        return 0
      fi
      if [[ $LINE == ---* ]]; then content=true; fi
    elif [[ ! $LINE =~ ^([[:space:]]*(#.*)?|%.*)$ ]]; then
      content=true
    fi
  done
  DOCUMENT_END=${#TEXT[@]}
}

# bare_line INDEX: sets LINE to a line of TEXT without its line end.
bare_line() {
  LINE="${TEXT[$1]%$'\n'}"
  LINE="${LINE%$'\r'}"
  # A file may begin with a byte order mark.
  if (($1 == 0)); then LINE="${LINE#$'\xef\xbb\xbf'}"; fi
}

# insert_lines INDEX LINE...: puts lines after line INDEX (-1: at the start), with the line end of that file.
insert_lines() {
  local at="$1" end=$'\n' line lines=()
  shift
  if [[ ${TEXT[0]:-} == *$'\r\n' ]]; then end=$'\r\n'; fi
  for line; do lines+=("$line$end"); done
  if ((at >= 0)) && [[ ${TEXT[at]} != *$'\n' ]]; then
    # A file without a last line end stays one.
    TEXT[at]+="$end"
    lines[-1]="${lines[-1]%"$end"}"
  fi
  TEXT=("${TEXT[@]:0:at+1}" "${lines[@]}" "${TEXT[@]:at+1}")
}

# delete_lines FIRST LAST: undoes insert_lines.
delete_lines() {
  if [[ ${TEXT[$2]} != *$'\n' ]] && (($1 > 0)); then
    bare_line $(($1 - 1))
    TEXT[$1 - 1]="$LINE"
  fi
  TEXT=("${TEXT[@]:0:$1}" "${TEXT[@]:$2+1}")
}
