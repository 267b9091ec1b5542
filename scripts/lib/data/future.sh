# shellcheck shell=bash
# Samples that are dated in the future. They are no measure for anything else.

NEWEST_UP_TO_NOW=""  # of look_into_future

# look_into_future: names the samples of the newest block in BLOCKS that ends in the future. Sets NEWEST_UP_TO_NOW, the
# newest sample of the server up to now (ms, "" if that is not known or no block ends in the future): what the head
# holds, beside such a one, no block tells.
look_into_future() {
  local ulid newest series
  NEWEST_UP_TO_NOW=""
  jq --raw-output --argjson limit $(( EPOCHSECONDS * 1000 + CLOCK_TOLERANCE_MS )) \
    'map(select(.maxTime - 1 > $limit)) | max_by(.maxTime) | select(.) | "\(.ulid) \(.maxTime - 1)"' "$BLOCKS" |
    read -r ulid newest || return 0
  # One that ends in thousands of years has more digits than the server reads as seconds with a fraction.
  API_LIMIT=30 api GET /api/v1/query --get --data-urlencode 'query=topk(1, {__name__!=""})' \
    --data-urlencode "time=${newest:0:-3}.${newest: -3}" --data-urlencode timeout=20s
  series="$(api_value query '.result[0].metric // empty | tojson | .[:1000]')" || series=""
  if [[ -z $series ]]; then
    # A query finds nothing at a time that is thousands of years away, the list of series does.
    API_LIMIT=30 api GET /api/v1/series --get --data-urlencode 'match[]={__name__!=""}' \
      --data-urlencode "start=$(( ${newest:0:-3} - 1 ))" --data-urlencode "end=$(( ${newest:0:-3} + 1 ))" \
      --data-urlencode limit=1
    series="$(api_value series '.[0] // empty | tojson | .[:1000]')" || series=""
  fi
  warn "block $ulid of the server holds samples from the future, the newest at $newest ms${series:+, of $series}; the server refuses what is older than an hour before it. See: docs/troubleshooting.md"
  API_LIMIT=30 api GET /api/v1/query --get --data-urlencode 'query=max(timestamp({__name__!=""}))' \
    --data-urlencode timeout=20s
  NEWEST_UP_TO_NOW="$(api_value query '.result[0].value[1] | tonumber * 1000 | floor')" || NEWEST_UP_TO_NOW=""
  if [[ ! $NEWEST_UP_TO_NOW =~ ^-?[0-9]{1,15}$ ]]; then NEWEST_UP_TO_NOW=""; fi
}
