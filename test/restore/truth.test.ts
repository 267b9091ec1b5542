// One truth about a backup: what verify has found damaged is damaged in list, in show and in the plan, and latest
// passes it over.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { blockEntry, sealed, wholeManifest } from "../tools/manifest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const OLD = "20260101T020000Z";
const NEW = "20260102T020000Z";
const at = (name: string) => path.join(shell.directory, name);
const ulid = (name: string) => `01M7VW2GC07R5ZX6V25SJJYA${name.slice(6, 8)}`;
const object = (name: string) => `blocks/${ulid(name)}.tar.zst`;

function put(repository: string, name: string): void {
  const day = Date.parse(`2026-01-${name.slice(6, 8)}T00:00:00Z`);
  const manifest = wholeManifest(name, {
    blocks: [blockEntry(ulid(name), { objectSha256: "0".repeat(64), minTime: day, maxTime: day + 7_200_000 })],
    coverage: { oldestSample: "2026-01-01T00:00:00Z", newestSample: "2026-01-01T02:00:00Z" },
    totals: { sizeBytes: 5, sentBytes: 5, rawBytes: 5 },
  });
  for (const [file, text] of [
    [`backups/${name}.json`, sealed(manifest)],
    [object(name), "block"],
  ] as const) {
    fs.mkdirSync(path.dirname(at(`${repository}/prom-1/${file}`)), { recursive: true });
    fs.writeFileSync(at(`${repository}/prom-1/${file}`), text);
  }
}

/** What a verify of this host has noted. */
function note(repository: string, name: string): void {
  fs.mkdirSync(at("state/damaged"), { recursive: true });
  fs.writeFileSync(at(`state/damaged/${repository}`), `${object(name)}\n`);
}

const settings =
  'HOST_NAME=prom-1 STATE_DIR="$PWD/state" REPOSITORY_NAMES=(local second) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/second")';
const call = (command: string, words: string) => shell.run(`COMMAND=${command} ${settings}\n${words}`);
const plan = (wanted: string) => call("restore", `command_restore ${wanted} --target "$PWD/new" --plan`);

interface Row {
  name: string;
  repository: string;
  complete: boolean;
  missingObjects: number;
  damagedObjects: number;
}

beforeEach(() => {
  for (const name of ["local", "second", "state"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name));
  }
  // Another host uses the second one, too: a bare folder is taken for a disk that is not mounted.
  fs.mkdirSync(at("second/neighbour"));
  fs.writeFileSync(at("second/neighbour/owner.json"), "{}");
  put("local", OLD);
  put("local", NEW);
});

test("list says of each backup what is missing and what is damaged, by numbers and in words", () => {
  note("local", NEW);
  fs.rmSync(at(`local/prom-1/${object(OLD)}`));
  const rows = JSON.parse(call("list", "command_list --json").stdout) as Row[];
  expect(
    rows.map(({ name, complete, missingObjects, damagedObjects }) => ({
      name,
      complete,
      missingObjects,
      damagedObjects,
    })),
  ).toEqual([
    { name: NEW, complete: false, missingObjects: 0, damagedObjects: 1 },
    { name: OLD, complete: false, missingObjects: 1, damagedObjects: 0 },
  ]);
  expect(
    call("list", "command_list")
      .stdout.trimEnd()
      .split("\n")
      .slice(1)
      .map(row => row.replace(/.* local {2,}/, "")),
  ).toEqual(["DAMAGED: 1 object", "INCOMPLETE: 1 object is missing"]);
});

test("show and the plan say what list says, and where it is whole", () => {
  note("local", NEW);
  expect(call("show", `command_show ${NEW}`).stdout).toContain(`\n  state      DAMAGED: 1 object in local\n`);
  const here = plan(NEW);
  expect(here.stdout + here.stderr).toContain(`  backup     DAMAGED: 1 object in local; 1 block, `);
  expect(here.stdout + here.stderr).toContain(
    `  damaged    ! ${object(NEW)} in local, and no other repository has it: the restore will end there, unless it was mended since`,
  );
  put("second", NEW);
  const there = plan(NEW);
  expect(there.stdout + there.stderr).toContain("  backup     complete; 1 block, ");
  expect(there.stdout + there.stderr).toContain(" from second, ");
  const asked = call("restore", `command_restore ${NEW} --repository local --target "$PWD/new" --plan`);
  expect(asked.stdout + asked.stderr).toContain("  backup     DAMAGED: 1 object in local; 1 block, ");
});

test("latest passes over a backup that is damaged in every repository, and takes it from the one that has it whole", () => {
  note("local", NEW);
  const latest = (command: string) => call(command, 'load_metrics; resolve_backup latest; echo "$BACKUP $REPOSITORY"');
  expect(latest("restore")).toMatchObject({
    stdout: `${OLD} local\n`,
    stderr: `prometheus-backup: warning: passed over: ${NEW} is not whole (1 of its objects is damaged in local)\n`,
  });
  put("second", NEW);
  expect(latest("restore")).toMatchObject({ stdout: `${NEW} second\n`, stderr: "" });
});

test("where all that speaks against the last backup is a note, latest takes it: what was noted may be mended", () => {
  for (const file of [`backups/${OLD}.json`, object(OLD)]) {
    fs.rmSync(at(`local/prom-1/${file}`));
  }
  note("local", NEW);
  const latest = () =>
    call("restore", 'load_metrics; resolve_backup latest; echo "$BACKUP $REPOSITORY $BACKUP_COMPLETE"');
  expect(latest()).toMatchObject({
    stdout: `${NEW} local true\n`,
    stderr: expect.stringContaining(`warning: ${NEW} is taken all the same: no other backup is whole`) as string,
  });
  fs.rmSync(at(`local/prom-1/${object(NEW)}`));
  expect(latest()).toMatchObject({ code: 11, stdout: "" });
});

test("a drill and a heal look for themselves: what was noted may be mended", () => {
  note("local", NEW);
  for (const command of ["drill", "heal"]) {
    expect(call(command, 'load_metrics; resolve_backup latest; echo "$BACKUP $REPOSITORY"')).toMatchObject({
      stdout: `${NEW} local\n`,
      stderr: "",
    });
  }
});

test("what this host has noted of its own backups says nothing of another host's", () => {
  note("local", NEW);
  fs.cpSync(at("local/prom-1"), at("local/prom-2"), { recursive: true });
  expect(call("list", "command_list --json --host prom-2").stdout).not.toContain('"damagedObjects": 1');
});
