# shellcheck shell=bash
# Whether the server serves what has come back: it is asked for its labels in the middle of each block, all in one go.
# That costs it a look into each index, and it knows them also where every sample of a block was deleted.

ANSWER_STATUS=""  # of ask_again

# ask_blocks INDEX...: the selected blocks of these indexes that hold anything. Sets ASKED, their number, and
# UNANSWERED, those from whose time the server has not answered while our patience lasted.
ask_blocks() {
  local index deadline=$(( EPOCHSECONDS + MERGE_PATIENCE_SECONDS ))
  begin_asking "$@"
  until ask_again; do
    if (( EPOCHSECONDS >= deadline )); then break; fi
    progress "waiting for the server to answer from the time of ${#UNANSWERED[@]} of $(blocks_text "$ASKED") for {}"
    wait_for sleep 1
  done
  progress_done
}

# begin_asking INDEX...: none of these has been answered. A block without series has nothing to tell.
begin_asking() {
  local index
  UNANSWERED=()
  for index in "$@"; do
    if (( B_SERIES[index] > 0 )); then UNANSWERED+=("$index"); fi
  done
  ASKED=${#UNANSWERED[@]} ANSWER_STATUS=""
}

# ask_again: asks for those of UNANSWERED; false if some of them are left. Sets ANSWER_STATUS, the HTTP code of the
# first of these: 200 if the server says that it has nothing from that time.
ask_again() {
  local index code known middle left=() pages=() AUTH
  if (( ${#UNANSWERED[@]} == 0 )); then return 0; fi
  require_api_credentials
  for index in "${UNANSWERED[@]}"; do
    middle=$(( B_MIN[index] + (B_MAX[index] - B_MIN[index]) / 2 ))
    printf -v middle '%d.%03d' $(( middle / 1000 )) $(( middle % 1000 ))
    pages+=("$PROMETHEUS_URL/api/v1/labels?start=$middle&end=$middle&limit=1")
  done
  wait_for timeout --kill-after=5 "$MERGE_PATIENCE_SECONDS" curl --silent --noproxy '*' --fail-early \
    --connect-timeout 5 --max-time "$API_TIMEOUT_SECONDS" --write-out '\n#%{http_code}\n' "${AUTH[@]}" "${pages[@]}" \
    >"$SCRATCH/answers" 2>/dev/null || true
  ANSWER_STATUS="" index=0
  while read -r code known; do
    if [[ $code != 200 || $known != yes ]]; then
      ANSWER_STATUS=${ANSWER_STATUS:-$code} left+=("${UNANSWERED[index]}")
    fi
    index=$(( index + 1 ))
  done < <(judge_answers)
  # After the first that failed, curl asks no more.
  if (( index < ${#UNANSWERED[@]} )); then ANSWER_STATUS=${ANSWER_STATUS:-000}; fi
  UNANSWERED=("${left[@]}" "${UNANSWERED[@]:index}")
  (( ${#UNANSWERED[@]} == 0 ))
}

# judge_answers: a line for each answer in SCRATCH/answers: its HTTP code, and yes or no, whether it names labels.
judge_answers() {
  jq --raw-input --raw-output 'if startswith("#") then .
    else try (fromjson | if .status == "success" and (.data | arrays | length) > 0 then "yes"
      else "no" end) catch "no" end' \
    "$SCRATCH/answers" |
    awk '/^#/ { print substr($0, 2), known; known = "no"; next } { if (known != "yes") known = $0 }'
}

# answered_text: what was seen, for the last line.
answered_text() {
  if (( ASKED == 0 )); then printf 'no server was asked for it'
  else printf 'the server has answered from the time of %s' "$(blocks_text "$ASKED")"; fi
}

# unanswered_text: why that cannot be said.
unanswered_text() {
  printf 'the server has not answered from the time of %d of %s within %d s%s' "${#UNANSWERED[@]}" \
    "$(blocks_text "$ASKED")" "$MERGE_PATIENCE_SECONDS" "${ANSWER_STATUS:+ (HTTP $ANSWER_STATUS)}"
}
