/** How the admin API of the server is guarded against everybody but the host itself. */
export const Exposure = {
  /** The server must listen on the loopback interface only; otherwise the host is refused before anything changes. */
  Loopback: "loopback",
  /** nginx takes the public address and denies the admin paths, the server moves to the loopback interface. */
  ReverseProxy: "reverse-proxy",
  /** Something else guards the server; every preview warns. */
  AcceptPublic: "accept-public",
} as const;
export type Exposure = (typeof Exposure)[keyof typeof Exposure];

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

/** What Object Lock keeps people from doing. */
export const LockMode = {
  /** Only identities with a right of their own may shorten the lock. */
  Governance: "GOVERNANCE",
  /** Nobody may, the account's owner included. */
  Compliance: "COMPLIANCE",
} as const;
export type LockMode = (typeof LockMode)[keyof typeof LockMode];
