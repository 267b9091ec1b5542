import {
  AlertRulesPlan,
  Condition,
  DAY,
  duration,
  host,
  interval,
  limit,
  settleSeconds,
  Share,
  shares,
  upToAnHour,
  valueOf,
} from "./condition";

const stored = "prometheus_backup_repository_last_success_timestamp_seconds";
const verified = "prometheus_backup_verify_last_success_timestamp_seconds";
const drills = "prometheus_backup_drill_interval_seconds";

/** Conditions about what the backups hold, and whether they come back. */
export function contentConditions(plan: AlertRulesPlan): Condition[] {
  return [
    {
      name: "PrometheusBackupDataTooOld",
      expr: `time() - prometheus_backup_newest_sample_timestamp_seconds > 2 * ${interval} + 3 * 3600`,
      forSeconds: upToAnHour(plan.intervals),
      severity: "critical",
      summary: "The newest sample in the backups of Prometheus is too old.",
      description: `A restore of ${host} would bring back nothing newer than {{ $value | humanizeDuration }} ago.`,
    },
    ...sizeDropped(plan),
    {
      name: "PrometheusBackupSuspect",
      expr: "prometheus_backup_suspect == 1",
      forSeconds: 0,
      severity: "critical",
      summary: "The last backup of Prometheus was marked suspect.",
      description:
        `The TSDB of ${host} shrank against the backup before; that backup is kept, and retention ` +
        `deletes no good one because of it.`,
    },
    {
      name: "PrometheusBackupBlocksDamaged",
      expr: "prometheus_backup_damaged_blocks > 0",
      forSeconds: 0,
      severity: "critical",
      summary: "Blocks in the data directory of Prometheus are damaged.",
      description: `{{ $value }} blocks of the server on ${host} cannot be read, or are not what was backed up.`,
    },
    {
      name: "PrometheusBackupBlocksLost",
      expr: "prometheus_backup_lost_blocks > 0",
      forSeconds: 0,
      severity: "critical",
      summary: "Blocks have vanished from the data directory of Prometheus.",
      description:
        `{{ $value }} blocks that a backup holds are gone from the server on ${host}, and neither ` +
        `compaction nor its retention explains that.`,
    },
    {
      name: "PrometheusBackupFromTheFuture",
      expr: "prometheus_backup_repository_future_backups > 0 or prometheus_backup_future_blocks > 0",
      forSeconds: 0,
      severity: "warning",
      summary: "A backup of Prometheus, or a sample in it, is dated in the future.",
      description:
        `A clock was ahead: {{ $value }} backups, or blocks of the newest one, of ${host} are dated in ` +
        `the future.`,
    },
    {
      name: "PrometheusBackupRepositoriesDisagree",
      // The second half: a repository that has failed from its first run on has no last success that could be compared.
      expr:
        `max without (repository) (${stored}) - ignoring (repository) group_right () ${stored} > ignoring ` +
        `(repository) group_left () (${interval} / 2 + ${limit}) ` +
        `or (prometheus_backup_repository_last_exit_code > 0 unless ${stored}) and ignoring (repository) ${stored}`,
      forSeconds: settleSeconds(plan.intervals),
      severity: "warning",
      summary: "One repository has older backups of Prometheus than another.",
      description:
        `The repository {{ $labels.repository }} lacks the newest backups of ${host} that another ` + `repository has.`,
    },
    {
      name: "PrometheusBackupVerifyFailed",
      // A run that ends so because of the server's own blocks has alerts of its own.
      expr:
        "(prometheus_backup_last_exit_code == 9 unless prometheus_backup_damaged_blocks > 0 unless " +
        "prometheus_backup_lost_blocks > 0) or prometheus_backup_verify_last_exit_code == 9 or " +
        "prometheus_backup_repository_damaged_backups > 0",
      forSeconds: 0,
      severity: "critical",
      summary: "A backup of Prometheus failed its verification.",
      description: `The last run, verify or drill of ${host} found a backup that differs from its manifest.`,
    },
    {
      name: "PrometheusBackupVerifyStale",
      // A drill reads everything, so one may take hours longer than the one before. Only hosts with a schedule of
      // drills have an interval of them. The second half: drills that fail from the first one on have no last success
      // whose age could tell.
      expr:
        `time() - (${verified} or prometheus_backup_drill_scheduled_since_timestamp_seconds) > ${drills} + ` +
        `clamp_max(${drills} / 2, ${DAY}) ` +
        `or (prometheus_backup_verify_last_exit_code > 0 unless ${verified}) and ${drills}`,
      forSeconds: upToAnHour(plan.intervals),
      severity: "warning",
      summary: "No backup of Prometheus has been proven restorable for longer than the schedule of drills allows.",
      description:
        `No drill or verification of ${host} has ended without a fault lately; a drill should run at ` +
        `least every ${valueOf(drills)}.`,
    },
    ...leftoverSnapshots(plan),
  ];
}

/** How far back the size is looked at: a week, or to the run before where runs are rarer. */
function windowSeconds({ plan }: Share): number {
  return Math.max(7 * DAY, plan.seconds);
}

/** Everything up to a week looks back as far, so it is one rule. */
function sizeDropped(plan: AlertRulesPlan): Condition[] {
  const upToAWeek = plan.intervals.filter(({ seconds }) => seconds <= 7 * DAY).slice(-1);
  return shares([...upToAWeek, ...plan.intervals.filter(({ seconds }) => seconds > 7 * DAY)]).map(share => {
    const size =
      `prometheus_backup_size_bytes < prometheus_backup_suspect_below_ratio * ` +
      `max_over_time(prometheus_backup_size_bytes[${duration(windowSeconds(share))}])`;
    return {
      name: "PrometheusBackupSizeDropped",
      expr: size + share.filter,
      forSeconds: 0,
      severity: "warning",
      labels: share.labels,
      summary: "The last backup of Prometheus is much smaller than those before it.",
      description:
        `The last backup of ${host} holds {{ $value | humanize1024 }}B, far less than the largest of the ` +
        `last ${duration(windowSeconds(share))}.`,
    };
  });
}

/** What is still there after the next run was not made by a backup. */
function leftoverSnapshots(plan: AlertRulesPlan): Condition[] {
  return shares(plan.intervals).map(({ plan: { seconds }, filter, labels }) => ({
    name: "PrometheusBackupLeftoverSnapshots",
    expr: `prometheus_backup_leftover_snapshots > 0${filter}`,
    forSeconds: seconds,
    severity: "warning",
    labels,
    summary: "Snapshots are left over in the data directory of Prometheus.",
    description: `{{ $value }} snapshots on ${host} keep blocks on the disk that Prometheus has deleted.`,
  }));
}
