import { adminApiProblems } from "./adminApi/settings";
import { alertProblems } from "./alertRules/settings";
import { bandwidthCheck, gcsBucketCheck, regionCheck, repositoryNameCheck } from "./checks";
import { jobDefaults } from "./defaults";
import { Scheduler } from "./enums";
import {
  addressCheck, both, bucketCheck, Check, directoryCheck, filePathCheck, hostKeyCheck, lineCheck, loginCheck,
  prefixCheck, urlCheck,
} from "./fields/patterns";
import { Findings, Problem } from "./fields/problems";
import { scheduleCheck, timeZoneCheck } from "./fields/scheduleCheck";
import { secretCheck } from "./fields/secretText";
import { connectionDefaults, SshConnection } from "./host/connection";
import { serverProblems } from "./host/server";
import { remoteWriteProblems } from "./remoteWrite/problems";
import { repositoryName } from "./resolve";
import { credentialsFault } from "./secretText";
import { BackupSettings, JobSettings, Repository, Retention } from "./settings";
import { textfileProblems } from "./textfileDirectory/settings";
import { victoriaMetricsProblems } from "./victoriaMetrics/settings";

/** A job needs a place for its backups. */
export function missingRepositories(job: JobSettings): Problem[] {
  const text = "is missing. Say where backups go, for example `[ { path: /backup/prometheus } ]`.";
  return (job.repositories ?? []).length === 0 ? [{ path: "repositories", text }] : [];
}

/** All values that hosts share or set for themselves, each by itself. */
export function settingsProblems(settings: BackupSettings): Problem[] {
  return [
    ...serverProblems(settings.prometheus),
    ...adminApiProblems(settings.adminApi),
    ...jobProblems(settings),
    ...textfileProblems(settings.textfile),
    ...alertProblems(settings.alerts),
    ...remoteWriteProblems(settings.remoteWrite),
    ...victoriaMetricsProblems(settings.victoriaMetrics),
  ];
}

/** What is wrong with the schedules. */
export function scheduleProblems(job: Pick<JobSettings, "schedule" | "spreadMinutes" | "timeZone" | "scheduler" | "drill">, hostName: string): Problem[] {
  const found = new Findings();
  found.whole("spreadMinutes", job.spreadMinutes, 0, 1439);
  found.text("timeZone", job.timeZone, timeZoneCheck);
  if (found.problems.length === 0) {
    const { spreadMinutes = jobDefaults.spreadMinutes, timeZone = jobDefaults.timeZone } = job;
    const zone = job.scheduler === Scheduler.Systemd ? timeZone : undefined;
    found.add("schedule", scheduleCheck(job.schedule ?? jobDefaults.schedule, spreadMinutes, hostName, zone));
    if (job.drill?.schedule !== undefined) {
      found.add("drill.schedule", scheduleCheck(job.drill.schedule, spreadMinutes, hostName, zone));
    }
  }
  return found.problems;
}

function retentionProblems(found: Findings, retention: Retention | undefined): void {
  for (const [rule, value] of Object.entries(retention ?? {}) as [string, number | undefined][]) {
    found.whole(`retention.${rule}`, value, 1, 36_500);
  }
}

function limitProblems(found: Findings, job: JobSettings): void {
  const { limits } = job;
  found.whole("limits.parallel", limits?.parallel, 1, 64);
  found.whole("limits.compressionLevel", limits?.compressionLevel, 1, 19);
  found.text("limits.bandwidth", limits?.bandwidth, bandwidthCheck);
  found.whole("limits.nice", limits?.nice, 0, 19);
  found.whole("limits.ioniceClass", limits?.ioniceClass, 1, 3);
  found.whole("limits.ioniceLevel", limits?.ioniceLevel, 0, 7);
  found.whole("limits.snapshotTimeoutSeconds", limits?.snapshotTimeoutSeconds, 1, 86_400);
  found.whole("limits.transferTimeoutSeconds", limits?.transferTimeoutSeconds, 1, 86_400);
  found.whole("limits.apiTimeoutSeconds", limits?.apiTimeoutSeconds, 1, 3600);
  found.whole("orphanGraceHours", job.orphanGraceHours, 1, 8760);
  found.whole("suspectBelowPercent", job.suspectBelowPercent, 0, 99);
  found.whole("drill.parts", job.drill?.parts, 1, 9999);
}

function repositoryProblems(found: Findings, path: string, repository: Repository): void {
  const kinds = (["path", "bucket", "gcs", "sftp"] as const).filter(kind => repository[kind] !== undefined);
  if (kinds.length !== 1) {
    found.add(path, `must have exactly one of \`path\`, \`bucket\`, \`gcs\` and \`sftp\`, and has ${kinds.length === 0 ? "none" : kinds.length}. Keep one.`);
    return;
  }
  found.text(`${path}.name`, repository.name, repositoryNameCheck);
  found.text(`${path}.path`, repository.path, directoryCheck);
  found.text(`${path}.bucket`, repository.bucket, bucketCheck);
  found.text(`${path}.gcs`, repository.gcs, gcsBucketCheck);
  found.text(`${path}.region`, repository.region, regionCheck);
  found.text(`${path}.endpoint`, repository.endpoint, urlCheck);
  found.text(`${path}.kmsKey`, repository.kmsKey, lineCheck);
  found.text(`${path}.prefix`, repository.prefix, prefixCheck);
  found.text(`${path}.credentials`, repository.credentials, secretCheck(credentialsFault(repository)));
  if (repository.bucket !== undefined && repository.region === undefined && repository.endpoint === undefined) {
    found.add(`${path}.region`, missingRegion(repository.bucket === "offsite"));
  }
  const { sftp } = repository;
  found.text(`${path}.sftp.address`, sftp?.address, addressCheck);
  found.whole(`${path}.sftp.port`, sftp?.port, 1, 65_535);
  found.text(`${path}.sftp.user`, sftp?.user, loginCheck);
  found.text(`${path}.sftp.path`, sftp?.path, both(lineCheck, sftpPathCheck));
  found.text(`${path}.sftp.hostKey`, sftp?.hostKey, hostKeyCheck);
  foreignSettings(found, path, repository, kinds[0] ?? "path");
}

/** Without one, rclone asks for the bucket in `us-east-1`, whatever the settings of the host say. */
function missingRegion(offsite: boolean): string {
  return offsite
    ? "is missing, and this stack does not say in which region it works. " +
        "Set it, or run `pulumi config set aws:region REGION`."
    : "is missing. Write the region of the bucket, such as `eu-central-1`, or the `endpoint` of a server other than AWS.";
}

const sftpPathCheck: Check = value =>
  value === "" || value.endsWith("/") || value.split("/").includes("..") ? "must be a directory without `..` and a slash at the end. Write it out." : undefined;

const allowed = {
  path: ["name", "prune", "proof", "path"],
  bucket: ["name", "prune", "proof", "bucket", "region", "endpoint", "kmsKey", "prefix", "credentials"],
  gcs: ["name", "prune", "proof", "gcs", "endpoint", "prefix", "credentials"],
  sftp: ["name", "prune", "proof", "sftp", "credentials"],
};

function foreignSettings(found: Findings, path: string, repository: Repository, kind: keyof typeof allowed): void {
  for (const [key, value] of Object.entries(repository)) {
    if (value !== undefined && !allowed[kind].includes(key)) {
      found.add(`${path}.${key}`, `means nothing for a repository with \`${kind}\`. Remove it.`);
    }
  }
}

/** What is wrong with the job: repositories, retention, limits. */
export function jobProblems(job: JobSettings & { environment?: string; textfileDirectory?: string }): Problem[] {
  const found = new Findings();
  found.text("environment", job.environment, environmentCheck);
  retentionProblems(found, job.retention);
  limitProblems(found, job);
  const repositories = job.repositories ?? [];
  repositories.forEach((repository, index) => repositoryProblems(found, `repositories[${index}]`, repository));
  const names = repositories.map(repository => repositoryName(repository));
  for (const name of new Set(names.filter((candidate, index) => names.indexOf(candidate) !== index))) {
    const where = names.flatMap((candidate, index) => (candidate === name ? [`repositories[${index}].name`] : []));
    found.add(where.join(", "), `${where.length === 2 ? "both" : "all"} are "${name}". Names must differ because commands and logs use them. Give each a \`name\` of its own.`);
  }
  if (job.textfileDirectory !== undefined && job.textfileDirectory !== "") {
    found.text("textfileDirectory", job.textfileDirectory, filePathCheck);
  }
  return found.problems;
}

/** An environment is a label of metrics, of any printable text. */
export const environmentCheck: Check = both(lineCheck, value =>
  value.length >= 1 && value.length <= 64 ? undefined : "must be 1 to 64 characters. Choose another name.",
);

/** Hosts that have the same name. */
export function duplicateNames(hosts: { name: string }[]): Problem[] {
  const names = hosts.map(host => host.name);
  const repeated = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  return repeated.map(name => ({
    path: names.flatMap((candidate, index) => (candidate === name ? [`hosts[${index}].name`] : [])).join(", "),
    text: `${names.filter(candidate => candidate === name).length === 2 ? "both" : "all"} are "${name}". Names must differ because resources and bucket prefixes carry them. Rename one host.`,
  }));
}

/** A host among others: its name, and how it is reached. */
interface ReachedHost {
  name: string;
  connection: SshConnection;
  retired?: boolean;
}

/**
 * Where a host is, in words that are the same for one machine; nothing while that is not known. The same private
 * address behind another bastion is another machine, and a dead host gives its place to the one that replaces it.
 */
function placeOf({ connection, retired }: ReachedHost): string | undefined {
  const known = (address: unknown, port: unknown): string | undefined =>
    typeof address === "string" && typeof port === "number" && addressCheck(address) === undefined
      ? `\`${address.toLowerCase()}\`, port ${port}`
      : undefined;
  const { address, port = connectionDefaults.port, bastion } = connection;
  const machine = known(address, port);
  if (retired === true || machine === undefined || bastion === undefined) {
    return retired === true ? undefined : machine;
  }
  const between = known(bastion.address, bastion.port ?? connectionDefaults.port);
  return between === undefined ? undefined : `${machine}, behind ${between}`;
}

/** Hosts that are one machine: what they install there would take turns. */
export function sharedMachines(hosts: ReachedHost[]): Problem[] {
  const places = hosts.map(placeOf);
  return [...new Set(places)].flatMap(place => {
    const same = hosts.map(({ name }, index) => ({ name, index })).filter(({ index }) => places[index] === place);
    const names = [...new Set(same.map(({ name }) => name))];
    // A name that is there twice is another complaint.
    if (place === undefined || names.length < 2) {
      return [];
    }
    const all = names.join(names.length === 2 ? " and " : ", ");
    return [{
      path: same.map(({ index }) => `hosts[${index}].connection.address`).join(", "),
      text:
        `${all} are one machine (${place}). A host is one machine with one Prometheus server: files, cron entry and ` +
        "command of the second would replace those of the first. Correct the address, or remove one.",
    }];
  });
}

/** A repository that means the stack's bucket needs one. */
export function offsiteProblems(fleet: {
  defaults?: BackupSettings;
  hosts: BackupSettings[];
  offsiteBucket?: { bucketName: string };
}): Problem[] {
  if (fleet.offsiteBucket !== undefined) {
    return [];
  }
  const uses = (settings: BackupSettings | undefined, path: string): string[] =>
    (settings?.repositories ?? []).flatMap((repository, index) => (repository.bucket === "offsite" ? [`${path}.repositories[${index}].bucket`] : []));
  const found = [...uses(fleet.defaults, "defaults"), ...fleet.hosts.flatMap((host, index) => uses(host, `hosts[${index}]`))];
  const text =
    "`offsite` means the bucket that this stack creates, and none is described. Describe it, for example `offsiteBucket: { bucketName: NAME }`; bucket names are global, so you choose it.";
  return found.length > 0 ? [{ path: found.join(", "), text }] : [];
}
