# shellcheck shell=bash
# The server's configuration file: found, changed line by line, checked by promtool, put in force and loaded.
# A YAML library would rewrite comments and layout of a file that belongs to others. What is not understood is
# refused, and promtool has the last word. TEXT holds the file, each line with its line end.

CONFIG='' REAL_CONFIG='' NEW_CONFIG='' CONFIG_CHANGED=false SIGNALLED=false TEXT=()

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
    die "$EXIT_CONFIGURATION" "there is no promtool beside the program of $UNIT nor on PATH that nobody but root can change, so nothing can be checked before it is loaded; nothing was changed. Install it from the same release as Prometheus"
  fi
}

# promtool_check rules|config FILE: as the server's user, who reads it later. Its words go to $WORK/promtool.
promtool_check() { as_user "$UNIT_USER" "$PROMTOOL" check "$1" "$2" >"$WORK/promtool" 2>&1; }

# find_config: sets CONFIG to the file that the server reads, with its directory as the server sees it. The word of the server alone is not enough
# for a file of somebody else's.
find_config() {
  local owner said
  server_flag config.file
  CONFIG="$VALUE"
  if [[ $CONFIG != /* ]]; then
    http_get /api/v1/status/runtimeinfo
    json_value CWD
    CONFIG="$VALUE/$CONFIG"
  fi
  if [[ ! -f $CONFIG ]]; then
    die "$EXIT_CONFIGURATION" "the server names $CONFIG as its configuration, which is no file on this host; nothing was changed"
  fi
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
  if ((status != 0)); then
    die_with "$EXIT_CONFIGURATION" "$WORK/promtool" "promtool does not accept $1; its words are above, nothing was changed"
  fi
}

# read_config: sets TEXT to the configuration in force.
read_config() {
  REAL_CONFIG="$(realpath -- "$CONFIG")"
  CONFIG_CHANGED=false
  mapfile TEXT <"$REAL_CONFIG"
}

# check_text WITH ADVICE: lets promtool see TEXT beside the file in force, because its relative paths count from there.
check_text() {
  local status=0
  CONFIG_CHANGED=true
  write_text "$REAL_CONFIG"
  # Beside the old one, and gone again before anything else happens.
  NEW_CONFIG="$(mktemp -- "${REAL_CONFIG%/*}/.${REAL_CONFIG##*/}.XXXXXXXX")"
  cp -a --remove-destination -- "$WORK/config" "$NEW_CONFIG"
  promtool_check config "$NEW_CONFIG" || status=$?
  rm -f -- "$NEW_CONFIG"
  if ((status != 0)); then
    die_with "$EXIT_CONFIGURATION" "$WORK/promtool" "promtool does not accept $CONFIG with $1; its words are above, nothing was changed. $2"
  fi
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

# write_config: puts the checked text in force, with owner and mode of the old one.
write_config() {
  if [[ $CONFIG_CHANGED == false ]]; then return 0; fi
  remember_value config "$REAL_CONFIG"
  keep_for_undo "$REAL_CONFIG"
  move_into_place "$WORK/config" "$REAL_CONFIG" || cannot_write "$REAL_CONFIG"
  CHANGED=true
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
    RELOAD_SECONDS=$((60 + queues * (3600 * ${BASH_REMATCH[2]:-0} + 60 * ${BASH_REMATCH[4]:-0} + ${BASH_REMATCH[6]:-0})))
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
    die_with "$EXIT_CONFIGURATION" "$WORK/journal" "$UNIT did not load its configuration with $1; the words of its journal are above"
  fi
}

# unload_config: for step_roll_back. The files are as they were; the server follows if it had been told of the new ones.
unload_config() {
  if [[ -n $NEW_CONFIG ]]; then rm -f -- "$NEW_CONFIG"; fi
  if [[ $SIGNALLED == false ]]; then return 0; fi
  find_reload_patience
  if ! reload_server "$UNIT" "$RELOAD_SECONDS"; then
    note "$UNIT has not reloaded its old configuration"
    return 1
  fi
}

# put_back_text CONFIG: for removal; TEXT, without what was added to it, replaces CONFIG.
put_back_text() {
  write_text "$1"
  move_into_place "$WORK/config" "$1"
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

# bare_line INDEX: sets LINE to a line of TEXT without its line end.
bare_line() {
  LINE="${TEXT[$1]%$'\n'}"
  LINE="${LINE%$'\r'}"
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
