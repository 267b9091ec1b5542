# shellcheck shell=bash
# Companions: what one needs to start the server elsewhere (prometheus.yml, rules, file_sd, web config, the unit in force).
# A backup is read by more people than a server's disk: a configuration with passwords in it goes along with them masked,
# as the server's API shows it; password files never go along.

# collect_companions: copies the files into SCRATCH/companions, under their absolute paths. Never fails a backup.
collect_companions() {
  local path target="$SCRATCH/companions"
  mkdir -p -- "$target"
  companion_paths >"$SCRATCH/companion.paths" || true
  while IFS= read -r path; do
    if [[ $path != /* || $path == *..* || ! -f $path ]]; then continue; fi
    if [[ ! -r $path ]]; then warn "companion $path cannot be read by '$(id -un)' and does not travel with the backup"; continue; fi
    mkdir -p -- "$target${path%/*}"
    if [[ $path == "$CONFIG_IN_FORCE" ]] && holds_secrets "$path"; then
      cat -- "$SCRATCH/prometheus.yml" >"$target$path"
    elif ! holds_secrets "$path"; then
      cat -- "$path" >"$target$path"
    fi
  done <"$SCRATCH/companion.paths"
  if command -v systemctl >/dev/null 2>&1; then
    systemctl cat -- "$PROMETHEUS_UNIT" >"$target/unit.txt" 2>/dev/null || rm -f -- "$target/unit.txt"
  fi
}

# companion_paths: the files that the configuration in force names. The API prints it in one canonical form of YAML, so
# its lists can be read by lines; paths are relative to the configuration file.
companion_paths() {
  local base=${CONFIG_IN_FORCE%/*} pattern
  printf '%s\n' "$CONFIG_IN_FORCE"
  awk '/^rule_files:/ || /^ *(- )?files:$/ { on = 1; next } on && /^ *- [^:]*$/ { sub(/^ *- /, ""); gsub(/^"|"$/, ""); print; next } { on = 0 }' \
    "$SCRATCH/prometheus.yml" | while IFS= read -r pattern; do
    if [[ $pattern != /* ]]; then pattern="$base/$pattern"; fi
    compgen -G "$pattern" || true
  done
}

# holds_secrets FILE: whether it has an inline password, token or key.
holds_secrets() {
  grep --quiet --extended-regexp '^[[:space:]-]*(password|credentials|bearer_token|secret_key|client_secret|secret|api_key|key)[[:space:]]*:[[:space:]]*[^[:space:]<]' "$1"
}

# store_companions PLAN: sends them as one object named by its own hash, if the repository lacks it; PLAN.companions gets
# the manifest's list.
store_companions() {
  local plan=$1 packed="$SCRATCH/companions.$REPOSITORY.tar.zst" sha256 object
  printf '[]\n' >"$plan.companions"
  if [[ ! -d $SCRATCH/companions ]]; then return 0; fi
  tar --create --directory "$SCRATCH/companions" --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 -- . |
    zstd --quiet "-$COMPRESSION_LEVEL" >"$packed"
  sha256="$(openssl dgst -sha256 -r "$packed" | cut -c 1-64)"
  object="companions/$sha256.tar.zst"
  if [[ "$(object_bytes "$object")" != "$(stat --format %s -- "$packed")" ]]; then send "$object" cat -- "$packed" || return 1; fi
  find "$SCRATCH/companions" -type f -printf '/%P\n' | sort | jq --raw-input . |
    jq --slurp --arg object "$object" --arg sha256 "$sha256" --argjson bytes "$(stat --format %s -- "$packed")" \
      'map({path: ., $object, objectBytes: $bytes, objectSha256: $sha256})' >"$plan.companions"
}
