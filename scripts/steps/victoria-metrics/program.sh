# shellcheck shell=bash
# The program: Debian's package, or what a release's archive holds.

readonly PACKAGE=victoria-metrics PACKAGE_DIRECTORY=/var/lib/victoria-metrics

# fetch_release: downloads and checks the archive unless what it holds is installed. Sets RELEASE to the program, or to
# nothing. Changes nothing.
fetch_release() {
  local url sum
  url="$(setting DOWNLOAD_URL '')" RELEASE=''
  if [[ -z $url ]]; then return 0; fi
  require_setting DOWNLOAD_SHA256 '^[0-9a-f]{64}$' 'a SHA-256 checksum'
  KEPT_FILES+=("$BINARY")
  if [[ ${STATE_VALUES[archive]:-} == "${SETTINGS[DOWNLOAD_SHA256]}" && -f $BINARY ]] &&
    [[ "$(sha256sum -- "$BINARY")" == "${STATE_VALUES[program]:-} "* ]]; then
    return 0
  fi
  ensure_tools tar gzip
  curl --silent --show-error --fail --location --proto '=http,https' --connect-timeout 20 --max-time 400 --retry 2 \
    --output "$WORK/archive" -- "$url" 2>"$WORK/curl" ||
    download_failed "$url"
  sum="$(sha256sum -- "$WORK/archive")"
  if [[ ${sum%% *} != "${SETTINGS[DOWNLOAD_SHA256]}" ]]; then
    die "$EXIT_VERIFICATION" \
      "what came from $url has the SHA-256 ${sum%% *}, not the one of the configuration; nothing was changed. Check where the file comes from before you change the checksum"
  fi
  unpack_release "$url"
}

download_failed() {
  if is_full "$WORK"; then
    die "$EXIT_SPACE" "there is no space left in $WORK to download $1; nothing was changed. Free some (see: df $WORK)"
  fi
  die_with "$EXIT_CONFIGURATION" "$WORK/curl" \
    "$1 cannot be downloaded from this host, see above; nothing was changed. Check the URL, and the way from the host to it"
}

# unpack_release URL: sets RELEASE to the one program of the archive.
unpack_release() {
  local member
  member="$(tar -tzf "$WORK/archive" 2>"$WORK/tar" | grep -xE '([A-Za-z0-9._-]+/)*victoria-metrics(-prod)?' |
    sed --quiet 1p)" || true
  if [[ -z $member ]] || ! tar -xzOf "$WORK/archive" -- "$member" >"$WORK/release" 2>>"$WORK/tar"; then
    die_with "$EXIT_CONFIGURATION" "$WORK/tar" \
      "$1 is no tar.gz with the program victoria-metrics-prod; nothing was changed. Take the archive victoria-metrics-linux-$(dpkg --print-architecture 2>/dev/null || uname -m)-VERSION.tar.gz of a release"
  fi
  RELEASE="$WORK/release"
}

# put_release: installs what was fetched.
put_release() {
  local sum
  if [[ -z $RELEASE ]]; then return 0; fi
  sum="$(sha256sum -- "$RELEASE")"
  put_file "$RELEASE" root:root 0755 "$BINARY"
  STATE_VALUES[archive]="${SETTINGS[DOWNLOAD_SHA256]}"
  remember_value program "${sum%% *}"
}

# ensure_package: Debian's, unless a release was asked for.
ensure_package() {
  if [[ -n "$(setting DOWNLOAD_URL '')" || -x $BINARY ]]; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    die "$EXIT_CONFIGURATION" \
      "this distribution has no package of VictoriaMetrics; name a release with its checksum in \`victoriaMetrics.download\`"
  fi
  # A package that was removed, but not purged, has left files that a purge would take along.
  if [[ "$(dpkg-query --show --showformat '${db:Status-Status}' "$PACKAGE" 2>/dev/null)" == config-files ]]; then
    remember_value package_before config-files
  fi
  remember_value package installed
  GOT_PACKAGE=true CHANGED=true
  install_with_apt "$PACKAGE"
}

# drop_package: as it was before. A purge deletes everything in the package's own data directory, so it must be empty.
drop_package() {
  local action=purge status
  status="$(dpkg-query --show --showformat '${db:Status-Status}' "$PACKAGE" 2>/dev/null)"
  if [[ -z $status || $status == not-installed ]]; then return 0; fi
  if [[ ${STATE_VALUES[package_before]:-} == config-files ]] ||
    [[ -n "$(find "$PACKAGE_DIRECTORY" -mindepth 1 -maxdepth 1 2>/dev/null)" ]]; then
    action=remove
  fi
  DEBIAN_FRONTEND=noninteractive apt-get --quiet --assume-yes --no-auto-remove \
    -o DPkg::Lock::Timeout=120 "$action" "$PACKAGE" >"$WORK/package" 2>&1 || {
    tail -n 5 -- "$WORK/package" >&2
    note "the package $PACKAGE could not be removed, see above; run: apt-get $action $PACKAGE"
    return 1
  }
}
