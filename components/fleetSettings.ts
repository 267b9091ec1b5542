import { backupProblems, BackupSettings, mergeSettings, PrometheusBackupArgs, withOffsite } from "./backupSettings";
import { BootstrapSource } from "./bootstrap/settings";
import { addressCheck } from "./fields/patterns";
import { Problem } from "./fields/problems";
import { connectionDefaults, SshConnection } from "./host/connection";
import { bucketProblems, OffsiteBucketSettings, OffsiteHost } from "./offsiteBucket/settings";

/** One host of a fleet; what it does not set is taken from the fleet's `defaults`. */
export interface FleetHost extends BackupSettings {
  /**
   * Stable name of the host. Plain text, because resources, metrics and the host's directory in every repository carry
   * it; the order of hosts means nothing.
   */
  name: string;
  /** How the host is reached. */
  connection: SshConnection;
  /** Set before a dead host is removed, so that its steps are forgotten instead of undone. Defaults to false. */
  retired?: boolean;
  /** IAM role of the host, by name, which gets the right to its own directory in the fleet's bucket. */
  awsRole?: string;
  /**
   * Names of hosts whose backups this one may also read, for a migration. The host of `bootstrapFrom` is one of them
   * anyway.
   */
  mayRead?: string[];
  /**
   * The backup that this host is born from, once: see `Bootstrap`. Defaults to none. Changing or removing it does
   * nothing to a host that has been bootstrapped or holds finished blocks of its own.
   */
  bootstrapFrom?: BootstrapSource;
}

/** Arguments of `PrometheusBackupFleet`. */
export interface PrometheusBackupFleetArgs {
  /** Name of the environment, a label of every metric. Defaults to `default`. */
  environment?: string;
  /** What hosts share. */
  defaults?: BackupSettings;
  /** The hosts. Plain values, because they decide which resources exist. */
  hosts: FleetHost[];
  /** A bucket for all hosts; repositories with the bucket `offsite` mean this one. */
  offsiteBucket?: OffsiteBucketSettings;
}

/** Whose backups a host may read; nothing rather than an empty list. */
function readable(host: FleetHost): string[] | undefined {
  const source = host.bootstrapFrom?.host;
  const names = new Set([...(host.mayRead ?? []), ...(source === undefined || source === host.name ? [] : [source])]);
  return names.size > 0 || host.mayRead !== undefined ? [...names] : undefined;
}

/** Hosts that have the same name. */
export function duplicateNames(hosts: { name: string }[]): Problem[] {
  const names = hosts.map(host => host.name);
  const repeated = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  return repeated.map(name => ({
    path: names.flatMap((candidate, index) => (candidate === name ? [`hosts[${index}].name`] : [])).join(", "),
    text:
      `${names.filter(candidate => candidate === name).length === 2 ? "both" : "all"} are "${name}". Names must ` +
      `differ because resources and bucket prefixes carry them. Rename one host.`,
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
    return [
      {
        path: same.map(({ index }) => `hosts[${index}].connection.address`).join(", "),
        text:
          `${all} are one machine (${place}). A host is one machine with one Prometheus server: files, cron entry and ` +
          "command of the second would replace those of the first. Correct the address, or remove one.",
      },
    ];
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
    (settings?.repositories ?? []).flatMap((repository, index) =>
      repository.bucket === "offsite" ? [`${path}.repositories[${index}].bucket`] : [],
    );
  const found = [
    ...uses(fleet.defaults, "defaults"),
    ...fleet.hosts.flatMap((host, index) => uses(host, `hosts[${index}]`)),
  ];
  const text =
    "`offsite` means the bucket that this stack creates, and none is described. Describe it, for example " +
    "`offsiteBucket: { bucketName: NAME }`; bucket names are global, so you choose it.";
  return found.length > 0 ? [{ path: found.join(", "), text }] : [];
}

/** The hosts as the bucket knows them. */
export function bucketHosts({ hosts }: Pick<PrometheusBackupFleetArgs, "hosts">): OffsiteHost[] {
  return hosts.map(host => ({ hostName: host.name, roleName: host.awsRole, mayRead: readable(host) }));
}

/** A host with everything that the fleet says of it; its bucket lies in `region` unless settings name another. */
export function fleetHost(
  fleet: PrometheusBackupFleetArgs,
  { name: hostName, connection, retired, awsRole: _role, mayRead: _mayRead, ...own }: FleetHost,
  region: string | undefined,
): PrometheusBackupArgs {
  const settings = withOffsite(mergeSettings(fleet.defaults ?? {}, own), fleet.offsiteBucket, region);
  return { ...settings, hostName, connection, retired, environment: fleet.environment };
}

/** What stands at a path such as `repositories[0].sftp.port`. */
function valueAt(settings: unknown, path: string): unknown {
  const keys = path.split(/[.[\]]+/).filter(key => key !== "");
  return keys.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined),
    settings,
  );
}

/** Where in the arguments of a fleet a setting of a host comes from. */
function fleetPath(path: string, host: FleetHost, shared: BackupSettings, index: number): string {
  if (path === "environment") {
    return path;
  }
  const [group = ""] = path.split(/[.[]/);
  const isShared =
    valueAt(host, path) === undefined &&
    (valueAt(shared, path) !== undefined ||
      (valueAt(host, group) === undefined && valueAt(shared, group) !== undefined));
  return isShared ? `defaults.${path}` : `hosts[${index}].${path === "hostName" ? "name" : path}`;
}

/** Whether a repository has this setting from the fleet's bucket, where it is a complaint already. */
function isOfBucket(path: string, host: FleetHost, shared: BackupSettings, placed: PrometheusBackupArgs): boolean {
  const own = valueAt(host.repositories === undefined ? shared : host, path);
  return /^repositories\[\d+\]\.(bucket|prefix)$/.test(path) && own !== valueAt(placed, path);
}

function hostsProblems(fleet: PrometheusBackupFleetArgs, region: string | undefined): Problem[] {
  const shared = fleet.defaults ?? {};
  return fleet.hosts.flatMap((host, index) => {
    const placed = fleetHost(fleet, host, region);
    return backupProblems(placed)
      .filter(({ path }) => !isOfBucket(path, host, shared, placed))
      .map(({ path, text }) => {
        const parts = path.split(", ").map(part => fleetPath(part, host, shared, index));
        return { path: parts.join(", "), text };
      });
  });
}

/** Names of hosts are checked with the hosts. */
function fleetBucketProblems(fleet: PrometheusBackupFleetArgs): Problem[] {
  if (fleet.offsiteBucket === undefined) {
    return [];
  }
  return bucketProblems({ ...fleet.offsiteBucket, hosts: bucketHosts(fleet) })
    .filter(({ path }) => !path.endsWith(".hostName"))
    .map(({ path, text }) => ({
      path: path.startsWith("hosts[") ? path.replace(/roleName$/, "awsRole") : `offsiteBucket.${path}`,
      text,
    }));
}

/** Everything that is wrong with a fleet; what hosts share is said once. */
export function fleetProblems(fleet: PrometheusBackupFleetArgs, region: string | undefined): Problem[] {
  const all = [
    ...duplicateNames(fleet.hosts),
    ...sharedMachines(fleet.hosts),
    ...offsiteProblems(fleet),
    ...fleetBucketProblems(fleet),
    ...hostsProblems(fleet, region),
  ];
  const texts = all.map(({ path, text }) => `${path}: ${text}`);
  return all.filter((_, index) => texts.indexOf(texts[index] ?? "") === index);
}
