import { stringify } from "yaml";
import { AlertRulesPlan, Condition, duration, intervalLabel } from "./conditions/condition";
import { contentConditions } from "./conditions/content";
import { remoteWriteConditions } from "./conditions/remoteWrite";
import { runConditions } from "./conditions/run";
import { watchConditions } from "./conditions/watch";

/** One alert in the form of Prometheus. */
export interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export const ruleGroup = "prometheus-backup";

/** The alerts in the form of Prometheus, in the order in which they stand in the file. */
export function alertRules(plan: AlertRulesPlan): AlertRule[] {
  const conditions: Condition[] = [
    ...runConditions(plan),
    ...contentConditions(plan),
    ...watchConditions(plan),
    ...remoteWriteConditions(plan),
  ];
  return conditions.map(condition => ({
    alert: condition.name,
    expr: condition.expr,
    for: duration(condition.forSeconds),
    labels: { ...plan.labels, ...condition.labels, severity: condition.severity },
    annotations: {
      summary: condition.summary,
      description: condition.description,
      runbook_url: `${plan.runbookBase}${condition.name}.md`,
    },
  }));
}

function header({ hostName }: AlertRulesPlan): string {
  const whose =
    hostName === undefined
      ? "the schedules of all hosts, for one server that watches them"
      : "the schedule of this host";
  return `# Written by prometheus-backup from ${whose}. Changes here are overwritten.\n`;
}

function groups(plan: AlertRulesPlan): { groups: { name: string; rules: AlertRule[] }[] } {
  return { groups: [{ name: ruleGroup, rules: alertRules(plan) }] };
}

/** The rules file, as Prometheus reads it. */
export function renderAlertRules(plan: AlertRulesPlan): string {
  return header(plan) + stringify(groups(plan), { lineWidth: 0 });
}

/**
 * The same rules as an object of the Prometheus Operator. Which labels its server selects by is for the cluster to add.
 */
export function renderPrometheusRule(plan: AlertRulesPlan): string {
  const name = plan.hostName === undefined ? "prometheus-backup" : `prometheus-backup-${plan.hostName}`;
  const metadata = { name, labels: { "app.kubernetes.io/name": "prometheus-backup" } };
  return (
    header(plan) +
    stringify(
      { apiVersion: "monitoring.coreos.com/v1", kind: "PrometheusRule", metadata, spec: groups(plan) },
      { lineWidth: 0 },
    )
  );
}

/** A target of node_exporter that a server of many hosts scrapes. */
export interface ExporterTarget {
  /** Address and port. */
  address: string;
  /** Largest time between two runs of the host. */
  intervalSeconds: number;
}

/** Targets for `file_sd_configs`, one entry a schedule, with the labels by which rules know what to expect of whom. */
export function renderTargets(targets: ExporterTarget[]): string {
  const intervals = [...new Set(targets.map(({ intervalSeconds }) => intervalSeconds))].sort((a, b) => a - b);
  const entries = intervals.map(interval => ({
    targets: targets.filter(({ intervalSeconds }) => intervalSeconds === interval).map(({ address }) => address),
    labels: { prometheus_backup: "enabled", [intervalLabel]: duration(interval) },
  }));
  return (
    `# Written by prometheus-backup, for file_sd_configs of the job that scrapes ` +
    `node_exporter.\n${stringify(entries, { lineWidth: 0 })}`
  );
}
