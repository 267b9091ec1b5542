# shellcheck shell=bash
# Backups that a wrong clock has named. They are no measure for anything else.

MISDATED="[]"  # of read_misdated

# read_misdated: sets MISDATED, a JSON array of the backups of the selected repository that were named by a clock more
# than an hour ahead of the repository's own, which says when they were written. Where it was not listed, those from the
# future.
read_misdated() {
  local horizon
  MISDATED="[]"
  if [[ -f $OBJECT_LIST ]]; then
    MISDATED="$(jq --null-input --raw-input --compact-output '[inputs | split("\t")
      | select(.[1] | startswith("backups/")) | .[1][8:24] as $name | {$name,
        named: ($name | "\(.[0:4])-\(.[4:6])-\(.[6:8])T\(.[9:11]):\(.[11:13]):\(.[13:15])Z" | fromdate?),
          written: (.[2] | sub(" "; "T") + "Z" | fromdate?)}
      | select(.named > .written + 3600) | .name]' "$OBJECT_LIST")"
  elif [[ -d $MANIFESTS ]]; then
    printf -v horizon '%(%Y%m%dT%H%M%SZ)T' $(( EPOCHSECONDS + CLOCK_TOLERANCE_MS / 1000 ))
    MISDATED="$(find "$MANIFESTS" -name '*.json' -printf '%f\n' | jq --null-input --raw-input --compact-output --arg horizon "$horizon" '[inputs | rtrimstr(".json") | select(. > $horizon)]')"
  fi
}

# future_backups: how many backups of the selected repository are dated in the future. Needs repository_open.
future_backups() {
  local horizon
  printf -v horizon '%(%Y%m%dT%H%M%SZ)T' $(( EPOCHSECONDS + CLOCK_TOLERANCE_MS / 1000 ))
  awk -F '\t' -v horizon="$horizon" '$2 ~ /^backups\// && substr($2, 9, 16) > horizon { future++ } END {
    print future + 0 }' "$OBJECT_LIST"
}
