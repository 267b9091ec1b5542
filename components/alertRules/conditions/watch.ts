import { AlertRulesPlan, Condition, interval, settleSeconds, shortest } from "./condition";
import { markedTargets } from "./run";

/** Conditions about the watching itself. */
export function watchConditions(plan: AlertRulesPlan): Condition[] {
  // A server of its own has few targets; one that watches many has some that are no hosts of ours.
  const marked = plan.hostName === undefined ? '{prometheus_backup="enabled"}' : "";
  return [
    {
      name: "PrometheusBackupTextfileStale",
      expr:
        `(time() - node_textfile_mtime_seconds{file=~"(.*/)?prometheus_backup[.]prom"}) > on (instance) ` +
        `group_left () (2 * ${interval})`,
      forSeconds: settleSeconds(plan.intervals),
      severity: "critical",
      summary: "The metrics of the Prometheus backup are no longer written.",
      description:
        "The metrics file on {{ $labels.instance }} is {{ $value | humanizeDuration }} old: the job does not run, " +
        "or crashes before it can say so.",
    },
    {
      name: "PrometheusBackupTextfileBroken",
      expr: `node_textfile_scrape_error${marked} == 1`,
      forSeconds: settleSeconds(plan.intervals),
      severity: "warning",
      summary: "The textfile collector of node_exporter cannot read its files.",
      description:
        "node_exporter on {{ $labels.instance }} reports an error in its textfile directory; backup metrics may be " +
        "missing.",
    },
    {
      name: "PrometheusBackupExporterDown",
      // The second half: whoever has served metrics of backups within a week should do so still, label or not.
      expr: `${markedTargets(plan)} == 0 or up == 0 and on (instance, job) max_over_time(${interval}[7d])`,
      forSeconds: Math.min(15 * 60, shortest(plan.intervals)),
      severity: "warning",
      summary: "The node_exporter that serves the backup metrics is down.",
      description:
        "Nothing is known about the backups of {{ $labels.instance }}, because its node_exporter does not answer.",
    },
  ];
}
