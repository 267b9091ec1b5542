# shellcheck shell=bash
# Pings to a watcher elsewhere, because a dead Prometheus cannot alert about its own backups. They never fail a backup.

# heartbeat start|success|fail: the URL itself is the secret, so it reaches curl by standard input, never as an
# argument.
heartbeat() {
  local url
  if [[ -z $HEARTBEAT_URL_FILE || ! -r $HEARTBEAT_URL_FILE ]]; then return 0; fi
  url="$(heartbeat_url "$1" "$(head -n 1 -- "$HEARTBEAT_URL_FILE")")"
  # A quote or a backslash would be syntax of curl's configuration.
  if [[ ! $url =~ ^https?://[^[:space:]\"\\]+$ ]] ||
    ! printf 'url = "%s"\n' "$url" | timeout 15 curl --config - --globoff --silent --fail --output /dev/null \
    --max-time 10 --retry 1 2>/dev/null; then
    warn "the heartbeat ($1) was not accepted; the backup goes on"
  fi
}

# heartbeat_url EVENT URL: the URL itself for success; otherwise with /start or /fail behind its path, in front of a
# query.
heartbeat_url() {
  local url=${2%%#*} path
  if [[ $1 == success ]]; then printf '%s' "$url"; return 0; fi
  path=${url%%\?*}
  printf '%s/%s%s' "${path%/}" "$1" "${url#"$path"}"
}
