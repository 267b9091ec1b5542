import { adminApiDefaults, Exposure } from "../adminApi/settings";
import { localCalendar } from "../fields/calendar";
import { choice, Complete, flag, group, keysOf, text, whole } from "../fields/group";
import { directoryCheck, filePathCheck, hostNameCheck } from "../fields/patterns";
import { scheduleFacts } from "../fields/schedule";
import { HostFiles, publicFile } from "../host/files";
import { heartbeatName, paths } from "../host/paths";
import { apiCurlConfig, serverDefaults } from "../host/server";
import { renderSettings } from "./confFile";
import { DAY, HOUR, renderCron, scheduledJobs } from "./cron";
import { jobForm } from "./form";
import { BackupJobPlan } from "./plan";
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

function repositorySettings(repositories: RepositoryPlan[]): Record<string, string> {
  const settings: Record<string, string> = {};
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

/** What a host is told besides its settings: worked out from them, or from where they stand. */
export const workedOutForm = group({
  hostName: text({ check: hostNameCheck, key: "HOST_NAME" }),
  environment: text({ key: "ENVIRONMENT" }),
  backupUser: text({ default: serverDefaults.user, key: "BACKUP_USER" }),
  apiCurlConfig: text({ default: "", key: "API_CURL_CONFIG" }),
  heartbeatFile: text({ default: "", key: "HEARTBEAT_URL_FILE" }),
  skipsHead: flag({ default: false, key: "SKIP_HEAD" }),
  expectedIntervalSeconds: whole(0, 999_999_999, { default: DAY, key: "EXPECTED_INTERVAL_SECONDS" }),
  drillIntervalSeconds: whole(0, 999_999_999, { key: "DRILL_INTERVAL_SECONDS" }),
  tooSlowSeconds: whole(0, 999_999_999, { key: "DURATION_LIMIT_SECONDS" }),
  exposure: choice(Exposure, { default: adminApiDefaults.exposure, key: "ADMIN_API_EXPOSURE" }),
  // How the host finds out what comes next where cron has no word for that: the times as systemd writes them.
  runCalendar: text({ default: "", key: "RUN_CALENDAR" }),
  drillCalendar: text({ default: "", key: "DRILL_CALENDAR" }),
  repositoryCount: whole(0, 999, { default: 0, key: "REPOSITORY_COUNT" }),
});

/** What may stand in the file besides, by hand; `up` writes the first, unless the host has found it itself. */
export const unwrittenForm = group({
  textfileDirectory: text({ check: filePathCheck, default: "", key: "TEXTFILE_DIR" }),
  stateDirectory: text({ check: directoryCheck, default: paths.state, key: "STATE_DIR" }),
  rcloneConfiguration: text({ default: paths.rclone, key: "RCLONE_CONFIG_FILE" }),
  idleTimeoutSeconds: whole(1, 86_400, { default: 60, key: "IDLE_TIMEOUT_SECONDS" }),
});

function workedOut(plan: BackupJobPlan): Complete<typeof workedOutForm.shape> {
  const { schedule, drillSchedule, job } = plan;
  const gap = (line: string): number => scheduleFacts(line, job.timeZone).largestGapSeconds;
  const calendar = (line: string | undefined): string =>
    line === undefined || job.scheduler === Scheduler.Systemd ? "" : localCalendar(line).join(";");
  return {
    ...plan,
    apiCurlConfig: apiCurlConfig(plan.hasApiCredentials),
    heartbeatFile: plan.hasHeartbeat ? `${paths.credentials}/${heartbeatName}` : "",
    skipsHead: skipsHead(job.skipHead, gap(schedule)),
    expectedIntervalSeconds: gap(schedule),
    drillIntervalSeconds: drillSchedule === undefined ? undefined : gap(drillSchedule),
    tooSlowSeconds: plan.tooSlowSeconds,
    runCalendar: calendar(schedule),
    drillCalendar: calendar(drillSchedule),
    repositoryCount: plan.repositories.length,
  };
}

/** The settings of the host command, by name. */
export function hostSettings(plan: BackupJobPlan): Record<string, string> {
  return {
    ...keysOf(workedOutForm, workedOut(plan)),
    ...keysOf(jobForm, plan.job),
    ...(plan.textfileDirectory === undefined ? {} : { TEXTFILE_DIR: plan.textfileDirectory }),
    ...repositorySettings(plan.repositories),
  };
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
  const { scheduler, prometheus, timeZone } = plan.job;
  if (scheduler === Scheduler.Systemd) {
    const { unit: prometheusUnit, readyTimeoutSeconds } = prometheus;
    return renderTimers({ backupUser: plan.backupUser, prometheusUnit, timeZone, readyTimeoutSeconds }, jobs);
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
