// One day's backup, against what people do today and against the limit, on a server of two weeks.
import { rmSync } from "node:fs";
import path from "node:path";
import type { Aged } from "../aged";
import { interleave, measure, sumOf, type Measured } from "../measure";
import { Peers, type Sent } from "../peers";
import { megabytes, ratio, report, seconds, type Cell, type Table } from "../results";
import { Site } from "../site";

export async function daily(aged: Aged, directory: string, runs: number): Promise<void> {
  const site = new Site(path.join(directory, "site"), aged.server.url);
  const peers = new Peers(directory);
  const first = await site.command(["run"]);
  await peers.snapshot(aged.server, aged.data);
  await peers.first();
  const holds: Measured[] = [];
  // Cron calls it every hour: once with a new block, once without.
  await aged.nextDay(async () => void holds.push(await site.command(["hold"]), await site.command(["hold"])));
  const bringBackHeld = site.keepHeld(aged.data);
  site.moveTo(aged.server.url);
  await peers.snapshot(aged.server, aged.data);

  const backups = await backupRows(aged, site, peers, runs, bringBackHeld);
  const hold = sumOf(holds);
  await site.command(["run"]);
  const nothing = await nothingNew(site, runs);
  report("daily", [backupTable(backups, hold, aged.sizeText), nothingTable(nothing, first)], {
    ...Object.fromEntries(Object.entries(backups).flatMap(([name, row]) => [[`${name}Cpu`, row.cpu], [`${name}Wall`, row.wall], [`${name}Bytes`, row.bytes]])),
    oursCpu: backups.ours.cpu + hold.cpu,
  });
}

const WAYS = {
  ours: "prometheus-backup",
  withoutHead: "prometheus-backup with `skipHead`",
  withoutHold: "prometheus-backup with `holdBlocks: false`",
  limit: "limit: the day's twelve level-1 blocks, `tar \\| zstd -3`, sha256",
  restic: "restic, stable path, `--ignore-ctime`",
  rclone: "`rclone sync` of the snapshot",
  course: "course: `tar -czf` of the snapshot",
};

async function backupRows(aged: Aged, site: Site, peers: Peers, runs: number, bringBackHeld: () => void): Promise<Record<keyof typeof WAYS, Sent>> {
  const bytes: Record<string, number> = {};
  const note = (name: string, sent: Sent): Sent => {
    bytes[name] = sent.bytes;
    return sent;
  };
  const ours = async (name: string, settings: Record<string, string>, held = true): Promise<Sent> => {
    bringBackHeld();
    if (!held) {
      rmSync(path.join(aged.data, "prometheus-backup-held"), { recursive: true });
    }
    const measured = await site.command(["run"], settings);
    const sent = note(name, { ...measured, bytes: site.manifest().totals.sentBytes });
    site.undoNewest();
    return sent;
  };
  const measured = await interleave(runs, {
    ours: () => ours("ours", {}),
    limit: async () => note("limit", await peers.limit(aged.raw, aged.dayBlocks)),
    withoutHead: () => ours("withoutHead", { SKIP_HEAD: "true" }),
    withoutHold: () => ours("withoutHold", {}, false),
    restic: async () => note("restic", await peers.restic()),
    rclone: async () => note("rclone", await peers.rclone()),
  });
  const course = await peers.course();
  const row = (name: keyof typeof measured): Sent => ({ ...measured[name], bytes: bytes[name] ?? 0 });
  return { ours: row("ours"), withoutHead: row("withoutHead"), withoutHold: row("withoutHold"), limit: row("limit"), restic: row("restic"), rclone: row("rclone"), course };
}

function backupTable(rows: Record<keyof typeof WAYS, Sent>, hold: Measured, size: string): Table {
  const cpu = rows.ours.cpu + hold.cpu;
  return {
    title: `One day's backup of ${size}`,
    columns: ["way", "wall s", "CPU s", "MB sent", "peak memory MB", "CPU, ours with holds / it", "wall, ours / it", "CPU, it / ours with holds", "bytes, it / ours"],
    rows: [...(Object.keys(WAYS) as (keyof typeof WAYS)[]).map((name): Cell[] => {
      const row = rows[name];
      return [
        WAYS[name], seconds(row.wall), seconds(row.cpu), megabytes(row.bytes), megabytes(row.memory),
        ratio(cpu, row.cpu), ratio(rows.ours.wall, row.wall), ratio(row.cpu, cpu), ratio(row.bytes, rows.ours.bytes),
      ];
    }), ["the day's 24 calls of `hold`", hold.wall.toFixed(2), hold.cpu.toFixed(2), "", megabytes(hold.memory), "", "", "", ""]],
  };
}

async function nothingNew(site: Site, runs: number): Promise<Record<"withoutHead" | "bash", Measured>> {
  await site.command(["run"], { SKIP_HEAD: "true" });
  return interleave(runs, { withoutHead: () => site.command(["run"], { SKIP_HEAD: "true" }), bash: () => measure(["bash", "-c", "jq -n 1"]) });
}

function nothingTable(nothing: Record<"withoutHead" | "bash", Measured>, first: Measured): Table {
  return {
    title: "Other runs",
    columns: ["run", "wall s", "CPU s", "peak memory MB"],
    rows: [
      ["nothing new (`skipHead`), repository on a path", seconds(nothing.withoutHead.wall), seconds(nothing.withoutHead.cpu), megabytes(nothing.withoutHead.memory)],
      ["for scale: one start of bash and jq", nothing.bash.wall.toFixed(2), nothing.bash.cpu.toFixed(2), megabytes(nothing.bash.memory)],
      ["the first backup, everything", seconds(first.wall), seconds(first.cpu), megabytes(first.memory)],
    ],
  };
}
