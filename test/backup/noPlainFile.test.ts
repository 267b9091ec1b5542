// Whatever lies in place of a file that a command opens, be it a pipe, a folder or a link to a device: no command waits
// for it, and none takes what it says.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";
import { slowTest } from "../runner/pace";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
  data.configure({ TEXTFILE_DIR: data.at("textfile") });
  fs.mkdirSync(data.at("textfile"));
  [1, 2, 3, 4, 5, 6, 7, 8].forEach(n => data.block(n));
  expect(data.call("run").code).toBe(0);
  expect(data.call("verify").code).toBe(0);
  // Whoever waits for a pipe is killed, with all that it has started: its code is then null.
  data.shell.limit = 300;
});
afterAll(() => data.shell.remove());

type Form = "pipe" | "folder" | "link";
const make = (form: Form, names: string[]) => {
  names.forEach(name => fs.rmSync(data.at(name), { recursive: true, force: true }));
  names.forEach(name => fs.mkdirSync(data.at(name.replace(/\/[^/]*$/, "")), { recursive: true }));
  const paths = names.map(name => data.at(name));
  if (form === "pipe") {
    execFileSync("mkfifo", paths);
  } else {
    paths.forEach(at => (form === "folder" ? fs.mkdirSync(at) : fs.symlinkSync("/dev/zero", at)));
  }
};
const files = (folder: string) =>
  fs
    .readdirSync(data.at(folder), { recursive: true, encoding: "utf8" })
    .map(name => `${folder}/${name}`)
    .filter(name => fs.statSync(data.at(name)).isFile());
/** Those that come and go, or that only a hot run without the admin API does not make. */
const RARE = [
  "server.json",
  "server.facts",
  "server.json.new",
  "snapshot.intent",
  "drill-turn",
  "restored",
  "deletions",
  "lock.new",
  "metrics.state.new",
  "hold.new",
  "last-name.new",
  "bootstrap-begun",
  "damaged/local",
  "marks/known.new",
  "marks/local.last.new",
  "contents/local.new",
  "wounds.json.new",
  "cold.stopped",
  "journal/local",
].map(name => `state/${name}`);

/** Ends of the commands, by command: all that is said comes with it. */
function ends(commands: string[], before: () => void): Record<string, number | null> {
  return Object.fromEntries(
    commands.map(words => {
      before();
      fs.rmSync(data.at("target"), { recursive: true, force: true });
      const { code, stderr } = data.call(words);
      expect([words, stderr]).toEqual([words, expect.not.stringMatching(/unexpected failure|unbound variable/)]);
      return [words, code];
    }),
  );
}
const RESTORE = 'restore latest --target "$PWD/target" --yes';

slowTest(
  "pipes and links to devices in place of all that the state directory holds are removed, and not waited for",
  () => {
    const state = [...new Set([...files("state"), ...RARE])];
    expect(state.length).toBeGreaterThan(30);
    const commands = [
      "status",
      "list",
      "show latest",
      RESTORE,
      "prune --dry-run",
      "pin latest",
      "verify",
      "hold",
      "heal --plan",
      "run",
    ];
    for (const form of ["pipe", "link"] as const) {
      const tried = form === "pipe" ? commands : ["hold", "run"];
      const seen = ends(tried, () => make(form, state));
      // Of this machine's server nobody knows anything, so heal ends in its own way.
      expect([form, seen]).toEqual([
        form,
        Object.fromEntries(tried.map(words => [words, words === "heal --plan" ? 12 : 0])),
      ]);
    }
    make("pipe", ["state/lock"]);
    const { stderr } = data.call("list");
    expect(stderr).toContain("state/lock was no plain file but a pipe");
    expect(fs.existsSync(data.at("state/lock"))).toBe(false);
  },
);

test("a folder in place of a file takes no file in, and what could not be kept is said", () => {
  const notes = ["state/metrics.state", "state/wounds.json", "state/contents/local", "textfile/prometheus_backup.prom"];
  make("folder", notes);
  const { code, stderr } = data.call("run");
  expect([code, stderr]).toEqual([code, expect.stringContaining("metrics could not be")]);
  notes.forEach(name => expect([name, fs.readdirSync(data.at(name))]).toEqual([name, []]));
  notes.forEach(name => data.remove(name));
});

test("pipes in place of what the data directory holds keep no run waiting: they are damage", () => {
  const whole = [1, 2, 3, 4, 5, 6, 7, 8].map(n => data.block(n));
  const parts = ["meta.json", "index", "tombstones", "chunks/000001", "chunks", "chunks/000002"];
  const pipes = parts.map((part, index) => `data/${whole[index]}/${part}`);
  const others = ["data/lock", "data/queries.active", "data/wal"];
  const seen = ends(["hold", "run", "check"], () => make("pipe", [...pipes, ...others]));
  expect(seen).toEqual({ hold: 0, run: 9, check: seen["check"] });
  expect(seen["check"]).not.toBe(null);
});

test("pipes in a repository count as not there, and whatever lies in their place is not waited for", () => {
  const place = "repository/prom-1";
  const [block = ""] = files(`${place}/blocks`);
  const newest = files(`${place}/backups`).sort().at(-1) ?? "";
  const commands = ["list", "verify", "run"];
  const seen = ends(commands, () =>
    make("pipe", [
      newest,
      block,
      `${place}/owner.json`,
      `${place}/marks/x`,
      `${place}/pins/20260101T000000Z`,
      `${place}/catalog.json`,
      `${place}/backups/20260101T000000Z.json`,
      `${place}/heads/x`,
    ]),
  );
  expect(Object.values(seen)).not.toContain(null);
});
