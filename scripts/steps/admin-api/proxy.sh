# shellcheck shell=bash
# Exposure reverse-proxy: the server moves to a loopback port, and an nginx of our own (a unit apart from
# the host's nginx.service, which may serve other things) takes its public address and denies the admin paths.

readonly PROXY_SERVICE=prometheus-backup-proxy.service
readonly PROXY_UNIT="/etc/systemd/system/$PROXY_SERVICE" PROXY_CONFIG=/etc/prometheus-backup/admin-proxy.conf
PROXY_TOUCHED=false NGINX_MASKED=false

# read_proxy_settings: also points URL to where the server is once it has moved.
read_proxy_settings() {
  local path=''
  if [[ $EXPOSURE != reverse-proxy ]]; then
    if [[ -v STATE_VALUES[proxy_listen] ]]; then
      die "$EXIT_REFUSED" "this host guards the admin API by a reverse proxy; leaving that would make the server public for a moment with the API on. Nothing was changed. Take adminApi off the host, run \`pulumi up\`, and add it with the new exposure"
    fi
    return 0
  fi
  LOOPBACK_LISTEN="$(setting LOOPBACK_LISTEN 127.0.0.1:9091)"
  if [[ ! $LOOPBACK_LISTEN =~ ^(127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5}$ ]]; then
    die "$EXIT_CONFIGURATION" \
      "setting LOOPBACK_LISTEN must be a loopback address with a port, not '$LOOPBACK_LISTEN'; nothing was changed"
  fi
  if [[ ${URL#*://} == */* ]]; then path="/${URL#*://*/}"; fi
  MOVED_URL="http://$LOOPBACK_LISTEN$path"
  if [[ -v STATE_VALUES[moved_url] ]]; then URL="${STATE_VALUES[moved_url]}"; fi
}

# install_proxy: everything but the restart of the server, and that too if it has to move.
install_proxy() {
  local address
  find_proxy_addresses
  check_movable
  ensure_nginx
  remember_server "${SETTINGS[URL]%/}"
  remember_value moved_url "$MOVED_URL"
  remember_value proxy_listen "${PROXY_ADDRESSES[*]}"
  write_proxy
  write_behind_proxy
  BASE_URL="$MOVED_URL"
  read_listeners "$UNIT"
  for address in "${LISTENERS[@]}"; do
    if [[ $address == "$LOOPBACK_LISTEN" && $IS_ON == true ]]; then
      start_proxy
      return 0
    fi
  done
  restart_and_confirm
  IS_ON=true
  require_loopback
  start_proxy
}

# require_loopback: before nginx takes the public address; whoever has two addresses would keep one of them open.
require_loopback() {
  read_public_listeners "$UNIT"
  if ((${#PUBLIC[@]} > 0)); then
    die "$EXIT_REFUSED" "$UNIT listens on ${PUBLIC[*]} although it was started for $LOOPBACK_LISTEN alone. \
Who tells it? Its flags: systemctl status $UNIT"
  fi
}

# write_behind_proxy: the unit's own command behind our program, which takes the address away: docs/decisions/011.
# Without an external URL the server would put its new port into the links of its alerts.
write_behind_proxy() {
  local prefix="${EXEC_COMMAND%%[!:+!|-]*}"
  print_behind_proxy >"$WORK/behind-proxy"
  KEPT_FILES+=("$BEHIND_PROXY")
  put_file "$WORK/behind-proxy" root:root 0755 "$BEHIND_PROXY"
  put_drop_in "$UNIT" "$DROP_IN" \
    "$prefix/bin/bash $BEHIND_PROXY $LOOPBACK_LISTEN http://%H:${PROXY_ADDRESSES[0]##*:}/ ${EXEC_COMMAND#"$prefix"}" \
    "$ADMIN_FLAG on a loopback port" "$BEHIND_PROXY"
}

# print_behind_proxy: the function below as a program of its own.
print_behind_proxy() {
  printf '%s\n' '#!/bin/bash' '# Written by prometheus-backup: starts a server behind the proxy.' \
    "# Usage: ${BEHIND_PROXY##*/} ADDRESS EXTERNAL_URL COMMAND..."
  declare -f behind_proxy
  # shellcheck disable=SC2016 # that is for the program
  printf 'behind_proxy "$@"\n'
}

# behind_proxy ADDRESS EXTERNAL_URL COMMAND...: becomes COMMAND, listening on ADDRESS alone and with its admin API on,
# whatever its words say of both, for a flag must not come twice. They are what systemd makes of quotes, variables and
# files at each start.
behind_proxy() {
  local address="$1" url="$2" word value=false words=()
  shift 2
  for word in "$@"; do
    if [[ $value == true ]]; then
      value=false
      continue
    fi
    case "$word" in
      --web.listen-address) value=true ;;
      --web.listen-address=* | --web.enable-admin-api | --no-web.enable-admin-api) ;;
      --web.external-url | --web.external-url=*)
        url=''
        words+=("$word")
        ;;
      *) words+=("$word") ;;
    esac
  done
  if [[ -n $url ]]; then words+=("--web.external-url=$url"); fi
  exec "${words[@]}" "--web.listen-address=$address" --web.enable-admin-api
}

# find_proxy_addresses: sets PROXY_ADDRESSES to what nginx takes over: configured, taken before, or public now.
find_proxy_addresses() {
  local configured address
  configured="$(setting PROXY_LISTEN "${STATE_VALUES[proxy_listen]:-${PUBLIC[*]}}")"
  read -r -a PROXY_ADDRESSES <<<"$configured"
  if ((${#PROXY_ADDRESSES[@]} == 0)); then
    die "$EXIT_REFUSED" "$UNIT listens on loopback only (${LISTENERS[*]}), so there is no public address to guard; nothing was changed. Set adminApi.exposure to loopback, or name the address in adminApi.proxyListen"
  fi
  for address in "${PROXY_ADDRESSES[@]}"; do
    if [[ ! $address =~ ^([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$ ]]; then
      die "$EXIT_CONFIGURATION" \
        "setting PROXY_LISTEN must be an IP address with a port, not '$address'; nothing was changed"
    fi
  done
}

# check_movable: refuses servers that a plain proxy cannot stand in for, and those whose address cannot be taken away.
check_movable() {
  local script
  refuse_selinux
  if [[ $EXEC_COMMAND =~ ^[:+!|-]*@ ]]; then
    die "$EXIT_REFUSED" "$UNIT gives its program another name (ExecStart=@...), so it cannot be started behind \
a proxy; nothing was changed. Take the @ and the name away, or set adminApi.exposure otherwise"
  fi
  script="$(script_of "$EXEC_COMMAND")"
  if [[ -n $script ]]; then
    find_line web.listen-address "$script"
    if [[ -n $PLACE ]]; then
      die "$EXIT_REFUSED" "the script that $UNIT starts sets the address to listen on itself, in $PLACE, where it \
cannot be replaced; nothing was changed. Move web.listen-address from there to the ExecStart= of the unit, or set \
adminApi.exposure otherwise"
    fi
  fi
  server_flag web.config.file
  if [[ $URL == https://* ]] || { [[ -n $VALUE ]] && grep -q '^tls_server_config' -- "$VALUE" 2>/dev/null; }; then
    die "$EXIT_REFUSED" "$UNIT serves TLS itself, which the proxy would take away; nothing was changed. Guard the admin API in a proxy of your own and set adminApi.exposure to loopback or accept-public"
  fi
  if [[ $URL != "$MOVED_URL" ]] && curl --silent --noproxy '*' --max-time 5 \
    --output "$WORK/body" "http://$LOOPBACK_LISTEN/"; then
    die "$EXIT_REFUSED" "another program answers on $LOOPBACK_LISTEN already; nothing was changed. Choose another port in adminApi.loopbackListen"
  fi
}

# selinux_enforced: whether it is.
selinux_enforced() { [[ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" == 1 ]]; }

# refuse_selinux: the policies of Red Hat and its kin let nginx neither listen on a port such as 9090 nor ask another
# one. Told before the server has moved, not by an nginx that does not start.
refuse_selinux() {
  if [[ -v STATE_VALUES[proxy_listen] ]] || ! selinux_enforced; then return 0; fi
  die "$EXIT_REFUSED" "SELinux is enforced on this host, where nginx may neither listen on ${PROXY_ADDRESSES[*]} nor reach $LOOPBACK_LISTEN; nothing was changed. Bind the server to loopback yourself and set adminApi.exposure to loopback, or do without the admin API: source: hot"
}

# ensure_nginx: the package would start a default site on port 80, which nobody asked for.
ensure_nginx() {
  if has_tool nginx; then return 0; fi
  NGINX_MASKED=true
  systemctl mask --quiet nginx.service 2>/dev/null
  ensure_tools nginx
  systemctl unmask --quiet nginx.service
  NGINX_MASKED=false
  systemctl disable --quiet nginx.service 2>/dev/null
}

# write_proxy: the configuration and the unit; checked by nginx before the server is touched.
write_proxy() {
  local address listens=''
  for address in "${PROXY_ADDRESSES[@]}"; do
    listens+="    listen $address;"$'\n'
    # Go listens on both families when it says [::].
    if [[ $address == '[::]:'* ]]; then listens="${listens%;*} ipv6only=off;"$'\n'; fi
  done
  print_proxy_config "$listens" >"$WORK/proxy.conf"
  print_proxy_unit >"$WORK/proxy.service"
  KEPT_FILES+=("$PROXY_CONFIG" "$PROXY_UNIT")
  if is_installed "$WORK/proxy.conf" root:root 0644 "$PROXY_CONFIG" &&
    is_installed "$WORK/proxy.service" root:root 0644 "$PROXY_UNIT"; then
    return 0
  fi
  PROXY_TOUCHED=true
  put_file "$WORK/proxy.conf" root:root 0644 "$PROXY_CONFIG"
  put_file "$WORK/proxy.service" root:root 0644 "$PROXY_UNIT"
  mkdir -p /run/prometheus-backup-proxy
  nginx -t -q -e stderr -c "$PROXY_CONFIG" >"$WORK/nginx" 2>&1 ||
    die_with "$EXIT_CONFIGURATION" "$WORK/nginx" 'nginx does not take the configuration of the proxy, see above'
  reload_units
}

# print_proxy_config LISTENS: nginx decodes and normalises the path before it compares, so no spelling slips by.
print_proxy_config() {
  local run=/run/prometheus-backup-proxy part
  printf '%s\n' '# Written by prometheus-backup.' "pid $run/nginx.pid;" 'daemon off;' 'error_log stderr warn;' \
    'events { worker_connections 1024; }' 'http {' '  access_log off;' '  server_tokens off;' \
    '  client_max_body_size 0;'
  for part in client_body proxy fastcgi uwsgi scgi; do printf '  %s_temp_path %s/%s;\n' "$part" "$run" "$part"; done
  # shellcheck disable=SC2016 # these are variables of nginx
  printf '%s\n' '  server {' "${1%$'\n'}" \
    '    location ~* /api/[^/]+/admin(/|$) { return 403 "The admin API is not served here.\n"; }' \
    '    location / {' "      proxy_pass http://$LOOPBACK_LISTEN;" '      proxy_http_version 1.1;' \
    '      proxy_set_header Host $http_host;' '      proxy_request_buffering off;' '      proxy_read_timeout 1h;' \
    '    }' '  }' '}'
}

print_proxy_unit() {
  # shellcheck disable=SC2016 # $MAINPID belongs to systemd
  printf '%s\n' '# Written by prometheus-backup.' '[Unit]' \
    'Description=Public address of Prometheus without its admin API' \
    'After=network.target' '' '[Service]' "ExecStart=$(command -v nginx) -e stderr -c $PROXY_CONFIG" \
    'ExecReload=/bin/kill -HUP $MAINPID' 'Restart=on-failure' 'DynamicUser=yes' \
    'RuntimeDirectory=prometheus-backup-proxy' \
    'AmbientCapabilities=CAP_NET_BIND_SERVICE' 'CapabilityBoundingSet=CAP_NET_BIND_SERVICE' 'ProtectHome=yes' \
    'PrivateDevices=yes' '' '[Install]' 'WantedBy=multi-user.target'
}

# start_proxy: starts it, or lets it take a changed configuration, and proves both halves of its work.
start_proxy() {
  local address="${PROXY_ADDRESSES[0]}" loopback="$MOVED_URL"
  if [[ $PROXY_TOUCHED == false && "$(unit_property "$PROXY_SERVICE" ActiveState)" == active ]]; then return 0; fi
  PROXY_TOUCHED=true
  rm -rf /run/prometheus-backup-proxy
  restart_anew "$PROXY_SERVICE" >"$WORK/restart" 2>&1 || true
  address="${address/#\[::\]/127.0.0.1}"
  BASE_URL="http://${address/#0.0.0.0/127.0.0.1}${MOVED_URL#http://"$LOOPBACK_LISTEN"}"
  if ! wait_ready "$PROXY_SERVICE" 15; then
    keep_journal "$PROXY_SERVICE" "$WORK/journal"
    die_with "$EXIT_SERVER" "$WORK/journal" \
      "the proxy in front of $UNIT does not answer on $address (HTTP $HTTP_STATUS), its last words are above"
  fi
  http_get /api/v1/admin/tsdb/snapshot
  if [[ $HTTP_STATUS != 403 ]]; then
    die "$EXIT_ADMIN_API" "the proxy in front of $UNIT does not deny the admin paths (HTTP $HTTP_STATUS)"
  fi
  BASE_URL="$loopback"
  systemctl enable --quiet "$PROXY_SERVICE"
}

# stop_proxy: gives the address back before the server wants it.
stop_proxy() {
  if [[ -v STATE_FILES[$PROXY_UNIT] && -e $PROXY_UNIT ]]; then
    systemctl disable --quiet --now "$PROXY_SERVICE"
  fi
}

# follow_address UNIT: points BASE_URL to where the server listens; that may have changed while it was not in force.
follow_address() {
  local deadline=$((SECONDS + 10)) scheme port path address
  if [[ ! -v STATE_VALUES[moved_url] || ! $BASE_URL =~ ^(https?://)[^/]*:([0-9]+)(/.*)?$ ]]; then return 0; fi
  scheme="${BASH_REMATCH[1]}" port="${BASH_REMATCH[2]}" path="${BASH_REMATCH[3]}"
  LISTENERS=()
  while ((${#LISTENERS[@]} == 0 && SECONDS < deadline)); do
    own_listeners "$1"
    sleep 0.3
  done
  for address in "${LISTENERS[@]}"; do
    if [[ ${address##*:} == "$port" ]]; then return 0; fi
  done
  if ((${#LISTENERS[@]} > 0)); then
    address="${LISTENERS[0]/#\[::\]/127.0.0.1}"
    BASE_URL="$scheme${address/#0.0.0.0/127.0.0.1}$path"
  fi
}

# roll_back_proxy: its unit file may be gone already, so it is stopped by what systemd still knows.
roll_back_proxy() {
  if [[ $NGINX_MASKED == true ]]; then systemctl unmask --quiet nginx.service; fi
  if [[ $PROXY_TOUCHED == false ]]; then return 0; fi
  if [[ -e $PROXY_UNIT ]]; then
    systemctl daemon-reload
    restart_anew "$PROXY_SERVICE"
  else
    systemctl stop "$PROXY_SERVICE" 2>/dev/null
  fi
}
