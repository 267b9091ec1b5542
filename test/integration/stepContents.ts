// What the steps of a host are given, as small as a test can have it.
import { renderSettings } from "../../components/backupJob/confFile";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import { parseConfig } from "../../components/stack/config";
import { renderHostCommand } from "../../components/host/programs";
import { StepName } from "../../components/host/stepName";
import { type StepContent } from "../../components/host/payload";

export const url = "http://127.0.0.1:9090";
export const rulesPath = "/etc/prometheus/rules/prometheus-backup.yml";
export const rules =
  "groups:\n  - name: prometheus-backup\n    rules:\n      - alert: PrometheusBackupFailed\n        expr: vector(1) > 2\n";
export const hostile = "$(touch /tmp/executed) `id` 'single' \"double\" \\ % ü €";

export const adminApi = (settings: Record<string, string> = {}): StepContent => ({
  settings: { UNIT: "prometheus.service", URL: url, EXPOSURE: "loopback", READY_TIMEOUT_SECONDS: "30", ...settings },
});
export const textfile = (settings: Record<string, string> = {}): StepContent => ({
  settings: {
    DIRECTORY: "",
    EXPORTER_UNIT: "",
    EXPORTER_URL: "http://127.0.0.1:9100/metrics",
    OWNER: "prometheus",
    ...settings,
  },
});
export const credentials = (text = hostile): StepContent => ({
  settings: { BACKUP_USER: "prometheus" },
  files: { "/etc/prometheus-backup/credentials/offsite": { content: `${text}\n`, mode: "0640", owner: "root:root" } },
});
export const alertRules = (content = rules, mode = "0644"): StepContent => ({
  settings: { UNIT: "prometheus.service", URL: url, GROUP: "prometheus-backup" },
  files: { [rulesPath]: { content, mode, owner: "root:root" } },
});
export const backupJob = (user = "prometheus"): StepContent => ({
  settings: { PACKAGES: "curl jq zstd rclone openssl cron logrotate", BACKUP_USER: user, UNIT: "prometheus.service" },
  files: {
    "/etc/prometheus-backup/prometheus-backup.conf": {
      content: renderSettings({
        HOST_NAME: "prom-1",
        ENVIRONMENT: hostile,
        BACKUP_USER: user,
        SOURCE: user === "root" ? "cold" : "snapshot",
        TEXTFILE_DIR: "",
        REPOSITORY_COUNT: "1",
        REPOSITORY_1_NAME: "local",
        REPOSITORY_1_TYPE: "path",
        REPOSITORY_1_LOCATION: "/backup/it's $(id > x)",
      }),
      mode: "0644",
      owner: "root:root",
    },
    "/etc/cron.d/prometheus-backup": {
      content: "SHELL=/bin/sh\n0 2 * * * prometheus /usr/local/bin/prometheus-backup.sh\n",
      mode: "0644",
      owner: "root:root",
    },
  },
  carried: {
    "/usr/local/bin/prometheus-backup.sh": { content: renderHostCommand(), mode: "0755", owner: "root:root" },
  },
});
/** The job as the settings of a stack make it. */
export function jobOf(settings: Record<string, unknown>): StepContent {
  const host = { name: "prom-1", address: "192.0.2.1", insecureHostKey: true, ...settings };
  const fleet = parseConfig({ environment: "test", hosts: [host] }, () => "secret");
  const content = fleetArtefacts(fleet)["prom-1"]?.steps[StepName.backupJob];
  if (content === undefined) {
    throw new Error("the host has no job");
  }
  return content;
}
export const all: [StepName, () => StepContent][] = [
  [StepName.adminApi, adminApi],
  [StepName.textfileDirectory, textfile],
  [StepName.credentials, credentials],
  [StepName.backupJob, backupJob],
  [StepName.alertRules, alertRules],
];
