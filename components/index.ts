/** What others import: components, their arguments, their enums. Nothing here runs on import. */
// First, because Pulumi's schema takes the documentation of a type from files that it has read before the type is used.
export { HostArgs, SshBastion, SshConnection } from "./host/connection";
export { PrometheusServer } from "./host/server";
export {
  RemoteWriteBasicAuth, RemoteWriteQueue, RemoteWriteTarget, RemoteWriteTls, WriteRelabelConfig,
} from "./remoteWrite/settings";
export { VictoriaMetricsDownload, VictoriaMetricsSettings } from "./victoriaMetrics/settings";
export { TextfileSettings } from "./textfileDirectory/settings";
export { AdminApiSettings } from "./adminApi/settings";
export { AlertSettings } from "./alertRules/settings";
export * from "./settings";
export { BootstrapSource } from "./bootstrap/settings";
export { ObjectLock, OffsiteBucketSettings, OffsiteHost } from "./offsiteBucket/settings";
export { OffsiteBucket, OffsiteBucketArgs } from "./offsiteBucket/component";
export { AdminApi, AdminApiArgs } from "./adminApi/component";
export { AlertRules, AlertRulesArgs } from "./alertRules/component";
export { BackupJob, BackupJobArgs } from "./backupJob";
export { Bootstrap, BootstrapArgs } from "./bootstrap/component";
export { PrometheusBackup, PrometheusBackupArgs } from "./prometheusBackup";
export { FleetHost, PrometheusBackupFleet, PrometheusBackupFleetArgs } from "./prometheusBackupFleet";
export { RemoteWrite, RemoteWriteArgs } from "./remoteWrite/component";
export { TextfileDirectory, TextfileDirectoryArgs } from "./textfileDirectory/component";
export { VictoriaMetrics, VictoriaMetricsArgs } from "./victoriaMetrics/component";
export { Arrival, RelabelAction, RemoteWritePreset } from "./remoteWrite/settings";
export { Compression, Format, Proof, Scheduler, SkipHead, Source } from "./enums";
export { LockMode } from "./offsiteBucket/settings";
export { Exposure } from "./adminApi/settings";
