# shellcheck shell=bash
# Short forms of the manifests, kept on this host, so that a list of a thousand backups does not read them all again.

# read_summaries FILE: one JSON line a backup whose manifest lies in MANIFESTS, oldest first, to FILE. A manifest that cannot be read becomes
# {name, damaged: true}. The cache, and SCRATCH/summaries.sorted, have lines of key, tab and JSON; the key is the manifest's name and size, since
# manifests are written once.
read_summaries() {
  local target=$1 cache="$STATE_DIR/cache/summaries/$REPOSITORY.$REPOSITORY_HOST" name bytes fresh=()
  mkdir -p -- "${cache%/*}"
  if [[ ! -f $cache ]]; then : >"$cache"; fi
  # Before the first backup there is no folder.
  { find "$MANIFESTS" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' -printf '%f %s\n' 2>/dev/null || true; } | sort >"$SCRATCH/keys"
  awk 'BEGIN { printf "{" } { printf "%s\"%s\":%s", (NR > 1 ? "," : ""), $1, $2 } END { print "}" }' "$SCRATCH/keys" >"$SCRATCH/sizes"
  awk -F '\t' 'NR == FNR { there[$1]; next } $1 in there' "$SCRATCH/keys" "$cache" >"$SCRATCH/summaries"
  while read -r name bytes; do fresh+=("$MANIFESTS/$name"); done < <(cut -f 1 "$SCRATCH/summaries" | sort | comm -23 "$SCRATCH/keys" -)
  if (( ${#fresh[@]} > 0 )); then summarize_manifests "${fresh[@]}" >>"$SCRATCH/summaries"; fi
  sort "$SCRATCH/summaries" >"$SCRATCH/summaries.sorted"
  if (( ${#fresh[@]} > 0 )); then
    grep --invert-match $'^[^\t]* damaged\t' "$SCRATCH/summaries.sorted" >"$cache.new" || true
    mv -f -- "$cache.new" "$cache"
  fi
  cut -f 2- "$SCRATCH/summaries.sorted" >"$target"
}

# summarize_manifests FILE...: their short forms as lines of the cache. All in one jq if all can be read, else one by one.
summarize_manifests() {
  local file base
  if jq --raw-output --slurpfile sizes "$SCRATCH/sizes" "$(summary_filter)" "$@" >"$SCRATCH/fresh" 2>/dev/null &&
    (( $(wc -l <"$SCRATCH/fresh") == $# )); then
    cat -- "$SCRATCH/fresh"
    return 0
  fi
  for file in "$@"; do
    base="${file##*/}"
    # jq 1.6 ends with 0 on an empty file even with --exit-status.
    if [[ ! -s $file ]] || ! jq --exit-status --raw-output --slurpfile sizes "$SCRATCH/sizes" "$(summary_filter)" "$file" 2>/dev/null; then
      printf '%s damaged\t{"name":"%s","damaged":true}\n' "$base" "${base%.json}"
    fi
  done
}

# summary_filter: the jq program of summarize_manifests.
summary_filter() {
  cat <<'JQ'
  (input_filename | split("/")[-1]) as $file
  | if (.blocks | type) != "array" or .name + ".json" != $file then error("not a manifest") else . end
  | "\($file) \($sizes[0][$file])\t" + ({
    name, host, startedAt, source, layout, suspect,
    sizeBytes: .totals.sizeBytes, sentBytes: .totals.sentBytes, samples: .totals.samples, blocks: .totals.blocks,
    oldestSample: .coverage.oldestSample, newestSample: .coverage.newestSample, head: .coverage.head,
    objects: ([(.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[] | {(.object): .objectBytes}] | add // {})
  } | tojson)
JQ
}
