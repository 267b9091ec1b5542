# shellcheck shell=bash
# Hard links of the server's files in folders of ours: they keep blocks that it removes meanwhile, and cost a few
# inodes.

# link_below TO NAME...: everything below DATA_DIRECTORY/NAME... as hard links in the folder TO, under the same names.
# False if not all could be linked, with the system's words on standard error. Prometheus replaces meta.json and
# tombstones by rename, so a link keeps the content of its moment. A name that is a symbolic link, as of a WAL on a disk
# of its own, is followed. The server's user links, whoever runs this: whenever root is killed, a later run of that user
# can remove what is left.
link_below() {
  local to=$1 names=("${@:2}")
  as_owner cp --archive -H --link --target-directory="$to" -- "${names[@]/#/$DATA_DIRECTORY/}"
}
