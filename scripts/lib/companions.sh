# shellcheck shell=bash
# Companions: what one needs to start the server elsewhere (prometheus.yml, rules, file_sd, web config, the unit in force).
# A backup is read by more people than a server's disk: a configuration with passwords in it goes along with them masked,
# as the server's API shows it; password files never go along.

# collect_companions: copies the files into SCRATCH/companions, under their absolute paths, and notes mode and owner of each in
# SCRATCH/companion.modes. Never fails a backup.
collect_companions() {
  local path target="$SCRATCH/companions"
  mkdir -p -- "$target"
  : >"$SCRATCH/companion.modes"
  companion_paths >"$SCRATCH/companion.paths" || true
  while IFS= read -r path; do
    if [[ $path != /* || $path == *..* || $path == *[[:cntrl:]]* || ! -f $path ]]; then continue; fi
    if [[ ! -r $path ]]; then warn "companion $path cannot be read by '$(id -un)' and does not travel with the backup"; continue; fi
    mkdir -p -- "$target${path%/*}"
    if copy_companion "$path" "$target$path"; then stat --dereference --printf '%n\t%a\t%U\t%G\n' -- "$path" >>"$SCRATCH/companion.modes" || true; fi
  done <"$SCRATCH/companion.paths"
  if command -v systemctl >/dev/null 2>&1; then
    systemctl cat -- "$PROMETHEUS_UNIT" >"$target/unit.txt" 2>/dev/null || rm -f -- "$target/unit.txt"
  fi
}

# copy_companion PATH COPY: with secrets masked where we know how; false, and no copy, for another file that holds one.
copy_companion() {
  local path=$1 copy=$2
  if [[ $path == "$CONFIG_IN_FORCE" ]] && { holds_secrets "$path" || grep --quiet '<secret>\|:xxxxx@' "$SCRATCH/prometheus.yml"; }; then
    cat -- "$SCRATCH/prometheus.yml" >"$copy"
  elif [[ $path == "$WEB_CONFIG" ]]; then
    # shellcheck disable=SC2016  # the dollars are those of bcrypt
    sed --regexp-extended 's#\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}#<secret>#g' -- "$path" >"$copy"
  else
    cat -- "$path" >"$copy"
  fi
  if ! holds_secrets "$copy"; then return 0; fi
  rm -f -- "$copy"
  warn "companion $path holds a password or key and does not travel with the backup"
  return 1
}

# companion_paths: the files that the configuration in force names. The API prints it in one canonical form of YAML, so
# its lists can be read by lines; paths are relative to the configuration file.
companion_paths() {
  local base=${CONFIG_IN_FORCE%/*} pattern
  printf '%s\n' "$CONFIG_IN_FORCE" "$WEB_CONFIG"
  awk '/^(rule_files|scrape_config_files):/ || /^ *(- )?files:$/ { on = 1; next } on && /^ *- [^:]*$/ { sub(/^ *- /, ""); gsub(/^"|"$/, ""); print; next } { on = 0 }' \
    "$SCRATCH/prometheus.yml" | while IFS= read -r pattern; do
    if [[ $pattern != /* ]]; then pattern="$base/$pattern"; fi
    compgen -G "$pattern" || true
  done
}

# holds_secrets FILE: whether it has an inline password, token or key, in a line of its own or between braces, or one in a URL.
holds_secrets() {
  grep --quiet --extended-regexp --regexp='(^|[[:space:]{,])-?"?(password|credentials|bearer_token|secret_key|client_secret|secret|api_key|key)"?[[:space:]]*:[[:space:]]*"?[^[:space:]<"]' \
    --regexp='://[^/:@[:space:]]+:[^/@[:space:]<]+@' -- "$1"
}

# store_companions PLAN: sends them as one object named by its own hash, if the repository lacks it; PLAN.companions gets
# the manifest's list.
store_companions() {
  local plan=$1 packed="$SCRATCH/companions.$REPOSITORY.tar.zst" sha256 object
  printf '[]\n' >"$plan.companions"
  if [[ ! -d $SCRATCH/companions ]]; then return 0; fi
  tar --create --directory "$SCRATCH/companions" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 -- . |
    zstd --quiet "-$COMPRESSION_LEVEL" >"$packed" || { REPOSITORY_ERROR="they cannot be packed"; return 1; }
  sha256="$(openssl dgst -sha256 -r "$packed" | cut -c 1-64)" || return 1
  object="companions/$sha256.tar.zst"
  if [[ "$(object_bytes "$object")" != "$(stat --format %s -- "$packed")" ]] ||
    grep --quiet --line-regexp --fixed-strings --regexp="$object" -- "$STATE_DIR/damaged/$REPOSITORY" 2>/dev/null; then send "$object" cat -- "$packed" || return 1; fi
  find "$SCRATCH/companions" -type f -printf '/%P\n' | sort | jq --raw-input . |
    jq --slurp --arg object "$object" --arg sha256 "$sha256" --argjson bytes "$(stat --format %s -- "$packed")" --rawfile modes "$SCRATCH/companion.modes" '
      ($modes | split("\n") | map(select(. != "") | split("\t")) | map({key: .[0], value: {mode: .[1], user: .[2], group: .[3]}}) | from_entries) as $known
      | map({path: ., $object, objectBytes: $bytes, objectSha256: $sha256} + ($known[.] // {}))' >"$plan.companions"
}
