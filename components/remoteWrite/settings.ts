import type * as pulumi from "@pulumi/pulumi";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";

/**
 * How much a target may hold and send at once. What is left out is up to Prometheus, whose defaults suit most servers.
 */
export interface RemoteWriteQueue {
  /** Samples that one shard holds before reading of the WAL waits for it. */
  capacity?: number;
  /** Number of parallel senders to begin with. */
  minShards?: number;
  /** Number of parallel senders at most. A receiver that cannot keep up is protected by a smaller one. */
  maxShards?: number;
  /** Samples in one request. */
  maxSamplesPerSend?: number;
  /** Seconds after which a request is sent although it is not full. */
  batchSendDeadlineSeconds?: number;
  /** Seconds between two attempts at most. */
  maxBackoffSeconds?: number;
  /**
   * Whether a request that the receiver answers with 429 (too many requests) is tried again. Prometheus drops it
   * otherwise.
   */
  retryOnRateLimit?: boolean;
}

/** Name and password that a receiver asks for. */
export interface RemoteWriteBasicAuth {
  /** The name. */
  username: string;
  /** The password; always kept secret, on the host in a file that only root and the server can read. */
  password: pulumi.Input<string>;
}

/** How a receiver proves who it is, and the server in turn. */
export interface RemoteWriteTls {
  /**
   * Certificates of the authorities that may have signed the receiver's, as PEM text. Defaults to those of the host's
   * system.
   */
  ca?: pulumi.Input<string>;
  /** Certificate that the server shows, as PEM text. Needs `key`. */
  certificate?: pulumi.Input<string>;
  /**
   * Private key for `certificate`, as PEM text; always kept secret, on the host in a file that only root and the server
   * can read.
   */
  key?: pulumi.Input<string>;
  /** Name in the receiver's certificate, where it differs from that in the URL. */
  serverName?: string;
  /**
   * Accept any certificate. Defaults to false; whoever is in between can then read and change what is sent, password
   * included.
   */
  insecureSkipVerify?: boolean;
}

/** One rule about which series are sent and with which labels, as in `write_relabel_configs` of Prometheus. */
export interface WriteRelabelConfig {
  /** Labels whose values are joined and matched. */
  sourceLabels?: string[];
  /** What stands between them. Defaults to `;`. */
  separator?: string;
  /** The label that is set. */
  targetLabel?: string;
  /** What the joined values have to match. Defaults to anything. */
  regex?: string;
  /** For the action `hashmod`. */
  modulus?: number;
  /** What the label is set to, with `$1` for the first group of the match. Defaults to `$1`. */
  replacement?: string;
  /** What is done. Defaults to `replace`. */
  action?: RelabelAction;
}

/**
 * A receiver that gets a copy of every sample from now on (`remote_write` of Prometheus). It is no backup: nothing of
 * before is sent, and what cannot be sent for two hours is lost to it.
 */
export interface RemoteWriteTarget {
  /** Name in metrics and files: lower case letters, digits and `-`. A new name is a new queue. */
  name: string;
  /** What receives. Without it `url` is taken as it is. */
  preset?: RemoteWritePreset;
  /**
   * With a preset the address of the receiver, such as `http://thanos-receiver:19291`, with a path in front of its own
   * if there is a proxy; the path of the endpoint is added unless it is there. Without one the whole URL. May come from
   * another resource.
   */
  url: pulumi.Input<string>;
  /** Tenant at the receiver. Needs a preset, which says how it is told. */
  tenant?: string;
  /** Further HTTP headers by name. They can be read in `prometheus.yml`, so they are no place for secrets. */
  headers?: Record<string, string>;
  /** Name and password, if the receiver asks for them. */
  basicAuth?: RemoteWriteBasicAuth;
  /**
   * Token for the header `Authorization: Bearer`; always kept secret, on the host in a file that only root and the
   * server can read.
   */
  bearerToken?: pulumi.Input<string>;
  /** Settings of TLS. */
  tls?: RemoteWriteTls;
  /** Seconds that one request may take. Left to Prometheus (30) if it is left out. */
  timeoutSeconds?: number;
  /** Size of the queue. Left to Prometheus if it is left out. */
  queue?: RemoteWriteQueue;
  /** Which series are sent and with which labels, in this order. Defaults to all as they are. */
  writeRelabelConfigs?: WriteRelabelConfig[];
  /** Whether exemplars are sent, too. Defaults to false; the server must store them. */
  sendExemplars?: boolean;
  /** Whether native histograms are sent, too. Defaults to false; needs Prometheus 2.40. */
  sendNativeHistograms?: boolean;
  /**
   * What happens if no samples arrive after a change. Defaults to `required`: everything is put back, and the step
   * fails.
   */
  arrival?: Arrival;
  /**
   * Seconds to wait for the first samples. Defaults to 120, up to 300 is allowed; it must be longer than the scrape
   * interval.
   */
  arrivalTimeoutSeconds?: number;
}

/** What receives a copy of the samples, which decides the path of its endpoint and how it is told the tenant. */
export const RemoteWritePreset = {
  /** Thanos Receive: `/api/v1/receive`, header `THANOS-TENANT`. */
  Thanos: "thanos",
  /** Cortex: `/api/v1/push`, header `X-Scope-OrgID`. */
  Cortex: "cortex",
  /** Grafana Mimir: `/api/v1/push`, header `X-Scope-OrgID`. */
  Mimir: "mimir",
  /** VictoriaMetrics: `/api/v1/write`; with a tenant, that of a cluster, `/insert/TENANT/prometheus/api/v1/write`. */
  VictoriaMetrics: "victoriametrics",
} as const;
export type RemoteWritePreset = (typeof RemoteWritePreset)[keyof typeof RemoteWritePreset];

/** What is expected of a remote_write target when it is installed or changed. */
export const Arrival = {
  /** Samples must arrive, otherwise everything is put back as it was. */
  Required: "required",
  /** A target that gets no samples stays configured, with a warning. */
  Warn: "warn",
} as const;
export type Arrival = (typeof Arrival)[keyof typeof Arrival];

/** What a relabelling rule does, as Prometheus names it. */
export const RelabelAction = {
  /** Sets a label from others; what Prometheus does without an action. */
  Replace: "replace",
  /** Lets only matching series through. */
  Keep: "keep",
  /** Holds matching series back. */
  Drop: "drop",
  /** Lets series through whose joined labels equal the target label. */
  KeepEqual: "keepequal",
  /** Holds them back. */
  DropEqual: "dropequal",
  /** Sets a label to the hash of others, modulo a number. */
  HashMod: "hashmod",
  /** Renames labels. */
  LabelMap: "labelmap",
  /** Removes matching labels. */
  LabelDrop: "labeldrop",
  /** Removes all other labels. */
  LabelKeep: "labelkeep",
  /** Sets a label in lower case. */
  Lowercase: "lowercase",
  /** Sets a label in upper case. */
  Uppercase: "uppercase",
} as const;
export type RelabelAction = (typeof RelabelAction)[keyof typeof RelabelAction];

/** Whether any file of secrets is needed on the host; known before any Output is. */
export function hasTargetSecrets(args: Pick<RemoteWriteArgs, "prometheus" | "remoteWrite">): boolean {
  const secrets = args.remoteWrite.flatMap(({ basicAuth, bearerToken, tls }) => [
    basicAuth?.password,
    bearerToken,
    tls?.key,
  ]);
  return [args.prometheus?.apiCredentials, ...secrets].some(secret => secret !== undefined);
}

/** Arguments of `RemoteWrite`. */
export interface RemoteWriteArgs extends HostArgs {
  /** The server that sends. */
  prometheus?: PrometheusServer;
  /** Where it sends to, at least one place. Plain values but for the leaves that say otherwise. */
  remoteWrite: RemoteWriteTarget[];
}
