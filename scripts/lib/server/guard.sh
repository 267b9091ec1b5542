# shellcheck shell=bash
# The guard: a drop-in that keeps the server's unit from starting in the middle of a restore; also those that outlived
# their restore, because it was killed before it could take the guard away.

# Where systemd looks for the drop-ins of this host.
UNITS_DIRECTORY=/etc/systemd/system

# remove_left_guards MODE: without a journal nothing needs a guard, whatever unit has it. Left there, it would keep the
# server from starting as soon as this program is removed. MODE as for forget_switch. Does nothing while a restore is at
# work.
remove_left_guards() {
  local file lock PROMETHEUS_UNIT
  for file in "$UNITS_DIRECTORY"/*.d/90-prometheus-backup-restore.conf; do
    if ! grep --quiet --fixed-strings --regexp="recover --before-start $JOURNAL" -- "$file" 2>/dev/null; then
      continue
    fi
    mkdir --parents -- "${JOURNAL%/*}"
    exec {lock}>>"${JOURNAL%/*}/lock"
    if flock --nonblock "$lock" && [[ ! -e $JOURNAL ]]; then
      PROMETHEUS_UNIT="${file%.d/*}"
      PROMETHEUS_UNIT="${PROMETHEUS_UNIT##*/}"
      if [[ $1 == --before-start ]]; then remove_guard_later; else remove_guard; fi
    fi
    exec {lock}>&-
  done
}

# guard_file: the drop-in of the unit that calls "recover" before each start, while a restore is on its way.
guard_file() { printf '%s/%s.d/90-prometheus-backup-restore.conf' "$UNITS_DIRECTORY" "$PROMETHEUS_UNIT"; }

# install_guard: from here on no start of the unit, not even the one after a power cut, finds half a data directory.
install_guard() {
  local file directory
  file="$(guard_file)"
  directory="${file%/*}"
  mkdir --parents -- "$directory" && chmod 0755 -- "$directory" || return 1
  printf '%s\n' '# Written by "prometheus-backup.sh restore" for the time of its switch, and removed by it.' \
    '[Service]' \
    "ExecStartPre=+$(self_path) recover --before-start $JOURNAL" >"$file" || return 1
  chmod 0644 -- "$file"
  sync -- "$file" "$directory"
  systemctl daemon-reload
}

# remove_guard: the unit is as it was.
remove_guard() {
  local file
  file="$(guard_file)"
  rm -f -- "$file"
  rmdir --ignore-fail-on-non-empty -- "${file%/*}" 2>/dev/null || true
  systemctl daemon-reload || true
}

# remove_guard_later: the same from inside the unit's own start. Read anew in the middle of its ExecStartPre lines,
# systemd would leave out those that follow.
remove_guard_later() {
  local file
  file="$(guard_file)"
  rm -f -- "$file"
  rmdir --ignore-fail-on-non-empty -- "${file%/*}" 2>/dev/null || true
  # shellcheck disable=SC2016  # the inner shell expands it
  systemd-run --quiet --collect --no-block -- /bin/sh -c \
    'while [ "$(systemctl show --property=SubState --value -- "$1")" = start-pre ]; do sleep 0.2; done; exec systemctl daemon-reload' \
    sh "$PROMETHEUS_UNIT" >/dev/null 2>&1 || true
}
