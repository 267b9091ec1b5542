# shellcheck shell=bash
# explain: what an exit code means and what to do.

# command_explain [CODE]: what an exit code means, and what to do first.
command_explain() {
  local code advice
  read_options explain "$@"
  if [[ -z $WANTED ]]; then
    for code in "${EXIT_CODES[@]}"; do tell "$(printf '%4d  %s' "$code" "$(exit_meaning "$code")")"; done
    return 0
  fi
  if ! is_one_of "$WANTED" "${EXIT_CODES[@]}"; then
    usage_error "'$WANTED' is no exit code of this command" "they are ${EXIT_CODES[*]};"
  fi
  advice="$(exit_advice "$WANTED")"
  tell "$WANTED: $(exit_meaning "$WANTED")"
  if [[ -n $advice ]]; then tell "What to do first: $advice"; fi
}
