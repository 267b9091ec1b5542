# shellcheck shell=bash
# Many manifests judged with a few starts of programs: nearly all that check_manifest costs is the start of jq and what
# it makes of its program.

# SHA-256 of what was checked, by path and by name.
declare -gA DIGESTS=() FORESEEN_DIGESTS=()
JUDGED=""  # the text that judge_next has got

# What one start of jq takes at most: texts, and bytes of them.
readonly FORESEE_MANIFESTS=100
readonly FORESEE_BYTES=4000000

# Names in MANIFESTS that judge_next is going to be called for, in this order.
TO_JUDGE=()

# manifest_facts FILE...: of the texts of manifests (absolute paths), FILE.facts as facts_filter prints it, and in
# DIGESTS, by path, the SHA-256 of its last line; of what is no manifest FILE.words with the reason. False with the
# status of jq or awk if one did not come to its end: then nothing is known of any.
manifest_facts() {
  local file number=0 sum name texts=() lines=()
  DIGESTS=()
  for file in "$@"; do
    number=$(( number + 1 ))
    rm -f -- "$file.facts" "$file.words" "$file.canonical"
    texts+=(--rawfile "$number" "$file") lines+=("$file.canonical")
  done
  jq --null-input --raw-output --compact-output --sort-keys --argjson known "$MANIFEST_FORMAT" "${texts[@]}" \
    "$(form_filter; manifest_form; printf 'def facts: '; facts_filter; printf ';\n'; many_facts_filter)" \
    >"$1.lines" 2>/dev/null || return $?
  printf '%s\n' "$@" | awk "$(facts_program)" - "$1.lines" || return $?
  rm -f -- "$1.lines"
  # One that is no manifest has no such line.
  openssl dgst -sha256 -r "${lines[@]}" 2>/dev/null | while read -r sum name; do
    name=${name#\*}
    DIGESTS[${name%.canonical}]=$sum
  done || true
  rm -f -- "${lines[@]}"
}

# many_facts_filter: the jq program of manifest_facts, behind facts: before the lines of each text one with its number;
# and if there are none, why. What jq says then holds the text, which is others', so it is not repeated.
many_facts_filter() {
  cat <<'JQ'
  $ARGS.named | to_entries[] | select(.value | type == "string") | .key as $number
  | .value | try ([fromjson | facts] | "\u001efacts \($number)", .[])
    catch ("\u001ewords \($number)", if startswith("Unexpected extra JSON values") then "many" else "none" end)
JQ
}

# facts_program: the awk program that writes each line behind such a number to the file of that kind, and the last one
# of facts to a file of its own. First input: the paths by number.
facts_program() {
  cat <<'AWK'
  function finish() {
    if (kind == "facts") { printf "%s\n", last >(name ".canonical"); close(name ".canonical") }
    if (out != "") close(out)
  }
  FILENAME == ARGV[1] { path[FNR] = $0; next }
  /^\036(facts|words) [0-9]+$/ {
    finish()
    if (!($2 in path)) exit 3
    kind = substr($1, 2); name = path[$2]; out = name "." kind
    next
  }
  { print >out; last = $0 }
  END { finish() }
AWK
}

# judge_next NAME FILE: judge_manifest for each of TO_JUDGE in turn, of others as well; JUDGED is where text and facts
# are then.
judge_next() {
  local status=0
  if is_one_of "$1" "${TO_JUDGE[@]}"; then foresee_manifests; fi
  JUDGED="$SCRATCH/foreseen.$REPOSITORY/$1"
  if [[ ! -e $JUDGED || -n ${REFUSED["${SUMS[$1]:-} $1"]:-} ]]; then
    JUDGED=$2
    judge_manifest "$1" "$2"
    return $?
  fi
  DIGESTS[$JUDGED]=${FORESEEN_DIGESTS[$1]:-}
  weigh_manifest "${1%.json}" "$JUDGED" || status=$?
  if (( status != 0 )); then note_refused "$1" "$status"; fi
  return "$status"
}

# foresee_manifests: text and facts of the next of TO_JUDGE, and takes those from it. What is refused already, cannot be
# read or cannot be unpacked is left to judge_manifest, and all are if jq does not come to its end.
foresee_manifests() {
  local name copy size bytes=0 taken=0 files=() folder="$SCRATCH/foreseen.$REPOSITORY"
  FORESEEN_DIGESTS=()
  rm -rf -- "$folder"
  mkdir -p -- "$folder"
  for name in "${TO_JUDGE[@]:0:FORESEE_MANIFESTS}"; do
    copy="$folder/$name" taken=$(( taken + 1 ))
    if [[ -n ${REFUSED["${SUMS[$name]:-} $name"]:-} ]]; then continue; fi
    if ! { copy_manifest "${name%.json}" "$copy" && [[ -s $copy ]] && unpack_manifest "$copy"; }; then
      rm -f -- "$copy"
      continue
    fi
    size="$(stat --format %s -- "$copy")" bytes=$(( bytes + size ))
    files+=("$copy")
    if (( bytes > FORESEE_BYTES )); then break; fi
  done
  TO_JUDGE=("${TO_JUDGE[@]:taken}")
  if (( ${#files[@]} < 2 )) || ! manifest_facts "${files[@]}"; then rm -rf -- "$folder"; return 0; fi
  for copy in "${files[@]}"; do FORESEEN_DIGESTS[${copy##*/}]=${DIGESTS[$copy]:-}; done
}
