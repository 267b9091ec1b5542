// What every command shows on a narrow terminal, and where the locale has no signs but those of ASCII.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostCommands } from "../../components/host/command/commands";
import { DataDirectory } from "../backup/dataDirectory";

const COLUMNS = 60;
const data = new DataDirectory();
afterAll(() => data.shell.remove());

/** What is shown to a person, with the command or path that it is about. */
const commands = [
  'help list; for one in $(sort <<<"$HELP"); do print_help "$one"; done',
  "help",
  `run --pin --note 'before the great upgrade of everything that we have'; mv ${data.at("away")} ${data.at("gone")}`,
  "list",
  "list --since tomorrow",
  "show latest",
  "status",
  "check",
  "verify latest",
  "prune --dry-run",
  `restore latest --plan --target ${data.at("new")}`,
  "heal --plan",
  "explain",
  "explain 9",
  "lst",
  "list --lst",
  "show 20200101T000000Z",
  "unpin 20200101T000000Z",
];

let screens: Map<string, string[]>;

beforeAll(() => {
  fs.mkdirSync(data.at("away"));
  data.configure({
    REPOSITORY_COUNT: "2",
    REPOSITORY_2_NAME: "away",
    REPOSITORY_2_TYPE: "path",
    REPOSITORY_2_LOCATION: data.at("away"),
  });
  data.block(1);
  data.block(3);
  screens = data.screens(commands, COLUMNS, "CRON_FILE=/nowhere", {
    CALLER_LOCALE: "C",
    HELP: hostCommands.map(({ name }) => name).join("\n"),
  });
});

test("all of them show something", () => {
  expect([...screens].filter(([, lines]) => lines.join("") === "").map(([words]) => words)).toEqual([]);
  expect([...screens.values()].flat().filter(line => /unexpected failure in|command not found/.test(line))).toEqual([]);
});

test("no line is longer than the terminal is wide, but for one word or command that cannot be broken", () => {
  const long = [...screens].flatMap(([words, lines]) =>
    lines
      .filter(line => line.length > COLUMNS)
      .filter(line => !/^ *(prometheus-backup\.sh .*|(\S+( \S+)* {2,})?\S+)$/.test(line))
      .map(line => `${words}: ${line}`),
  );
  expect(long).toEqual([]);
});

test("what was not done in a repository stands in the last line", () => {
  const last = (words: string) =>
    screens
      .get(words)
      ?.filter(line => line !== "")
      .at(-1);
  expect(["verify latest", "prune --dry-run"].map(last)).toEqual([
    "Not verified: away (above).",
    "Not done: away (above).",
  ]);
});

test("jobs that have the same to say say it once", () => {
  const said = data.shell.run('for text in a a b; do ( warn_once x "$text" ); done; warn_once y a');
  expect(said.stderr).toBe(["a", "b", "a"].map(text => `prometheus-backup: warning: ${text}\n`).join(""));
});

test("who waits for a repository is told how to do without it where the command can, within the line", () => {
  const asked = (command: string) =>
    data.shell.print(
      `progress() { printf '  %s' "$1"; }; REPOSITORY_NAMES=(local offsite) COMMAND=${command}; say_asking 19 offsite`,
    );
  expect(["list", "status"].map(asked)).toEqual([
    "  asking offsite for {}; only another: --repository NAME",
    "  asking offsite for {}",
  ]);
  expect(asked("list").replace("{}", "20 s").length).toBeLessThan(COLUMNS);
});

test("help is folded once, at the width of the terminal", () => {
  // Each line but the last of a paragraph or option is as full as the next word allows.
  const lines = screens.get("help") ?? [];
  const broken = lines.flatMap((line, index) => {
    const next = /^ {4,}(\S+)/.exec(lines[index + 1] ?? "");
    return next !== null && line.length + 1 + (next[1]?.length ?? 0) <= COLUMNS ? [line] : [];
  });
  expect([lines.length > 20, broken]).toEqual([true, []]);
});

test("a block of a backup takes one line of 80 columns, the head among them", () => {
  const day = Date.UTC(2026, 10, 30);
  const blocks = [
    { ulid: "01M8Q19RG7F95NS1JTJ1AZVQB5", minTime: day, maxTime: day + 2 * 86_400_000, bytes: 999_900_000 },
    { ulid: "01M8Q5VNJHZH87MJG3KNJTWMR2", minTime: day, maxTime: day + 7_200_000, bytes: 999_900_000, head: true },
  ].map(block => ({ numTombstones: 0, ...block }));
  const manifest = {
    ...{ prometheus: {}, coverage: { gaps: [], notCovered: [] }, covered: [], blocks },
    totals: { blocks: 2, samples: 1, rawBytes: 1, sizeBytes: 1 },
  };
  const text = 'jq --raw-output --arg states complete "$(show_text)" <<<"$1"';
  expect(data.shell.print(text, JSON.stringify(manifest)).split("\n").slice(-2)).toEqual([
    "  01M8Q19RG7F95NS1JTJ1AZVQB5  2026-11-30 00:00 … 12-02 00:00  999.9 MB",
    "  01M8Q5VNJHZH87MJG3KNJTWMR2  2026-11-30 00:00 … 11-30 02:00  999.9 MB  head",
  ]);
});

test("no sign that is none of ASCII", () => {
  // eslint-disable-next-line no-control-regex
  expect([...screens.values()].flat().filter(line => /[^\u0000-\u007f]/.test(line))).toEqual([]);
});
