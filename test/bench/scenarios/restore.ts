// A full restore into an empty directory, from a path, against plain tar and zstd on the same objects with the same
// parallelism.
import path from "node:path";
import type { Aged } from "../aged";
import { measureRounds, median, ratioInRounds, type Measured } from "../measure";
import { Peers } from "../peers";
import { megabytes, report, seconds, type Cell } from "../results";
import { blocksOf, fresh, Site } from "../site";

export async function restore(aged: Aged, directory: string, runs: number): Promise<void> {
  const site = new Site(path.join(directory, "site"), aged.server.url);
  const peers = new Peers(directory);
  const target = path.join(directory, "restored");
  await site.command(["run"]);
  const manifest = site.manifest();
  const objects = manifest.blocks.map(({ object }) => site.object(object ?? ""));
  const all = await measureRounds(runs, { plain: () => peers.unpack(objects), ours: () => restoreTo(site, target) });
  requireBlocks(target, manifest.blocks.length);
  const rows = restoreRows(all.ours, {
    "`zstd -dc \\| tar x` of the same objects, two at a time, nothing checked": all.plain,
  });
  report("restore", [{ title: `Full restore of ${aged.sizeText}`, columns: RESTORE_COLUMNS, rows }], {
    ...restoreFigures("ours", all.ours),
    ...restoreFigures("plain", all.plain),
    wallRatio: ratioInRounds(all.ours, all.plain, "wall"),
    cpuRatio: ratioInRounds(all.ours, all.plain, "cpu"),
  });
}

export const RESTORE_COLUMNS = ["way", "wall s", "CPU s", "peak memory MB", "wall, ours / it", "CPU, ours / it"];

/** Restores the newest backup into a directory of its own, which is emptied before the clock starts. */
export function restoreTo(site: Site, target: string): Promise<Measured> {
  fresh(target);
  return site.command(["restore", "latest", "--yes", "--target", target]);
}

/** A restore that left something out would be quick. */
export function requireBlocks(target: string, count: number): void {
  const restored = blocksOf(target).length;
  if (restored !== count) {
    throw new Error(`the restore brought ${restored} of ${count} blocks back`);
  }
}

/** A row for our restore and one for each other way, all of the same rounds. */
export function restoreRows(ours: Measured[], others: Record<string, Measured[]>): Cell[][] {
  return Object.entries({ "prometheus-backup, `restore --target`": ours, ...others }).map(([way, runs]) => {
    const middle = median(runs);
    return [
      way,
      seconds(middle.wall),
      seconds(middle.cpu),
      megabytes(middle.memory),
      ratioInRounds(ours, runs, "wall").toFixed(2),
      ratioInRounds(ours, runs, "cpu").toFixed(2),
    ];
  });
}

/** `NAME` and `NAMECpu`, the median run's seconds, and `NAMEWalls`, those of every run. */
export function restoreFigures(name: string, runs: Measured[]): Record<string, number | number[]> {
  const middle = median(runs);
  return { [name]: middle.wall, [`${name}Cpu`]: middle.cpu, [`${name}Walls`]: runs.map(({ wall }) => wall) };
}
