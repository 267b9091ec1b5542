// The main job as it happens every night: the cron entry fires, and afterwards everything is where it should be.
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderCron } from "../../components/backupJob/cron";
import { renderAlertRules } from "../../components/alertRules/rules";
import { alertRulesPlan } from "../../components/alertRules/step";
import { queriesWithoutData } from "../dashboard/onHost";
import { startWebhook } from "../servers/webhook";
import { waitUntil } from "../tools/process";
import { LOG, SETTINGS } from "./install";
import { openSetting, type Setting } from "./setting";
import { query } from "./served";
import { lines } from "./server";
import { Site } from "./site";
import { alertsOf, heldAlerts, toldOf, watchClosely } from "./watched";

let setting: Setting;
let site: Site;
const name = "prom-cron";

beforeAll(async () => {
  setting = await openSetting();
  // This one has the real paths, the host's own server and node_exporter; textfile directory and owner as `up` leaves
  // them.
  await setting.host.run(`
    set -Eeuo pipefail
    install -d -o prometheus -g prometheus -m 0755 /var/lib/prometheus/node-exporter /backup
    printf 'ARGS="--web.listen-address=127.0.0.1:9090 --web.enable-admin-api"\\n' >/etc/default/prometheus
    systemctl restart prometheus
    for i in $(seq 100); do curl -fsS 127.0.0.1:9090/-/ready >/dev/null 2>&1 && exit; sleep 0.2; done`);
  site = await Site.create(setting, {
    name,
    prometheusUrl: "http://127.0.0.1:9090",
    localPath: "/backup/prometheus",
    settings: {
      TEXTFILE_DIR: "/var/lib/prometheus/node-exporter",
      STATE_DIR: "/var/lib/prometheus-backup",
      KEEP_DAYS: "30",
    },
  });
  // Runs of other files on this host have their lines in the log, too.
  await setting.host.run(`cp ${site.configuration} ${SETTINGS}; truncate --size 0 ${LOG}`);
});

afterAll(async () => {
  await setting.host.exec("rm -f /etc/cron.d/prometheus-backup");
  await setting.stop();
});

test("the cron entry fires: a complete backup in both repositories, metrics served, log written, no snapshot left", async () => {
  const { host } = setting;
  await host.writeFile(
    "/etc/cron.d/prometheus-backup",
    renderCron("prometheus", [{ schedule: "* * * * *", command: "run" }]),
  );
  await waitUntil(
    "cron has run a backup",
    100,
    async () => (await host.exec(`grep -q '^[^ ]* done ' ${LOG}`)).code === 0,
  );
  await host.run("rm /etc/cron.d/prometheus-backup");

  const log = lines(await host.readFile(LOG)).map(line =>
    line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /, "").replace(/\d+(\.\d+)?/g, "#"),
  );
  expect(log.filter(line => !/^(snapshot|companions) /.test(line))).toEqual([
    "start backup=#T#Z source=snapshot repositories=local,offsite user=prometheus",
    "blocks count=# bytes=#",
    "plan repository=local new=# pooled=# covered=# heads=# bytes=#",
    "stored repository=local blocks=# sent=# seconds=#",
    "plan repository=offsite new=# pooled=# covered=# heads=# bytes=#",
    "stored repository=offsite blocks=# sent=# seconds=#",
    expect.stringMatching(/^done backup=#T#Z newest_sample=#-#-#T#:#:#Z seconds=#$/),
  ]);

  const listed = await site.list();
  expect(listed.map(({ repository, complete, suspect }) => ({ repository, complete, suspect }))).toEqual([
    { repository: "offsite", complete: true, suspect: false },
    { repository: "local", complete: true, suspect: false },
  ]);
  const offsite = await site.offsiteObjects();
  expect(offsite.delete("catalog.jsonl.zst")).toBe(true);
  // A packed manifest is some bytes larger or smaller, as its digest and its times pack.
  const sizes = (objects: Map<string, number>) =>
    [...objects].map(([object, bytes]) => (object.startsWith("backups/") ? object : `${object} ${bytes}`)).sort();
  expect(sizes(offsite)).toEqual(sizes(await site.localObjects()));

  const served = await host.run("curl -fsS http://127.0.0.1:9100/metrics");
  expect(served).toMatch(
    new RegExp(`^prometheus_backup_last_exit_code\\{environment="test",host="${name}"\\} 0$`, "m"),
  );
  expect(served).toContain("node_textfile_scrape_error 0\n");
  expect(
    (await host.exec("promtool check metrics < /var/lib/prometheus/node-exporter/prometheus_backup.prom")).stderr,
  ).toBe("");
  expect(await host.run("ls -A /var/lib/prometheus/metrics2/snapshots")).toBe("");
});

test("files have the owner and mode that keeps them readable for whom they are meant and nobody else", async () => {
  const shown = await setting.host
    .run(`stat --format '%U %a %n' /var/lib/prometheus/node-exporter/prometheus_backup.prom ${LOG} \
    /backup/prometheus/${name} /backup/prometheus/${name}/owner.json /var/lib/prometheus-backup/lock
    find /backup/prometheus /var/lib/prometheus-backup ! -user prometheus -o -type f -perm /077`);
  expect(lines(shown)).toEqual([
    "prometheus 644 /var/lib/prometheus/node-exporter/prometheus_backup.prom",
    `prometheus 644 ${LOG}`,
    `prometheus 700 /backup/prometheus/${name}`,
    `prometheus 600 /backup/prometheus/${name}/owner.json`,
    "prometheus 600 /var/lib/prometheus-backup/lock",
  ]);
});

test("the next run sends only the head", async () => {
  const before = await site.localObjects();
  await site.good();
  const added = [...(await site.localObjects()).keys()].filter(object => !before.has(object));
  const { name: backup, totals, blocks } = await site.manifest("latest", "local");
  expect(added.sort()).toEqual([
    `backups/${backup}.json`,
    `heads/${backup}.tar.zst`,
    expect.stringMatching(/^marks\/[0-9a-f]{32}$/),
  ]);
  expect(totals.sentBytes).toBe(blocks.find(block => block.head)?.objectBytes);
  expect((await site.good("verify")).stdout.match(/✔/g)).toHaveLength(2);
});

test("a backup that fails: the alert is pending, fires, reaches Alertmanager and on-call, and a good run ends it; the dashboard has it all", async () => {
  const { host, minio } = setting;
  const failed = "PrometheusBackupLastRunFailed";
  expect((await site.manifest()).lastDrill).toBeNull();
  await site.good("drill");
  const webhook = await startWebhook(new URL(minio.endpointForHosts).hostname);
  const unwatch = await watchClosely(
    host,
    renderAlertRules(alertRulesPlan(name, {}, { schedule: "* * * * *" }).rules),
    webhook.url,
  );
  const stateOf = async (alert: string) =>
    (await alertsOf(host)).find(({ name: found }) => found === alert)?.state ?? "none";
  const withoutData = async (what: string, wanted: string[]): Promise<void> => {
    let found: string[] = [];
    await waitUntil(
      what,
      120,
      async () => (found = await queriesWithoutData(host, name)).join() === wanted.join(),
    ).catch(() => undefined);
    expect(found, what).toEqual(wanted);
  };
  // Its server was never stopped for a backup; test/dashboard has a host whose was.
  const never = "Server down for a backup or restore: downtime";
  try {
    await withoutData("a good host has everything but alerts", [
      "Hosts, the worst first: alerts",
      "Alerts: alerts",
      never,
      "annotation: Alerts of the host",
    ]);
    await site.configure({ PROMETHEUS_URL: "http://127.0.0.1:9" });
    expect((await site.command("run")).code).toBe(4);

    await waitUntil("the alert fires", 120, async () => (await stateOf(failed)) === "firing");
    // Its states by when they were first seen; a look now and then could miss the first one.
    const states = await query(host, "http://127.0.0.1:9090", `ALERTS{alertname="${failed}"}[10m]`);
    const since = states.map(({ metric, values }) => ({ state: metric["alertstate"], at: values[0]?.[0] ?? 0 }));
    expect(since.sort((a, b) => a.at - b.at).map(({ state }) => state)).toEqual(["pending", "firing"]);
    await waitUntil("on-call is told", 60, () => Promise.resolve(toldOf(webhook.received, failed).includes("firing")));
    expect(await heldAlerts(host, failed)).toEqual([
      expect.objectContaining({ alertname: failed, host: name, severity: "warning" }),
    ]);
    await withoutData("the dashboard shows the alert", [never]);

    await site.configure();
    await site.good("run");
    const served = await host.run("curl -fsS 127.0.0.1:9100/metrics");
    const value = (metric: string) =>
      Number(new RegExp(`^prometheus_backup_${metric}{.*} (\\S+)$`, "m").exec(served)?.[1]);
    expect((await site.manifest()).lastDrill).toEqual({
      finishedAt: new Date(value("drill_last_success_timestamp_seconds") * 1000).toISOString().replace(".000", ""),
      restoreSeconds: value("drill_restore_seconds"),
    });
    await waitUntil("on-call is told that it is over", 120, () =>
      Promise.resolve(toldOf(webhook.received, failed).at(-1) === "resolved"),
    );
    expect([await stateOf(failed), await heldAlerts(host, failed)]).toEqual(["none", []]);
  } finally {
    await site.configure();
    await unwatch();
    await webhook.stop();
  }
});
