import { z } from "zod";
import { backupForm } from "../backupSettings";
import { bootstrapSchema } from "../bootstrap/settings";
import { amount, bare, flag, group, list, secret, text } from "../fields/group";
import { bastionSchema } from "../host/connection";
import { offsiteBucketSchema } from "../offsiteBucket/settings";
import { remoteWriteSchema } from "../remoteWrite/settings";

const shared = {
  user: text.optional(),
  port: amount.optional(),
  privateKey: secret.optional(),
  privateKeyPassword: secret.optional(),
  insecureHostKey: flag.optional(),
  bastion: bastionSchema.optional(),
  connectAttempts: amount.optional(),
  connectTimeoutSeconds: amount.optional(),
  ...backupForm,
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
