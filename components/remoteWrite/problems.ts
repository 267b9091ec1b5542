import { Findings, Problem } from "../fields/problems";
import { relabelForm, targetForm } from "./form";
import { headerNameCheck, headerValueCheck, targetNameCheck, tenantCheck, vmTenantCheck } from "./patterns";
import { RemoteWritePreset, RemoteWriteQueue, RemoteWriteTarget } from "./settings";
import { tenantHeader } from "./yaml";

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
  if ((tls?.certificate === undefined) !== (tls?.key === undefined)) {
    found.add(`${path}.tls`, "has only one of `certificate` and `key`. Give both, or none.");
  }
}

function queueProblems(found: Findings, path: string, queue: RemoteWriteQueue | undefined): void {
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

function targetProblems(found: Findings, path: string, target: RemoteWriteTarget): void {
  found.fields(path, targetForm, target);
  tenantProblems(found, path, target);
  headerProblems(found, path, target);
  authProblems(found, path, target);
  queueProblems(found, `${path}.queue`, target.queue);
  target.writeRelabelConfigs?.forEach((rule, index) =>
    found.fields(`${path}.writeRelabelConfigs[${index}]`, relabelForm, rule),
  );
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
