// Peak memory of a first run and of a full restore, at several sizes of the server, with a repository on a path and
// with one in S3, of which only the client's memory counts.
import { rmSync } from "node:fs";
import path from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { startMinio } from "../../servers/minio";
import { writeBlocks, type Shape } from "../historyMaker";
import { proportionalMemory as memoryOf, type Measured } from "../measure";
import { s3Remote } from "../remote";
import { megabytes, report, seconds, type Cell } from "../results";
import { startServer } from "../server";
import { blocksOf, bytesOf, fresh, linkBlocks, Site } from "../site";

const DAY = 24 * 3_600_000;
const BLOCKS_A_DAY = 12;
const BUCKET = "bench";

export async function memory(directory: string, sizes: number[], series: number): Promise<void> {
  const days = Math.max(...sizes);
  const today = Math.floor(Date.now() / DAY) * DAY;
  const shape: Shape = { series, start: new Date(today - days * DAY) };
  const raw = fresh(path.join(directory, "raw"));
  await writeBlocks(raw, shape, shape.start, new Date(today));
  const rows: Cell[][] = [];
  const figures: Record<string, number[]> = { size: [], run: [], restore: [], runToS3: [], restoreFromS3: [] };
  const minio = await startMinio({ bindAddress: "127.0.0.1" });
  await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
  for (const size of sizes) {
    const place = fresh(path.join(directory, String(size)));
    const data = path.join(place, "data");
    linkBlocks(raw, blocksOf(raw).slice(0, size * BLOCKS_A_DAY), data);
    const bytes = bytesOf(data);
    const server = await startServer(data);
    try {
      const onPath = await runAndRestore(new Site(path.join(place, "site"), server.url), path.join(place, "restored"));
      const remote = s3Remote(place, minio.endpoint, minio.root, `${BUCKET}/${size}`);
      const inS3 = await runAndRestore(
        new Site(path.join(place, "remote"), server.url, remote),
        path.join(place, "restored"),
      );
      const memories = [onPath.run, onPath.restore, inS3.run, inS3.restore].map(({ memory }) => memory);
      rows.push([
        megabytes(bytes),
        size * BLOCKS_A_DAY,
        ...memories.map(megabytes),
        seconds(onPath.run.cpu),
        seconds(onPath.restore.cpu),
      ]);
      [bytes, ...memories].forEach((value, index) => Object.values(figures)[index]?.push(value));
    } finally {
      await server.stop();
      rmSync(place, { recursive: true });
    }
  }
  await minio.stop();
  const columns = [
    "TSDB MB",
    "blocks",
    "run MB",
    "restore MB",
    "run to S3 MB",
    "restore from S3 MB",
    "run CPU s",
    "restore CPU s",
  ];
  report("memory", [{ title: "Peak memory, all processes together", columns, rows }], figures);
}

async function runAndRestore(site: Site, target: string): Promise<{ run: Measured; restore: Measured }> {
  const run = await site.command(["run"], {}, { memoryOf });
  const restore = await site.command(["restore", "latest", "--yes", "--target", target], {}, { memoryOf });
  rmSync(target, { recursive: true });
  return { run, restore };
}
