import { localCalendar } from "../fields/calendar";
import { scheduleFacts } from "../fields/schedule";
import { HostFiles, publicFile } from "../host/files";
import { apiCredentialsName, heartbeatName, paths } from "../host/paths";
import { renderSettings } from "./confFile";
import { HOUR, renderCron, scheduledJobs } from "./cron";
import { BackupJobPlan, LimitsPlan, RetentionPlan } from "./plan";
import { renderKnownHosts, renderRclone, repositoryLocation, RepositoryPlan } from "./rclone";
import { Proof } from "./repository";
import { Scheduler } from "./settings";
import { renderTimers } from "./timer";

/**
 * Whether a run leaves the head out. `auto`: a job that runs hourly or more often skips it, because
 * writing the whole head every time costs more than it saves; everything slower takes it, or it would miss the newest
 * three hours.
 */
export function skipsHead(skipHead: string, gapSeconds: number): boolean {
  switch (skipHead) {
    case "always":
      return true;
    case "never":
      return false;
    default:
      return gapSeconds <= HOUR;
  }
}

function rule(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}

function retentionSettings(retention: RetentionPlan): Record<string, string> {
  return {
    KEEP_DAYS: rule(retention.days),
    KEEP_LAST: rule(retention.keepLast),
    KEEP_HOURLY: rule(retention.hourly),
    KEEP_DAILY: rule(retention.daily),
    KEEP_WEEKLY: rule(retention.weekly),
    KEEP_MONTHLY: rule(retention.monthly),
    KEEP_YEARLY: rule(retention.yearly),
    KEEP_MINIMUM: String(retention.minimum),
  };
}

function limitSettings(limits: LimitsPlan): Record<string, string> {
  return {
    SNAPSHOT_TIMEOUT_SECONDS: String(limits.snapshotTimeoutSeconds),
    TRANSFER_TIMEOUT_SECONDS: String(limits.transferTimeoutSeconds),
    API_TIMEOUT_SECONDS: String(limits.apiTimeoutSeconds),
    PARALLEL: String(limits.parallel),
    COMPRESSION_LEVEL: String(limits.compressionLevel),
    BANDWIDTH_LIMIT: limits.bandwidth,
    NICE: String(limits.nice),
    IONICE_CLASS: String(limits.ioniceClass),
    IONICE_LEVEL: String(limits.ioniceLevel),
  };
}

function repositorySettings(repositories: RepositoryPlan[]): Record<string, string> {
  const settings: Record<string, string> = { REPOSITORY_COUNT: String(repositories.length) };
  repositories.forEach((repository, index) => {
    const { type, location } = repositoryLocation(repository);
    settings[`REPOSITORY_${index + 1}_NAME`] = repository.name;
    settings[`REPOSITORY_${index + 1}_TYPE`] = type;
    settings[`REPOSITORY_${index + 1}_LOCATION`] = location;
    if (!repository.prune) {
      settings[`REPOSITORY_${index + 1}_PRUNE`] = "false";
    }
    if (repository.proof !== Proof.Required) {
      settings[`REPOSITORY_${index + 1}_PROOF`] = repository.proof;
    }
  });
  return settings;
}

/** The settings of the host command, by name. */
export function hostSettings(plan: BackupJobPlan): Record<string, string> {
  const { largestGapSeconds } = scheduleFacts(plan.schedule, plan.timeZone);
  return {
    HOST_NAME: plan.hostName,
    ENVIRONMENT: plan.environment,
    PROMETHEUS_URL: plan.prometheusUrl,
    PROMETHEUS_UNIT: plan.prometheusUnit,
    BACKUP_USER: plan.backupUser,
    DATA_DIR: plan.dataDirectory,
    API_CURL_CONFIG: plan.hasApiCredentials ? `${paths.credentials}/${apiCredentialsName}` : "",
    HEARTBEAT_URL_FILE: plan.hasHeartbeat ? `${paths.credentials}/${heartbeatName}` : "",
    SOURCE: plan.source,
    FORMAT: plan.format,
    ARCHIVE_COMPRESSION: plan.archiveCompression,
    SKIP_HEAD: String(skipsHead(plan.skipHead, largestGapSeconds)),
    ...retentionSettings(plan.retention),
    ORPHAN_GRACE_HOURS: String(plan.orphanGraceHours),
    EXPECTED_INTERVAL_SECONDS: String(largestGapSeconds),
    DRILL_INTERVAL_SECONDS:
      plan.drillSchedule === undefined
        ? ""
        : String(scheduleFacts(plan.drillSchedule, plan.timeZone).largestGapSeconds),
    ...(plan.tooSlowSeconds === undefined ? {} : { DURATION_LIMIT_SECONDS: String(plan.tooSlowSeconds) }),
    ADMIN_API_EXPOSURE: plan.exposure,
    SHRINK_PERCENT: String(plan.suspectBelowPercent),
    NEW_HOST: String(plan.newHost),
    ...schedulerSettings(plan),
    COMPANIONS: String(plan.companions),
    READY_TIMEOUT_SECONDS: String(plan.readyTimeoutSeconds),
    // Left out, it is the directory that the step for the textfile directory found on the host.
    ...(plan.textfileDirectory === undefined ? {} : { TEXTFILE_DIR: plan.textfileDirectory }),
    ...limitSettings(plan.limits),
    ...repositorySettings(plan.repositories),
  };
}

/**
 * How the host finds out what comes next: from its timers, or, where cron has no word for that, from the same times as
 * systemd writes them.
 */
function schedulerSettings({ scheduler, schedule, drillSchedule }: BackupJobPlan): Record<string, string> {
  if (scheduler === Scheduler.Systemd) {
    return { SCHEDULER: scheduler };
  }
  const drill = drillSchedule === undefined ? "" : localCalendar(drillSchedule).join(";");
  return { RUN_CALENDAR: localCalendar(schedule).join(";"), DRILL_CALENDAR: drill };
}

/** Log rotation; the new log belongs to whom the old one did, the user of the job, who appends to it. */
export function renderLogrotate(): string {
  return [
    `${paths.log} {`,
    "    weekly",
    "    rotate 12",
    "    compress",
    "    delaycompress",
    "    missingok",
    "    notifempty",
    "    create 0644",
    "}",
    "",
  ].join("\n");
}

/**
 * What makes the host call its jobs: the cron entry, or timers. Throws `ScheduleError` on a schedule that a timer
 * cannot keep.
 */
function renderSchedule(plan: BackupJobPlan): HostFiles {
  const jobs = scheduledJobs(plan);
  if (plan.scheduler === Scheduler.Systemd) {
    return renderTimers(plan, jobs);
  }
  return { [paths.cron]: publicFile(renderCron(plan.backupUser, jobs)) };
}

/** The files of the backup job that differ between hosts, by path. */
export function renderBackupJob(plan: BackupJobPlan): HostFiles {
  const knownHosts = renderKnownHosts(plan.repositories);
  return {
    [paths.settings]: publicFile(renderSettings(hostSettings(plan))),
    [paths.rclone]: publicFile(renderRclone(plan.repositories)),
    ...(knownHosts === "" ? {} : { [paths.knownHosts]: publicFile(knownHosts) }),
    ...renderSchedule(plan),
    [paths.logrotate]: publicFile(renderLogrotate()),
  };
}
