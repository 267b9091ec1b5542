# shellcheck shell=bash
# Blocks of a directory: what meta.json says, and what is wrong with their files, checked before anybody relies on it.
# What a run, check and heal call damaged by its files is decided here alone; what differs from a backup, or is lost, in
# wounds.sh.

# Of read_blocks.
BLOCKS_COUNT=0 BLOCKS_BYTES=0

# describe_blocks DIR FILE [ULID...]: writes a JSON array of DIR's blocks (fields as in the manifest, without objects),
# or of these alone, to FILE, their ULIDs, a line each, to FILE.ulids, and to FILE.damaged an array of those that are
# damaged: {ulid, minTime, maxTime, reason, usable, block}. A usable one is in FILE as well: its chunks and index can be
# read, only its tombstones cannot. Sets BLOCKS_COUNT and BLOCKS_BYTES, of FILE. One block at most is marked as the
# head: the newest that ends off the grid and that the server's own directory does not hold, because the snapshot wrote
# it. Backfilled and restored blocks end off the grid as well, but they stay on the server. False, with a message in
# BLOCK_ERROR, if DIR is gone or changed while it was read.
describe_blocks() {
  local directory=$1 target=$2 names=("${@:3}") try
  BLOCK_ERROR=""
  # A folder that is gone must not pass for a server without blocks.
  if [[ ! -d $directory ]]; then BLOCK_ERROR="$directory is gone"; return 1; fi
  for try in 1 2 3; do
    if (( $# == 2 )); then
      { find "$directory" -mindepth 1 -maxdepth 1 -type d ! -name '*[[:cntrl:]]*' -printf '%f\n' |
        grep --extended-regexp "$ULID_PATTERN" || true; } | sort | mapfile -t names
    fi
    if read_blocks "$directory" "$target" "${names[@]}"; then return 0; fi
    if (( try < 3 )); then sleep 1; fi
  done
  BLOCK_ERROR="the blocks in $directory changed while they were read, or a program that reads them was ended"
  return 1
}

# read_blocks DIR FILE ULID...: one try of describe_blocks.
read_blocks() {
  local directory=$1 target=$2 ulid metas=()
  shift 2
  printf '%s\n' "$@" | sed '/^$/d' >"$target.ulids"
  live_blocks >"$target.live"
  : >"$target.files"
  # What vanishes meanwhile, or may not be entered, makes find complain; the list tells.
  if (( $# > 0 )); then
    { ( cd -- "$directory" && find "$@" -mindepth 1 -name '*[![:print:]]*' -prune -o -readable \
      -printf '%p\t%y\t%s\tyes\n' -o -printf '%p\t%y\t%s\tno\n' ) 2>/dev/null ||
      (( $? == 1 )); } >"$target.files" || return 1
  fi
  copy_small_files "$directory" "$target" || return 1
  read_tombstones "$target" || return 1
  find_hollow "$directory" "$target" || return 1
  while IFS= read -r ulid; do metas+=("$target.copies/$ulid/meta.json"); done < <(
    awk -F '\t' '$2 ~ /\/meta\.json$/ && $1 > 0 { print substr($2, 1, 26) }' "$target.copied")
  if ! filter_blocks "$target" "${metas[@]}"; then
    # One that is no JSON ends jq, so the others are read without it.
    sound_metas "${metas[@]}" | mapfile -t metas
    filter_blocks "$target" "${metas[@]}" || return 1
  fi
  { read -r BLOCKS_COUNT BLOCKS_BYTES && IFS= read -r ulid && printf '%s\n' "$ulid" >"$target" &&
    cat >"$target.damaged"; } <"$target.lines"
}

# filter_blocks FILE META-FILE...: the jq of read_blocks, to FILE.lines. False if it could not read them.
filter_blocks() {
  local target=$1
  shift
  jq --null-input --raw-output --compact-output --rawfile ulids "$target.ulids" --rawfile live "$target.live" \
    --rawfile files "$target.files" --rawfile hollow "$target.hollow" \
    --rawfile tombstones "$target.tombstones" --argjson range "$BLOCK_RANGE_MS" "$(blocks_filter)" \
    "${@:-/dev/null}" >"$target.lines" 2>/dev/null &&
    (( $(wc -l <"$target.lines") == 3 ))
}

# sound_metas META-FILE...: those of them that jq can read, a line each.
sound_metas() {
  local meta
  for meta in "$@"; do
    if jq --exit-status 'type == "object"' "$meta" >/dev/null 2>&1; then printf '%s\n' "$meta"; fi
  done
}

# copy_small_files DIR FILE: meta.json and tombstones of the blocks in FILE.files to FILE.copies, where nobody can
# exchange them, and to FILE.copied a line for each: its bytes, tab, its path there. False if one has gone meanwhile;
# what cannot be read has no copy.
copy_small_files() {
  copy_listed "$1" "$2" || return 1
  find "$2.copies" -type f -size "-$(( NOTE_BYTES + 1 ))c" -printf '%s\t%P\n' | sort -k 2 >"$2.copied" || return 1
}

# copy_listed DIR FILE: the first half. tar opens what the list names without following a link or waiting, and no more
# of it is taken than the list says.
copy_listed() {
  local directory=$1 copies="$2.copies" list="$2.small" limit path
  rm -rf -- "$copies"
  mkdir -- "$copies"
  awk -F '\t' -v most="$NOTE_BYTES" '
    $1 ~ /^[^\/]+\/(meta\.json|tombstones)$/ && $2 == "f" && $3 <= most && $4 == "yes" {
      print $1; bytes += 1024 + $3 } END { printf "%.0f\n", bytes + 20480 }' "$2.files" >"$list"
  limit="$(tail -n 1 -- "$list")"
  sed -i '$d' "$list"
  if [[ ! -s $list ]]; then return 0; fi
  if as_owner tar --create --directory "$directory" --no-recursion --format=gnu --verbatim-files-from --files-from - \
    2>/dev/null <"$list" | head --bytes "$limit" |
    tar --extract --directory "$copies" --no-same-owner --no-same-permissions 2>/dev/null; then return 0; fi
  # One of them at least has changed, has gone, or the disk does not give it.
  while IFS= read -r path; do
    rm -rf -- "${copies:?}/$path"
    mkdir -p -- "$copies/${path%/*}"
    as_owner dd if="$directory/$path" "${READ_NOW[@]}" count="$(( NOTE_BYTES + 1 ))" 2>/dev/null >"$copies/$path" ||
      rm -f -- "$copies/$path"
    if [[ ! -e $copies/$path && ! -e $directory/$path ]]; then return 1; fi
  done <"$list"
}

# read_tombstones FILE: FILE.tombstones gets a line for each tombstones file in FILE.copies that the server can read:
# ULID, tab, its content in base64, or nothing if it holds no marks. It can if magic number and version are right. False
# if a program that reads them has failed, which says nothing about the files.
read_tombstones() {
  local target=$1 ulid size header headers content ulids=() lengths=() index=0
  : >"$target.tombstones"
  # 9 bytes: the header and checksum of a file without marks.
  awk -F '\t' '$2 ~ /\/tombstones$/ && $1 >= 9 { print substr($2, 1, 26) "\t" $1 }' "$target.copied" |
    while IFS=$'\t' read -r ulid size; do ulids+=("$ulid") lengths+=("$size"); done || return 1
  if (( ${#ulids[@]} == 0 )); then return 0; fi
  headers="$(cd -- "$target.copies" && printf '%s/tombstones\0' "${ulids[@]}" |
    xargs --null head --quiet --bytes=5 -- | od --address-radix=n --format=x1 --width=5 --output-duplicates)" ||
    return 1
  while IFS= read -r header; do
    ulid="${ulids[index]}" size="${lengths[index]}"
    index=$(( index + 1 ))
    if [[ ${header//[[:space:]]/} != 0130ba3001 ]]; then continue; fi
    if (( size == 9 )); then printf '%s\t\n' "$ulid"; continue; fi
    content="$(base64 --wrap=0 -- "$target.copies/$ulid/tombstones")" || return 1
    printf '%s\t%s\n' "$ulid" "$content"
  done <<<"$headers" >"$target.tombstones"
}

# Bytes at the beginning of an index and of a file of chunks (magic number, version and what follows), and at the end of
# an index (six offsets of eight bytes, checksum).
readonly PART_HEAD_BYTES=8 INDEX_TAIL_BYTES=52

# find_hollow DIR FILE: FILE.hollow gets the paths of indices and files of chunks in FILE.files that are not empty, and
# do not begin and end as Prometheus writes them: a file system that lost power leaves zeros, or a part. The format is
# in tsdb/docs/format of Prometheus. False if one is not there any more.
find_hollow() {
  local directory=$1 target=$2 kind tail words path files
  : >"$target.hollow"
  for kind in index chunks; do
    if [[ $kind == index ]]; then tail=$INDEX_TAIL_BYTES; else tail=0; fi
    parts_to_read "$kind" "$(( PART_HEAD_BYTES + tail ))" "$target.files" >"$target.parts" || return 1
    files=()
    while IFS=$'\t' read -r words path _; do
      if [[ $words == whole ]]; then files+=("$directory/$path"); fi
    done <"$target.parts"
    if ! ends_of "$PART_HEAD_BYTES" "$tail" "${files[@]}" >"$target.ends" 2>/dev/null ||
      ! awk -v lines="${#files[@]}" -v words="$(( (PART_HEAD_BYTES + tail) / 4 ))" \
        'NF != words { short = 1 } END { exit short || NR != lines }' "$target.ends"; then
      ends_of_each "$PART_HEAD_BYTES" "$tail" "${files[@]}" >"$target.ends" || return 1
    fi
    hollow_of "$kind" "$target.parts" "$target.ends" >>"$target.hollow" || return 1
  done
}

# ends_of_each HEAD TAIL FILE...: what ends_of says, file by file: an empty line for one that the disk does not give, or
# whose place something else has taken. False if one is gone, or if a program that reads it was ended by a signal or is
# not there, which says nothing about the file.
ends_of_each() {
  local head=$1 tail=$2 path size numbers status
  shift 2
  for path in "$@"; do
    numbers="" status=0
    if size="$(stat --format %s -- "$path" 2>/dev/null)" && (( size >= head + tail )); then
      numbers="$({ as_owner dd if="$path" "${READ_NOW[@]}" count="$head" &&
        as_owner dd if="$path" "${READ_NOW[@]}" iflag=skip_bytes skip="$(( size - tail ))" count="$tail"; } 2>/dev/null |
        od --address-radix=n --endian=big --format=u4 --width="$(( head + tail ))" --output-duplicates)" || status=$?
      if (( status >= 126 )); then return 1; fi
      if (( status != 0 )); then numbers=""; fi
    fi
    if [[ ! -e $path ]]; then return 1; fi
    printf '%s\n' "$numbers"
  done
}

# parts_to_read KIND BYTES FILE: the indices, or files of chunks, in FILE that are not empty and can be read: "short" if
# they have less than BYTES, else "whole", path, size.
parts_to_read() {
  awk -F '\t' -v kind="$1" -v least="$2" '
    { name = substr($1, index($1, "/")) }
    { wanted = kind == "index" ? "^/index$" : "^/chunks/[0-9][0-9][0-9][0-9][0-9][0-9]$" }
    $2 == "f" && $3 > 0 && $4 == "yes" && name ~ wanted {
      print ($3 < least ? "short" : "whole") "\t" $1 "\t" $3 }' "$3"
}

# hollow_of KIND PARTS ENDS: the paths of those that are too short, or whose numbers (ends_of) are not those of their
# kind.
hollow_of() {
  awk -F '\t' -v kind="$1" -v tail="$INDEX_TAIL_BYTES" '
    FILENAME == ARGV[1] && $1 == "short" { print $2; next }
    FILENAME == ARGV[1] { paths[++count] = $2; sizes[count] = $3; next }
    { split($0, number, " "); path = paths[FNR]; version = int(number[2] / 16777216); ok = 1; some = 0 }
    kind == "chunks" { ok = number[1] == 2243772637 && version == 1 }   # 85BD40DD
    kind == "index" {
      ok = number[1] == 3131758336 && (version == 1 || version == 2)    # BAAAD700
      for (part = 0; part < 6; part++) {
        offset = number[3 + 2 * part] * 4294967296 + number[4 + 2 * part]
        if (offset > sizes[FNR] - tail) ok = 0
        if (offset > 0) some = 1
      }
      ok = ok && some
    }
    !ok { print path }' "$2" "$3"
}

# meta_filter: jq functions behind the form of a meta.json: sound_metas($read), of [{at: ULID of the folder, is: what
# lies there}], those that are the meta.json of that block.
meta_filter() {
  form_filter
  meta_form
  cat <<'JQ'
  def sound_metas($read): (if [{metas: [$read[].is]} | fault(meta_forms("metas[]"))] == [] then $read
      else [$read[] | select([.is | fault(meta_forms(""))] == [])] end)
    | map(select(.is.ulid == .at and .is.minTime <= .is.maxTime) | .is);
JQ
}

# blocks_filter: the jq program of filter_blocks: number of usable blocks and bytes, then their array in a line, then
# the damaged ones. It reads the meta.json of every block that has one.
blocks_filter() {
  meta_filter
  cat <<'JQ'
  def lines(text): [text | split("\n")[] | select(. != "")];
  def table(text): lines(text) | map(split("\t"));
  def segments: [.segments[]? | select(.[1] > 0) | .[0] | tonumber];
  (reduce table($files)[] as $row ({}; $row[0][0:26] as $ulid | ($row[2] | tonumber) as $bytes
    | if $row[3] == "no" and ($row[0][27:] | test("^(index|meta[.]json|tombstones|chunks(/.*)?)$"))
      then .[$ulid].unreadable = $row[0][27:] else . end
    | if $row[0][26:] == "/index" and $row[1] == "f" then .[$ulid].index = $bytes | .[$ulid].bytes += $bytes
      elif $row[0][26:] | test("^/chunks/[0-9]{6}$") then
        if $row[1] == "f" then .[$ulid].bytes += $bytes | .[$ulid].segments += [[$row[0][34:], $bytes]]
        else .[$ulid].links = true end
      elif $row[0][26:] == "/chunks" and $row[1] == "d" then .[$ulid].folder = true
      elif $row[0][26:] == "/tombstones" then .[$ulid].marks = true else . end)) as $parts
  | (reduce lines($hollow)[] as $path ({}; .[$path[0:26]] += [$path[27:]])) as $hollow
  | (reduce table($tombstones)[] as $row ({}; .[$row[0]] = $row[1])) as $marks
  | (reduce sound_metas([inputs | {at: (input_filename | split("/")[-2]), is: .}])[]
    as $meta ({}; .[$meta.ulid] = $meta)) as $metas
  | ($live | split("\n")) as $there
  | ([$metas[] | select(.maxTime % $range != 0 and (.compaction.level // 1) == 1
    and (.compaction.sources // []) == [.ulid]
      and (.ulid as $ulid | $there | index($ulid) | not))] | max_by(.maxTime) | .ulid?) as $head
  | [lines($ulids)[] as $ulid | $metas[$ulid] as $meta | $parts[$ulid] as $part
    | ($meta | if . == null then null else {
        ulid, minTime, maxTime,
        bytes: ($part.bytes // 0),
        numSamples: (.stats.numSamples // 0), numSeries: (.stats.numSeries // 0), numChunks: (.stats.numChunks // 0),
        numTombstones: (.stats.numTombstones // 0),
        level: (.compaction.level // 1), sources: (.compaction.sources // [.ulid]),
        head: ($head != null and .ulid == $head),
        meta: ., tombstones: ($marks[.ulid] // "")
      } end) as $block
    | (if $part.unreadable then {reason: "its \($part.unreadable) cannot be read by this user",
      usable: ($part.unreadable == "tombstones")}
      elif $block == null then {reason: "its meta.json is missing or not readable, so the server skips it",
        usable: false}
      elif ($part.index // 0) == 0 then {reason: "its index is missing or empty", usable: false}
      elif ($part.folder | not) or ($block.numSamples > 0 and ($part | segments) == [])
        then {reason: "its chunks are missing or empty", usable: false}
      elif $part.links then {reason: "its chunks are not whole: what should be a file is none", usable: false}
      elif ($part | segments | length) != ($part | segments | max // 0)
        then {reason: "its chunks are not whole: a file is missing or empty", usable: false}
      elif $hollow[$ulid] then {reason: "its \($hollow[$ulid][0]) does not hold what Prometheus writes there (zeros, or only a part of it)",
        usable: false}
      elif ($part.marks | not) then {reason: "its tombstones are missing, so the server makes no snapshot",
        usable: true}
      elif ($marks | has($ulid) | not) then {reason: "its tombstones are not readable, so the server does not start",
        usable: true}
      else {reason: null, usable: true} end)
    | . + {$ulid, minTime: $block.minTime, maxTime: $block.maxTime, $block}] as $all
  | [$all[] | select(.usable and .block != null) | .block] as $blocks
  | "\($blocks | length) \([$blocks[].bytes] | add // 0)",
    ($blocks | sort_by(.minTime, .ulid)), [$all[] | select(.reason)]
JQ
}

# live_blocks: names of the blocks in the data directory, a line each.
live_blocks() {
  find "$DATA_DIRECTORY" -mindepth 1 -maxdepth 1 -type d ! -name '*[[:cntrl:]]*' -printf '%f\n' |
    grep --extended-regexp "$ULID_PATTERN" | sort || true
}
