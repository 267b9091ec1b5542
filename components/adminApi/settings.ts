import { choice, defaultsOf, flag, table, text, whole } from "../fields/group";
import { pattern } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";

/** How the admin API of the server is guarded against everybody but the host itself. */
export const Exposure = {
  /** The server must listen on the loopback interface only; otherwise the host is refused before anything changes. */
  Loopback: "loopback",
  /** nginx takes the public address and denies the admin paths, the server moves to the loopback interface. */
  ReverseProxy: "reverse-proxy",
  /** Something else guards the server; every preview warns. */
  AcceptPublic: "accept-public",
} as const;
export type Exposure = (typeof Exposure)[keyof typeof Exposure];

/** The admin API of the server, which snapshots need. */
export interface AdminApiSettings {
  /** Whether this module turns it on. Defaults to true for the source `snapshot`. */
  enabled?: boolean;
  /** How it is guarded. Defaults to `loopback`. */
  exposure?: Exposure;
  /**
   * Addresses with ports that nginx listens on with `reverse-proxy`, between blanks. Defaults to the public ones that
   * the server has now.
   */
  proxyListen?: string;
  /** Loopback address and port that the server moves to with `reverse-proxy`. Defaults to `127.0.0.1:9091`. */
  loopbackListen?: string;
  /**
   * Seconds to wait for the server after its restart, before the unit is put back. Defaults to 480; replaying the WAL
   * of a big server takes longer, up to 7200 is allowed.
   */
  readyTimeoutSeconds?: number;
}

export const listenCheck = pattern(
  /^([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}( ([0-9.]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5})*$/,
  "must be IP addresses with ports, between blanks. Write for example `0.0.0.0:9090`.",
);
export const loopbackCheck = pattern(
  /^(127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5}$/,
  "must be a loopback address with a port. Write for example `127.0.0.1:9091`.",
);

export const adminApiForm = table<AdminApiSettings>()({
  enabled: flag({ shown: "`true` for the source `snapshot`", says: "whether this module turns it on" }),
  exposure: choice(Exposure, {
    default: Exposure.Loopback,
    says:
      "`loopback`: the server must listen on loopback only, otherwise the host is refused before " +
      "anything changes (with `bootstrapFrom`, after it has been restored). `reverse-proxy`: nginx takes " +
      "the public address and denies the admin paths, the server moves to loopback; [see " +
      "below](#who-reaches-the-admin-api). `accept-public`: something of yours guards it; every preview " +
      "warns",
  }),
  proxyListen: text({
    check: listenCheck,
    default: "",
    says: "where nginx listens; the public addresses the server has now",
  }),
  loopbackListen: text({
    check: loopbackCheck,
    default: "127.0.0.1:9091",
    says: "where the server moves to behind nginx",
  }),
  readyTimeoutSeconds: whole(1, 7200, {
    default: 480,
    says: "seconds to wait after the restart before the unit is put back",
  }),
});

export const adminApiDefaults = defaultsOf(adminApiForm);

/** What is wrong with the settings of the admin API. */
export function adminApiProblems(adminApi: AdminApiSettings | undefined): Problem[] {
  const found = new Findings();
  found.fields("adminApi", adminApiForm, adminApi);
  return found.problems;
}

/** A proxy is set up only where one is asked for. */
export function uselessProxy(adminApi: AdminApiSettings | undefined): Problem[] {
  const text = "is used only with `exposure: reverse-proxy`. Set that, or remove `proxyListen`.";
  return adminApi?.proxyListen !== undefined && adminApi.exposure !== "reverse-proxy"
    ? [{ path: "adminApi.proxyListen", text }]
    : [];
}

/** Arguments of `AdminApi`. */
export interface AdminApiArgs extends HostArgs {
  /** The server. */
  prometheus?: PrometheusServer;
  /** How the API is guarded, and how long to wait for the server. */
  adminApi?: AdminApiSettings;
}
