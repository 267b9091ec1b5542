# shellcheck shell=bash
# When this command is called next: by cron, read from its entry on this host, in the host's time zone, as cron does, or by a timer.

CRON_FILE=/etc/cron.d/prometheus-backup

# scheduled COMMAND: the five fields of the first line of the cron entry that calls this command; nothing if none does.
scheduled() {
  awk -v wanted="$1" '
    /^[[:space:]]*(#|$)/ || /^[A-Za-z_]+[[:space:]]*=/ { next }
    { called = ""; for (i = 7; i <= NF; i++) if ($i ~ /\/prometheus-backup\.sh$/) { called = ($(i + 1) ~ /^[a-z]/) ? $(i + 1) : "run"; break } }
    called == wanted { print $1, $2, $3, $4, $5; exit }' "$CRON_FILE" 2>/dev/null || true
}

# next_call COMMAND: sets NEXT_RUN, the time in seconds at which cron or a timer calls this command next, or "".
next_call() {
  if [[ $SCHEDULER == systemd ]]; then next_elapse "$1"; else next_run "$(scheduled "$1")"; fi
}

# timer_of COMMAND: the timer that calls it.
timer_of() { if [[ $1 == run ]]; then printf 'prometheus-backup.timer'; else printf 'prometheus-backup-%s.timer' "$1"; fi; }

# next_elapse COMMAND: sets NEXT_RUN to what systemd says of its timer.
next_elapse() {
  local said
  NEXT_RUN=""
  said="$(systemctl show --property=NextElapseUSecRealtime --value -- "$(timer_of "$1")" 2>/dev/null)" || said=""
  if [[ -n $said ]]; then NEXT_RUN="$(date --date="$said" +%s 2>/dev/null)" || NEXT_RUN=""; fi
}

# cron_runs: whether a cron daemon is there to read it.
cron_runs() {
  systemctl is-active --quiet cron.service crond.service 2>/dev/null || cat /proc/[0-9]*/comm 2>/dev/null | grep --quiet --line-regexp --extended-regexp 'crond?'
}

# field_values FIELD FROM TO: the numbers for which a field of a cron line stands, with blanks around each.
field_values() {
  awk -v field="$1" -v from="$2" -v to="$3" '
    function number(word, at) {
      at = index("jan feb mar apr may jun jul aug sep oct nov dec", word); if (word ~ /^[a-z]+$/ && at) return (at + 3) / 4
      at = index("sun mon tue wed thu fri sat", word); if (word ~ /^[a-z]+$/ && at) return (at - 1) / 4
      return word + 0
    }
    BEGIN {
      count = split(tolower(field), parts, ",")
      for (i = 1; i <= count; i++) {
        steps = split(parts[i], halves, "/"); step = steps == 2 ? halves[2] + 0 : 1
        if (halves[1] == "*") { first = from; last = to }
        else { ends = split(halves[1], range, "-"); first = number(range[1]); last = ends == 2 ? number(range[2]) : (steps == 2 ? to : first) }
        for (value = first; step > 0 && value <= last; value += step) printf " %d ", value
      }
    }'
}

# local_date FORMAT [TIME]: in the time zone of the host, which is that of cron. Commands themselves live in UTC.
local_date() { env --unset=TZ date ${2:+--date "$2"} "+$1"; }

# next_run FIELDS: sets NEXT_RUN, the time in seconds at which cron calls a line next, "" if it does not within a year.
next_run() {
  local minutes hours days months weekdays date day month weekday today after minute hour number fields=()
  NEXT_RUN=""
  read -r -a fields <<<"$1"
  if (( ${#fields[@]} != 5 )); then return 0; fi
  minutes="$(field_values "${fields[0]}" 0 59)" hours="$(field_values "${fields[1]}" 0 23)" days="$(field_values "${fields[2]}" 1 31)"
  months="$(field_values "${fields[3]}" 1 12)" weekdays="$(field_values "${fields[4]}" 0 7)"
  read -r today hour minute < <(local_date '%F %-H %-M')
  after=$(( hour * 60 + minute ))
  for (( number = 0; number <= 366; number++ )); do
    read -r date day month weekday < <(local_date '%F %-d %-m %w' "$today 12:00 $number days")
    if [[ $months == *" $month "* ]] && is_cron_day "${fields[2]}" "${fields[4]}"; then
      for hour in $hours; do
        for minute in $minutes; do
          if (( hour * 60 + minute > after )) && NEXT_RUN="$(local_date %s "$date $hour:$minute" 2>/dev/null)"; then return 0; fi
        done
      done
    fi
    after=-1
  done
  NEXT_RUN=""
}

# is_cron_day DAY-FIELD WEEKDAY-FIELD: whether cron runs on the caller's day and weekday: on either, unless one of the fields begins with a star.
is_cron_day() {
  local by_day=false by_weekday=false
  if [[ $days == *" $day "* ]]; then by_day=true; fi
  if [[ $weekdays == *" $weekday "* ]] || { (( weekday == 0 )) && [[ $weekdays == *" 7 "* ]]; }; then by_weekday=true; fi
  if [[ $1 == \** || $2 == \** ]]; then [[ $by_day == true && $by_weekday == true ]]; else [[ $by_day == true || $by_weekday == true ]]; fi
}

# ago SECONDS: "7 h 20 min ago", of a time.
ago() { printf '%s ago' "$(human_seconds $(( EPOCHSECONDS - $1 )))"; }
