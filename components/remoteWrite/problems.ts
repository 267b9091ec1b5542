import { both, Check, labelNameCheck, lineCheck, pattern } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { privateKeyFault, secretCheck } from "../fields/secretText";
import { RemoteWritePreset, RemoteWriteQueue, RemoteWriteTarget, WriteRelabelConfig } from "./settings";
import { tenantHeader } from "./yaml";

export const targetNameCheck = pattern(
  /^[a-z][a-z0-9-]{0,31}$/,
  "must be lower case letters, digits and `-`, at most 32, starting with a letter. Choose another name.",
);
/** With a query, because some receivers are told the tenant there; never with a user or a password. */
export const remoteUrlCheck = pattern(
  /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\/[A-Za-z0-9._~/%:-]*)?(\?[A-Za-z0-9._~/%:&=+-]*)?$/,
  "must be a URL with `http://` or `https://` and a host; no user and no password. Move credentials to `basicAuth` " +
    "or `bearerToken`.",
);
export const tenantCheck = pattern(
  /^[A-Za-z0-9!_.*'()-]{1,150}$/,
  "must be letters, digits and `!_.*'()-`, at most 150. Write the tenant as its administrators call it.",
);
export const vmTenantCheck = pattern(
  /^([0-9]{1,10}(:[0-9]{1,10})?|multitenant)$/,
  "must be the number of an account, with `:` and that of a project if there is one. Write for example `0` or `42:7`.",
);
const reservedHeaders =
  "content-encoding content-length content-type x-prometheus-remote-write-version user-agent connection keep-alive " +
  "proxy-authenticate proxy-authorization www-authenticate accept-encoding host";
export const headerNameCheck = both(
  pattern(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "is not the name of an HTTP header. Correct it."),
  value =>
    value.toLowerCase() === "authorization"
      ? "would show its secret to everybody who reads the configuration. Use `basicAuth` or `bearerToken`."
      : undefined,
  value =>
    reservedHeaders.split(" ").includes(value.toLowerCase())
      ? "is a header that Prometheus sets itself. Remove it."
      : undefined,
);
export const headerValueCheck = both(
  lineCheck,
  pattern(/^[\x20-\x7e]*$/, "holds characters that an HTTP header cannot carry. Use plain ASCII."),
);
export const pemCheck = pattern(
  /^\s*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/,
  "must be certificates as PEM text, with their BEGIN and END lines and nothing else. Paste the file.",
);

function tenantProblems(found: Findings, path: string, target: RemoteWriteTarget): void {
  const { preset, tenant, url } = target;
  if (tenant === undefined) {
    return;
  }
  if (preset === undefined) {
    found.add(
      `${path}.tenant`,
      "needs a `preset`, which says how the receiver is told. Set one, or write the header into `headers`.",
    );
    return;
  }
  found.text(`${path}.tenant`, tenant, preset === RemoteWritePreset.VictoriaMetrics ? vmTenantCheck : tenantCheck);
  if (
    preset === RemoteWritePreset.VictoriaMetrics &&
    typeof url === "string" &&
    /\/api\/v1\/write\/?$|\/insert\//.test(url)
  ) {
    found.add(
      `${path}.tenant`,
      "is part of the path of a cluster, and `url` has a path already. Give only one of the two.",
    );
  }
}

function headerProblems(found: Findings, path: string, target: RemoteWriteTarget): void {
  const taken = target.tenant === undefined ? undefined : tenantHeader(target.preset)?.toLowerCase();
  for (const [name, value] of Object.entries(target.headers ?? {})) {
    found.text(`${path}.headers.${name}`, name, headerNameCheck);
    found.text(`${path}.headers.${name}`, value, headerValueCheck);
    if (name.toLowerCase() === taken) {
      found.add(`${path}.headers.${name}`, "is set from `tenant` already. Give only one of the two.");
    }
  }
}

function authProblems(found: Findings, path: string, target: RemoteWriteTarget): void {
  const { basicAuth, bearerToken, tls } = target;
  if (basicAuth !== undefined && bearerToken !== undefined) {
    found.add(`${path}.bearerToken`, "cannot be used together with `basicAuth`. Give only one of the two.");
  }
  found.text(`${path}.basicAuth.username`, basicAuth?.username, both(lineCheck, notEmpty));
  found.text(`${path}.tls.ca`, tls?.ca, pemCheck);
  found.text(`${path}.tls.certificate`, tls?.certificate, pemCheck);
  found.text(`${path}.tls.key`, tls?.key, secretCheck(privateKeyFault));
  found.text(`${path}.tls.serverName`, tls?.serverName, both(lineCheck, notEmpty));
  if ((tls?.certificate === undefined) !== (tls?.key === undefined)) {
    found.add(`${path}.tls`, "has only one of `certificate` and `key`. Give both, or none.");
  }
}

const notEmpty: Check = value => (value === "" ? "is empty. Fill it in, or leave it out." : undefined);

function queueProblems(found: Findings, path: string, queue: RemoteWriteQueue | undefined): void {
  found.whole(`${path}.capacity`, queue?.capacity, 1, 10_000_000);
  found.whole(`${path}.minShards`, queue?.minShards, 1, 10_000);
  found.whole(`${path}.maxShards`, queue?.maxShards, 1, 10_000);
  found.whole(`${path}.maxSamplesPerSend`, queue?.maxSamplesPerSend, 1, 1_000_000);
  found.whole(`${path}.batchSendDeadlineSeconds`, queue?.batchSendDeadlineSeconds, 1, 3600);
  found.whole(`${path}.maxBackoffSeconds`, queue?.maxBackoffSeconds, 1, 3600);
  if (
    queue?.capacity !== undefined &&
    queue.maxSamplesPerSend !== undefined &&
    queue.capacity < queue.maxSamplesPerSend
  ) {
    found.add(
      `${path}.capacity`,
      "is smaller than `maxSamplesPerSend`, so that no request can ever be full. Three to ten times as much is usual.",
    );
  }
  if (queue?.minShards !== undefined && queue.maxShards !== undefined && queue.minShards > queue.maxShards) {
    found.add(`${path}.minShards`, "is larger than `maxShards`. Correct one of them.");
  }
}

function relabelProblems(found: Findings, path: string, rule: WriteRelabelConfig): void {
  rule.sourceLabels?.forEach((label, index) => found.text(`${path}.sourceLabels[${index}]`, label, labelNameCheck));
  found.text(`${path}.separator`, rule.separator, lineCheck);
  found.text(`${path}.targetLabel`, rule.targetLabel, lineCheck);
  found.text(`${path}.regex`, rule.regex, lineCheck);
  found.text(`${path}.replacement`, rule.replacement, lineCheck);
  found.whole(`${path}.modulus`, rule.modulus, 1, 1_000_000_000);
}

function targetProblems(found: Findings, path: string, target: RemoteWriteTarget): void {
  found.text(`${path}.name`, target.name, targetNameCheck);
  found.text(`${path}.url`, target.url, remoteUrlCheck);
  tenantProblems(found, path, target);
  headerProblems(found, path, target);
  authProblems(found, path, target);
  queueProblems(found, `${path}.queue`, target.queue);
  target.writeRelabelConfigs?.forEach((rule, index) =>
    relabelProblems(found, `${path}.writeRelabelConfigs[${index}]`, rule),
  );
  found.whole(`${path}.timeoutSeconds`, target.timeoutSeconds, 1, 600);
  found.whole(`${path}.arrivalTimeoutSeconds`, target.arrivalTimeoutSeconds, 1, 300);
}

/** What is wrong with the targets of remote_write. */
export function remoteWriteProblems(targets: RemoteWriteTarget[] | undefined): Problem[] {
  const found = new Findings();
  const names = (targets ?? []).map(({ name }) => name);
  targets?.forEach((target, index) => targetProblems(found, `remoteWrite[${index}]`, target));
  for (const name of new Set(names.filter((candidate, index) => names.indexOf(candidate) !== index))) {
    const where = names.flatMap((candidate, index) => (candidate === name ? [`remoteWrite[${index}].name`] : []));
    found.add(
      where.join(", "),
      `${where.length === 2 ? "both" : "all"} are "${name}". Names must differ because metrics and files carry ` +
        `them. Give each a \`name\` of its own.`,
    );
  }
  return found.problems;
}

/** Names become part of an expression of alerts. */
export function targetNameProblems(names: string[] | undefined): Problem[] {
  const found = new Findings();
  names?.forEach((name, index) => found.text(`remoteWriteTargets[${index}]`, name, targetNameCheck));
  return found.problems;
}

/** The component by itself needs somewhere to send to. */
export function missingTargets(targets: RemoteWriteTarget[]): Problem[] {
  const text =
    "is missing. Say where samples go, for example `[ { name: long-term, preset: thanos, url: " +
    "http://thanos-receiver:19291 } ]`.";
  return targets.length === 0 ? [{ path: "remoteWrite", text }] : [];
}
