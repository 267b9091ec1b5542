import { z } from "zod";
import { adminApiSchema } from "./adminApi/settings";
import { alertSchema } from "./alertRules/settings";
import { limitSchema } from "./backupJob/limits";
import { repositorySchema } from "./backupJob/repository";
import { retentionSchema } from "./backupJob/retention";
import { Compression, drillSchema, Format, Scheduler, skipHeadSchema, Source } from "./backupJob/settings";
import { bootstrapSchema } from "./bootstrap/settings";
import { amount, choice, flag, group, list, text } from "./fields/group";
import { nearest } from "./fields/nearest";
import { bastionSchema } from "./host/connection";
import { serverSchema } from "./host/server";
import { offsiteBucketSchema } from "./offsiteBucket/settings";
import { remoteWriteSchema } from "./remoteWrite/settings";
import { storeSecret } from "./stack/reader";
import { textfileSchema } from "./textfileDirectory/settings";
import { victoriaMetricsSchema } from "./victoriaMetrics/settings";

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
function namesIn(schema: z.ZodType): [string, z.ZodType][] {
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
function schemaAt(schema: z.ZodType, path: PropertyKey[]): z.ZodType {
  return path.reduce<z.ZodType>((found, key) => {
    const inner = bare(found);
    if (inner instanceof z.ZodArray) {
      return inner.element as z.ZodType;
    }
    return namesIn(inner).find(([name]) => name === key)?.[1] ?? z.never();
  }, schema);
}

/** More names than that are no answer to somebody who looks for one. */
const namesToList = 12;

/** What was meant by a name that is no setting of this group. */
function unknownText(group: z.ZodType, name: string): string {
  const here = namesIn(group).map(([known]) => known);
  const deeper = settingPaths(group).filter(path => path.endsWith(`.${name}`));
  const near = nearest(name, here);
  const meant = deeper.length > 0 ? deeper : near === undefined ? [] : [near];
  const quoted = (names: string[]): string[] => names.map(known => `\`${known}\``);
  if (meant.length > 0) {
    return `is not a setting here. Did you mean ${quoted(meant).join(" or ")}?`;
  }
  const list = here.length > namesToList ? "docs/settings.md has all that there are" : `There are ${quoted(here).join(", ")}`;
  return `is not a setting here. ${list}.`;
}

export type SharedConfig = z.output<typeof sharedSchema>;
export type HostConfig = z.output<typeof hostSchema>;
export type TargetConfig = z.output<typeof remoteWriteSchema>;
export type OffsiteBucketConfig = z.output<typeof offsiteBucketSchema>;

/** One complaint of a schema, in our words. */
export interface ShapeProblem {
  path: PropertyKey[];
  text: string;
}

function kindOf(value: unknown): string {
  if (value === null) {
    return "empty";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  const kinds: Record<string, string> = { string: "a text", number: "a number", boolean: "true or false", object: "a group of settings" };
  return kinds[typeof value] ?? "something else";
}

const wanted: Record<string, string> = {
  string: "a text",
  number: "a number",
  boolean: "`true` or `false`",
  array: "a list",
  object: "a group of settings",
  record: "a group of settings",
};

/**
 * What is left of `input` without the settings that have a wrong form, so that the rest can still be checked. A list
 * goes as a whole, because without one of its entries the others would move; so does a group that lacks something.
 */
export function withoutWrongForms(error: z.ZodError, input: unknown): unknown {
  const rest: unknown = structuredClone(input);
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") {
      issue.keys.forEach(key => remove(rest, [...issue.path, key]));
    } else {
      const list = issue.path.findIndex(key => typeof key === "number");
      const path = list >= 0 ? issue.path.slice(0, list) : issue.path;
      remove(rest, valueAt(input, path) === undefined ? path.slice(0, -1) : path);
    }
  }
  return rest;
}

function remove(input: unknown, path: PropertyKey[]): void {
  const parent = valueAt(input, path.slice(0, -1));
  const key = path.at(-1);
  if (typeof parent === "object" && parent !== null && key !== undefined) {
    Reflect.deleteProperty(parent, key);
  }
}

function valueAt(input: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined), input);
}

function shapeText(issue: z.core.$ZodIssue, input: unknown): string {
  const value = valueAt(input, issue.path);
  if (value === undefined) {
    return "is missing. Add it.";
  }
  if (typeof value === "object" && value !== null && "secure" in value) {
    return `is encrypted inside a structure. ${storeSecret}`;
  }
  if (issue.code === "invalid_value") {
    const given = typeof value === "string" && /^[A-Za-z-]{1,20}$/.test(value) ? `, and is \`${value}\`` : "";
    return `must be one of ${issue.values.map(choice => `\`${String(choice)}\``).join(", ")}${given}. Choose one.`;
  }
  const expected = issue.code === "invalid_type" ? (wanted[issue.expected] ?? issue.expected) : "something else";
  return `must be ${expected}, and is ${kindOf(value)}. Correct it.`;
}

/** What is wrong with the form of `input`, one complaint a setting. Only a word in place of a choice is repeated. */
export function shapeProblems(schema: z.ZodType, error: z.ZodError, input: unknown): ShapeProblem[] {
  return error.issues.flatMap(issue =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map(key => ({ path: [...issue.path, key], text: unknownText(schemaAt(schema, issue.path), key) }))
      : [{ path: issue.path, text: shapeText(issue, input) }],
  );
}
