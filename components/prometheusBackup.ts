import * as pulumi from "@pulumi/pulumi";
import { AdminApi } from "./adminApi/component";
import { AlertRules } from "./alertRules/component";
import { BackupJob } from "./backupJob/component";
import { backupForm, backupProblems, PrometheusBackupArgs } from "./backupSettings";
import { Bootstrap } from "./bootstrap/component";
import { componentOptions, refuse, stepOrder } from "./host/remoteStep";
import { sealed } from "./host/secrets";
import { StepName } from "./host/stepName";
import { HostStepArgs, hostSteps } from "./hostSteps";
import { RemoteWrite } from "./remoteWrite/component";
import { TextfileDirectory } from "./textfileDirectory/component";
import { VictoriaMetrics } from "./victoriaMetrics/component";

/** The component of a step. */
type StepComponent<Args> = new (
  name: string,
  args: Args,
  options: pulumi.ComponentResourceOptions,
) => pulumi.ComponentResource;

const components: { [K in keyof HostStepArgs]: StepComponent<HostStepArgs[K]> } = {
  [StepName.adminApi]: AdminApi,
  [StepName.textfileDirectory]: TextfileDirectory,
  [StepName.backupJob]: BackupJob,
  [StepName.bootstrap]: Bootstrap,
  [StepName.alertRules]: AlertRules,
  [StepName.victoriaMetrics]: VictoriaMetrics,
  [StepName.remoteWrite]: RemoteWrite,
};

/**
 * The whole backup of one Prometheus host: admin API, metrics, job and alerts, each a step of its own; on request also
 * long-term storage: a VictoriaMetrics server on the host, and `remote_write` to receivers.
 *
 * With `bootstrapFrom` Prometheus must be installed but need not have been started; without it, it must run.
 *
 * The steps run one after another, each over a connection of its own; a failing one leaves the host as it was before
 * that step. `destroy` puts the host back as it was found and leaves the backups where they are.
 */
export class PrometheusBackup extends pulumi.ComponentResource {
  /** Digest of the installed job; changes exactly when what is installed changes. */
  public readonly installedDigest: pulumi.Output<string>;
  /** The cron line of this host, moved by its own offset. */
  public readonly schedule: pulumi.Output<string>;
  /** Largest time between two runs, in seconds. */
  public readonly expectedIntervalSeconds: pulumi.Output<number>;

  constructor(name: string, args: PrometheusBackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:PrometheusBackup", name, sealed(args, backupForm.shape), componentOptions(opts));
    refuse(backupProblems(args), this, name);
    let before = stepOrder(name, args, this, opts);
    // One after another; two at once would get in each other's way on the host.
    const made = hostSteps(args).map(({ step, args: own }) => {
      const component = new components[step](`${name}-${step}`, own as never, { parent: this, dependsOn: before });
      before = component;
      return component;
    });
    const backupJob = made.find(component => component instanceof BackupJob) as BackupJob;
    this.installedDigest = backupJob.installedDigest;
    this.schedule = backupJob.schedule;
    this.expectedIntervalSeconds = backupJob.expectedIntervalSeconds;
    this.registerOutputs({
      installedDigest: this.installedDigest,
      schedule: this.schedule,
      expectedIntervalSeconds: this.expectedIntervalSeconds,
    });
  }
}
