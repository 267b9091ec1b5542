import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { AlertSettings } from "../../components";
import { alertRules, renderAlertRules } from "../../components/alertRules/rules";
import { AlertRulesPlan, duration } from "../../components/alertRules/conditions/condition";
import { alertRulesPlan } from "../../components/alertRules/step";
import { slowTest, variants } from "../runner/pace";
import {
  DAY,
  exporterSeries,
  firing,
  firingAlerts,
  HOUR,
  hostSeries,
  MINUTE,
  promtool,
  Series,
  steady,
} from "./promtool";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

const daily = "0 2 * * *";
const weekly = "0 3 * * 0";
const name = "prom-a";

/** The rules of a server that watches itself. */
function own(schedule: string, alerts: AlertSettings = {}): AlertRulesPlan {
  return alertRulesPlan(name, alerts, { schedule }).rules;
}

/** A daily host after three days, twenty hours after its last run. */
function dailyHost(more: Record<string, number | null> = {}): Series {
  return hostSeries({ name, interval: DAY, at: 3 * DAY, lastSuccess: 3 * DAY - 20 * HOUR }, more);
}

function repository(metric: string, repositoryName: string): string {
  return `prometheus_backup_repository_${metric}{host="prom-a",environment="test",instance="prom-a:9100",job="node",prometheus_backup="enabled",repository="${repositoryName}"}`;
}

test.each(variants([daily], [weekly, "*/10 * * * *", "0 */6 * * *", "* * * * *"]))(
  "promtool accepts the rules of %s",
  schedule => {
    fs.writeFileSync(
      path.join(directory, "rules.yml"),
      renderAlertRules(own(schedule, { labels: { team: 'a "b" ü' }, exporterJob: "node exporter" })),
    );
    expect(promtool(directory, "check", "rules", "rules.yml")).toBe("");
  },
);

test("a healthy host raises nothing", () => {
  expect(firing(own(daily), { series: dailyHost(), at: 3 * DAY })).toEqual([]);
});

test("one missed daily run raises an alert within 27 hours, and not within 25", () => {
  const missed = (age: number): string[] =>
    firing(own(daily), {
      series: hostSeries({ name, interval: DAY, at: 4 * DAY, lastSuccess: 4 * DAY - age }),
      at: 4 * DAY,
    });
  expect(missed(25 * HOUR)).toEqual([]);
  expect(missed(27 * HOUR)).toEqual(["PrometheusBackupFailed"]);
});

slowTest("a weekly schedule does not cry on Monday, but after a week and a day", () => {
  const age = (days: number): string[] =>
    firing(own(weekly), {
      series: hostSeries({ name, interval: 7 * DAY, at: 20 * DAY, lastSuccess: (20 - days) * DAY }),
      at: 20 * DAY,
    });
  expect(age(1)).toEqual([]);
  expect(age(6.9)).toEqual([]);
  expect(age(8)).toEqual(["PrometheusBackupFailed"]);
});

test.each<[string, Record<string, number | null>, string[]]>([
  ["a failed run", { last_exit_code: 8 }, ["PrometheusBackupLastRunFailed"]],
  [
    "a run without the admin API",
    { last_exit_code: 5 },
    ["PrometheusBackupLastRunFailed", "PrometheusBackupAdminApiDisabled"],
  ],
  ["an admin API that others reach", { admin_api_exposed: 1 }, ["PrometheusBackupAdminApiExposed"]],
  ["a server that did not say where it listens", { admin_api_exposed: null }, []],
  ["a failed verification", { last_exit_code: 9 }, ["PrometheusBackupLastRunFailed", "PrometheusBackupVerifyFailed"]],
  [
    "a damaged manifest, found by a run that is good itself",
    { repository_damaged_backups: 1 },
    ["PrometheusBackupVerifyFailed"],
  ],
  ["manifests that are all sound", { repository_damaged_backups: 0 }, []],
  ["damage found by verify or drill", { verify_last_exit_code: 9 }, ["PrometheusBackupVerifyFailed"]],
  ["a drill for which there was no space", { verify_last_exit_code: 7 }, []],
  ["no drill where none is scheduled", { verify_last_success_timestamp_seconds: -90 * DAY }, []],
  ["a run of 31 minutes", { last_duration_seconds: 1860 }, ["PrometheusBackupTooSlow"]],
  ["a run of 29 minutes", { last_duration_seconds: 1740 }, []],
  ["a run of 31 minutes where two hours are right", { last_duration_seconds: 1860, duration_limit_seconds: 7200 }, []],
  [
    "a run of 31 minutes of a job that states no limit",
    { last_duration_seconds: 1860, duration_limit_seconds: null },
    ["PrometheusBackupTooSlow"],
  ],
  ["a suspect backup", { suspect: 1 }, ["PrometheusBackupSuspect"]],
  [
    "a damaged block of the server",
    { last_exit_code: 9, damaged_blocks: 1, lost_blocks: 0 },
    ["PrometheusBackupLastRunFailed", "PrometheusBackupBlocksDamaged"],
  ],
  [
    "a lost block of the server",
    { last_exit_code: 9, damaged_blocks: 0, lost_blocks: 2 },
    ["PrometheusBackupLastRunFailed", "PrometheusBackupBlocksLost"],
  ],
  [
    "a failed verification where all blocks are sound",
    { last_exit_code: 9, damaged_blocks: 0, lost_blocks: 0 },
    ["PrometheusBackupLastRunFailed", "PrometheusBackupVerifyFailed"],
  ],
  [
    "blocks that are all sound",
    { damaged_blocks: 0, lost_blocks: 0, future_blocks: 0, repository_future_backups: 0 },
    [],
  ],
  ["a backup from the future", { repository_future_backups: 1 }, ["PrometheusBackupFromTheFuture"]],
  ["samples from the future", { future_blocks: 1 }, ["PrometheusBackupFromTheFuture"]],
  ["snapshots that stay", { leftover_snapshots: 2 }, ["PrometheusBackupLeftoverSnapshots"]],
  ["data that is three days old", { newest_sample_timestamp_seconds: 0 }, ["PrometheusBackupDataTooOld"]],
  ["a repository without a sample", { newest_sample_timestamp_seconds: null, size_bytes: null }, []],
])("%s", (_what, values, alerts) => {
  expect(firing(own(daily), { series: dailyHost(values), at: 3 * DAY })).toEqual(alerts);
});

test("a backup that is less than half of the week's largest", () => {
  const size = (last: number, ratio = 0.5): string[] => {
    const series = dailyHost({ suspect_below_ratio: ratio });
    const [key = ""] = Object.keys(series).filter(metric => metric.startsWith("prometheus_backup_size_bytes"));
    return firing(own(daily), { series: { ...series, [key]: `1000x200 ${last}x100` }, at: 3 * DAY });
  };
  expect(size(490)).toEqual(["PrometheusBackupSizeDropped"]);
  expect(size(510)).toEqual([]);
  expect([size(490, 0), size(790, 0.8)]).toEqual([[], ["PrometheusBackupSizeDropped"]]);
});

test("a monthly schedule remembers the size of the month before", () => {
  const at = 60 * DAY;
  const series = hostSeries({ name, interval: 31 * DAY, at, lastSuccess: at - 10 * DAY, step: 4 * HOUR });
  const [key = ""] = Object.keys(series).filter(metric => metric.startsWith("prometheus_backup_size_bytes"));
  const dropped = firing(own("0 3 1 * *"), { series: { ...series, [key]: "1000x300 100x100" }, at, step: 4 * HOUR });
  expect(dropped).toEqual(["PrometheusBackupSizeDropped"]);
});

test("one repository that falls behind the other is named", () => {
  const series = dailyHost();
  const behind = (success: number | undefined, code: number): string[] =>
    firingAlerts(own(daily), {
      series: {
        ...Object.fromEntries(
          Object.entries(series).filter(([key]) => key !== repository("last_success_timestamp_seconds", "offsite")),
        ),
        ...(success === undefined
          ? {}
          : { [repository("last_success_timestamp_seconds", "offsite")]: steady(success, 3 * DAY) }),
        [repository("last_exit_code", "offsite")]: steady(code, 3 * DAY),
      },
      at: 3 * DAY,
    }).map(({ alert, labels }) => `${alert} ${labels["repository"] ?? ""}`);
  const last = 3 * DAY - 20 * HOUR;
  expect(behind(last + 50 * MINUTE, 0)).toEqual([]);
  expect(behind(last - 23 * HOUR, 8)).toEqual(["PrometheusBackupRepositoriesDisagree offsite"]);
  expect(behind(undefined, 8)).toEqual(["PrometheusBackupRepositoriesDisagree offsite"]);
  // Added to the settings since the last run: nothing is known of it yet.
  expect(behind(undefined, 0)).toEqual([]);
});

slowTest("drills that have stopped, never came or never succeeded are missed where they are scheduled", () => {
  const at = 30 * DAY;
  const drill = (values: Record<string, number>): string[] =>
    firing(own(daily), {
      series: hostSeries(
        { name, interval: DAY, at, lastSuccess: at - 20 * HOUR },
        { drill_interval_seconds: 7 * DAY, ...values },
      ),
      at,
    });
  const age = (days: number): string[] =>
    drill({
      verify_last_exit_code: 0,
      verify_last_success_timestamp_seconds: (30 - days) * DAY,
      drill_scheduled_since_timestamp_seconds: 0,
    });
  expect(age(6.9)).toEqual([]);
  expect(age(7.9)).toEqual([]);
  expect(age(8.1)).toEqual(["PrometheusBackupVerifyStale"]);
  // Scheduled since the day before yesterday: the first drill is still to come; after nine days it should have.
  expect(drill({ drill_scheduled_since_timestamp_seconds: 28 * DAY })).toEqual([]);
  expect(drill({ drill_scheduled_since_timestamp_seconds: 21 * DAY })).toEqual(["PrometheusBackupVerifyStale"]);
  expect(drill({ verify_last_exit_code: 7, drill_scheduled_since_timestamp_seconds: 28 * DAY })).toEqual([
    "PrometheusBackupVerifyStale",
  ]);
  expect(drill({ verify_last_exit_code: 7, verify_last_success_timestamp_seconds: 28 * DAY })).toEqual([]);
});

slowTest("F21: a run that crashed leaves old metrics, and their age tells", () => {
  const crashed = (schedule: string, interval: number, age: number): string[] =>
    firing(own(schedule), {
      series: hostSeries({ name, interval, at: 30 * DAY, lastSuccess: 30 * DAY - age }),
      at: 30 * DAY,
    });
  expect(crashed(daily, DAY, 50 * HOUR)).toEqual(["PrometheusBackupFailed", "PrometheusBackupTextfileStale"]);
  expect(crashed(weekly, 7 * DAY, 50 * HOUR)).toEqual([]);
  expect(crashed(weekly, 7 * DAY, 15 * DAY)).toEqual([
    "PrometheusBackupFailed",
    "PrometheusBackupDataTooOld",
    "PrometheusBackupTextfileStale",
  ]);
});

test("a report of the same name, written elsewhere once a week, is not the metrics file", () => {
  const report =
    'node_textfile_mtime_seconds{file="/var/lib/node/prometheus_backup_report.prom",instance="prom-a:9100",job="node"}';
  expect(
    firing(own("0 * * * *"), {
      series: {
        ...hostSeries({ name, interval: HOUR, at: 3 * DAY, lastSuccess: 3 * DAY - 600 }),
        [report]: steady(0, 3 * DAY),
      },
      at: 3 * DAY,
    }),
  ).toEqual([]);
});

test.each<[string, Series]>([
  ["that is marked", exporterSeries({ name, at: 2 * DAY })],
  ["of its own that is not marked", exporterSeries({ name, at: 2 * DAY, target: "" })],
  [
    "without a node_exporter that its server sees",
    { 'up{job="prometheus",instance="localhost:9090"}': steady(1, 2 * DAY) },
  ],
])("F21: a host %s and has no metrics at all", (_what, series) => {
  expect(firing(own(daily), { series, at: 2 * DAY })).toEqual(["PrometheusBackupNeverRan"]);
  // A new host has until its first run.
  expect(firing(own(daily), { series, at: 20 * HOUR })).toEqual([]);
});

test("F22: another host that is marked and has no metrics is missed by the server that scrapes it", () => {
  const series = {
    ...dailyHost(),
    ...exporterSeries({ name: "prom-b", at: 3 * DAY }),
    ...exporterSeries({ name: "web", at: 3 * DAY, target: "" }),
  };
  expect(
    firingAlerts(own(daily), { series, at: 3 * DAY }).map(({ alert, labels }) => [alert, labels["instance"]]),
  ).toEqual([["PrometheusBackupNeverRan", "prom-b:9100"]]);
});

test("F21: an exporter that is down is missed, marked or not, as soon as it has served metrics", () => {
  const down = (series: Series): string[] => firing(own(daily), { series, at: 3 * DAY });
  expect(
    firing(own(daily), {
      series: { 'up{job="node",prometheus_backup="enabled",instance="prom-a:9100"}': steady(0, 20 * HOUR) },
      at: 20 * HOUR,
    }),
  ).toEqual(["PrometheusBackupExporterDown"]);
  const gone = Object.fromEntries(
    Object.entries(hostSeries({ name, interval: DAY, at: 2 * DAY, lastSuccess: DAY, target: "" })).map(
      ([key, values]) => [key, `${values} stale`],
    ),
  );
  const up = 'up{instance="prom-a:9100",job="node"}';
  // Two days of metrics, then nothing but an exporter that does not answer. Another one that is down is none of ours.
  expect(down({ ...gone, [up]: "1x192 0x200", 'up{instance="web:9100",job="node"}': steady(0, 3 * DAY) })).toEqual([
    "PrometheusBackupExporterDown",
  ]);
});

test("F21: an exporter that cannot read its files", () => {
  const [key = ""] = Object.keys(dailyHost()).filter(metric => metric.startsWith("node_textfile_scrape_error"));
  expect(firing(own(daily), { series: { ...dailyHost(), [key]: steady(1, 3 * DAY) }, at: 3 * DAY })).toEqual([
    "PrometheusBackupTextfileBroken",
  ]);
});

test("every rule has the form that people and tools rely on", () => {
  for (const rule of alertRules(own("@weekly", { labels: { team: "a" }, runbookBase: "https://example.org/" }))) {
    expect(rule.alert).toMatch(/^PrometheusBackup[A-Z][A-Za-z]+$/);
    expect(rule.labels).toEqual({ team: "a", severity: expect.stringMatching(/^(critical|warning|info)$/) as unknown });
    expect(rule.annotations["summary"]).toMatch(/^[A-Z][^{}]*\.$/);
    expect(rule.annotations["description"]).toMatch(/\.$/);
    expect(rule.annotations["runbook_url"]).toBe(`https://example.org/${rule.alert}.md`);
    expect(rule.expr).not.toContain("absent(");
  }
});

test("descriptions speak of the host's own schedule", () => {
  fs.writeFileSync(path.join(directory, "described.yml"), renderAlertRules(own(daily)));
  const labels = {
    alertname: "PrometheusBackupFailed",
    severity: "critical",
    host: name,
    environment: "test",
    instance: "prom-a:9100",
    job: "node",
    prometheus_backup: "enabled",
  };
  const series = hostSeries({ name, interval: DAY, at: 4 * DAY, lastSuccess: 4 * DAY - 27 * HOUR });
  fs.writeFileSync(
    path.join(directory, "described.test.yml"),
    JSON.stringify({
      rule_files: ["described.yml"],
      evaluation_interval: "15m",
      tests: [
        {
          interval: "15m",
          input_series: Object.entries(series).map(([metric, values]) => ({ series: metric, values })),
          alert_rule_test: [
            {
              eval_time: "4d",
              alertname: "PrometheusBackupFailed",
              exp_alerts: [
                {
                  exp_labels: labels,
                  exp_annotations: {
                    summary: "Prometheus has had no successful backup for longer than its schedule allows.",
                    description:
                      "The last successful backup of prom-a is 1d 3h 0m 0s old; it should run at least every 1d 0h 0m 0s.",
                    runbook_url: "docs/runbooks/PrometheusBackupFailed.md",
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  expect(promtool(directory, "test", "rules", "described.test.yml")).toBe("");
});

test("durations are written in the largest unit that fits", () => {
  expect([0, 59, 60, 5400, 7200, 86400, 604800].map(duration)).toEqual(["0s", "59s", "1m", "90m", "2h", "1d", "7d"]);
});
