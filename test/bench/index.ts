/**
 * `npm run bench -- [--data DIR] [--days N] [--runs N]`: one day's backup and a full restore against what people do today and
 * against the limit, on the same data in one run. Prints a table of ratios; absolute times belong to this machine.
 * `--data` takes a directory of blocks (it is only read by linking); without it, a history is made first.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ensureHistoryMaker } from "./historyMaker";
import { measure, median, type Measured } from "./measure";
import { blocksOf, bytesOf, holdBack, makeSite, startServer, stopServer, undoNewest, type Site } from "./site";

const BLOCKS_A_DAY = 12;
const PORT = 19490;

interface Row extends Measured {
  name: string;
  bytes: number;
}

/** The limit: the day's blocks through tar and zstd, each with a checksum, straight to their files. */
const LIMIT = `set -e; cd "$1"; out=$2; shift 2; for b; do tar -cf - "$b/chunks" "$b/index" | zstd -q -3 -T0 | tee "$out/$b.tar.zst" | openssl dgst -sha256 >/dev/null; done; sync -f "$out"`;
const COURSE = `set -e; tar -czf "$2/course.tar.gz" -C "$1" .; sync -f "$2"`;
const RESTORE = `set -e; cd "$2"; ls "$1"/blocks/*.zst | xargs -P 2 -I{} sh -c 'zstd -dcq {} | tar -x'; sync -f .`;

async function repeat(runs: number, once: () => Promise<Measured>): Promise<Measured> {
  const all: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    all.push(await once());
  }
  return median(all);
}

function fresh(directory: string): string {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** The backup of the day before: the server has not yet got the newest blocks. */
async function firstBackup(site: Site): Promise<void> {
  const bringBack = holdBack(site, BLOCKS_A_DAY);
  const server = await startServer(site, PORT);
  try {
    await measure([site.program, "run"], site.environment);
  } finally {
    await stopServer(server);
    bringBack();
  }
}

/** One day's backup, ours and the others', on the data of a server that runs. */
async function backupRows(site: Site, runs: number): Promise<Row[]> {
  const day = site.blocks.slice(-BLOCKS_A_DAY);
  const sent = day.map(name => `blocks/${name}.tar.zst`);
  const out = path.join(site.directory, "out");
  const rows: Row[] = [];
  const ours = await repeat(runs, async () => {
    const result = await measure([site.program, "run"], site.environment);
    rows.length = 0;
    rows.push({ name: "prometheus-backup, one day", ...result, bytes: bytesOf(...sent.map(object => path.join(site.repository, "bench", object))) });
    undoNewest(site, sent);
    return result;
  });
  Object.assign(rows[0] ?? {}, ours);
  const limit = await repeat(runs, () => measure(["bash", "-c", LIMIT, "bash", site.data, fresh(out), ...day]));
  rows.push({ name: "limit: the day's blocks, tar | zstd -3, sha256", ...limit, bytes: bytesOf(out) });
  const course = await measure(["bash", "-c", COURSE, "bash", site.data, fresh(out)]);
  rows.push({ name: "course: tar -czf of the whole snapshot", ...course, bytes: bytesOf(out) });
  rmSync(out, { recursive: true });
  await measure([site.program, "run"], site.environment);
  const nothing = await measure([site.program, "run"], site.environment);
  rows.push({ name: "prometheus-backup, nothing new", ...nothing, bytes: 0 });
  return rows;
}

/** A restore of everything into an empty directory, ours and plain tar's, of the same objects. */
async function restoreRows(site: Site, runs: number): Promise<Row[]> {
  const target = path.join(site.directory, "restored");
  const bytes = bytesOf(path.join(site.repository, "bench", "blocks"));
  const plain = await repeat(runs, () => measure(["bash", "-c", RESTORE, "bash", path.join(site.repository, "bench"), fresh(target)]));
  const ours = await repeat(runs, () => {
    fresh(target);
    return measure([site.program, "restore", "latest", "--yes", "--target", target], site.environment);
  });
  const restored = blocksOf(target).length;
  if (restored !== site.blocks.length) {
    throw new Error(`the restore brought ${restored} of ${site.blocks.length} blocks back`);
  }
  return [
    { name: "prometheus-backup, full restore", ...ours, bytes },
    { name: "plain: zstd -dc | tar -x of the same objects, 2 at a time", ...plain, bytes },
  ];
}

function print(title: string, rows: Row[]): void {
  console.log(`\n${title}\n`);
  console.log("| | wall s | CPU s | MB | peak memory MB | wall, ours / it | CPU, ours / it | bytes, it / ours |");
  console.log("|---|---|---|---|---|---|---|---|");
  const ours = rows[0];
  for (const row of rows) {
    const ratio = (a: number, b: number): string => (b === 0 ? "–" : (a / b).toFixed(2));
    console.log(
      `| ${row.name} | ${row.wall.toFixed(1)} | ${row.cpu.toFixed(1)} | ${(row.bytes / 1e6).toFixed(0)} | ${(row.memory / 1e6).toFixed(0)} ` +
        `| ${ratio(ours?.wall ?? 0, row.wall)} | ${ratio(ours?.cpu ?? 0, row.cpu)} | ${ratio(row.bytes, ours?.bytes ?? 0)} |`,
    );
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { data: { type: "string" }, days: { type: "string", default: "2" }, runs: { type: "string", default: "3" } } });
  const directory = mkdtempSync(path.join(values.data === undefined ? tmpdir() : path.dirname(path.resolve(values.data)), "prometheus-backup-bench-"));
  const data = path.join(directory, "data");
  try {
    if (values.data === undefined) {
      console.log(`making ${values.days} days of history`);
      execFileSync(await ensureHistoryMaker(), ["--out", data, "--hours", String(Number(values.days) * 24)], { stdio: "ignore" });
    } else {
      mkdirSync(data);
      blocksOf(values.data).forEach(name => execFileSync("cp", ["--archive", "--link", path.join(values.data ?? "", name), data]));
    }
    const site = makeSite(directory, data, PORT);
    if (site.blocks.length < 2 * BLOCKS_A_DAY) {
      throw new Error(`${site.blocks.length} blocks are too few; at least ${2 * BLOCKS_A_DAY} are needed, a day to start from and a day to send`);
    }
    console.log(`${site.blocks.length} blocks, ${(bytesOf(data) / 1e6).toFixed(0)} MB`);
    await firstBackup(site);
    const server = await startServer(site, PORT);
    try {
      print("One day's backup", await backupRows(site, Number(values.runs)));
      print("Full restore", await restoreRows(site, Number(values.runs)));
    } finally {
      await stopServer(server);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
