// Peak memory of a first run and of a full restore, at several sizes of the server.
import { rmSync } from "node:fs";
import path from "node:path";
import { writeBlocks, type Shape } from "../historyMaker";
import { megabytes, report, seconds, type Cell } from "../results";
import { startServer } from "../server";
import { blocksOf, bytesOf, fresh, linkBlocks, Site } from "../site";

const DAY = 24 * 3_600_000;
const BLOCKS_A_DAY = 12;

export async function memory(directory: string, sizes: number[], series: number): Promise<void> {
  const days = Math.max(...sizes);
  const today = Math.floor(Date.now() / DAY) * DAY;
  const shape: Shape = { series, start: new Date(today - days * DAY) };
  const raw = fresh(path.join(directory, "raw"));
  await writeBlocks(raw, shape, shape.start, new Date(today));
  const rows: Cell[][] = [];
  const figures: Record<string, number[]> = { size: [], run: [], restore: [] };
  for (const size of sizes) {
    const place = fresh(path.join(directory, String(size)));
    const data = path.join(place, "data");
    linkBlocks(raw, blocksOf(raw).slice(0, size * BLOCKS_A_DAY), data);
    const bytes = bytesOf(data);
    const server = await startServer(data);
    try {
      const site = new Site(path.join(place, "site"), server.url);
      const run = await site.command(["run"]);
      const restore = await site.command(["restore", "latest", "--yes", "--target", path.join(place, "restored")]);
      rows.push([megabytes(bytes), size * BLOCKS_A_DAY, megabytes(run.memory), megabytes(restore.memory), seconds(run.cpu), seconds(restore.cpu)]);
      [bytes, run.memory, restore.memory].forEach((value, index) => Object.values(figures)[index]?.push(value));
    } finally {
      await server.stop();
      rmSync(place, { recursive: true });
    }
  }
  report("memory", [{ title: "Peak memory, all processes together", columns: ["TSDB MB", "blocks", "run MB", "restore MB", "run CPU s", "restore CPU s"], rows }], figures);
}
