# shellcheck shell=bash
# parts: core payload files lib/watch/cron packages systemd users lib/server/process lib/server/own-server lib/server/answer-fault prometheus backable lib/server/unit-command
# Host step textfile-directory: the directory that node_exporter reads *.prom files from, writable for the
# backup user, proven by a metric that is written as that user and read back through node_exporter.
# Restarts node_exporter only if it has no such directory yet. An existing directory is never made anew:
# an exporter in a name space of its own would go on reading the old one.

readonly STEP=textfile-directory
readonly STEP_SETTINGS='DIRECTORY EXPORTER_UNIT EXPORTER_URL EXPORTER_CURL_CONFIG OWNER SERVER_UNIT SERVER_URL API_CURL_CONFIG'
readonly TEXTFILE_FLAG=--collector.textfile.directory COURSE_DIRECTORY=/var/lib/node_exporter/textfile_collector
readonly DEBIAN_DIRECTORY=/var/lib/prometheus/node-exporter
readonly FOUND_FILE=/etc/prometheus-backup/textfile-directory
readonly PLAIN_PATH='^(/[A-Za-z0-9._@+-]+)+/?$'
RESTORE_OWNER='' PROBE='' DROP_IN='' MISMATCH=''

# step_says: what is so on this host when the step has ended.
step_says() { printf 'node_exporter serves what %s writes to %s' "$OWNER" "$DIRECTORY"; }

step_install() {
  require_setting OWNER '^[A-Za-z_][A-Za-z0-9_.-]*$' 'the name of a user'
  OWNER="${SETTINGS[OWNER]}" EXPORTER_URL="$(setting EXPORTER_URL http://127.0.0.1:9100/metrics)"
  DIRECTORY="$(setting DIRECTORY '')" UNIT="$(setting EXPORTER_UNIT '')"
  if [[ -n $DIRECTORY && ! $DIRECTORY =~ $PLAIN_PATH || "$DIRECTORY/" == */../* ]]; then
    die "$EXIT_CONFIGURATION" "setting DIRECTORY must be a plain absolute path, not '$DIRECTORY'; nothing was changed"
  fi
  DIRECTORY="${DIRECTORY%/}"
  require_user "$OWNER"
  ensure_tools curl
  require_backable "$(setting SERVER_UNIT '')" "$(setting SERVER_URL '')" "$(setting API_CURL_CONFIG '')"
  use_server "$EXPORTER_URL" "$(setting EXPORTER_CURL_CONFIG '')"
  find_exporter
  if [[ -n $UNIT ]]; then
    DROP_IN="/etc/systemd/system/$UNIT.d/zz-prometheus-backup-textfile.conf"
    read_exporter_flags
    settle_directory
  else
    require_directory
    CONFIRMED=true NEEDS_FLAG=false
  fi
  if [[ ! $DIRECTORY =~ $PLAIN_PATH ]]; then
    die "$EXIT_REFUSED" "$UNIT reads '$DIRECTORY', which is not one plain directory; nothing was changed. Name the directory to write to in the configuration"
  fi
  make_writable
  turn_collector_on
  printf '%s\n' "$DIRECTORY" >"$WORK/found"
  KEPT_FILES+=("$FOUND_FILE")
  put_file "$WORK/found" root:root 0644 "$FOUND_FILE"
  prove_directory
}

# find_exporter: sets UNIT to the configured unit, or to the one that runs under a usual name. None is needed where the
# directory is named: an exporter in a container has none of its own, and the probe tells whether it reads that.
find_exporter() {
  local unit
  if [[ -z $UNIT ]]; then
    for unit in prometheus-node-exporter.service node_exporter.service node-exporter.service; do
      if [[ "$(unit_property "$unit" LoadState)" == loaded ]]; then UNIT="$unit"; fi
      if [[ "$(unit_property "$unit" ActiveState)" == active ]]; then break; fi
    done
    if [[ -n $DIRECTORY && -n $UNIT && "$(unit_property "$UNIT" ActiveState)" != active ]]; then UNIT=''; fi
  fi
  if [[ -n $UNIT ]]; then
    require_unit "$UNIT" node_exporter
  elif [[ -z $DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" \
      'this host has no node_exporter (prometheus-node-exporter.service or node_exporter.service), which serves the metrics of the backup; install it, or name its unit in textfile.exporterUnit; of one in a container, name the directory that is mounted into it in textfile.directory. Nothing was changed'
  fi
}

# require_directory: one that only the configuration names is never made: nobody might read it.
require_directory() {
  if [[ ! -d $DIRECTORY ]]; then
    die "$EXIT_CONFIGURATION" \
      "$DIRECTORY is no directory on this host, so no exporter reads it; nothing was changed. Make it, or correct textfile.directory"
  fi
}

# read_exporter_flags: sets IN_FORCE to the directory of the exporter, FROM_FLAG to whether a flag gave it, and
# CONFIRMED to whether its unit says so. Without a flag it is the default of the build, which Debian sets and upstream
# leaves empty. Of a start script the unit does not tell what it adds; there the running process is asked, which may say
# what it likes.
read_exporter_flags() {
  local argument previous='' program
  IN_FORCE='' FROM_FLAG=false COLLECTOR_OFF=false CONFIRMED=true
  # shellcheck disable=SC2034  # what lib/unit-command works with
  PROMETHEUS_UNIT="$UNIT" UNIT_KNOWN=true SCRATCH="$WORK"
  program="$(unit_program)"
  unit_arguments >"$WORK/arguments"
  if ! is_program "$program"; then
    CONFIRMED=false
    tr '\0' '\n' <"/proc/$(unit_property "$UNIT" MainPID)/cmdline" >"$WORK/arguments"
  fi
  while IFS= read -r argument; do
    if [[ $previous == "$TEXTFILE_FLAG" ]]; then argument="$TEXTFILE_FLAG=$argument"; fi
    case "$argument" in
      "$TEXTFILE_FLAG="*)
        FROM_FLAG=true
        # Newer exporters read several; the one that is asked for will do.
        if [[ -z $IN_FORCE || ${IN_FORCE%/} != "$DIRECTORY" ]]; then IN_FORCE="${argument#*=}"; fi
        ;;
      --no-collector.textfile | --collector.disable-defaults) COLLECTOR_OFF=true ;;
    esac
    previous="$argument"
  done <"$WORK/arguments"
  if grep -qxF -e --collector.textfile -- "$WORK/arguments"; then COLLECTOR_OFF=false; fi
  if [[ $COLLECTOR_OFF == true ]]; then
    die "$EXIT_REFUSED" "the textfile collector of $UNIT is switched off by its flags; nothing was changed. Take --no-collector.textfile away, or add --collector.textfile"
  fi
  if [[ $FROM_FLAG == false && "$(owning_package "$program")" == prometheus-node-exporter &&
    -e /etc/debian_version ]]; then
    IN_FORCE="$DEBIAN_DIRECTORY"
  fi
  # A default that was never made serves nothing; on a host set up by hand it may even lie in somebody's data.
  if [[ $FROM_FLAG == false && ! -d $IN_FORCE ]]; then IN_FORCE=''; fi
  IN_FORCE="${IN_FORCE%/}"
}

# settle_directory: sets DIRECTORY, and NEEDS_FLAG to whether the exporter must be told.
settle_directory() {
  local other
  NEEDS_FLAG=false
  if [[ -n $IN_FORCE && ( -z $DIRECTORY || $DIRECTORY == "$IN_FORCE" ) ]]; then
    DIRECTORY="$IN_FORCE"
    return 0
  fi
  if [[ $FROM_FLAG == true && ! -v STATE_FILES[$DROP_IN] ]]; then
    # It may be the same by another path: mounted into a container or into the unit, a link, or one of a pattern. The
    # probe tells.
    MISMATCH="$UNIT reads $IN_FORCE, not $DIRECTORY"
    if [[ ! -d $DIRECTORY ]]; then
      die "$EXIT_REFUSED" "$MISMATCH; nothing was changed. Leave textfile.directory unset to use that one, or change the flag of the unit"
    fi
    CONFIRMED=true
    return 0
  fi
  if [[ -n $IN_FORCE && $FROM_FLAG == false ]]; then
    for other in "$IN_FORCE"/*.prom; do
      if [[ -e $other ]]; then
        die "$EXIT_REFUSED" "$UNIT reads $IN_FORCE, where $other would get lost if it read $DIRECTORY instead; nothing was changed. Leave the directory unset to use that one"
      fi
    done
  fi
  DIRECTORY="${DIRECTORY:-$COURSE_DIRECTORY}"
  CONFIRMED=true NEEDS_FLAG=true
}

# make_writable: a directory of root goes to the backup user; one of somebody else's gets its group, if nobody loses
# anything by that.
make_writable() {
  local owner group mode real
  if [[ ! -d $DIRECTORY ]]; then
    ensure_directory "$DIRECTORY" "$OWNER:$(id -gn -- "$OWNER")" 0755
    return 0
  fi
  if as_user "$OWNER" test -w "$DIRECTORY" -a -x "$DIRECTORY"; then return 0; fi
  real="$(realpath -- "$DIRECTORY")"
  if [[ $CONFIRMED == false ]] || ! leads_by_root "$DIRECTORY"; then
    refuse_directory "only the running process names it, or a link that is not root's leads there"
  fi
  read -r owner group mode <<<"$(stat -c '%u %g %a' -- "$real")"
  # Its members keep what all others may; more than that, and they would lose it with the group.
  if ((owner != 0)) && { (((8#$mode >> 3 & 7) != (8#$mode & 7))) || has_acl "$real"; }; then
    refuse_directory "it belongs to $(stat -c '%U:%G, mode %a' -- "$real"), and others would lose access with it"
  fi
  if [[ ! -v STATE_VALUES[owner_before] ]]; then
    remember_value owner_before "$owner:$group $mode $real"
  fi
  RESTORE_OWNER="$owner:$group $mode $real"
  CHANGING=true CHANGED=true
  if ((owner == 0)); then
    in_directory "$real" chown -- "$OWNER" .
    in_directory "$real" chmod -- u+rwx .
  else
    in_directory "$real" chgrp -- "$(id -g -- "$OWNER")" .
    in_directory "$real" chmod -- g+rwx .
  fi
}

# refuse_directory REASON: with ways that take nothing from anybody.
refuse_directory() {
  die "$EXIT_REFUSED" "$OWNER cannot write to $DIRECTORY, and nothing is changed there: $1. Run: setfacl --modify user:$OWNER:rwx $DIRECTORY/ (or add $OWNER to a group that may), and \`pulumi up\` again"
}

# has_acl PATH: true if its mode is not all that says who may do what there.
has_acl() { [[ "$(LC_ALL=C ls -ld -- "$1")" == ??????????+* ]]; }

# leads_by_root PATH: true if every symbolic link on the way is where only root can put one.
leads_by_root() {
  local path="$1" target
  while [[ -n $path ]]; do
    if [[ -L $path ]]; then
      if ! belongs_to_root "$(realpath -- "${path%/*}/")"; then return 1; fi
      target="$(readlink -- "$path")"
      if [[ $target != /* ]]; then target="${path%/*}/$target"; fi
      if ! leads_by_root "${target%/}"; then return 1; fi
    fi
    path="${path%/*}"
  done
}

# restore_owner "UID:GID MODE DIRECTORY"
restore_owner() {
  local owner mode directory
  read -r owner mode directory <<<"$1"
  if [[ -d $directory ]]; then
    in_directory "$directory" chown -- "$owner" . && in_directory "$directory" chmod -- "$mode" .
  fi
}

# turn_collector_on: a drop-in with the flag, and the one restart of the exporter.
turn_collector_on() {
  if [[ -n $DROP_IN && -v STATE_FILES[$DROP_IN] ]]; then KEPT_FILES+=("$DROP_IN"); fi
  if [[ $NEEDS_FLAG == false ]]; then return 0; fi
  find_exec_start "$UNIT" "$DROP_IN" "$TEXTFILE_FLAG=$DIRECTORY"
  if unit_mentions "$UNIT" "$TEXTFILE_FLAG"; then
    die "$EXIT_REFUSED" "$UNIT has $TEXTFILE_FLAG in its settings but runs without it; nothing was changed. Run: systemctl restart $UNIT"
  fi
  put_drop_in "$UNIT" "$DROP_IN" "$EXEC_COMMAND $TEXTFILE_FLAG=$DIRECTORY" "$TEXTFILE_FLAG" "$TEXTFILE_FLAG=$DIRECTORY"
  remember_value unit "$UNIT"
  note "restarting $UNIT to turn its textfile collector on"
  if ! restart_unit "$UNIT"; then
    keep_journal "$UNIT" "$WORK/journal"
    die_with "$EXIT_CONFIGURATION" "$WORK/journal" "$UNIT does not start with $TEXTFILE_FLAG, its last words are above"
  fi
}

# prove_directory: a metric written as the backup user must come back through node_exporter.
prove_directory() {
  local value="$RANDOM$RANDOM" try
  PROBE="$DIRECTORY/prometheus_backup_probe.prom"
  printf '# HELP prometheus_backup_probe Written and removed by the installation of prometheus-backup.\n# TYPE prometheus_backup_probe gauge\nprometheus_backup_probe %s\n' "$value" >"$WORK/probe"
  # shellcheck disable=SC2016 # expanded by the shell of the backup user
  as_user "$OWNER" /bin/sh -c 'umask 022; cat >"$1.new" && mv -f "$1.new" "$1"' sh "$PROBE" <"$WORK/probe" ||
    die "$EXIT_CONFIGURATION" "user $OWNER cannot write to $DIRECTORY; may it pass all directories above it?"
  for try in 1 2 3 4 5 6 7 8 9 10; do
    http_get ''
    if [[ $HTTP_STATUS == 200 ]] &&
      awk -v want="$value" '$1 == "prometheus_backup_probe" && $2 + 0 == want + 0 { found = 1 } END { exit !found }' \
      "$WORK/body"; then
      rm -f -- "$PROBE"
      return 0
    fi
    if [[ $HTTP_STATUS =~ ^4 ]] || grep -qi certificate -- "$WORK/curl"; then break; fi
    if ((try < 10)); then sleep 1; fi
  done
  rm -f -- "$PROBE"
  explain_exporter
}

# explain_exporter: ends the step, with what kept the probe from being served as far as it can be seen.
explain_exporter() {
  local words FAULT REMEDY
  words="$(curl_words "$WORK/curl")"
  explain_answer "$HTTP_STATUS" "$WORK/body" "$words" textfile.exporterUrl textfile.exporterCredentials \
    "${SETTINGS[EXPORTER_CURL_CONFIG]:-}"
  if [[ -n $FAULT ]]; then
    die "$EXIT_VERIFICATION" "$EXPORTER_URL $FAULT. $REMEDY"
  elif [[ $HTTP_STATUS != 200 ]]; then
    die "$EXIT_VERIFICATION" \
      "$EXPORTER_URL does not answer as node_exporter does (HTTP $HTTP_STATUS${words:+, $words}). Correct textfile.exporterUrl"
  fi
  if [[ -n $UNIT ]]; then keep_journal "$UNIT" "$WORK/journal"; else : >"$WORK/journal"; fi
  die_with "$EXIT_VERIFICATION" "$WORK/journal" \
    "$EXPORTER_URL does not serve a metric written to $DIRECTORY${MISMATCH:+ ($MISMATCH)}. May the user of ${UNIT:-that exporter} read it, and is the URL that of this exporter? One in a container reads it under another name: textfile.directory is its name on this host"
}

step_roll_back() {
  if [[ -n $PROBE ]]; then rm -f -- "$PROBE" "$PROBE.new"; fi
  if [[ -n $RESTORE_OWNER ]]; then restore_owner "$RESTORE_OWNER" || return 1; fi
  if [[ $RELOADED == true ]]; then systemctl daemon-reload; fi
  if [[ $RESTARTED == true ]]; then restart_anew "$UNIT" || return 1; fi
}

step_remove() {
  local unit="${STATE_VALUES[unit]:-}" directory=''
  if [[ -r $FOUND_FILE ]]; then
    directory="$(head -n 1 -- "$FOUND_FILE")"
    rm -f -- "$directory/prometheus_backup.prom" "$directory/prometheus_backup_probe.prom"
  fi
  if [[ -n ${STATE_VALUES[owner_before]:-} ]] && ! restore_owner "${STATE_VALUES[owner_before]}"; then
    warn "what had owner and mode ${STATE_VALUES[owner_before]} before is no directory by that path any more; nothing was changed there"
  fi
  take_back_all
  if [[ -n $unit ]]; then
    systemctl daemon-reload
    if systemctl is-active --quiet -- "$unit"; then restart_anew "$unit"; fi
  fi
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
