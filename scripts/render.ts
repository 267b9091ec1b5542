/**
 * `npm run render -- --stack STACK --out DIR`: writes every file that `pulumi up` would put on every host, in the tree
 * it will have there, without contacting anything. The diff of two renders is the diff of the hosts.
 *
 * With `--alerts` only the alert rules, one file a host, for people who deploy rules another way; with `--operator` as
 * objects of the Prometheus Operator.
 */
import * as fs from "fs";
import * as path from "path";
import { parseArgs } from "util";
import { fleetAlertRules, fleetArtefacts, HostArtefacts } from "../components/artefacts";
import { renderAlertRules, renderPrometheusRule } from "../components/render/alertRules";
import { PrometheusBackupFleetArgs } from "../components/prometheusBackupFleet";
import { renderedHost } from "./compare/renderedHost";
import { readFleet, UsageError } from "./stackFile";

const usage = "Usage: npm run render -- --stack STACK --out DIR [--alerts [--operator]] [--config FILE]";
const marker = ".prometheus-backup-render";

function writeHost(directory: string, name: string, host: HostArtefacts): number {
  for (const [target, file] of Object.entries(host.files)) {
    const place = path.join(directory, name, target);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.writeFileSync(place, file.content, { mode: parseInt(file.mode, 8) });
    fs.chmodSync(place, parseInt(file.mode, 8));
  }
  const owners = Object.entries(host.files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([target, file]) => `${file.mode} ${file.owner} ${target}`);
  const notes = ["Files:", ...owners, "", "Made on the host from what is found there:", ...host.notes.map(note => `- ${note}`), ""];
  fs.writeFileSync(path.join(directory, `${name}.txt`), notes.join("\n"));
  fs.writeFileSync(path.join(directory, `${name}.json`), `${JSON.stringify(renderedHost(host), null, 2)}\n`);
  return owners.length;
}

/** A directory of an earlier render is emptied, so that what is no longer installed does not stay; any other must be empty. */
function prepare(directory: string): void {
  fs.mkdirSync(directory, { recursive: true });
  const found = fs.readdirSync(directory);
  if (found.length > 0 && !found.includes(marker)) {
    throw new UsageError(`${directory} is not empty and was not written by this command; name another directory`);
  }
  for (const name of found) {
    fs.rmSync(path.join(directory, name), { recursive: true });
  }
  fs.writeFileSync(path.join(directory, marker), "Written by prometheus-backup; emptied by the next render.\n");
}

/** One file a host, also where the stack itself installs no rules. Returns the lines for people. */
function writeAlerts(directory: string, fleet: PrometheusBackupFleetArgs, operator: boolean): string[] {
  const written = new Map<string, string>();
  return Object.entries(fleetAlertRules(fleet)).map(([name, plan]) => {
    const place = path.join(directory, `${name}.yml`);
    fs.writeFileSync(place, operator ? renderPrometheusRule(plan, name) : renderAlertRules(plan));
    // The expressions name no host: a server that scrapes several hosts would raise every alert once a file.
    const rules = renderAlertRules(plan);
    const same = written.get(rules);
    written.set(rules, same ?? name);
    return same === undefined ? place : `${place}: the same rules as ${same}; a server that scrapes both takes one of the files`;
  });
}

function writeHosts(directory: string, fleet: PrometheusBackupFleetArgs): string[] {
  return Object.entries(fleetArtefacts(fleet)).map(([name, host]) => `${path.join(directory, name)}: ${writeHost(directory, name, host)} files`);
}

const options = {
  stack: { type: "string" }, out: { type: "string" }, config: { type: "string" }, alerts: { type: "boolean" }, operator: { type: "boolean" },
} as const;

function main(): void {
  const { values } = parseArgs({ options });
  const { stack, out, config, alerts = false, operator = false } = values;
  if (stack === undefined || out === undefined || (operator && !alerts)) {
    throw new UsageError(usage);
  }
  const fleet = readFleet(stack, config);
  prepare(out);
  console.log((alerts ? writeAlerts(out, fleet, operator) : writeHosts(out, fleet)).join("\n"));
}

try {
  main();
} catch (error) {
  console.error(error instanceof UsageError ? `render: error: ${error.message}` : error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
