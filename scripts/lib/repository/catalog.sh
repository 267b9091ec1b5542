# shellcheck shell=bash
# The catalog: the short forms of all manifests of a remote repository in one object, so that a list on a machine that
# has not seen them fetches one object and not a thousand. Only list reads it: what restores or deletes reads the
# manifests themselves.

readonly CATALOG=catalog.jsonl.zst
# What a run may spend on it: the backup is complete before.
readonly CATALOG_TIMEOUT_SECONDS=60
# What is read of it: ten years of runs every two hours take half of that.
readonly CATALOG_LIMIT_BYTES=$((64 * 1024 * 1024))

# write_catalog: the selected repository's catalog as of now; needs repository_open. It never fails a run.
write_catalog() {
  local TRANSFER_TIMEOUT_SECONDS=$CATALOG_TIMEOUT_SECONDS
  if [[ $REPOSITORY_TYPE == path ]]; then return 0; fi
  read_summaries "$SCRATCH/summaries.list" checked
  if sed $'/^[^\t]* damaged\t/d' "$SCRATCH/summaries" | zstd --quiet --stdout >"$SCRATCH/catalog" &&
    repository_put "$CATALOG" <"$SCRATCH/catalog"; then return 0; fi
  warn "repository $REPOSITORY ($REPOSITORY_SHOWN): $CATALOG could not be written, so a list on another machine takes longer: ${REPOSITORY_ERROR:-no space left}"
}

# find_summaries: makes sure that list knows every manifest of the repository; needs repository_list. What this host
# lacks is looked up in the catalog (SCRATCH/catalog.rows), where it counts if it has the size that the repository
# lists, and fetched into MANIFESTS if it is not there either. False sets REPOSITORY_ERROR.
find_summaries() {
  : >"$SCRATCH/catalog.rows" || return 1
  if [[ $REPOSITORY_TYPE == path ]]; then return 0; fi
  compare_manifests || { REPOSITORY_ERROR="its manifests cannot be kept in $MANIFESTS"; return 1; }
  read_catalog
  if [[ -s $SCRATCH/lacking ]]; then fetch_lacking || return 1; fi
}

# compare_manifests: removes from MANIFESTS what the repository does not list with that size, and puts "name size" of
# those it lacks into SCRATCH/lacking.
compare_manifests() {
  local name
  mkdir -p -- "$MANIFESTS" || return 1
  leave_out_giants || return 1
  manifests_there | awk -F '\t' '{ print $2 " " $1 }' | sort >"$SCRATCH/manifests.there" || return 1
  find "$MANIFESTS" -type f -printf '%f %s\n' | sort >"$SCRATCH/manifests.here" || return 1
  while read -r name _; do
    rm -f -- "$MANIFESTS/$name" || return 1
  done < <(comm -13 "$SCRATCH/manifests.there" "$SCRATCH/manifests.here")
  comm -23 "$SCRATCH/manifests.there" "$SCRATCH/manifests.here" >"$SCRATCH/lacking"
}

# read_catalog: rows of the catalog that stand for manifests of SCRATCH/lacking, and the objects, to
# SCRATCH/catalog.rows; SCRATCH/lacking keeps the others. What is damaged, or says something else than such a row
# does, counts as not there.
read_catalog() {
  if [[ ! -s $SCRATCH/lacking ]] || ! object_bytes "$CATALOG" >/dev/null; then return 0; fi
  { repository_get "$CATALOG" | zstd --decompress --stdout --quiet --memory=16MB 2>/dev/null |
    head --bytes "$CATALOG_LIMIT_BYTES" || true; } |
    awk -F '\t' -v kind=checked "$(ranges_program; known_program)" "$SCRATCH/lacking" - >"$SCRATCH/catalog.found"
  formed_lines <"$SCRATCH/catalog.found" >"$SCRATCH/catalog.rows" || : >"$SCRATCH/catalog.rows"
  cut -f 1 "$SCRATCH/catalog.rows" | sort | comm -23 "$SCRATCH/lacking" - >"$SCRATCH/lacking.new"
  mv -f -- "$SCRATCH/lacking.new" "$SCRATCH/lacking"
}

# fetch_lacking: the manifests of SCRATCH/lacking into MANIFESTS.
fetch_lacking() {
  sed 's# .*##; s#^#/#' "$SCRATCH/lacking" >"$SCRATCH/lacking.names"
  run_rclone copy --size-only --fast-list --transfers 8 --max-size "$MANIFEST_LIMIT_BYTES" \
    --include-from "$SCRATCH/lacking.names" -- "$REPOSITORY_ROOT/backups/" "$MANIFESTS"
}
