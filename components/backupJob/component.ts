import * as pulumi from "@pulumi/pulumi";
import { scheduleFacts } from "../fields/schedule";
import { hostProblems, missingHostKey } from "../host/connection";
import { apiCredentialsName, exporterCredentialsName, heartbeatName } from "../host/paths";
import { sha256, StepContent } from "../host/payload";
import { componentError, componentOptions, hostStep, stepOrder } from "../host/remoteStep";
import { checkedSecret, sealed } from "../host/secrets";
import { serverPlan, serverProblems } from "../host/server";
import { StepName } from "../host/stepName";
import { backupJobPlan, backupUser, repositoryPlan } from "./plan";
import { RepositoryPlan } from "./rclone";
import { credentialsFault, PlainRepository, Repository, repositoryName } from "./repository";
import { BackupJobArgs, jobDefaults, jobProblems, missingRepositories, scheduleProblems } from "./settings";
import { backupJobStep, credentialsStep, jobPackages } from "./step";

/** Everything but the secret: one secret leaf would make the whole payload unreadable in the preview. */
function repositoryPlans(repositories: Repository[]): pulumi.Output<RepositoryPlan[]> {
  const plain = repositories.map(({ credentials, ...rest }) => ({
    ...rest,
    hasCredentials: credentials !== undefined,
  }));
  return pulumi.output(plain).apply(all => all.map(repository => repositoryPlan(repository as PlainRepository)));
}

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
    super("prometheus-backup:index:BackupJob", name, sealed(args), componentOptions(opts));
    const problems = [
      ...hostProblems(args),
      ...serverProblems(args.prometheus),
      ...scheduleProblems(args, args.hostName),
      ...jobProblems(args),
      ...missingRepositories(args),
      ...missingHostKey(args.connection),
    ];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const environment = args.environment ?? jobDefaults.environment;
    const plan = repositoryPlans(args.repositories ?? []).apply(repositories =>
      backupJobPlan(args.hostName, environment, args, args.textfileDirectory, repositories),
    );
    const texts = credentialTexts(args);
    let before = stepOrder(name, args, this, opts);
    if (texts !== undefined) {
      const content = pulumi
        .secret(texts)
        .apply((plain): StepContent => credentialsStep(plain, backupUser(args), serverPlan(args.prometheus)));
      const credentials = hostStep(StepName.credentials, `${name}-credentials`, args, content, {
        parent: this,
        dependsOn: before,
      });
      before = credentials;
    }
    const content = plan.apply((plain): StepContent => backupJobStep(plain, jobPackages));
    const install = hostStep(StepName.backupJob, `${name}-install`, args, content, { parent: this, dependsOn: before });
    // From the payload, not from what the host prints, so that the preview knows it.
    this.installedDigest = install.stdin.apply(payload => `sha256:${sha256(payload ?? "")}`);
    this.schedule = plan.schedule;
    this.expectedIntervalSeconds = plan.apply(plain => scheduleFacts(plain.schedule, plain.timeZone).largestGapSeconds);
    this.registerOutputs({
      installedDigest: this.installedDigest,
      schedule: this.schedule,
      expectedIntervalSeconds: this.expectedIntervalSeconds,
    });
  }
}
