import { stringify } from "yaml";
import { paths } from "../host/paths";
import { sha256 } from "../host/payload";
import { QueuePlan, RelabelPlan, RemoteWriteTargetPlan } from "./plan";

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
  const cluster =
    endpoint.tenantHeader === undefined && target.tenant !== undefined ? `/insert/${target.tenant}/prometheus` : "";
  return `${base}${cluster}${endpoint.path}`;
}

/**
 * A file of a target. Where it is sent to and as whom is part of the name: a target that changes both its URL and its
 * password gets another file, and the configuration in force keeps its own until the new one is proven.
 */
export function targetFile(target: RemoteWriteTargetPlan, kind: string): string {
  const destination = sha256(
    JSON.stringify([endpointUrl(target), target.username ?? "", target.tls?.certificate ?? ""]),
  ).slice(0, 8);
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
      basic_auth:
        target.username === undefined
          ? undefined
          : { username: target.username, password_file: targetFile(target, "password") },
      authorization,
      tls_config: group(tlsConfig(target)),
      queue_config: group(queueConfig(target.queue)),
      write_relabel_configs:
        target.relabel.length === 0 ? undefined : target.relabel.map(rule => group(relabelConfig(rule)) ?? {}),
      send_exemplars: target.sendExemplars,
      send_native_histograms: target.sendNativeHistograms,
    }),
  };
}

const header =
  "# What prometheus-backup puts into prometheus.yml, between its marks. A change here changes nothing there.\n";

/**
 * The targets in the words of Prometheus, as they stand in its configuration. Every text is quoted, so that none of
 * them is read as something else.
 */
export function renderRemoteWrite(targets: RemoteWriteTargetPlan[]): string {
  const options = {
    lineWidth: 0,
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    singleQuote: false,
  } as const;
  return header + stringify({ remote_write: targets.map(item) }, options);
}
