// A full restore into an empty directory, against plain tar and zstd on the same objects with the same parallelism.
import path from "node:path";
import type { Aged } from "../aged";
import { measureRounds, median } from "../measure";
import { Peers } from "../peers";
import { megabytes, report, seconds } from "../results";
import { blocksOf, fresh, Site } from "../site";

export async function restore(aged: Aged, directory: string, runs: number): Promise<void> {
  const site = new Site(path.join(directory, "site"), aged.server.url);
  const peers = new Peers(directory);
  const target = path.join(directory, "restored");
  await site.command(["run"]);
  const manifest = site.manifest();
  const objects = manifest.blocks.map(({ object }) => site.object(object ?? ""));
  const all = await measureRounds(runs, {
    plain: () => peers.unpack(objects),
    ours: () => {
      fresh(target);
      return site.command(["restore", "latest", "--yes", "--target", target]);
    },
  });
  const restored = blocksOf(target).length;
  if (restored !== manifest.blocks.length) {
    throw new Error(`the restore brought ${restored} of ${manifest.blocks.length} blocks back`);
  }
  const [ours, plain] = [median(all.ours), median(all.plain)];
  // Both of one round met the same load; the middle one of the rounds' ratios.
  const inRounds = (of: "wall" | "cpu"): number => all.ours.map((run, round) => run[of] / (all.plain[round]?.[of] ?? NaN)).sort((a, b) => a - b)[Math.floor(runs / 2)] ?? NaN;
  const columns = ["way", "wall s", "CPU s", "peak memory MB", "wall, ours / it", "CPU, ours / it"];
  const rows = [
    ["prometheus-backup, `restore --target`", seconds(ours.wall), seconds(ours.cpu), megabytes(ours.memory), "1.00", "1.00"],
    ["`zstd -dc \\| tar x` of the same objects, two at a time, nothing checked", seconds(plain.wall), seconds(plain.cpu), megabytes(plain.memory), inRounds("wall").toFixed(2), inRounds("cpu").toFixed(2)],
  ];
  report("restore", [{ title: `Full restore of ${aged.sizeText}`, columns, rows }], {
    ours: ours.wall, plain: plain.wall, oursCpu: ours.cpu, plainCpu: plain.cpu, wallRatio: inRounds("wall"), cpuRatio: inRounds("cpu"),
    oursWalls: all.ours.map(({ wall }) => wall), plainWalls: all.plain.map(({ wall }) => wall),
  });
}
