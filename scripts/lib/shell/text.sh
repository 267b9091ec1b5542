# shellcheck shell=bash
# Values as people read and write them.

# join_words SEPARATOR WORD...: the words with the separator between them.
join_words() {
  local separator=$1 text=${2:-}
  shift
  if (( $# > 0 )); then shift; fi
  while (( $# > 0 )); do text+="$separator$1"; shift; done
  printf '%s' "$text"
}

# as_typed WORDS HOST: "prometheus-backup.sh WORDS" with what it needs here to be about the backups of HOST, for advice.
as_typed() {
  printf 'prometheus-backup.sh %s' "$1"
  if [[ -n $LOCATION ]]; then printf ' --at %s --host %s' "${LOCATION@Q}" "$2"
  elif [[ $2 != "$HOST_NAME" ]]; then printf -- ' --host %s' "$2"; fi
}

# human_bytes N: 1234567 -> "1.2 MB" (powers of ten, as disks and bills count).
human_bytes() {
  local number=$1 unit=1 name names=(kB MB GB TB)
  if (( number < 1000 )); then printf '%d B' "$number"; return 0; fi
  for name in "${names[@]}"; do
    # Rounded before it is compared, so that 999,960 is "1.0 MB" and not "1000 kB".
    unit=$(( unit * 1000 ))
    if (( (number + unit / 2) / unit < 1000 )) || [[ $name == TB ]]; then break; fi
  done
  if (( number * 10 + unit / 2 < unit * 1000 )); then
    number=$(( (number * 10 + unit / 2) / unit ))
    printf '%d.%d %s' $(( number / 10 )) $(( number % 10 )) "$name"
  else printf '%d %s' $(( (number + unit / 2) / unit )) "$name"; fi
}

# human_seconds N: 4000 -> "1 h 6 min".
human_seconds() {
  local seconds=$1
  if (( seconds < 0 )); then seconds=0; fi
  if (( seconds < 120 )); then printf '%d s' "$seconds"
  elif (( seconds < 7200 )); then printf '%d min' $(( seconds / 60 ))
  elif (( seconds < 172800 )); then printf '%d h %d min' $(( seconds / 3600 )) $(( seconds % 3600 / 60 ))
  else printf '%d d' $(( seconds / 86400 )); fi
}

# is_one_of WORD WORD...: whether the first is among the others.
is_one_of() { [[ " ${*:2} " == *" $1 "* ]]; }

# minute_text MILLISECONDS: "2026-11-22 02:00".
minute_text() { printf '%(%Y-%m-%d %H:%M)T' $(( $1 / 1000 )); }

# human_count N: 2600000000 -> "2.6 G".
human_count() { human_bytes "$1" | sed 's/ B$//; s/kB$/k/; s/B$//'; }

# sum NUMBER...: their sum.
sum() {
  local total=0 number
  for number in "$@"; do total=$(( total + number )); done
  printf '%d' "$total"
}

# count_text N WORD [WORDS]: "1 object", "24 objects"; WORDS where the plural is no WORD with an s.
count_text() { if (( $1 == 1 )); then printf '1 %s' "$2"; else printf '%d %s' "$1" "${3:-$2s}"; fi; }

blocks_text() { count_text "$1" block; }

# samples_text NUMBER...: as many samples, rounded: "31.1 k samples".
samples_text() {
  local number
  number="$(sum "$@")"
  if (( number == 1 )); then printf '1 sample'; else printf '%s samples' "$(human_count "$number")"; fi
}

# words_program: the same for jq programs, and bytes as people read them.
words_program() {
  cat <<'JQ'
  def size: if . >= 1e9 then "\(. / 1e8 | round / 10) GB" elif . >= 1e6 then "\(. / 1e5 | round / 10) MB"
    else "\(. / 1e3 | round) kB" end;
  def counted($word): "\(.) \($word)\(if . == 1 then "" else "s" end)";
JQ
}

# seconds_text MILLISECONDS / elapsed_text SINCE: "1.4 s" / the time since an EPOCHREALTIME.
seconds_text() { printf '%d.%d s' $(( $1 / 1000 )) $(( $1 % 1000 / 100 )); }

elapsed_text() { human_seconds $(( (${EPOCHREALTIME/./} - ${1/./}) / 1000000 )); }

# milliseconds_of DURATION: "15d", "1y2w", "1h30m" as Prometheus writes them; 0 for anything else, also for none.
milliseconds_of() {
  local rest=$1 total=0
  local -A unit=([y]=31536000000 [w]=604800000 [d]=86400000 [h]=3600000 [m]=60000 [s]=1000 [ms]=1)
  while [[ $rest =~ ^([0-9]{1,9})(ms|[ywdhms])(.*)$ ]]; do
    total=$(( total + 10#${BASH_REMATCH[1]} * ${unit[${BASH_REMATCH[2]}]} ))
    rest=${BASH_REMATCH[3]}
  done
  if [[ -n $rest ]]; then total=0; fi
  printf '%d' "$total"
}

# bytes_of SIZE: "512MB" as Prometheus writes sizes (powers of 1024); 0 for anything else.
bytes_of() {
  local power
  if [[ ! $1 =~ ^([0-9]{1,9})([KMGTPE]?)i?B$ ]]; then printf 0; return 0; fi
  power="${BASH_REMATCH[2]}"
  case "$power" in '') power=0 ;; K) power=10 ;; M) power=20 ;; G) power=30 ;; T) power=40 ;; P) power=50 ;; E) \
    power=60 ;; esac
  printf '%d' $(( 10#${BASH_REMATCH[1]} << power ))
}
