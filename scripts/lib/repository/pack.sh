# shellcheck shell=bash
# A block as a stream: packed and compressed, the same bytes for the same block.

# pack_block DIR ULID: the object of one block on standard output. The same block always gives the same bytes, so that a
# damaged object can be replaced under its name; chunks and index never change, meta.json and tombstones go into the
# manifest. Other files that lie there are none of the server's, and a restore takes no object with one in it. Root has
# the owner of the data read them.
pack_block() {
  local segments=("$1/$2"/chunks/[0-9][0-9][0-9][0-9][0-9][0-9])
  if [[ ! -e ${segments[0]} ]]; then segments=(); fi
  as_owner tar --create --directory "$1" --no-recursion --format=gnu --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --mtime=@0 -- "$2/chunks" "${segments[@]/#"$1/"/}" "$2/index" | compress "$PACK_THREADS"
}

# compress THREADS: zstd from standard input to output. The number of threads does not change the bytes, and all
# repositories get the same, so that one can stand in for another. Chunks repeat themselves in four bytes rather than in
# the five or more that zstd looks for up to level 12. Jobs of 2 MB that know nothing of the one before take a third of
# the memory of those that zstd chooses (docs/decisions/009-compression.md).
compress() {
  local tuning=ovlog=1
  if (( COMPRESSION_LEVEL > 1 && COMPRESSION_LEVEL < 13 )); then tuning+=,mml=4; fi
  zstd --quiet "-$COMPRESSION_LEVEL" "-T$1" -B2M "--zstd=$tuning"
}
