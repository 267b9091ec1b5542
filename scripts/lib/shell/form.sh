# shellcheck shell=bash
# Forms: how the data of others have to look before any of them is used. Whoever can write a repository, a state
# directory or an answer of the API can write what they like there, and bash executes what it finds in a number: what
# has not passed its form reaches no arithmetic, path or terminal.

# form_filter: jq functions. A form is a table: by place, such as "blocks[].meta.stats?", what each field there has to
# look like as JSON text, as a regular expression: type, range, alphabet and length in one, and in just the text that
# bash will see, since jq writes 1e20 and "1" as they are. "[]" stands for each one of a list; behind "?" there may be
# nothing, or null. Fields without a form are not used by anybody. All objects at one place are compared as one text: a
# thousand blocks take no longer than ten texts would.
form_filter() {
  cat <<'JQ'
  def any_of($one; $other): "(?:\($one)|\($other))";
  def may($one): any_of("null"; $one);
  def choice($words): "\"(?:\($words))\"";
  def list($one): "\\[(?:\($one)(?:,(?!\\])|(?=\\])))*\\]";
  def flag: "(?:true|false)";
  # A thousand of them can be added up in 63 bits.
  def whole: "(?:0|[1-9][0-9]{0,14})";
  def decimal: "(?:0|[1-9][0-9]{0,14})(?:\\.[0-9]{1,17})?";
  # Milliseconds. Prometheus has all that 64 bits can hold, and of the largest ones jq keeps 17 digits.
  def time: "-?(?:0|[1-9][0-9]{0,18}|[1-9](?:\\.[0-9]{1,16})?[eE]\\+1[5-8])";
  def letters: "[^\"\\\\\\x00-\\x1f\\x7f-\\x{9f}]";
  # Without control characters, which a terminal obeys.
  def text($most): "\"(?>(?:\(letters)|\\\\[\"\\\\]){0,\($most)})\"";
  # The same, of several lines.
  def lines($most): "\"(?>(?:\(letters)|\\\\[\"\\\\nt]){0,\($most)})\"";
  # One line that a person wrote; what changes the direction of writing could make other words of those around it.
  def note: "(?!\"[^\"]*[\\x{200e}\\x{200f}\\x{2028}-\\x{202e}\\x{2066}-\\x{2069}])\(text(200))";
  # An absolute path without steps upwards.
  def path: "(?!\"[^\"]*/\\.\\.(?:/|\"))\"/(?>(?:\(letters)|\\\\[\"\\\\]){0,4096})\"";
  def ulid_letters: "[0-7][0-9A-HJKMNP-TV-Z]{25}";
  def ulid: "\"\(ulid_letters)\"";
  def name_letters: "[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z";
  def backup_name: "\"\(name_letters)\"";
  def host: "\"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\"";
  def date: "\"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\"";
  def sha256: "\"[0-9a-f]{64}\"";
  def object_letters: "(?:blocks/\(ulid_letters)(?:\\.r\(name_letters))?|heads/\(name_letters)(?:-wal)?|companions/[0-9a-f]{64})\\.tar\\.zst|archives/prometheus-backup-[0-9]{8}-[0-9]{6}\\.tar\\.(?:gz|zst)";
  def object($names): {object: choice($names), objectBytes: whole, objectSha256: sha256};

  # The objects at a place, of which those above are known to be objects.
  def steps($place): $place | split(".") | map(select(. != ""));
  def step_name: split("?")[0] | split("[")[0];
  def objects_at($place): reduce steps($place)[] as $step ([.];
    [.[][$step | step_name]] | if $step | contains("?") then map(values) else . end
    | if $step | endswith("[]") then [.[] | if type == "array" then .[] else error("no list") end] else . end);
  def has_form($place; $fields): ($fields | keys_unsorted) as $names
    | objects_at($place) | all(type == "object")
      and ([.[] | [.[$names[]]]] | tojson
        | test("\\A\\[(?:\\[" + ([$fields[]] | join(",")) + "\\](?:,(?=\\[)|(?=\\]\\z)))*\\]\\z"));
  # The objects at a place, one by one, each with where it is; what is none is there as well.
  def found_at($steps; $at): if $steps == [] then {$at, is: .} else $steps[0] as $step
    | ($step | step_name) as $name | "\($at).\($name)" as $there | (if type == "object" then .[$name] else null end)
    | if . == null and ($step | contains("?")) then empty
      elif $step | endswith("[]") | not then found_at($steps[1:]; $there)
      elif type != "array" then {at: $there, is: null}
      else range(length) as $index | .[$index] | found_at($steps[1:]; "\($there)[\($index)]") end end;
  # The first place that is wrong: only looked for when there is one.
  def wrong_at($place; $fields): first(found_at(steps($place); "")
    | .at as $at | if .is | type != "object" then $at
      else .is as $object | $fields | to_entries[] | select(.value as $form | $object[.key] | tojson
        | test("\\A(?:\($form))\\z") | not) | "\($at).\(.key)" end);
  # The first place of the document that is not as the forms say; nothing if there is none.
  def fault($forms): . as $document
    | first($forms | to_entries[] | .key as $place | .value as $fields
      | select(try ($document | has_form($place; $fields)) catch false | not))
    | .key as $place | .value as $fields | [($document | wrong_at($place; $fields)), $place][0] | ltrimstr(".");
JQ
}

# meta_form: jq functions: the form of a block's meta.json at $place. Others than Prometheus write such files, too, and
# not all of them say all.
meta_form() {
  cat <<'JQ'
  def meta_forms($place): {
    ($place): {ulid: ulid, minTime: time, maxTime: time},
    ($place + ".stats?"): {numSamples: may(whole), numSeries: may(whole), numChunks: may(whole),
      numTombstones: may(whole)},
    ($place + ".compaction?"): {level: may(whole), sources: may(list(ulid))},
    ($place + ".compaction?.parents?[]"): {ulid: ulid}
  };
JQ
}

# manifest_form: the same for an entry of a manifest's blocks (or lost), and for a manifest: what the commands use,
# whatever format it was read from. docs/format.md says what it means.
manifest_form() {
  meta_form
  cat <<'JQ'
  def entry_forms($place): {
    ($place): {
      ulid: ulid, object: may(choice("(?:blocks/\(ulid_letters)(?:\\.r\(name_letters))?|heads/\(name_letters))\\.tar\\.zst")), objectBytes: whole, objectSha256: may(sha256),
      bytes: whole, minTime: time, maxTime: time, numSamples: whole, numSeries: whole, numChunks: whole,
        numTombstones: whole, level: whole, sources: list(ulid),
      head: flag, tombstones: "\"(?>[A-Za-z0-9+/=]*)\""
    }
  } + meta_forms($place + ".meta");
  def wound: {ulid: ulid, minTime: may(time), maxTime: may(time), reason: text(1000)};
  def manifest_forms: {
    "": {
      format: whole, digest: sha256, name: backup_name, host: host, environment: lines(1000), tool: text(1000),
        startedAt: date, finishedAt: date,
      source: choice("snapshot|hot|cold"), layout: choice("blocks|archive"), suspect: may(text(1000)),
      note: may(note)
    },
    "prometheus": {version: text(1000), retentionTime: text(1000), retentionSize: text(1000), dataDirectory: path,
      externalLabels: lines(100000), outOfOrderWindow: text(1000)},
    "lastDrill?": {finishedAt: date, restoreSeconds: may(decimal)},
    "covered[]": {ulid: ulid, minTime: time, maxTime: time, numSamples: whole, by: list(ulid)},
    "lacks?[]": wound, "accepted?[]": wound,
    "wal?": (object("heads/\(name_letters)-wal\\.tar\\.zst") + {rawBytes: may(whole), newestSample: may(time)}),
    "archive?": (object("archives/prometheus-backup-[0-9]{8}-[0-9]{6}\\.tar\\.(?:gz|zst)")
      + {compression: choice("gzip|zstd"), root: choice("[A-Za-z0-9][A-Za-z0-9._-]{0,200}")}),
    "companions[]": (object("companions/[0-9a-f]{64}\\.tar\\.zst")
      + {path: path, mode: may(choice("[0-7]{3,4}")), user: may(text(256)), group: may(text(256))}),
    "coverage": {oldestSample: may(date), newestSample: may(date), head: flag, notCovered: list(text(2000))},
    "coverage.gaps[]": {from: date, to: date}, "coverage.future?[]": {ulid: may(ulid), newestSample: time},
    "totals": {sizeBytes: whole, sentBytes: whole, blocks: whole, samples: whole, series: whole, rawBytes: whole}
  } + entry_forms("blocks[]") + (entry_forms("lost?[]") | .["lost?[]"].backup = may(backup_name));
  # What two fields say together, of a manifest with the right form.
  def odd($archived): if .meta.ulid != .ulid then "meta.ulid" elif .minTime > .maxTime then "maxTime"
    elif $archived != (.object == null) then "object"
    elif (.object == null) != (.objectSha256 == null) then "objectSha256" else empty end;
  def contradiction: first((.layout == "archive") as $archived
    | (if $archived != (.archive != null) then "archive" else empty end),
      (if .totals.blocks != (.blocks | length) then "totals.blocks" else empty end),
      (if .blocks | map(.ulid) | length != (unique | length) then "blocks" else empty end),
      (.blocks | to_entries[] | .key as $index | .value | odd($archived) | "blocks[\($index)].\(.)"));
  def manifest_fault: . as $manifest | [fault(manifest_forms)] | if . == [] then $manifest
    | contradiction else .[0] end;
JQ
}

# row_form: the same for the short form of a manifest (repository/summary.sh), for what becomes one, and for one as it
# is stored.
row_form() {
  cat <<'JQ'
  def row_fields: {
    name: backup_name, host: host, startedAt: date, source: choice("snapshot|hot|cold"),
      layout: choice("blocks|archive"), suspect: may(text(1000)), note: may(note),
    sizeBytes: whole, sentBytes: whole, samples: whole, blocks: whole, lacks: may(whole), lost: may(list(ulid)),
    oldestSample: may(date), newestSample: may(date), head: flag
  };
  def summary_forms: {"objects[]": {object: choice(object_letters), objectBytes: whole}, "archived[]": {ulid: ulid},
    "row": row_fields};
  def stored_row: row_fields + {damaged: "null", objects: "\"[abo0-9,-]*\""};
JQ
}
