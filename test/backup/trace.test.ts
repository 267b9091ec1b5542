// What changes something leaves a line in the log of the host, whoever did it and from where.
import * as fs from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";
import { slowTest } from "../runner/pace";

const data = new DataDirectory();
afterAll(() => data.shell.remove());

const log = () =>
  fs
    .readFileSync(data.at("log"), "utf8")
    .split("\n")
    .filter(Boolean)
    .map(line => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /, ""));
const call = (words: string, more = "") => data.call(words, `LOG_FILE="$PWD/log" SUDO_USER=alice; ${more}`);

beforeEach(() => fs.writeFileSync(data.at("log"), ""));

test("a run by hand is in the log as those of the schedule are, with who called it, and a scheduled one is there once", () => {
  data.block(1);
  const { code, stderr } = call("run");
  expect([code, stderr.split("\n").filter(line => / (start|done|failed) /.test(line)).length]).toEqual([0, 2]);
  expect(log()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^start backup=\S+ source=hot repositories=local user=alice$/),
      expect.stringMatching(/^done backup=/),
    ]),
  );
  fs.writeFileSync(data.at("log"), "");
  call("run", 'exec 2>>"$PWD/log";');
  expect(log().filter(line => line.startsWith("start "))).toHaveLength(1);
});

slowTest("pins and prunes by hand", () => {
  const name = data.manifest().name;
  call(`pin ${name}`);
  call(`unpin ${name}`);
  expect(log()).toEqual([
    `pin repository=local backup=${name} user=alice`,
    `unpin repository=local backup=${name} user=alice`,
  ]);
  data.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
  data.call("run");
  data.configure();
  data.call("run");
  data.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
  fs.writeFileSync(data.at("log"), "");
  call("prune --dry-run");
  expect(log()).toEqual([]);
  call("prune --yes");
  expect(log()).toEqual([expect.stringMatching(/^prune repository=local backups=1 objects=\d+ user=alice$/)]);
});

test("restores and heals, from the yes to their end", () => {
  const begin =
    'LOG_FILE="$PWD/log" SUDO_USER=alice COMMAND=restore BACKUP=20260101T020000Z; begin_change "backup=$BACKUP host=prom-1"';
  data.shell.run(`${begin}; exit 9`);
  expect(log()).toEqual([
    "restore backup=20260101T020000Z host=prom-1 begins user=alice",
    "restore backup=20260101T020000Z host=prom-1 ended exit_code=9 user=alice",
  ]);
  for (const command of ["restore_full", "restore_merge", "command_heal"]) {
    expect(data.shell.print(`declare -f ${command} | grep -A 1 stop_after_plan | tail -n 1`)).toMatch(
      /^ *begin_change /,
    );
  }
});

test("a caller's name that is none is not taken into the log, and a log that is a link is not written to", () => {
  expect(data.shell.print("SUDO_USER=$'a\\nb' caller_name")).toBe("?");
  fs.rmSync(data.at("log"));
  fs.writeFileSync(data.at("victim"), "");
  fs.symlinkSync("victim", data.at("log"));
  data.shell.run('LOG_FILE="$PWD/log" COMMAND=pin; note_change pin; log pin');
  expect(fs.readFileSync(data.at("victim"), "utf8")).toBe("");
});
