# shellcheck shell=bash
# parts: core payload files lib/watch/cron lib/watch/schedule packages users systemd lib/server/process lib/server/own-server lib/server/answer-fault prometheus backable
# Host step backup-job: tools, the host command with its configuration, cron entry or timers, log and directories.
# `remove` takes what was installed. Backups, repository directories, the log and /var/lib/prometheus-backup
# (last results, so that a later install goes on from them) stay, and so do packages. Held blocks go: they are links to
# data of the server.

readonly STEP=backup-job
readonly STEP_SETTINGS='BACKUP_USER UNIT URL API_CURL_CONFIG PACKAGES SCHEDULER'
readonly LOG=/var/log/prometheus-backup.log STATE_DIRECTORY="${STEP_STATE_DIRECTORY:-/var/lib/prometheus-backup}"
readonly HOST_COMMAND="${STEP_HOST_COMMAND:-/usr/local/bin/prometheus-backup.sh}" \
  UNITS_DIRECTORY="${STEP_UNITS_DIRECTORY:-/etc/systemd/system}"
readonly CONFIG=/etc/prometheus-backup/prometheus-backup.conf
RUN_PATIENCE_SECONDS=300

# step_says: what is so on this host when the step has ended.
step_says() {
  local proven RUN_CALENDAR SCHEDULER DRILL_CALENDAR=""
  SCHEDULER="$(setting SCHEDULER cron)"
  proven="$(sed --regexp-extended --quiet 's/^  [^ !]+ +([^ ]+) +.*: write, read.*/\1/p' "$WORK/proof" | paste -sd ' ')"
  printf 'backups are made by %s as %s' "$SCHEDULER" "${SETTINGS[BACKUP_USER]}"
  if [[ -n $proven ]]; then printf ', which has written to and read from: %s' "$proven"; fi
  RUN_CALENDAR="$(sed --quiet "s/^RUN_CALENDAR='\(.*\)'\$/\1/p" "$CONFIG")"
  next_call run
  if [[ -n $NEXT_RUN ]]; then printf '; the next one: %s' "$(date --utc --date="@$NEXT_RUN" '+%Y-%m-%d %H:%M UTC')"; fi
}

step_install() {
  local tools
  require_setting BACKUP_USER '^[A-Za-z_][A-Za-z0-9_.-]*$' 'the name of a user'
  require_user "${SETTINGS[BACKUP_USER]}"
  require_backable "$(setting UNIT '')" "$(setting URL '')" "$(setting API_CURL_CONFIG '')"
  if [[ "$(setting SCHEDULER cron)" != systemd ]]; then require_cron_to_come; fi
  read -r -a tools <<<"$(setting PACKAGES 'curl jq zstd rclone openssl cron logrotate')"
  require_names "${tools[@]}"
  ensure_tools "${tools[@]}"
  find_timers
  if [[ "$(setting SCHEDULER cron)" == systemd ]]; then require_calendar; else require_cron; fi
  ensure_local_repositories
  ensure_own_directory "$STATE_DIRECTORY" 0750
  hand_over "$STATE_DIRECTORY"
  stop_other_timers
  put_payload_files
  drop_stale_files
  ensure_log
  prove_repositories
  settle_timers
  await_timers
  look_for_second_entry
}

# prove_repositories: a wrong key or a missing right is found now, and not by the first run at night.
prove_repositories() {
  local status=0
  as_user "${SETTINGS[BACKUP_USER]}" "$HOST_COMMAND" check --repositories </dev/null >"$WORK/proof" 2>&1 || status=$?
  if ((status != 0)); then
    die_with "$status" "$WORK/proof" \
      "the backup job of this host cannot do its work (✘ above). Mend that; for a repository that is not there yet, set \`proof: warn\` for it. Then run \`pulumi up\` again"
  fi
  sed --regexp-extended --quiet 's/^  ! [^ ]+ +/warning: /p' "$WORK/proof"
}

# require_names NAME...: what becomes an argument of a package manager.
require_names() {
  local name
  for name in "$@"; do
    if [[ ! $name =~ ^[a-z0-9][a-z0-9+.-]*$ ]]; then
      die "$EXIT_CONFIGURATION" "setting PACKAGES holds '$name', which is no package name; nothing was changed"
    fi
  done
}

# find_timers: sets TIMERS to the timers of the payload, and OTHER_TIMERS to those that were installed before and are
# not in it.
find_timers() {
  local path
  TIMERS=() OTHER_TIMERS=()
  for path in "${FILE_PATHS[@]}"; do
    if [[ $path == "$UNITS_DIRECTORY"/prometheus-backup*.timer ]]; then TIMERS+=("${path##*/}"); fi
  done
  for path in "${!STATE_FILES[@]}"; do
    if [[ $path == "$UNITS_DIRECTORY"/prometheus-backup*.timer && " ${TIMERS[*]} " != *" ${path##*/} "* ]]; then
      OTHER_TIMERS+=("${path##*/}")
    fi
  done
}

# require_calendar: a time or zone that this systemd does not know would be ignored, and the backup would never run.
require_calendar() {
  local timer line
  for timer in "${TIMERS[@]}"; do
    find_payload_file "$UNITS_DIRECTORY/$timer"
    while IFS= read -r line; do
      systemd-analyze calendar -- "${line#OnCalendar=}" >"$WORK/calendar" 2>&1 ||
        die_with "$EXIT_CONFIGURATION" "$WORK/calendar" \
        "systemd on this host does not understand the schedule '${line#OnCalendar=}'; nothing was changed. Is the zone of \`timeZone\` installed (package tzdata)? Otherwise use \`scheduler: cron\`"
    done < <(grep '^OnCalendar=' -- "$FOUND")
  done
}

# start_link TIMER / stamp TIMER: what systemd keeps of an enabled timer, and of when it elapsed.
start_link() { printf '%s/timers.target.wants/%s' "$UNITS_DIRECTORY" "$1"; }
stamp() { printf '/var/lib/systemd/timers/stamp-%s' "$1"; }

# stop_timers TIMER...: they elapse no more. A job that runs goes on.
stop_timers() {
  local timer
  for timer in "$@"; do
    systemctl stop -- "$timer" >/dev/null 2>&1 || true
    rm -f -- "$(start_link "$timer")" "$(stamp "$timer")"
  done
}

# stop_other_timers: those whose files are about to go.
stop_other_timers() {
  if ((${#OTHER_TIMERS[@]} == 0)); then return 0; fi
  CHANGING=true CHANGED=true TOUCHED_TIMERS=true
  stop_timers "${OTHER_TIMERS[@]}"
}

# settle_timers: systemd knows the units as they are, and the timers elapse from now on and after each boot.
settle_timers() {
  local timer
  if ((${#TIMERS[@]} + ${#OTHER_TIMERS[@]} == 0)); then return 0; fi
  if [[ $CHANGED == true ]]; then systemctl daemon-reload; fi
  for timer in "${TIMERS[@]}"; do
    if [[ $CHANGED == false && "$(systemctl is-enabled -- "$timer" 2>/dev/null)" == enabled ]] &&
      systemctl is-active --quiet -- "$timer"; then
      continue
    fi
    CHANGING=true CHANGED=true TOUCHED_TIMERS=true
    systemd-analyze verify --man=no -- "$UNITS_DIRECTORY/$timer" \
      "$UNITS_DIRECTORY/${timer%.timer}.service" >"$WORK/verify" 2>&1 ||
      die_with "$EXIT_CONFIGURATION" "$WORK/verify" "systemd does not take $timer and its service, see above"
    { systemctl enable --quiet -- "$timer" && restart_anew "$timer"; } >"$WORK/enable" 2>&1 ||
      die_with "$EXIT_CONFIGURATION" "$WORK/enable" "$timer cannot be started, see above"
  done
}

# step_roll_back: the files are as they were; so are the timers.
step_roll_back() {
  local timer status=0
  if [[ ${TOUCHED_TIMERS:-false} == false ]]; then return 0; fi
  systemctl daemon-reload || status=1
  for timer in "${TIMERS[@]}" "${OTHER_TIMERS[@]}"; do
    if [[ ! -e $UNITS_DIRECTORY/$timer ]]; then stop_timers "$timer"; continue; fi
    { systemctl enable --quiet -- "$timer" && restart_anew "$timer"; } >/dev/null 2>&1 ||
      { note "$timer could not be started again"; status=1; }
  done
  return "$status"
}

# ensure_local_repositories: the ones the configuration names. Directories that are there keep their owner, but
# the backup user must be able to write.
ensure_local_repositories() {
  local numbers number path host user="${SETTINGS[BACKUP_USER]}"
  find_payload_file "$CONFIG"
  host="$(sed -n "s/^HOST_NAME='\([a-z0-9.-]*\)'\$/\1/p" -- "$FOUND")"
  mapfile -t numbers < <(sed -n "s/^REPOSITORY_\([0-9]*\)_TYPE='path'\$/\1/p" -- "$FOUND")
  for number in "${numbers[@]}"; do
    path="$(sed -n "s/^REPOSITORY_${number}_LOCATION='\(.*\)'\$/\1/p" -- "$FOUND")"
    path="${path//"'\\''"/"'"}"
    if [[ $path != /?* || "$path/" == */../* || $path == *[[:cntrl:]]* ]]; then
      die "$EXIT_CONFIGURATION" "a local repository needs an absolute path, not '$path'"
    fi
    ensure_own_directory "${path%/}" 0750
    if [[ -n $host ]]; then hand_over "${path%/}/$host"; fi
    if ! as_user "$user" test -w "$path" -a -x "$path"; then
      die "$EXIT_CONFIGURATION" \
        "user $user cannot write to $path. Run: chown $user $path (and let the user pass the directories above)"
    fi
  done
}

# ensure_own_directory PATH MODE: made for the backup user, and left alone when the step goes.
ensure_own_directory() {
  local path="$1" index
  if [[ -d $path ]]; then return 0; fi
  # On a mount that takes no chown, what the user makes is the user's anyway; on one that takes nothing from root, root
  # could not.
  if made_by_user "$path" "$2"; then return 0; fi
  ensure_directory "$path" "${SETTINGS[BACKUP_USER]}:$(id -gn -- "${SETTINGS[BACKUP_USER]}")" "$2"
  for index in "${!STATE_DIRECTORIES[@]}"; do
    if [[ ${STATE_DIRECTORIES[index]} == "$path" ]]; then unset "STATE_DIRECTORIES[$index]"; fi
  done
  save_state
}

# made_by_user PATH MODE: makes PATH and what is missing above it as the backup user; false where that user may not.
made_by_user() {
  local user="${SETTINGS[BACKUP_USER]}" parent="${1%/*}"
  if [[ $user == root || -e $1 || -L $1 ]]; then return 1; fi
  if [[ -n $parent && ! -d $parent ]]; then made_by_user "$parent" 0755 || return 1; fi
  keep_for_undo "$1"
  as_user "$user" mkdir --mode="$2" -- "$1" 2>/dev/null || return 1
  CHANGED=true
}

# hand_over PATH: what root wrote there belongs to the backup user from now on: runs with the source cold are root's,
# and after a change to another source nobody else could go on from their results. Of files with several names, one
# could be a stranger's.
hand_over() {
  local path="$1" user="${SETTINGS[BACKUP_USER]}" found
  if [[ ! -d $path || -L $path ]]; then return 0; fi
  if [[ $user == root ]]; then
    take_over "$path"
    return 0
  fi
  found="$(find "$path" -xdev -user root \( -type d -o -type f -links 1 \) -print -quit)"
  if [[ -z $found ]]; then return 0; fi
  if ! find "$path" -xdev -user root \( -type d -o -type f -links 1 \) -execdir chown \
    -h -- "$user:$(id -gn -- "$user")" {} + 2>"$WORK/chown"; then
    # A file system without owners, where the mount says who may write.
    if ! as_user "$user" test -w "$path"; then warn "$path cannot be given to $user ($(tail -n 1 -- "$WORK/chown"))"; fi
    return 0
  fi
  CHANGED=true
}

# take_over PATH: what another user wrote there belongs to root from now on, who would follow what that user could still
# put there. Folders first, until there is none in which anybody else can write; then what is no file with one name
# goes, and files follow.
take_over() {
  local path="$1" others=(! -user root)
  if [[ -z "$(find "$path" -xdev "${others[@]}" -print -quit)" ]]; then return 0; fi
  CHANGED=true
  while [[ -n "$(find "$path" -xdev "${others[@]}" -type d -print -quit)" ]]; do
    if ! find "$path" -xdev "${others[@]}" -type d -execdir chown -h -- root:root {} + 2>"$WORK/chown"; then
      # A file system without owners, such as CIFS, where the mount says who may write.
      warn "$path cannot be given to root ($(tail -n 1 -- "$WORK/chown")), so its owner can still change what root reads and writes there"
      return 0
    fi
  done
  find "$path" -xdev "${others[@]}" \( ! -type f -o -links +1 \) -delete
  find "$path" -xdev "${others[@]}" -type f -execdir chown -h -- root:root {} +
  find "$path" -xdev -type d -perm /022 -execdir chmod go-w -- {} +
}

# ensure_log: exists before the first run, because cron's shell opens it as the backup user.
ensure_log() {
  local owner
  owner="${SETTINGS[BACKUP_USER]}:$(id -gn -- "${SETTINGS[BACKUP_USER]}")"
  if [[ ! -e $LOG ]]; then
    : >"$WORK/log"
    replace_file "$WORK/log" "$owner" 0644 "$LOG"
  elif ! as_user "${SETTINGS[BACKUP_USER]}" test -w "$LOG" ||
    [[ $owner == root:* && "$(stat --format %u -- "$LOG")" != 0 ]]; then
    # The course's log belongs to root, and one of before a change of the user to that user.
    chown -- "$owner" "$LOG"
    chmod -- 0644 "$LOG"
    CHANGED=true
  fi
}

# await_timers: systemd-cron makes timers of the entry, by itself but not at once. Without them no backup would start.
await_timers() {
  local try
  if [[ "$(setting SCHEDULER cron)" == systemd || ${CRON_UNIT:-} != cron.target ]]; then return 0; fi
  for ((try = 0; try < 60; try++)); do
    if [[ "$(systemctl list-units --no-legend --state=active 'cron-prometheus-backup-*.timer')" != '' ]]; then
      return 0
    fi
    sleep 0.5
  done
  die "$EXIT_VERIFICATION" \
    "systemd-cron has made no timer of /etc/cron.d/prometheus-backup, so no backup would start. Look at: systemctl status cron-update.service"
}

# look_for_second_entry: hosts set up by hand have the job in root's crontab, which would now run ours as root.
look_for_second_entry() {
  if crontab -u root -l 2>/dev/null | grep -v '^[[:space:]]*#' | grep -F prometheus-backup.sh >/dev/null; then
    warn "root's crontab on this host calls prometheus-backup.sh, too. Take that line out: sudo crontab -e"
  fi
}

step_remove() {
  end_restore
  find_timers
  await_run
  remove_metrics
  take_back_all
  forget_units
  remove_held
}

# await_run: a run that is at work would go on without the command and write its metrics once they are removed. From
# here on none begins by itself.
await_run() {
  local lock="$STATE_DIRECTORY/lock" user status=0
  stop_other_timers
  take_back /etc/cron.d/prometheus-backup
  # Whoever opens a pipe waits.
  if [[ ! -f $lock ]]; then return 0; fi
  user="$(stat --format %U -- "$STATE_DIRECTORY")"
  # Only a lock that is held speaks of a run: the user may be gone, and the file be anything.
  as_user "$user" timeout $((RUN_PATIENCE_SECONDS + 10)) flock --conflict-exit-code 75 \
    --wait "$RUN_PATIENCE_SECONDS" "$lock" true 2>/dev/null || status=$?
  if ((status != 75)); then return 0; fi
  die "$EXIT_REFUSED" "a run is at work on this host \
($(as_user "$user" timeout 5 head -c 100 -- "$lock" | tr --complement --delete '[:print:]')) \
and has not ended for $RUN_PATIENCE_SECONDS s. Wait for its end, or end it with kill, then run this again"
}

# forget_units: systemd keeps units whose last job failed, files or not.
forget_units() {
  if ((${#OTHER_TIMERS[@]} == 0)); then return 0; fi
  systemctl daemon-reload || true
  systemctl reset-failed -- "${OTHER_TIMERS[@]}" "${OTHER_TIMERS[@]/%.timer/.service}" >/dev/null 2>&1 || true
}

# end_restore: a restore that was cut off is taken back while the command is there that can do it. Then the guard of its
# unit goes, without which the unit could not start as soon as that command is gone.
end_restore() {
  local journal="$STATE_DIRECTORY-restore/switch/journal" guard
  if [[ -e $journal ]] && ! "$HOST_COMMAND" recover --serve "$journal" >"$WORK/recover" 2>&1; then
    die_with "$EXIT_REFUSED" "$WORK/recover" \
      "a restore on this host was cut off and cannot be taken back; nothing was removed. Mend what is said above, or remove $journal if the data are right"
  fi
  for guard in "$UNITS_DIRECTORY"/*.d/90-prometheus-backup-restore.conf; do
    if ! grep -qF -e "recover --before-start $journal" -- "$guard" 2>/dev/null; then continue; fi
    rm -f -- "$guard"
    rmdir -- "${guard%/*}" 2>/dev/null || true
    systemctl daemon-reload || true
  done
}

# remove_held: links that pin blocks which the server has deleted. The job names their place, so they go with its user's
# rights.
remove_held() {
  local directory='' note="$STATE_DIRECTORY/hold"
  if [[ -f $note ]]; then
    directory="$(as_user "$(stat --format %U -- "$note")" timeout 5 head -c 5000 -- "$note" | sed --quiet 1p)" ||
      directory=''
  fi
  if [[ $directory != /* || ! -d $directory/prometheus-backup-held ]]; then return 0; fi
  as_user "$(stat --format %U -- "$note")" rm -rf -- "$directory/prometheus-backup-held" ||
    warn "$directory/prometheus-backup-held could not be removed; it pins blocks that the server has deleted"
}

# remove_metrics: a file that nobody writes any more would look like a backup that has stopped.
remove_metrics() {
  local directory=''
  if [[ -r $CONFIG ]]; then
    directory="$(sed -n "s/^TEXTFILE_DIR='\(.*\)'\$/\1/p" -- "$CONFIG")"
  fi
  if [[ -z $directory && -r /etc/prometheus-backup/textfile-directory ]]; then
    directory="$(head -n 1 -- /etc/prometheus-backup/textfile-directory)"
  fi
  if [[ $directory == /* ]]; then
    rm -f -- "$directory/prometheus_backup.prom"
  fi
}

if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi
