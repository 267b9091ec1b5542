import { spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { alertRules, duration, renderAlertRules } from "../../components/render/alertRules";
import { alertRulesPlan } from "../../components/resolve";
import { AlertSettings } from "../../components";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

function promtool(...args: string[]): string {
  const result = spawnSync("promtool", args, { cwd: directory });
  if (result.error) {
    throw new Error(`promtool cannot be run (${result.error.message}); install it with: apt-get install prometheus`);
  }
  return result.status === 0 ? "" : `${result.stdout.toString()}${result.stderr.toString()}`;
}

function rulesFile(schedule: string, alerts: AlertSettings = {}, drill?: string): string {
  const file = `rules-${`${schedule} ${drill ?? ""}`.replace(/[^0-9]+/g, "-")}.yml`;
  fs.writeFileSync(path.join(directory, file), renderAlertRules(alertRulesPlan(alerts, { schedule, drill: { schedule: drill } }).rules));
  return file;
}

const hour = 3600;
const day = 24 * hour;
const labels = '{host="prom-a",environment="test",instance="prom-a:9100",job="node"}';
const up = 'up{job="node",prometheus_backup="enabled",instance="prom-a:9100"}';
const mtime = 'node_textfile_mtime_seconds{file="/var/lib/node/prometheus_backup.prom",instance="prom-a:9100",job="node"}';

interface Case {
  /** Series by name, as promtool's notation; times in them count from the start of the test. */
  series: Record<string, string>;
  /** When the alerts are looked at, in seconds. */
  at: number;
}

/** How far samples and evaluations are apart. Longer than any real scrape, so that weeks take no time. */
const step = 900;

/** Names of the alerts that fire, as promtool itself evaluates the rendered rules. */
function firing(schedule: string, { series, at }: Case, drill?: string): string[] {
  const names = alertRules(alertRulesPlan({}, { schedule, drill: { schedule: drill } }).rules).map(rule => rule.alert);
  const suite = {
    rule_files: [rulesFile(schedule, {}, drill)],
    evaluation_interval: `${step}s`,
    tests: [{
      interval: `${step}s`,
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      // Nothing is expected to fire, so what promtool complains about does.
      alert_rule_test: names.map(alertname => ({ eval_time: `${at}s`, alertname })),
    }],
  };
  const file = path.join(directory, "case.yml");
  fs.writeFileSync(file, stringify(suite));
  const complaint = promtool("test", "rules", file);
  const found = names.filter(name => new RegExp(`alertname: "?${name}\\b`).test(complaint));
  if (complaint !== "" && found.length === 0) {
    throw new Error(complaint);
  }
  return found;
}

/** A value that stays the same for the whole test: promtool starts at 1970, so a time is what has passed until then. */
function steady(value: number, length: number): string {
  return `${value}x${Math.ceil(length / step) + 1}`;
}

/** The series of a host whose last success, run and data are of the given time, up to the end of the test. */
function host(interval: number, at: number, lastSuccess: number, more: Record<string, number> = {}): Record<string, string> {
  const values: Record<string, number> = {
    last_success_timestamp_seconds: lastSuccess,
    last_run_timestamp_seconds: lastSuccess,
    newest_sample_timestamp_seconds: lastSuccess,
    last_exit_code: 0,
    last_duration_seconds: 60,
    expected_interval_seconds: interval,
    size_bytes: 1000,
    leftover_snapshots: 0,
    suspect: 0,
    ...more,
  };
  const own = Object.fromEntries(Object.entries(values).map(([name, value]) => [`prometheus_backup_${name}${labels}`, steady(value, at)]));
  return { ...own, [up]: steady(1, at), [mtime]: steady(lastSuccess, at), 'node_textfile_scrape_error{instance="prom-a:9100",job="node"}': steady(0, at) };
}

const daily = "0 2 * * *";
const weekly = "0 3 * * 0";

test.each([daily, weekly, "*/10 * * * *", "0 */6 * * *"])("promtool accepts the rules of %s", schedule => {
  expect(promtool("check", "rules", rulesFile(schedule, { labels: { team: 'a "b" ü' }, exporterJob: "node exporter" }))).toBe("");
});

test("a healthy host raises nothing", () => {
  expect(firing(daily, { series: host(day, 3 * day, 3 * day - 20 * hour), at: 3 * day })).toEqual([]);
});

test("one missed daily run raises an alert within 27 hours, and not within 25", () => {
  const missed = (age: number): string[] => firing(daily, { series: host(day, 4 * day, 4 * day - age), at: 4 * day });
  expect(missed(25 * hour)).toEqual([]);
  expect(missed(27 * hour)).toEqual(["PrometheusBackupFailed"]);
});

test("a weekly schedule does not cry on Monday, but after a week and a day", () => {
  const age = (days: number): string[] => firing(weekly, { series: host(7 * day, 20 * day, (20 - days) * day), at: 20 * day });
  expect(age(1)).toEqual([]);
  expect(age(6.9)).toEqual([]);
  expect(age(8)).toEqual(["PrometheusBackupFailed"]);
});

test.each<[string, Record<string, number>, string[]]>([
  ["a failed run", { last_exit_code: 8 }, ["PrometheusBackupLastRunFailed"]],
  ["a run without the admin API", { last_exit_code: 5 }, ["PrometheusBackupLastRunFailed", "PrometheusBackupAdminApiDisabled"]],
  ["a failed verification", { last_exit_code: 9 }, ["PrometheusBackupLastRunFailed", "PrometheusBackupVerifyFailed"]],
  ["damage found by verify or drill", { verify_last_exit_code: 9 }, ["PrometheusBackupVerifyFailed"]],
  ["a drill for which there was no space", { verify_last_exit_code: 7 }, []],
  ["no drill where none is scheduled", { verify_last_success_timestamp_seconds: -90 * day }, []],
  ["a run of 31 minutes", { last_duration_seconds: 1860 }, ["PrometheusBackupTooSlow"]],
  ["a run of 29 minutes", { last_duration_seconds: 1740 }, []],
  ["a suspect backup", { suspect: 1 }, ["PrometheusBackupSuspect"]],
  ["snapshots that stay", { leftover_snapshots: 2 }, ["PrometheusBackupLeftoverSnapshots"]],
  ["data that is three days old", { newest_sample_timestamp_seconds: 0 }, ["PrometheusBackupDataTooOld"]],
])("%s", (_what, values, alerts) => {
  expect(firing(daily, { series: host(day, 3 * day, 3 * day - 20 * hour, values), at: 3 * day })).toEqual(alerts);
});

test("a backup that is less than half of the week's largest", () => {
  const size = (last: number): Record<string, string> => ({
    ...host(day, 3 * day, 3 * day - 20 * hour),
    [`prometheus_backup_size_bytes${labels}`]: `1000x200 ${last}x100`,
  });
  expect(firing(daily, { series: size(490), at: 3 * day })).toEqual(["PrometheusBackupSizeDropped"]);
  expect(firing(daily, { series: size(510), at: 3 * day })).toEqual([]);
});

test("drills that have stopped, or never succeeded, are missed where they are scheduled", () => {
  const at = 30 * day;
  const drill = (values: Record<string, number>): string[] => firing(daily, { series: host(day, at, at - 20 * hour, values), at }, "0 5 * * 0");
  const age = (days: number): string[] => drill({ verify_last_exit_code: 0, verify_last_success_timestamp_seconds: (30 - days) * day });
  expect(age(6.9)).toEqual([]);
  expect(age(7.9)).toEqual([]);
  expect(age(8.1)).toEqual(["PrometheusBackupVerifyStale"]);
  // Scheduled since today: the first drill is still to come.
  expect(drill({})).toEqual([]);
  expect(drill({ verify_last_exit_code: 7 })).toEqual(["PrometheusBackupVerifyStale"]);
  expect(drill({ verify_last_exit_code: 7, verify_last_success_timestamp_seconds: 28 * day })).toEqual([]);
});

test("a run that crashed leaves old metrics, and their age tells", () => {
  const series = { ...host(day, 4 * day, 4 * day - 50 * hour), [mtime]: steady(4 * day - 50 * hour, 4 * day) };
  expect(firing(daily, { series, at: 4 * day })).toEqual(["PrometheusBackupFailed", "PrometheusBackupTextfileStale"]);
});

test("a host that should be backed up and has no metrics at all", () => {
  expect(firing(daily, { series: { [up]: steady(1, 2 * day) }, at: 2 * day })).toEqual(["PrometheusBackupNeverRan"]);
  // A new host has until its first run; one that is not marked is none of ours.
  expect(firing(daily, { series: { [up]: steady(1, 20 * hour) }, at: 20 * hour })).toEqual([]);
  expect(firing(daily, { series: { 'up{job="node",instance="x:9100"}': steady(1, 2 * day) }, at: 2 * day })).toEqual([]);
});

test("an exporter that is down, and one that cannot read its files", () => {
  expect(firing(daily, { series: { [up]: steady(0, day) }, at: day })).toEqual(["PrometheusBackupExporterDown"]);
  const broken = { ...host(day, day, day - hour), 'node_textfile_scrape_error{instance="prom-a:9100",job="node"}': steady(1, day) };
  expect(firing(daily, { series: broken, at: day })).toEqual(["PrometheusBackupTextfileBroken"]);
});

test("every rule has the form that people and tools rely on", () => {
  for (const rule of alertRules(alertRulesPlan({ labels: { team: "a" }, runbookBase: "https://example.org/" }, { drill: { schedule: "@weekly" } }).rules)) {
    expect(rule.alert).toMatch(/^PrometheusBackup[A-Z][A-Za-z]+$/);
    expect(rule.labels).toEqual({ team: "a", severity: expect.stringMatching(/^(critical|warning|info)$/) as unknown });
    expect(rule.annotations["summary"]).toMatch(/^[A-Z][^{}]*\.$/);
    expect(rule.annotations["description"]).toMatch(/\.$/);
    expect(rule.annotations["runbook_url"]).toBe(`https://example.org/${rule.alert}.md`);
    expect(rule.expr).not.toContain("absent(");
  }
});

test("the limit of a run follows the schedule unless it is set", () => {
  const limit = (schedule: string, alerts: AlertSettings = {}): number => alertRulesPlan(alerts, { schedule }).rules.tooSlowSeconds;
  expect([limit(daily), limit("*/10 * * * *"), limit(daily, { tooSlowSeconds: 7200 })]).toEqual([1800, 300, 7200]);
});

test("durations are written in the largest unit that fits", () => {
  expect([0, 59, 60, 5400, 7200, 86400, 604800].map(duration)).toEqual(["0s", "59s", "1m", "90m", "2h", "1d", "7d"]);
});
