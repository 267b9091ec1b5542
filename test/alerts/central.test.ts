// One server that watches fifty hosts of different schedules with one file of rules.
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { expect, test } from "vitest";
import { alertRules, renderAlertRules } from "../../components/alertRules/rules";
import { alertRulesPlan, centralAlertRulesPlan } from "../../components/alertRules/step";
import { DAY, exporterSeries, firingAlerts, HOUR, hostSeries, MINUTE, promtool, Series } from "./promtool";

const schedules: [string, number][] = [
  ["*/10 * * * *", 10 * MINUTE],
  ["0 * * * *", HOUR],
  ["0 */6 * * *", 6 * HOUR],
  ["0 2 * * *", DAY],
  ["0 3 * * 0", 7 * DAY],
];
const fleet = Array.from({ length: 50 }, (_, index) => {
  const [schedule, interval] = schedules[index % schedules.length] ?? ["", 0];
  return { name: `prom-${index + 1}`, schedule, interval };
});
const plan = centralAlertRulesPlan(
  fleet.map(({ name, schedule }) => alertRulesPlan(name, { labels: { team: "infra" } }, { schedule }).rules),
);
const intervalNames: Record<number, string> = {
  [10 * MINUTE]: "10m",
  [HOUR]: "1h",
  [6 * HOUR]: "6h",
  [DAY]: "1d",
  [7 * DAY]: "7d",
};

/** Forty-nine healthy hosts and one that has no backup, as a server that scrapes them all sees them at the end. */
function fiftyHosts(missing: string, at: number, step?: number, isLabelled = true): Series {
  const all = fleet.map(({ name, interval }) => {
    const target = `,prometheus_backup="enabled"${isLabelled ? `,prometheus_backup_interval="${intervalNames[interval] ?? ""}"` : ""}`;
    return name === missing
      ? exporterSeries({ name, at, target, step })
      : hostSeries({ name, interval, at, lastSuccess: at - interval / 2, target, step });
  });
  // What the server scrapes besides is none of ours, whatever it does.
  return Object.assign({}, ...all, {
    'up{instance="web:9100",job="node"}': "1x200",
    'node_textfile_scrape_error{instance="web:9100",job="node"}': "1x200",
  }) as Series;
}

function alerting(missing: string, at: number, step?: number, isLabelled = true): string[] {
  return firingAlerts(plan, { series: fiftyHosts(missing, at, step, isLabelled), at, step }).map(
    ({ alert, labels }) => `${alert} ${labels["instance"] ?? ""}`,
  );
}

test("promtool accepts the rules, none of which comes twice", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
  fs.writeFileSync(path.join(directory, "rules.yml"), renderAlertRules(plan));
  expect(promtool(directory, "check", "rules", "--lint=duplicate-rules", "--lint-fatal", "rules.yml")).toBe("");
  fs.rmSync(directory, { recursive: true });
  // A host more with a schedule that is known makes no rule more.
  const more = centralAlertRulesPlan([
    plan,
    alertRulesPlan("prom-51", { labels: { team: "infra" } }, { schedule: "0 2 * * *" }).rules,
  ]);
  expect(renderAlertRules(more)).toBe(renderAlertRules(plan));
});

test.each([
  ["prom-2", HOUR, 2 * HOUR],
  ["prom-4", 24 * HOUR, 25 * HOUR],
])(
  "of fifty hosts exactly the one without a backup, %s, alerts, once its own schedule has passed",
  (missing, early, late) => {
    expect(alerting(missing, early)).toEqual([]);
    expect(alerting(missing, late)).toEqual([`PrometheusBackupNeverRan ${missing}:9100`]);
  },
);

test("a weekly host without a backup alerts after a week, and so does one whose target says nothing of its schedule", () => {
  const step = 12 * HOUR;
  expect(alerting("prom-5", 7 * DAY, step)).toEqual([]);
  expect(alerting("prom-5", 7.5 * DAY, step)).toEqual(["PrometheusBackupNeverRan prom-5:9100"]);
  expect(alerting("prom-4", 7 * DAY, step, false)).toEqual([]);
  expect(alerting("prom-4", 7.5 * DAY, step, false)).toEqual(["PrometheusBackupNeverRan prom-4:9100"]);
});

test("F22: what is wrong with one host is said of that host, by the limits of its own schedule", () => {
  const at = DAY;
  const hourly = {
    name: "prom-2",
    interval: HOUR,
    at,
    target: ',prometheus_backup="enabled",prometheus_backup_interval="1h"',
  };
  const weekly = {
    name: "prom-5",
    interval: 7 * DAY,
    at,
    target: ',prometheus_backup="enabled",prometheus_backup_interval="7d"',
  };
  const old = { lastSuccess: at - 2.5 * HOUR };
  const leftover = { leftover_snapshots: 1 };
  const series = {
    ...fiftyHosts("", at),
    ...hostSeries({ ...hourly, ...old }, leftover),
    ...hostSeries({ ...weekly, ...old }, leftover),
  };
  expect(
    firingAlerts(plan, { series, at }).map(
      ({ alert, labels }) => `${alert} ${labels["host"] ?? labels["instance"] ?? ""}`,
    ),
  ).toEqual([
    "PrometheusBackupFailed prom-2",
    "PrometheusBackupLeftoverSnapshots prom-2",
    "PrometheusBackupTextfileStale prom-2:9100",
  ]);
});

test("hosts that differ in the rest share what they have in common", () => {
  const both = centralAlertRulesPlan([
    alertRulesPlan("a", { labels: { team: "infra", site: "north" }, exporterJob: "node", tooSlowSeconds: 60 }, {})
      .rules,
    alertRulesPlan("b", { labels: { team: "infra", site: "south" }, exporterJob: "node.exporter" }, {}).rules,
  ]);
  expect(both).toEqual({
    intervals: [{ seconds: DAY, tooSlowSeconds: 1800 }],
    exporterJobs: ["node", "node.exporter"],
    labels: { team: "infra" },
    runbookBase: "docs/runbooks/",
  });
  expect(alertRules(both).find(({ alert }) => alert === "PrometheusBackupNeverRan")?.expr).toBe(
    'up{job=~"node|node\\\\.exporter",prometheus_backup="enabled"} == 1 unless on (instance) prometheus_backup_last_success_timestamp_seconds',
  );
});
