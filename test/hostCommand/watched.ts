// The host's own server as a watcher of its backups: node_exporter scraped every second, the alert rules loaded, and an
// Alertmanager of the same host that tells a webhook.
import { quote, type Host } from "../hosts/host";
import { waitUntil } from "../tools/process";

const CONFIGURATION = "/etc/prometheus/prometheus.yml";
const RULES = "/etc/prometheus/watched-test.yml";
const ALERTMANAGER = "test-alertmanager";
const DIRECTORY = "/srv/alertmanager";

export interface Alert {
  name: string;
  state: "pending" | "firing";
}

/** Watches until the returned function is called. `rules` are a rules file, `webhook` the address that is told. */
export async function watchClosely(host: Host, rules: string, webhook: string): Promise<() => Promise<void>> {
  await startAlertmanager(host, webhook);
  const before = await host.readFile(CONFIGURATION);
  await host.writeFile(RULES, rules);
  await host.writeFile(
    CONFIGURATION,
    `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${RULES}]
alerting: { alertmanagers: [ { static_configs: [ { targets: ["127.0.0.1:9093"] } ] } ] }
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ["127.0.0.1:9100"], labels: { prometheus_backup: enabled } }]
`,
  );
  await host.run(`promtool check config ${CONFIGURATION} && systemctl reload prometheus`);
  return async () => {
    await host.writeFile(CONFIGURATION, before);
    await host.run(`rm ${RULES} && systemctl reload prometheus; systemctl stop ${ALERTMANAGER}`);
  };
}

/**
 * The package is only unpacked, its templates where it looks for them: its own service would listen on every address.
 */
async function startAlertmanager(host: Host, webhook: string): Promise<void> {
  const configuration = {
    route: { receiver: "on-call", group_wait: "1s", group_interval: "1s" },
    receivers: [{ name: "on-call", webhook_configs: [{ url: webhook }] }],
  };
  await host.run(`
    set -Eeuo pipefail
    mkdir -p ${DIRECTORY}
    cd ${DIRECTORY}
    dpkg-deb --extract /var/cache/apt/archives/prometheus-alertmanager_*.deb package
    ln -sfn ${DIRECTORY}/package/usr/share/prometheus/alertmanager /usr/share/prometheus/alertmanager`);
  await host.writeFile(`${DIRECTORY}/alertmanager.yml`, JSON.stringify(configuration));
  const flags = `--config.file=alertmanager.yml --storage.path=data --web.listen-address=127.0.0.1:9093 --cluster.listen-address=`;
  await host.run(
    `systemd-run --quiet --collect --unit ${ALERTMANAGER} --working-directory ${DIRECTORY} ${DIRECTORY}/package/usr/bin/prometheus-alertmanager ${flags}`,
  );
  await waitUntil(
    "Alertmanager is ready",
    60,
    async () => (await host.exec("curl -fsS 127.0.0.1:9093/-/ready")).code === 0,
  );
}

/** The alerts that the server has now. */
export async function alertsOf(host: Host): Promise<Alert[]> {
  const answer = JSON.parse(await host.run("curl -fsS 127.0.0.1:9090/api/v1/alerts")) as {
    data: { alerts: { labels: { alertname: string }; state: Alert["state"] }[] };
  };
  return answer.data.alerts.map(({ labels, state }) => ({ name: labels.alertname, state }));
}

/** The alerts of one name that Alertmanager holds now, as their labels. */
export async function heldAlerts(host: Host, name: string): Promise<Record<string, string>[]> {
  const filter = quote(
    `http://127.0.0.1:9093/api/v2/alerts?${new URLSearchParams({ filter: `alertname="${name}"` }).toString()}`,
  );
  const answer = JSON.parse(await host.run(`curl -fsS ${filter}`)) as { labels: Record<string, string> }[];
  return answer.map(({ labels }) => labels);
}

/** What a webhook was told of an alert: `firing`, `resolved`, in the order of the messages. */
export function toldOf(received: string[], name: string): string[] {
  const messages = received.map(
    text => JSON.parse(text) as { alerts: { status: string; labels: { alertname: string } }[] },
  );
  return messages.flatMap(({ alerts }) =>
    alerts.filter(({ labels }) => labels.alertname === name).map(({ status }) => status),
  );
}
