/** What others import: components, their arguments, their enums. Nothing here runs on import. */
// First, because Pulumi's schema takes the documentation of a type from files that it has read before the type is used.
export { HostArgs, SshBastion, SshConnection } from "./host/connection";
export { PrometheusServer } from "./host/server";
export { AdminApiArgs, AdminApiSettings, Exposure } from "./adminApi/settings";
export { TextfileDirectoryArgs, TextfileSettings } from "./textfileDirectory/settings";
export { Proof, Repository, SftpDirectory } from "./backupJob/repository";
export { Retention } from "./backupJob/retention";
export { Limits } from "./backupJob/limits";
export {
  BackupJobArgs,
  Compression,
  DrillSettings,
  Format,
  JobSettings,
  Scheduler,
  SkipHead,
  Source,
} from "./backupJob/settings";
export { BootstrapArgs, BootstrapSource } from "./bootstrap/settings";
export { AlertRulesArgs, AlertSettings } from "./alertRules/settings";
export { VictoriaMetricsArgs, VictoriaMetricsDownload, VictoriaMetricsSettings } from "./victoriaMetrics/settings";
export {
  Arrival,
  RelabelAction,
  RemoteWriteArgs,
  RemoteWriteBasicAuth,
  RemoteWritePreset,
  RemoteWriteQueue,
  RemoteWriteTarget,
  RemoteWriteTls,
  WriteRelabelConfig,
} from "./remoteWrite/settings";
export { LockMode, ObjectLock, OffsiteBucketArgs, OffsiteBucketSettings, OffsiteHost } from "./offsiteBucket/settings";
export { BackupSettings, PrometheusBackupArgs } from "./backupSettings";
export { FleetHost, PrometheusBackupFleetArgs } from "./fleetSettings";
export { AdminApi } from "./adminApi/component";
export { AlertRules } from "./alertRules/component";
export { BackupJob } from "./backupJob/component";
export { Bootstrap } from "./bootstrap/component";
export { OffsiteBucket } from "./offsiteBucket/component";
export { PrometheusBackup } from "./prometheusBackup";
export { PrometheusBackupFleet } from "./prometheusBackupFleet";
export { RemoteWrite } from "./remoteWrite/component";
export { TextfileDirectory } from "./textfileDirectory/component";
export { VictoriaMetrics } from "./victoriaMetrics/component";
