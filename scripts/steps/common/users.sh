# shellcheck shell=bash
# The user whose rights the backup runs with.

require_user() {
  if ! id -- "$1" >/dev/null 2>&1; then
    die "$EXIT_CONFIGURATION" \
      "this host has no user $1, as whom backups run; install Prometheus first, or name its user in prometheus.user. Nothing was changed"
  fi
}

# as_user USER COMMAND...: with the user's rights alone, none of root's.
as_user() {
  local user="$1"
  shift
  setpriv --reuid="$user" --regid="$(id -g -- "$user")" --init-groups --inh-caps=-all --reset-env -- "$@"
}

# in_directory PATH COMMAND...: COMMAND in PATH, which has no symbolic link in it: false if somebody has put one there
# meanwhile.
in_directory() { ( cd -P -- "$1" && [[ $PWD == "$1" ]] && "${@:2}" ); }
