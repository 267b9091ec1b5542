#!/usr/bin/env bash
# shellcheck shell=bash
# A host step: `install` reads its payload from standard input, `remove` undoes what install recorded.
# Either the whole step happens or nothing of it: a failing install puts everything back first.

# The codes of the host command, so that one table explains them all; no step needs every one.
# shellcheck disable=SC2034
readonly EXIT_UNEXPECTED=1 EXIT_USAGE=2 EXIT_CONFIGURATION=3 EXIT_SERVER=4 EXIT_ADMIN_API=5 EXIT_SPACE=7 \
  EXIT_VERIFICATION=9 EXIT_BUSY=10 EXIT_REFUSED=12
readonly LIBRARY="${STEP_LIBRARY:-/usr/local/lib/prometheus-backup}"
# Where the loader (components/host/payload.ts) found the toolkit: installed before, or unpacked to a temporary file.
readonly TOOLKIT="${PROMETHEUS_BACKUP_TOOLKIT:-$LIBRARY/toolkit}"
readonly LOCK_FILE="${STEP_LOCK_FILE:-/run/prometheus-backup-steps.lock}"

WORK='' ACTION='' CHANGED=false CHANGING=false
FAILURE='' FAILURE_DETAIL=''

# die CODE TEXT: ends the step. The text is printed after the host has been put back, so that it is the last line.
die() {
  FAILURE="$2"
  exit "$1"
}

# die_with CODE FILE TEXT: like die, with the words of a tool (the end of FILE) in front of the last line.
die_with() {
  FAILURE_DETAIL="$(tail -n 15 -- "$2")"
  die "$1" "$3"
}

note() { printf 'prometheus-backup: %s\n' "$1" >&2; }
warn() { printf 'warning: %s\n' "$1"; }

# is_full DIRECTORY: true if its file system has no space or no inodes left.
is_full() { { df -P -- "$1" && df -Pi -- "$1"; } 2>/dev/null | awk '$4 == "0" { full = 1 } END { exit !full }'; }

# cannot_write PATH: ends the step because PATH cannot be written, with the reason if it is a full disk.
cannot_write() {
  if is_full "${1%/*}"; then
    die "$EXIT_SPACE" "there is no space left for $1. Free some (see: df ${1%/*}; df -i ${1%/*}) and run \`pulumi up\` again"
  fi
  die "$EXIT_CONFIGURATION" "$1 cannot be written; look at: mount, and lsattr -d ${1%/*}"
}

# on_error: the ERR trap. Only reached by what no function has handled, which is a bug or a broken host.
on_error() {
  local status=$? line=${BASH_LINENO[0]} function=${FUNCNAME[1]:-main}
  if ((BASH_SUBSHELL == 0)) && [[ -z $FAILURE ]]; then
    FAILURE="step $STEP stopped in $function (line $line of its program, status $status)"
    # A full disk shows up as some tool's failure; saying so saves the search.
    if is_full /etc || is_full /usr/local || is_full /var/lib || is_full "${WORK:-/tmp}"; then
      FAILURE+='; a file system of this host is full, see: df; df -i'
      exit "$EXIT_SPACE"
    fi
  fi
  exit "$EXIT_UNEXPECTED"
}

# finish: the EXIT trap. Puts the host back if a change was under way, then says why.
finish() {
  local status=$? outcome=''
  trap - EXIT ERR
  trap '' HUP INT TERM
  set +e
  # A removal that failed half-way goes on where it stopped when it is run again; it is not undone.
  if ((status != 0)) && [[ $ACTION == install && $CHANGING == true ]]; then
    if roll_back; then
      # What was found out before the first change says so itself.
      if [[ $FAILURE != *'othing was changed'* ]]; then outcome='The host is as it was before.'; fi
    else
      FAILURE="${FAILURE//; nothing was changed/}"
      FAILURE="${FAILURE//, nothing was changed/}"
      FAILURE="${FAILURE//. Nothing was changed/}"
      outcome='Putting the host back did not fully work, see above.'
    fi
    if [[ -n $outcome && $FAILURE == *[.?!] ]]; then
      outcome=" $outcome"
    elif [[ -n $outcome ]]; then
      outcome=". $outcome"
    fi
  fi
  if ((status != 0)); then
    if [[ -n $FAILURE_DETAIL ]]; then
      printf '%s\n' "$FAILURE_DETAIL" >&2
    fi
    printf 'prometheus-backup: error: %s%s\n' "${FAILURE:-step $STEP was interrupted}" "$outcome" >&2
  fi
  if [[ -n $WORK ]]; then
    rm -rf -- "$WORK"
  fi
  # The payload left this program in a temporary file; the installed copy is another file.
  if [[ $ACTION == install && $0 == "${TMPDIR:-/tmp}"/tmp.* ]]; then
    rm -f -- "$0"
    if [[ $TOOLKIT == "${TMPDIR:-/tmp}"/tmp.* ]]; then rm -f -- "$TOOLKIT"; fi
  fi
  exit "$status"
}

# take_lock: two steps of one host may be started at once; package managers and units do not like that.
take_lock() {
  exec {LOCK_FD}>"$LOCK_FILE"
  flock -w 300 "$LOCK_FD" ||
    die "$EXIT_BUSY" 'another step of prometheus-backup has been running on this host for 5 minutes; nothing was changed'
}

require_root_and_systemd() {
  if ((EUID != 0)); then
    die "$EXIT_CONFIGURATION" "host steps need root; allow the connecting user \`sudo -n /bin/bash\`"
  fi
  if ! command -v systemctl >/dev/null; then
    die "$EXIT_CONFIGURATION" 'this host has no systemd, which prometheus-backup needs to manage units'
  fi
}

# belongs_to_another INSTALLATION: true if what is installed came from another resource since: the host was renamed in
# the configuration, and the engine installs under the new name before it removes under the old one.
belongs_to_another() {
  [[ -n $1 && -n ${STATE_VALUES[installation]:-} && ${STATE_VALUES[installation]} != "$1" ]]
}

# main install|remove [INSTALLATION]
main() {
  set -Eeuo pipefail
  shopt -s inherit_errexit
  # Of bash 5.0: a key of an array is text, and not looked at again for something to expand.
  shopt -s assoc_expand_once 2>/dev/null || true
  umask 077
  export CALLER_LOCALE="${LC_ALL:-${LC_CTYPE:-${LANG:-}}}"
  export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  ACTION="${1:-}"
  trap on_error ERR
  trap finish EXIT
  trap 'exit 143' HUP INT TERM
  if [[ $ACTION != install && $ACTION != remove ]]; then
    die "$EXIT_USAGE" "a host step takes install or remove, not '$ACTION'"
  fi
  require_root_and_systemd
  WORK="$(mktemp -d)"
  take_lock
  load_state
  if [[ $ACTION == install ]]; then
    receive_payload
    STATE_VALUES[installation]="$(setting INSTALLATION '')"
    install_program
    step_install </dev/null
    drop_stale_files
    CHANGING=false
    report_result
  elif belongs_to_another "${2:-}"; then
    printf 'left alone: it belongs to %s now\n' "${STATE_VALUES[installation]}"
  else
    step_remove </dev/null
    forget_step
  fi
}
