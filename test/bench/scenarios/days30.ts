// What thirty days of backups send, with a server that cuts and compacts its blocks by itself. The samples of 45 days
// reach it by remote write, as fast as it takes them; time is what their timestamps say, and no clock is changed. It
// backs up every two hours to one repository and daily at 02:00, with a look for blocks to hold every two hours, to
// another.
import { existsSync, renameSync } from "node:fs";
import path from "node:path";
import { sleep, waitUntil } from "../../tools/process";
import { say } from "../../tools/cache";
import { startFeeder, type Shape } from "../historyMaker";
import { measure } from "../measure";
import { megabytes, ratio, report, type Cell } from "../results";
import { startServer, type Server } from "../server";
import { blocksOf, bytesOf, fresh, metaOf, Site } from "../site";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface Days30Options {
  directory: string;
  days: number;
  warmUpDays: number;
  series: number;
}

/** What the backups of one cadence have sent since the first one. */
class Cadence {
  readonly blocksSent: number[] = [];
  headBytes = 0;
  manifestBytes = 0;
  samplesSent = 0;
  /** Samples of all blocks whose ULID was new: what sending every new ULID would send. */
  samplesByUlid = 0;
  samplesInFull = 0;
  private readonly known = new Set<string>();

  constructor(
    readonly name: string,
    readonly limit: number,
    readonly site: Site,
  ) {}

  async run(first: boolean): Promise<void> {
    await this.site.command(["run"]);
    const manifest = this.site.manifest();
    const heads = manifest.blocks.filter(({ head }) => head);
    const fresh = manifest.blocks.filter(({ head, ulid }) => !head && !this.known.has(ulid));
    const covered = manifest.covered.filter(({ ulid }) => !this.known.has(ulid));
    // What was held is not in the snapshot any more.
    const merged = new Set(manifest.covered.flatMap(({ by }) => by));
    const inSnapshot = [...fresh.filter(({ ulid }) => !merged.has(ulid)), ...covered];
    [...fresh, ...covered].forEach(({ ulid }) => this.known.add(ulid));
    if (first) {
      return;
    }
    const bytes = fresh.reduce((sum, block) => sum + block.objectBytes, 0);
    const ofHeads = heads.reduce((sum, block) => sum + block.objectBytes, 0);
    if (bytes + ofHeads !== manifest.totals.sentBytes) {
      throw new Error(
        `${manifest.name}: the manifest says that ${manifest.totals.sentBytes} bytes were sent, its new blocks and head have ${bytes + ofHeads}`,
      );
    }
    const samples = (blocks: { numSamples: number }[]): number =>
      blocks.reduce((sum, { numSamples }) => sum + numSamples, 0);
    this.blocksSent.push(bytes);
    this.headBytes += ofHeads;
    this.manifestBytes += this.site.manifestBytes(`${manifest.name}.json`);
    this.samplesSent += samples(fresh);
    this.samplesByUlid += samples(inSnapshot);
    this.samplesInFull += manifest.totals.samples;
  }

  get bytes(): number {
    return this.blocksSent.reduce((sum, bytes) => sum + bytes, 0);
  }
}

/** The server cuts a block an hour after its end, so at an even hour only the last two hours are left in the head. */
async function waitUntilCut(server: Server, now: number): Promise<void> {
  await waitUntil(
    `the head begins at ${new Date(now - 2 * HOUR).toISOString()}`,
    300,
    async () => (await server.metric("prometheus_tsdb_head_min_time")) >= now - 2 * HOUR,
    50,
  );
  // The rest of the compaction holds the lock that a snapshot takes, so a backup waits for it by itself.
}

const HELD = "prometheus-backup-held";

function hideHeld(data: string): void {
  if (existsSync(path.join(data, HELD))) {
    renameSync(path.join(data, HELD), path.join(data, "hidden"));
  }
}

function bringBackHeld(data: string): void {
  if (existsSync(path.join(data, "hidden"))) {
    renameSync(path.join(data, "hidden"), path.join(data, HELD));
  }
}

export async function days30(options: Days30Options): Promise<void> {
  const data = path.join(fresh(options.directory), "data");
  const start = Math.floor(Date.now() / DAY) * DAY - (options.warmUpDays + options.days + 1) * DAY;
  const shape: Shape = { series: options.series, start: new Date(start) };
  const server = await startServer(fresh(data), { compactUpTo: "36h" });
  const feeder = await startFeeder(server.url, shape, shape.start);
  const often = new Cadence("every 2 h", 1.1, new Site(path.join(options.directory, "often"), server.url));
  const daily = new Cadence("daily at 02:00", 1.3, new Site(path.join(options.directory, "daily"), server.url));
  const began = start + options.warmUpDays * DAY + 2 * HOUR;
  const end = began + options.days * DAY;
  try {
    for (let now = start + 2 * HOUR; now <= end; now += 2 * HOUR) {
      await feeder.until(new Date(now));
      await waitUntilCut(server, now);
      if (now < began) {
        continue;
      }
      hideHeld(data);
      await often.run(now === began);
      // Nobody has two jobs on one server, so one would not know of what the other holds.
      bringBackHeld(data);
      await daily.site.command(["hold"]);
      if (now % DAY === 2 * HOUR) {
        await daily.run(now === began);
        say(
          `day ${(now - began) / DAY} of ${options.days}: ${megabytes(often.bytes)} MB and ${megabytes(daily.bytes)} MB sent`,
        );
      }
      // A backup is named by the second in which it starts.
      await sleep(100);
    }
    // The newest block at an even hour ends two hours ago; so it was when the first backup was made.
    const once = await eachSampleOnce(data, began - 2 * HOUR, end - 2 * HOUR, path.join(options.directory, "once"));
    show([often, daily], once, options);
  } finally {
    feeder.end();
    await server.stop();
  }
}

interface Once {
  samples: number;
  bytes: number;
}

/** The samples of the time, packed as densely as the server ever holds them: in its largest blocks. */
async function eachSampleOnce(data: string, from: number, to: number, scratch: string): Promise<Once> {
  const blocks = blocksOf(data).map(name => metaOf(data, name));
  const level = Math.max(...blocks.map(({ compaction }) => compaction.level));
  const largest = blocks.filter(({ compaction }) => compaction.level === level);
  const pack =
    'set -e; cd "$1"; out=$2; shift 2; for b; do tar -cf - "$b/chunks" "$b/index" | zstd -q -3 >"$out/$b"; done';
  await measure(["bash", "-c", pack, "bash", data, fresh(scratch), ...largest.map(({ ulid }) => ulid)]);
  const density =
    bytesOf(...largest.map(({ ulid }) => path.join(scratch, ulid))) /
    largest.reduce((sum, { stats }) => sum + stats.numSamples, 0);
  // Samples come evenly, so a block that reaches over the edge counts with its part.
  const samples = blocks.reduce((sum, { minTime, maxTime, stats }) => {
    const inside = Math.max(0, Math.min(maxTime, to) - Math.max(minTime, from));
    return sum + (stats.numSamples * inside) / (maxTime - minTime);
  }, 0);
  return { samples, bytes: samples * density };
}

function show(cadences: Cadence[], once: Once, { days, series }: Days30Options): void {
  const rows: Cell[][] = cadences.map(cadence => [
    cadence.name,
    cadence.blocksSent.length,
    megabytes(cadence.bytes),
    `**${ratio(cadence.bytes, once.bytes)}**`,
    `≤ ${cadence.limit.toFixed(2)}`,
    ratio(cadence.samplesSent, once.samples),
    `${megabytes(cadence.headBytes)} (${ratio(cadence.headBytes, once.bytes)})`,
    megabytes(cadence.manifestBytes),
    ratio(cadence.samplesByUlid, once.samples),
    ratio(cadence.samplesInFull, once.samples),
  ]);
  const columns = [
    "backups",
    "runs",
    "blocks sent MB",
    "against each sample once",
    "limit",
    "the same in samples",
    "head blocks MB",
    "manifests MB",
    "by ULID, in samples",
    "full copies, in samples",
  ];
  const figures: Record<string, number | number[]> = { onceBytes: once.bytes };
  ["often", "daily"].forEach((key, index) => {
    const cadence = cadences[index];
    if (cadence !== undefined) {
      figures[`${key}Bytes`] = cadence.bytes;
      figures[`${key}Heads`] = cadence.headBytes;
      figures[`${key}ByUlid`] = cadence.samplesByUlid / once.samples;
      figures[`${key}Full`] = cadence.samplesInFull / once.samples;
      figures[`${key}Sent`] = cadence.blocksSent;
    }
  });
  report(
    "days30",
    [{ title: `${days} days, ${series} series, each sample once: ${megabytes(once.bytes)} MB`, columns, rows }],
    figures,
  );
}
