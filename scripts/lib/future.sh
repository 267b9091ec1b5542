# shellcheck shell=bash
# What is dated in the future: backups that a wrong clock has named, and samples. Neither is a measure for anything else.

# read_misdated: sets MISDATED, a JSON array of the backups of the selected repository that were named by a clock more than an hour ahead of the
# repository's own, which says when they were written. Where it was not listed, those from the future.
read_misdated() {
  local horizon
  MISDATED="[]"
  if [[ -f $OBJECT_LIST ]]; then
    MISDATED="$(jq --null-input --raw-input --compact-output '[inputs | split("\t") | select(.[1] | startswith("backups/")) | .[1][8:24] as $name | {$name,
        named: ($name | "\(.[0:4])-\(.[4:6])-\(.[6:8])T\(.[9:11]):\(.[11:13]):\(.[13:15])Z" | fromdate?), written: (.[2] | sub(" "; "T") + "Z" | fromdate?)}
      | select(.named > .written + 3600) | .name]' "$OBJECT_LIST")"
  elif [[ -d $MANIFESTS ]]; then
    printf -v horizon '%(%Y%m%dT%H%M%SZ)T' $(( EPOCHSECONDS + CLOCK_TOLERANCE_MS / 1000 ))
    MISDATED="$(find "$MANIFESTS" -name '*.json' -printf '%f\n' | jq --null-input --raw-input --compact-output --arg horizon "$horizon" '[inputs | rtrimstr(".json") | select(. > $horizon)]')"
  fi
}

# future_backups: how many backups of the selected repository are dated in the future. Needs repository_open.
future_backups() {
  local horizon
  printf -v horizon '%(%Y%m%dT%H%M%SZ)T' $(( EPOCHSECONDS + CLOCK_TOLERANCE_MS / 1000 ))
  awk -F '\t' -v horizon="$horizon" '$2 ~ /^backups\// && substr($2, 9, 16) > horizon { future++ } END { print future + 0 }' "$OBJECT_LIST"
}

# look_into_future: names the samples of the newest block in BLOCKS that ends in the future. Sets NEWEST_UP_TO_NOW, the newest sample of the server up to
# now (ms, "" if that is not known or no block ends in the future): what the head holds, beside such a one, no block tells.
look_into_future() {
  local ulid newest series
  NEWEST_UP_TO_NOW=""
  jq --raw-output --argjson limit $(( EPOCHSECONDS * 1000 + CLOCK_TOLERANCE_MS )) 'map(select(.maxTime - 1 > $limit)) | max_by(.maxTime) | select(.) | "\(.ulid) \(.maxTime - 1)"' "$BLOCKS" |
    read -r ulid newest || return 0
  # One that ends in thousands of years has more digits than the server reads as seconds with a fraction.
  API_LIMIT=30 api GET /api/v1/query --get --data-urlencode 'query=topk(1, {__name__!=""})' --data-urlencode "time=${newest:0:-3}.${newest: -3}" --data-urlencode timeout=20s
  series="$(api_value '.result[0].metric | tojson')" || series=""
  warn "block $ulid of the server holds samples from the future, the newest at $newest ms${series:+, of $series}; the server refuses what is older than an hour before it. See: docs/troubleshooting.md"
  API_LIMIT=30 api GET /api/v1/query --get --data-urlencode 'query=max(timestamp({__name__!=""}))' --data-urlencode timeout=20s
  NEWEST_UP_TO_NOW="$(api_value '.result[0].value[1] | tonumber * 1000 | floor')" || NEWEST_UP_TO_NOW=""
  if [[ ! $NEWEST_UP_TO_NOW =~ ^-?[0-9]{1,15}$ ]]; then NEWEST_UP_TO_NOW=""; fi
}
