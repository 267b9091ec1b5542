/** Every path on a host, in one place: scripts, documentation and tests depend on them. */
export const paths = {
  hostCommand: "/usr/local/bin/prometheus-backup.sh",
  configDirectory: "/etc/prometheus-backup",
  settings: "/etc/prometheus-backup/prometheus-backup.conf",
  rclone: "/etc/prometheus-backup/rclone.conf",
  credentials: "/etc/prometheus-backup/credentials",
  knownHosts: "/etc/prometheus-backup/known_hosts",
  remoteWrite: "/etc/prometheus-backup/remote-write.yml",
  remoteWriteFiles: "/etc/prometheus-backup/remote-write",
  cron: "/etc/cron.d/prometheus-backup",
  units: "/etc/systemd/system",
  completion: "/usr/local/share/bash-completion/completions/prometheus-backup.sh.bash",
  manPage: "/usr/local/share/man/man8/prometheus-backup.sh.8",
  logrotate: "/etc/logrotate.d/prometheus-backup",
  log: "/var/log/prometheus-backup.log",
  state: "/var/lib/prometheus-backup",
  bootstrapped: "/var/lib/prometheus-backup-restore/bootstrapped",
  steps: "/usr/local/lib/prometheus-backup",
  victoriaMetrics: "/usr/local/bin/victoria-metrics-prod",
  packagedVictoriaMetrics: "/usr/bin/victoria-metrics",
  victoriaMetricsUnit: "/etc/systemd/system/victoria-metrics.service",
  victoriaMetricsDropIn: "/etc/systemd/system/victoria-metrics.service.d/zz-prometheus-backup.conf",
} as const;

/** Name of the credentials file with the curl configuration for the server's API. */
export const apiCredentialsName = "prometheus-api";
export const exporterCredentialsName = "node-exporter";

/** Name of the credentials file with the URL of the watcher. */
export const heartbeatName = "heartbeat";
