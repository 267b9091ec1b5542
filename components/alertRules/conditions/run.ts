import {
  AlertRulesPlan,
  Condition,
  host,
  interval,
  intervalLabel,
  limit,
  settleSeconds,
  shares,
  upToAnHour,
  valueOf,
} from "./condition";

const success = "prometheus_backup_last_success_timestamp_seconds";

/** Conditions about runs: that they happen, succeed, stay within their time and leave the server as it should be. */
export function runConditions(plan: AlertRulesPlan): Condition[] {
  return [
    {
      name: "PrometheusBackupFailed",
      expr: `time() - ${success} > ${interval} + ${limit}`,
      forSeconds: upToAnHour(plan.intervals),
      severity: "critical",
      summary: "Prometheus has had no successful backup for longer than its schedule allows.",
      description:
        `The last successful backup of ${host} is {{ $value | humanizeDuration }} old; it should run at ` +
        `least every ${valueOf(interval)}.`,
    },
    {
      name: "PrometheusBackupLastRunFailed",
      expr: "prometheus_backup_last_exit_code > 0",
      forSeconds: settleSeconds(plan.intervals),
      severity: "warning",
      summary: "The last backup run of Prometheus failed.",
      description:
        `The last backup run of ${host} ended with exit code {{ $value }}; on the host, ` +
        `\`prometheus-backup.sh explain {{ $value }}\` says what that means. Older backups are untouched.`,
    },
    {
      name: "PrometheusBackupTooSlow",
      expr: `prometheus_backup_last_duration_seconds > ${limit}`,
      forSeconds: settleSeconds(plan.intervals),
      severity: "warning",
      summary: "The last backup run of Prometheus took too long.",
      description:
        `The last backup run of ${host} took {{ $value | humanizeDuration }}; the limit is ` +
        `${valueOf("prometheus_backup_duration_limit_seconds")}.`,
    },
    ...neverRan(plan),
    {
      name: "PrometheusBackupAdminApiDisabled",
      expr: "prometheus_backup_last_exit_code == 5",
      forSeconds: 0,
      severity: "critical",
      summary: "Backups fail because the admin API of Prometheus is off.",
      description: `The last backup run of ${host} found the admin API off; the next \`pulumi up\` turns it on again.`,
    },
    {
      name: "PrometheusBackupAdminApiExposed",
      expr: "prometheus_backup_admin_api_exposed == 1",
      forSeconds: 0,
      severity: "critical",
      summary: "The admin API of Prometheus can be reached from other machines.",
      description:
        `The last backup run found the server of ${host} listening on more than loopback with its admin ` +
        `API on: whoever reaches it can delete series.`,
    },
  ];
}

/** Targets of node_exporter on hosts that should be backed up, as their labels say. */
export function markedTargets(plan: AlertRulesPlan, more = ""): string {
  const [job = ""] = plan.exporterJobs;
  const jobs =
    plan.exporterJobs.length === 1
      ? `job=${JSON.stringify(job)}`
      : `job=~${JSON.stringify(plan.exporterJobs.map(escapeRegex).join("|"))}`;
  return `up{${jobs},prometheus_backup="enabled"${more}}`;
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * Nobody can ask a metric that is not there, so this asks the list of targets, and on a host of its own the host's
 * name.
 */
function neverRan(plan: AlertRulesPlan): Condition[] {
  const condition = (expr: string, forSeconds: number, labels: Record<string, string> = {}): Condition => ({
    name: "PrometheusBackupNeverRan",
    expr,
    // A new host has no backup before its first run.
    forSeconds,
    severity: "critical",
    labels,
    summary: "A Prometheus host that should be backed up reports no successful backup.",
    description:
      "{{ if $labels.host }}{{ $labels.host }}{{ else }}{{ $labels.instance }}{{ end }} should be backed up, but " +
      "this server sees no successful backup of it.",
  });
  const marked = (more = ""): string => `${markedTargets(plan, more)} == 1 unless on (instance) ${success}`;
  const waits = plan.intervals.map(({ seconds, tooSlowSeconds }) => seconds + tooSlowSeconds);
  const longest = Math.max(...waits);
  if (plan.hostName !== undefined) {
    return [
      condition(
        `${marked()} or label_replace(vector(1), "host", ${JSON.stringify(plan.hostName)}, "", "") unless on (host) ` +
          `${success}`,
        longest,
      ),
    ];
  }
  if (plan.intervals.length === 1) {
    return [condition(marked(), longest)];
  }
  const all = shares(plan.intervals);
  const names = all.map(({ labels }) => labels[intervalLabel] ?? "");
  return [
    ...all.map(({ plan: { seconds, tooSlowSeconds }, labels }, index) =>
      condition(marked(`,${intervalLabel}=${JSON.stringify(names[index])}`), seconds + tooSlowSeconds, labels),
    ),
    // Targets that are marked without an interval are given the time of the slowest.
    condition(marked(`,${intervalLabel}!~${JSON.stringify(names.join("|"))}`), longest),
  ];
}
