import { stringify } from "yaml";

/** What decides the rules: everything else comes from the metrics of the host itself. */
export interface AlertRulesPlan {
  /** Largest time between two runs. */
  expectedIntervalSeconds: number;
  /** Largest time between two drills; without it nothing is expected of them. */
  drillIntervalSeconds?: number;
  /** Seconds above which a run is too slow. */
  tooSlowSeconds: number;
  /** Size, in percent of the largest backup of the last week, below which a backup is suspicious. */
  suspectBelowPercent: number;
  /** Name of the scrape job of node_exporter. */
  exporterJob: string;
  /** Added to every rule, for routing. */
  labels: Record<string, string>;
  /** What stands in front of the name of a runbook. */
  runbookBase: string;
}

/** One alert in the form of Prometheus. */
export interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

interface Condition {
  name: string;
  expr: string;
  forSeconds: number;
  severity: "critical" | "warning" | "info";
  summary: string;
  description: string;
}

export const ruleGroup = "prometheus-backup";
const HOUR = 3600;

/** Seconds as Prometheus writes them, in the largest unit that divides them: `1h`, `90m`. */
export function duration(seconds: number): string {
  const units: [string, number][] = [["d", 24 * HOUR], ["h", HOUR], ["m", 60]];
  const [unit, size] = units.find(([, unitSeconds]) => seconds > 0 && seconds % unitSeconds === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
}

const host = "{{ $labels.host }}";

/** Conditions about runs: that they happen, succeed and stay within their time. */
function runConditions(plan: AlertRulesPlan): Condition[] {
  const interval = plan.expectedIntervalSeconds;
  return [
    {
      name: "PrometheusBackupFailed",
      expr: `time() - prometheus_backup_last_success_timestamp_seconds > prometheus_backup_expected_interval_seconds + ${plan.tooSlowSeconds}`,
      forSeconds: Math.min(HOUR, interval),
      severity: "critical",
      summary: "Prometheus has had no successful backup for longer than its schedule allows.",
      description: `The last successful backup of ${host} is {{ $value | humanizeDuration }} old; it should run at least every ${duration(interval)}.`,
    },
    {
      name: "PrometheusBackupLastRunFailed",
      expr: "prometheus_backup_last_exit_code > 0",
      forSeconds: 0,
      severity: "warning",
      summary: "The last backup run of Prometheus failed.",
      description: `The last backup run of ${host} ended with exit code {{ $value }}; docs/exit-codes.md says what that means. Older backups are untouched.`,
    },
    {
      name: "PrometheusBackupTooSlow",
      expr: `prometheus_backup_last_duration_seconds > ${plan.tooSlowSeconds}`,
      forSeconds: 5 * 60,
      severity: "warning",
      summary: "The last backup run of Prometheus took too long.",
      description: `The last backup run of ${host} took {{ $value | humanizeDuration }}; the limit is ${duration(plan.tooSlowSeconds)}.`,
    },
    {
      name: "PrometheusBackupNeverRan",
      expr:
        `up{job=${JSON.stringify(plan.exporterJob)},prometheus_backup="enabled"} == 1 ` +
        "unless on (instance) prometheus_backup_last_success_timestamp_seconds",
      // A new host has no backup before its first run.
      forSeconds: interval + plan.tooSlowSeconds,
      severity: "critical",
      summary: "A Prometheus host that should be backed up has never had a successful backup.",
      description: "{{ $labels.instance }} is marked for backups, but reports no successful one.",
    },
    {
      name: "PrometheusBackupAdminApiDisabled",
      expr: "prometheus_backup_last_exit_code == 5",
      forSeconds: 0,
      severity: "critical",
      summary: "Backups fail because the admin API of Prometheus is off.",
      description: `The last backup run of ${host} found the admin API off; the next \`pulumi up\` turns it on again.`,
    },
  ];
}

/** Conditions about what the backups hold. */
function contentConditions(plan: AlertRulesPlan): Condition[] {
  const { expectedIntervalSeconds: interval, suspectBelowPercent } = plan;
  return [
    {
      name: "PrometheusBackupDataTooOld",
      expr:
        "time() - prometheus_backup_newest_sample_timestamp_seconds > 2 * prometheus_backup_expected_interval_seconds + 3 * 3600",
      forSeconds: Math.min(HOUR, interval),
      severity: "critical",
      summary: "The newest sample in the backups of Prometheus is too old.",
      description: `A restore of ${host} would bring back nothing newer than {{ $value | humanizeDuration }} ago.`,
    },
    {
      name: "PrometheusBackupSizeDropped",
      expr: `prometheus_backup_size_bytes < ${suspectBelowPercent / 100} * max_over_time(prometheus_backup_size_bytes[7d])`,
      forSeconds: 0,
      severity: "warning",
      summary: "The last backup of Prometheus is much smaller than those before it.",
      description: `The last backup of ${host} holds {{ $value | humanize1024 }}B, less than ${suspectBelowPercent} % of the largest of the last seven days.`,
    },
    {
      name: "PrometheusBackupSuspect",
      expr: "prometheus_backup_suspect == 1",
      forSeconds: 0,
      severity: "critical",
      summary: "The last backup of Prometheus was marked suspect.",
      description: `The TSDB of ${host} shrank against the backup before; that backup is kept, and retention deletes no good one because of it.`,
    },
    {
      name: "PrometheusBackupVerifyFailed",
      expr: "prometheus_backup_last_exit_code == 9 or prometheus_backup_verify_last_exit_code == 9",
      forSeconds: 0,
      severity: "critical",
      summary: "A backup of Prometheus failed its verification.",
      description: `The last run, verify or drill of ${host} found a backup that differs from its manifest.`,
    },
    {
      name: "PrometheusBackupLeftoverSnapshots",
      expr: "prometheus_backup_leftover_snapshots > 0",
      forSeconds: interval,
      severity: "warning",
      summary: "Snapshots are left over in the data directory of Prometheus.",
      description: `{{ $value }} snapshots on ${host} keep blocks on the disk that Prometheus has deleted.`,
    },
  ];
}

/** Conditions about drills; none where none are scheduled. */
function drillConditions({ drillIntervalSeconds: interval }: AlertRulesPlan): Condition[] {
  if (interval === undefined) {
    return [];
  }
  // A drill reads everything, so one may take hours longer than the one before.
  const limit = interval + Math.min(24 * HOUR, Math.floor(interval / 2));
  const lastSuccess = "prometheus_backup_verify_last_success_timestamp_seconds";
  return [
    {
      name: "PrometheusBackupVerifyStale",
      // The second half: drills that failed from the first one on have no last success whose age could tell.
      expr: `time() - ${lastSuccess} > ${limit} or (prometheus_backup_verify_last_exit_code > 0 unless ${lastSuccess})`,
      forSeconds: Math.min(HOUR, interval),
      severity: "warning",
      summary: "No backup of Prometheus has been proven restorable for longer than the schedule of drills allows.",
      description: `The last drill or verification of ${host} without a fault is more than ${duration(limit)} old, or there has been none; a drill should run at least every ${duration(interval)}.`,
    },
  ];
}

/** Conditions about the watching itself. */
function metricConditions(plan: AlertRulesPlan): Condition[] {
  return [
    {
      name: "PrometheusBackupTextfileStale",
      expr:
        '(time() - node_textfile_mtime_seconds{file=~"(.*/)?prometheus_backup.*[.]prom"}) ' +
        "> on (instance) group_left () (2 * prometheus_backup_expected_interval_seconds)",
      forSeconds: 5 * 60,
      severity: "critical",
      summary: "The metrics of the Prometheus backup are no longer written.",
      description: "The metrics file on {{ $labels.instance }} is {{ $value | humanizeDuration }} old: the job does not run, or crashes before it can say so.",
    },
    {
      name: "PrometheusBackupTextfileBroken",
      expr: "node_textfile_scrape_error == 1",
      forSeconds: 5 * 60,
      severity: "warning",
      summary: "The textfile collector of node_exporter cannot read its files.",
      description: "node_exporter on {{ $labels.instance }} reports an error in its textfile directory; backup metrics may be missing.",
    },
    {
      name: "PrometheusBackupExporterDown",
      expr: `up{job=${JSON.stringify(plan.exporterJob)},prometheus_backup="enabled"} == 0`,
      forSeconds: 15 * 60,
      severity: "warning",
      summary: "The node_exporter that serves the backup metrics is down.",
      description: "Nothing is known about the backups of {{ $labels.instance }}, because its node_exporter does not answer.",
    },
  ];
}

/** The alerts in the form of Prometheus, in the order in which they stand in the file. */
export function alertRules(plan: AlertRulesPlan): AlertRule[] {
  return [...runConditions(plan), ...contentConditions(plan), ...drillConditions(plan), ...metricConditions(plan)].map(condition => ({
    alert: condition.name,
    expr: condition.expr,
    for: duration(condition.forSeconds),
    labels: { ...plan.labels, severity: condition.severity },
    annotations: {
      summary: condition.summary,
      description: condition.description,
      runbook_url: `${plan.runbookBase}${condition.name}.md`,
    },
  }));
}

const header = "# Written by prometheus-backup from the schedule of this host. Changes here are overwritten.\n";

function groups(plan: AlertRulesPlan): { groups: { name: string; rules: AlertRule[] }[] } {
  return { groups: [{ name: ruleGroup, rules: alertRules(plan) }] };
}

/** The rules file, as Prometheus reads it. */
export function renderAlertRules(plan: AlertRulesPlan): string {
  return header + stringify(groups(plan), { lineWidth: 0 });
}

/** The same rules as an object of the Prometheus Operator. Which labels its server selects by is for the cluster to add. */
export function renderPrometheusRule(plan: AlertRulesPlan, hostName: string): string {
  const metadata = { name: `prometheus-backup-${hostName}`, labels: { "app.kubernetes.io/name": "prometheus-backup" } };
  return header + stringify({ apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata, spec: groups(plan) }, { lineWidth: 0 });
}
