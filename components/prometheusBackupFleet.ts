import * as pulumi from "@pulumi/pulumi";
import { backupForm } from "./backupSettings";
import { bucketHosts, fleetHost, fleetProblems, PrometheusBackupFleetArgs } from "./fleetSettings";
import { refuse } from "./host/remoteStep";
import { sealed } from "./host/secrets";
import { noWayIn } from "./host/wayIn";
import { OffsiteBucket } from "./offsiteBucket/component";
import { stackRegion } from "./offsiteBucket/region";
import { PrometheusBackup } from "./prometheusBackup";

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
    const region = stackRegion();
    refuse(fleetProblems(args, region), this, name);
    const locked = noWayIn(args.hosts);
    if (locked !== undefined) {
      void pulumi.log.warn(locked, this);
    }
    const offsite = args.offsiteBucket;
    const bucket =
      offsite === undefined
        ? undefined
        : new OffsiteBucket(`${name}-offsite`, { ...offsite, hosts: bucketHosts(args) }, { parent: this });
    const schedules: Record<string, pulumi.Output<string>> = {};
    for (const host of args.hosts) {
      const options = { parent: this, ...(bucket === undefined ? {} : { dependsOn: bucket }) };
      schedules[host.name] = new PrometheusBackup(host.name, fleetHost(args, host, region), options).schedule;
    }
    this.schedules = pulumi.output(schedules);
    this.bucketName = bucket?.bucketName ?? pulumi.output("");
    this.hostPolicies = bucket?.hostPolicies ?? pulumi.output<Record<string, string>>({});
    this.registerOutputs({ schedules: this.schedules, bucketName: this.bucketName, hostPolicies: this.hostPolicies });
  }
}

function sealedFleet(args: PrometheusBackupFleetArgs): PrometheusBackupFleetArgs {
  return {
    ...args,
    ...(args.defaults === undefined ? {} : { defaults: sealed(args.defaults, backupForm.shape) }),
    hosts: args.hosts.map(host => sealed(host, backupForm.shape)),
  };
}
