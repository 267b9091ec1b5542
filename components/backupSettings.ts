import {
  adminApiDefaults,
  adminApiProblems,
  adminApiForm,
  AdminApiSettings,
  Exposure,
  uselessProxy,
} from "./adminApi/settings";
import { alertProblems, alertForm, AlertSettings } from "./alertRules/settings";
import { jobDefaults, jobForm } from "./backupJob/form";
import { backupUser } from "./backupJob/plan";
import { jobProblems, missingRepositories, scheduleProblems } from "./backupJob/problems";
import { Repository } from "./backupJob/repository";
import { JobSettings } from "./backupJob/settings";
import { bootstrapProblems, BootstrapSource } from "./bootstrap/settings";
import { given } from "./fields/given";
import { groupsIn, list, part, table } from "./fields/group";
import { Problem } from "./fields/problems";
import { HostArgs, hostProblems, missingHostKey } from "./host/connection";
import { PrometheusServer, serverDefaults, serverProblems } from "./host/server";
import { OffsiteBucketSettings } from "./offsiteBucket/settings";
import { targetForm } from "./remoteWrite/form";
import { remoteWriteProblems } from "./remoteWrite/problems";
import { RemoteWriteTarget } from "./remoteWrite/settings";
import { textfileProblems, textfileForm, TextfileSettings } from "./textfileDirectory/settings";
import { victoriaMetricsProblems, victoriaMetricsForm, VictoriaMetricsSettings } from "./victoriaMetrics/settings";

/** Everything that hosts share or set for themselves. */
export interface BackupSettings extends JobSettings {
  /** The server's admin API. */
  adminApi?: AdminApiSettings;
  /** Metrics. */
  textfile?: TextfileSettings;
  /** Alert rules. */
  alerts?: AlertSettings;
  /** A VictoriaMetrics server on the host. Without this none is installed; `{}` takes all defaults. */
  victoriaMetrics?: VictoriaMetricsSettings;
  /** Receivers that get a copy of every new sample. A host's list replaces a shared one as a whole. */
  remoteWrite?: RemoteWriteTarget[];
}

/** The table of these settings. */
export const backupForm = table<BackupSettings>()({
  ...jobForm.shape,
  adminApi: part(adminApiForm),
  textfile: part(textfileForm),
  alerts: part(alertForm),
  victoriaMetrics: part(victoriaMetricsForm),
  remoteWrite: list(targetForm, { says: "list of targets; without it, `prometheus.yml` is left alone" }),
});

/** All values that hosts share or set for themselves, each by itself. */
export function settingsProblems(settings: BackupSettings): Problem[] {
  return [
    ...serverProblems(settings.prometheus),
    ...adminApiProblems(settings.adminApi),
    ...jobProblems(settings),
    ...textfileProblems(settings.textfile),
    ...alertProblems(settings.alerts),
    ...remoteWriteProblems(settings.remoteWrite),
    ...victoriaMetricsProblems(settings.victoriaMetrics),
  ];
}

/** Whether the admin API is turned on: only snapshots need it. */
export function wantsAdminApi(settings: BackupSettings): boolean {
  return settings.adminApi?.enabled ?? (settings.source ?? jobDefaults.source) === "snapshot";
}

/** The server as every step but the one for the admin API sees it: where it has moved to, and who backs it up. */
export function jobServer(settings: BackupSettings): PrometheusServer {
  return { ...movedServer(settings), user: backupUser(settings) };
}

/**
 * Behind a reverse proxy the server has moved to a port of its own; the proxy on the old one denies what a backup
 * needs.
 */
function movedServer(settings: BackupSettings): PrometheusServer | undefined {
  if (!wantsAdminApi(settings) || settings.adminApi?.exposure !== Exposure.ReverseProxy) {
    return settings.prometheus;
  }
  const { pathname } = new URL(settings.prometheus?.url ?? serverDefaults.url);
  const address = settings.adminApi.loopbackListen ?? adminApiDefaults.loopbackListen;
  return { ...settings.prometheus, url: `http://${address}${pathname === "/" ? "" : pathname}` };
}

/** Whether the host gets a VictoriaMetrics server: only where settings for one are given. */
export function wantsVictoriaMetrics(settings: BackupSettings): boolean {
  return settings.victoriaMetrics !== undefined && settings.victoriaMetrics.enabled !== false;
}

/**
 * Groups are merged setting by setting; everything else, lists and retention rules included, is replaced as a whole.
 */
export function mergeSettings<Own extends BackupSettings>(shared: BackupSettings, own: Own): Own {
  const merged = { ...given(shared), ...given(own) } as Own;
  for (const key of groupsIn(backupForm).filter(name => name !== "retention")) {
    const [ofAll, ofHost] = [shared[key], own[key]];
    if (ofAll !== undefined && ofHost !== undefined) {
      Object.assign(merged, { [key]: { ...given(ofAll), ...given(ofHost) } });
    }
  }
  return merged;
}

/** Puts the fleet's bucket where settings say `offsite`; it lies in `region` unless they name another. */
export function withOffsite<T extends BackupSettings>(
  settings: T,
  bucket: OffsiteBucketSettings | undefined,
  region?: string,
): T {
  const { repositories } = settings;
  if (bucket === undefined || repositories === undefined) {
    return settings;
  }
  const { bucketName, prefix, hostsMayPrune = true } = bucket;
  const named = (repository: Repository): Repository => ({
    prune: hostsMayPrune,
    ...repository,
    bucket: bucketName,
    prefix: repository.prefix ?? prefix,
    region: repository.region ?? region,
  });
  const placed = repositories.map(repository => (repository.bucket === "offsite" ? named(repository) : repository));
  return { ...settings, repositories: placed };
}

/** Arguments of `PrometheusBackup`. */
export interface PrometheusBackupArgs extends HostArgs, BackupSettings {
  /** Name of the environment, a label of every metric. Defaults to `default`. */
  environment?: string;
  /** The backup that this host is born from, once: see `Bootstrap`. Defaults to none. */
  bootstrapFrom?: BootstrapSource;
}

/** Everything that is wrong with a host and with any of its steps. */
export function backupProblems(args: PrometheusBackupArgs): Problem[] {
  return [
    ...hostProblems(args),
    ...scheduleProblems(args, args.hostName),
    ...settingsProblems(args),
    ...bootstrapProblems(args.bootstrapFrom, args.repositories),
    ...missingRepositories(args),
    ...uselessProxy(args.adminApi),
    ...missingHostKey(args.connection),
  ];
}
