import { adminApiDefaults, Exposure } from "../adminApi/settings";
import { given } from "../fields/given";
import { spreadSchedule } from "../fields/schedule";
import { serverDefaults } from "../host/server";
import { limitDefaults } from "./limits";
import { RepositoryPlan } from "./rclone";
import { PlainRepository, repositoryDefaults, repositoryName } from "./repository";
import { Retention, retentionDefaults } from "./retention";
import { drillDefaults, jobDefaults, JobSettings, Scheduler, Source } from "./settings";

/** A repository as the host sees it. */
export function repositoryPlan(repository: PlainRepository): RepositoryPlan {
  const {
    path,
    bucket,
    endpoint,
    kmsKey,
    gcs,
    sftp,
    prefix,
    hasCredentials,
    prune = true,
    proof = repositoryDefaults.proof,
  } = repository;
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

/**
 * User of the job: the server's own, because the data belongs to it; root where the job stops and starts the server's
 * unit.
 */
export function backupUser(job: JobSettings): string {
  return job.source === Source.Cold ? "root" : (job.prometheus?.user ?? serverDefaults.user);
}

/** The default number of days holds only as long as no other rule says what to keep. */
function retentionPlan(retention: Retention | undefined): RetentionPlan {
  const { minimum = retentionDefaults.minimum, ...rules } = retention ?? {};
  const hasRule = Object.values(rules).some(value => value !== undefined);
  return { ...(hasRule ? rules : { days: retentionDefaults.days }), minimum };
}

/** Settings of a job with what it says of itself in its metrics, for alerts to compare with. */
export interface WatchedJob extends JobSettings {
  tooSlowSeconds?: number;
  exposure?: Exposure;
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

/** Which backups are kept; a rule that is left out is off. */
export interface RetentionPlan {
  days?: number;
  keepLast?: number;
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number;
  minimum: number;
}

/** How much a run may take, of time and of the machine. */
export interface LimitsPlan {
  parallel: number;
  compressionLevel: number;
  bandwidth: string;
  nice: number;
  ioniceClass: number;
  ioniceLevel: number;
  snapshotTimeoutSeconds: number;
  transferTimeoutSeconds: number;
  apiTimeoutSeconds: number;
}

/** Everything that decides the files of the backup job; plain values, nothing secret. */
export interface BackupJobPlan {
  hostName: string;
  environment: string;
  prometheusUrl: string;
  prometheusUnit: string;
  backupUser: string;
  dataDirectory: string;
  hasApiCredentials: boolean;
  hasHeartbeat: boolean;
  newHost: boolean;
  readyTimeoutSeconds: number;
  companions: boolean;
  /** The cron line of this host, already moved by its offset. */
  schedule: string;
  timeZone: string;
  /** What calls the job. */
  scheduler: Scheduler;
  /** Seconds above which a run is too slow; by default it follows from the schedule. */
  tooSlowSeconds?: number;
  /** How the admin API is guarded. */
  exposure: string;
  /** The cron line of the drill, moved as the other one; none runs without it. */
  drillSchedule?: string;
  /** Parts of the blocks, of which a drill reads one; 1 is all. */
  drillParts: number;
  source: string;
  format: string;
  archiveCompression: string;
  skipHead: string;
  holdBlocks: boolean;
  retention: RetentionPlan;
  orphanGraceHours: number;
  suspectBelowPercent: number;
  /** Empty: no metrics. Undefined: the one that is found on the host. */
  textfileDirectory?: string;
  repositories: RepositoryPlan[];
  limits: LimitsPlan;
}
