// What is lost is found however long ago: by the list of the repository, not by the newest manifests alone.
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sealed } from "../tools/manifest";
import { slowTest, variants } from "../runner/pace";
import { DataDirectory, ulid, type WoundedManifest } from "./dataDirectory";

let data: DataDirectory;

beforeEach(() => {
  data = new DataDirectory();
});
afterEach(() => data.shell.remove());

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RETENTION = `require_server() {
  SERVER_VERSION=2.42.0 ADMIN_API=true LISTEN_ADDRESS=127.0.0.1:9090 RETENTION_TIME=30d RETENTION_SIZE=0B
  CONFIG_IN_FORCE="" WEB_CONFIG=""
}`;

/** For a test with few backups: so many of the newest manifests are read in full. */
function readInFull(count: number): void {
  const text = fs.readFileSync(data.shell.program, "utf8");
  expect(text).toContain("READ_MANIFESTS=50\n");
  fs.writeFileSync(data.shell.program, text.replace("READ_MANIFESTS=50\n", `READ_MANIFESTS=${count}\n`));
}

/** Rewrites the history of the repository: its only backup becomes one of `days` days ago. Returns its manifest. */
function age(days: number): WoundedManifest {
  const manifest = data.manifest();
  data.remove(`repository/prom-1/backups/${manifest.name}.json`);
  return put(manifest, Date.now() - days * DAY);
}

/** A manifest as it lies there, also of format `archive`. */
type Written = WoundedManifest & { archive: { object: string } | null };

/** Puts a manifest like this one, as of that time. */
function put(manifest: WoundedManifest, at: number, changes: object = {}): WoundedManifest {
  const startedAt = new Date(at).toISOString().replace(/\.\d{3}/, "");
  const made = { ...manifest, name: startedAt.replace(/[-:]/g, ""), startedAt, ...changes } as Written;
  made.totals = { ...made.totals, blocks: made.blocks.length };
  if (made.archive !== null) {
    // Each has its own.
    const object = `archives/prometheus-backup-${made.name.slice(0, 8)}-${made.name.slice(9, 15)}.tar.gz`;
    copyObject(made.archive.object, object);
    made.archive = { ...made.archive, object };
  }
  data.put(`repository/prom-1/backups/${made.name}.json`, sealed(made));
  return made;
}

function copyObject(from: string, to: string): void {
  fs.copyFileSync(data.at(`repository/prom-1/${from}`), data.at(`repository/prom-1/${to}`));
}

/** So many backups since, an hour between them, that say nothing of these blocks. */
function putLater(manifest: WoundedManifest, count: number, without: string[]): void {
  const blocks = manifest.blocks.filter(block => !without.includes(block.ulid));
  for (let index = 1; index <= count; index++) {
    put(manifest, Date.parse(manifest.startedAt) + index * HOUR, { blocks, lost: [], accepted: [] });
  }
}

const forget = () => fs.rmSync(data.at("state/cache"), { recursive: true, force: true });
const lost = () => data.manifest().lost.map(block => block.ulid);

test.each(
  variants<[string, number]>(
    [["blocks", 6]],
    [
      ["blocks", 60],
      ["archive", 6],
    ],
  ),
)(
  "a block that only the oldest of many backups of format %s holds, and that went without a reason, is lost (%i since)",
  (format, since) => {
    if (since < 50) {
      readInFull(3);
    }
    data.configure({ FORMAT: format });
    const [, gone = ""] = [60, 61, 62, 63].map(n => data.block(n));
    expect(data.call("run").code).toBe(0);
    const oldest = age(5);
    putLater(oldest, since, [gone]);
    data.remove(`data/${gone}`);

    const [chosen, hopeless] = format === "blocks" ? [[gone], []] : [[], [gone]];
    expect(data.heal()).toEqual({ wounds: [], chosen, hopeless });
    const { code, stderr } = data.call("run");
    expect([code, lost()], stderr).toEqual([9, [gone]]);
    expect(stderr).toMatch(new RegExp(`warning: block ${gone} \\(.*\\) is lost: .*; backup ${oldest.name} holds it`));
    expect(data.manifest().lost[0]).toMatchObject({ ulid: gone, backup: oldest.name, numSamples: 100 });
  },
);

/** Names of the manifests that are read beside the newest ones. */
function reads(command: "run" | "heal"): string[] {
  const count = `eval "real_$(declare -f older_manifest)"
    older_manifest() { printf "%s\n" "$1" >>${data.at("reads")}; real_older_manifest "$@"; }`;
  fs.rmSync(data.at("reads"), { force: true });
  if (command === "run") {
    expect(data.call("run", count).code).toBe(0);
  } else {
    expect(data.heal(count)).toEqual({ wounds: [], chosen: [], hopeless: [] });
  }
  return fs.existsSync(data.at("reads")) ? fs.readFileSync(data.at("reads"), "utf8").trim().split("\n") : [];
}

slowTest("of many backups few are read to know every block that was ever stored, and none a second time", () => {
  readInFull(3);
  const blocks = Array.from({ length: 60 }, (_, index) => data.block(20 + index));
  expect(data.call("run").code).toBe(0);
  const oldest = age(6);
  // The server's own retention: each backup lacks two more of the oldest, and so does the server.
  forget();
  const prometheus = { ...oldest.prometheus, retentionTime: "16h" };
  for (let index = 1; index < 30; index++) {
    const left = oldest.blocks.slice(2 * index);
    put(oldest, Date.parse(oldest.startedAt) + index * 4 * HOUR, { blocks: left, prometheus });
  }
  blocks.slice(0, 58).forEach(block => data.remove(`data/${block}`));
  const read = reads("run");
  expect(read.length).toBeGreaterThan(0);
  expect(read.length).toBeLessThan(4);
  expect([reads("run"), reads("heal")]).toEqual([[], []]);
});

slowTest("what went with a reason long ago is not lost, though no newer backup shows the reason", () => {
  readInFull(3);
  const keep = data.block(90);
  // Cleaned of deleted samples, which gives it other sources, and then merged; and the same between two backups.
  const [cleaned, rewritten] = [data.block(40), data.block(50)];
  const merged = [data.block(55), data.block(56)];
  const expired = data.block(1);
  const emptied = data.block(60, { numTombstones: 10 });
  // It came after the backup that was restored.
  const newer = data.block(70);
  const accepted = data.block(71);
  expect(data.call("run").code).toBe(0);
  const all = age(7);
  const gone = [cleaned, rewritten, ...merged, expired, emptied, newer, accepted];
  gone.forEach(name => data.remove(`data/${name}`));
  const only = (...names: string[]) => all.blocks.filter(block => names.includes(block.ulid));
  const like = (name: string, n: number, parents: string[]) => {
    copyObject(`blocks/${name}.tar.zst`, `blocks/${ulid(n)}.tar.zst`);
    const compaction = { sources: [ulid(n)], parents: parents.map(parent => ({ ulid: parent })) };
    const object = `blocks/${ulid(n)}.tar.zst`;
    const [block] = only(name);
    const meta = { ulid: ulid(n), minTime: block?.minTime, maxTime: block?.maxTime, compaction };
    return { ...block, ulid: ulid(n), sources: [ulid(n)], meta, object };
  };
  const next = Date.parse(all.startedAt) + 2 * DAY;
  data.remove(`repository/prom-1/backups/${all.name}.json`);
  const first = put(all, next - 2 * DAY, { blocks: all.blocks.filter(block => block.ulid !== newer) });
  put(all, next - DAY);
  const restored = new Date(next - DAY / 2).toISOString().replace(/[-:]|\.\d{3}/g, "");
  data.put("state/restored", `${restored} ${first.name}\n`);
  put(all, next, {
    blocks: [...only(keep, ...merged), like(cleaned, 140, [cleaned]), like(rewritten, 150, [])],
    prometheus: { ...all.prometheus, retentionTime: "2d" },
    accepted: [{ ...only(accepted)[0], reason: "accepted" }],
  });
  data.block(141, { level: 2, sources: [ulid(140), ulid(139)], numSamples: 200 }, [39, 41]);
  data.block(151, { level: 2, sources: [ulid(150), ulid(149)], numSamples: 200 }, [49, 51]);
  data.block(155, { level: 2, sources: merged, numSamples: 200 }, [55, 57]);
  putLater(
    { ...all, startedAt: new Date(next).toISOString() },
    5,
    gone.filter(name => !merged.includes(name)),
  );
  forget();
  const { code, stderr } = data.call("run", RETENTION);
  expect([code, lost()], stderr).toEqual([0, []]);
  expect(data.heal("RETENTION_TIME=30d").hopeless).toEqual([]);
});

test("F32: a loss of which only a damaged backup could tell is not denied", () => {
  readInFull(3);
  const [, gone = ""] = [60, 61, 62].map(n => data.block(n));
  expect(data.call("run").code).toBe(0);
  const oldest = age(5);
  putLater(oldest, 6, [gone]);
  data.remove(`data/${gone}`);
  fs.appendFileSync(data.at(`repository/prom-1/backups/${oldest.name}.json`), "x");
  forget();
  const { code, stderr } = data.shell.run(`CONFIG_FILE=${data.at("settings.conf")}; load_config; open_state
    COMMAND=heal ONLY_REPOSITORY="" QUICK=true RESTORE_HOST=prom-1 RETENTION_TIME=15d RETENTION_SIZE=0B
    DATA_DIRECTORY=${data.at("data")}
    api() { API_STATUS=404 API_BODY=/dev/null API_ERROR=""; }
    resolve_backup latest; find_wounds; heal_verdict`);
  expect([code, stderr]).toEqual([
    8,
    expect.stringContaining(
      "error: nothing is damaged or missing as far as could be read; not read: 1 of 7 backups in local;",
    ),
  ]);
});
