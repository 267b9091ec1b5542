# shellcheck shell=bash
# What plans, heals and drills print for programs (docs/json.md): one document at the end, whatever the end is, once it
# is known what the command is about.

# The function that prints the document, and the exit code that it tells.
DOCUMENT="" EXIT_CODE=0

# print_at_end FUNCTION: with --json, FUNCTION prints the document; EXIT_CODE is that of the command.
print_at_end() {
  if [[ ${JSON:-false} == false ]]; then return 0; fi
  DOCUMENT=$1
  : >"$SCRATCH/plan.lines"
  : >"$SCRATCH/wounds"
  : >"$SCRATCH/drilled"
  CLEANUP_HOOKS+=(print_document)
}

# print_document STATUS: the exit hook.
print_document() {
  # shellcheck disable=SC2034  # for the document
  EXIT_CODE=$1
  "$DOCUMENT" >"$SCRATCH/result"
  # Of finish; a result that could not be written is no result.
  ( print_result "$SCRATCH/result" ) || status=$EXIT_SPACE
}

# plan_facts: a jq object of what plans have in common: their lines, and the reasons against them.
plan_facts() {
  local index
  for (( index = 0; index < ${#REFUSALS[@]}; index += 3 )); do
    printf '%s\t%s\t%s\n' "${REFUSALS[index]}" "${REFUSALS[index + 1]//[$'\t\n']/ }" \
      "${REFUSALS[index + 2]//[$'\t\n']/ }"
  done >"$SCRATCH/refusals"
  jq --null-input --compact-output --rawfile lines "$SCRATCH/plan.lines" --rawfile refusals "$SCRATCH/refusals" '
    def rows: split("\n")[] | select(. != "") | split("\t");
    {lines: (reduce ($lines | rows)
      as [$name, $text] ([]; . + [{name: (if $name == "" then .[-1].name else $name end), $text}])),
      refusals: [$refusals | rows | {exitCode: (.[0] | tonumber), reason: .[1], action: .[2]}]}'
}

# plan_document: of restore --plan --json.
plan_document() {
  plan_facts >"$SCRATCH/facts"
  jq --null-input --slurpfile facts "$SCRATCH/facts" --slurpfile blocks "$SELECTED" --arg host "$RESTORE_HOST" \
    --arg backup "$BACKUP" --arg repository "$REPOSITORY" \
    --arg mode "$RESTORE_MODE" --argjson complete "$BACKUP_COMPLETE" --arg flaws "$BACKUP_FLAWS" \
    --arg suspect "$M_SUSPECT" --arg target "$TARGET" --argjson exitCode "$EXIT_CODE" '
    def known: if . == "" then null else . end;
    {$host, $exitCode, $backup, $repository, $mode, target: ($target | known), $complete, flaws: ($flaws | known),
      suspectReason: ($suspect | known),
      bytes: ([$blocks[0][].bytes] | add // 0), fetchBytes: ([$blocks[0][] | select(.object) | .objectBytes]
        | add // 0),
      blocks: [$blocks[0][] | {ulid, minTime, maxTime, bytes, samples: .numSamples}]} + $facts[0]'
}

# heal_document: of heal --json.
heal_document() {
  plan_facts >"$SCRATCH/facts"
  jq --null-input --slurpfile facts "$SCRATCH/facts" --rawfile wounds "$SCRATCH/wounds" --arg host "$HOST_NAME" \
    --arg backup "$BACKUP" --arg repository "$REPOSITORY" \
    --argjson checked "$CHECKED" --argjson unknown "$UNKNOWN" --argjson "done" "$HEALED" \
    --argjson exitCode "$EXIT_CODE" \
    --argjson chosen "$(jq --compact-output 'map(.ulid)' "$SELECTED" 2>/dev/null || printf '[]')" \
    --argjson hopeless "$(words_as_json "${HOPELESS[@]}")" --argjson notRead "$(words_as_json "${NOT_READ[@]}")" '
    {$host, $exitCode, $backup, $repository, $done, $checked, $unknown, damaged: [$wounds | split("\n")[] | select(. != "") | split("|") | {ulid: .[0], reason: (.[1:] | join("|"))}],
      bringsBack: $chosen, $hopeless, $notRead} + $facts[0]'
}

# drill_document: of drill --json.
drill_document() {
  jq --null-input --rawfile drilled "$SCRATCH/drilled" --slurpfile blocks "$SELECTED" --arg host "$HOST_NAME" \
    --arg backup "$BACKUP" --arg repository "$REPOSITORY" \
    --arg sample "$DRILL_SAMPLE" --argjson restore "${DRILL_RESTORE_MS:-null}" --argjson exitCode "$EXIT_CODE" '
    {$host, $exitCode, $backup, $repository, sample: (if $sample == "" then null else $sample end),
      restoreSeconds: ($restore | if . then . / 1000 else null end),
      blocks: ($blocks[0] | length), samples: ([$blocks[0][].numSamples] | add // 0),
      damaged: [$drilled | split("\n")[] | select(. != "") | split("\t") | {ulid: .[0], reason: .[1]}]}'
}

# words_as_json WORD...: an array of them.
words_as_json() {
  if (( $# == 0 )); then
    printf '[]'
  else
    printf '%s\n' "${@//$'\n'/ }" | jq --raw-input . | jq --slurp --compact-output .
  fi
}
