import type * as pulumi from "@pulumi/pulumi";
import { Exposure } from "../adminApi/settings";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";
import { Limits } from "./limits";
import { Repository } from "./repository";
import { Retention } from "./retention";

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
  /**
   * When backups run: any line of Debian's cron without the command. Defaults to `0 2 * * *`, in the host's time zone.
   */
  schedule?: string;
  /**
   * Minutes over which hosts with the same schedule are spread. Defaults to 0, which moves nothing.
   *
   * Each host runs later by an offset below this that follows from its name, so it stays the same when hosts come and
   * go.
   */
  spreadMinutes?: number;
  /**
   * The host's time zone, such as `Europe/Berlin`. Defaults to `UTC`. With the scheduler `cron` it changes no run;
   * alerts allow for the longer night when clocks go back. With `systemd` the timers run in this zone.
   */
  timeZone?: string;
  /**
   * What calls the job. Defaults to `cron`.
   *
   * With `systemd` there are a timer and a service in place of each line of the cron entry: the same command, user,
   * log, metrics and alerts. A backup or a drill that was missed while the host was off is made up for when it is up
   * again.
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
   * Whether two-hour blocks are linked aside every hour until the next run, so that the run sends them and not, a
   * second time, what the server has merged from them: with daily runs about a third fewer bytes. Defaults to true;
   * without effect where runs come every two hours or oftener, more than a day apart, or make archives.
   *
   * On the host: a line in the cron entry, and hard links in `prometheus-backup-held` of the data directory. They take
   * space once the server has merged a block, at most that of two days' blocks, and go after each complete run, when
   * less than a tenth of the file system is free, and with the job.
   */
  holdBlocks?: boolean;
  /** Which backups are kept. A host's rules replace shared ones as a whole. */
  retention?: Retention;
  /** Hours before an object that no backup names is deleted. Defaults to 48; runs in progress are younger. */
  orphanGraceHours?: number;
  /**
   * A backup smaller than this percentage of the one before is marked suspect, and deletes nothing. Defaults to 50; 0
   * turns it off.
   */
  suspectBelowPercent?: number;
  /**
   * Whether a backup holds what is needed to start the server elsewhere: `prometheus.yml`, rule files, file_sd, web
   * configuration, the unit. Defaults to true. Only what is known to be no secret goes along; the rest is masked or
   * left out, and named in the backup.
   */
  companions?: boolean;
  /**
   * URL of a watcher elsewhere, which is told of every start, success (the URL itself) and failure (`/start`, `/fail`
   * behind its path, in front of a query), because a dead Prometheus cannot alert about its own backups. Defaults to
   * none.
   *
   * Whoever knows such a URL can silence it, so it is always kept secret; on the host it lies in a file of root's that
   * only the group of the backup user can read.
   */
  heartbeat?: pulumi.Input<string>;
  /** Where backups go, at least one place. A host's list replaces a shared one as a whole. */
  repositories?: Repository[];
  /** Drills. Without a schedule none runs, and no alert asks for one. */
  drill?: DrillSettings;
  /** Limits of a run. */
  limits?: Limits;
}

/** Where a backup reads its blocks from. */
export const Source = {
  /** A snapshot made by the server; needs its admin API. */
  Snapshot: "snapshot",
  /** The finished blocks of the running server; misses the newest three hours. */
  Hot: "hot",
  /** Everything, with the server stopped meanwhile; the job runs as root for that. */
  Cold: "cold",
} as const;
export type Source = (typeof Source)[keyof typeof Source];

/** What calls the job on the host. */
export const Scheduler = {
  /** An entry in `/etc/cron.d`. A run that was missed because the host was off is missed. */
  Cron: "cron",
  /** Timers of systemd, which make up for a missed run when the host is up again, and services with few rights. */
  Systemd: "systemd",
} as const;
export type Scheduler = (typeof Scheduler)[keyof typeof Scheduler];

/** Form of a backup in the repository. */
export const Format = {
  /** Every block once, shared by all backups. */
  Blocks: "blocks",
  /** One tar file a backup. */
  Archive: "archive",
} as const;
export type Format = (typeof Format)[keyof typeof Format];

/** Compression of archives. */
export const Compression = {
  /** Readable everywhere, slow. */
  Gzip: "gzip",
  /** About nine times faster than gzip at the same size. */
  Zstd: "zstd",
} as const;
export type Compression = (typeof Compression)[keyof typeof Compression];

/** Whether snapshots leave out the head, which holds the newest three hours at most. */
export const SkipHead = {
  /** Hourly and faster schedules skip it, slower ones take it. */
  Auto: "auto",
  /** Left out: cheap, but a backup ends up to three hours before it was taken. */
  Always: "always",
  /** Taken: the server writes its whole head as a block for each backup. */
  Never: "never",
} as const;
export type SkipHead = (typeof SkipHead)[keyof typeof SkipHead];

/** Arguments of `BackupJob`. */
export interface BackupJobArgs extends HostArgs, JobSettings {
  /** Name of the environment, a label of every metric. Defaults to `default`. */
  environment?: string;
  /**
   * Directory of the textfile collector. Defaults to the one that a `TextfileDirectory` found on the host. An empty
   * text writes no metrics.
   */
  textfileDirectory?: string;
  /**
   * What a `TextfileDirectory` with `exporterCredentials` finds on the host, if it comes after this job. Always kept
   * secret.
   */
  exporterCredentials?: pulumi.Input<string>;
  /**
   * Seconds above which a run is too slow, stated in the metrics for alerts. Defaults to 1800, or to half the time
   * between two runs if that is shorter.
   */
  tooSlowSeconds?: number;
  /**
   * How the admin API is guarded. Defaults to `loopback`; a metric then says if a server with the admin API on listens
   * on more than that.
   */
  exposure?: Exposure;
}
