# shellcheck shell=bash
# Which process is the server that answers. A unit's main process may be anything: a shell that has started the server,
# a client of Docker.

LISTENERS=()  # of read_sockets
ADDRESS=""  # of decode_address

# unit_processes UNIT: the processes of a unit, those in groups below its own too, a line each.
unit_processes() {
  local group place
  group="$(systemctl show --property=ControlGroup --value -- "$1" 2>/dev/null)" || return 0
  for place in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
    if [[ -n $group && -r $place$group/cgroup.procs ]]; then
      find "$place$group" -name cgroup.procs -exec cat -- {} + 2>/dev/null
      return 0
    fi
  done
  systemctl show --property=MainPID --value -- "$1"
}

# program_name PID: name of the program that a process runs; where that is not to be seen, of what it was started as.
program_name() {
  local file
  if ! file="$(readlink -- "/proc/$1/exe" 2>/dev/null)"; then
    # What stands before the first NUL; the process may be gone.
    { IFS= read -r -d '' file <"/proc/$1/cmdline"; } 2>/dev/null || true
  fi
  file="${file% (deleted)}"
  printf '%s' "${file##*/}"
}

# read_sockets PID: sets LISTENERS to the addresses that a process listens on, as the kernel knows them; flags would
# miss what hides in an environment file or a configuration.
read_sockets() {
  local inodes
  LISTENERS=()
  inodes="$(find "/proc/$1/fd" -maxdepth 1 -lname 'socket:*' -printf '%l ' 2>/dev/null || true)"
  match_listeners "$1" "$inodes" ''
}

# match_listeners PID INODES PORTS: adds the sockets in state 0A (listening) that are among INODES or have one of PORTS.
# One program reads the table at a stretch: read line by line from its start again and again, it misses some while
# others come and go.
match_listeners() {
  local table address inode
  for table in "/proc/$1/net/tcp" "/proc/$1/net/tcp6"; do
    if [[ ! -r $table ]]; then continue; fi
    while read -r _ address _ _ _ _ _ _ _ inode _; do
      decode_address "$address"
      if [[ " $2" == *" socket:[$inode] "* || " $3" == *" :${ADDRESS##*:} "* ]]; then
        LISTENERS+=("$ADDRESS")
      fi
    done < <(awk '$4 == "0A"' "$table" 2>/dev/null)
  done
}

# decode_address HEX: sets ADDRESS from the form of /proc/net/tcp and tcp6, whose words are little endian.
decode_address() {
  local host="${1%:*}" port=$((16#${1##*:}))
  if [[ $host == 0000000000000000FFFF0000* ]]; then host="${host:24}"; fi
  if ((${#host} == 8)); then
    printf -v ADDRESS '%d.%d.%d.%d:%d' "0x${host:6:2}" "0x${host:4:2}" "0x${host:2:2}" "0x${host:0:2}" "$port"
  elif [[ $host == 00000000000000000000000000000000 ]]; then
    ADDRESS="[::]:$port"
  elif [[ $host == 00000000000000000000000001000000 ]]; then
    ADDRESS="[::1]:$port"
  else
    ADDRESS="[$host]:$port"
  fi
}

# find_server_process UNIT DATA PORTS: sets SERVER_PID to the process of the unit that is a server with that data
# directory and one of these ports (":9090 :9091"), by its program or its open files and by its socket; empty if there
# is none. Where files and sockets of other users' processes are not to be seen, as for others than root, the only one
# that was started under the name of the server.
find_server_process() {
  local pid unseen=() processes
  SERVER_PID=''
  mapfile -t processes < <(unit_processes "$1")
  for pid in "${processes[@]}"; do
    if ! readlink -- "/proc/$pid/exe" >/dev/null 2>&1; then
      if [[ "$(program_name "$pid")" == prometheus* ]]; then unseen+=("$pid"); fi
    elif has_port "$pid" "$3" && { [[ "$(program_name "$pid")" == prometheus* ]] || holds_files "$pid" "$2"; }; then
      SERVER_PID="$pid"
      return 0
    fi
  done
  if ((${#unseen[@]} == 1)); then SERVER_PID="${unseen[0]}"; fi
}

# has_port PID PORTS: whether the process listens on one of these ports.
has_port() {
  local address
  read_sockets "$1"
  for address in "${LISTENERS[@]}"; do
    if [[ " $2 " == *" :${address##*:} "* ]]; then return 0; fi
  done
  return 1
}

# holds_files PID DIR: whether the process has a file below DIR open.
holds_files() {
  local pattern
  # shellcheck disable=SC2001  # a pattern with brackets is clearer in sed
  pattern="$(sed 's/[][*?\\]/\\&/g' <<<"${2%/}")"
  [[ -n "$(find "/proc/$1/fd" -maxdepth 1 -lname "$pattern/*" -print -quit 2>/dev/null)" ]]
}
