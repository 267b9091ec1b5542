import { adminApiDefaults, Exposure } from "./adminApi/settings";
import { backupUser, WatchedJob } from "./backupJob/plan";
import { jobDefaults } from "./backupJob/settings";
import { BackupSettings } from "./backupSettings";
import { given } from "./fields/given";
import { PrometheusServer, serverDefaults } from "./host/server";

/** Whether the admin API is turned on: only snapshots need it. */
export function wantsAdminApi(settings: BackupSettings): boolean {
  return settings.adminApi?.enabled ?? (settings.source ?? jobDefaults.source) === "snapshot";
}

/** The server as every step but the one for the admin API sees it: where it has moved to, and who backs it up. */
export function jobServer(settings: BackupSettings): PrometheusServer {
  return { ...movedServer(settings), user: backupUser(settings) };
}

/** Behind a reverse proxy the server has moved to a port of its own; the proxy on the old one denies what a backup needs. */
function movedServer(settings: BackupSettings): PrometheusServer | undefined {
  if (!wantsAdminApi(settings) || settings.adminApi?.exposure !== Exposure.ReverseProxy) {
    return settings.prometheus;
  }
  const { pathname } = new URL(settings.prometheus?.url ?? serverDefaults.url);
  const address = settings.adminApi.loopbackListen ?? adminApiDefaults.loopbackListen;
  return { ...settings.prometheus, url: `http://${address}${pathname === "/" ? "" : pathname}` };
}

/** A host's settings as its job sees them. */
export function watchedJob(host: BackupSettings): WatchedJob {
  return { ...host, prometheus: jobServer(host), tooSlowSeconds: host.alerts?.tooSlowSeconds, exposure: host.adminApi?.exposure };
}

/** Whether the host gets a VictoriaMetrics server: only where settings for one are given. */
export function wantsVictoriaMetrics(settings: BackupSettings): boolean {
  return settings.victoriaMetrics !== undefined && settings.victoriaMetrics.enabled !== false;
}

/** Groups are merged setting by setting; everything else, lists and retention rules included, is replaced as a whole. */
export function mergeSettings<Own extends BackupSettings>(shared: BackupSettings, own: Own): Own {
  const groups = ["prometheus", "adminApi", "textfile", "alerts", "drill", "limits", "victoriaMetrics"] as const;
  const merged = { ...given(shared), ...given(own) } as Own;
  for (const key of groups) {
    if (shared[key] !== undefined && own[key] !== undefined) {
      Object.assign(merged, { [key]: { ...given(shared[key]), ...given(own[key]) } });
    }
  }
  return merged;
}
