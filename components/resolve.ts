import type * as pulumi from "@pulumi/pulumi";
import { adminApiDefaults, Exposure } from "./adminApi/settings";
import { drillDefaults, jobDefaults, limitDefaults, repositoryDefaults, retentionDefaults } from "./defaults";
import { Source } from "./enums";
import { given } from "./fields/given";
import { spreadSchedule } from "./fields/schedule";
import { PrometheusServer, serverDefaults } from "./host/server";
import { BackupJobPlan, RetentionPlan } from "./render/backupJob";
import { RepositoryPlan } from "./render/repositories";
import { BackupSettings, JobSettings, Repository, Retention } from "./settings";

/** A repository without its secret, every other leaf known. */
export type PlainRepository = pulumi.Unwrap<Omit<Repository, "credentials">> & { hasCredentials: boolean };

/** What a repository is called when its settings give no name. */
export function repositoryName(repository: { name?: string; path?: unknown; bucket?: unknown; gcs?: unknown }): string {
  if (repository.name !== undefined) {
    return repository.name;
  }
  if (repository.path !== undefined) {
    return "local";
  }
  if (repository.bucket !== undefined) {
    return "offsite";
  }
  return repository.gcs !== undefined ? "gcs" : "sftp";
}

/** A repository as the host sees it. */
export function repositoryPlan(repository: PlainRepository): RepositoryPlan {
  const { path, bucket, endpoint, kmsKey, gcs, sftp, prefix, hasCredentials, prune = true, proof = repositoryDefaults.proof } = repository;
  const region = repository.region ?? (endpoint === undefined ? undefined : repositoryDefaults.endpointRegion);
  return {
    name: repositoryName(repository),
    ...(path === undefined ? {} : { path }),
    ...(bucket === undefined ? {} : { bucket, ...(region === undefined ? {} : { region }) }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(kmsKey === undefined ? {} : { kmsKey }),
    ...(gcs === undefined ? {} : { gcs }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(sftp === undefined ? {} : { sftp: { ...sftp, port: sftp.port ?? 22 } }),
    hasCredentials,
    prune,
    proof,
  };
}

/** Whether the admin API is turned on: only snapshots need it. */
export function wantsAdminApi(settings: BackupSettings): boolean {
  return settings.adminApi?.enabled ?? (settings.source ?? jobDefaults.source) === "snapshot";
}

/** User of the job: the server's own, because the data belongs to it; root where the job stops and starts the server's unit. */
export function backupUser(job: JobSettings): string {
  return job.source === Source.Cold ? "root" : (job.prometheus?.user ?? serverDefaults.user);
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

/** The default number of days holds only as long as no other rule says what to keep. */
function retentionPlan(retention: Retention | undefined): RetentionPlan {
  const { minimum = retentionDefaults.minimum, ...rules } = retention ?? {};
  const hasRule = Object.values(rules).some(value => value !== undefined);
  return { ...(hasRule ? rules : { days: retentionDefaults.days }), minimum };
}

/** Settings of a job with what it says of itself in its metrics, for alerts to compare with. */
interface WatchedJob extends JobSettings {
  tooSlowSeconds?: number;
  exposure?: Exposure;
}

/** A host's settings as its job sees them. */
export function watchedJob(host: BackupSettings): WatchedJob {
  return { ...host, prometheus: jobServer(host), tooSlowSeconds: host.alerts?.tooSlowSeconds, exposure: host.adminApi?.exposure };
}

/** What decides the files of the backup job, all defaults filled in. Throws `ScheduleError`. */
export function backupJobPlan(
  hostName: string,
  environment: string,
  job: WatchedJob,
  directory: string | undefined,
  repositories: RepositoryPlan[],
): BackupJobPlan {
  const { prometheus, spreadMinutes = jobDefaults.spreadMinutes } = job;
  const drill = job.drill?.schedule;
  return {
    hostName,
    environment,
    prometheusUrl: prometheus?.url ?? serverDefaults.url,
    prometheusUnit: prometheus?.unit ?? serverDefaults.unit,
    backupUser: backupUser(job),
    dataDirectory: prometheus?.dataDirectory ?? serverDefaults.dataDirectory,
    hasApiCredentials: prometheus?.apiCredentials !== undefined,
    hasHeartbeat: job.heartbeat !== undefined,
    newHost: prometheus?.newHost ?? serverDefaults.newHost,
    readyTimeoutSeconds: prometheus?.readyTimeoutSeconds ?? serverDefaults.readyTimeoutSeconds,
    companions: job.companions ?? jobDefaults.companions,
    schedule: spreadSchedule(job.schedule ?? jobDefaults.schedule, spreadMinutes, hostName),
    timeZone: job.timeZone ?? jobDefaults.timeZone,
    scheduler: job.scheduler ?? jobDefaults.scheduler,
    ...(job.tooSlowSeconds === undefined ? {} : { tooSlowSeconds: job.tooSlowSeconds }),
    exposure: job.exposure ?? adminApiDefaults.exposure,
    ...(drill === undefined ? {} : { drillSchedule: spreadSchedule(drill, spreadMinutes, hostName) }),
    drillParts: job.drill?.parts ?? drillDefaults.parts,
    source: job.source ?? jobDefaults.source,
    format: job.format ?? jobDefaults.format,
    archiveCompression: job.archiveCompression ?? jobDefaults.archiveCompression,
    skipHead: job.skipHead ?? jobDefaults.skipHead,
    holdBlocks: job.holdBlocks ?? jobDefaults.holdBlocks,
    retention: retentionPlan(job.retention),
    orphanGraceHours: job.orphanGraceHours ?? jobDefaults.orphanGraceHours,
    suspectBelowPercent: job.suspectBelowPercent ?? jobDefaults.suspectBelowPercent,
    ...(directory === undefined ? {} : { textfileDirectory: directory }),
    repositories,
    limits: { ...limitDefaults, ...given(job.limits) },
  };
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
