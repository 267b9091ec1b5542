# shellcheck shell=bash
# The manifest: one JSON file a backup, packed by zstd and written last. What has no manifest is no backup. Format:
# docs/format.md. Repositories hold both packed ones and those of format 1, which were not; both have one name.

TOO_LARGE=""  # of is_too_large
declare -gA SUMS=()  # of manifest_sums
# Paths and names of find_sound_manifests, and their samples by name.
SOUND=() UNSOUND=()
declare -gA GOOD_SAMPLES=()
# Of read_refused: the notes, their file, and of which repository and host they are.
declare -gA REFUSED=()
REFUSED_NOTES="" REFUSED_OF=""
# The manifest that read_facts has looked at.
M_FORMAT="" M_DIGEST="" M_FAULT="" M_NAME="" M_HOST="" M_SAMPLES="" M_BLOCKS="" M_ARCHIVE="" M_WAL="" M_SUSPECT=""

# How many of them are read to know what is stored. Older ones matter only for blocks that left the server long ago.
readonly READ_MANIFESTS=50

# How long it may take to unpack what is read together; it ends as well if the file system hangs.
MANIFESTS_PATIENCE_SECONDS=600

# What zstd says of bytes that are not what they should be; what else it says may be about this host.
readonly BAD_BYTES='unknown header|[Dd]ecoding error|[Uu]nsupported format|premature end'

# compose_manifest PLAN FILE: the manifest of this run for the selected repository, with its digest; it must not change
# after. PLAN.uploaded holds the entries of what was stored now, PLAN.archive that of an archive, PLAN.wal that of WAL
# and head. FILE.summary gets its numbers for the metrics, FILE.objects what manifest_objects would find. Ends with 1
# rather than write what read_manifest would refuse.
compose_manifest() {
  local plan=$1 target=$2 digest fault
  jq --null-input --raw-output --compact-output --sort-keys --slurpfile plan "$plan" \
    --slurpfile uploaded "$plan.uploaded" --arg suspect "$SUSPECT" \
    --slurpfile archive "$plan.archive" --slurpfile wal "$plan.wal" --slurpfile companions "$plan.companions" \
    --argjson format "$MANIFEST_FORMAT" --arg name "$BACKUP" --arg host "$HOST_NAME" \
    --arg environment "$ENVIRONMENT" --arg tool "$TOOL_VERSION" --arg startedAt "$STARTED_AT" --arg source "$SOURCE" \
    --arg note "$NOTE" \
    --arg layout "$FORMAT" --arg version "$SERVER_VERSION" --arg retentionTime "$RETENTION_TIME" \
    --arg retentionSize "$RETENTION_SIZE" \
    --arg drilledAt "${METRICS[drill_last_success_timestamp_seconds]:-}" \
    --arg drillSeconds "${METRICS[drill_restore_seconds]:-}" \
    --argjson upToNow "${NEWEST_UP_TO_NOW:-null}" --arg dataDirectory "$DATA_DIRECTORY" \
    --arg externalLabels "$EXTERNAL_LABELS" --arg outOfOrderWindow "$OUT_OF_ORDER_WINDOW" \
    "$(form_filter; manifest_form; manifest_filter)" >"$target.lines"
  fault="$(sed --quiet 's/^fault\t//p' "$target.lines")"
  if [[ -n $fault ]]; then
    die "$EXIT_UNEXPECTED" \
      "the manifest of backup $BACKUP would not be in the form of a manifest ($fault), and nobody could restore it" \
      "no new backup was recorded in $REPOSITORY; please report this, with the version and what is at that place"
  fi
  sed --quiet 's/^summary\t//p' "$target.lines" >"$target.summary"
  sed --quiet 's/^object\t//p' "$target.lines" | sort --unique >"$target.objects"
  head -n 1 "$target.lines" >"$target.canonical"
  digest="$(openssl dgst -sha256 -r "$target.canonical")"
  if is_too_large "$target.canonical"; then
    die "$EXIT_UNEXPECTED" "the manifest of backup $BACKUP would be larger than any version reads ($TOO_LARGE)" \
      "no new backup was recorded in $REPOSITORY; please report this, with the number of blocks"
  fi
  # Higher levels make it hardly smaller: most of it are names and checksums.
  { printf '{"digest":"%s",' "${digest:0:64}"; tail -c +2 "$target.canonical"; } | zstd --quiet -1 --stdout >"$target"
}

# is_packed FILE: whether it begins as what zstd has packed.
is_packed() {
  local LC_ALL=C magic=""
  IFS= read -r -d '' -n 4 magic <"$1" || true
  [[ $magic == $'\x28\xb5\x2f\xfd' ]]
}

# unpack_manifests LIMIT FILE...: the text of manifests, packed or not, one behind the other; no more than LIMIT bytes.
# A file may be small and its text without end, so false if there is more. Paths are absolute.
unpack_manifests() {
  local limit=$1
  shift
  if (( $# == 0 )); then return 0; fi
  read_many "$MANIFEST_LIMIT_BYTES" timeout --kill-after=5 "$MANIFESTS_PATIENCE_SECONDS" \
    zstd --decompress --force --stdout --quiet --memory=16MB -- :: "$@" 2>/dev/null | head --bytes "$limit"
}

# unpack_manifest FILE: its text in its place. False sets REPOSITORY_ERROR to what is wrong, with status 3 if its bytes
# do not say that. Nothing here takes more time, memory or disk than a manifest of the largest size, whatever is in it.
unpack_manifest() {
  local status=0
  if is_packed "$1"; then
    as_backup_user zstd --decompress --stdout --quiet --memory=16MB - <"$1" 2>"$1.words" |
      head --bytes "$(( MANIFEST_LIMIT_BYTES + 1 ))" >"$1.text" || status=$?
    mv -fT -- "$1.text" "$1"
  fi
  if is_too_large "$1"; then REPOSITORY_ERROR="it has more than $TOO_LARGE, which no manifest has"
  elif (( status != 0 )); then
    # zstd's reason, behind the name that it has for its input.
    REPOSITORY_ERROR="$(sed --quiet '1 { s/.*: *\([A-Za-z].*[a-z]\) *$/\1/p }' "$1.words")"
    REPOSITORY_ERROR="it cannot be unpacked (${REPOSITORY_ERROR:-status $status})"
    if ! grep --quiet --extended-regexp -- "$BAD_BYTES" "$1.words"; then return 3; fi
  else return 0
  fi
  return 1
}

# is_too_large FILE: whether that text is larger than a manifest may be; sets TOO_LARGE to what it has more of. Before
# each value of JSON there is one of these letters.
is_too_large() {
  local bytes
  bytes="$(stat --format %s -- "$1")"
  TOO_LARGE="$(( MANIFEST_LIMIT_BYTES >> 20 )) MB"
  if (( bytes > MANIFEST_LIMIT_BYTES )); then return 0; fi
  TOO_LARGE="$MANIFEST_LIMIT_VALUES values"
  (( bytes > MANIFEST_LIMIT_VALUES )) &&
    (( $(tr --delete --complement '[{,' <"$1" | wc --bytes) > MANIFEST_LIMIT_VALUES ))
}

# copy_manifest NAME FILE: a manifest that lies in MANIFESTS, no more of it than shows that it is too large.
copy_manifest() { read_plain "$MANIFESTS/$1.json" "$(( MANIFEST_LIMIT_BYTES + 1 ))" >"$2"; }

# manifest_filter: the jq program of compose_manifest, behind the forms: the manifest in a line, without white space and
# with sorted keys, which is what the digest covers; then what is wrong with it, its numbers and its objects, a line
# each.
manifest_filter() {
  cat <<'JQ'
  # Samples may lie beyond what a date can hold.
  def time: if . == null then null else ([[. / 1000 | floor, 253402300799] | min, -30610224000] | max | todate) end;
  # A clock that runs a little behind is no sample from the future.
  (now * 1000 + 300000 | floor) as $limit
  | def gaps: [range(1; length) as $i | {from: (.[:$i] | map(.maxTime) | max), to: .[$i].minTime}
  | select(.to - .from > 600000 and .to <= $limit)
    | {from: (.from | time), to: (.to | time)}];
  (($plan[0].reuse | if $layout == "archive" then [] else . end) + $uploaded | sort_by(.minTime, .ulid)) as $blocks
  | ($archive[0] // null) as $tar
  # Of a block with samples from the future it is not known which one came before; its first one did.
  | ([$blocks[] | (.maxTime - 1, .minTime)] + [$wal[0].newestSample,
    (if any($blocks[]; .head) then $upToNow else null end)]
    | map(values | select(. <= $limit)) | max) as $newest
  | ([$blocks[] | select(.maxTime - 1 > $limit) | {ulid, newestSample: (.maxTime - 1)}] + [$wal[0].newestSample
  | select(. != null and . > $limit) | {ulid: null, newestSample: .}]) as $future
  | (any($uploaded[]; .head) or ($wal[0] != null)) as $withHead
  | {
    $format, $name, $host, $environment, $tool, $startedAt, finishedAt: (now | floor | todate), $source, $layout,
      suspect: (if $suspect == "" then null else $suspect end),
    note: (if $note == "" then null else $note end),
    prometheus: {$version, $retentionTime, $retentionSize, $dataDirectory, $externalLabels, $outOfOrderWindow},
    lastDrill: (if $drilledAt == "" then null
      else {finishedAt: ($drilledAt | tonumber | [[., 253402300799] | min, 0] | max | todate),
        restoreSeconds: (if $drillSeconds == "" then null else [$drillSeconds | tonumber, 0] | max end)} end),
    $blocks, covered: $plan[0].covered, lacks: $plan[0].lacks, lost: $plan[0].lost, accepted: $plan[0].accepted,
      wal: ($wal[0] // null), archive: $tar, companions: $companions[0],
    coverage: {
      oldestSample: ($blocks | map(.minTime) | min | time),
      newestSample: ($newest | time),
      gaps: ($blocks | gaps), head: $withHead, future: $future,
      notCovered: ([$plan[0].lacks[]
        | "block \(.ulid)\(if .minTime == null then "" else ", \(.minTime | time) to \(.maxTime | time)" end): \(.reason)"] + [(if $withHead then empty else "the head: up to about 3 hours before the start" end),
        (if $outOfOrderWindow == "" or $outOfOrderWindow == "0s" then empty
         else "out-of-order samples of the last \($outOfOrderWindow) that are still in memory" end)])
    },
    totals: {
      sizeBytes: (if $tar then $tar.objectBytes else ($blocks | map(.objectBytes)
        | add // 0) + ($wal[0].objectBytes // 0) end),
      sentBytes: (if $tar then $tar.objectBytes else ($uploaded | map(.objectBytes)
        | add // 0) + ($wal[0].objectBytes // 0) end),
      blocks: ($blocks | length), samples: ($blocks | map(.numSamples) | add // 0),
        series: ($blocks | map(.numSeries) | max // 0),
      rawBytes: ($blocks | map(.bytes) | add // 0)
    }
  }
  | .,
    (.digest = "0" * 64 | manifest_fault | "fault\t" + .),
    ((["suspect", (if .suspect then 1 else 0 end)], ["size_bytes", .totals.sizeBytes],
      ["uploaded_bytes", .totals.sentBytes],
      ["blocks", .totals.blocks], ["samples", .totals.samples],
      (.coverage | select(.newestSample) | ["newest_sample", .newestSample],
        ["newest_sample_timestamp_seconds", ($newest / 1000 | floor)]),
      ["future_blocks", ($future | length)],
      (.coverage | select(.oldestSample)
        | ["oldest_sample_timestamp_seconds", ($blocks | map(.minTime) | min / 1000 | floor)])) | "summary\t" + @tsv),
    ((.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[]
      | "object\t" + ([.objectBytes, .objectSha256, .object] | @tsv))
JQ
}

# read_manifest BACKUP FILE: a fresh copy from the selected repository, checked against its digest; sets what read_facts
# sets. False with REPOSITORY_ERROR if it is not there, not whole, or of a format that this version does not know, with
# the status of check_manifest, or 3.
read_manifest() {
  local name="$1.json" earlier status=0
  if ! repository_read "backups/$name" "$2"; then return 3; fi
  if [[ $REFUSED_OF != "$REPOSITORY.$REPOSITORY_HOST" ]]; then read_refused; fi
  SUMS[$name]="$(openssl dgst -sha256 -r "$2" 2>/dev/null | cut -c 1-64)" || SUMS[$name]=""
  earlier="${REFUSED["${SUMS[$name]} $name"]:-}"
  if [[ -n $earlier ]]; then REPOSITORY_ERROR=${earlier#* }; return "${earlier%% *}"; fi
  check_manifest "$1" "$2" || status=$?
  if (( status != 0 )); then note_refused "$name" "$status"; fi
  return "$status"
}

# check_manifest BACKUP FILE: the same for a manifest that is in FILE already: the gate that every manifest passes
# before anything of it is used. FILE has its text afterwards. Status 1 if its bytes speak against it, 2 if a newer
# version wrote it, 3 if nobody could judge it: a program was killed or a disk of this host is full.
check_manifest() {
  local backup=$1 target=$2 status=0
  unpack_manifest "$target" || status=$?
  if (( status == 1 )); then REPOSITORY_ERROR="backups/$backup.json is damaged: $REPOSITORY_ERROR"; return 1; fi
  if (( status != 0 )); then
    REPOSITORY_ERROR="backups/$backup.json could not be judged: $REPOSITORY_ERROR"
    return 3
  fi
  manifest_facts "$target" || status=$?
  if (( status != 0 )); then
    REPOSITORY_ERROR="backups/$backup.json could not be judged: jq or awk ended with $status"
    return 3
  fi
  weigh_manifest "$backup" "$target"
}

# weigh_manifest BACKUP FILE: what manifest_facts has found in FILE, as check_manifest says it.
weigh_manifest() {
  local backup=$1 target=$2 digest=${DIGESTS[$2]:-}
  if [[ -e $target.words ]]; then
    REPOSITORY_ERROR="backups/$backup.json is damaged: not JSON"
    if [[ "$(<"$target.words")" == many ]]; then
      REPOSITORY_ERROR="backups/$backup.json is damaged: more than one manifest, or something behind it"
    fi
    return 1
  fi
  read_facts "$target"
  if [[ $M_FORMAT =~ ^[1-9][0-9]{0,8}$ ]] && (( M_FORMAT > MANIFEST_FORMAT )); then
    REPOSITORY_ERROR="backups/$backup.json has format $M_FORMAT and is newer than this version, which reads formats 1 to $MANIFEST_FORMAT (install a newer one here)"
    return 2
  elif [[ ! $M_FORMAT =~ ^[1-9][0-9]{0,8}$ ]]; then
    REPOSITORY_ERROR="backups/$backup.json is damaged: there is no format $M_FORMAT"
    return 1
  fi
  if [[ -z $digest ]]; then
    REPOSITORY_ERROR="backups/$backup.json could not be judged: openssl gave no checksum of it"
    return 3
  fi
  if [[ $digest != "$M_DIGEST" ]]; then
    REPOSITORY_ERROR="backups/$backup.json is damaged: its digest does not match"
    return 1
  fi
  if [[ -n $M_FAULT ]]; then
    REPOSITORY_ERROR="backups/$backup.json is not in the form of a manifest: $M_FAULT"
    return 1
  fi
  if [[ $M_NAME != "$backup" || $M_HOST != "$REPOSITORY_HOST" ]]; then
    REPOSITORY_ERROR="backups/$backup.json is the manifest of another backup or host"
    return 1
  fi
}

# find_sound_manifests: sets SOUND, the paths of the newest manifests in MANIFESTS that are as they were written,
# oldest first, GOOD_SAMPLES, for the name of each its samples ("-" if it is suspect), and UNSOUND, the names of the
# others, of which it warns; UNJUDGED, those of them of which that is not their bytes' fault. Needs repository_open.
# Runs and repairs take entries over from old manifests, so what one bit makes of a damaged one must not get into a
# new one. Checksums of those whose digest was right are noted, because comparing them costs a fiftieth of working out
# a digest.
find_sound_manifests() {
  local notes="$STATE_DIR/cache/formed/$REPOSITORY" copy="$SCRATCH/sound.json" sum name samples names=() files=() status
  local -A known=()
  SOUND=() UNSOUND=() UNJUDGED=()
  # Of versions that looked at less.
  if [[ -d $STATE_DIR/cache/sound ]]; then rm -rf -- "$STATE_DIR/cache/sound"; fi
  read_misdated
  GOOD_SAMPLES=()
  # Before the first backup there is no folder.
  { find "$MANIFESTS" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' \
    -printf '%f\n' 2>/dev/null || true; } | sort | tail -n "$READ_MANIFESTS" | mapfile -t names
  if (( ${#names[@]} == 0 )); then return 0; fi
  if is_note "$notes"; then
    while read -r sum name samples; do
      if [[ $samples =~ ^([0-9]+|-)$ ]]; then
        known["$sum $name"]=$samples
      fi
    done < <(read_plain "$notes")
  fi
  files=("${names[@]/#/"$MANIFESTS/"}")
  manifest_sums "${files[@]}"
  read_refused
  TO_JUDGE=()
  for name in "${names[@]}"; do
    if [[ -z ${known["${SUMS[$name]:-} $name"]:-} ]]; then TO_JUDGE+=("$name"); fi
  done
  for name in "${names[@]}"; do
    sum="${SUMS[$name]:-}" status=0
    if [[ -n ${known["$sum $name"]:-} ]]; then
      GOOD_SAMPLES[$name]=${known["$sum $name"]}
    else
      judge_next "$name" "$copy" || status=$?
      if (( status == 0 )); then GOOD_SAMPLES[$name]="$(good_samples "$M_SAMPLES" "$M_SUSPECT")"; fi
    fi
    if (( status != 0 )); then
      if (( status == 3 )); then UNJUDGED+=("${name%.json}"); fi
      warn "repository $REPOSITORY: $REPOSITORY_ERROR; nothing that it says is used. See: prometheus-backup.sh verify ${name%.json}"
      UNSOUND+=("${name%.json}")
      continue
    fi
    SOUND+=("$MANIFESTS/$name")
    printf '%s %s %s\n' "$sum" "$name" "${GOOD_SAMPLES[$name]}"
  done >"$SCRATCH/sound.notes"
  REPOSITORY_ERROR=""
  keep_sound_notes "$notes"
}

# manifest_sums FILE...: SUMS, the checksum of each of these manifests by its file name. One that cannot be read, or is
# too large, has none.
manifest_sums() {
  local sum name
  SUMS=()
  { sums_of "$MANIFEST_LIMIT_BYTES" "$@" 2>/dev/null || true; } |
    while IFS=$'\t' read -r sum name; do SUMS[${name##*/}]=$sum; done
}

# read_refused: REFUSED, by checksum and file name with a blank between, what spoke against a manifest of the selected
# repository when it was looked at earlier today. Another host of a bucket may put thousands of such there. The next
# day looks at them anew: whatever was the reason, it may have been this host's.
read_refused() {
  local version sum name words
  REFUSED=()
  REFUSED_OF="$REPOSITORY.$REPOSITORY_HOST"
  printf -v REFUSED_NOTES '%s/cache/refused/%s.%s.%(%Y%m%d)T' "$STATE_DIR" "$REPOSITORY" "$REPOSITORY_HOST" -1
  if ! is_note "$REFUSED_NOTES"; then return 0; fi
  while read -r version sum name words; do
    if [[ $version == "$TOOL_VERSION" && $sum =~ ^[0-9a-f]{64}$ && $name =~ ^[0-9TZ]{16}\.json$ &&
      $words =~ ^[12]\ . ]]; then
      REFUSED["$sum $name"]=$words
    fi
  done < <(read_plain "$REFUSED_NOTES")
}

# note_refused NAME STATUS: that check_manifest gave STATUS for the manifest in that file, with REPOSITORY_ERROR, if its
# bytes say that.
note_refused() {
  local sum=${SUMS[$1]:-}
  if [[ -z $sum || ! $2 =~ ^[12]$ ]]; then return 0; fi
  if [[ ! -f $REFUSED_NOTES ]]; then
    { rm -f -- "${REFUSED_NOTES%.*}".* && mkdir -p -- "${REFUSED_NOTES%/*}"; } 2>/dev/null || true
  fi
  { printf '%s %s %s %d %s\n' "$TOOL_VERSION" "$sum" "$1" "$2" "${REPOSITORY_ERROR//[^[:print:]]/?}" >>"$REFUSED_NOTES"
  } 2>/dev/null || true
}

# judge_manifest NAME FILE: check_manifest for the manifest in that file of MANIFESTS, of which FILE gets a copy, unless
# it was refused earlier today; with the same status. What nobody could judge is not remembered. Needs manifest_sums
# and read_refused.
judge_manifest() {
  local earlier="${REFUSED["${SUMS[$1]:-} $1"]:-}" status=0
  if [[ -n $earlier ]]; then REPOSITORY_ERROR=${earlier#* }; return "${earlier%% *}"; fi
  REPOSITORY_ERROR="backups/$1 cannot be read"
  copy_manifest "${1%.json}" "$2" || return 3
  # Nothing comes from a pipe in its place.
  if [[ ! -s $2 && ! -f $MANIFESTS/$1 ]]; then return 3; fi
  check_manifest "${1%.json}" "$2" || status=$?
  if (( status != 0 )); then note_refused "$1" "$status"; fi
  return "$status"
}

# keep_sound_notes FILE: SCRATCH/sound.notes under its name. Without it the next run works out the digests again.
keep_sound_notes() { { mkdir -p -- "${1%/*}" && mv -fT -- "$SCRATCH/sound.notes" "$1"; } 2>/dev/null || true; }

# note_sound SHA256 SAMPLES: the manifest of this run is in the selected repository as it was written.
note_sound() {
  { printf '%s %s %s\n' "$1" "$BACKUP.json" "$(good_samples "$2" "$SUSPECT")" \
    >>"$STATE_DIR/cache/formed/$REPOSITORY"; } 2>/dev/null || true
}

# good_samples SAMPLES SUSPECT: what a later run may compare its own with.
good_samples() { if [[ -z $2 ]]; then printf '%s' "$1"; else printf -- -; fi; }

# facts_filter: the jq program of check_manifest, behind the forms: a line of facts, a line
# "bytes<TAB>sha256<TAB>object" for each object, and the manifest as its digest covers it. Everything from one program,
# because each start of jq 1.6 costs as much as reading a thousand blocks. Of a manifest that is not in the form of one,
# nothing else is said. Input: the manifest.
facts_filter() {
  cat <<'JQ'
  def object: "\(.objectBytes)|\(.objectSha256)|\(.object)";
  if type == "object" and has("format") then . else error("not a manifest") end
  | (if .format | type == "number" and . >= 1 and . <= $known and . == floor then [manifest_fault][0] else "format" end)
    as $fault
  | ([(.format | tojson | .[:20]), (.digest | strings) // "-", $fault // ""] + if $fault then [] else
      [.name, .host, .totals.samples, .totals.blocks, (.archive
        | if . then "\(object)|\(.root)|\(.compression)" else "" end), (.wal | if . then object else "" end),
          .suspect // ""]
    end | map(tostring | gsub("[[:cntrl:]]"; " ")) | join("\u001f")),
    (if $fault then empty else [(.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[]
      | [.objectBytes, .objectSha256, .object] | @tsv] | unique[] end),
    del(.digest)
JQ
}

# read_facts FILE: what check_manifest found in FILE: M_FORMAT, M_DIGEST, M_FAULT (the place that is not in the form of
# a manifest, then the others are empty), M_NAME, M_HOST, M_SAMPLES, M_BLOCKS, M_ARCHIVE
# ("bytes|sha256|object|root|compression"), M_WAL ("bytes|sha256|object") and M_SUSPECT, the last three "" when there is
# nothing.
read_facts() {
  IFS=$'\x1f' read -r M_FORMAT M_DIGEST M_FAULT M_NAME M_HOST M_SAMPLES M_BLOCKS M_ARCHIVE M_WAL M_SUSPECT <"$1.facts"
  M_SAMPLES=${M_SAMPLES:-0} M_BLOCKS=${M_BLOCKS:-0}
}

# manifest_objects FILE: "bytes<TAB>sha256<TAB>object" of everything that the backup needs.
manifest_objects() {
  jq --raw-output '(.blocks[] | select(.object)), (.archive // empty), (.wal // empty), .companions[]
    | [.objectBytes, .objectSha256, .object] | @tsv' "$1" | sort --unique
}

# lacking_objects FILE: how many objects of a manifest that read_manifest has read the list of repository_open lacks, or
# has in another size.
lacking_objects() {
  awk -F '\t' 'FILENAME == ARGV[1] { there[$2] = $1; next } NF == 3 && (!($3 in there) || there[$3] != $1) {
    lacking++ } END { print lacking + 0 }' "$OBJECT_LIST" "$1.facts"
}

# missing_objects FILE: which of the objects in FILE, as manifest_objects prints them, the list of repository_open lacks
# or has in another size.
missing_objects() {
  awk -F '\t' 'FILENAME == ARGV[1] { there[$2] = $1; next } there[$3] != $1 || !($3 in there) { print $3 }' \
    "$OBJECT_LIST" "$1"
}

# last_good_samples: samples and name of the newest backup that is as it was written, not suspect and not named by a
# wrong clock, or 0 and "-"; behind them the name of a newer one that nobody could judge, or "-". Needs
# find_sound_manifests.
last_good_samples() {
  local name samples unjudged=- status copy="$SCRATCH/last-good.json"
  while IFS= read -r name; do
    samples="" status=0
    if [[ $MISDATED == *"\"${name%.json}\""* ]]; then continue; fi
    if [[ -n ${GOOD_SAMPLES["$name"]:-} ]]; then samples=${GOOD_SAMPLES[$name]}
    elif is_one_of "${name%.json}" "${UNJUDGED[@]}"; then status=3
    elif is_one_of "${name%.json}" "${UNSOUND[@]}"; then continue
    else
      judge_manifest "$name" "$copy" || status=$?
      if (( status == 0 )); then samples="$(good_samples "$M_SAMPLES" "$M_SUSPECT")"; fi
    fi
    if (( status == 3 )) && [[ $unjudged == - ]]; then unjudged=${name%.json}; fi
    if [[ $samples =~ ^[0-9]+$ ]]; then printf '%s %s %s\n' "$samples" "${name%.json}" "$unjudged"; return 0; fi
  done < <(find "$MANIFESTS/" -type f -regextype posix-extended -regex '.*/[0-9]{8}T[0-9]{6}Z\.json' \
    -printf '%f\n' 2>/dev/null | sort --reverse)
  printf '0 - %s\n' "$unjudged"
}
