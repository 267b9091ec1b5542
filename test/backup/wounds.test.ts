// What a backup says of a block is what its object holds, and what is damaged on the live disk, or lost from it, is
// told.
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sealed } from "../tools/manifest";
import { slowTest, variants } from "../runner/pace";
import { DataDirectory } from "./dataDirectory";

let data: DataDirectory;

beforeEach(() => {
  data = new DataDirectory();
});
afterEach(() => data.shell.remove());

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const hollow = (name: string) => data.put(name, Buffer.alloc(fs.statSync(data.at(name)).size));
const shorten = (name: string, by: number) => fs.truncateSync(data.at(name), fs.statSync(data.at(name)).size - by);

/** Ways to spoil a live block, what is said of it, and whether its samples can still be read. */
const WAYS: [(block: string) => void, string, boolean][] = [
  [block => data.remove(`${block}/chunks`), "its chunks are missing or empty", false],
  [block => data.put(`${block}/chunks/000001`, ""), "its chunks are missing or empty", false],
  [
    block => fs.renameSync(data.at(`${block}/chunks/000001`), data.at(`${block}/chunks/000002`)),
    "its chunks are not whole",
    false,
  ],
  [block => data.remove(`${block}/index`), "its index is missing or empty", false],
  [block => data.put(`${block}/index`, ""), "its index is missing or empty", false],
  // What a file system leaves that lost power: the size, and zeros, or a part.
  [block => hollow(`${block}/index`), "its index does not hold what Prometheus writes there", false],
  [block => hollow(`${block}/chunks/000001`), "its chunks/000001 does not hold what Prometheus writes there", false],
  [block => shorten(`${block}/index`, 10), "its index does not hold what Prometheus writes there", false],
  [block => shorten(`${block}/chunks/000001`, 30), "its chunks/000001 does not hold what", false],
  [block => data.remove(`${block}/meta.json`), "its meta.json is missing or not readable", false],
  [block => fs.truncateSync(data.at(`${block}/meta.json`), 40), "its meta.json is missing or not readable", false],
  [block => data.remove(`${block}/tombstones`), "its tombstones are missing", true],
  [block => data.put(`${block}/tombstones`, Buffer.alloc(9)), "its tombstones are not readable", true],
];
/** What only a comparison with the backup shows. */
const CHANGES: typeof WAYS = [
  [block => fs.truncateSync(data.at(`${block}/chunks/000001`), 12), "its files have ", false],
  [
    block =>
      data.put(
        `${block}/meta.json`,
        fs.readFileSync(data.at(`${block}/meta.json`), "utf8").replace('"numSamples":100', '"numSamples":1'),
      ),
    "its meta.json is not what was backed up",
    false,
  ],
];

test("F31: a stored block that is damaged is told, and taken from the repository as it was, however often", () => {
  const ways = [...WAYS, ...CHANGES];
  const blocks = numbers(1, ways.length + 3).map(n => data.block(n));
  expect(data.call("run").code).toBe(0);
  const before = data.manifest();
  // Deleted series change a block in place, which is no damage.
  data.block(ways.length + 1, { numTombstones: 3 });
  ways.forEach(([spoil], index) => spoil(`data/${blocks[index]}`));
  for (const run of [1, 2]) {
    const { code, stderr } = data.call("run");
    const manifest = data.manifest();
    expect(
      [code, manifest.totals.samples, manifest.lacks, manifest.lost, manifest.suspect],
      `${run}: ${stderr}`,
    ).toEqual([9, before.totals.samples, [], [], null]);
    expect(manifest.blocks.filter(({ numTombstones }) => numTombstones === 0)).toEqual(
      before.blocks.filter(({ ulid }) => ulid !== blocks[ways.length]),
    );
    expect(manifest.blocks.find(({ numTombstones }) => numTombstones === 3)).toMatchObject({
      ulid: blocks[ways.length],
      meta: { stats: { numTombstones: 3 } },
      tombstones: fs.readFileSync(data.at(`data/${blocks[ways.length]}/tombstones`)).toString("base64"),
    });
    ways.forEach(([, reason], index) =>
      expect(stderr).toMatch(new RegExp(`warning: block ${blocks[index]}.* of the server is damaged: ${reason}`)),
    );
    expect(stderr).toContain(`blocks of the server: ${ways.length} damaged (above)`);
    expect([
      data.metric("damaged_blocks"),
      data.metric("lost_blocks"),
      data.metric("last_exit_code"),
      data.metric("suspect"),
    ]).toEqual([String(ways.length), "0", "9", "0"]);
  }
  // check, status and heal find what the run has found.
  const { stdout: checked } = data.call("check");
  ways.forEach(([, reason], index) =>
    expect(checked).toMatch(new RegExp(`✘ data directory .*block ${blocks[index]} [^;]*is damaged: ${reason}`)),
  );
  const { stdout } = data.call("status");
  ways.forEach(([, reason], index) => expect(stdout).toContain(`  DAMAGED     block ${blocks[index]}: ${reason}`));
  const healed = data.heal();
  expect(healed.wounds.map(line => line.slice(0, 26)).sort()).toEqual(blocks.slice(0, ways.length));
  expect([healed.chosen, healed.hopeless]).toEqual([blocks.slice(0, ways.length), []]);
});

test.each(variants(["blocks"], ["archive"]))(
  "a new block that is damaged is told; a backup of format %s is made of the others and says what it lacks",
  format => {
    data.configure({ FORMAT: format });
    const blocks = numbers(1, WAYS.length + 1).map(n => data.block(n));
    WAYS.forEach(([spoil], index) => spoil(`data/${blocks[index]}`));
    const { code, stderr } = data.call("run");
    const manifest = data.manifest();
    const lacking = blocks.filter((_, index) => WAYS[index]?.[2] === false);
    expect(code, stderr).toBe(9);
    expect(
      manifest.lacks.map(({ ulid, reason }) => [
        ulid,
        WAYS[blocks.indexOf(ulid)]?.[1] === reason.slice(0, WAYS[blocks.indexOf(ulid)]?.[1].length),
      ]),
    ).toEqual(lacking.map(block => [block, true]));
    expect(manifest.blocks.map(({ ulid }) => ulid)).toEqual(blocks.filter(block => !lacking.includes(block)));
    expect(manifest.coverage.notCovered.map(text => text.slice(6, 32))).toEqual(expect.arrayContaining(lacking));
    expect(manifest.coverage.oldestSample).toBe(
      new Date(manifest.blocks[0]?.minTime ?? 0).toISOString().replace(".000", ""),
    );
    expect(data.metric("damaged_blocks")).toBe(String(WAYS.length));
    if (format === "archive") {
      const { archive } = manifest as unknown as { archive: { object: string } };
      const members = data.shell
        .print(`tar -tzf ${data.at(`repository/prom-1/${archive.object}`)} | cut -d / -f 2 | sort -u | sed '/^$/d'`)
        .split("\n");
      expect(members).toEqual(manifest.blocks.map(({ ulid }) => ulid));
    }
  },
);

/** Backups that are there, oldest first. */
const backups = () =>
  fs
    .readdirSync(data.at("repository/prom-1/backups"))
    .map(name => name.slice(0, 16))
    .sort();
const lost = () => data.manifest().lost.map(({ ulid }) => ulid);

test("F32: a block that vanishes is lost until it is back or may go; retention keeps what holds it, and heal finds it however many backups have come since", () => {
  data.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" });
  const [first = "", gone = "", second = ""] = numbers(1, 6)
    .map(n => data.block(n))
    .slice(0, 3);
  expect(data.call("run").code).toBe(0);
  const [holder = ""] = backups();
  const { object } = data.manifest().blocks.find(({ ulid }) => ulid === gone) ?? { object: "" };
  data.remove(`data/${gone}`);
  data.remove(`data/${second}`);
  const { code, stderr } = data.call("run");
  expect([code, lost(), data.metric("lost_blocks"), data.metric("suspect")], stderr).toEqual([
    9,
    [gone, second],
    "2",
    "0",
  ]);
  expect(stderr).toMatch(
    new RegExp(`warning: block ${gone} \\(.*\\) is lost: the server has it no more.*; backup ${holder} holds it`),
  );
  expect(stderr).toContain(`prometheus-backup.sh run --accept-loss ${gone},${second}`);
  expect(data.manifest().lost[0]).toMatchObject({ backup: holder, object });
  // By the rules the first backup would go.
  data.call("run");
  expect([backups()[0], backups().length, lost()]).toEqual([holder, 2, [gone, second]]);
  expect(data.call("status").stdout).toContain(`  LOST        block ${gone}, held by backup ${holder}`);
  expect(data.call("check").stdout).toMatch(new RegExp(`✘ data directory .*block ${gone} .* is lost`));
  // More backups than anybody reads in full; the newest ones carry what is lost.
  const newest = data.manifest();
  for (let second = 1; second <= 55; second++) {
    const name = new Date(Date.now() + second * 1000).toISOString().replace(/[-:]|\.\d{3}/g, "");
    data.put(`repository/prom-1/backups/${name}.json`, sealed({ ...newest, name }));
  }
  expect(data.heal()).toEqual({ wounds: [], chosen: [gone, second], hopeless: [] });
  backups()
    .filter(name => name > newest.name)
    .forEach(name => data.remove(`repository/prom-1/backups/${name}.json`));

  // One comes back, the other may go.
  data.block(2);
  const accepted = data.call(`run --accept-loss ${second}`);
  expect([accepted.code, lost(), data.manifest().accepted, backups().length], accepted.stderr).toEqual([
    0,
    [],
    [expect.objectContaining({ ulid: second, reason: "accepted" })],
    1,
  ]);
  expect([
    data.call("run").code,
    lost(),
    data.metric("lost_blocks"),
    fs.existsSync(data.at(`repository/prom-1/${object}`)),
  ]).toEqual([0, [], "0", true]);
  expect(data.heal()).toEqual({ wounds: [], chosen: [], hopeless: [] });
  expect(data.manifest().blocks.map(({ ulid }) => ulid)).toContain(first);
  expect(data.call("run --accept-loss everything").code).toBe(2);
});

slowTest("what was merged, expired, dropped for its size or emptied by a deletion is not lost", () => {
  // 90 blocks of two hours: more than a week.
  const old = numbers(1, 6).map(n => data.block(n));
  numbers(30, 40).forEach(n => data.block(n));
  const emptied = data.block(50, { numTombstones: 10 });
  const cleaned = data.block(51, { numTombstones: 3 });
  const vertical = [data.block(60), data.block(61, {}, [60, 61])];
  const deleted = data.block(62);
  expect(data.call("run").code).toBe(0);

  // The oldest go by time, as the retention of now says.
  old.forEach(name => data.remove(`data/${name}`));
  // Merged once, and once more; with the parents named, or only their sources.
  const sources = numbers(30, 35).map(n => `01M7VW2GC07R5ZX6V25SJJ00${n}`);
  numbers(30, 35).forEach(n => data.remove(`data/01M7VW2GC07R5ZX6V25SJJ00${n}`));
  data.block(70, { level: 3, sources, numSamples: 600 }, [30, 36]);
  // Marks for every series: cleaning leaves nothing.
  data.remove(`data/${emptied}`);
  data.remove(`data/${cleaned}`);
  data.block(71, { parents: [cleaned], numSamples: 60 }, [51, 52]);
  // Two that overlap become one.
  vertical.forEach(name => data.remove(`data/${name}`));
  data.block(72, { level: 2, sources: vertical, numSamples: 200 }, [60, 61]);
  // Deleted and cleaned since the last backup: the server has counted the requests.
  data.remove(`data/${deleted}`);
  const answers =
    'api() { API_STATUS=200 API_ERROR="" API_BODY="$SCRATCH/answer"; printf "%s\\n" "process_start_time_seconds 1.7e+09" \'prometheus_http_requests_total{code="204",handler="/api/v1/admin/tsdb/delete_series"} 1\' \'prometheus_http_requests_total{code="204",handler="/api/v1/admin/tsdb/clean_tombstones"} 1\' >"$API_BODY"; }';
  const retention =
    "require_server() { SERVER_VERSION=2.42.0 ADMIN_API=true LISTEN_ADDRESS=127.0.0.1:9090 RETENTION_TIME=7d RETENTION_SIZE=0B CONFIG_IN_FORCE='' WEB_CONFIG=''; }";
  const { code, stderr } = data.call("run", `${answers}; ${retention}`);
  expect([code, lost(), data.manifest().accepted.map(({ ulid, reason }) => [ulid, reason])], stderr).toEqual([
    0,
    [],
    [
      [emptied, "deleted"],
      [deleted, "deleted"],
    ],
  ]);
  expect(data.heal().chosen).not.toContain(deleted);

  // What vanishes after that is lost: the requests were counted before.
  data.remove("data/01M7VW2GC07R5ZX6V25SJJ0036");
  expect([data.call("run", `${answers}; ${retention}`).code, lost()]).toEqual([9, ["01M7VW2GC07R5ZX6V25SJJ0036"]]);
  // A server that is short of space drops the oldest first.
  numbers(37, 40).forEach(n => data.remove(`data/01M7VW2GC07R5ZX6V25SJJ00${n}`));
  data.remove("data/01M7VW2GC07R5ZX6V25SJJ0070");
  expect([data.call("run", `${retention.replace("RETENTION_SIZE=0B", "RETENTION_SIZE=1GB")}`).code, lost()]).toEqual([
    0,
    [],
  ]);
});

slowTest("after the restore of an older backup, what is newer than that is not lost; what is gone of it is", () => {
  const [, gone = ""] = numbers(1, 6).map(n => data.block(n));
  data.call("run");
  const [older = ""] = backups();
  const newer = data.block(7);
  data.call("run");
  data.remove(`data/${newer}`);
  data.remove(`data/${gone}`);
  data.shell.print(`BACKUP=${older} BACKUP_STATE=${data.at("state")} BACKUP_USER="$(id -un)"; note_restored`);
  const { code, stderr } = data.call("run");
  expect([code, lost()], stderr).toEqual([9, [gone]]);
  expect([data.call("run").code, lost()]).toEqual([9, [gone]]);
});

slowTest.each([
  ["that no date can hold", 250_000_000],
  ["of the next week", 200],
] as const)("samples %s stop no backup, are named, and do not pass for fresh ones", (_, end) => {
  data.block(97);
  const late = data.block(98, {}, [98, end]);
  const { code, stderr } = data.call("run");
  const manifest = data.manifest();
  expect(code, stderr).toBe(0);
  const { maxTime, minTime } = manifest.blocks.find(({ ulid }) => ulid === late) ?? { maxTime: 0, minTime: 0 };
  expect(stderr).toMatch(
    new RegExp(`warning: block ${late} of the server holds samples from the future, the newest at ${maxTime - 1} ms`),
  );
  expect(manifest.coverage).toMatchObject({
    future: [{ ulid: late, newestSample: maxTime - 1 }],
    newestSample: new Date(minTime).toISOString().replace(".000", ""),
    gaps: [],
  });
  expect([data.metric("newest_sample_timestamp_seconds"), data.metric("future_blocks")]).toEqual([
    String(minTime / 1000),
    "1",
  ]);
  // Every later run as well, and what shows it.
  expect([data.call("run").code, data.call("show latest").code, data.call("list").code]).toEqual([0, 0, 0]);
  expect(data.call("show latest").stdout).toContain(`  future     block ${late} holds samples up to ${maxTime - 1} ms`);
});
