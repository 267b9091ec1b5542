// The short forms of the manifests that a host keeps, and what they decide: which backups are complete, and which
// objects may go. Compared with what the manifests themselves say, while backups come, go and are damaged between one
// look and the next.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { blockEntry, sealed, wholeManifest } from "../tools/manifest";
import { slowTest } from "../runner/pace";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const at = (name: string) => path.join(shell.directory, name);
const OLD = new Date("2026-01-01T00:00:00Z");
const ulid = (n: number) => `01M7VW2GC07R5ZX6V25SJJ${String(n).padStart(4, "0")}`;
const block = (n: number) => `blocks/${ulid(n)}.tar.zst`;
const COMPANIONS = `companions/${"a".repeat(64)}.tar.zst`;
const nameOf = (n: number) => `202601${String(n).padStart(2, "0")}T020000Z`;

interface Backup {
  blocks: number[];
  lost?: number[];
  archived?: boolean;
}

/** The repository as it should be, by number of the backup. */
let backups: Map<number, Backup>;

function put(n: number, backup: Backup): void {
  backups.set(n, backup);
  const name = nameOf(n);
  const { blocks, lost = [], archived = false } = backup;
  const startedAt = `2026-01-${String(n).padStart(2, "0")}T02:00:00Z`;
  const stored = (object: string) => ({ object, objectBytes: 5, objectSha256: "0".repeat(64) });
  const entries = archived
    ? blocks.map(number => blockEntry(ulid(number), { object: null, objectBytes: 0, objectSha256: null }))
    : [
        ...blocks.map(number => blockEntry(ulid(number))),
        blockEntry(ulid(9000 + n), { object: `heads/${name}.tar.zst`, head: true }),
      ];
  const manifest = wholeManifest(name, {
    layout: archived ? "archive" : "blocks",
    companions: [{ path: "/unit.txt", ...stored(COMPANIONS) }],
    archive: archived ? { ...stored(archiveOf(n)), compression: "gzip", root: "snapshot" } : null,
    blocks: entries,
    lost: lost.map(number => blockEntry(ulid(number))),
    coverage: { oldestSample: startedAt, newestSample: startedAt, head: true },
    totals: { sizeBytes: 5, sentBytes: 5 },
  });
  write(`backups/${name}.json`, sealed(manifest));
  needs(n, backup).forEach(object => write(object, "block"));
}

const archiveOf = (n: number) => `archives/prometheus-backup-202601${String(n).padStart(2, "0")}-020000.tar.gz`;

function needs(n: number, { blocks, archived = false }: Backup): string[] {
  return archived ? [COMPANIONS, archiveOf(n)] : [COMPANIONS, ...blocks.map(block), `heads/${nameOf(n)}.tar.zst`];
}

function write(object: string, content: string): void {
  const file = at(`repository/prom-1/${object}`);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  fs.utimesSync(file, OLD, OLD);
}

function remove(object: string): void {
  fs.rmSync(at(`repository/prom-1/${object}`));
}

function forget(n: number): void {
  backups.delete(n);
  remove(`backups/${nameOf(n)}.json`);
}

function listed(): string[] {
  return ["blocks", "heads", "archives", "companions"].flatMap(folder => {
    const directory = at(`repository/prom-1/${folder}`);
    return fs.existsSync(directory) ? fs.readdirSync(directory).map(name => `${folder}/${name}`) : [];
  });
}

interface Said {
  complete: Record<string, boolean>;
  remove: string[];
  objects: string[];
  blocked: boolean;
}

/** What the manifests alone say: which of the newest are kept, and what no kept one names. */
function expected(keepLast: number): Said {
  const there = new Set(listed());
  const numbers = [...backups.keys()].sort((a, b) => a - b);
  const lost = backups.get(numbers.at(-1) ?? 0)?.lost ?? [];
  const holdsLost = (n: number) => backups.get(n)?.blocks.some(number => lost.includes(number));
  const kept = numbers.filter((n, index) => index >= numbers.length - keepLast || holdsLost(n));
  const needed = new Set(kept.flatMap(n => needs(n, backups.get(n) as Backup)));
  return {
    complete: Object.fromEntries(
      numbers.map(n => [nameOf(n), needs(n, backups.get(n) as Backup).every(object => there.has(object))]),
    ),
    remove: numbers.filter(n => !kept.includes(n)).map(nameOf),
    objects: [...there].filter(object => !needed.has(object)).sort(),
    blocked: false,
  };
}

interface Plan {
  remove: { name: string }[];
  objects: { object: string }[];
  blocked: boolean;
}

/** What a list and retention on this machine say. */
function look(keepLast: number, more = ""): Said {
  const { code, stdout, stderr } = shell.run(
    `HOST_NAME=prom-1 STATE_DIR="$PWD/state" COMMAND=list CONFIG_FILE=/dev/null KEEP_LAST=${keepLast} KEEP_MINIMUM=1
    REPOSITORY_NAMES=(local) REPOSITORY_TYPES=(path) REPOSITORY_LOCATIONS=("$PWD/repository")
    load_metrics() { :; }; ${more}
    command_list --json | jq --compact-output 'map({(.name): (.complete and (.damaged | not))}) | add // {}'
    select_repository 0; repository_list; plan_prune "$SCRATCH/plan"; tail -n 1 "$SCRATCH/plan"`,
  );
  expect([code, stderr]).toEqual([0, ""]);
  const [complete = "", plan = ""] = stdout.trimEnd().split("\n");
  const { remove, objects, blocked } = JSON.parse(plan) as Plan;
  return {
    complete: JSON.parse(complete) as Said["complete"],
    remove: remove.map(({ name }) => name),
    objects: objects.map(({ object }) => object).sort(),
    blocked,
  };
}

const cache = () => at("state/cache/summaries-4/local.prom-1");
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

beforeEach(() => {
  backups = new Map();
  for (const name of ["repository", "state"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name), { recursive: true });
  }
  range(1, 6).forEach(n => put(n, { blocks: range(n, n + 9) }));
});

slowTest("what may go is exactly what no kept backup names, whatever came and went since the last look", () => {
  expect(look(3)).toEqual(expected(3));
  put(9, { blocks: [2, 11, ...range(14, 20)] });
  put(7, { blocks: range(40, 42) });
  forget(2);
  write(block(77), "nobody's");
  expect(look(3)).toEqual(expected(3));
  // In the middle of what is known, without a common block, and an archive.
  put(2, { blocks: [1, 3, 5, 70] });
  put(8, { blocks: range(8, 12), archived: true });
  forget(9);
  remove(block(41));
  expect(look(2)).toEqual(expected(2));
  [1, 3, 4, 5, 6].forEach(forget);
  put(12, { blocks: range(10, 12) });
  expect(look(1)).toEqual(expected(1));
  expect(look(9)).toEqual(expected(9));
});

test("a backup that holds what the newest one calls lost stays, also as an archive", () => {
  put(3, { blocks: range(3, 12), archived: true });
  put(10, { blocks: range(13, 20), lost: [1, 12] });
  const plan = look(1);
  expect(plan).toEqual(expected(1));
  expect(plan.remove).toEqual([nameOf(2)]);
});

slowTest("short forms that were damaged on this host's disk decide nothing: the manifests are read again", () => {
  const good = look(3);
  const text = fs.readFileSync(cache(), "utf8");
  const lines = text.trimEnd().split("\n");
  const without = (pattern: RegExp) => lines.filter(line => !pattern.test(line)).join("\n");
  const renumbered = text.replace(/^#b4\t/m, "#b400000000\t");
  const unreadable = [text.replaceAll('"objects":"b', '"objects":"x'), text.replaceAll("\t5\t", "\t\t")];
  const shorter = ["", text.slice(0, text.length >> 1), without(/^#b3\t/), without(/^#b/)];
  for (const damaged of [...shorter, renumbered, ...unreadable]) {
    fs.writeFileSync(cache(), damaged);
    expect(look(3)).toEqual(good);
  }
});

test("with one damaged manifest no object may go, and a list shows it as damaged", () => {
  write(`backups/${nameOf(2)}.json`, "{}");
  expect(look(3)).toMatchObject({ objects: [], blocked: true, complete: { [nameOf(1)]: true, [nameOf(2)]: false } });
  // Its digest says so, which a list does not compare.
  const file = at(`repository/prom-1/backups/${nameOf(2)}.json`);
  put(2, { blocks: range(2, 11) });
  fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("prom-1", "prom-2"));
  expect(look(3)).toMatchObject({ objects: [], blocked: true, complete: { [nameOf(2)]: true } });
});

slowTest("a year of backups that share a thousand blocks takes a line each", () => {
  range(7, 28).forEach(n => put(n, { blocks: range(n, n + 300) }));
  const known = look(28);
  expect(known).toEqual(expected(28));
  const rows = fs
    .readFileSync(cache(), "utf8")
    .split("\n")
    .filter(line => line.startsWith("2026"));
  const lengths = rows.map(row => /"objects":"([^"]*)"/.exec(row)?.[1]?.length ?? 99);
  expect(lengths.filter(length => length > 20)).toEqual([]);
  // Only what is new is read.
  expect(look(28, "summarize_checked() { exit 99; }; summarize_quick() { exit 99; }")).toEqual(known);
});
