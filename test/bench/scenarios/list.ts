// `list` of many backups and a run with nothing new, on a path and on an S3 server of this machine, with the requests
// that reach it. The backups are copies of one real manifest under earlier names, with digests of their own; the last
// two are runs.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { startMinio } from "../../servers/minio";
import { startS3Proxy, type S3Proxy } from "../../servers/s3Proxy";
import { writeBlocks, type Shape } from "../historyMaker";
import { packed, unpacked } from "../../tools/manifest";
import { runOrThrow } from "../../tools/process";
import type { Measured } from "../measure";
import { report, type Cell } from "../results";
import { s3Remote } from "../remote";
import { startServer } from "../server";
import { fresh, Site } from "../site";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BUCKET = "bench";

/** Adds manifests of the same blocks, one every two hours back in time, until there are `count`. */
function multiply(site: Site, count: number): void {
  const original = site.backups().at(-1) ?? "";
  const text = unpacked(site.object(`backups/${original}`));
  const newest = Date.parse((JSON.parse(text) as { startedAt: string }).startedAt);
  const times = Array.from(
    { length: count - 1 },
    (_, number) => `${new Date(newest - (number + 1) * 2 * HOUR).toISOString().slice(0, 19)}Z`,
  );
  const filter =
    'del(.digest) as $one | $times[] as $at | $one | .name = ($at | gsub("[-:]"; "")) | .startedAt = $at | .finishedAt = $at';
  const lines = execFileSync(
    "jq",
    ["--compact-output", "--sort-keys", "--argjson", "times", JSON.stringify(times), filter],
    { input: text, maxBuffer: 2 ** 30 },
  );
  for (const line of lines.toString().trimEnd().split("\n")) {
    const digest = createHash("sha256").update(`${line}\n`).digest("hex");
    const { name } = JSON.parse(line) as { name: string };
    writeFileSync(site.object(`backups/${name}.json`), packed(`{"digest":"${digest}",${line.slice(1)}\n`));
  }
}

interface Call {
  measured: Measured;
  requests: number;
}

async function call(site: Site, words: string[], settings: Record<string, string>, proxy?: S3Proxy): Promise<Call> {
  const before = proxy?.requests.length ?? 0;
  const measured = await site.command(words, settings, { stdout: path.join(site.directory, "output") });
  return { measured, requests: (proxy?.requests.length ?? 0) - before };
}

export async function list(directory: string, counts: number[]): Promise<void> {
  const today = Math.floor(Date.now() / DAY) * DAY;
  const shape: Shape = { series: 200, start: new Date(today - 2 * DAY) };
  const data = fresh(path.join(directory, "data"));
  await writeBlocks(data, shape, shape.start, new Date(today));
  const [server, minio] = await Promise.all([startServer(data), startMinio({ bindAddress: "127.0.0.1" })]);
  const proxy = await startS3Proxy({ target: minio.endpoint });
  const rows: Cell[][] = [];
  const figures: Record<string, number> = {};
  try {
    await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const count of counts) {
      const onPath = new Site(path.join(directory, `path-${count}`), server.url);
      await onPath.command(["run"], { SKIP_HEAD: "true" });
      multiply(onPath, count - 2);
      const remote = s3Remote(directory, proxy.endpoint, minio.root, `${BUCKET}/${count}`);
      await runOrThrow("rclone", [
        "--config",
        remote.rcloneConfiguration,
        "copy",
        "--transfers",
        "16",
        onPath.repository,
        remote.location,
      ]);
      const onS3 = new Site(path.join(directory, `s3-${count}`), server.url, remote);
      for (const [place, site] of Object.entries({ path: onPath, S3: onS3 })) {
        const counter = place === "S3" ? proxy : undefined;
        // The first run fetches what it does not know and leaves a catalog; the second is the one to measure.
        await site.command(["run"], { SKIP_HEAD: "true" });
        const run = await call(site, ["run"], { SKIP_HEAD: "true" }, counter);
        const known = await call(site, ["list", "--json"], {}, counter);
        const anew = await call(
          site,
          ["list", "--json"],
          { STATE_DIR: path.join(site.directory, "new-machine") },
          counter,
        );
        const shown = (
          JSON.parse(readFileSync(path.join(site.directory, "output"), "utf8")) as { complete: boolean }[]
        ).filter(({ complete }) => complete).length;
        if (shown !== count) {
          throw new Error(`list shows ${shown} complete backups of ${count}`);
        }
        const cells = [run, known, anew].flatMap(({ measured, requests }) => [
          `${measured.wall.toFixed(1)} (${measured.cpu.toFixed(1)})`,
          counter === undefined ? "–" : requests,
        ]);
        rows.push([place, count, ...cells]);
        for (const [name, { measured, requests }] of Object.entries({ Run: run, Known: known, Anew: anew })) {
          Object.assign(figures, {
            [`${place}${count}${name}`]: measured.wall,
            [`${place}${count}${name}Cpu`]: measured.cpu,
            [`${place}${count}${name}Requests`]: requests,
          });
        }
      }
    }
    const columns = [
      "repository",
      "backups",
      "run with nothing new, wall (CPU) s",
      "requests",
      "`list`, manifests known, wall (CPU) s",
      "requests",
      "`list` on a new machine, wall (CPU) s",
      "requests",
    ];
    report("list", [{ title: "`list`, and a run with nothing new", columns, rows }], figures);
  } finally {
    await Promise.all([server.stop(), proxy.stop()]);
    await minio.stop();
  }
}
