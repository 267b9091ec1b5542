import { choice, defaultsOf, flag, list, part, rewritten, secret, table, text, whole } from "../fields/group";
import { timeZoneCheck } from "../fields/scheduleCheck";
import { serverForm } from "../host/server";
import { limitForm } from "./limits";
import { repositoryForm } from "./repository";
import { retentionForm } from "./retention";
import { Compression, DrillSettings, Format, JobSettings, Scheduler, SkipHead, Source } from "./settings";

/** When the job runs. */
export type ScheduleSettings = Pick<JobSettings, "schedule" | "spreadMinutes" | "timeZone" | "scheduler">;

export const scheduleForm = table<ScheduleSettings>()({
  schedule: text({
    default: "0 2 * * *",
    says: "any line of Debian's cron without the command, in the host's time zone",
  }),
  spreadMinutes: whole(0, 1439, {
    default: 0,
    says: "hosts start later by an offset below this, which follows from the name",
  }),
  timeZone: text({
    check: timeZoneCheck,
    default: "UTC",
    says:
      "the host's zone; with `scheduler: cron` it changes no run, only what alerts expect when clocks " +
      "change; timers of systemd run in it",
  }),
  scheduler: choice(Scheduler, {
    default: Scheduler.Cron,
    key: "SCHEDULER",
    says: "`cron`, or `systemd`: timers that [make up for missed runs](how-it-works.md#scheduler)",
  }),
});

export const drillForm = table<DrillSettings>()({
  schedule: text({
    says:
      "when a drill of the newest backup runs, as a cron line such as `0 5 * * 0`; it needs space for " +
      "all the data and fetches all of it. `PrometheusBackupVerifyStale` then watches that it happens. " +
      "`spreadMinutes` moves it, too",
  }),
  parts: whole(1, 9999, {
    default: 1,
    says:
      "with more than 1, each drill fetches and reads one of so many parts of the blocks, in turn; a " +
      "part that failed is read again",
  }),
});

/** `true` and `false` read naturally for a setting that the API of Prometheus has as a boolean. */
const skipHead = rewritten(
  value => (value === true ? SkipHead.Always : value === false ? SkipHead.Never : value),
  choice(SkipHead, {
    default: SkipHead.Auto,
    says: "`auto`: hourly and faster schedules leave the head out; `always` (or `true`); `never` (or `false`)",
  }),
);

/** What the job does, apart from when, and from the server. */
export const ownForm = table<Omit<JobSettings, keyof ScheduleSettings | "prometheus">>()({
  source: choice(Source, {
    default: Source.Snapshot,
    key: "SOURCE",
    says: "`snapshot`, `hot` or `cold` (as root): see [how it works](how-it-works.md#sources)",
  }),
  format: choice(Format, {
    default: Format.Blocks,
    key: "FORMAT",
    says: "`blocks` (each sent once) or `archive` (one tar file a backup)",
  }),
  archiveCompression: choice(Compression, {
    default: Compression.Gzip,
    key: "ARCHIVE_COMPRESSION",
    says: "`gzip` or `zstd`, for archives",
  }),
  skipHead,
  holdBlocks: flag({
    default: true,
    says:
      "with runs more than two hours and at most a day apart: each two-hour block is [linked " +
      "aside](how-it-works.md#holding) until the next run, which saves a sixth of its bytes at 15 days " +
      "of retention of the server, and more at longer ones",
  }),
  retention: part(retentionForm),
  orphanGraceHours: whole(1, 8760, {
    default: 48,
    key: "ORPHAN_GRACE_HOURS",
    says: "hours before an object that no backup names is deleted",
  }),
  suspectBelowPercent: whole(0, 99, {
    default: 50,
    key: "SHRINK_PERCENT",
    says:
      "a backup smaller than this share of the one before is marked suspect and deletes nothing; 0 turns " + "it off",
  }),
  companions: flag({
    default: true,
    key: "COMPANIONS",
    says:
      "a backup also holds what is needed to start the server elsewhere: `prometheus.yml`, rule files, " +
      "file_sd, web configuration, the unit; [without secrets](security.md), [restored on " +
      "request](restore.md#prometheusyml-rules-and-the-unit-companions)",
  }),
  heartbeat: secret({
    says:
      "name of the secret with the URL of a watcher elsewhere, told of every start (`/start` behind the " +
      "path), success (the URL itself) and failure (`/fail`); [how](alerts.md#a-watcher-elsewhere)",
  }),
  repositories: list(repositoryForm, {
    shown: "required",
    says: "list of places, at least one; each has exactly one of `path`, `bucket`, `gcs`, `sftp`",
  }),
  drill: part(drillForm),
  limits: part(limitForm),
});

/** The table of a job. */
export const jobForm = table<JobSettings>()({
  prometheus: part(serverForm),
  ...scheduleForm.shape,
  ...ownForm.shape,
});

export const jobDefaults = { ...defaultsOf(jobForm), environment: "default" } as const;

/** What of a `BackupJob` by itself may be secret. */
export const jobArgsForm = { ...jobForm.shape, exporterCredentials: secret() };
