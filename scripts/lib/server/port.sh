# shellcheck shell=bash

# free_port: a port of loopback where nobody listens.
free_port() {
  local port try
  for (( try = 0; try < 100; try++ )); do
    port=$(( 20000 + RANDOM % 12000 ))
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then printf '%d' "$port"; return 0; fi
  done
  printf '%d' "$port"
}
