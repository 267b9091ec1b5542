# shellcheck shell=bash
# What of a data directory belongs to the server's database.

# wal_bytes: what WAL and head of a cold backup take when they are unpacked, if this restore wants them.
wal_bytes() {
  if [[ -z $M_WAL ]] || ! wants_wal; then printf 0; return 0; fi
  # Within what the shell can add up, whatever the manifest says.
  jq --argjson factor "$WAL_UNPACKED_FACTOR" '.wal | (.rawBytes | numbers) // .objectBytes * $factor | [., 0] | max
    | [., 1e15] | min | floor' "$MANIFEST"
}

# tsdb_entries DIR: names of what a server keeps in its data directory; everything else there is not ours to move.
tsdb_entries() {
  if [[ ! -d $1 ]]; then return 0; fi
  as_owner find "$1" -mindepth 1 -maxdepth 1 ! -name '*[[:cntrl:]]*' -printf '%f\n' |
    grep --extended-regexp \
    '^([0-7][0-9A-HJKMNP-TV-Z]{25}(\..*)?|wal|wal\..*|wbl|chunks_head|chunk_snapshot\..*|lock|queries\.active)$' |
    sort || true
}
