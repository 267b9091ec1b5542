import { adminApiDefaults, Exposure } from "../adminApi/settings";
import { Complete, complete } from "../fields/group";
import { spreadSchedule } from "../fields/schedule";
import { serverDefaults } from "../host/server";
import { jobForm } from "./form";
import { RepositoryPlan } from "./rclone";
import { PlainRepository, repositoryDefaults, repositoryName } from "./repository";
import { Retention, retentionForm, usualDays } from "./retention";
import { JobSettings, Source } from "./settings";

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
    prune = repositoryDefaults.prune,
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
    ...(sftp === undefined ? {} : { sftp: { ...sftp, port: sftp.port ?? repositoryDefaults.sftpPort } }),
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
function retentionPlan(retention: Retention | undefined): BackupJobPlan["job"]["retention"] {
  const { minimum: _always, ...rules } = retention ?? {};
  const hasRule = Object.values(rules).some(value => value !== undefined);
  return { ...complete(retentionForm, retention), ...(hasRule ? {} : { days: usualDays }) };
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
  const settings = complete(jobForm, job);
  const { schedule, spreadMinutes, drill } = settings;
  return {
    hostName,
    environment,
    job: { ...settings, retention: retentionPlan(job.retention) },
    backupUser: backupUser(job),
    hasApiCredentials: job.prometheus?.apiCredentials !== undefined,
    hasHeartbeat: job.heartbeat !== undefined,
    schedule: spreadSchedule(schedule, spreadMinutes, hostName),
    ...(job.tooSlowSeconds === undefined ? {} : { tooSlowSeconds: job.tooSlowSeconds }),
    exposure: job.exposure ?? adminApiDefaults.exposure,
    ...(drill.schedule === undefined ? {} : { drillSchedule: spreadSchedule(drill.schedule, spreadMinutes, hostName) }),
    ...(directory === undefined ? {} : { textfileDirectory: directory }),
    repositories,
  };
}

/** Everything that decides the files of the backup job; plain values, nothing secret. */
export interface BackupJobPlan {
  hostName: string;
  environment: string;
  /** The settings with their defaults; of the rules of retention, those that are on. */
  job: Complete<typeof jobForm.shape>;
  backupUser: string;
  hasApiCredentials: boolean;
  hasHeartbeat: boolean;
  /** The cron line of this host, already moved by its offset. */
  schedule: string;
  /** Seconds above which a run is too slow; by default it follows from the schedule. */
  tooSlowSeconds?: number;
  /** How the admin API is guarded. */
  exposure: Exposure;
  /** The cron line of the drill, moved as the other one; none runs without it. */
  drillSchedule?: string;
  /** Empty: no metrics. Undefined: the one that is found on the host. */
  textfileDirectory?: string;
  repositories: RepositoryPlan[];
}
