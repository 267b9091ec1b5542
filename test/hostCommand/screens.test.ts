// What an operator sees, on a host as `up` leaves it: docs/screens.md shows it.
// `npm run screens -- --write` writes that page anew.
import { afterAll, beforeAll, expect } from "vitest";
import { renderAlertRules } from "../../components/alertRules/rules";
import { alertRulesPlan } from "../../components/alertRules/step";
import { renderCron } from "../../components/backupJob/cron";
import { localCalendar } from "../../components/fields/calendar";
import { waitForPrometheus } from "../hosts/host";
import { differences, readPage, WRITE, writePage } from "../screens/page";
import { recordPreview } from "../screens/preview";
import { record } from "../screens/record";
import { LOCAL, operatorSession } from "../screens/session";
import { recordTools } from "../screens/tools";
import { startWebhook, type Webhook } from "../servers/webhook";
import { waitUntil } from "../tools/process";
import { LOG, SETTINGS } from "./install";
import { HISTORY, openSetting, type Setting } from "./setting";
import { Site } from "./site";
import { alertsOf, watchClosely } from "./watched";
import { slowTest } from "../runner/pace";

const name = "prom-1";
const TEXTFILES = "/var/lib/prometheus/node-exporter";
const STATE = "/var/lib/prometheus-backup";
/** Every day, but not while the session is recorded. */
const schedule = `12 ${(new Date().getUTCHours() + 12) % 24} * * *`;
let setting: Setting;
let site: Site;
let webhook: Webhook;
let unwatch: () => Promise<void>;

/** The server of the host with so many of the oldest blocks of the history: the screens must not depend on the hour. */
async function startServer(blocks: number, flags: string): Promise<void> {
  const { host } = setting;
  await host.run(`
    set -Eeuo pipefail
    systemctl stop prometheus
    cd ${host.paths.dataDirectory}
    rm -rf -- *
    find ${HISTORY} -mindepth 1 -maxdepth 1 | sort | head -n ${blocks} | xargs cp -a --target-directory .
    printf 'ARGS="--web.listen-address=127.0.0.1:9090 ${flags}"\\n' >/etc/default/prometheus
    systemctl start prometheus`);
  await waitForPrometheus(host);
}

beforeAll(async () => {
  setting = await openSetting();
  const { host, minio } = setting;
  await host.run(`
    rm -rf ${STATE} ${TEXTFILES}/*.prom
    install -d -o prometheus -g prometheus -m 0755 ${TEXTFILES} ${STATE} /backup`);
  await startServer(
    4,
    "--web.enable-admin-api --storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h",
  );
  site = await Site.create(setting, {
    name,
    prometheusUrl: "http://127.0.0.1:9090",
    localPath: LOCAL,
    settings: {
      TEXTFILE_DIR: TEXTFILES,
      STATE_DIR: STATE,
      KEEP_DAYS: "30",
      RUN_CALENDAR: localCalendar(schedule).join(";"),
    },
  });
  await host.run(`cp ${site.configuration} ${SETTINGS}; truncate --size 0 ${LOG}`);
  await host.writeFile("/etc/cron.d/prometheus-backup", renderCron("prometheus", [{ schedule, command: "run" }]));
  webhook = await startWebhook(new URL(minio.endpointForHosts).hostname);
  unwatch = await watchClosely(host, renderAlertRules(alertRulesPlan(name, {}, { schedule }).rules), webhook.url);
  // A series that has ended is in every backup of the session, so that the drill always tells of it.
  const neverRan = async () => (await alertsOf(host)).some(({ name: alert }) => alert === "PrometheusBackupNeverRan");
  await waitUntil("the rules miss the first run", 60, neverRan);
  await site.good("run");
  await waitUntil("the rules have seen the first run", 60, async () => !(await neverRan()));
});

afterAll(async () => {
  await unwatch();
  await webhook.stop();
  await setting.host.run(`rm -rf /etc/cron.d/prometheus-backup ${SETTINGS} ${LOCAL}* ${STATE}/* ${TEXTFILES}/*.prom`);
  await startServer(1000, "");
  await setting.stop();
});

slowTest("the screens of the operator, and the first one of a newcomer, are those of docs/screens.md", async () => {
  const screens = await record(setting.host, operatorSession);
  const first = await recordPreview();
  if (WRITE) {
    writePage([first, ...recordTools(), ...screens]);
  }
  expect(differences(readPage(), [first, ...screens])).toEqual([]);
});
