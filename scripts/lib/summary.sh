# shellcheck shell=bash
# Short forms of the manifests, kept on this host, so that a list of a thousand backups does not read them all again.

# summaries_folder: of the short forms as this version makes them.
summaries_folder() { printf 'summaries-%s.2' "$MANIFEST_FORMAT"; }

# read_summaries FILE [checked]: one JSON line a backup whose manifest lies in MANIFESTS, oldest first, to FILE. A manifest that cannot be read
# becomes {name, damaged: true}; with "checked", which is what may decide on deleting, also one whose digest does not match. The caches, and
# SCRATCH/summaries.sorted, have lines of key, tab and JSON; the key is the manifest's name and size, since manifests are written once.
read_summaries() {
  local target=$1 kind=${2:-quick} caches cache checked name bytes fresh=()
  caches="$STATE_DIR/cache/$(summaries_folder)"
  checked="$caches/$REPOSITORY.$REPOSITORY_HOST.checked" cache="$caches/$REPOSITORY.$REPOSITORY_HOST.$kind"
  mkdir -p -- "$caches"
  # Of versions whose short forms said less.
  if [[ -d $STATE_DIR/cache/summaries-$MANIFEST_FORMAT ]]; then rm -rf -- "$STATE_DIR/cache/summaries-$MANIFEST_FORMAT"; fi
  touch -- "$cache" "$checked"
  # Before the first backup there is no folder.
  { find "$MANIFESTS" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' -printf '%f %s\n' 2>/dev/null || true; } | sort >"$SCRATCH/keys"
  awk 'BEGIN { printf "{" } { printf "%s\"%s\":%s", (NR > 1 ? "," : ""), $1, $2 } END { print "}" }' "$SCRATCH/keys" >"$SCRATCH/sizes"
  # A line that a full disk has cut off is none.
  awk -F '\t' 'FILENAME == ARGV[1] { there[$1]; next } $1 in there && /}$/ && !seen[$1]++' "$SCRATCH/keys" "$checked" "$cache" >"$SCRATCH/summaries"
  while read -r name bytes; do fresh+=("$MANIFESTS/$name"); done < <(cut -f 1 "$SCRATCH/summaries" | sort | comm -23 "$SCRATCH/keys" -)
  if (( ${#fresh[@]} > 0 )); then summarize_manifests "$kind" "${fresh[@]}" >>"$SCRATCH/summaries"; fi
  sort "$SCRATCH/summaries" >"$SCRATCH/summaries.sorted"
  if (( ${#fresh[@]} > 0 )); then
    # Without it the next command reads those manifests again.
    { sed $'/^[^\t]* damaged\t/d' "$SCRATCH/summaries.sorted" >"$cache.new" && mv -f -- "$cache.new" "$cache"; } 2>/dev/null || rm -f -- "$cache.new"
  fi
  cut -f 2- "$SCRATCH/summaries.sorted" >"$target"
}

# summarize_manifests KIND FILE...: their short forms as lines of the cache. All in one jq if all can be read, else one by one.
summarize_manifests() {
  local kind=$1 file base files=()
  shift
  if [[ $kind == checked ]]; then
    for file in "$@"; do
      base="${file##*/}"
      # What this run has just written, it knows.
      if [[ $base == "${BACKUP:-}.json" && $COMMAND == run ]]; then files+=("$file")
      elif cp -- "$file" "$SCRATCH/summarized.json" 2>/dev/null && check_manifest "${base%.json}" "$SCRATCH/summarized.json"; then files+=("$file")
      else printf '%s damaged\t{"name":"%s","damaged":true}\n' "$base" "${base%.json}"; fi
    done
    set -- "${files[@]}"
  fi
  if (( $# == 0 )); then return 0; fi
  if jq --raw-output --slurpfile sizes "$SCRATCH/sizes" --argjson format "$MANIFEST_FORMAT" "$(summary_filter)" "$@" >"$SCRATCH/fresh" 2>/dev/null &&
    (( $(wc -l <"$SCRATCH/fresh") == $# )); then
    cat -- "$SCRATCH/fresh"
    return 0
  fi
  for file in "$@"; do
    base="${file##*/}"
    # jq 1.6 ends with 0 on an empty file even with --exit-status.
    if [[ ! -s $file ]] || ! jq --exit-status --raw-output --slurpfile sizes "$SCRATCH/sizes" --argjson format "$MANIFEST_FORMAT" "$(summary_filter)" "$file" 2>/dev/null; then
      printf '%s damaged\t{"name":"%s","damaged":true}\n' "$base" "${base%.json}"
    fi
  done
}

# summary_filter: the jq program of summarize_manifests.
summary_filter() {
  cat <<'JQ'
  (input_filename | split("/")[-1]) as $file
  | if .format != $format or (.blocks | type) != "array" or .name + ".json" != $file then error("not a manifest") else . end
  | "\($file) \($sizes[0][$file])\t" + ({
    name, host, startedAt, source, layout, suspect,
    sizeBytes: .totals.sizeBytes, sentBytes: .totals.sentBytes, samples: .totals.samples, blocks: .totals.blocks,
    lacks: (.lacks // [] | length), lost: [.lost[]?.ulid],
    archived: (if .archive then [.blocks[].ulid] else [] end),
    oldestSample: .coverage.oldestSample, newestSample: .coverage.newestSample, head: .coverage.head,
    objects: ([(.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[] | {(.object): .objectBytes}] | add // {})
  } | tojson)
JQ
}
