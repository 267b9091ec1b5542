# shellcheck shell=bash
# Guards (install_guard) that outlived their restore: it was killed after its journal had gone, before it could take the guard out.

# Where systemd looks for the drop-ins of this host.
UNITS_DIRECTORY=/etc/systemd/system

# remove_left_guards MODE: without a journal nothing needs a guard, whatever unit has it. Left there, it would keep the server from starting
# as soon as this program is removed. MODE as for forget_switch. Does nothing while a restore is at work.
remove_left_guards() {
  local file lock PROMETHEUS_UNIT
  for file in "$UNITS_DIRECTORY"/*.d/90-prometheus-backup-restore.conf; do
    if ! grep --quiet --fixed-strings --regexp="recover --before-start $JOURNAL" -- "$file" 2>/dev/null; then continue; fi
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
