# shellcheck shell=bash
# Repository behind rclone: S3, Google Cloud Storage, SFTP. Every call has a time limit; credentials stay in files.

# Roots end in a slash: without it rclone from 1.72 on asks whether the prefix is an object and, where it is still
# empty, lists the whole bucket. A host may do neither.

# run_rclone ARG...: rclone with our settings. Its messages go to SCRATCH/rclone.PID; false sets REPOSITORY_ERROR.
run_rclone() {
  local errors="$SCRATCH/rclone.$BASHPID" status=0 limits=() chunk
  # In a bucket with KMS an ETag is no MD5, though it looks like one, and nothing says so. S3 itself compares the MD5
  # that rclone sends along with each part, and whatever is read is compared with our own checksum.
  if [[ $1 != rcat ]] || is_remote s3; then limits=(--ignore-checksum); fi
  # An upload to S3 has 10,000 parts at most, and a stream does not say how long it will be.
  chunk=$(( ${SENDING_BYTES:-0} / 9000 / 1048576 + 1 ))
  if [[ -n $BANDWIDTH_LIMIT ]]; then limits+=(--bwlimit "$BANDWIDTH_LIMIT"); fi
  as_backup_user timeout --kill-after=10 "$TRANSFER_TIMEOUT_SECONDS" rclone --config "$RCLONE_CONFIG_FILE" \
    --contimeout 10s \
    --timeout "${IDLE_TIMEOUT_SECONDS}s" \
    --retries 2 --low-level-retries 3 --stats 0 --use-mmap --buffer-size 0 --s3-upload-concurrency 2 \
    --s3-chunk-size "$(( chunk < 8 ? 8 : chunk ))M" \
    "${limits[@]}" "$@" 2>"$errors" || status=$?
  if (( status == 0 )); then rm -f -- "$errors"; return 0; fi
  mv -f -- "$errors" "$SCRATCH/error"
  rclone_failed "$status"
  return 1
}

# is_remote TYPE: whether rclone's configuration says so of the selected repository.
is_remote() {
  local line section="" root=$REPOSITORY_ROOT wanted
  wanted="[${root%%:*}]"
  while IFS= read -r line; do
    if [[ $line == \[*\]* ]]; then section=$line
    elif [[ $section == "$wanted" && $line =~ ^[[:space:]]*type[[:space:]]*=[[:space:]]*"$1"[[:space:]]*$ ]]; then
      return 0
    fi
  done 2>/dev/null <"$RCLONE_CONFIG_FILE" || true
  return 1
}

# writes_in_place: whether an upload can be seen at the far end, under its name, before it is whole.
writes_in_place() { is_remote sftp || is_remote ftp || is_remote smb || is_remote webdav || is_remote local; }

# rclone_failed STATUS: sets REPOSITORY_ERROR from rclone's last words, without addresses signed or keys.
rclone_failed() {
  local words cause
  if (( $1 == 124 || $1 == 137 )); then REPOSITORY_ERROR="no end within $TRANSFER_TIMEOUT_SECONDS s"; return 0; fi
  words="$(grep --extended-regexp --max-count=1 'ERROR|CRITICAL|Failed|error' "$SCRATCH/error" 2>/dev/null)" || words=""
  words="$(sed --regexp-extended 's#^[0-9/]+ [0-9:]+ ##; s#\?[^ "]*##g; s#(request id|RequestID): [^,]*, ?##; s#(host id:|HostID: )[^,]*,? ?##' <<<"${words:0:600}")"
  # The line below often has the reason, behind a signed address, or in what Google's token service answered.
  cause="$(sed --quiet --regexp-extended '/^(caused by|Response): /{ s#^[^:]*: ##; s#[A-Z][a-z]+ "[^"]*": ##; p; q }' "$SCRATCH/error" 2>/dev/null)" || cause=""
  REPOSITORY_ERROR="rclone: ${words:-status $1}${cause:+ (${cause:0:200})}"
  case "$words" in
    *AccessDenied* | *Forbidden* | *"status code: 403"*)
      REPOSITORY_ERROR+=" (the host's role or key may not do this on this prefix; 'pulumi up' attaches the policy)" ;;
    *InvalidAccessKeyId* | *SignatureDoesNotMatch* | *NoCredentialProviders*)
      REPOSITORY_ERROR+=" (the credentials are missing or wrong; they come from the stack's secrets)" ;;
    *"key mismatch"*) REPOSITORY_ERROR+=" (the server shows another key than the repository's sftp.hostKey: a new machine, or somebody in between)" ;;
    *"unable to authenticate"*) \
      REPOSITORY_ERROR+=" (the server does not take our key, which comes from the stack's secrets)" ;;
    *"cannot fetch token"*)
      REPOSITORY_ERROR+=" (the key of the service account is wrong or was deleted; it comes from the stack's secrets)" ;;
  esac
}

# list_rclone: see repository_open. A folder of this host that does not exist yet is empty, not an error; a place for it
# that does not exist is one.
list_rclone() {
  rm -f -- "$SCRATCH/beside"
  if lines_rclone "" --recursive --fast-list; then return 0; fi
  if [[ $REPOSITORY_ERROR != *"directory not found"* ]]; then return 1; fi
  if run_rclone lsf --max-depth 1 -- "${REPOSITORY_ROOT%/*}/" >"$SCRATCH/beside"; then REPOSITORY_ERROR=""; return 0; fi
  if [[ $REPOSITORY_ERROR == *"directory not found"* ]]; then
    REPOSITORY_ERROR="${REPOSITORY_ROOT%/*} does not exist (is it mounted there, and is the name right?)"
  fi
  return 1
}

# marks_rclone: the same of marks/, as the repository has it now.
marks_rclone() { lines_rclone marks/; }

# lines_rclone FOLDER [OPTION...]: a line for each object below it: bytes, name and time, with tabs. A key of a bucket
# may hold tabs and line ends, which only JSON tells from those around it; here they become two signs each.
lines_rclone() {
  local below=$1 listed="$SCRATCH/listed.$BASHPID"
  run_rclone lsjson --files-only --use-server-modtime --no-mimetype "${@:2}" -- "$REPOSITORY_ROOT/$below" >"$listed" ||
    return 1
  if jq --raw-output --arg below "$below" '.[] | [.Size, $below + .Path, (.ModTime | .[:10] + " " + .[11:19])] | @tsv' \
    "$listed" 2>/dev/null; then return 0; fi
  REPOSITORY_ERROR="its list is none that rclone makes"
  return 1
}

# is_bare_rclone: whether list_rclone had to look for a place, and found nothing in it. A bucket is a place of its own.
is_bare_rclone() { [[ -e $SCRATCH/beside && ! -s $SCRATCH/beside ]]; }

# manifests_there: "bytes<TAB>name" of the manifests that MANIFESTS should hold. What is too large for one is not
# fetched: a file without content that is too large as well stands for it.
manifests_there() {
  awk -F '\t' -v limit="$MANIFEST_LIMIT_BYTES" \
    '$2 ~ /^backups\// { print ($1 + 0 > limit ? limit + 1 : $1) "\t" substr($2, 9) }' "$OBJECT_LIST"
}

# leave_out_giants: makes those files.
leave_out_giants() {
  local name
  awk -F '\t' -v limit="$MANIFEST_LIMIT_BYTES" '$2 ~ /^backups\// && $1 + 0 > limit { print substr($2, 9) }' \
    "$OBJECT_LIST" | while IFS= read -r name; do
    as_backup_user truncate --size 0 -- "$MANIFESTS/$name" &&
      as_backup_user truncate --size "$(( MANIFEST_LIMIT_BYTES + 1 ))" -- "$MANIFESTS/$name" || return 1
  done
}

# fetch_manifests: makes MANIFESTS equal to the repository's backups/. Manifests are written once, so their size tells.
fetch_manifests() {
  as_backup_user mkdir -p -- "$MANIFESTS"
  leave_out_giants || { REPOSITORY_ERROR="its manifests cannot be kept in $MANIFESTS"; return 1; }
  manifests_there | sort >"$SCRATCH/manifests.there"
  # Without any, there is no folder that could be copied.
  if [[ ! -s $SCRATCH/manifests.there ]]; then as_backup_user rm -f -- "$MANIFESTS"/*.json; return 0; fi
  as_backup_user find "$MANIFESTS" -type f -printf '%s\t%f\n' | sort >"$SCRATCH/manifests.here"
  if cmp --silent -- "$SCRATCH/manifests.there" "$SCRATCH/manifests.here"; then return 0; fi
  run_rclone sync --size-only --fast-list --transfers 8 --max-size "$MANIFEST_LIMIT_BYTES" \
    --include '/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.json' -- \
    "$REPOSITORY_ROOT/backups/" "$MANIFESTS"
}

# put_rclone OBJECT: streams; rclone checks every part's checksum at the far end and the size of the whole. Of what a
# manifest names it also tells the size, so half of it is found by that. Anything else is given its name when it is
# whole.
put_rclone() {
  local partial="$1.partial-$$-$BASHPID"
  if [[ $1 =~ ^(blocks|heads|archives|companions)/ ]] || ! writes_in_place; then
    run_rclone rcat -- "$REPOSITORY_ROOT/$1"
  else
    run_rclone rcat -- "$REPOSITORY_ROOT/$partial" &&
      run_rclone moveto --ignore-times -- "$REPOSITORY_ROOT/$partial" "$REPOSITORY_ROOT/$1"
  fi
}

# settle_rclone: the far end has said that it holds what was sent.
settle_rclone() { :; }

# get_rclone OBJECT: see repository_get. Named by its whole path, an object about which the server answers rclone's
# first question with an error is taken for a folder: nothing comes, and that ends well. In a list of files it is an
# error.
get_rclone() {
  run_rclone cat ${2:+--count "$2"} --files-from-raw - -- "$REPOSITORY_ROOT/" < <(printf '%s\n' "$1")
}

# delete_rclone FILE: see repository_delete.
delete_rclone() { run_rclone delete --checkers 8 --files-from-raw "$1" -- "$REPOSITORY_ROOT/"; }

# sweep_rclone: removes what put_rclone left unfinished more than an hour ago; needs repository_list. Other unfinished
# uploads are invisible and reaped by the bucket's lifecycle rule. It never fails a run.
sweep_rclone() {
  local limit
  printf -v limit '%(%Y-%m-%d %H:%M:%S)T' $(( EPOCHSECONDS - 3600 ))
  awk -F '\t' -v limit="$limit" 'NF == 3 && $3 < limit { print $2 }' "$SCRATCH/listing" |
    { grep --extended-regexp "^($OBJECT_NAMES|owner\.json|${CATALOG//./\\.})\.partial-[0-9]+-[0-9]+\$" ||
    true; } >"$SCRATCH/swept"
  if [[ -s $SCRATCH/swept ]]; then delete_rclone "$SCRATCH/swept" || true; fi
}

# hash_rclone: for object names on standard input, "sha256<TAB>object" lines, read back from the far end. Listed, not
# asked for one by one (--no-traverse): some servers refuse to be asked, and before 1.63 rclone never comes to the end
# of a list when that has ended all its checkers.
hash_rclone() {
  local wanted="$SCRATCH/names.$BASHPID" output="$SCRATCH/sums.$BASHPID" status=0
  cat >"$wanted"
  run_rclone hashsum SHA256 --download --checkers "$PARALLEL" \
    --files-from-raw "$wanted" -- "$REPOSITORY_ROOT/" >"$output" || status=$?
  sed --regexp-extended 's#^([0-9a-f]{64})  (.*)$#\1\t\2#' "$output"
  return "$status"
}
