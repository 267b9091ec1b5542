# shellcheck shell=bash
# What a repository held when it was last listed, for `status`, which asks nobody.

# note_contents: what the selected repository holds by its list as it is now, for a status that need not ask it.
note_contents() {
  local notes="$STATE_DIR/contents"
  { mkdir -p -- "$notes" && awk -F '\t' -v name="$REPOSITORY" -v now="$(date -u +%FT%TZ)" '
    { bytes += $1 } $2 ~ /^backups\// { count++; if (substr($2, 9, 16) > newest) newest = substr($2, 9, 16) }
    END { printf "{\"name\":\"%s\",\"backups\":%d,\"sizeBytes\":%.0f,\"newest\":%s,\"lookedAt\":\"%s\"}\n", name, count, bytes, newest == "" ? "null" : "\"" newest "\"", now }' \
    "$OBJECT_LIST" >"$notes/$REPOSITORY.new" && mv -fT -- "$notes/$REPOSITORY.new" \
    "$notes/$REPOSITORY"; } 2>/dev/null || true
}

# contents_of NAME: what note_contents has noted, or that nothing is known.
contents_of() {
  take_note contents "$STATE_DIR/contents/$1" | grep --fixed-strings "\"name\":\"$1\"" ||
    printf '{"name":"%s","backups":null,"sizeBytes":null,"newest":null,"lookedAt":null}\n' "$1"
}
