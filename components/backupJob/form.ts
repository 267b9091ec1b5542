import { amount, choice, flag, list, secret, text } from "../fields/group";
import { serverSchema } from "../host/server";
import { limitSchema } from "./limits";
import { repositorySchema } from "./repository";
import { retentionSchema } from "./retention";
import { Compression, drillSchema, Format, Scheduler, skipHeadSchema, Source } from "./settings";

/** The form of a job: one line a setting. */
export const jobForm = {
  prometheus: serverSchema.optional(),
  schedule: text.optional(),
  spreadMinutes: amount.optional(),
  timeZone: text.optional(),
  scheduler: choice(Scheduler).optional(),
  source: choice(Source).optional(),
  format: choice(Format).optional(),
  archiveCompression: choice(Compression).optional(),
  skipHead: skipHeadSchema.optional(),
  holdBlocks: flag.optional(),
  retention: retentionSchema.optional(),
  orphanGraceHours: amount.optional(),
  suspectBelowPercent: amount.optional(),
  companions: flag.optional(),
  heartbeat: secret.optional(),
  repositories: list(repositorySchema).optional(),
  drill: drillSchema.optional(),
  limits: limitSchema.optional(),
};

/** What of a `BackupJob` by itself may be secret. */
export const jobArgsForm = { ...jobForm, exporterCredentials: secret.optional() };
