import * as pulumi from "@pulumi/pulumi";
import { Repository } from "./backupJob/repository";
import { BackupSettings } from "./backupSettings";
import { BootstrapSource } from "./bootstrap/settings";
import { SshConnection } from "./host/connection";
import { componentError } from "./host/remoteStep";
import { sealed } from "./host/secrets";
import { noWayIn } from "./host/wayIn";
import { OffsiteBucket } from "./offsiteBucket/component";
import { stackRegion } from "./offsiteBucket/region";
import { OffsiteBucketSettings, OffsiteHost } from "./offsiteBucket/settings";
import { PrometheusBackup } from "./prometheusBackup";
import { mergeSettings } from "./resolve";
import { duplicateNames, offsiteProblems, sharedMachines } from "./validate";

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
  /** Names of hosts whose backups this one may also read, for a migration. The host of `bootstrapFrom` is one of them anyway. */
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

/** Puts the fleet's bucket where settings say `offsite`; it lies in `region` unless they name another. */
export function withOffsite<T extends BackupSettings>(
  settings: T,
  bucket: OffsiteBucketSettings | undefined,
  region?: string,
): T {
  const { repositories } = settings;
  if (bucket === undefined || repositories === undefined) {
    return settings;
  }
  const { bucketName, prefix, hostsMayPrune = true } = bucket;
  const named = (repository: Repository): Repository => ({
    prune: hostsMayPrune,
    ...repository,
    bucket: bucketName,
    prefix: repository.prefix ?? prefix,
    region: repository.region ?? region,
  });
  const placed = repositories.map(repository => (repository.bucket === "offsite" ? named(repository) : repository));
  return { ...settings, repositories: placed };
}

/**
 * Backups of many Prometheus hosts, with one bucket for all of them and settings that hosts share.
 *
 * Creates an `OffsiteBucket` if one is described and a `PrometheusBackup` for each host. A host that cannot be reached
 * fails alone when the engine runs with `--continue-on-error`. `destroy` puts the hosts back and keeps the bucket.
 */
export class PrometheusBackupFleet extends pulumi.ComponentResource {
  /** The cron line of every host, by name. */
  public readonly schedules: pulumi.Output<Record<string, string>>;
  /** Name of the bucket, empty without one. */
  public readonly bucketName: pulumi.Output<string>;
  /** What each host may do in the bucket, as the JSON text of an IAM policy, by name of the host. */
  public readonly hostPolicies: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: PrometheusBackupFleetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:PrometheusBackupFleet", name, sealedFleet(args), opts);
    const problems = [...duplicateNames(args.hosts), ...sharedMachines(args.hosts), ...offsiteProblems(args)];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const locked = noWayIn(args.hosts);
    if (locked !== undefined) {
      void pulumi.log.warn(locked, this);
    }
    const offsite = args.offsiteBucket;
    const bucketHosts = args.hosts.map((host): OffsiteHost => ({ hostName: host.name, roleName: host.awsRole, mayRead: readable(host) }));
    const bucket =
      offsite === undefined ? undefined : new OffsiteBucket(`${name}-offsite`, { ...offsite, hosts: bucketHosts }, { parent: this });
    const schedules: Record<string, pulumi.Output<string>> = {};
    for (const { name: hostName, connection, retired, awsRole: _role, mayRead: _mayRead, ...own } of args.hosts) {
      const settings = withOffsite(mergeSettings(args.defaults ?? {}, own), offsite, stackRegion());
      const host = { ...settings, hostName, connection, retired, environment: args.environment };
      const options = { parent: this, ...(bucket === undefined ? {} : { dependsOn: bucket }) };
      schedules[hostName] = new PrometheusBackup(hostName, host, options).schedule;
    }
    this.schedules = pulumi.output(schedules);
    this.bucketName = bucket?.bucketName ?? pulumi.output("");
    this.hostPolicies = bucket?.hostPolicies ?? pulumi.output<Record<string, string>>({});
    this.registerOutputs({ schedules: this.schedules, bucketName: this.bucketName, hostPolicies: this.hostPolicies });
  }
}

/** Whose backups a host may read; nothing rather than an empty list. */
function readable(host: FleetHost): string[] | undefined {
  const source = host.bootstrapFrom?.host;
  const names = new Set([...(host.mayRead ?? []), ...(source === undefined || source === host.name ? [] : [source])]);
  return names.size > 0 || host.mayRead !== undefined ? [...names] : undefined;
}

function sealedFleet(args: PrometheusBackupFleetArgs): PrometheusBackupFleetArgs {
  return {
    ...args,
    ...(args.defaults === undefined ? {} : { defaults: sealed(args.defaults) }),
    hosts: args.hosts.map(sealed),
  };
}
