// Backups are named by the beginning of their name or by `latest`, and lists are cut to what is asked for.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sealed, wholeManifest } from "../tools/manifest";
import { representatives, slowTest } from "../runner/pace";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const at = (name: string): string => path.join(shell.directory, name);
const [OLD, MIDDLE, NEW] = ["20260101T020000Z", "20260102T020000Z", "20260102T140000Z"];

/** A backup without blocks, as a run stores it. */
function put(repository: string, name: string, note: unknown = null): void {
  const folder = at(`${repository}/prom-1/backups`);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, `${name}.json`), sealed(wholeManifest(name, { note })));
}

beforeAll(() => {
  fs.mkdirSync(at("state"));
  for (const name of [OLD, MIDDLE, NEW]) {
    put("local", name);
  }
  put("offsite", MIDDLE);
  // A bare folder is taken for a disk that is not mounted.
  fs.mkdirSync(at("noted/neighbour"), { recursive: true });
  fs.writeFileSync(at("noted/neighbour/owner.json"), "{}");
});

function said(command: string, words: string): { code: number | null; stdout: string; stderr: string } {
  return shell.run(`COMMAND=${command} HOST_NAME=prom-1 STATE_DIR="$PWD/state"
    REPOSITORY_NAMES=(local offsite noted) REPOSITORY_TYPES=(path path path)
    REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/offsite" "$PWD/noted")
    require_owner() { :; }
    command_${command} ${words}`);
}

test.each([
  ["20260101", OLD],
  ["20260102T02", MIDDLE],
  ["20260102T1", NEW],
  ["20260101T020000Z", OLD],
  ["latest", NEW],
  ["", NEW],
])("show %j is %s", (words, name) => {
  expect(said("show", words)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Backup ${name} of prom-1`) as string,
  });
});

slowTest("pin, unpin and verify take the beginning of a name and latest, in every repository that has it", () => {
  expect(said("pin", "latest").stderr).toBe(`${NEW} is pinned in local\n`);
  expect(said("pin", "20260102T0").stderr).toBe(`${MIDDLE} is pinned in local\n${MIDDLE} is pinned in offsite\n`);
  expect(fs.readdirSync(at("local/prom-1/pins"))).toEqual([MIDDLE, NEW]);
  expect(said("unpin", "20260102T0").stderr).toContain(`${MIDDLE} is unpinned in offsite\n`);
  const verified = said("verify", "20260101");
  expect(verified.stderr + verified.stdout).toContain(`✔ ${OLD} in local`);
  expect(verified.code).toBe(0);
});

const several = `prometheus-backup: error: 2 backups begin with '20260102': ${NEW}, ${MIDDLE}; type more of the name\n`;

test.each([
  ["show", "20260102", 2, several],
  ["pin", "20260102", 2, several],
  ["verify", "20260102", 2, several],
  ["companions", "2026", 2, "3 backups begin with '2026'"],
  ["show", "2025", 11, "there is no backup 2025; see what there is: prometheus-backup.sh list"],
  ["pin", "2025", 11, "there is no backup 2025;"],
  ["pin", "../x", 11, "'../x' is not the name of a backup; names look like 20261122T020000Z or 'latest'"],
  ["verify", "'.*'", 11, "'.*' is not the name of a backup;"],
  ["pin", "", 2, "pin needs the name of a backup, or 'latest'"],
])("%s %s ends with %i", (command, words, code, message) => {
  const { code: status, stderr } = said(command, words);
  expect({ status, stderr }).toEqual({ status: code, stderr: expect.stringContaining(message) as string });
});

test("where a repository could not be read, it is said that the name may not be the only one", () => {
  const { code, stderr } = shell.run(`COMMAND=show HOST_NAME=prom-1 STATE_DIR="$PWD/state"
    REPOSITORY_NAMES=(local gone) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/gone")
    command_show 20260101`);
  const words = `warning: '20260101' is taken for ${OLD}; others like that may lie where nothing could be read: gone`;
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(words) as string });
});

test.each(
  representatives(
    [
      ["--last 1", [NEW]],
      ["--last 2", [NEW, MIDDLE, MIDDLE]],
      ["--last 2 --repository offsite", [MIDDLE]],
      ["--since '2026-01-02 02:00'", [NEW, MIDDLE, MIDDLE]],
      ["--since 20260102T020001Z", [NEW]],
      ["--since 2026-01-02 --last 1", [NEW]],
      ["", [NEW, MIDDLE, MIDDLE, OLD]],
    ],
    ([words]) => /since.*last|repository/.test(words),
  ),
)("list %s", (words, names) => {
  const rows = JSON.parse(said("list", `--json ${words}`).stdout) as { name: string }[];
  expect(rows.map(({ name }) => name)).toEqual(names);
  expect(said("list", words).stdout.match(/^2026\w+/gm)).toEqual(names);
});

test("a list without a row says why, and what is no number or no time is refused", () => {
  expect(said("list", "--since 2026-02-01")).toMatchObject({
    code: 0,
    stdout: "",
    stderr: "there is no backup of prom-1 since 2026-02-01 00:00:00 UTC\n",
  });
  expect(said("list", "--last 0")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--last takes a number, not '0'") as string,
  });
  expect(said("list", "--last 'a[$(touch x)]'").code).toBe(2);
  expect(said("list", "--since gestern")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--since 'gestern' is not a time; ") as string,
  });
});

describe("notes", () => {
  const rows = (): { name: string; note: unknown }[] =>
    JSON.parse(said("list", "--json --repository noted").stdout) as [];

  test("are shown by list and show", () => {
    put("noted", OLD, "before the upgrade, für später");
    expect(rows()).toMatchObject([{ name: OLD, note: "before the upgrade, für später" }]);
    expect(said("list", "--repository noted").stdout).toContain("complete, note: before the upgrade, für später");
    expect(said("show", `${OLD} --repository noted`).stdout).toContain(
      "\n  note       before the upgrade, für später\n",
    );
  });

  test.each([
    ["moves the cursor", "a\u001b[2Jb"],
    ["has several lines", "a\nb"],
    ["turns the direction", "a\u202eb"],
    ["is long", "x".repeat(201)],
    ["is no text", { a: 1 }],
    ["holds a control character of eight bits", "a\u009bb"],
  ])("one of others that %s is not shown, and nothing else of that manifest", (_title, note) => {
    put("noted", OLD, note);
    expect(rows()).toMatchObject([{ name: OLD, damaged: true, note: null }]);
    expect(said("show", `${OLD} --repository noted`)).toMatchObject({ code: 9, stdout: "" });
  });

  test.each([
    ["plain words", "before 3.1", 0],
    ["two lines", "a\nb", 2],
    ["too many", "x".repeat(201), 2],
    ["200 of two bytes", "ü".repeat(200), 0],
  ])("of a run: %s", (_title, note, code) => {
    expect(shell.run('COMMAND=run; parse_run_options --note "$1"; require_note', note).code).toBe(code);
  });
});
