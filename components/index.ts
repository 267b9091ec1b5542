/** What others import: components, their arguments, their enums. Nothing here runs on import. */
// First, because Pulumi's schema takes the documentation of a type from files that it has read before the type is used.
export { HostArgs, SshBastion, SshConnection } from "./host/connection";
export { PrometheusServer } from "./host/server";
export { AdminApiSettings, Exposure } from "./adminApi/settings";
export { TextfileSettings } from "./textfileDirectory/settings";
export { Proof, Repository, SftpDirectory } from "./backupJob/repository";
export { Retention } from "./backupJob/retention";
export { Limits } from "./backupJob/limits";
export { Compression, DrillSettings, Format, JobSettings, Scheduler, SkipHead, Source } from "./backupJob/settings";
export { BootstrapSource } from "./bootstrap/settings";
export { AlertSettings } from "./alertRules/settings";
export { VictoriaMetricsDownload, VictoriaMetricsSettings } from "./victoriaMetrics/settings";
export {
  Arrival, RelabelAction, RemoteWriteBasicAuth, RemoteWritePreset, RemoteWriteQueue, RemoteWriteTarget, RemoteWriteTls,
  WriteRelabelConfig,
} from "./remoteWrite/settings";
export { LockMode, ObjectLock, OffsiteBucketSettings, OffsiteHost } from "./offsiteBucket/settings";
export { BackupSettings } from "./backupSettings";
export { AdminApi, AdminApiArgs } from "./adminApi/component";
export { AlertRules, AlertRulesArgs } from "./alertRules/component";
export { BackupJob, BackupJobArgs } from "./backupJob/component";
export { Bootstrap, BootstrapArgs } from "./bootstrap/component";
export { OffsiteBucket, OffsiteBucketArgs } from "./offsiteBucket/component";
export { PrometheusBackup, PrometheusBackupArgs } from "./prometheusBackup";
export { FleetHost, PrometheusBackupFleet, PrometheusBackupFleetArgs } from "./prometheusBackupFleet";
export { RemoteWrite, RemoteWriteArgs } from "./remoteWrite/component";
export { TextfileDirectory, TextfileDirectoryArgs } from "./textfileDirectory/component";
export { VictoriaMetrics, VictoriaMetricsArgs } from "./victoriaMetrics/component";
