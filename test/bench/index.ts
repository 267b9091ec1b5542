/**
 * `npm run bench -- SCENARIO... [OPTION...]`: what backups and restores cost, against what people do today and against
 * the limit. Each scenario makes its own data, prints a table and writes test/bench/results/SCENARIO.json, from which
 * `chart` draws docs/performance.svg. docs/performance.md says what they found, and which option belongs to which
 * scenario. Absolute times belong to this machine; ratios are of one run.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ensurePrograms } from "../tools/debianPackages";
import { Aged } from "./aged";
import { chart } from "./chart";
import { daily } from "./scenarios/daily";
import { days30 } from "./scenarios/days30";
import { downtime } from "./scenarios/downtime";
import { list } from "./scenarios/list";
import { memory } from "./scenarios/memory";
import { restore } from "./scenarios/restore";
import { restoreS3 } from "./scenarios/restoreS3";
import { start } from "./scenarios/start";
import { thousand } from "./scenarios/thousand";
import { year } from "./scenarios/year";

const PROGRAMS = [
  { command: "prometheus", debianPackage: "prometheus" },
  { command: "restic", probe: "version", debianPackage: "restic" },
  { command: "rclone", debianPackage: "rclone" },
  { command: "zstd", debianPackage: "zstd" },
  { command: "jq", debianPackage: "jq" },
];

const OPTIONS = {
  days: { type: "string" },
  series: { type: "string" },
  runs: { type: "string", default: "3" },
  "warm-up": { type: "string", default: "15" },
  sizes: { type: "string", default: "2,6,14" },
  backups: { type: "string" },
  blocks: { type: "string", default: "1080" },
  earlier: { type: "string" },
  directory: { type: "string", default: tmpdir() },
  aged: { type: "string" },
} as const;

type Values = ReturnType<typeof readArguments>["values"];
type Scenario = (directory: string) => Promise<void>;

function readArguments() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

/** The scenarios in the order in which all of them run; those that need an aged server share it. */
function scenariosOf(values: Values, agedServer: () => Promise<Aged>): Record<string, Scenario> {
  const days = (otherwise: number): number => Number(values.days ?? otherwise);
  const series = (otherwise: number): number => Number(values.series ?? otherwise);
  const numbers = (text: string): number[] => text.split(",").map(Number);
  const runs = Number(values.runs);
  return {
    list: directory => list(directory, numbers(values.backups ?? "10,1000")),
    days30: directory =>
      days30({ directory, days: days(30), warmUpDays: Number(values["warm-up"]), series: series(200) }),
    daily: async directory => daily(await agedServer(), directory, runs),
    restore: async directory => restore(await agedServer(), directory, runs),
    "restore-s3": async directory => restoreS3(await agedServer(), directory, runs),
    downtime: async () => downtime(await agedServer(), runs),
    memory: directory => memory(directory, numbers(values.sizes), series(30_000)),
    start: directory => start(directory, runs),
    thousand: directory => thousand({ directory, days: days(90), series: series(5000), runs }),
    year: directory =>
      year({
        directory,
        backups: Number(values.backups ?? 4380),
        blocks: Number(values.blocks),
        runs,
        earlier: values.earlier,
      }),
  };
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (positionals.length === 1 && positionals[0] === "chart") {
    chart();
    return;
  }
  mkdirSync(values.directory, { recursive: true });
  const base = mkdtempSync(path.join(values.directory, "prometheus-backup-bench-"));
  let aged: Promise<Aged> | undefined;
  const agedServer = (): Promise<Aged> =>
    (aged ??= Aged.at(
      path.resolve(values.aged ?? path.join(base, "aged")),
      Number(values.days ?? 15),
      Number(values.series ?? 30_000),
    ));
  const scenarios = scenariosOf(values, agedServer);
  const names = Object.keys(scenarios);
  const wanted = positionals.length === 0 ? names : names.filter(name => positionals.includes(name));
  if (positionals.some(name => !names.includes(name))) {
    throw new Error(`there is no such scenario; choose of: ${names.join(", ")}, chart`);
  }
  await ensurePrograms(PROGRAMS);
  try {
    for (const name of wanted) {
      const directory = path.join(base, name);
      mkdirSync(directory);
      await scenarios[name]?.(directory);
      rmSync(directory, { recursive: true });
    }
  } finally {
    await (await aged?.catch(() => undefined))?.stop();
    rmSync(base, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
