import { z } from "zod";
import { backupForm } from "../backupSettings";
import { bootstrapForm } from "../bootstrap/settings";
import { bare, fieldsIn, flag, group, isList, part, required, text, words } from "../fields/group";
import { connectionForm } from "../host/connection";
import { bucketForm } from "../offsiteBucket/settings";

const { hostKey, attempts, attemptTimeoutSeconds, address: _address, ...reached } = connectionForm.shape;

/** How hosts are reached. */
export const sharedConnectionForm = group({
  ...reached,
  connectAttempts: attempts,
  connectTimeoutSeconds: attemptTimeoutSeconds,
});

/** What hosts do not share. */
export const hostAloneForm = group({
  name: required(
    text({
      says:
        "stable name: resources, metrics and the host's directory in every repository carry it; a new name " +
        "is a new host without backups",
    }),
  ),
  address: text({ shown: "the name", says: "host name or IP address" }),
  hostKey,
  retired: flag({
    default: false,
    says: "set before a dead host is removed: its steps are forgotten instead of undone",
  }),
  awsRole: text({ says: "IAM role of the host, by name; gets the right to its own directory in `offsiteBucket`" }),
  mayRead: words({ says: "names of hosts whose backups this one may read, for a migration" }),
  bootstrapFrom: part(bootstrapForm),
});

/** `prometheus-backup:defaults`: what hosts share. */
export const sharedSchema = group({ ...sharedConnectionForm.shape, ...backupForm.shape });

/** One entry of `prometheus-backup:hosts`. */
export const hostSchema = group({ ...hostAloneForm.shape, ...sharedSchema.shape });

/** Every setting below a schema by its path, groups and lists included, such as `repositories[].sftp.hostKey`. */
export function settingPaths(schema: z.ZodType, prefix = ""): string[] {
  return fieldsIn(schema).flatMap(([name, field]) => {
    const path = `${prefix}${name}${isList(field) ? "[]" : ""}`;
    return [path, ...settingPaths(field, `${path}.`)];
  });
}

/** The schema of what stands at a path. */
export function schemaAt(schema: z.ZodType, path: PropertyKey[]): z.ZodType {
  return path.reduce<z.ZodType>((found, key) => {
    const inner = bare(found);
    if (inner instanceof z.ZodArray) {
      return inner.element as z.ZodType;
    }
    return fieldsIn(inner).find(([name]) => name === key)?.[1] ?? z.never();
  }, schema);
}

export type SharedConfig = z.output<typeof sharedSchema>;
export type HostConfig = z.output<typeof hostSchema>;
export type OffsiteBucketConfig = z.output<typeof bucketForm>;
