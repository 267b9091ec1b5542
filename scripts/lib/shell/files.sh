# shellcheck shell=bash
# Questions about files and file systems.

# nearest_directory PATH: PATH, or the closest directory above it that exists.
nearest_directory() {
  local path=$1
  while [[ ! -d $path ]]; do path="${path%/*}"; path="${path:-/}"; done
  printf '%s' "$path"
}

# require_new_directory DIR: what is written there must not mix with anything; ends with 12 unless DIR is new or empty.
require_new_directory() {
  if [[ -e $1 && ! -d $1 ]]; then die "$EXIT_REFUSED" "$1 is not a directory" "name a new or empty one"; fi
  # The slash makes find look behind a symbolic link.
  if [[ -d $1 && -n "$(find "$1/" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.prometheus-backup-*' -print -quit)" ]]; then
    die "$EXIT_REFUSED" "$1 is not empty" "name a new or empty directory, for nothing is mixed with what is there"
  fi
}

# make_target DIR: makes it, readable by everybody, if it is not there; ends with 3 if it cannot be written.
make_target() {
  ( umask 022; mkdir --parents -- "$1" ) || die "$EXIT_CONFIGURATION" "$1 cannot be made by '$(id -un)'" \
    "choose another directory, or $(as_root)"
  if [[ ! -w $1 ]]; then
    die "$EXIT_CONFIGURATION" "$1 cannot be written by '$(id -un)'" "choose another directory, or $(as_root)"
  fi
}

# bytes_below DIR [OPTION OF DU...]: size of all files below DIR, 0 if it is not there. A file that vanishes meanwhile
# makes du fail after it has printed its sum, so its status says nothing.
bytes_below() {
  local bytes
  bytes="$(du --summarize --bytes "${@:2}" -- "$1" 2>/dev/null | cut -f 1)" || true
  printf '%s' "${bytes:-0}"
}

# free_bytes PATH / free_inodes PATH: what an unprivileged user may still write there.
free_bytes() { df --output=avail --block-size=1 -- "$1" | tail -n 1 | tr -d ' '; }

free_inodes() { df --output=iavail -- "$1" | tail -n 1 | tr -d ' -'; }

# mount_of PATH: the mount point it lies on; bind mounts of one file system count as different, since no rename crosses
# them.
mount_of() { findmnt --noheadings --output TARGET --target "$1" 2>/dev/null || stat --format %m -- "$1"; }
