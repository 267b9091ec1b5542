import * as pulumi from "@pulumi/pulumi";
import { scheduleFacts } from "../fields/schedule";
import { apiCredentialsName, exporterCredentialsName, heartbeatName } from "../host/paths";
import { sha256, StepContent } from "../host/payload";
import { componentOptions, refuse, sendStep } from "../host/remoteStep";
import { checkedSecret, sealed } from "../host/secrets";
import { serverPlan } from "../host/server";
import { stepProblems } from "../host/step";
import { StepName } from "../host/stepName";
import { jobArgsForm } from "./form";
import { backupUser } from "./plan";
import { credentialsFault, PlainRepository, repositoryName, withoutCredentials } from "./repository";
import { BackupJobArgs } from "./settings";
import { backupJob, backupJobStep, credentialsStep, jobPackages, jobPlan } from "./step";

/** The secrets of a job by the name of their file, or nothing if it has none. */
function credentialTexts(args: BackupJobArgs): Record<string, pulumi.Input<string>> | undefined {
  const texts: Record<string, pulumi.Input<string>> = {};
  args.repositories?.forEach((repository, index) => {
    if (repository.credentials !== undefined) {
      const path = `repositories[${index}].credentials`;
      texts[repositoryName(repository)] = checkedSecret(repository.credentials, path, credentialsFault(repository));
    }
  });
  if (args.prometheus?.apiCredentials !== undefined) {
    texts[apiCredentialsName] = args.prometheus.apiCredentials;
  }
  if (args.exporterCredentials !== undefined) {
    texts[exporterCredentialsName] = args.exporterCredentials;
  }
  if (args.heartbeat !== undefined) {
    texts[heartbeatName] = args.heartbeat;
  }
  return Object.keys(texts).length > 0 ? texts : undefined;
}

/**
 * The scheduled backup of one Prometheus server.
 *
 * Installs missing packages (`jq`, `curl`, `zstd`, `rclone`), the command `/usr/local/bin/prometheus-backup.sh`, its
 * settings under `/etc/prometheus-backup/`, a cron entry and log rotation. Secrets travel in a step of their own and
 * lie in files that only the user of the job can read. `destroy` removes what was installed and leaves backups, log,
 * packages and `/var/lib/prometheus-backup/`.
 */
export class BackupJob extends pulumi.ComponentResource {
  /** Digest of everything that is installed on the host, secrets apart; changes exactly when that changes. */
  public readonly installedDigest: pulumi.Output<string>;
  /** The cron line of this host, moved by its own offset. */
  public readonly schedule: pulumi.Output<string>;
  /** Largest time between two runs, in seconds. */
  public readonly expectedIntervalSeconds: pulumi.Output<number>;

  constructor(name: string, args: BackupJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:BackupJob", name, sealed(args, jobArgsForm), componentOptions(opts));
    refuse(stepProblems(backupJob, args), this, name);
    const plan = pulumi
      .output((args.repositories ?? []).map(withoutCredentials))
      .apply(repositories => jobPlan(args, repositories as PlainRepository[]));
    const texts = credentialTexts(args);
    const secrets =
      texts === undefined
        ? undefined
        : {
            step: StepName.credentials,
            content: pulumi
              .secret(texts)
              .apply((plain): StepContent => credentialsStep(plain, backupUser(args), serverPlan(args.prometheus))),
          };
    const content = plan.apply((plain): StepContent => backupJobStep(plain, jobPackages));
    const install = sendStep(this, name, backupJob, args, opts, { content, secrets });
    // From the payload, not from what the host prints, so that the preview knows it.
    this.installedDigest = install.stdin.apply(payload => `sha256:${sha256(payload ?? "")}`);
    this.schedule = plan.schedule;
    this.expectedIntervalSeconds = plan.apply(
      ({ schedule, job }) => scheduleFacts(schedule, job.timeZone).largestGapSeconds,
    );
    this.registerOutputs({
      installedDigest: this.installedDigest,
      schedule: this.schedule,
      expectedIntervalSeconds: this.expectedIntervalSeconds,
    });
  }
}
