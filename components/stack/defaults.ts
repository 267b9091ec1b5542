import { adminApiDefaults } from "../adminApi/settings";
import { alertDefaults } from "../alertRules/settings";
import { limitDefaults } from "../backupJob/limits";
import { repositoryDefaults } from "../backupJob/repository";
import { retentionDefaults } from "../backupJob/retention";
import { drillDefaults, jobDefaults } from "../backupJob/settings";
import { jobPackages } from "../backupJob/step";
import { bootstrapDefaults } from "../bootstrap/settings";
import { connectionDefaults } from "../host/connection";
import { serverDefaults } from "../host/server";
import { bucketDefaults } from "../offsiteBucket/settings";
import { targetDefaults } from "../remoteWrite/settings";
import { textfileDefaults } from "../textfileDirectory/settings";
import { victoriaMetricsDefaults } from "../victoriaMetrics/settings";

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
