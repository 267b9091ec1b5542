// F21: metrics that do not arrive. A real node_exporter serves the file of a real run, a real server asks the rules:
// each fault raises an alert, and the alert names the host. (How long each has to last is tested with promtool, in
// test/alerts.)
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { renderAlertRules } from "../../components/alertRules/rules";
import { waitUntil } from "../tools/process";
import { startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { Site } from "./site";

const name = "watched";
const EXPORTER = "127.0.0.1:9442";
const unit = `test-exporter-${name}`;

let setting: Setting;
let server: OwnServer;
let site: Site;
let file: string;

beforeAll(async () => {
  setting = await openSetting();
  const rules = renderAlertRules({
    intervals: [{ seconds: 86_400, tooSlowSeconds: 1800 }],
    hostName: name,
    exporterJobs: ["node"],
    labels: {},
    runbookBase: "docs/runbooks/",
  });
  await setting.host.writeFile(`/srv/sites/${name}/rules.yml`, rules.replace(/^( +for: ).*$/gm, "$10s"));
  server = await startOwnServer(setting.host, {
    name,
    port: 9441,
    globals: "evaluation_interval: 1s",
    configuration: "rule_files: [ rules.yml ]\n",
    jobs: [
      `{ job_name: node, scrape_interval: 1s, static_configs: [ { targets: ["${EXPORTER}"], labels: { prometheus_backup: enabled } } ] }`,
    ],
  });
  site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: ["local"] });
  file = `${site.textfileDirectory}/prometheus_backup.prom`;
  await site.good();
  await startExporter();
});

afterAll(async () => {
  await setting.host.exec(`systemctl stop ${unit}`);
  await server.stop();
  await setting.stop();
});

const startExporter = () =>
  setting.host.run(
    `systemd-run --quiet --collect --unit ${unit} --uid prometheus prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory=${site.textfileDirectory} --web.listen-address=${EXPORTER}`,
  );

/** Alerts that fire, each with the target or the host that it names. */
async function alerts(): Promise<string[]> {
  const answer = JSON.parse(await setting.host.run(`curl -sS ${server.url}/api/v1/alerts`)) as {
    data: { alerts: { state: string; labels: Record<string, string> }[] };
  };
  return answer.data.alerts
    .filter(({ state }) => state === "firing")
    .map(({ labels }) => `${labels.alertname}: ${labels.instance ?? labels.host}`)
    .sort();
}

/** Waits until exactly these alerts fire. */
async function expectAlerts(expected: string[]): Promise<void> {
  let seen: string[] = [];
  await waitUntil(
    "the alerts are as expected",
    60,
    async () => JSON.stringify((seen = await alerts())) === JSON.stringify(expected),
  ).catch(() => undefined);
  expect(seen).toEqual(expected);
}

/** No fault yet, and none left: the metrics are served, and no rule has anything to say. */
beforeEach(async () => {
  const served = `curl -sS '${server.url}/api/v1/query?query=prometheus_backup_last_success_timestamp_seconds'`;
  await waitUntil("the metrics of the run are served", 60, async () =>
    (await setting.host.exec(served)).stdout.includes(`"host":"${name}"`),
  );
  await expectAlerts([]);
});

/** A fault, what it raises, and how it ends. */
test.each<[string, () => string, string[], () => string]>([
  [
    "a file that node_exporter may not read",
    () => `chmod 0000 ${file}`,
    [
      `PrometheusBackupNeverRan: ${EXPORTER}`,
      `PrometheusBackupNeverRan: ${name}`,
      `PrometheusBackupTextfileBroken: ${EXPORTER}`,
    ],
    () => `chmod 0644 ${file}`,
  ],
  [
    "a directory that is missing",
    () => `mv ${site.textfileDirectory} ${site.textfileDirectory}.gone`,
    [
      `PrometheusBackupNeverRan: ${EXPORTER}`,
      `PrometheusBackupNeverRan: ${name}`,
      `PrometheusBackupTextfileBroken: ${EXPORTER}`,
    ],
    () => `mv ${site.textfileDirectory}.gone ${site.textfileDirectory}`,
  ],
  [
    "a file that is not written any more",
    () => `touch -d '3 days ago' ${file}`,
    [`PrometheusBackupTextfileStale: ${EXPORTER}`],
    () => `touch ${file}`,
  ],
  [
    "a job that never ran",
    () => `mv ${file} ${file}.gone`,
    [`PrometheusBackupNeverRan: ${EXPORTER}`, `PrometheusBackupNeverRan: ${name}`],
    () => `mv ${file}.gone ${file}`,
  ],
  [
    "a node_exporter that is down",
    () => `systemctl stop ${unit}`,
    [`PrometheusBackupExporterDown: ${EXPORTER}`, `PrometheusBackupNeverRan: ${name}`],
    () => ":",
  ],
])("F21: %s is named by an alert, which ends with the fault", async (_what, fault, expected, mend) => {
  await setting.host.run(fault());
  await expectAlerts(expected);
  await setting.host.run(mend());
  if ((await setting.host.exec(`systemctl is-active ${unit}`)).code !== 0) {
    await startExporter();
  }
  await expectAlerts([]);
});
