import { stringify } from "yaml";
import { HostFiles, publicFile } from "../host/files";
import { apiCredentialsName, paths } from "../host/paths";
import { sha256, StepContent } from "../host/payload";

/** Prometheus' own names, in the order in which they are written; what is undefined is left to Prometheus. */
export interface RelabelPlan {
  sourceLabels?: string[];
  separator?: string;
  targetLabel?: string;
  regex?: string;
  modulus?: number;
  replacement?: string;
  action?: string;
}

/** Limits of a queue; what is undefined is left to Prometheus. */
export interface QueuePlan {
  capacity?: number;
  minShards?: number;
  maxShards?: number;
  maxSamplesPerSend?: number;
  batchSendDeadlineSeconds?: number;
  maxBackoffSeconds?: number;
  retryOnRateLimit?: boolean;
}

/** One target with everything that is no secret. */
export interface RemoteWriteTargetPlan {
  name: string;
  preset?: string;
  url: string;
  tenant?: string;
  headers: Record<string, string>;
  /** Name for basic auth; with it there is a password. */
  username?: string;
  hasBearerToken: boolean;
  tls?: { ca?: string; certificate?: string; hasKey: boolean; serverName?: string; insecureSkipVerify?: boolean };
  timeoutSeconds?: number;
  queue: QueuePlan;
  relabel: RelabelPlan[];
  sendExemplars?: boolean;
  sendNativeHistograms?: boolean;
  arrival: string;
  arrivalTimeoutSeconds: number;
}

/** What both steps for remote_write are told. */
export interface RemoteWritePlan {
  unit: string;
  url: string;
  hasApiCredentials: boolean;
  targets: RemoteWriteTargetPlan[];
}

/** Secrets of one target. */
export interface RemoteWriteSecrets {
  password?: string;
  token?: string;
  key?: string;
}

const endpoints: Record<string, { path: string; tenantHeader?: string }> = {
  thanos: { path: "/api/v1/receive", tenantHeader: "THANOS-TENANT" },
  cortex: { path: "/api/v1/push", tenantHeader: "X-Scope-OrgID" },
  mimir: { path: "/api/v1/push", tenantHeader: "X-Scope-OrgID" },
  victoriametrics: { path: "/api/v1/write" },
};

/** The header that tells a receiver its tenant; none where the tenant stands in the path, or without a preset. */
export function tenantHeader(preset: string | undefined): string | undefined {
  return preset === undefined ? undefined : endpoints[preset]?.tenantHeader;
}

/** The whole URL of a target: that of its settings, and behind it the path of the preset unless it is there. */
export function endpointUrl(target: Pick<RemoteWriteTargetPlan, "preset" | "url" | "tenant">): string {
  const endpoint = target.preset === undefined ? undefined : endpoints[target.preset];
  if (endpoint === undefined) {
    return target.url;
  }
  const base = target.url.replace(/\/+$/, "");
  if (base.endsWith(endpoint.path)) {
    return base;
  }
  const cluster = endpoint.tenantHeader === undefined && target.tenant !== undefined ? `/insert/${target.tenant}/prometheus` : "";
  return `${base}${cluster}${endpoint.path}`;
}

/**
 * A file of a target. Where it is sent to and as whom is part of the name: a target that changes both its URL and its
 * password gets another file, and the configuration in force keeps its own until the new one is proven.
 */
function targetFile(target: RemoteWriteTargetPlan, kind: string): string {
  const destination = sha256(JSON.stringify([endpointUrl(target), target.username ?? "", target.tls?.certificate ?? ""])).slice(0, 8);
  return `${paths.remoteWriteFiles}/${target.name}.${destination}.${kind}`;
}

function seconds(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${value}s`;
}

function queueConfig(queue: QueuePlan): Record<string, unknown> {
  return {
    capacity: queue.capacity,
    max_shards: queue.maxShards,
    min_shards: queue.minShards,
    max_samples_per_send: queue.maxSamplesPerSend,
    batch_send_deadline: seconds(queue.batchSendDeadlineSeconds),
    max_backoff: seconds(queue.maxBackoffSeconds),
    retry_on_http_429: queue.retryOnRateLimit,
  };
}

function relabelConfig(rule: RelabelPlan): Record<string, unknown> {
  return {
    source_labels: rule.sourceLabels,
    separator: rule.separator,
    target_label: rule.targetLabel,
    regex: rule.regex,
    modulus: rule.modulus,
    replacement: rule.replacement,
    action: rule.action,
  };
}

function tlsConfig(target: RemoteWriteTargetPlan): Record<string, unknown> {
  const { tls } = target;
  return {
    ca_file: tls?.ca === undefined ? undefined : targetFile(target, "ca"),
    cert_file: tls?.certificate === undefined ? undefined : targetFile(target, "certificate"),
    key_file: tls?.hasKey === true ? targetFile(target, "key") : undefined,
    server_name: tls?.serverName,
    insecure_skip_verify: tls?.insecureSkipVerify,
  };
}

/** The group without what is undefined, or nothing if that is all. */
function group(values: Record<string, unknown>): Record<string, unknown> | undefined {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function item(target: RemoteWriteTargetPlan): Record<string, unknown> {
  const header = tenantHeader(target.preset);
  const tenant = header === undefined || target.tenant === undefined ? {} : { [header]: target.tenant };
  const authorization = target.hasBearerToken ? { credentials_file: targetFile(target, "token") } : undefined;
  return {
    ...group({
      name: target.name,
      url: endpointUrl(target),
      remote_timeout: seconds(target.timeoutSeconds),
      headers: group({ ...tenant, ...target.headers }),
      basic_auth: target.username === undefined ? undefined : { username: target.username, password_file: targetFile(target, "password") },
      authorization,
      tls_config: group(tlsConfig(target)),
      queue_config: group(queueConfig(target.queue)),
      write_relabel_configs: target.relabel.length === 0 ? undefined : target.relabel.map(rule => group(relabelConfig(rule)) ?? {}),
      send_exemplars: target.sendExemplars,
      send_native_histograms: target.sendNativeHistograms,
    }),
  };
}

const header = "# What prometheus-backup puts into prometheus.yml, between its marks. A change here changes nothing there.\n";

/** The targets in the words of Prometheus, as they stand in its configuration. Every text is quoted, so that none of them is read as something else. */
export function renderRemoteWrite(targets: RemoteWriteTargetPlan[]): string {
  const options = { lineWidth: 0, defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", singleQuote: false } as const;
  return header + stringify({ remote_write: targets.map(item) }, options);
}

function lines(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function publicFiles(targets: RemoteWriteTargetPlan[]): HostFiles {
  const files: HostFiles = {};
  for (const target of targets) {
    for (const kind of ["ca", "certificate"] as const) {
      const text = target.tls?.[kind];
      if (text !== undefined) {
        files[targetFile(target, kind)] = publicFile(lines(text));
      }
    }
  }
  return files;
}

/** Paths of the files with secrets, by target; what is in them is known to their own step alone. */
function secretFiles(target: RemoteWriteTargetPlan): Partial<Record<keyof RemoteWriteSecrets, string>> {
  return {
    ...(target.username === undefined ? {} : { password: targetFile(target, "password") }),
    ...(target.hasBearerToken ? { token: targetFile(target, "token") } : {}),
    ...(target.tls?.hasKey === true ? { key: targetFile(target, "key") } : {}),
  };
}

const apiCredentials = `${paths.remoteWriteFiles}/${apiCredentialsName}`;

function settings(plan: RemoteWritePlan): Record<string, string | string[]> {
  return {
    UNIT: plan.unit,
    URL: plan.url,
    API_CURL_CONFIG: plan.hasApiCredentials ? apiCredentials : "",
    TARGET: plan.targets.map(target => [target.name, target.arrival, target.arrivalTimeoutSeconds, endpointUrl(target)].join(" ")),
    SECRET_FILE: plan.targets.flatMap(target => Object.values(secretFiles(target))),
  };
}

export function remoteWriteStep(plan: RemoteWritePlan): StepContent {
  return { settings: settings(plan), files: { [paths.remoteWrite]: publicFile(renderRemoteWrite(plan.targets)), ...publicFiles(plan.targets) } };
}

/** Prometheus takes the blanks off what it reads, and a second line would end up in a header. */
function checkSecret(text: string, what: string): void {
  const content = text.replace(/\n$/, "");
  if (content === "" || content !== content.trim() || /[\r\n]/.test(content)) {
    throw new RangeError(`the secret of ${what} must be one line that is not empty, without blanks at its ends`);
  }
}

function checkKey(text: string, what: string): void {
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m.test(text)) {
    throw new RangeError(`the secret of ${what} must be a private key as PEM text`);
  }
}

/** Secrets as files for the server, by name of the target. Throws `RangeError` on one that Prometheus could not use. */
export function remoteWriteCredentialsStep(plan: RemoteWritePlan, secrets: Record<string, RemoteWriteSecrets>, apiSecret: string | undefined): StepContent {
  const files: HostFiles = {};
  if (apiSecret !== undefined) {
    files[apiCredentials] = { content: lines(apiSecret), mode: "0600", owner: "root:root" };
  }
  for (const target of plan.targets) {
    for (const [kind, file] of Object.entries(secretFiles(target)) as [keyof RemoteWriteSecrets, string][]) {
      const text = secrets[target.name]?.[kind] ?? "";
      (kind === "key" ? checkKey : checkSecret)(text, `\`${target.name}\` in remoteWrite (${kind})`);
      // The host gives it to the group that the server runs with.
      files[file] = { content: lines(text), mode: "0640", owner: "root:prometheus" };
    }
  }
  return { settings: settings(plan), files };
}
