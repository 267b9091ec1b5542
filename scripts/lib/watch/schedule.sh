# shellcheck shell=bash
# When this command is called next: by the entry of cron on this host, or by a timer. Systemd does the counting for
# both.

NEXT_RUN=""  # of next_call

CRON_FILE=/etc/cron.d/prometheus-backup  # the entry of the schedule

# scheduled COMMAND: the five fields of the first line of the cron entry that calls this command; nothing if none does.
scheduled() {
  awk -v wanted="$1" '
    /^[[:space:]]*(#|$)/ || /^[A-Za-z_]+[[:space:]]*=/ { next }
    { called = ""; for (i = 7; i <= NF; i++) if ($i ~ /\/prometheus-backup\.sh$/) {
      called = ($(i + 1) ~ /^[a-z]/) ? $(i + 1) : "run"; break } }
    called == wanted { print $1, $2, $3, $4, $5; exit }' "$CRON_FILE" 2>/dev/null || true
}

# next_call COMMAND: sets NEXT_RUN, the time in seconds at which cron or a timer calls this command next, or "".
next_call() {
  local calendar=$RUN_CALENDAR
  if [[ $1 == drill ]]; then calendar=$DRILL_CALENDAR; fi
  if [[ $SCHEDULER == systemd ]]; then next_elapse "$1"
  elif [[ -n "$(scheduled "$1")" ]]; then next_run "$calendar"
  else NEXT_RUN=""; fi
}

# timer_of COMMAND: the timer that calls it.
timer_of() {
  if [[ $1 == run ]]; then printf 'prometheus-backup.timer'; else printf 'prometheus-backup-%s.timer' "$1"; fi
}

# next_elapse COMMAND: sets NEXT_RUN to what systemd says of its timer.
next_elapse() {
  local said
  NEXT_RUN=""
  said="$(systemctl show --property=NextElapseUSecRealtime --value -- "$(timer_of "$1")" 2>/dev/null)" || said=""
  if [[ -n $said ]]; then NEXT_RUN="$(date --date="$said" +%s 2>/dev/null)" || NEXT_RUN=""; fi
}

# cron_runs: whether a cron is there to read it, and runs; sets CRON_UNIT.
cron_runs() {
  find_cron
  if [[ -n $CRON_UNIT ]] && systemctl is-active --quiet -- "$CRON_UNIT" 2>/dev/null; then return 0; fi
  has_cron_process
}

# has_cron_process: whether one runs that no unit has started.
has_cron_process() {
  cat /proc/[0-9]*/comm 2>/dev/null | grep --line-regexp --extended-regexp 'crond?' >/dev/null
}

# next_run CALENDAR: sets NEXT_RUN, the time in seconds at which the first of these elapses: expressions as systemd
# writes them, with ";" between them, in the host's time zone, which is that of cron; commands themselves live in UTC.
# "" if there is none, or systemd cannot tell.
next_run() {
  local expressions=() said time
  NEXT_RUN=""
  IFS=';' read -r -a expressions <<<"$1"
  if (( ${#expressions[@]} == 0 )); then return 0; fi
  said="$(env --unset=TZ systemd-analyze calendar -- "${expressions[@]}" 2>/dev/null)" || return 0
  while IFS= read -r time; do
    time="$(date --date="$time" +%s 2>/dev/null)" || continue
    if [[ -z $NEXT_RUN ]] || (( time < NEXT_RUN )); then NEXT_RUN=$time; fi
  done < <(sed --quiet --regexp-extended 's/^ *(Next elapse|\(in UTC\)): [A-Za-z]+ ([0-9: -]+ UTC)$/\2/p' <<<"$said")
}
