import * as pulumi from "@pulumi/pulumi";
import { AdminApi } from "./adminApi/component";
import { AlertRules } from "./alertRules/component";
import { BackupJob } from "./backupJob/component";
import { jobServer, PrometheusBackupArgs, wantsAdminApi, wantsVictoriaMetrics } from "./backupSettings";
import { Bootstrap } from "./bootstrap/component";
import { HostArgs } from "./host/connection";
import { componentOptions, stepOrder } from "./host/remoteStep";
import { sealed } from "./host/secrets";
import { RemoteWrite } from "./remoteWrite/component";
import { TextfileDirectory } from "./textfileDirectory/component";
import { textfileDirectory } from "./textfileDirectory/step";
import { VictoriaMetrics } from "./victoriaMetrics/component";

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
    super("prometheus-backup:index:PrometheusBackup", name, sealed(args), componentOptions(opts));
    const {
      hostName,
      connection,
      retired,
      carriesToolkit: _carried,
      adminApi,
      textfile,
      alerts,
      victoriaMetrics,
      remoteWrite,
      environment,
      bootstrapFrom,
      ...job
    } = args;
    const host: HostArgs = { hostName, connection, retired, carriesToolkit: false };
    const prometheus = jobServer(args);
    const order = new Steps(this, stepOrder(name, args, this, opts));
    // Before anything is changed on a host that guards its admin API badly; but after the job where that brings the
    // credentials of the server, and where the server is not to start before its data are there.
    const adminApiFirst = args.prometheus?.apiCredentials === undefined && bootstrapFrom === undefined;
    const installAdminApi = (): void => {
      if (wantsAdminApi(args)) {
        order.after(
          options => new AdminApi(`${name}-admin-api`, { ...host, prometheus: args.prometheus, adminApi }, options),
        );
      }
    };
    if (adminApiFirst) {
      installAdminApi();
    }
    // After the job where that brings the credentials of the exporter.
    const exporterCredentials = textfile?.enabled === false ? undefined : textfile?.exporterCredentials;
    const installTextfile = (): void => {
      if (textfile?.enabled !== false) {
        order.after(
          options => new TextfileDirectory(`${name}-textfile-directory`, { ...host, prometheus, textfile }, options),
        );
      }
    };
    if (exporterCredentials === undefined) {
      installTextfile();
    }
    const stated = {
      tooSlowSeconds: alerts?.tooSlowSeconds,
      exposure: adminApi?.exposure,
      ...(exporterCredentials === undefined ? {} : { exporterCredentials }),
    };
    const backupJob = order.after(
      options =>
        new BackupJob(
          `${name}-backup-job`,
          { ...job, ...host, prometheus, environment, ...stated, textfileDirectory: textfileDirectory(textfile) },
          options,
        ),
    );
    if (exporterCredentials !== undefined) {
      installTextfile();
    }
    if (bootstrapFrom !== undefined) {
      const { repositories } = args;
      order.after(
        options => new Bootstrap(`${name}-bootstrap`, { ...host, prometheus, repositories, bootstrapFrom }, options),
      );
    }
    if (!adminApiFirst) {
      installAdminApi();
    }
    if (alerts?.enabled !== false) {
      const watched =
        remoteWrite === undefined ? {} : { remoteWriteTargets: remoteWrite.map(({ name: target }) => target) };
      const { schedule, timeZone } = args;
      order.after(
        options =>
          new AlertRules(
            `${name}-alert-rules`,
            { ...host, prometheus, alerts, schedule, timeZone, ...watched },
            options,
          ),
      );
    }
    // Before what may send to it.
    if (wantsVictoriaMetrics(args)) {
      order.after(options => new VictoriaMetrics(`${name}-victoria-metrics`, { ...host, victoriaMetrics }, options));
    }
    // Last, because a receiver that is down must keep nothing of the backup from being installed.
    if (remoteWrite !== undefined && remoteWrite.length > 0) {
      order.after(options => new RemoteWrite(`${name}-remote-write`, { ...host, prometheus, remoteWrite }, options));
    }
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

/** Makes components one after another on one host; two at once would get in each other's way there. */
class Steps {
  constructor(
    private readonly parent: pulumi.Resource,
    private before: pulumi.ResourceOptions["dependsOn"],
  ) {}

  after<T extends pulumi.Resource>(make: (options: pulumi.ComponentResourceOptions) => T): T {
    const made = make({ parent: this.parent, dependsOn: this.before });
    this.before = made;
    return made;
  }
}
