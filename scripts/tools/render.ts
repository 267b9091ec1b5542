/**
 * `npm run render -- --stack STACK --out DIR`: writes every file that `pulumi up` would put on every host, in the tree
 * it will have there, without contacting anything. The diff of two renders is the diff of the hosts.
 *
 * With `--alerts` only the alert rules, one file a host, for people who deploy rules another way; with `--operator` as
 * objects of the Prometheus Operator. With `--central` one file for a server that watches all hosts, and its targets.
 */
import * as fs from "fs";
import * as path from "path";
import { parseArgs } from "util";
import { fleetAlertRules, fleetArtefacts, fleetTargets, HostArtefacts } from "../../components/stack/hostFiles";
import { AlertRulesPlan } from "../../components/alertRules/conditions/condition";
import { renderAlertRules, renderPrometheusRule, renderTargets } from "../../components/alertRules/rules";
import { PrometheusBackupFleetArgs } from "../../components/fleetSettings";
import { centralAlertRulesPlan } from "../../components/alertRules/step";
import { renderedHost } from "./compare/renderedHost";
import { readFleet, UsageError } from "./stackFile";

const usage = "Usage: npm run render -- --stack STACK --out DIR [--alerts [--central] [--operator]] [--config FILE]";
/** For whom the rules are, and in which form. */
interface AlertForm {
  central: boolean;
  operator: boolean;
}

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
  const notes = [
    "Files:",
    ...owners,
    "",
    "Made on the host from what is found there:",
    ...host.notes.map(note => `- ${note}`),
    "",
  ];
  fs.writeFileSync(path.join(directory, `${name}.txt`), notes.join("\n"));
  fs.writeFileSync(path.join(directory, `${name}.json`), `${JSON.stringify(renderedHost(host), null, 2)}\n`);
  return owners.length;
}

/**
 * A directory of an earlier render is emptied, so that what is no longer installed does not stay; any other must be
 * empty.
 */
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

/** The rules alone. Returns the lines for people. */
function writeAlerts(directory: string, fleet: PrometheusBackupFleetArgs, { central, operator }: AlertForm): string[] {
  const render = operator ? renderPrometheusRule : renderAlertRules;
  const write = (name: string, text: string): string => {
    const place = path.join(directory, name);
    fs.writeFileSync(place, text);
    return place;
  };
  const plans = fleetAlertRules(fleet);
  if (central) {
    const rules = write("prometheus-backup.yml", render(centralAlertRulesPlan(Object.values(plans))));
    return operator ? [rules] : [rules, write("targets.yml", renderTargets(fleetTargets(fleet)))];
  }
  const places = Object.entries(plans).map(([name, plan]: [string, AlertRulesPlan]) =>
    write(`${name}.yml`, render(plan)),
  );
  // Every file has the rules about all hosts that its server scrapes, so several on one server would raise each alert
  // as often.
  const warning =
    "Each file is for the server of its own host. One server that scrapes several of these hosts takes what --central writes.";
  return places.length > 1 ? [...places, warning] : places;
}

function writeHosts(directory: string, fleet: PrometheusBackupFleetArgs): string[] {
  return Object.entries(fleetArtefacts(fleet)).map(
    ([name, host]) => `${path.join(directory, name)}: ${writeHost(directory, name, host)} files`,
  );
}

const options = {
  stack: { type: "string" },
  out: { type: "string" },
  config: { type: "string" },
  alerts: { type: "boolean" },
  central: { type: "boolean" },
  operator: { type: "boolean" },
} as const;

function main(): void {
  const { values } = parseArgs({ options });
  const { stack, out, config, alerts = false, central = false, operator = false } = values;
  if (stack === undefined || out === undefined || ((central || operator) && !alerts)) {
    throw new UsageError(usage);
  }
  const fleet = readFleet(stack, config);
  prepare(out);
  console.log((alerts ? writeAlerts(out, fleet, { central, operator }) : writeHosts(out, fleet)).join("\n"));
}

try {
  main();
} catch (error) {
  console.error(
    error instanceof UsageError
      ? `render: error: ${error.message}`
      : error instanceof Error
        ? error.message
        : String(error),
  );
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
