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

/** What receives a copy of the samples, which decides the path of its endpoint and how it is told the tenant. */
export const RemoteWritePreset = {
  /** Thanos Receive: `/api/v1/receive`, header `THANOS-TENANT`. */
  Thanos: "thanos",
  /** Cortex: `/api/v1/push`, header `X-Scope-OrgID`. */
  Cortex: "cortex",
  /** Grafana Mimir: `/api/v1/push`, header `X-Scope-OrgID`. */
  Mimir: "mimir",
  /** VictoriaMetrics: `/api/v1/write`; with a tenant, that of a cluster, `/insert/TENANT/prometheus/api/v1/write`. */
  VictoriaMetrics: "victoriametrics",
} as const;
export type RemoteWritePreset = (typeof RemoteWritePreset)[keyof typeof RemoteWritePreset];

/** What is expected of a remote_write target when it is installed or changed. */
export const Arrival = {
  /** Samples must arrive, otherwise everything is put back as it was. */
  Required: "required",
  /** A target that gets no samples stays configured, with a warning. */
  Warn: "warn",
} as const;
export type Arrival = (typeof Arrival)[keyof typeof Arrival];

/** What a relabelling rule does, as Prometheus names it. */
export const RelabelAction = {
  /** Sets a label from others; what Prometheus does without an action. */
  Replace: "replace",
  /** Lets only matching series through. */
  Keep: "keep",
  /** Holds matching series back. */
  Drop: "drop",
  /** Lets series through whose joined labels equal the target label. */
  KeepEqual: "keepequal",
  /** Holds them back. */
  DropEqual: "dropequal",
  /** Sets a label to the hash of others, modulo a number. */
  HashMod: "hashmod",
  /** Renames labels. */
  LabelMap: "labelmap",
  /** Removes matching labels. */
  LabelDrop: "labeldrop",
  /** Removes all other labels. */
  LabelKeep: "labelkeep",
  /** Sets a label in lower case. */
  Lowercase: "lowercase",
  /** Sets a label in upper case. */
  Uppercase: "uppercase",
} as const;
export type RelabelAction = (typeof RelabelAction)[keyof typeof RelabelAction];
