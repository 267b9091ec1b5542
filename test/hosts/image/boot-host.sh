#!/bin/bash
# First process of a test host: settles what differs from host to host, then becomes systemd.
# Environment: TEST_AUTHORIZED_KEY, TEST_LISTEN ('' = the server's own default, all addresses).
set -Eeuo pipefail

# set_listen_address ADDRESS: adds the flag to the server's command line, once.
set_listen_address() {
  local flag="--web.listen-address=$1"
  if [[ "$(</etc/test-host/layout)" == debian ]]; then
    printf 'ARGS="%s"\n' "$flag" >/etc/default/prometheus
  elif ! grep -q -- '--web.listen-address' /etc/systemd/system/prometheus.service; then
    sed -i "s|^ExecStart=/usr/local/bin/prometheus .*|&\n    $flag \\\\|" /etc/systemd/system/prometheus.service
  fi
}

# own_directory DIRECTORY: remakes it in the container's own layer. The storage driver refuses to rename a
# directory that comes from the image, which a real host never does.
own_directory() {
  cp -a -- "$1" "$1.own"
  rm -rf -- "$1"
  mv -T -- "$1.own" "$1"
}

main() {
  if [[ ! -e /etc/test-host/settled ]]; then
    # systemd would take the id of the machine below, so all hosts would pass for the same one.
    tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    install -d -o deploy -g deploy -m 0700 /home/deploy/.ssh
    printf '%s\n' "$TEST_AUTHORIZED_KEY" >/home/deploy/.ssh/authorized_keys
    chown deploy:deploy /home/deploy/.ssh/authorized_keys
    own_directory /var/lib/prometheus
    if [[ -n "${TEST_LISTEN:-}" ]]; then
      set_listen_address "$TEST_LISTEN"
    fi
    : >/etc/test-host/settled
  fi
  exec env -i container=docker PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
}

main
