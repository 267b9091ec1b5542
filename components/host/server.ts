import type * as pulumi from "@pulumi/pulumi";
import { defaultsOf, flag, secret, table, text, whole } from "../fields/group";
import { directoryCheck, unitCheck, urlCheck, userCheck } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { apiCredentialsName, paths } from "./paths";

/** The server that is backed up. */
export interface PrometheusServer {
  /**
   * Base URL as seen from the host itself, with the route prefix if there is one. Defaults to `http://127.0.0.1:9090`.
   */
  url?: string;
  /** The server's systemd unit. Defaults to `prometheus.service`. */
  unit?: string;
  /**
   * User that runs the backups: the server's own, because the data belongs to it. Defaults to `prometheus`. With the
   * source `cold` it is root, whatever is set here.
   */
  user?: string;
  /** Data directory. Defaults to what the server itself says; a value that differs from it fails every backup. */
  dataDirectory?: string;
  /**
   * A curl configuration file, such as `user = "name:password"`, for a server that asks for credentials; always
   * kept secret. On the host it belongs to root, and only the group of the backup user can read it.
   */
  apiCredentials?: pulumi.Input<string>;
  /** Accept a server without any block. Defaults to false: an empty TSDB is then a failed backup. */
  newHost?: boolean;
  /**
   * Seconds to wait for the server after a cold backup or a restore has started it. Defaults to 900.
   *
   * After that a cold backup counts as failed, and a restore puts the old data back. Replaying the WAL of a big server
   * takes longer, up to 86400 is allowed.
   */
  readyTimeoutSeconds?: number;
}

export const serverForm = table<PrometheusServer>()({
  url: text({
    check: urlCheck,
    default: "http://127.0.0.1:9090",
    key: "PROMETHEUS_URL",
    says: "as seen from the host, with the route prefix if there is one",
  }),
  unit: text({
    check: unitCheck,
    default: "prometheus.service",
    key: "PROMETHEUS_UNIT",
    says: "the server's systemd unit",
  }),
  user: text({
    check: userCheck,
    default: "prometheus",
    says: "runs the backups, because the data belong to it; with `source: cold` root does",
  }),
  dataDirectory: text({
    check: directoryCheck,
    default: "",
    key: "DATA_DIR",
    says: "what the server says; a value that differs from it fails every backup",
  }),
  apiCredentials: secret({ says: 'name of the secret with a curl configuration such as `user = "name:password"`' }),
  newHost: flag({ default: false, key: "NEW_HOST", says: "accept a server without any block" }),
  readyTimeoutSeconds: whole(1, 86_400, {
    default: 900,
    key: "READY_TIMEOUT_SECONDS",
    says: "seconds to wait for the server after a cold backup or a restore has started it",
  }),
});

export const serverDefaults = defaultsOf(serverForm);

/** What is wrong with the description of the server. */
export function serverProblems(server: PrometheusServer | undefined): Problem[] {
  const found = new Findings();
  found.fields("prometheus", serverForm, server);
  return found.problems;
}

/** How a step finds the server, to refuse a host that cannot be backed up before anything is changed there. */
export interface ServerPlan {
  unit: string;
  url: string;
  hasApiCredentials: boolean;
}

/** The curl configuration with the credentials of the server, if it asks for any. */
export function apiCurlConfig(hasApiCredentials: boolean): string {
  return hasApiCredentials ? `${paths.credentials}/${apiCredentialsName}` : "";
}

export function serverSettings({ unit, url, hasApiCredentials }: ServerPlan): Record<string, string> {
  return { SERVER_UNIT: unit, SERVER_URL: url, API_CURL_CONFIG: apiCurlConfig(hasApiCredentials) };
}

/** How a step finds the server. */
export function serverPlan(prometheus: PrometheusServer | undefined): ServerPlan {
  return {
    unit: prometheus?.unit ?? serverDefaults.unit,
    url: prometheus?.url ?? serverDefaults.url,
    hasApiCredentials: prometheus?.apiCredentials !== undefined,
  };
}
