import { AlertRulesPlan } from "../alertRules/conditions/condition";
import { ExporterTarget } from "../alertRules/rules";
import { alertDefaults } from "../alertRules/settings";
import { alertRulesPlan } from "../alertRules/step";
import { repositoryPlan } from "../backupJob/plan";
import { RepositoryPlan } from "../backupJob/rclone";
import { PlainRepository, withoutCredentials } from "../backupJob/repository";
import { jobDefaults } from "../backupJob/form";
import { mergeSettings, wantsAdminApi, wantsVictoriaMetrics, withOffsite } from "../backupSettings";
import { bootstrapPlan } from "../bootstrap/step";
import { FleetHost, PrometheusBackupFleetArgs } from "../fleetSettings";
import { HostFiles, publicFile } from "../host/files";
import { paths } from "../host/paths";
import { StepContent } from "../host/payload";
import { renderStepProgram } from "../host/programs";
import { serverDefaults } from "../host/server";
import { StepName } from "../host/stepName";
import { renderToolkit } from "../host/toolkit";
import { hostSteps } from "../hostSteps";
import { hasTargetSecrets } from "../remoteWrite/settings";
import { textfileDefaults } from "../textfileDirectory/settings";
import { victoriaMetricsPlan } from "../victoriaMetrics/step";

/** What `up` puts on one host, known without contacting it. */
export interface HostArtefacts {
  /** Whole files, by absolute path. */
  files: HostFiles;
  /** What each step is told, in the order of the steps. */
  steps: Partial<Record<StepName, StepContent>>;
  /** What is made on the host from what is found there, in words. */
  notes: string[];
}

/** The repositories of a host as it sees them. Settings that come from a stack's file are plain. */
export function hostRepositories(host: FleetHost): RepositoryPlan[] {
  return (host.repositories ?? []).map(repository => repositoryPlan(withoutCredentials(repository) as PlainRepository));
}

function steps({ name: hostName, ...host }: FleetHost, environment: string): Partial<Record<StepName, StepContent>> {
  const all = hostSteps({ ...host, hostName, environment });
  return Object.fromEntries(all.map(({ step, content }) => [step, content()]));
}

function targetNames(host: FleetHost): string[] {
  return (host.remoteWrite ?? []).map(({ name }) => name);
}

function sendsSamples(host: FleetHost): boolean {
  return (host.remoteWrite ?? []).length > 0;
}

/** Whether the host gets files of secrets. */
function hasSecrets(host: FleetHost): boolean {
  const secrets = [
    ...(host.repositories ?? []).map(repository => repository.credentials),
    host.prometheus?.apiCredentials,
    host.textfile?.exporterCredentials,
    host.heartbeat,
  ];
  return secrets.some(secret => secret !== undefined);
}

function hasRemoteWriteSecrets(host: FleetHost): boolean {
  const { prometheus, remoteWrite = [] } = host;
  return sendsSamples(host) && hasTargetSecrets({ ...(prometheus === undefined ? {} : { prometheus }), remoteWrite });
}

function notes(host: FleetHost): string[] {
  const unit = host.prometheus?.unit ?? serverDefaults.unit;
  const rulesPath = host.alerts?.rulesPath ?? alertDefaults.rulesPath;
  return [
    ...(wantsAdminApi(host)
      ? [
          `/etc/systemd/system/${unit}.d/zz-prometheus-backup-admin-api.conf is made from the ExecStart in force on ` +
            `the host, with --web.enable-admin-api added. Not at all if the API is on already.`,
        ]
      : []),
    ...(host.textfile?.enabled === false
      ? []
      : [
          `${paths.configDirectory}/textfile-directory names the directory that node_exporter is found to read; a ` +
            `drop-in for its unit only if it reads none.`,
        ]),
    ...(host.alerts?.enabled === false
      ? []
      : [`The prometheus.yml in force gets an entry in rule_files that covers ${rulesPath}, unless one does already.`]),
    ...(host.bootstrapFrom === undefined
      ? []
      : [bootstrapNote(bootstrapPlan(host.name, host.bootstrapFrom).backup, host.bootstrapFrom.host ?? host.name)]),
    ...(sendsSamples(host)
      ? [
          `The prometheus.yml in force gets the targets of ${paths.remoteWrite} as a marked part in remote_write; ` +
            `every other byte of it stays.`,
        ]
      : []),
    ...(hasRemoteWriteSecrets(host)
      ? [`${paths.remoteWriteFiles}/ holds the secrets of these targets; they are not written here.`]
      : []),
    ...(hasSecrets(host) ? [`${paths.credentials}/ holds the secrets of the stack; they are not written here.`] : []),
    `${paths.log}, ${paths.state} and local repository directories are made empty if they are missing, and kept ` +
      `when the host leaves the stack.`,
    ...(wantsVictoriaMetrics(host) ? [victoriaMetricsNote(host)] : []),
    `Beside each program in ${paths.steps} lies a record of what it found, for its removal.`,
  ];
}

function bootstrapNote(backup: string, source: string): string {
  return (
    `The data directory is restored from backup ${backup} of ${source}, once, and only if it holds no finished ` +
    `block yet; ${paths.bootstrapped} says what became of it, for good.`
  );
}

function victoriaMetricsNote(host: FleetHost): string {
  const { download, dataDirectory } = victoriaMetricsPlan(host.victoriaMetrics);
  const program =
    download === undefined
      ? "The package victoria-metrics is installed"
      : `${paths.victoriaMetrics} is fetched from ${download.url} and checked`;
  return (
    `${program}, and ${dataDirectory} is made for its user _victoria-metrics if it is missing. Data and user ` +
    `are kept when the host leaves the stack.`
  );
}

/** The hosts of a fleet with everything that they share filled in. */
export function mergedHosts(fleet: PrometheusBackupFleetArgs): FleetHost[] {
  return fleet.hosts.map(own => withOffsite({ ...mergeSettings(fleet.defaults ?? {}, own) }, fleet.offsiteBucket));
}

/** What the alert rules of every host are made from, by name of the host; also where no rules are installed. */
export function fleetAlertRules(fleet: PrometheusBackupFleetArgs): Record<string, AlertRulesPlan> {
  return Object.fromEntries(
    mergedHosts(fleet).map(host => [host.name, alertRulesPlan(host.name, host.alerts, host, targetNames(host)).rules]),
  );
}

/**
 * Where a server that watches the whole fleet finds the node_exporter of each host, if all are where their hosts are
 * reached.
 */
export function fleetTargets(fleet: PrometheusBackupFleetArgs): ExporterTarget[] {
  return mergedHosts(fleet).map(host => {
    const { port } = new URL(host.textfile?.exporterUrl ?? textfileDefaults.exporterUrl);
    const [interval] = alertRulesPlan(host.name, host.alerts, host).rules.intervals;
    const { address } = host.connection;
    const name = typeof address === "string" ? address : host.name;
    return {
      address: `${name.includes(":") ? `[${name}]` : name}:${port === "" ? 80 : port}`,
      intervalSeconds: interval?.seconds ?? 0,
    };
  });
}

/** Everything that `up` puts on every host of a fleet, by name of the host. */
export function fleetArtefacts(fleet: PrometheusBackupFleetArgs): Record<string, HostArtefacts> {
  const artefacts: Record<string, HostArtefacts> = {};
  for (const host of mergedHosts(fleet)) {
    const all = steps(host, fleet.environment ?? jobDefaults.environment);
    const files: HostFiles = { [`${paths.steps}/toolkit`]: publicFile(renderToolkit().text) };
    for (const [step, content] of Object.entries(all)) {
      Object.assign(files, content.files, content.carried, { [`${paths.steps}/${step}.sh`]: program(step) });
    }
    if (hasSecrets(host)) {
      files[`${paths.steps}/${StepName.credentials}.sh`] = program(StepName.credentials);
    }
    if (hasRemoteWriteSecrets(host)) {
      files[`${paths.steps}/${StepName.remoteWriteCredentials}.sh`] = program(StepName.remoteWriteCredentials);
    }
    artefacts[host.name] = { files, steps: all, notes: notes(host) };
  }
  return artefacts;
}

function program(step: string): { content: string; mode: string; owner: string } {
  return { content: renderStepProgram(step), mode: "0755", owner: "root:root" };
}
