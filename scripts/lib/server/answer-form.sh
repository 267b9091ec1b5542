# shellcheck shell=bash
# Forms of what the server's API says, by kind of answer: the one gate for all of it. An answer that is not in its form,
# as the login page of a proxy with HTTP 200, or what another program says there, is none, and nothing of it is used.

# answer_form: jq functions: answer($kind), of all documents that came: the data of the one that is a success in its
# form. It ends with an error that names the place that is wrong.
answer_form() {
  form_filter
  cat <<'JQ'
  # Any text: series, rules and metrics are named by whoever likes to.
  def string: "\"(?>(?:[^\"\\\\]|\\\\.)*)\"";
  def moment: "-?(?:0|[1-9][0-9]{0,16})(?:\\.[0-9]{1,17})?";
  # A number as the server writes it in a text: no infinity, and nothing that bash could not hold.
  def number: "\"-?(?:0|[1-9][0-9]{0,17})(?:\\.[0-9]{1,17})?(?:[eE](?:\\+?(?:0?[0-9]|1[0-7])|-[0-9]{1,2}))?\"";
  def answer_forms: {
    buildinfo: {"": {version: choice("[0-9A-Za-z.+~_-]{1,100}")}},
    flags: {"": {
      "storage.tsdb.path": may(text(4096)), "web.enable-admin-api": may(choice("true|false")),
      "storage.tsdb.retention.size": may(text(100)), "web.listen-address": may(text(1000)),
      "config.file": may(text(4096)), "web.config.file": may(text(4096))
    }},
    runtimeinfo: {"": {storageRetention: may(text(1000)), CWD: may(text(4096))}},
    snapshot: {"": {name: choice("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}")}},
    tsdb: {"headStats": {numSeries: whole, chunkCount: may(whole), minTime: time},
      "seriesCountByMetricName?[]": {name: string, value: whole}},
    query: {"result[]": {value: "\\[\(moment),\(number)\\]"}},
    rules: {"groups[].rules[]": {name: string, health: may(choice("ok|err|unknown"))}},
    alertmanagers: {"activeAlertmanagers[]": {url: string}}
  };
  # Of these only the types matter, and they may be large.
  def types_fault($kind):
    if $kind == "config" then if (.yaml? | type) == "string" then empty else "yaml" end
    elif $kind == "values" then if type == "array" and all(type == "string") then empty else "data" end
    elif type == "array" and all(type == "object" and all(.[]; type == "string")) then empty else "data" end;
  def answer_fault($kind): if answer_forms[$kind] then fault(answer_forms[$kind]) else types_fault($kind) end;
  def answer($kind): if length != 1 then error("not one answer") else .[0] end
    | if type == "object" and .status == "success" then .data else error("no success") end
    | . as $data | ([answer_fault($kind)] | first) as $fault
    | if $fault == null then $data else error("not in its form: \($fault)") end;
JQ
}

# api_value KIND FILTER: prints what jq's FILTER finds in the last answer, of that KIND; false if it is not one, or if
# nothing is found.
api_value() {
  : >"$SCRATCH/answer.words"
  # jq 1.6 ends with 0 on an empty file even with --exit-status.
  [[ $API_STATUS == 200 && -s $API_BODY ]] || return 1
  jq --slurp --exit-status --raw-output --arg kind "$1" "$(answer_form) answer(\$kind) | $2" "$API_BODY" \
    2>"$SCRATCH/answer.words"
}

# answer_words: what was wrong with the last answer, in words: after api_value was false.
answer_words() {
  local words=""
  if [[ $API_STATUS != 200 ]]; then printf 'HTTP %s%s' "$API_STATUS" "${API_ERROR:+ $API_ERROR}"; return 0; fi
  words="$(sed '1 { s/^jq: error ([^)]*): //; q }' "$SCRATCH/answer.words")" || true
  words=${words:0:300}
  case "$words" in
    '') printf 'HTTP 200, but nothing in it' ;;
    'not in its form: '* | 'no success'* | 'not one answer'*) printf 'HTTP 200, but no answer of Prometheus: %s' \
      "$words" ;;
    *) printf 'HTTP 200, but no answer of Prometheus: no JSON (the page of a proxy or a login?)' ;;
  esac
}
