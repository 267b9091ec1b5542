# shellcheck shell=bash
# prune: shows what retention would remove, asks, and removes it.

# command_prune ARG...: shows what would go, asks, removes.
command_prune() {
  local yes dry_run index only status failed=0 undone=()
  read_options prune "$@"
  yes=${OPTIONS[yes]:-false} dry_run=${OPTIONS[dry-run]:-false} only=${OPTIONS[repository]:-} \
    JSON=${OPTIONS[json]:-false}
  if [[ $JSON == true && $yes$dry_run == falsefalse ]]; then
    usage_error "prune --json asks nobody: pass --dry-run or --yes too"
  fi
  open_state
  load_metrics
  require_tools
  take_lock
  if [[ -n $only ]]; then find_repository "$only"; fi
  for index in "${!REPOSITORY_NAMES[@]}"; do
    if [[ -n $only ]] && (( index != REPOSITORY_INDEX )); then continue; fi
    in_background_asking prune_repository "$index" "$yes" "$dry_run"
    status=0
    wait "$CHILD" || status=$?
    if (( status != 0 )); then failed=$status undone+=("${REPOSITORY_NAMES[index]}"); fi
  done
  if [[ $JSON == true ]]; then
    { cat -- "$SCRATCH"/pruned.* 2>/dev/null || true; } |
      jq --slurp --arg host "$HOST_NAME" --argjson exitCode "$failed" '{$host, $exitCode, repositories: .}' \
      >"$SCRATCH/result"
    print_result "$SCRATCH/result"
  fi
  if (( failed == 0 )); then return 0; fi
  say "Not done: $(join_words ', ' "${undone[@]}") (above)."
  exit "$failed"
}

# prune_repository INDEX YES DRY_RUN: one repository of command_prune, as a job.
prune_repository() {
  local yes=$2 dry_run=$3 plan="$SCRATCH/prune"
  select_repository "$1"
  if [[ $REPOSITORY_PRUNE == false ]]; then
    warn "repository $REPOSITORY is left out: its settings say that this host deletes nothing there (repositories[].prune or offsiteBucket.hostsMayPrune is false)"
    return 0
  fi
  repository_open || repository_fault "cannot be listed"
  if object_bytes owner.json >/dev/null; then require_owner || repository_fault "owner.json"; fi
  plan_prune "$plan"
  if [[ $JSON == true ]]; then pruned_json "$plan" false
  elif [[ $dry_run == true ]]; then print_prune "$plan"
  else print_prune "$plan" >&2; fi
  UNJUDGED=()
  note_unread
  if (( ${#UNJUDGED[@]} > 0 )); then
    REPOSITORY_ERROR="a program of this host failed, or the file cannot be read"
    repository_fault "nothing was removed, because manifests could not be judged: ${UNJUDGED[*]:0:3}"
  fi
  if [[ $dry_run == true ]] || ! has_work "$plan"; then return 0; fi
  if [[ $yes == false ]] && ! can_ask; then
    die "$EXIT_REFUSED" "there is no terminal to ask on" \
      "pass --yes to go on without the question; nothing was removed from $REPOSITORY"
  fi
  if [[ $yes == false ]] && ! confirm "Remove these from $REPOSITORY?"; then
    say "Nothing was removed from $REPOSITORY."
    return 0
  fi
  apply_prune "$plan"
  if [[ $JSON == true ]]; then pruned_json "$plan" true; fi
  note_change "prune repository=$REPOSITORY backups=$(wc -l <"$SCRATCH/going.manifests") objects=$(wc -l <"$SCRATCH/going.objects")"
}

# pruned_json PLAN REMOVED: the plan of the selected repository for programs, and whether it was carried out.
pruned_json() {
  jq --compact-output --arg repository "$REPOSITORY" --argjson removed "$2" \
    'objects | {$repository, $removed, keep, remove, objects: [.objects[] | {object, bytes}], blocked}' \
    "$1" >"$SCRATCH/pruned.$REPOSITORY"
}

# print_prune PLAN: what stays and what goes, and why, for people.
print_prune() {
  jq --raw-output --arg repository "$REPOSITORY" "$(words_program)"' objects |
    "\($repository): \(.keep | length | "\(counted("backup")) stay\(if . == 1 then "s" else "" end)"), \(.remove | length) go\(if (.remove | length) == 1 then "es" else "" end), and \(.objects | length | counted("object")) (\([.objects[].bytes] | add // 0 | size)) that no kept backup names",
    (.keep | reverse | .[:20][] | "  + \(.name)  stays: \(.why)"),
    (if (.keep | length) > 20 then "  + and \((.keep | length) - 20 | counted("older one"))" else empty end),
    (.remove[] | "  - \(.name)  \(.ageDays | counted("day")) old, no rule keeps it"),
    (.objects[:20][] | "  - \(.object)  \(.bytes | size)"),
    (if (.objects | length) > 20 then "  - and \((.objects | length) - 20 | counted("object")) more" else empty end),
    (if .blocked then "  ! a manifest cannot be read, so no object is removed: nobody knows what it needs. Run: prometheus-backup.sh verify" else empty end)' "$1" >"$SCRATCH/result"
  print_rows "$SCRATCH/result"
}
