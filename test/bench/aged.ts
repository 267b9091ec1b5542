// A server that has run for some weeks, at 02:45 of a day: its blocks compacted by itself to 2, 6 and 18 hours, as one
// with 15 days of retention has them, and the newest hours in its head.
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { startFeeder, writeBlocks, type Shape } from "./historyMaker";
import { startServer, waitUntilCompacted, type Server } from "./server";
import { megabytes } from "./results";
import { blocksOf, bytesOf, fresh, linkBlocks } from "./site";
import { readIfThere, step } from "../tools/cache";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BLOCKS_A_DAY = 12;
// What a server with 15 days of retention derives.
const LARGEST_RANGE = "36h";
const STATE = "aged.json";

export class Aged {
  readonly data: string;
  /** Two-hour blocks as they were before compaction: only those of the last day. */
  readonly raw: string;
  private running: Server | undefined;

  private constructor(
    readonly directory: string,
    private readonly shape: Shape,
    private today: number,
  ) {
    this.data = path.join(directory, "data");
    this.raw = path.join(directory, "raw");
  }

  /** Made anew, unless the directory holds one from an earlier call: then that one is started as it was left. */
  static async at(directory: string, days: number, series: number): Promise<Aged> {
    const left = readIfThere(path.join(directory, STATE));
    if (left !== "") {
      const { start, today, ...shape } = JSON.parse(left) as { series: number; start: number; today: number };
      const aged = new Aged(directory, { ...shape, start: new Date(start) }, today);
      aged.running = await startServer(aged.data, { compactUpTo: LARGEST_RANGE });
      return aged;
    }
    // It ends yesterday, so that nothing lies in the future, whatever the time of day.
    const today = Math.floor(Date.now() / DAY) * DAY - 2 * DAY;
    const aged = new Aged(directory, { series, start: new Date(today - days * DAY) }, today);
    fresh(aged.data);
    await writeBlocks(fresh(aged.raw), aged.shape, aged.shape.start, new Date(today));
    await aged.wakeUp();
    return aged;
  }

  get server(): Server {
    if (this.running === undefined) {
      throw new Error("the server is stopped");
    }
    return this.running;
  }

  /**
   * The next day at 02:45. Afterwards `raw` holds this day's twelve blocks. `onBlock` is called whenever one of them
   * has come to those of the server, which merges them only after the last one.
   */
  async nextDay(onBlock: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.stop();
    ["wal", "wbl", "chunks_head"].forEach(name => rmSync(path.join(this.data, name), { recursive: true, force: true }));
    const from = this.today;
    this.today += DAY;
    await writeBlocks(fresh(this.raw), this.shape, new Date(from), new Date(this.today));
    for (const block of blocksOf(this.raw)) {
      linkBlocks(this.raw, [block], this.data);
      await onBlock();
    }
    await this.wakeUp();
  }

  /** The day's level-1 blocks, in `raw`. */
  get dayBlocks(): string[] {
    return blocksOf(this.raw).slice(-BLOCKS_A_DAY);
  }

  /** What it holds, the head left out: "5161 MB in 24 blocks". */
  get sizeText(): string {
    const blocks = blocksOf(this.data);
    return `${megabytes(bytesOf(...blocks.map(name => path.join(this.data, name))))} MB in ${blocks.length} blocks`;
  }

  private async wakeUp(): Promise<void> {
    const there = new Set(blocksOf(this.data));
    linkBlocks(
      this.raw,
      blocksOf(this.raw).filter(block => !there.has(block)),
      this.data,
    );
    const server = await startServer(this.data, { compactUpTo: LARGEST_RANGE });
    this.running = server;
    const feeder = await startFeeder(server.url, this.shape, new Date(this.today));
    await step("feeding the head", () => feeder.until(new Date(this.today + 2.75 * HOUR)));
    feeder.end();
    await step("waiting for the compaction", () => waitUntilCompacted(server, this.data));
    writeFileSync(
      path.join(this.directory, STATE),
      JSON.stringify({ series: this.shape.series, start: this.shape.start.getTime(), today: this.today }),
    );
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
  }
}
