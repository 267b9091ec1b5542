import { z } from "zod";
import { adminApiSchema } from "../adminApi/settings";
import { alertSchema } from "../alertRules/settings";
import { limitSchema } from "../backupJob/limits";
import { repositorySchema } from "../backupJob/repository";
import { retentionSchema } from "../backupJob/retention";
import { Compression, drillSchema, Format, Scheduler, skipHeadSchema, Source } from "../backupJob/settings";
import { bootstrapSchema } from "../bootstrap/settings";
import { amount, choice, flag, group, list, text } from "../fields/group";
import { bastionSchema } from "../host/connection";
import { serverSchema } from "../host/server";
import { offsiteBucketSchema } from "../offsiteBucket/settings";
import { remoteWriteSchema } from "../remoteWrite/settings";
import { textfileSchema } from "../textfileDirectory/settings";
import { victoriaMetricsSchema } from "../victoriaMetrics/settings";

const shared = {
  user: text.optional(),
  port: amount.optional(),
  privateKey: text.optional(),
  privateKeyPassword: text.optional(),
  insecureHostKey: flag.optional(),
  bastion: bastionSchema.optional(),
  connectAttempts: amount.optional(),
  connectTimeoutSeconds: amount.optional(),
  prometheus: serverSchema.optional(),
  adminApi: adminApiSchema.optional(),
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
  heartbeat: text.optional(),
  repositories: list(repositorySchema).optional(),
  textfile: textfileSchema.optional(),
  alerts: alertSchema.optional(),
  drill: drillSchema.optional(),
  limits: limitSchema.optional(),
  remoteWrite: list(remoteWriteSchema).optional(),
  victoriaMetrics: victoriaMetricsSchema.optional(),
};

/** `prometheus-backup:defaults`: what hosts share. */
export const sharedSchema = group(shared);

/** One entry of `prometheus-backup:hosts`. */
export const hostSchema = group({
  name: text,
  address: text.optional(),
  hostKey: text.optional(),
  retired: flag.optional(),
  awsRole: text.optional(),
  mayRead: list(text).optional(),
  bootstrapFrom: bootstrapSchema.optional(),
  ...shared,
});

/** The schema of a value that may be left out, or is made from another form. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) {
    return bare(schema.unwrap() as z.ZodType);
  }
  return schema instanceof z.ZodPipe ? bare(schema.out as z.ZodType) : schema;
}

/** The names of the settings in a group; none for anything else. */
export function namesIn(schema: z.ZodType): [string, z.ZodType][] {
  const group = bare(schema);
  if (!(group instanceof z.ZodObject)) {
    return [];
  }
  const shape: Record<string, z.ZodType> = group.shape;
  return Object.entries(shape);
}

/** Every setting below a schema by its path, groups and lists included, such as `repositories[].sftp.hostKey`. */
export function settingPaths(schema: z.ZodType, prefix = ""): string[] {
  return namesIn(schema).flatMap(([name, value]) => {
    const inner = bare(value);
    const path = `${prefix}${name}${inner instanceof z.ZodArray ? "[]" : ""}`;
    return [path, ...settingPaths(inner instanceof z.ZodArray ? (inner.element as z.ZodType) : inner, `${path}.`)];
  });
}

/** The schema of what stands at a path. */
export function schemaAt(schema: z.ZodType, path: PropertyKey[]): z.ZodType {
  return path.reduce<z.ZodType>((found, key) => {
    const inner = bare(found);
    if (inner instanceof z.ZodArray) {
      return inner.element as z.ZodType;
    }
    return namesIn(inner).find(([name]) => name === key)?.[1] ?? z.never();
  }, schema);
}

export type SharedConfig = z.output<typeof sharedSchema>;
export type HostConfig = z.output<typeof hostSchema>;
export type TargetConfig = z.output<typeof remoteWriteSchema>;
export type OffsiteBucketConfig = z.output<typeof offsiteBucketSchema>;
