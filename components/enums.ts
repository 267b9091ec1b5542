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

/** What `pulumi up` makes of a repository that the host cannot use. */
export const Proof = {
  /** The step fails, and the host is as before. */
  Required: "required",
  /** The step warns: for places that are not there yet. */
  Warn: "warn",
} as const;
export type Proof = (typeof Proof)[keyof typeof Proof];

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
