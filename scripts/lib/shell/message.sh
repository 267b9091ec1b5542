# shellcheck shell=bash
# What people read: one line an event in the log, one line an error. A log that cannot be written, as on a full file
# system, is no reason to go without a backup, so nothing here fails for that.

PLAIN=""  # of plain
SHOWN=""  # of show_signs
WORDS_FOR_PEOPLE=""  # of log_in_words

# Where the runs of the schedule write (components/host/paths.ts).
LOG_FILE=/var/log/prometheus-backup.log

# plain TEXT: sets PLAIN to it without what a terminal would obey: control characters, but for tab and end of line.
# Texts may come from others.
plain() {
  local LC_ALL=C
  PLAIN=${1//[$'\001'-$'\010'$'\013'-$'\037'$'\177']/?}
  PLAIN=${PLAIN//$'\302'[$'\200'-$'\237']/?}
}

# log WORD...: one event of a run, with its UTC time, on stderr, and in the log file also where stderr is not that file:
# of a run by hand.
log() {
  local line PLAIN
  plain "$*"
  printf -v line '%(%Y-%m-%dT%H:%M:%SZ)T %s' -1 "$PLAIN"
  if is_terminal && log_in_words "$PLAIN"; then say "$WORDS_FOR_PEOPLE"; else
    clear_line
    printf '%s\n' "$line" >&2 || true
  fi
  if [[ -f $LOG_FILE && ! -L $LOG_FILE && -w $LOG_FILE && ${LOG_RELAYED:-false} == false &&
    ! /dev/stderr -ef $LOG_FILE ]]; then
    { printf '%s\n' "$line" >>"$LOG_FILE"; } 2>/dev/null || true
  fi
}

# log_in_words LINE: sets WORDS_FOR_PEOPLE to what a person at a terminal reads in place of that line of the log. False
# for a line that has no words of its own.
log_in_words() {
  local event=${1%% *} word parts=()
  local -A facts=()
  read -r -a parts <<<"$1"
  for word in "${parts[@]}"; do
    if [[ $word =~ ^([a-z_]+)=([A-Za-z0-9:,.-]*)$ ]]; then facts[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}; fi
  done
  case $event in
    start) word="Backup ${facts[backup]:-} of $HOST_NAME, source ${facts[source]:-}, to ${facts[repositories]//,/, }" ;;
    wait) word="  waiting for the server to be ready" ;;
    snapshot) word="  snapshot made in ${facts[seconds]:-0} s" ;;
    companions) word="  configuration: $(count_text "${facts[masked]:-0}" secret) masked; left-out.txt in the backup names what is missing" ;;
    blocks) word="  the server has $(blocks_text "${facts[count]:-0}"), $(human_bytes "${facts[bytes]:-0}")" ;;
    plan)
      word="  ${facts[repository]:-}: ${facts[new]:-0} new and $(count_text "${facts[pooled]:-0}" "known block")"
      if [[ ${facts[covered]:-0} != 0 ]]; then word+=", ${facts[covered]} covered by what they were merged from"; fi
      if [[ ${facts[heads]:-0} != 0 ]]; then word+=", and the head"; fi
      word+="; $(human_bytes "${facts[bytes]:-0}") to pack" ;;
    stored) word="  ${facts[repository]:-}: stored, $(human_bytes "${facts[sent]:-0}") sent, ${facts[seconds]:-0} s" ;;
    prune) word="  ${facts[repository]:-}: retention removes $(count_text "${facts[backups]:-0}" backup), $(count_text "${facts[objects]:-0}" object)" ;;
    done) word="Done: backup ${facts[backup]:-}, up to ${facts[newest_sample]/T/ }, ${facts[seconds]:-0} s" ;;
    failed)
      word="Failed: backup ${facts[backup]:-}, exit code ${facts[exit_code]:-1}, ${facts[seconds]:-0} s"
      if [[ -n ${facts[stored_in]:-} ]]; then word+="; it is stored in ${facts[stored_in]//,/, }"; fi ;;
    *) return 1 ;;
  esac
  WORDS_FOR_PEOPLE=$word
}

# has_signs: whether what people read may have signs that are no ASCII. Where no locale is named, as under cron and
# systemd, everything shows UTF-8 today; whoever names one that is none of UTF-8 means it.
has_signs() {
  case "${CALLER_LOCALE:-}" in
    "" | *[Uu][Tt][Ff]-8* | *[Uu][Tt][Ff]8*) return 0 ;;
    *) return 1 ;;
  esac
}

# show_signs TEXT: sets SHOWN to TEXT, plain, with signs that the caller's locale has.
show_signs() {
  local PLAIN
  plain "$1"
  SHOWN=$PLAIN
  if has_signs; then return 0; fi
  SHOWN=${SHOWN//✔/+} SHOWN=${SHOWN//✘/x} SHOWN=${SHOWN//–/-} SHOWN=${SHOWN//·/-} SHOWN=${SHOWN//…/..}
}

# signs: the same for standard input.
signs() { if has_signs; then cat; else sed 's/✔/+/g; s/✘/x/g; s/–/-/g; s/·/-/g; s/…/../g'; fi; }

# clear_line: takes away what progress has drawn, for a whole line in its place.
clear_line() { if [[ -n $PROGRESS_JOB ]]; then printf '\r\033[K' >&2 || true; fi; }

# show_folded FD TEXT: sets FOLDED to what show_signs makes of TEXT, in lines as wide as the terminal that FD is.
show_folded() {
  local SCREEN_WIDTH SHOWN
  show_signs "$2"
  screen_width "$1"
  fold_text "$SHOWN" "$SCREEN_WIDTH"
}

# say TEXT: a line for the person at the terminal.
say() {
  clear_line
  show_folded 2 "$*"
  printf '%s\n' "$FOLDED" >&2 || true
}

# tell TEXT: a line of the result, on standard output. Whoever reads it may stop before the end.
tell() {
  clear_line
  show_folded 1 "$*"
  printf '%s\n' "$FOLDED" 2>/dev/null || true
}

# print_result FILE: the same for a result that has to be whole: ends with 7 if it could not be written for another
# reason.
print_result() {
  local status=0
  cat -- "$1" 2>"$SCRATCH/print.error" || status=$?
  # Whoever ignores SIGPIPE, such as systemd, hands that on to cat, which then says so itself.
  if (( status == 0 || status == 141 )) || grep --quiet 'Broken pipe' "$SCRATCH/print.error"; then return 0; fi
  die "$EXIT_SPACE" "the result could not be written to standard output ($(head -c 200 -- "$SCRATCH/print.error" | tr '\n' ' '))" "free space there"
}

# warn TEXT: something that deserves a look but does not stop the command.
warn() {
  clear_line
  show_folded 2 "prometheus-backup: warning: $*"
  printf '%s\n' "$FOLDED" >&2 || true
}

# warn_once WHAT TEXT: warns, unless another job of this command has said the same of WHAT.
warn_once() {
  local own="$SCRATCH/warned.$1.$BASHPID"
  printf '%s' "$2" >"$own"
  if ln -- "$own" "$SCRATCH/warned.$1" 2>/dev/null || ! cmp --silent -- "$own" "$SCRATCH/warned.$1"; then
    warn "$2"
  fi
}

# die CODE FACT ACTION: ends the command with one line that says what is wrong and what to do. Not for use inside $( ).
die() {
  clear_line
  show_folded 2 "prometheus-backup: error: $2; $3"
  printf '%s\n' "$FOLDED" >&2 || true
  exit "$1"
}

# report_bug STATUS LINE: the ERR trap. A tool's own status must not pass for one of our exit codes.
report_bug() {
  trap - ERR
  if (( BASH_SUBSHELL == JOB_LEVEL )); then
    printf 'prometheus-backup: error: unexpected failure in %s, line %s (status %s); the messages above say what failed\n' \
      "${FUNCNAME[1]:-main}" "$2" "$1" >&2 || true
  fi
  exit "$EXIT_UNEXPECTED"
}

# is_terminal: whether a person watches stderr, or what a job passes on to it (relay_words).
is_terminal() { [[ -t 2 || ${RELAYED:-false} == true ]]; }

# can_ask: whether a person answers on standard input.
can_ask() { [[ -t 0 ]]; }

# confirm QUESTION: true when the person types yes. Anything but yes or no is asked once more, and no is the answer if
# it comes again.
confirm() {
  local answer="" words="$1 Type yes or no: "
  printf '%s' "$words" >&2
  read -r answer || return 1
  if [[ $answer != yes && $answer != no ]]; then
    printf "'%s' is neither yes nor no. %s" "$answer" "$words" >&2
    read -r answer || return 1
  fi
  [[ $answer == yes ]]
}

# fact NAME FILE: the value of a line "NAME<TAB>VALUE".
fact() { awk -F '\t' -v name="$1" '$1 == name { print $2; exit }' "$2"; }
