import type * as pulumi from "@pulumi/pulumi";
import { PrometheusServer, serverDefaults } from "../host/server";
import { targetDefaults } from "./form";
import { RemoteWriteTarget, RemoteWriteTls } from "./settings";

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

type OpenTls = Omit<RemoteWriteTls, "key"> & { hasKey: boolean };
type OpenTarget = Omit<RemoteWriteTarget, "basicAuth" | "bearerToken" | "tls"> & {
  username?: string;
  hasBearerToken: boolean;
  tls?: OpenTls;
};

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
