// What an export for Thanos writes into meta.json, and which labels it takes: the functions by themselves.
import { afterAll, expect, test } from "vitest";
import { Shell, type Called } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

/** Chooses the labels of a backup whose server had these, as its API prints them, with these options. */
function choose(recorded: string, ...given: string[]): Called {
  return shell.run(
    'jq --null-input --arg externalLabels "$1" \'{prometheus: {$externalLabels}}\' >"$MANIFEST"; shift; BACKUP=20260101T020000Z RESTORE_HOST=prom-1 GIVEN_LABELS=("$@"); choose_labels; printf "%s\\n%s\\n" "$LABELS" "$(label_arguments)"',
    recorded,
    ...given,
  );
}

const chosen = (recorded: string, ...given: string[]) =>
  choose(recorded, ...given)
    .stdout.split("\n")
    .slice(0, 2);

test("the labels that the server had are taken, however YAML writes them", () => {
  const recorded = ['    env: prod "x"', "    quoted: 'it''s'", '    text: "a\\tb"', '    number: "12"'].join("\n");
  expect(chosen(recorded)).toEqual([
    JSON.stringify({ env: 'prod "x"', number: "12", quoted: "it's", text: "a\tb" }),
    `--label='env="prod \\"x\\""' --label='number="12"' --label='quoted="it'\\''s"' --label='text="a\\tb"'`,
  ]);
});

test("--label adds a label, changes one, or leaves one out", () => {
  expect(chosen("    env: prod\n    replica: a", "replica=b", "region=eu=1", "env=")[0]).toBe(
    '{"region":"eu=1","replica":"b"}',
  );
});

test.each([
  [
    "no label",
    "",
    "the server had no external label when 20260101T020000Z was taken, and Thanos tells servers apart by nothing else; give one that no other server has, such as --label replica=prom-1",
  ],
  [
    "the label of Debian's package alone",
    "    monitor: example",
    'the only external label is monitor="example", which Debian gives every server, and Thanos would mix their blocks; give one that no other server has, such as --label replica=prom-1',
  ],
  [
    "labels of an unknown form",
    "    text: |-\n      two\n      lines",
    "the external labels that 20260101T020000Z recorded are written in a way that is not understood here; give all of them with --label NAME=VALUE",
  ],
])("%s is refused with the way out", (_, recorded, message) => {
  expect(choose(recorded)).toEqual({ code: 12, stdout: "", stderr: `prometheus-backup: error: ${message}\n` });
});

test("with --label nothing is refused, and what could not be read is named", () => {
  expect(chosen("    monitor: example", "monitor=example")[0]).toBe('{"monitor":"example"}');
  const unknown = choose("    text: |-\n      two", "env=prod");
  expect([unknown.stdout.split("\n")[0], unknown.stderr]).toEqual([
    '{"env":"prod"}',
    "prometheus-backup: warning: the external labels that 20260101T020000Z recorded are not understood here; only those of --label are used\n",
  ]);
});

test.each([
  ["export"],
  ["export latest"],
  ["export latest --thanos /tmp/x --label 1a=b"],
  ["export latest --thanos /tmp/x --label a"],
])("%s makes no sense", words => {
  expect(shell.run(`COMMAND=export HOST_NAME=prom-1; parse_export_options ${words.replace("export", "")}`).code).toBe(
    2,
  );
});

test("a compacted block gets the level that upload-blocks takes, and keeps its sources", () => {
  const meta = { ulid: "A", version: 1, compaction: { level: 3, sources: ["B", "C"] } };
  const files = "chunks/000001\t12\nindex\t3\n";
  const marked = shell.print(
    'jq --arg files "$2" --argjson labels \'{"env":"prod"}\' "$(thanos_meta_filter)" <<<"$1"',
    JSON.stringify(meta),
    files,
  );
  expect(JSON.parse(marked)).toEqual({
    ulid: "A",
    version: 1,
    compaction: { level: 1, sources: ["B", "C"] },
    thanos: {
      version: 1,
      labels: { env: "prod" },
      downsample: { resolution: 0 },
      source: "sidecar",
      files: [
        { rel_path: "chunks/000001", size_bytes: 12 },
        { rel_path: "index", size_bytes: 3 },
        { rel_path: "meta.json" },
      ],
    },
  });
});
