# shellcheck shell=bash
# Whether the data of a server can be backed up from this host. Asks systemd and the kernel alone, so that it can be
# told before anything is installed.

# Of why_no_backup.
WHY="" WAY_OUT=""

# What runs servers where paths mean something else.
readonly CONTAINER_PROGRAMS='^(docker|dockerd|docker-proxy|podman|conmon|nerdctl|rootlessport|runc|crun|ctr|containerd-shim.*|systemd-nspawn|lxc-start|kubelet|k3s.*)$'

# What starts several programs as one unit.
readonly SUPERVISORS='^(supervisord|runsvdir|s6-svscan|circusd|monit|pm2|immortaldir)$'

# why_no_backup UNIT DIRECTORY PORTS: sets WHY to the reason that the data cannot be backed up, and WAY_OUT to what to
# do; empty if they can. DIRECTORY is what the server calls its data, and PORTS (":9090 :9091") are those that it
# listens on; both empty if it does not say.
why_no_backup() {
  WHY='' WAY_OUT=''
  judge_user "$1" "$2"
  if [[ -z $WHY ]]; then judge_starter "$1"; fi
  if [[ -z $WHY ]]; then judge_process "$1" "$2" "$3"; fi
  if [[ -z $WHY && -n $2 ]]; then judge_file_system "$2"; fi
}

# judge_user UNIT DIRECTORY: of a user that systemd makes for the time of a start, nothing can be backed up or restored:
# neither is there a user to run as or to give data to, nor may it pass /var/lib/private.
judge_user() {
  local user
  if [[ "$(realpath --canonicalize-missing -- "${2:-/}")" != /var/lib/private/* ]]; then
    if [[ "$(systemctl show --property=DynamicUser --value -- "$1" 2>/dev/null)" != yes ]]; then return 0; fi
    user="$(systemctl show --property=User --value -- "$1" 2>/dev/null)"
    if [[ -n $user ]] && getent --service=files passwd "$user" >/dev/null; then return 0; fi
  fi
  WHY="$1 has DynamicUser=yes, so its user exists only while it runs, and nobody but root can pass /var/lib/private, where its data are"
  WAY_OUT="Give it a user of its own: useradd --system prometheus, and with \`systemctl edit $1\` the lines [Service], DynamicUser=no, User=prometheus; at the next start systemd moves the data by itself"
}

# judge_starter UNIT: a snap, and one of several programs of a supervisor, can neither be given other flags nor be
# stopped alone.
judge_starter() {
  local main launch=() word
  main="$(systemctl show --property=MainPID --value -- "$1" 2>/dev/null)" || main=''
  if [[ $main =~ ^[1-9][0-9]*$ ]]; then
    { mapfile -d '' -t launch <"/proc/$main/cmdline"; } 2>/dev/null || launch=()
  fi
  if [[ $1 == snap.* || "$(readlink -- "/proc/$main/exe" 2>/dev/null)" =~ ^(/var/lib/snapd)?/snap/ ]]; then
    WHY="$1 is a snap: snapd starts it with flags of its own, in a file system of its own, and a refresh takes another directory for its files"
    WAY_OUT="Install Prometheus from a package of your distribution or from its release, with a unit of its own, and move the data there"
    return 0
  fi
  # A supervisor in Python or under a shell is the second word.
  for word in "${launch[@]:0:2}"; do
    if [[ ! ${word##*/} =~ $SUPERVISORS ]]; then continue; fi
    WHY="$1 runs ${word##*/}, of which the server is one program among others: it could not be stopped for a restore without them"
    WAY_OUT="Give Prometheus a unit of its own, take it out of the configuration of ${word##*/}, and name that unit in prometheus.unit"
    return 0
  done
}

# judge_process UNIT DIRECTORY PORTS: what the server calls DIRECTORY must be that here. One that is no process of its
# unit could not be stopped for a restore, so it counts only if it shares the host's file system, as after su.
judge_process() {
  SERVER_PID=''
  if [[ -n $3 ]]; then find_server_process "$1" "$2" "$3"; fi
  if [[ -z $SERVER_PID ]]; then
    refuse_container_programs "$1"
    if [[ -n $WHY || -z $3 ]]; then return 0; fi
    find_server_elsewhere "$3"
    # The kernel's list of sockets is no picture of one moment; on a busy host one can be missing.
    if [[ -z $SERVER_PID ]]; then find_server_process "$1" "$2" "$3"; fi
  fi
  if [[ -z $SERVER_PID ]]; then
    if readlink -- /proc/1/exe >/dev/null 2>&1; then
      not_of_this_host "no process of this host is the server that answers"
    fi
  elif [[ -e /proc/$SERVER_PID/root && ! /proc/$SERVER_PID/root$2 -ef $2 ]]; then
    not_of_this_host "what the server (process $SERVER_PID) calls $2 is not $2 on this host"
  fi
}

# refuse_container_programs UNIT: for a unit without a process that is called like the server, but with one that runs
# containers.
refuse_container_programs() {
  local pid program found=''
  while IFS= read -r pid; do
    program="$(program_name "$pid")"
    if [[ $program == prometheus* ]]; then return 0; fi
    if [[ $program =~ $CONTAINER_PROGRAMS ]]; then found="$program"; fi
  done < <(unit_processes "$1")
  if [[ -n $found ]]; then not_of_this_host "$1 runs $found, and not the server itself"; fi
}

# not_of_this_host REASON: sets WHY and WAY_OUT.
not_of_this_host() {
  WHY="$1: it runs in a container, in a file system of its own (RootDirectory=, BindPaths=) or on another machine, so its data cannot be backed up from here"
  WAY_OUT="Run Prometheus as a unit of this host that has its data under their own path"
}

# find_server_elsewhere PORTS: as find_server_process, among all processes that share this network and the root
# directory, for a server that its unit has lost sight of, or that has none.
find_server_elsewhere() {
  local pid network
  network="$(readlink -- /proc/self/ns/net)" || return 0
  while IFS= read -r pid; do
    if [[ "$(program_name "$pid")" != prometheus* ]]; then continue; fi
    if [[ "$(readlink -- "/proc/$pid/ns/net" 2>/dev/null)" != "$network" || ! /proc/$pid/root -ef / ]]; then
      continue
    fi
    if has_port "$pid" "$1"; then SERVER_PID="$pid"; return 0; fi
  done < <(server_candidates)
}

# server_candidates: the processes that program_name may call a server, all asked at once: a host has thousands. Of the
# words that a process was started with only the first one counts.
server_candidates() {
  {
    find /proc/[0-9]*/exe -maxdepth 0 -lname '*/prometheus*' -printf '%p:1:\0' 2>/dev/null || true
    grep --null-data --line-number --with-filename --extended-regexp '^(.*/)?prometheus' -- /proc/[0-9]*/cmdline \
      2>/dev/null || true
  } | tr '\0' '\n' | sed --quiet --regexp-extended 's#^/proc/([0-9]+)/(exe|cmdline):1:.*#\1#p' | sort --unique
}

# judge_file_system DIRECTORY: those that Prometheus does not support, because files there are not what other machines
# make of them meanwhile. The name of a FUSE file system says what is behind it.
judge_file_system() {
  local type
  type="$(df --output=fstype -- "$1" 2>/dev/null | tail -n 1)"
  if [[ ! $type =~ ^(nfs|nfs4|cifs|smb3|smbfs|9p|afs|glusterfs|fuse\.(sshfs|s3fs|rclone|gcsfuse|goofys|mount-s3|blobfuse2?|davfs2?|curlftpfs|glusterfs|juicefs|smbnetfs|nfs.*|mfs.*))$ ]]; then
    return 0
  fi
  WHY="$1 is on a network file system ($type), where Prometheus does not keep its data safely, and neither does a restore"
  WAY_OUT="Move it to a local disk; repositories of backups may be on such a file system"
}
