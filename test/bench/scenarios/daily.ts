// One day's backup, against what people do today and against the limit, on a server of two weeks.
import { rmSync } from "node:fs";
import path from "node:path";
import type { Aged } from "../aged";
import { interleave, measure, measureRounds, median, ratioInRounds, sumOf, type Measured } from "../measure";
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

  const backups = await backupWays(aged, site, peers, runs, bringBackHeld);
  const hold = sumOf(holds);
  await site.command(["run"]);
  const nothing = await nothingNew(site, runs);
  report("daily", [backupTable(backups, hold, aged.sizeText), nothingTable(nothing, first)], {
    ...Object.fromEntries(
      Object.entries(backups).flatMap(([name, sent]) => {
        const { cpu, wall, bytes } = middle(sent);
        return [
          [`${name}Cpu`, cpu],
          [`${name}Wall`, wall],
          [`${name}Bytes`, bytes],
          [`${name}WallRatio`, inRounds(backups.ours, sent, "wall")],
          [`${name}CpuRatio`, inRounds(backups.ours, sent, "cpu")],
        ];
      }),
    ),
    oursCpu: middle(backups.ours).cpu + hold.cpu,
  });
}

/** The middle run by CPU time; what is sent is the same in all of them. */
function middle(runs: Sent[]): Sent {
  return { ...median(runs), bytes: runs[0]?.bytes ?? NaN };
}

const WAYS = {
  ours: "prometheus-backup",
  withoutHead: "prometheus-backup with `skipHead`",
  withoutHold: "prometheus-backup with `holdBlocks: false`",
  lighter: "prometheus-backup with `compressionLevel: 1`",
  limit: "limit: the day's twelve level-1 blocks, `tar \\| zstd -3`, sha256",
  sameLevel: "the same as the limit, with zstd as prometheus-backup calls it",
  restic: "restic, stable path, `--ignore-ctime`",
  rclone: "`rclone sync` of the snapshot",
  course: "course: `tar -czf` of the snapshot",
};

/** What `compress` in scripts/lib/repository/pack.sh passes with the default level. */
const OUR_ZSTD = "-2 -B2M --zstd=ovlog=1,mml=4";

type Backups = Record<keyof typeof WAYS, Sent[]>;

async function backupWays(
  aged: Aged,
  site: Site,
  peers: Peers,
  runs: number,
  bringBackHeld: () => void,
): Promise<Backups> {
  const ours = async (settings: Record<string, string>, held = true): Promise<Sent> => {
    bringBackHeld();
    if (!held) {
      rmSync(path.join(aged.data, "prometheus-backup-held"), { recursive: true });
    }
    const sent = { ...(await site.command(["run"], settings)), bytes: site.manifest().totals.sentBytes };
    site.undoNewest();
    return sent;
  };
  const rounds = await measureRounds(runs, {
    ours: () => ours({}),
    limit: () => peers.limit(aged.raw, aged.dayBlocks),
    sameLevel: () => peers.limit(aged.raw, aged.dayBlocks, OUR_ZSTD),
    withoutHead: () => ours({ SKIP_HEAD: "true" }),
    withoutHold: () => ours({}, false),
    lighter: () => ours({ COMPRESSION_LEVEL: "1" }),
    restic: () => peers.restic(),
    rclone: () => peers.rclone(),
  });
  // Once is enough of minutes.
  return { ...rounds, course: [await peers.course()] };
}

function backupTable(backups: Backups, hold: Measured, size: string): Table {
  const withHolds = backups.ours.map(run => ({ ...run, cpu: run.cpu + hold.cpu }));
  const ours = middle(backups.ours);
  return {
    title: `One day's backup of ${size}`,
    columns: [
      "way",
      "wall s",
      "CPU s",
      "MB sent",
      "peak memory MB",
      "wall, ours / it",
      "CPU, ours / it",
      "CPU, ours with holds / it",
      "bytes, it / ours",
    ],
    rows: [
      ...(Object.keys(WAYS) as (keyof typeof WAYS)[]).map((name): Cell[] => {
        const runs = backups[name];
        const row = middle(runs);
        return [
          WAYS[name],
          seconds(row.wall),
          seconds(row.cpu),
          megabytes(row.bytes),
          megabytes(row.memory),
          inRounds(backups.ours, runs, "wall").toFixed(2),
          inRounds(backups.ours, runs, "cpu").toFixed(2),
          inRounds(withHolds, runs, "cpu").toFixed(2),
          ratio(row.bytes, ours.bytes),
        ];
      }),
      [
        "the day's 24 calls of `hold`",
        hold.wall.toFixed(2),
        hold.cpu.toFixed(2),
        "",
        megabytes(hold.memory),
        "",
        "",
        "",
        "",
      ],
    ],
  };
}

/** Of the same rounds; of the middle run, where the other one ran once. */
function inRounds(ours: Measured[], other: Measured[], of: "wall" | "cpu"): number {
  return other.length === 1 ? ratioInRounds([median(ours)], other, of) : ratioInRounds(ours, other, of);
}

async function nothingNew(site: Site, runs: number): Promise<Record<"withoutHead" | "bash", Measured>> {
  await site.command(["run"], { SKIP_HEAD: "true" });
  return interleave(runs, {
    withoutHead: () => site.command(["run"], { SKIP_HEAD: "true" }),
    bash: () => measure(["bash", "-c", "jq -n 1"]),
  });
}

function nothingTable(nothing: Record<"withoutHead" | "bash", Measured>, first: Measured): Table {
  return {
    title: "Other runs",
    columns: ["run", "wall s", "CPU s", "peak memory MB"],
    rows: [
      [
        "nothing new (`skipHead`), repository on a path",
        seconds(nothing.withoutHead.wall),
        seconds(nothing.withoutHead.cpu),
        megabytes(nothing.withoutHead.memory),
      ],
      [
        "for scale: one start of bash and jq",
        nothing.bash.wall.toFixed(2),
        nothing.bash.cpu.toFixed(2),
        megabytes(nothing.bash.memory),
      ],
      ["the first backup, everything", seconds(first.wall), seconds(first.cpu), megabytes(first.memory)],
    ],
  };
}
