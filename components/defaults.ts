import { adminApiDefaults } from "./adminApi/settings";
import { alertDefaults } from "./alertRules/settings";
import { bootstrapDefaults } from "./bootstrap/settings";
import { Compression, Format, Proof, Scheduler, SkipHead, Source } from "./enums";
import { connectionDefaults } from "./host/connection";
import { serverDefaults } from "./host/server";
import { bucketDefaults } from "./offsiteBucket/settings";
import { targetDefaults } from "./remoteWrite/settings";
import { textfileDefaults } from "./textfileDirectory/settings";
import { victoriaMetricsDefaults } from "./victoriaMetrics/settings";

/** The job itself. */
export const jobDefaults = {
  environment: "default",
  schedule: "0 2 * * *",
  spreadMinutes: 0,
  timeZone: "UTC",
  scheduler: Scheduler.Cron,
  source: Source.Snapshot,
  format: Format.Blocks,
  archiveCompression: Compression.Gzip,
  skipHead: SkipHead.Auto,
  holdBlocks: true,
  orphanGraceHours: 48,
  suspectBelowPercent: 50,
  companions: true,
} as const;

/** Drills. */
export const drillDefaults = { parts: 1 } as const;

/** Which backups are kept. */
export const retentionDefaults = { days: 30, minimum: 3 } as const;

/** A place for backups. */
export const repositoryDefaults = { proof: Proof.Required, endpointRegion: "us-east-1" } as const;

/** How much a run may take. */
export const limitDefaults = {
  parallel: 2,
  compressionLevel: 2,
  bandwidth: "",
  nice: 10,
  ioniceClass: 2,
  ioniceLevel: 7,
  snapshotTimeoutSeconds: 3600,
  transferTimeoutSeconds: 7200,
  apiTimeoutSeconds: 10,
} as const;

/** Packages that the job needs. */
export const jobPackages = ["curl", "jq", "zstd", "rclone", "openssl", "cron", "logrotate"] as const;

/** Every default in one place. Changing one changes hosts that are already in use, so it is a new major version. */
export const defaults = {
  ...jobDefaults,
  ssh: connectionDefaults,
  prometheus: serverDefaults,
  adminApi: adminApiDefaults,
  retention: retentionDefaults,
  textfile: textfileDefaults,
  alerts: alertDefaults,
  victoriaMetrics: victoriaMetricsDefaults,
  limits: limitDefaults,
  drill: drillDefaults,
  bootstrapFrom: bootstrapDefaults,
  repositoryProof: repositoryDefaults.proof,
  remoteWrite: targetDefaults,
  packages: jobPackages,
  endpointRegion: repositoryDefaults.endpointRegion,
  bucket: bucketDefaults,
} as const;
