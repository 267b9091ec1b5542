# shellcheck shell=bash
# Companions: what one needs to start the server elsewhere (prometheus.yml, rules, file_sd, web config, the unit in
# force). A backup is read by more people than a server's disk, so they travel masked (masking.sh); password files never
# go along. What is missing from them is a companion of its own, /left-out.txt.

# collect_companions: puts the files into SCRATCH/companions, under their absolute paths, and notes mode and owner of
# each in SCRATCH/companion.modes. Never fails a backup.
collect_companions() {
  local kind path target="$SCRATCH/companions" masked
  mkdir -p -- "$target"
  : >"$SCRATCH/companion.modes"
  : >"$SCRATCH/companion.left"
  companion_paths >"$SCRATCH/companion.paths" || true
  while IFS=$'\t' read -r kind path; do
    if [[ $path != /* || $path == *..* || $path == *[[:cntrl:]]* || ! -f $path ]]; then continue; fi
    mkdir -p -- "$target${path%/*}"
    if copy_companion "$kind" "$path" "$target$path"; then
      stat --dereference --printf '%n\t%a\t%U\t%G\n' -- "$path" >>"$SCRATCH/companion.modes" || true
    fi
  done <"$SCRATCH/companion.paths"
  if command -v systemctl >/dev/null 2>&1 && systemctl cat -- "$PROMETHEUS_UNIT" >"$SCRATCH/unit" 2>/dev/null; then
    copy_companion unit "$SCRATCH/unit" "$target/unit.txt" || true
  fi
  if [[ -s $SCRATCH/companion.left ]]; then
    printf 'Not in these companions, since it is a secret or may be one:\n' >"$target/left-out.txt"
    cat -- "$SCRATCH/companion.left" >>"$target/left-out.txt"
    masked="$(grep --count ' line ' -- "$SCRATCH/companion.left")" || masked=0
    log "companions masked=$masked (left-out.txt in the backup names what is missing)"
  fi
}

# copy_companion KIND PATH COPY: masked; false, and no copy, for a file that cannot be judged. Then prometheus.yml may
# still come as the server prints it, and file_sd as jq does.
copy_companion() {
  local kind=$1 path=$2 copy=$3 shown=$2 file="$SCRATCH/companion.file" cause
  if [[ $kind == unit ]]; then shown=/unit.txt; fi
  if ! cat -- "$path" 2>/dev/null >"$file"; then
    cause="'$(id -un)' cannot read it"
  elif mask_companion "$kind" "$file" "$copy" "$shown"; then
    return 0
  else
    cause="$(head -c 200 -- "$SCRATCH/companion.error")"
    cause=${cause%%$'\n'*}
    cause="it cannot be judged whether it holds a secret${cause:+ ($cause)}"
    if [[ $path == "$CONFIG_IN_FORCE" && -s $SCRATCH/prometheus.yml ]] &&
      mask_companion config "$SCRATCH/prometheus.yml" "$copy" "$shown"; then return 0; fi
    if [[ $kind == targets ]] && jq . "$file" >"$file.json" 2>/dev/null &&
      mask_companion targets "$file.json" "$copy" "$shown"; then return 0; fi
  fi
  rm -f -- "$copy"
  printf '%s: all of it; %s\n' "$shown" "$cause" >>"$SCRATCH/companion.left"
  warn "companion $shown does not travel with the backup: $cause"
  return 1
}

# mask_companion KIND FILE COPY SHOWN: false, with the reason in SCRATCH/companion.error, if FILE cannot be judged. What
# is missing in COPY is noted.
mask_companion() {
  local notes="$SCRATCH/companion.notes" mask=(mask_yaml "$1")
  if [[ $1 == unit ]]; then mask=(mask_unit); fi
  # awk reads no zero bytes.
  if [[ "$(tr -cd '\000' <"$2" | wc -c)" != 0 ]]; then
    printf 'it holds zero bytes\n' >"$SCRATCH/companion.error"
    return 1
  fi
  if ! "${mask[@]}" "$2" >"$3" 2>"$SCRATCH/companion.error" 3>"$notes"; then return 1; fi
  sort --numeric-sort --key 1,1 --stable -- "$notes" | uniq | awk -F '\t' -v shown="$4" '
    $1 == 0 { print shown ": comments (" $2 ")"; next }
    NR <= 500 { print shown " line " $1 ": " $2; next }
    END { if (NR > 500) print shown ": and " NR - 500 " more" }' >>"$SCRATCH/companion.left"
}

# companion_paths: "KIND<TAB>PATH" of the files that the configuration in force names. The API prints it in one
# canonical form of YAML, so its lists can be read by lines; paths are relative to the configuration file.
companion_paths() {
  local base=${CONFIG_IN_FORCE%/*} kind pattern
  printf '%s\t%s\n' config "$CONFIG_IN_FORCE" web "$WEB_CONFIG"
  awk '/^rule_files:/ { kind = "rules"; next }
    /^scrape_config_files:/ { kind = "config"; next }
    /^ *(- )?files:$/ { kind = "targets"; next }
    kind != "" && /^ *- [^:]*$/ { sub(/^ *- /, ""); gsub(/^"|"$/, ""); print kind "\t" $0; next } { kind = "" }' \
    "$SCRATCH/prometheus.yml" | while IFS=$'\t' read -r kind pattern; do
    if [[ $pattern != /* ]]; then pattern="$base/$pattern"; fi
    compgen -G "$pattern" | awk -v kind="$kind" '{ print kind "\t" $0 }' || true
  done
}

# store_companions PLAN: sends them as one object named by its own hash, if the repository lacks it; PLAN.companions
# gets the manifest's list.
store_companions() {
  local plan=$1 packed="$SCRATCH/companions.$REPOSITORY.tar.zst" sha256 object
  printf '[]\n' >"$plan.companions"
  if [[ ! -d $SCRATCH/companions ]]; then return 0; fi
  tar --create --directory "$SCRATCH/companions" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --mtime=@0 -- . |
    zstd --quiet "-$COMPRESSION_LEVEL" >"$packed" || { REPOSITORY_ERROR="they cannot be packed"; return 1; }
  sha256="$(openssl dgst -sha256 -r "$packed" | cut -c 1-64)" || return 1
  object="companions/$sha256.tar.zst"
  if [[ "$(object_bytes "$object")" != "$(stat --format %s -- "$packed")" ]] ||
    grep --quiet --line-regexp --fixed-strings --regexp="$object" -- \
    "$STATE_DIR/damaged/$REPOSITORY" 2>/dev/null; then send "$object" cat -- "$packed" || return 1; fi
  find "$SCRATCH/companions" -type f -printf '/%P\n' | sort | jq --raw-input . |
    jq --slurp --arg object "$object" --arg sha256 "$sha256" --argjson bytes "$(stat --format %s -- "$packed")" \
    --rawfile modes "$SCRATCH/companion.modes" '
      ($modes | split("\n") | map(select(. != "") | split("\t")) | map({key: .[0], value: {mode: .[1], user: .[2], group: .[3]}}) | from_entries) as $known
      | map({path: ., $object, objectBytes: $bytes, objectSha256: $sha256} + ($known[.] // {}))' >"$plan.companions"
}
