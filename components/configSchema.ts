import { z } from "zod";
import { Arrival, Compression, Exposure, Format, LockMode, RelabelAction, RemoteWritePreset, SkipHead, Source } from "./enums";

/**
 * The form of a stack's configuration: which settings there are and of which type. Values are checked elsewhere, the
 * same way for configuration and for code. Everything is strict, so that a misspelt setting is never ignored.
 */
function group<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const known = Object.keys(shape).map(key => `\`${key}\``).join(", ");
  return z.strictObject(shape, {
    error: issue => (issue.code === "unrecognized_keys" ? `is not a setting here. There are ${known}.` : undefined),
  });
}

const text = z.string();
const amount = z.number();
const flag = z.boolean();

const bastion = group({
  address: text,
  port: amount.optional(),
  user: text.optional(),
  privateKey: text.optional(),
  hostKey: text,
});

const prometheus = group({
  url: text.optional(),
  unit: text.optional(),
  user: text.optional(),
  dataDirectory: text.optional(),
  apiCredentials: text.optional(),
  newHost: flag.optional(),
  readyTimeoutSeconds: amount.optional(),
});

const adminApi = group({
  enabled: flag.optional(),
  exposure: z.enum(Exposure).optional(),
  proxyListen: text.optional(),
  loopbackListen: text.optional(),
  readyTimeoutSeconds: amount.optional(),
});

const retention = group({
  days: amount.optional(),
  keepLast: amount.optional(),
  hourly: amount.optional(),
  daily: amount.optional(),
  weekly: amount.optional(),
  monthly: amount.optional(),
  yearly: amount.optional(),
  minimum: amount.optional(),
});

const sftp = group({ address: text, port: amount.optional(), user: text, path: text, hostKey: text });

const repository = group({
  name: text.optional(),
  path: text.optional(),
  bucket: text.optional(),
  region: text.optional(),
  endpoint: text.optional(),
  kmsKey: text.optional(),
  gcs: text.optional(),
  prefix: text.optional(),
  sftp: sftp.optional(),
  credentials: text.optional(),
  prune: flag.optional(),
});

const textfile = group({
  enabled: flag.optional(),
  directory: text.optional(),
  exporterUnit: text.optional(),
  exporterUrl: text.optional(),
});

const alerts = group({
  enabled: flag.optional(),
  rulesPath: text.optional(),
  tooSlowSeconds: amount.optional(),
  exporterJob: text.optional(),
  labels: z.record(text, text).optional(),
  runbookBase: text.optional(),
});

const drill = group({ schedule: text.optional(), parts: amount.optional() });

const limits = group({
  parallel: amount.optional(),
  compressionLevel: amount.optional(),
  bandwidth: text.optional(),
  nice: amount.optional(),
  ioniceClass: amount.optional(),
  ioniceLevel: amount.optional(),
  snapshotTimeoutSeconds: amount.optional(),
  transferTimeoutSeconds: amount.optional(),
  apiTimeoutSeconds: amount.optional(),
});

const remoteWriteTarget = group({
  name: text,
  preset: z.enum(RemoteWritePreset).optional(),
  url: text,
  tenant: text.optional(),
  headers: z.record(text, text).optional(),
  basicAuth: group({ username: text, password: text }).optional(),
  bearerToken: text.optional(),
  tls: group({
    ca: text.optional(),
    certificate: text.optional(),
    key: text.optional(),
    serverName: text.optional(),
    insecureSkipVerify: flag.optional(),
  }).optional(),
  timeoutSeconds: amount.optional(),
  queue: group({
    capacity: amount.optional(),
    minShards: amount.optional(),
    maxShards: amount.optional(),
    maxSamplesPerSend: amount.optional(),
    batchSendDeadlineSeconds: amount.optional(),
    maxBackoffSeconds: amount.optional(),
    retryOnRateLimit: flag.optional(),
  }).optional(),
  writeRelabelConfigs: z.array(group({
    sourceLabels: z.array(text).optional(),
    separator: text.optional(),
    targetLabel: text.optional(),
    regex: text.optional(),
    modulus: amount.optional(),
    replacement: text.optional(),
    action: z.enum(RelabelAction).optional(),
  })).optional(),
  sendExemplars: flag.optional(),
  sendNativeHistograms: flag.optional(),
  arrival: z.enum(Arrival).optional(),
  arrivalTimeoutSeconds: amount.optional(),
});

const victoriaMetrics = group({
  enabled: flag.optional(),
  download: group({ url: text, sha256: text }).optional(),
  listen: text.optional(),
  dataDirectory: text.optional(),
  retention: text.optional(),
  snapshotsMaxAge: text.optional(),
  flags: z.array(text).optional(),
});

/** `true` and `false` read naturally for a setting that the API of Prometheus has as a boolean. */
const skipHead = z.preprocess(
  value => (value === true ? SkipHead.Always : value === false ? SkipHead.Never : value),
  z.enum(SkipHead).optional(),
);

const shared = {
  user: text.optional(),
  port: amount.optional(),
  privateKey: text.optional(),
  privateKeyPassword: text.optional(),
  insecureHostKey: flag.optional(),
  bastion: bastion.optional(),
  connectAttempts: amount.optional(),
  connectTimeoutSeconds: amount.optional(),
  prometheus: prometheus.optional(),
  adminApi: adminApi.optional(),
  schedule: text.optional(),
  spreadMinutes: amount.optional(),
  timeZone: text.optional(),
  source: z.enum(Source).optional(),
  format: z.enum(Format).optional(),
  archiveCompression: z.enum(Compression).optional(),
  skipHead: skipHead.optional(),
  holdBlocks: flag.optional(),
  retention: retention.optional(),
  orphanGraceHours: amount.optional(),
  suspectBelowPercent: amount.optional(),
  companions: flag.optional(),
  heartbeat: text.optional(),
  repositories: z.array(repository).optional(),
  textfile: textfile.optional(),
  alerts: alerts.optional(),
  drill: drill.optional(),
  limits: limits.optional(),
  remoteWrite: z.array(remoteWriteTarget).optional(),
  victoriaMetrics: victoriaMetrics.optional(),
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
  mayRead: z.array(text).optional(),
  bootstrapFrom: group({ host: text.optional(), backup: text.optional(), repository: text.optional() }).optional(),
  ...shared,
});

/** `prometheus-backup:offsiteBucket`. */
export const offsiteBucketSchema = group({
  bucketName: text,
  prefix: text.optional(),
  noncurrentVersionDays: amount.optional(),
  abortUploadDays: amount.optional(),
  objectLock: group({ mode: z.enum(LockMode), days: amount }).optional(),
  kmsKey: text.optional(),
  hostsMayPrune: flag.optional(),
});

export type SharedConfig = z.output<typeof sharedSchema>;
export type HostConfig = z.output<typeof hostSchema>;
export type TargetConfig = z.output<typeof remoteWriteTarget>;
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
    return "is encrypted inside a structure. Store it with `pulumi config set --secret NAME`, and write that NAME here.";
  }
  if (issue.code === "invalid_value") {
    return `must be one of ${issue.values.map(choice => `\`${String(choice)}\``).join(", ")}. Choose one.`;
  }
  const expected = issue.code === "invalid_type" ? (wanted[issue.expected] ?? issue.expected) : "something else";
  return `must be ${expected}, and is ${kindOf(value)}. Correct it.`;
}

/** What is wrong with the form of `input`, one complaint a setting. Values are never repeated. */
export function shapeProblems(error: z.ZodError, input: unknown): ShapeProblem[] {
  return error.issues.flatMap(issue =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map(key => ({ path: [...issue.path, key], text: issue.message }))
      : [{ path: issue.path, text: shapeText(issue, input) }],
  );
}
