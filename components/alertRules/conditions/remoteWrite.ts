import { AlertRulesPlan, Condition } from "./condition";

/** Prometheus keeps what it could not send for about two hours; both alerts leave most of that for a remedy. */
const BEHIND_SECONDS = 300;

/** Conditions about what servers send to long-term storage, by the names of their targets; none without targets. */
export function remoteWriteConditions({ remoteWriteTargets: targets = [] }: AlertRulesPlan): Condition[] {
  if (targets.length === 0) {
    return [];
  }
  const queue = `{remote_name=~${JSON.stringify(targets.join("|"))}}`;
  return [
    {
      name: "PrometheusBackupRemoteWriteFailing",
      expr: `rate(prometheus_remote_storage_samples_failed_total${queue}[5m]) > 0`,
      forSeconds: 5 * 60,
      severity: "critical",
      summary: "A long-term storage refuses samples of Prometheus, and they are lost to it.",
      description:
        "{{ $labels.remote_name }} refuses {{ $value | humanize }} samples a second of {{ $labels.instance }}. They " +
        "are not sent again; backups hold them.",
    },
    {
      name: "PrometheusBackupRemoteWriteBehind",
      // A queue that never sent anything shows 0, which is far behind as well.
      expr: `time() - prometheus_remote_storage_queue_highest_sent_timestamp_seconds${queue} > ${BEHIND_SECONDS}`,
      forSeconds: 10 * 60,
      severity: "critical",
      summary: "A long-term storage of Prometheus does not get the newest samples.",
      description:
        `The newest sample that {{ $labels.instance }} has sent to {{ $labels.remote_name }} is more ` +
        `than ${BEHIND_SECONDS / 60} minutes old. What waits for more than about two hours is lost to it; backups ` +
        `hold it.`,
    },
  ];
}
