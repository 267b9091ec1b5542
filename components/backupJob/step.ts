import { carriedFiles } from "../host/carried";
import { HostFiles } from "../host/files";
import { heartbeatName, paths } from "../host/paths";
import { StepContent } from "../host/payload";
import { apiCurlConfig, ServerPlan, serverSettings } from "../host/server";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import { jobDefaults } from "./form";
import { renderBackupJob } from "./hostFiles";
import { BackupJobPlan, backupJobPlan, repositoryPlan } from "./plan";
import { PlainRepository, withoutCredentials } from "./repository";
import { jobProblems, missingRepositories, scheduleProblems } from "./problems";
import { BackupJobArgs, Scheduler } from "./settings";

/** Packages that the job needs. */
export const jobPackages = ["curl", "jq", "zstd", "rclone", "openssl", "cron", "logrotate"] as const;

/** The job; the packages of the scheduler that is not used are left out. */
export function backupJobStep(plan: BackupJobPlan, packages: readonly string[]): StepContent {
  const { scheduler, prometheus } = plan.job;
  return {
    settings: {
      PACKAGES: packages.filter(name => name !== "cron" || scheduler === Scheduler.Cron).join(" "),
      ...(scheduler === Scheduler.Cron ? {} : { SCHEDULER: scheduler }),
      BACKUP_USER: plan.backupUser,
      UNIT: prometheus.unit,
      URL: prometheus.url,
      API_CURL_CONFIG: apiCurlConfig(plan.hasApiCredentials),
    },
    files: renderBackupJob(plan),
    carried: carriedFiles(),
  };
}

/**
 * The host puts the URL between quotes into a configuration of curl, where a quote or a second line would be a setting
 * of its own.
 */
function checkHeartbeat(url: string | undefined): void {
  if (url !== undefined && !/^https?:\/\/[^\s"\\]+\n?$/.test(url)) {
    throw new RangeError(
      "the secret of `heartbeat` must be one URL with `http://` or `https://`, without blanks, quotes and backslashes",
    );
  }
}

/**
 * Secrets by the name of their file. They are root's, and only the group of the job's user can read them, which the
 * host finds out. Throws `RangeError` on a heartbeat that is no URL.
 */
export function credentialsStep(credentials: Record<string, string>, user: string, server: ServerPlan): StepContent {
  checkHeartbeat(credentials[heartbeatName]);
  const files: HostFiles = {};
  for (const [name, text] of Object.entries(credentials)) {
    const content = text.endsWith("\n") ? text : `${text}\n`;
    files[`${paths.credentials}/${name}`] = { content, mode: "0640", owner: "root:root" };
  }
  return { settings: { BACKUP_USER: user, ...serverSettings(server) }, files };
}

/** What decides the files of a job whose repositories are known. */
export function jobPlan(args: BackupJobArgs, repositories: PlainRepository[]): BackupJobPlan {
  const environment = args.environment ?? jobDefaults.environment;
  return backupJobPlan(args.hostName, environment, args, args.textfileDirectory, repositories.map(repositoryPlan));
}

/** Installs the job. */
export const backupJob: Step<BackupJobArgs> = {
  name: StepName.backupJob,
  problems: args => [...scheduleProblems(args, args.hostName), ...jobProblems(args), ...missingRepositories(args)],
  content: args => {
    const repositories = (args.repositories ?? []).map(repository => withoutCredentials(repository) as PlainRepository);
    return backupJobStep(jobPlan(args, repositories), jobPackages);
  },
};
