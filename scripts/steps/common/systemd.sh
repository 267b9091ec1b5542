# shellcheck shell=bash
# Units: what they run, drop-ins that add flags to it, and restarts.

# What starts a server that has moved behind our proxy (admin-api/proxy.sh). No name in *.sh: those are the steps.
readonly BEHIND_PROXY="$LIBRARY/behind-proxy"
RELOADED=false RESTARTED=false

unit_property() { systemctl show --property="$2" --value -- "$1"; }

# require_unit UNIT WHAT: refuses a unit that does not exist or does not run.
require_unit() {
  if [[ "$(unit_property "$1" LoadState)" != loaded ]]; then
    die "$EXIT_CONFIGURATION" "this host has no unit $1; install $2 first, or name its unit in the configuration"
  fi
  if [[ "$(unit_property "$1" ActiveState)" != active ]]; then
    die "$EXIT_SERVER" "$1 does not run ($(unit_property "$1" ActiveState)), so its settings cannot be read; nothing was changed. Look at: systemctl status $1"
  fi
}

# read_exec_start FILE...: sets EXEC_START to the commands in force, as they are written, given the unit's
# file and its drop-ins in the order systemd applies them.
read_exec_start() {
  local file line text section logical tail
  EXEC_START=()
  for file in "$@"; do
    section='' logical=''
    while IFS= read -r line || [[ -n $line ]]; do
      line="${line%$'\r'}"
      text="${line#"${line%%[![:space:]]*}"}"
      # systemd skips comments inside a continued line, too.
      if [[ $text == [#\;]* ]]; then continue; fi
      tail="${line##*[!\\]}"
      if ((${#tail} % 2 == 1)); then
        logical+="${line%\\} "
        continue
      fi
      logical+="$line"
      apply_unit_line "$logical"
      logical=''
    done <"$file"
    if [[ -n $logical ]]; then apply_unit_line "$logical"; fi
  done
}

# apply_unit_line LINE: one logical line; an empty assignment forgets the commands so far.
apply_unit_line() {
  local line="${1#"${1%%[![:space:]]*}"}" value
  line="${line%"${line##*[![:space:]]}"}"
  if [[ $line == '['*']' ]]; then
    section="$line"
  elif [[ $section == '[Service]' && $line =~ ^ExecStart[[:space:]]*=(.*)$ ]]; then
    value="${BASH_REMATCH[1]}"
    value="${value#"${value%%[![:space:]]*}"}"
    if [[ -z $value ]]; then
      EXEC_START=()
    else
      # Where nothing is quoted, the indentation of continued lines is noise.
      if [[ $value != *[\"\'\\]* ]]; then value="$(tr -s '[:blank:]' ' ' <<<"$value")"; fi
      EXEC_START+=("$value")
    fi
  fi
}

# program_of COMMAND: its first word without the signs that systemd allows in front of it.
program_of() {
  local word="${1%%[[:space:]]*}"
  printf '%s' "${word#"${word%%[!@:+!|-]*}"}"
}

# script_of COMMAND: its program if that is a script.
script_of() {
  local word
  word="$(program_of "$1")"
  if [[ -f $word && -r $word && "$(head -c 2 -- "$word" | tr -d '\0')" == '#!' ]]; then printf '%s' "$word"; fi
}

# why_not_extendable COMMAND: sets REASON if a flag at the end of COMMAND would not reach the program.
why_not_extendable() {
  local word
  REASON=''
  if [[ " $1 " == *[[:space:]]\;[[:space:]]* ]]; then
    REASON='it holds several commands'
    return 0
  fi
  word="$(program_of "$1")"
  if [[ ${word##*/} =~ ^(sh|bash|dash|ash|ksh|zsh|busybox)$ ||
    $1 =~ (^|[[:space:]/])(sh|bash|dash|ash|ksh|zsh)[[:space:]]+-[a-z]*c ]]; then
    REASON='it starts a shell, which would keep the flag for itself'
  elif [[ $word == *[\"\'%\$]* ]]; then
    return 0
  elif [[ -n $(script_of "$1") ]] && ! grep -q -e '\$@' -e '\$\*' -- "$word"; then
    REASON="it starts the script $word, which does not hand its arguments on"
  fi
}

# unit_files UNIT DROPIN: sets UNIT_FILES to the files of UNIT without DROPIN, in the order systemd applies them.
unit_files() {
  local path
  UNIT_FILES=()
  for path in "$(unit_property "$1" FragmentPath)" $(unit_property "$1" DropInPaths); do
    if [[ $path != "$2" && -r $path ]]; then UNIT_FILES+=("$path"); fi
  done
}

# environment_files UNIT: sets ENVIRONMENT_FILES to those of UNIT that can be read.
environment_files() {
  local file
  ENVIRONMENT_FILES=()
  while IFS= read -r file; do
    file="${file% (ignore_errors=*}"
    if [[ -f $file && -r $file ]]; then ENVIRONMENT_FILES+=("$file"); fi
  done < <(unit_property "$1" EnvironmentFiles)
}

# find_line TEXT FILE...: sets PLACE to the last FILE:LINE that has TEXT and is no comment; empty if there is none.
find_line() {
  local text="$1" file lines
  shift
  PLACE=''
  for file in "$@"; do
    lines="$(grep -nF -e "$text" -- "$file" | grep -v '^[0-9]*:[[:space:]]*[#;]')" || true
    if [[ -n $lines ]]; then
      lines="${lines##*$'\n'}"
      PLACE="$file:${lines%%:*}"
    fi
  done
}

# find_exec_start UNIT DROPIN FLAG: sets EXEC_COMMAND to the one command of UNIT without DROPIN, or refuses.
find_exec_start() {
  if [[ "$(unit_property "$1" NeedDaemonReload)" == yes ]]; then systemctl daemon-reload; fi
  unit_files "$1" "$2"
  read_exec_start "${UNIT_FILES[@]}"
  if ((${#EXEC_START[@]} != 1)); then
    die "$EXIT_REFUSED" "$1 has ${#EXEC_START[@]} ExecStart= commands where one was expected; nothing was changed. Add the flag to the unit yourself ($3)"
  fi
  EXEC_COMMAND="${EXEC_START[0]}"
  why_not_extendable "$EXEC_COMMAND"
  if [[ -n $REASON ]]; then
    die "$EXIT_REFUSED" "the ExecStart= of $1 cannot be extended: $REASON; nothing was changed. Add the flag there yourself ($3)"
  fi
}

# unit_mentions UNIT FLAG: true if the command or the environment of UNIT, without our drop-in, has FLAG
# already; adding it once more would keep the server from starting.
unit_mentions() {
  if [[ $EXEC_COMMAND == *"$2"* || "$(unit_property "$1" Environment)" == *"$2"* ]]; then return 0; fi
  environment_files "$1"
  find_line "$2" "${ENVIRONMENT_FILES[@]}"
  [[ -n $PLACE ]]
}

# put_drop_in UNIT DROPIN COMMAND WHAT PART: makes COMMAND the command of UNIT; PART is what only our command has.
put_drop_in() {
  local before=''
  printf '# Written by prometheus-backup: the ExecStart= of this unit, with %s. Goes when the component goes.\n[Service]\nExecStart=\nExecStart=%s\n' \
    "$4" "$3" >"$WORK/drop-in"
  KEPT_FILES+=("$2")
  if is_installed "$WORK/drop-in" root:root 0644 "$2" && [[ -v STATE_FILES[$2] ]]; then return 0; fi
  if [[ ! -e $2 ]]; then before="$(words_of_command "$1")"; fi
  put_file "$WORK/drop-in" root:root 0644 "$2"
  reload_units
  # Its files were read by us, who may read them otherwise than systemd; the server must not be started so.
  if [[ "$(words_of_command "$1")"$'\n' != *"$before"$'\n'* ]]; then
    die "$EXIT_REFUSED" "systemd reads the ExecStart= of $1 otherwise than it is written in its files; nothing was changed. See: systemctl cat $1. Add the flag there yourself ($4)"
  fi
  # Another drop-in may sort after ours and win.
  if [[ "$(unit_property "$1" ExecStart)" != *"$5"* || "$(unit_property "$1" LoadState)" != loaded ]]; then
    die "$EXIT_REFUSED" "the drop-in $2 does not take effect: another one sets ExecStart= after it. See: systemctl cat $1"
  fi
}

reload_units() {
  RELOADED=true
  systemctl daemon-reload
}

# restart_unit UNIT: once a run, or once more on the way back.
restart_unit() {
  RESTARTED=true
  restart_anew "$1" >"$WORK/restart" 2>&1 || return 1
}

# restart_anew UNIT: as the first time. systemd refuses the sixth start within ten seconds, whoever ordered the others,
# and a server that is put back would stay down.
restart_anew() {
  systemctl reset-failed -- "$1" 2>/dev/null || true
  systemctl restart -- "$1"
}

# keep_journal UNIT FILE: the last lines, to be shown with a failure. The journal knows a unit by one of its names only.
keep_journal() {
  journalctl --unit "$(unit_property "$1" Id)" --lines 8 --no-pager --output cat >"$2" 2>&1 || true
}
