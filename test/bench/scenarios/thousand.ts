// Ninety days that the pool holds as a thousand two-hour blocks: what a server needs to start on them and to compact
// them, against the same data backed up after compaction.
import { rmSync } from "node:fs";
import path from "node:path";
import { say } from "../../tools/cache";
import { writeBlocks, type Shape } from "../historyMaker";
import type { Measured } from "../measure";
import { megabytes, ratio, report, seconds, type Cell } from "../results";
import { startServer, waitUntilCompacted } from "../server";
import { blocksOf, bytesOf, fresh, Site } from "../site";

const DAY = 24 * 3_600_000;
// What a server with 90 days of retention derives: a tenth of it, so 2, 6, 18, 54 and 162 hours.
const LARGEST_RANGE = "216h";

export interface ThousandOptions {
  directory: string;
  days: number;
  series: number;
  runs: number;
}

interface Form {
  name: string;
  blocks: number;
  backup: Measured;
  restore: Measured;
  start: number;
  startCpu: number;
  startMemory: number;
}

/** Backs a directory of blocks up as it is, restores it to `restored` and starts a server on that several times. */
async function measureForm(name: string, data: string, restored: string, place: string, runs: number): Promise<Form> {
  const server = await startServer(data);
  const site = new Site(place, server.url);
  const blocks = blocksOf(data).length;
  try {
    const backup = await site.command(["run"]);
    const restore = await site.command(["restore", "latest", "--yes", "--target", restored]);
    plan(site, name, restore.errors);
    if (blocksOf(restored).length !== blocks) {
      throw new Error(`${blocksOf(restored).length} of ${blocks} blocks were restored`);
    }
    const starts: { start: number; cpu: number; memory: number }[] = [];
    for (let run = 0; run < runs; run++) {
      const started = await startServer(restored);
      starts.push({ start: started.startSeconds, cpu: started.cpu(), memory: started.peakMemory() });
      await started.stop();
    }
    const middle = starts.sort((a, b) => a.start - b.start)[Math.floor(runs / 2)] ?? { start: 0, cpu: 0, memory: 0 };
    return { name, blocks, backup, restore, start: middle.start, startCpu: middle.cpu, startMemory: middle.memory };
  } finally {
    await server.stop();
  }
}

function plan(site: Site, name: string, errors: string): void {
  say(
    `the plan for ${name}, from ${site.directory}:\n${errors
      .split("\n")
      .filter(line => /^ {2}\S+ {2,}\S/.test(line))
      .join("\n")}`,
  );
}

export async function thousand({ directory, days, series, runs }: ThousandOptions): Promise<void> {
  const today = Math.floor(Date.now() / DAY) * DAY;
  const shape: Shape = { series, start: new Date(today - days * DAY) };
  const [data, restored, again] = ["data", "restored", "again"].map(name => fresh(path.join(directory, name))) as [
    string,
    string,
    string,
  ];
  await writeBlocks(data, shape, shape.start, new Date(today));
  const bytes = bytesOf(data);
  const small = await measureForm(
    `${blocksOf(data).length} two-hour blocks`,
    data,
    restored,
    path.join(directory, "small"),
    runs,
  );
  rmSync(data, { recursive: true });
  rmSync(path.join(directory, "small"), { recursive: true });

  const began = performance.now();
  const server = await startServer(restored, { compactUpTo: LARGEST_RANGE });
  await waitUntilCompacted(server, restored);
  const compaction = { wall: (performance.now() - began) / 1000, cpu: server.cpu(), memory: server.peakMemory() };
  await server.stop();

  const large = await measureForm(
    "the same, compacted before the backup",
    restored,
    again,
    path.join(directory, "large"),
    runs,
  );
  const row = (form: Form): Cell[] => [
    form.name,
    form.blocks,
    seconds(form.restore.wall),
    seconds(form.restore.cpu),
    form.start.toFixed(2),
    ratio(form.start, large.start),
    form.startCpu.toFixed(1),
    megabytes(form.startMemory),
  ];
  report(
    "thousand",
    [
      {
        title: `Restore and start of ${days} days, ${megabytes(bytes)} MB`,
        columns: [
          "the backup holds",
          "blocks",
          "restore wall s",
          "restore CPU s",
          "start s",
          "start, against compacted",
          "CPU until ready s",
          "memory until ready MB",
        ],
        rows: [row(small), row(large)],
      },
      {
        title: "Compaction after the start on two-hour blocks",
        columns: ["wall s, the first minute of waiting included", "CPU s", "peak memory MB", "blocks afterwards"],
        rows: [[seconds(compaction.wall), seconds(compaction.cpu), megabytes(compaction.memory), large.blocks]],
      },
    ],
    {
      smallStart: small.start,
      largeStart: large.start,
      compactionCpu: compaction.cpu,
      smallRestore: small.restore.wall,
      largeRestore: large.restore.wall,
    },
  );
}
