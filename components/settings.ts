import type * as pulumi from "@pulumi/pulumi";
import { AdminApiSettings } from "./adminApi/settings";
import { AlertSettings } from "./alertRules/settings";
import { Compression, Format, Proof, Scheduler, SkipHead, Source } from "./enums";
import { PrometheusServer } from "./host/server";
import { RemoteWriteTarget } from "./remoteWrite/settings";
import { TextfileSettings } from "./textfileDirectory/settings";
import { VictoriaMetricsSettings } from "./victoriaMetrics/settings";

/** Which backups are kept. A backup stays if any rule wants it; a rule that is left out is off. */
export interface Retention {
  /** Age in days up to which every backup is kept, counted from the day it was taken. Defaults to 30 if no other rule is set. */
  days?: number;
  /** Number of newest backups to keep. */
  keepLast?: number;
  /** Number of hours for which the newest backup is kept. */
  hourly?: number;
  /** Number of days for which the newest backup is kept. */
  daily?: number;
  /** Number of weeks for which the newest backup is kept. */
  weekly?: number;
  /** Number of months for which the newest backup is kept. */
  monthly?: number;
  /** Number of years for which the newest backup is kept. */
  yearly?: number;
  /** Number of newest complete backups that no rule ever deletes. Defaults to 3. */
  minimum?: number;
}

/** A directory on an SFTP server. */
export interface SftpDirectory {
  /** Name or IP address of the server. */
  address: pulumi.Input<string>;
  /** Port of the server. Defaults to 22. */
  port?: number;
  /** User on the server. */
  user: string;
  /** Directory on the server; a relative one starts in the user's home. */
  path: string;
  /** Public key of the server, as `ssh-keyscan -t ed25519 ADDRESS` prints it, without the address in front. */
  hostKey: string;
}

/**
 * One place for backups. Exactly one of `path`, `bucket`, `gcs` and `sftp` says which kind it is. Every host writes
 * below a directory of its own name.
 */
export interface Repository {
  /** Name in commands and logs: lower case letters, digits and `-`. Defaults to `local`, `offsite`, `gcs` or `sftp` by kind. */
  name?: string;
  /** Absolute directory on the host; also a mounted NAS. */
  path?: string;
  /** S3 bucket. In the configuration of a stack and in a fleet, `offsite` means the bucket that is created there. */
  bucket?: pulumi.Input<string>;
  /**
   * Region of the S3 bucket. Defaults to `us-east-1` with `endpoint`; for the bucket `offsite` to `aws:region` of the
   * stack, or `AWS_REGION` of the program. Refused where none of these says it: rclone would ask in `us-east-1`.
   */
  region?: pulumi.Input<string>;
  /** URL of an S3-compatible server other than AWS. */
  endpoint?: pulumi.Input<string>;
  /**
   * ARN of a KMS key that uploads to the S3 bucket ask for. Only needed where the bucket's policy refuses uploads that do not; with
   * KMS as the bucket's default encryption nothing has to be said. The host's role needs `kms:GenerateDataKey` and `kms:Decrypt`.
   */
  kmsKey?: pulumi.Input<string>;
  /** Google Cloud Storage bucket. */
  gcs?: pulumi.Input<string>;
  /** Directory inside the bucket, without slashes at its ends. */
  prefix?: string;
  /** Directory on an SFTP server. */
  sftp?: SftpDirectory;
  /**
   * The whole text of the credentials file; always kept secret; on the host it belongs to root,
   * and only the group of the backup user can read it. For S3 a shared
   * credentials file of AWS, for Google Cloud Storage the JSON key of a service account, for SFTP a private key.
   * Without it the host's own identity is used, which is the better way on AWS and Google Cloud.
   */
  credentials?: pulumi.Input<string>;
  /**
   * Whether the host applies retention there. Defaults to true; for the bucket `offsite` with `hostsMayPrune: false`, to false.
   * With false it deletes nothing there, and somebody else has to.
   */
  prune?: boolean;
  /**
   * Each `pulumi up` that changes the job has the backup user write, read and delete a small object in the repository. Defaults to `required`:
   * where that fails, the step fails and the host is as before. With `warn` it says so and goes on.
   */
  proof?: Proof;
}

/** How much a run may take, of time and of the machine. */
export interface Limits {
  /** Number of blocks that are packed and sent at the same time. Defaults to 2. */
  parallel?: number;
  /** Level of zstd, 1 to 19; up to 12 with settings for chunks, except 1. Defaults to 2, about as small as zstd's own 3 to 6. */
  compressionLevel?: number;
  /**
   * Most that backups and restores may send to or fetch from a remote repository, in the notation of rclone's `--bwlimit`, such as
   * `10M` for ten MiB a second. Defaults to no limit. With one, objects go one at a time. A repository on a path, also on a mounted one,
   * is not limited.
   */
  bandwidth?: string;
  /** CPU priority, 0 (normal) to 19 (lowest). Defaults to 10. */
  nice?: number;
  /** I/O class of `ionice`: 1 realtime, 2 best effort, 3 idle. Defaults to 2. */
  ioniceClass?: number;
  /** I/O priority within the class, 0 (highest) to 7. Defaults to 7. */
  ioniceLevel?: number;
  /** Seconds that the server may take for a snapshot. Defaults to 3600. */
  snapshotTimeoutSeconds?: number;
  /** Seconds that the transfer of one object may take. Defaults to 7200. */
  transferTimeoutSeconds?: number;
  /** Seconds that the server may take for any other answer. Defaults to 10. */
  apiTimeoutSeconds?: number;
}

/** Scheduled proof that backups come back. */
export interface DrillSettings {
  /**
   * When a drill runs: any line of Debian's cron without the command, in the host's time zone. Defaults to none.
   *
   * A drill restores the newest backup to scratch, boots a throw-away server on it and reads every block, so it needs
   * as much space as the data and fetches all of it. `spreadMinutes` moves it as it moves the backup.
   */
  schedule?: string;
  /**
   * Parts into which the blocks are divided, 1 to 9999. Defaults to 1: every drill reads all of them.
   *
   * With more, each drill restores and reads one part, the next one in turn, for servers whose data are too many for
   * every drill. What is damaged in one part is then found when its turn comes; a part that failed is read again.
   */
  parts?: number;
}

/** What is backed up, when, how and where to. */
export interface JobSettings {
  /** The server. */
  prometheus?: PrometheusServer;
  /** When backups run: any line of Debian's cron without the command. Defaults to `0 2 * * *`, in the host's time zone. */
  schedule?: string;
  /**
   * Minutes over which hosts with the same schedule are spread. Defaults to 0, which moves nothing.
   *
   * Each host runs later by an offset below this that follows from its name, so it stays the same when hosts come and go.
   */
  spreadMinutes?: number;
  /**
   * The host's time zone, such as `Europe/Berlin`. Defaults to `UTC`. With the scheduler `cron` it changes no run; alerts allow for
   * the longer night when clocks go back. With `systemd` the timers run in this zone.
   */
  timeZone?: string;
  /**
   * What calls the job. Defaults to `cron`.
   *
   * With `systemd` there are a timer and a service in place of each line of the cron entry: the same command, user, log,
   * metrics and alerts. A backup or a drill that was missed while the host was off is made up for when it is up again.
   */
  scheduler?: Scheduler;
  /**
   * Where backups read from. Defaults to `snapshot`.
   *
   * With `cold` the job stops the server's unit and starts it again, so it runs as root instead of `prometheus.user`:
   * cron entry, log, metrics, credentials and new directories for local repositories then belong to root.
   */
  source?: Source;
  /** Form of backups. Defaults to `blocks`. */
  format?: Format;
  /** Compression with the format `archive`. Defaults to `gzip`. */
  archiveCompression?: Compression;
  /** Whether the head is left out. Defaults to `auto`. */
  skipHead?: SkipHead;
  /**
   * Whether two-hour blocks are linked aside every hour until the next run, so that the run sends them and not, a second
   * time, what the server has merged from them: with daily runs about a third fewer bytes. Defaults to true; without effect where runs
   * come every two hours or oftener, more than a day apart, or make archives.
   *
   * On the host: a line in the cron entry, and hard links in `prometheus-backup-held` of the data directory. They take
   * space once the server has merged a block, at most that of two days' blocks, and go after each complete run, when less than a tenth
   * of the file system is free, and with the job.
   */
  holdBlocks?: boolean;
  /** Which backups are kept. A host's rules replace shared ones as a whole. */
  retention?: Retention;
  /** Hours before an object that no backup names is deleted. Defaults to 48; runs in progress are younger. */
  orphanGraceHours?: number;
  /** A backup smaller than this percentage of the one before is marked suspect, and deletes nothing. Defaults to 50; 0 turns it off. */
  suspectBelowPercent?: number;
  /**
   * Whether a backup holds what is needed to start the server elsewhere: `prometheus.yml`, rule files, file_sd, web
   * configuration, the unit. Defaults to true. Only what is known to be no secret goes along; the rest is masked or left
   * out, and named in the backup.
   */
  companions?: boolean;
  /**
   * URL of a watcher elsewhere, which is told of every start, success (the URL itself) and failure (`/start`, `/fail`
   * behind its path, in front of a query), because a dead Prometheus cannot alert about its own backups. Defaults to none.
   *
   * Whoever knows such a URL can silence it, so it is always kept secret; on the host it lies in a file of root's that only
   * the group of the backup user can read.
   */
  heartbeat?: pulumi.Input<string>;
  /** Where backups go, at least one place. A host's list replaces a shared one as a whole. */
  repositories?: Repository[];
  /** Drills. Without a schedule none runs, and no alert asks for one. */
  drill?: DrillSettings;
  /** Limits of a run. */
  limits?: Limits;
}

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
