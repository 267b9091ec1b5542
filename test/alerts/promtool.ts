// Rules as promtool evaluates them: series in, names of the alerts that fire out.
import { spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { stringify } from "yaml";
import { alertRules, renderAlertRules } from "../../components/alertRules/rules";
import { type AlertRulesPlan } from "../../components/alertRules/conditions/condition";

export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 24 * HOUR;

/** Series by name, in promtool's notation. Its clock starts at 1970, so a time is what has passed until then. */
export type Series = Record<string, string>;

export interface Case {
  series: Series;
  /** When the alerts are looked at, in seconds. */
  at: number;
  /** How far samples and evaluations are apart, in seconds. Defaults to what fits the time. */
  step?: number;
}

/** Longer than any real scrape, and longer still where weeks have to take no time. */
function stepOf(at: number): number {
  return at <= 4 * DAY ? 15 * MINUTE : HOUR;
}

/**
 * The rules are looked at once an hour where that meets the end: each look costs, and over days the limits are hours.
 */
function evaluationOf(at: number, step: number): number {
  return at > DAY && at % HOUR === 0 && HOUR % step === 0 ? HOUR : step;
}

/** Runs promtool in `directory`; an empty text means that it is content. */
export function promtool(directory: string, ...args: string[]): string {
  // It lives for less than a second, and nobody waits for the memory.
  const result = spawnSync("promtool", args, { cwd: directory, env: { ...process.env, GOGC: "off" } });
  if (result.error) {
    throw new Error(`promtool cannot be run (${result.error.message}); install it with: apt-get install prometheus`);
  }
  return result.status === 0 ? "" : `${result.stdout.toString()}${result.stderr.toString()}`;
}

/** An alert as it fired: its name and its labels. */
export interface Fired {
  alert: string;
  labels: Record<string, string>;
}

/**
 * The alerts that fire, in the order of the rules. Nothing is expected to fire, so what promtool complains about does.
 */
export function firingAlerts(plan: AlertRulesPlan, { series, at, step = stepOf(at) }: Case): Fired[] {
  const names = [...new Set(alertRules(plan).map(rule => rule.alert))];
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
  try {
    fs.writeFileSync(path.join(directory, "rules.yml"), renderAlertRules(plan));
    fs.writeFileSync(
      path.join(directory, "case.yml"),
      stringify({
        rule_files: ["rules.yml"],
        evaluation_interval: `${evaluationOf(at, step)}s`,
        tests: [
          {
            interval: `${step}s`,
            input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
            alert_rule_test: names.map(alertname => ({ eval_time: `${at}s`, alertname })),
          },
        ],
      }),
    );
    const complaint = promtool(directory, "test", "rules", "case.yml");
    const found = [...complaint.matchAll(/Labels:(\{alertname=.*?\})\n/g)].map(([, text = ""]) => fired(text));
    if (complaint !== "" && found.length === 0) {
      throw new Error(complaint);
    }
    return names.flatMap(name => found.filter(({ alert }) => alert === name));
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

function fired(text: string): Fired {
  const labels = Object.fromEntries(
    [...text.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  return { alert: labels["alertname"] ?? "", labels };
}

/** Names of the alerts that fire. */
export function firing(plan: AlertRulesPlan, one: Case): string[] {
  return [...new Set(firingAlerts(plan, one).map(({ alert }) => alert))];
}

/** A value that stays the same until the end of the test. */
export function steady(value: number, length: number, step = stepOf(length)): string {
  return `${value}x${Math.ceil(length / step) + 1}`;
}

export interface HostSeries {
  name: string;
  /** Its schedule, as it states it itself. */
  interval: number;
  /** When the test ends. */
  at: number;
  /** Time of its last success, run and newest sample. */
  lastSuccess: number;
  /** Labels of the target. */
  target?: string;
  step?: number;
}

/** Series that the scrape of a host's node_exporter has beside its metrics of backups. */
export function exporterSeries({
  name,
  at,
  target = ',prometheus_backup="enabled"',
  step,
}: Pick<HostSeries, "name" | "at" | "target" | "step">): Series {
  const labels = `instance="${name}:9100",job="node"${target}`;
  return { [`up{${labels}}`]: steady(1, at, step), [`node_textfile_scrape_error{${labels}}`]: steady(0, at, step) };
}

/**
 * The series of a healthy host, up to the end of the test; `more` replaces metrics by name, and `null` takes one away.
 */
export function hostSeries(options: HostSeries, more: Record<string, number | null> = {}): Series {
  const { name, interval, at, lastSuccess, target = ',prometheus_backup="enabled"', step } = options;
  const labels = `host="${name}",environment="test",instance="${name}:9100",job="node"${target}`;
  const values: Record<string, number | null> = {
    last_success_timestamp_seconds: lastSuccess,
    last_run_timestamp_seconds: lastSuccess,
    newest_sample_timestamp_seconds: lastSuccess,
    last_exit_code: 0,
    last_duration_seconds: 60,
    expected_interval_seconds: interval,
    duration_limit_seconds: Math.min(1800, interval / 2),
    size_bytes: 1000,
    suspect_below_ratio: 0.5,
    leftover_snapshots: 0,
    suspect: 0,
    admin_api_exposed: 0,
    ...more,
  };
  const own = Object.entries(values).flatMap(([metric, value]) =>
    value === null ? [] : [[`prometheus_backup_${metric}{${labels}}`, steady(value, at, step)]],
  );
  const repositories = ["local", "offsite"].flatMap(repository => [
    [
      `prometheus_backup_repository_last_success_timestamp_seconds{${labels},repository="${repository}"}`,
      steady(lastSuccess, at, step),
    ],
    [`prometheus_backup_repository_last_exit_code{${labels},repository="${repository}"}`, steady(0, at, step)],
  ]);
  const mtime = `node_textfile_mtime_seconds{file="/var/lib/node/prometheus_backup.prom",instance="${name}:9100",job="node"${target}}`;
  return {
    ...(Object.fromEntries([...own, ...repositories]) as Series),
    ...exporterSeries({ name, at, target, step }),
    [mtime]: steady(lastSuccess, at, step),
  };
}
