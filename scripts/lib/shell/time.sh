# shellcheck shell=bash
# Times as people type them. GNU date reads them; what it would take for something else than people mean is said in its
# words.

readonly ZONES="${PROMETHEUS_BACKUP_ZONES:-/usr/share/zoneinfo}"

# milliseconds_at TIME: in milliseconds since 1970; false for what is no time. Without a zone it is UTC.
milliseconds_at() {
  local text=$1 zone=UTC number="" unit found
  if [[ $text == *[[:cntrl:]\"\\]* ]]; then return 1; fi
  # Alone, a length of time is meant to lie behind us; to date it lies ahead ("2 hours"), or is a military zone ("2h").
  if [[ $text =~ ^([0-9]{1,6})\ *(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|months?|years?)(\ +ago)?$ ]]; then
    number=${BASH_REMATCH[1]} unit=${BASH_REMATCH[2]}
    case "$unit" in s*) unit=seconds ;; m | min*) unit=minutes ;; h*) unit=hours ;; d*) unit=days ;; w*) \
      unit=weeks ;; esac
    text="$number $unit ago"
  elif [[ $text =~ $BACKUP_PATTERN ]]; then
    text="${text:0:4}-${text:4:2}-${text:6:2} ${text:9:2}:${text:11:2}:${text:13:2}Z"
  # What is no region, such as CET, date knows by itself, without summer time.
  elif [[ $text =~ ^(.*[^\ ])\ +([A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)+)$ && -f $ZONES/${BASH_REMATCH[2]} ]]; then
    text=${BASH_REMATCH[1]} zone=${BASH_REMATCH[2]}
  fi
  # "5" is 05:00 to date, "2026" is 20:26, "12:00 a" has a military zone, "" is midnight.
  if [[ -z $text || $text =~ ^[0-9]{1,7}$ || $text =~ [0-9]\ *[A-SU-Ya-su-y]$ ]]; then return 1; fi
  found="$(TZ="$zone" date --date="$text" +%s%N 2>/dev/null)" || return 1
  printf '%s' "${found%??????}"
}

# bad_time OPTION TEXT: ends with 2.
bad_time() {
  usage_error "$1 '$2' is not a time" \
    "write 2026-11-22T02:00:00Z, '2026-11-22 02:00' (UTC), '2026-11-22 03:00 Europe/Berlin', 12:00, yesterday or 2h;"
}

# read_range: --from and --to of OPTIONS. Sets FROM_MS and TO_MS ("": open) and PARTIAL, whether there is one of them.
# Ends with 2.
read_range() {
  FROM_MS="" TO_MS="" PARTIAL=false
  if [[ -v OPTIONS[from] ]]; then
    FROM_MS="$(milliseconds_at "${OPTIONS[from]}")" || bad_time --from "${OPTIONS[from]}"
    PARTIAL=true
  fi
  if [[ -v OPTIONS[to] ]]; then
    TO_MS="$(milliseconds_at "${OPTIONS[to]}")" || bad_time --to "${OPTIONS[to]}"
    PARTIAL=true
  fi
  if [[ -n $FROM_MS && -n $TO_MS ]] && (( FROM_MS >= TO_MS )); then
    usage_error "--from must be before --to, and $(second_text "$FROM_MS") is not before $(second_text "$TO_MS")"
  fi
}

# second_text MILLISECONDS: "2026-11-22 02:00:00 UTC".
second_text() { printf '%(%Y-%m-%d %H:%M:%S)T UTC' $(( $1 / 1000 )); }

# range_text: FROM_MS and TO_MS in words, with what was typed where that is something else.
range_text() {
  printf '%s … %s' "$(end_text from "$FROM_MS" 'the beginning')" "$(end_text to "$TO_MS" 'the end')"
}

# end_text OPTION MILLISECONDS OPEN: one end of the range.
end_text() {
  local shown
  if [[ -z $2 ]]; then printf '%s' "$3"; return 0; fi
  shown="$(second_text "$2")"
  if [[ $shown == "${OPTIONS[$1]:-}"* ]]; then printf '%s' "$shown"; else printf '%s (%s)' "$shown" "${OPTIONS[$1]}"; fi
}

# ago SECONDS: "7 h 20 min ago", of a time.
ago() { printf '%s ago' "$(human_seconds $(( EPOCHSECONDS - $1 )))"; }
