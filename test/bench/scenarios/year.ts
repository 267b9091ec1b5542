// A year of two-hour runs of a server with 90 days of retention, as this version keeps it and as an earlier one did:
// what its manifests take, and what `list`, retention and a run with nothing new cost. The newest backup is real; those
// before it are made up (see yearMaker.ts).
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { writeBlocks, type Shape } from "../historyMaker";
import { measureRounds, median, ratioInRounds, type Measured } from "../measure";
import { megabytes, ratio, report, seconds, type Cell } from "../results";
import { startServer } from "../server";
import { bytesOf, fresh, Site } from "../site";
import { makeYear } from "../yearMaker";

const HOUR = 3_600_000;
/** Nothing of the year is older than that, so a year of it stays, and a month goes. */
const KEEP = { KEEP_DAYS: "335" };

export interface YearOptions {
  directory: string;
  backups: number;
  blocks: number;
  runs: number;
  /** A checkout of an earlier version, with its node_modules. */
  earlier?: string;
}

/** The host command of a checkout. */
function programOf(checkout: string): string {
  const code = 'process.stdout.write(require("./components/host/programs").renderHostCommand())';
  return execFileSync("npx", ["tsx", "--eval", code], { cwd: checkout, encoding: "utf8", maxBuffer: 2 ** 28 });
}

/** A site whose runs, from the first on, are of that program. */
async function makeSite(directory: string, url: string, { backups }: YearOptions, program?: string): Promise<Site> {
  const site = new Site(directory, url);
  if (program !== undefined) {
    writeFileSync(path.join(directory, "prometheus-backup.sh"), program, { mode: 0o755 });
  }
  await site.command(["run"], { SKIP_HEAD: "true" });
  makeYear(site, backups - 1);
  return site;
}

/** The four calls, one after the other, `runs` times; the first list knows nothing yet. */
async function measureSite(site: Site, backups: number, runs: number): Promise<Record<string, Measured[]>> {
  const output = path.join(site.directory, "output");
  const first = await site.command(["list", "--json"], {}, { stdout: output });
  if (
    (JSON.parse(readFileSync(output, "utf8")) as { complete: boolean }[]).filter(({ complete }) => complete).length !==
    backups
  ) {
    throw new Error(`list does not show ${backups} complete backups`);
  }
  // Compares every digest, once.
  const checked = await site.command(["prune", "--dry-run"], KEEP);
  if (checked.errors.includes("cannot be read")) {
    throw new Error(`a manifest is damaged:\n${checked.errors}`);
  }
  const measured = await measureRounds(runs, {
    list: () => site.command(["list", "--json"], {}, { stdout: output }),
    dry: () => site.command(["prune", "--dry-run"], KEEP),
    run: () => site.command(["run"], { SKIP_HEAD: "true" }),
  });
  const prune = await site.command(["prune", "--yes"], KEEP);
  return { first: [first], checked: [checked], ...measured, prune: [prune] };
}

const CALLS: Record<string, string> = {
  first: "`list` on a new machine",
  checked: "`prune --dry-run` on a new machine",
  list: "`list`",
  dry: "`prune --dry-run`",
  run: "run with nothing new",
  prune: "`prune --yes`, a month goes",
};

export async function year(options: YearOptions): Promise<void> {
  const { directory, backups, blocks, runs, earlier } = options;
  const end = Math.floor(Date.now() / (2 * HOUR)) * 2 * HOUR;
  const shape: Shape = { series: 5, start: new Date(end - blocks * 2 * HOUR), intervalSeconds: 60 };
  const data = fresh(path.join(directory, "data"));
  await writeBlocks(data, shape, shape.start, new Date(end));
  // What only earlier backups hold has gone with the server's retention.
  const server = await startServer(data, { retention: `${blocks * 2 + 1}h` });
  const sites: Record<string, Record<string, Measured[]>> = {};
  const sizes: Record<string, number> = {};
  try {
    const programs = { ...(earlier === undefined ? {} : { earlier: programOf(earlier) }), now: undefined };
    for (const [name, program] of Object.entries(programs)) {
      const site = await makeSite(fresh(path.join(directory, name)), server.url, options, program);
      sizes[name] = bytesOf(site.object("backups"));
      sites[name] = await measureSite(site, backups, runs);
    }
  } finally {
    await server.stop();
  }
  const shown = Object.entries(sites);
  const rows = Object.entries(CALLS).map(([call, words]): Cell[] => [
    words,
    ...shown.flatMap(([, calls]) => {
      const { wall, cpu, memory } = median(calls[call] ?? []);
      return [seconds(wall), seconds(cpu), megabytes(memory)];
    }),
    sites.earlier === undefined
      ? "–"
      : ratioInRounds(sites.now?.[call] ?? [], sites.earlier[call] ?? [], "cpu").toFixed(2),
  ]);
  const heads = shown.flatMap(([name]) => [`wall s, ${name}`, `CPU s, ${name}`, `peak memory MB, ${name}`]);
  const figures = Object.fromEntries(
    shown.flatMap(([name, calls]) =>
      Object.entries(calls).flatMap(([call, all]) => {
        const { wall, cpu, memory } = median(all);
        return [
          [`${name}${call}`, wall],
          [`${name}${call}Cpu`, cpu],
          [`${name}${call}Memory`, memory],
        ];
      }),
    ),
  ) as Record<string, number>;
  report(
    "year",
    [
      { title: `${backups} backups of ${blocks} blocks`, columns: ["call", ...heads, "CPU, now / earlier"], rows },
      {
        title: "Manifests",
        columns: ["version", "MB", "bytes a block", "against now"],
        rows: shown.map(([name]) => [
          name,
          megabytes(sizes[name] ?? 0),
          Math.round((sizes[name] ?? 0) / backups / blocks),
          ratio(sizes[name] ?? 0, sizes.now ?? 0),
        ]),
      },
    ],
    { ...figures, ...Object.fromEntries(Object.entries(sizes).map(([name, bytes]) => [`${name}Manifests`, bytes])) },
  );
}
