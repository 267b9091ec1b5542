# shellcheck shell=bash
# The way out to Thanos: blocks of a backup in the form that `thanos tools bucket upload-blocks` takes. No server is
# touched.

WITH_DELETED=false GIVEN_LABELS=()  # options
LABELS=""  # JSON, of choose_labels

# The label that Debian's package gives every server: it tells no two of them apart.
readonly DEBIAN_LABELS='{"monitor":"example"}'

# command_export BACKUP|latest --thanos DIR [OPTION...]: see --help.
command_export() {
  parse_export_options "$@"
  load_metrics
  open_root_state
  open_state
  require_tools
  SECONDS=0
  resolve_backup "$WANTED" "$RESTORE_HOST"
  select_blocks
  require_selected_objects
  require_new_directory "$TARGET"
  choose_labels
  plan_export
  make_target "$TARGET"
  STAGE_OWNER="$(stat --format %u:%g -- "$TARGET")"
  STAGING="$TARGET/.prometheus-backup-$BACKUP"
  fetch_selected "$STAGING"
  mark_for_thanos
  own_staged
  staged_entries | while IFS= read -r entry; do
    as_owner mv --no-target-directory -- "$STAGING/$entry" "$TARGET/$entry" </dev/null
  done
  as_owner rm -rf -- "$STAGING"
  say "Exported $(blocks_text ${#B_ULID[@]}) of $BACKUP to $TARGET. To put them into the bucket of Thanos:"
  say "  thanos tools bucket upload-blocks --objstore.config-file=bucket.yml --path=${TARGET@Q} $(label_arguments)"
}

# parse_export_options ARG...: sets WANTED, TARGET, GIVEN_LABELS, WITH_DELETED, and what the functions of restore look
# at.
parse_export_options() {
  local label
  read_options export "$@"
  require_backup export
  TARGET=${OPTIONS[thanos]:-} WITH_DELETED=${OPTIONS[with-deleted]:-false} ONLY_REPOSITORY=${OPTIONS[repository]:-}
  RESTORE_MODE=export RESTORE_HOST=${OPTIONS[host]:-$HOST_NAME} ONLY_BLOCKS=()
  values_of label | mapfile -t GIVEN_LABELS
  for label in "${GIVEN_LABELS[@]}"; do require_label "$label"; done
  read_range
  if [[ -z $TARGET ]]; then usage_error "export needs a place: --thanos DIR"; fi
  require_host_name "$RESTORE_HOST"
  if [[ $TARGET != /* ]]; then TARGET="$PWD/$TARGET"; fi
}

# require_label TEXT: NAME=VALUE as Prometheus allows it; an empty value leaves a recorded label out. Ends with 2
# otherwise.
require_label() {
  if [[ ! $1 =~ ^[a-zA-Z_][a-zA-Z0-9_]*= || $1 == *[[:cntrl:]]* ]]; then
    usage_error "--label takes NAME=VALUE, with a name of letters, digits and _"
  fi
}

# choose_labels: sets LABELS (JSON) from the external labels that the backup recorded and from --label; ends with 12
# without any.
choose_labels() {
  local recorded
  if ! recorded="$(jq "$(recorded_labels_filter)" "$MANIFEST" 2>/dev/null)"; then
    if (( ${#GIVEN_LABELS[@]} == 0 )); then
      die "$EXIT_REFUSED" "the external labels that $BACKUP recorded are written in a way that is not understood here" \
        "give all of them with --label NAME=VALUE"
    fi
    recorded='{}'
    warn "the external labels that $BACKUP recorded are not understood here; only those of --label are used"
  fi
  # shellcheck disable=SC2016  # the variables are those of jq
  LABELS="$(jq --null-input --compact-output --sort-keys --argjson recorded "$recorded" '
    reduce ($ARGS.positional[] | capture("^(?<name>[^=]*)=(?<value>.*)$"))
      as $one ($recorded; .[$one.name] = $one.value)
    | with_entries(select(.value != ""))' --args "${GIVEN_LABELS[@]}")"
  if [[ $LABELS == '{}' ]]; then
    die "$EXIT_REFUSED" "the server had no external label when $BACKUP was taken, and Thanos tells servers apart by nothing else" \
      "give one that no other server has, such as --label replica=$RESTORE_HOST"
  fi
  if [[ $LABELS == "$DEBIAN_LABELS" && ${#GIVEN_LABELS[@]} == 0 ]]; then
    die "$EXIT_REFUSED" "the only external label is monitor=\"example\", which Debian gives every server, and Thanos would mix their blocks" \
      "give one that no other server has, such as --label replica=$RESTORE_HOST"
  fi
}

# recorded_labels_filter: the jq program that reads prometheus.externalLabels of a manifest: lines of YAML as the server
# prints them.
recorded_labels_filter() {
  cat <<'JQ'
  .prometheus.externalLabels // "" | split("\n") | map(select(. != ""))
  | map(capture("^ {4}(?<key>[a-zA-Z_][a-zA-Z0-9_]*): (?<value>[^ |>&*!%@`{\\[].*)$") // error("no label")
    | .value |= (if startswith("\"") then fromjson elif startswith("'") then .[1:-1] | gsub("''"; "'") else . end))
  | from_entries
JQ
}

# label_arguments: LABELS as arguments of thanos, quoted for a shell.
label_arguments() {
  local label flags=()
  while IFS= read -r label; do
    flags+=("--label=${label@Q}")
  done < <(jq --raw-output 'to_entries[] | "\(.key)=\(.value | tojson)"' <<<"$LABELS")
  printf '%s' "${flags[*]}"
}

# plan_export: says what is exported; ends with 7 or 12 if it cannot be.
plan_export() {
  REFUSALS=()
  say "Export of backup $BACKUP of $RESTORE_HOST for Thanos to $TARGET (no server is touched)"
  say ""
  STAGING="$TARGET/.prometheus-backup-$BACKUP"
  plan_backup_lines
  plan_fetch
  plan_space "$STAGING"
  plan_line labels "$(jq --raw-output 'to_entries | map("\(.key)=\(.value | tojson)") | join(", ")' <<<"$LABELS")"
  plan_head
  plan_overlaps
  plan_deleted
  refuse_if_planned
}

# plan_head: what comes later from the same server must not overlap the head block.
plan_head() {
  local from
  if [[ "$(jq '.wal != null and any(.blocks[]; .head | not)' "$MANIFEST")" == true ]]; then
    plan_line misses "the WAL of this cold backup: Thanos takes finished blocks only"
  fi
  from="$(jq --raw-output '[.[] | select(.head)][0].minTime // empty' "$SELECTED")"
  if [[ -z $from ]]; then return 0; fi
  plan_line head "the newest block is the head of that moment, from $(minute_text "$from") UTC on"
  plan_line "" "leave it out with --to '$(minute_text "$from")' if later blocks of this server go to the same bucket"
}

# plan_overlaps: Thanos' compactor stops at blocks that cover the same time twice, unless it is told to merge them.
plan_overlaps() {
  local overlapping
  overlapping="$(jq 'sort_by(.minTime) | [range(1; length) as $i
    | select(.[$i].minTime < (.[:$i] | map(.maxTime) | max))] | length' "$SELECTED")"
  if (( overlapping > 0 )); then
    plan_line overlaps "$(blocks_text "$overlapping") share time with others: the compactor of Thanos needs --compact.enable-vertical-compaction"
  fi
}

# plan_deleted: Thanos does not read tombstones, so what was deleted from a block would be there again.
plan_deleted() {
  local marked
  marked="$(jq '[.[] | select(.numTombstones > 0 or .tombstones != "")] | length' "$SELECTED")"
  if (( marked == 0 )); then return 0; fi
  plan_line deleted "! $(blocks_text "$marked") hold series that were deleted on the server; Thanos reads no tombstones and would show them again"
  if [[ $WITH_DELETED == false ]]; then
    refuse "$EXIT_REFUSED" \
      "deleted series in $(blocks_text "$marked") would come back in Thanos, which reads no tombstones" \
      "on the server call /api/v1/admin/tsdb/clean_tombstones and take a new backup, or pass --with-deleted if they may come back"
  fi
}

# mark_for_thanos: the staged blocks get their "thanos" section and lose their tombstones. upload-blocks passes over
# blocks with a compaction level above 1, without a word; their sources stay, which is what Thanos finds duplicates by.
mark_for_thanos() {
  local ulid listing="$SCRATCH/files"
  for ulid in "${B_ULID[@]}"; do
    find "$STAGING/$ulid" -type f \( -path '*/chunks/*' -o -name index \) -printf '%P\t%s\n' | sort >"$listing"
    jq --tab --rawfile files "$listing" --argjson labels "$LABELS" "$(thanos_meta_filter)" \
      "$STAGING/$ulid/meta.json" >"$SCRATCH/meta.json"
    if ! write_as_owner "$STAGING/$ulid/meta.json" <"$SCRATCH/meta.json"; then
      fetch_failed "block $ulid" "$EXIT_SPACE its meta.json cannot be written"
    fi
    as_owner rm -f -- "$STAGING/$ulid/tombstones"
  done
}

# thanos_meta_filter: the jq program of mark_for_thanos.
thanos_meta_filter() {
  cat <<'JQ'
  .compaction.level = 1
  | .thanos = {
      version: 1, $labels, downsample: {resolution: 0}, source: "sidecar",
      files: ([$files | split("\n")[] | select(. != "") | split("\t")
        | {rel_path: .[0], size_bytes: (.[1] | tonumber)}] + [{rel_path: "meta.json"}])
    }
JQ
}
