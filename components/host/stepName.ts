/** The host steps, in the order in which they run on a host. */
export const StepName = {
  adminApi: "admin-api",
  textfileDirectory: "textfile-directory",
  credentials: "credentials",
  backupJob: "backup-job",
  bootstrap: "bootstrap",
  alertRules: "alert-rules",
  victoriaMetrics: "victoria-metrics",
  remoteWriteCredentials: "remote-write-credentials",
  remoteWrite: "remote-write",
} as const;
export type StepName = (typeof StepName)[keyof typeof StepName];
