# shellcheck shell=bash
# Hard links of the server's files in folders of ours: they keep blocks that it removes meanwhile, and cost a few inodes.

# link_below TO NAME...: everything below DATA_DIRECTORY/NAME... as hard links in the folder TO, under the same names. False if not all could be
# linked, with the system's words on standard error. Prometheus replaces meta.json and tombstones by rename, so a link keeps the content of
# its moment. A name that is a symbolic link, as of a WAL on a disk of its own, is followed.
# As root, folders get the server's user while they are empty: whenever root is killed, a later run of that user can remove what is left.
link_below() {
  local to=$1 names=("${@:2}") folders owner
  if (( EUID == 0 )); then
    owner="$(stat --dereference --format %u:%g -- "$DATA_DIRECTORY")" || return 1
    mapfile -d '' -t folders < <(cd -- "$DATA_DIRECTORY" && find -H "${names[@]}" -type d -print0)
    install --directory --owner="${owner%:*}" --group="${owner#*:}" -- "${folders[@]/#/$to/}" || return 1
  fi
  cp --archive -H --link --target-directory="$to" -- "${names[@]/#/$DATA_DIRECTORY/}"
}
