# shellcheck shell=bash
# Short forms of the manifests, kept on this host, so that a list of a thousand backups does not read them all again.
#
# They lie in one file a repository, SCRATCH/summaries while a command works on it. First the objects that any of them
# needs, a line each: number, tab, size, tab, name. Blocks are numbered apart from the others (#b1, #b2, #o1), and a
# number never gets another meaning. Then a row a backup, oldest first: key, tab, JSON. The key is the manifest's name
# and size, since manifests are written once, and "unchecked" behind it if its digest was not compared. "objects" says
# in ranges of numbers what the backup needs ("b17-1096,o3"): blocks are numbered as they come, so this stays short
# where a year of backups shares a thousand blocks.

UNREFUSED=()  # of leave_out_refused

# How many manifests are read at once to list them.
readonly SUMMARY_BATCH=8

# summaries_folder: of the short forms as this version makes them.
summaries_folder() { printf 'summaries-4'; }

# read_summaries FILE [checked]: one JSON line a backup whose manifest lies in MANIFESTS, oldest first, to FILE, and
# SCRATCH/summaries. A manifest that cannot be read becomes {name, damaged: true} and its key "NAME damaged"; with
# "checked", which is what may decide on deleting, also one whose digest does not match. One that a newer version wrote
# becomes the same, with newer: true, and one that nobody could judge, with unread: true.
read_summaries() {
  local target=$1 kind=${2:-quick} caches cache name fresh=()
  caches="$STATE_DIR/cache/$(summaries_folder)"
  cache="$caches/$REPOSITORY.$REPOSITORY_HOST"
  mkdir -p -- "$caches"
  # Of versions that kept them in other forms, or looked at less.
  rm -rf -- "$STATE_DIR/cache"/summaries-[123]*
  touch -- "$cache"
  # Before the first backup there is no folder.
  { find "$MANIFESTS" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' -printf '%f %s\n' \
    2>/dev/null || true; } | sort >"$SCRATCH/keys"
  awk -F '\t' -v kind="$kind" "$(ranges_program; known_program)" "$SCRATCH/keys" "$cache" >"$SCRATCH/summaries"
  cut -f 1 "$SCRATCH/summaries" | sed 's/ unchecked$//' | sort | comm -23 "$SCRATCH/keys" - >"$SCRATCH/keys.fresh"
  while read -r name _; do fresh+=("$MANIFESTS/$name"); done <"$SCRATCH/keys.fresh"
  if (( ${#fresh[@]} > 0 )); then
    leave_out_refused "${fresh[@]}"
    "summarize_$kind" "${UNREFUSED[@]}" >"$SCRATCH/fresh"
    cat -- "$SCRATCH/refused.newer" >>"$SCRATCH/fresh"
    awk -F '\t' -v kind="$kind" "$(ranges_program; number_program)" \
      "$SCRATCH/keys.fresh" "$SCRATCH/summaries" "$SCRATCH/fresh" | sort >"$SCRATCH/numbered"
    mv -fT -- "$SCRATCH/numbered" "$SCRATCH/summaries"
    # Without it the next command reads those manifests again.
    { sed $'/^[^\t]* damaged\t/d' "$SCRATCH/summaries" >"$cache.new" &&
      mv -fT -- "$cache.new" "$cache"; } 2>/dev/null ||
      rm -f -- "$cache.new"
  fi
  awk -F '\t' 'NF == 2 { print $2 }' "$SCRATCH/summaries" >"$target"
}

# ranges_program: awk functions over the file of summaries. load_object: a line of an object into object, bytes and top,
# false if it is none. read_ranges: what a row needs: RANGES, and kinds, from and to of each; false if it does not say.
# add_up: counts what is marked. count_in: how many objects of a row are, or -1 if it does not say what it needs.
# find_absent: counts in absences what the file does not name.
ranges_program() {
  cat <<'AWK'
  function load_object(  kind, n) {
    if (NF != 3 || $1 !~ /^#[abo][1-9][0-9]*$/ || length($1) > 9 || $2 !~ /^[0-9]+$/ || $3 == "") return 0
    kind = substr($1, 2, 1); n = substr($1, 3) + 0
    if ((kind, n) in object) return 0
    object[kind, n] = $3; bytes[kind, n] = $2
    if (n > top[kind]) top[kind] = n
    return 1
  }
  function add_up(marked, sums,  kind, n) {
    for (kind in top) for (n = 1; n <= top[kind]; n++) sums[kind, n] = sums[kind, n - 1] + ((kind, n) in marked)
  }
  function read_ranges(json,  parts, ends, i) {
    if (!match(json, /"objects":"[^"]*"/)) return 0
    RANGES = split(substr(json, RSTART + 11, RLENGTH - 12), parts, ",")
    for (i = 1; i <= RANGES; i++) {
      if (parts[i] !~ /^[abo][0-9]+(-[0-9]+)?$/) return 0
      kinds[i] = substr(parts[i], 1, 1)
      to[i] = split(substr(parts[i], 2), ends, "-")
      from[i] = ends[1] + 0; to[i] = ends[to[i]] + 0
      if (from[i] < 1 || to[i] < from[i] || to[i] > top[kinds[i]]) return 0
    }
    return 1
  }
  function count_in(sums, json,  i, sum) {
    if (!read_ranges(json)) return -1
    sum = 0
    for (i = 1; i <= RANGES; i++) sum += sums[kinds[i], to[i]] - sums[kinds[i], from[i] - 1]
    return sum
  }
  function find_absent(  kind, n) {
    for (kind in top) for (n = 1; n <= top[kind]; n++) if (!((kind, n) in object)) absent[kind, n]
    add_up(absent, absences)
  }
AWK
}

# known_program: the awk program that prints of the second file, which holds summaries, the objects and the rows whose
# key is a line of the first one. With kind=checked, without unchecked ones. A row that is cut off, or names an object
# that the file lacks, is none.
known_program() {
  cat <<'AWK'
  FILENAME == ARGV[1] { there[$1]; next }
  NF == 3 { if (load_object()) print; next }
  NF == 2 {
    if (!ready++) find_absent()
    key = $1; unchecked = sub(/ unchecked$/, "", key)
    if (!(key in there) || !/}$/ || (unchecked && kind == "checked") || count_in(absences, $2) != 0) next
    print
    delete there[key]
  }
AWK
}

# number_program: the awk program that adds summaries of summarize_KIND (third file) to a file of summaries (second
# one). The first one has the keys of the new ones; what of them came without a summary is damaged. Objects that no
# row needs any more are left out.
number_program() {
  cat <<'AWK'
  function note_ranges(json,  i) {
    if (read_ranges(json)) for (i = 1; i <= RANGES; i++) { edge[kinds[i], from[i]]++; edge[kinds[i], to[i] + 1]-- }
  }
  # The numbers in mine as ranges.
  function ranges(  kind, n, text, first) {
    for (kind in low) {
      for (n = low[kind]; n <= high[kind] + 1; n++) {
        if (((kind, n) in mine) && !first) first = n
        if (!((kind, n) in mine) && first) { text = text "," kind first (n - 1 > first ? "-" n - 1 : ""); first = 0 }
      }
    }
    return substr(text, 2)
  }
  FILENAME == ARGV[1] { split($1, words, " "); size[words[1]] = words[2]; next }
  FILENAME == ARGV[2] && NF == 3 { load_object(); number[$2 FS $3] = substr($1, 3) + 0; next }
  FILENAME == ARGV[2] { note_ranges($2); print; next }
  NF == 3 {
    kind_of = $3 ~ /^blocks\// ? "b" : $3 ~ /^archived\// ? "a" : "o"
    if (!(($2 FS $3) in number)) {
      n = ++top[kind_of]; number[$2 FS $3] = n; object[kind_of, n] = $3; bytes[kind_of, n] = $2
    }
    n = number[$2 FS $3]; mine[kind_of, n]
    if (!(kind_of in low) || n < low[kind_of]) low[kind_of] = n
    if (n > high[kind_of]) high[kind_of] = n
    next
  }
  NF == 2 && ($2 == "newer" || $2 == "unread") { why[$1] = $2; next }
  NF == 2 {
    json = substr($2, 1, length($2) - 1) ",\"objects\":\"" ranges() "\"}"
    if ($1 in size) {
      note_ranges(json)
      print $1 " " size[$1] (kind == "checked" ? "" : " unchecked") FS json
      delete size[$1]
    }
    split("", mine); split("", low); split("", high)
  }
  END {
    for (name in size) {
      print name " damaged" FS "{\"name\":\"" substr(name, 1,
        16) "\",\"damaged\":true" ((name in why) ? ",\"" why[name] "\":true}" : "}")
    }
    for (kind_of in top) {
      depth = 0
      for (n = 1; n <= top[kind_of]; n++) {
        depth += edge[kind_of, n]
        if (depth > 0) print "#" kind_of n FS bytes[kind_of, n] FS object[kind_of, n]
      }
    }
  }
AWK
}

# leave_out_refused FILE...: UNREFUSED, those of these manifests that were not refused earlier today;
# SCRATCH/refused.newer gets the line of each that a newer version wrote.
leave_out_refused() {
  local file base words
  UNREFUSED=("$@")
  : >"$SCRATCH/refused.newer"
  read_refused
  if (( ${#REFUSED[@]} == 0 )); then return 0; fi
  manifest_sums "$@"
  UNREFUSED=()
  for file in "$@"; do
    base="${file##*/}"
    words=${REFUSED["${SUMS[$base]:-} $base"]:-}
    if [[ -z $words ]]; then UNREFUSED+=("$file")
    elif [[ $words == "2 "* ]]; then printf '%s\tnewer\n' "$base" >>"$SCRATCH/refused.newer"; fi
  done
}

# summarize_checked FILE...: of each manifest whose digest matches a line for each of its objects (tab, size, tab,
# name) and one with its file name, tab, and its short form; of those that a newer version wrote the file name, tab,
# "newer", and of those that nobody could judge "unread".
summarize_checked() {
  local file base copy="$SCRATCH/summarized.json" lines status
  : >"$SCRATCH/summarized.newer"
  manifest_sums "$@"
  read_refused
  TO_JUDGE=("${@##*/}")
  for file in "$@"; do
    base="${file##*/}" status=0
    judge_next "$base" "$copy" || status=$?
    case "$status" in
      0) mapfile -t lines <"$JUDGED.facts" && printf '%s\n' "${lines[-1]}" ;;
      2) printf '%s\tnewer\n' "$base" >>"$SCRATCH/summarized.newer" ;;
      3) printf '%s\tunread\n' "$base" >>"$SCRATCH/summarized.newer" ;;
    esac
  done | jq --raw-output --argjson known "$MANIFEST_FORMAT" "$(form_filter; row_form; summary_filter)" 2>/dev/null ||
    # Its own error, about one of them, and not that it was killed.
    (( $? == 5 )) || printf '%s\tunread\n' "${@##*/}" >>"$SCRATCH/summarized.newer"
  cat -- "$SCRATCH/summarized.newer"
}

# summarize_quick FILE...: the same without a look at the digests, many in one jq, if all of them can be read.
summarize_quick() {
  local files text="$SCRATCH/batch.text"
  while (( $# > 0 )); do
    files=("${@:1:SUMMARY_BATCH}")
    shift "${#files[@]}"
    if unpack_manifests "$MANIFEST_LIMIT_BYTES" "${files[@]}" >"$text" && ! is_too_large "$text" &&
      jq --raw-output --argjson known "$MANIFEST_FORMAT" "$(form_filter; row_form; summary_filter)" \
        "$text" >"$SCRATCH/summarized" 2>/dev/null &&
      has_rows "${files[@]}"; then
      cat -- "$SCRATCH/summarized"
    else
      summarize_checked "${files[@]}"
    fi
  done
}

# has_rows FILE...: whether SCRATCH/summarized has one row for each of these manifests, in this order.
has_rows() { printf '%s\n' "${@##*/}" | cmp --silent -- - <(awk -F '\t' 'NF == 2 { print $1 }' "$SCRATCH/summarized"); }

# summary_filter: the jq program of summarize_KIND, behind the forms: what it takes has its form, whatever the rest of
# the manifest looks like. One text a manifest, so that one which breaks off has none.
summary_filter() {
  cat <<'JQ'
  if (.format | . < 1 or . > $known) or (.blocks | type) != "array" then error("not a manifest") else . end
  | {
    objects: [(.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[]
      | {object, objectBytes}],
    archived: (if .archive then [.blocks[] | {ulid}] else [] end),
    row: {
      name, host, startedAt, source, layout, suspect, note,
      sizeBytes: .totals.sizeBytes, sentBytes: .totals.sentBytes, samples: .totals.samples, blocks: .totals.blocks,
      lacks: (.lacks // [] | length), lost: [.lost[]?.ulid],
      oldestSample: .coverage.oldestSample, newestSample: .coverage.newestSample, head: .coverage.head
    }
  }
  | if [fault(summary_forms)] == [] then . else error("not a manifest") end
  | [(.objects[] | "\t\(.objectBytes)\t\(.object)"), (.archived[] | "\t0\tarchived/\(.ulid)"),
    "\(.row.name).json\t\(.row | tojson)"] | join("\n")
JQ
}

# formed_lines: of a file of summaries that others wrote (standard input), the lines that have their form and are about
# backups of the selected host.
formed_lines() {
  jq --raw-input --raw-output --arg host "$REPOSITORY_HOST" "$(form_filter; row_form; formed_lines_filter)"
}

# formed_lines_filter: the jq program of formed_lines, behind the forms.
formed_lines_filter() {
  cat <<'JQ'
  . as $line | if startswith("#")
    then select(test("\\A#[abo][1-9][0-9]{0,6}\t\(whole)\t(?:\(object_letters)|archived/\(ulid_letters))\\z"))
    else split("\t") as [$key, $json] | ($json | fromjson?) | select([fault({"": stored_row})] == [])
      | select(.name + ".json" == ($key | split(" ")[0]) and .host == $host) | $line end
JQ
}
