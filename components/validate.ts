import { adminApiProblems } from "./adminApi/settings";
import { alertProblems } from "./alertRules/settings";
import { jobProblems } from "./backupJob/settings";
import { BackupSettings } from "./backupSettings";
import { addressCheck } from "./fields/patterns";
import { Problem } from "./fields/problems";
import { connectionDefaults, SshConnection } from "./host/connection";
import { serverProblems } from "./host/server";
import { remoteWriteProblems } from "./remoteWrite/problems";
import { textfileProblems } from "./textfileDirectory/settings";
import { victoriaMetricsProblems } from "./victoriaMetrics/settings";

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
