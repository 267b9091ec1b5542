# shellcheck shell=bash
# What starts the entries in /etc/cron.d on this host. Part of the step of the job as well.

# The units: cron of Debian, cronie under its names, bcron, systemd-cron.
readonly CRON_UNITS=(cron.service crond.service cronie.service bcron-sched.service cron.target)
CRON_UNIT=""  # of find_cron

# find_cron: sets CRON_UNIT to the one of this host, one that runs before one that does not; empty if it has none.
find_cron() {
  local unit
  CRON_UNIT=''
  for unit in "${CRON_UNITS[@]}"; do
    if [[ "$(systemctl show --property=LoadState --value -- "$unit" 2>/dev/null)" != loaded ]]; then continue; fi
    CRON_UNIT="${CRON_UNIT:-$unit}"
    if systemctl is-active --quiet -- "$unit" 2>/dev/null; then CRON_UNIT="$unit"; return 0; fi
  done
}
