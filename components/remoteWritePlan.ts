import type * as pulumi from "@pulumi/pulumi";
import { targetDefaults } from "./defaults";
import { privateKeyFault } from "./fields/secretText";
import { checkedSecret } from "./host/secrets";
import { PrometheusServer, serverDefaults } from "./host/server";
import { RemoteWriteTarget, RemoteWriteTls } from "./remoteWriteSettings";
import { RemoteWritePlan, RemoteWriteSecrets, RemoteWriteTargetPlan } from "./render/remoteWrite";

type OpenTls = Omit<RemoteWriteTls, "key"> & { hasKey: boolean };
type OpenTarget = Omit<RemoteWriteTarget, "basicAuth" | "bearerToken" | "tls"> & { username?: string; hasBearerToken: boolean; tls?: OpenTls };

/** A target without its secrets; one secret leaf would make the whole payload unreadable in the preview. */
export function withoutSecrets({ basicAuth, bearerToken, tls, ...rest }: RemoteWriteTarget): OpenTarget {
  const { key, ...openTls } = tls ?? {};
  return {
    ...rest,
    hasBearerToken: bearerToken !== undefined,
    ...(basicAuth === undefined ? {} : { username: basicAuth.username }),
    ...(tls === undefined ? {} : { tls: { ...openTls, hasKey: key !== undefined } }),
  };
}

/** The secrets of targets by their names. */
export function targetSecrets(targets: RemoteWriteTarget[]): Record<string, pulumi.Input<pulumi.Inputs>> {
  const secrets = targets.map(({ name, basicAuth, bearerToken, tls }, index) => {
    const path = `remoteWrite[${index}].tls.key`;
    const key = tls?.key === undefined ? undefined : checkedSecret(tls.key, path, privateKeyFault);
    return [name, { password: basicAuth?.password, token: bearerToken, key }];
  });
  return Object.fromEntries(secrets) as Record<string, pulumi.Input<pulumi.Inputs>>;
}

/** What `targetSecrets` is once everything is known. */
export type KnownSecrets = Record<string, RemoteWriteSecrets>;

/** A target whose every leaf is known. */
export type PlainTarget = pulumi.Unwrap<OpenTarget>;

function targetPlan(target: PlainTarget): RemoteWriteTargetPlan {
  const { headers, queue, writeRelabelConfigs, arrival, arrivalTimeoutSeconds, ...rest } = target;
  return {
    ...rest,
    headers: headers ?? {},
    queue: queue ?? {},
    relabel: writeRelabelConfigs ?? [],
    arrival: arrival ?? targetDefaults.arrival,
    arrivalTimeoutSeconds: arrivalTimeoutSeconds ?? targetDefaults.arrivalTimeoutSeconds,
  };
}

/** What the steps for remote_write are told. */
export function remoteWritePlan(prometheus: PrometheusServer | undefined, targets: PlainTarget[]): RemoteWritePlan {
  return {
    unit: prometheus?.unit ?? serverDefaults.unit,
    url: prometheus?.url ?? serverDefaults.url,
    hasApiCredentials: prometheus?.apiCredentials !== undefined,
    targets: targets.map(targetPlan),
  };
}
