/**
 * `npm run report -- --stack STACK`: reads every repository of a stack and says which hosts have good backups, without
 * contacting any host. Exit codes: 0 all good, 1 findings, 2 usage, or a repository that could not be read.
 *
 * A dead Prometheus cannot alert about its own backups; this looks at what is really there, from elsewhere.
 */
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { parseArgs } from "util";
import { hostRepositories, mergedHosts } from "../../../components/stack/hostFiles";
import { jobDefaults } from "../../../components/backupJob/form";
import { FleetHost } from "../../../components/fleetSettings";
import { RepositoryPlan } from "../../../components/backupJob/rclone";
import { scheduleFacts } from "../../../components/fields/schedule";
import { evaluate, HostReading, RepositoryReading } from "./evaluate";
import { exposition, table } from "./print";
import { readRepository } from "./read";
import { readFleet, UsageError } from "../stackFile";

const usage =
  "Usage: npm run report -- --stack STACK [--json] [--prom FILE] [--path REPOSITORY=DIR]... [--config FILE]";

/** How many repositories are read at the same time. */
const PARALLEL = 4;

const options = {
  stack: { type: "string" },
  json: { type: "boolean" },
  prom: { type: "string" },
  path: { type: "string", multiple: true },
  config: { type: "string" },
} as const;

/** Where directories of hosts are mounted here, by name of the repository. */
function mounts(values: string[]): Map<string, string> {
  return new Map(
    values.map(value => {
      const [, name, directory] = /^([a-z][a-z0-9-]{0,31})=(.+)$/.exec(value) ?? [];
      if (name === undefined || directory === undefined) {
        throw new UsageError("--path takes REPOSITORY=DIR, such as local=/mnt/backup");
      }
      return [name, path.resolve(directory)];
    }),
  );
}

/** Runs jobs, a few at a time, and returns their results in the order of the jobs. */
async function inParallel<T>(jobs: (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const queue = [...jobs.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results[next[0]] = await next[1]();
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

async function readHosts(hosts: FleetHost[], mounted: Map<string, string>, scratch: string): Promise<HostReading[]> {
  const here = (plan: RepositoryPlan): RepositoryPlan =>
    plan.path === undefined ? plan : { ...plan, path: mounted.get(plan.name) ?? plan.path };
  const jobs = hosts.flatMap(host =>
    hostRepositories(host).map(plan => (): Promise<RepositoryReading> => {
      return readRepository(host.name, here(plan), fs.mkdtempSync(path.join(scratch, "repository-")));
    }),
  );
  const readings = await inParallel(jobs);
  return hosts.map(host => ({
    host: host.name,
    expectedIntervalSeconds: scheduleFacts(host.schedule ?? jobDefaults.schedule, host.timeZone ?? jobDefaults.timeZone)
      .largestGapSeconds,
    suspectBelowPercent: host.suspectBelowPercent ?? jobDefaults.suspectBelowPercent,
    drillIntervalSeconds:
      host.drill?.schedule === undefined
        ? null
        : scheduleFacts(host.drill.schedule, host.timeZone ?? jobDefaults.timeZone).largestGapSeconds,
    repositories: readings.splice(0, hostRepositories(host).length),
  }));
}

/** Whole or not at all, and never under a name that node_exporter reads before it is whole. */
function writeExposition(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  fs.writeFileSync(temporary, text, { mode: 0o644 });
  fs.renameSync(temporary, file);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.stack === undefined) {
    throw new UsageError(usage);
  }
  const fleet = readFleet(values.stack, values.config);
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-report-"));
  try {
    const report = evaluate(await readHosts(mergedHosts(fleet), mounts(values.path ?? []), scratch), new Date());
    if (values.prom !== undefined) {
      writeExposition(values.prom, exposition(report, fleet.environment ?? jobDefaults.environment));
    }
    process.stdout.write(values.json === true ? `${JSON.stringify(report, null, 2)}\n` : table(report));
    return report.exitCode;
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}

main().then(
  code => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    console.error(text.startsWith("prometheus-backup: ") ? text : `report: error: ${text}`);
    process.exitCode = 2;
  },
);
