import { scheduleFacts } from "../fields/schedule";
import { paths } from "../host/paths";
import { BackupJobPlan } from "./plan";
import { ScheduledJob } from "./timer";

export const HOUR = 3600;
export const DAY = 24 * HOUR;

/**
 * Whether blocks are held between runs. A run every two hours meets every block before the server merges it (a block
 * stands alone for at least two hours), and links of more than a day's blocks would take more space than they save
 * bytes.
 */
export function holdsBlocks(plan: BackupJobPlan): boolean {
  const { holdBlocks, format, timeZone } = plan.job;
  const { largestGapSeconds } = scheduleFacts(plan.schedule, timeZone);
  return holdBlocks && format === "blocks" && largestGapSeconds > 2 * HOUR && largestGapSeconds <= DAY + HOUR;
}

/** Half an hour away from the runs, as far as they have a fixed minute. */
function holdMinute(schedule: string): number {
  return (Number(/^\d+/.exec(schedule)?.[0] ?? 0) + 30) % 60;
}

/** What is called on this host, and when. */
export function scheduledJobs(plan: BackupJobPlan): ScheduledJob[] {
  const { schedule, drillSchedule } = plan;
  const { parts } = plan.job.drill;
  return [
    { schedule, command: "run" },
    ...(drillSchedule === undefined
      ? []
      : [{ schedule: drillSchedule, command: parts > 1 ? `drill --sample ${parts}` : "drill" }]),
    ...(holdsBlocks(plan) ? [{ schedule: `${holdMinute(schedule)} * * * *`, command: "hold" }] : []),
  ];
}

/** Cron entry: no logic in it, because `%` means a newline there and the path is short. */
export function renderCron(user: string, jobs: ScheduledJob[]): string {
  return [
    "# Written by prometheus-backup; times are in the host's time zone. Changes here are overwritten.",
    "SHELL=/bin/sh",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ...jobs.map(({ schedule, command }) =>
      [schedule, user, paths.hostCommand, command, `>> ${paths.log} 2>&1`].join(" "),
    ),
    "",
  ].join("\n");
}
