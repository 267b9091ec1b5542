import { table, text, whole } from "../fields/group";
import { pattern } from "../fields/patterns";

/** How much a run may take, of time and of the machine. */
export interface Limits {
  /** Number of blocks that are packed and sent at the same time. Defaults to 2. */
  parallel?: number;
  /**
   * Level of zstd, 1 to 19; up to 12 with settings for chunks, except 1. Defaults to 2, about as small as zstd's own 3
   * to 6.
   */
  compressionLevel?: number;
  /**
   * Most that backups and restores may send to or fetch from a remote repository, in the notation of rclone's
   * `--bwlimit`, such as `10M` for ten MiB a second. Defaults to no limit. With one, objects go one at a time. A
   * repository on a path, also on a mounted one, is not limited.
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

/**
 * The part of rclone's `--bwlimit` that this project takes. rclone itself takes more: `08:00` alone is a rate up and
 * none down there, and a week of mistakes goes by before anybody sees it.
 */
const size = "(off|(0|[1-9][0-9]{0,8})(\\.[0-9]{1,3})?([BKMGTPbkmgtp]|[KMGTPkmgtp]i|[KMGTPkmgtp]iB)?)";
const rate = `${size}(:${size})?`;
const time = "((Mon|Tue|Wed|Thu|Fri|Sat|Sun)-)?([01][0-9]|2[0-3]):[0-5][0-9]";

/** A rate, `10M` or `10M:1M` (up:down), or rates by time: `08:00,512k 19:00,10M`, `Mon-08:00,512k Sat-00:00,off`. */
export const bandwidthForm = new RegExp(`^(${rate}|${time},${rate}( ${time},${rate})*)$`);

export const bandwidthCheck = pattern(
  bandwidthForm,
  "must be a rate for rclone's `--bwlimit`, or rates by time of day. " +
    "Write for example `10M`, `10M:1M` (up:down) or `08:00,1M 19:00,10M`.",
);

export const limitForm = table<Limits>()({
  parallel: whole(1, 64, { default: 2, key: "PARALLEL", says: "blocks packed and sent at the same time" }),
  compressionLevel: whole(1, 19, {
    default: 2,
    key: "COMPRESSION_LEVEL",
    says:
      "level of zstd, 1 to 19. 2 is [tuned for blocks](decisions/009-compression.md): about as small as " +
      "zstd's own 3 to 6, depending on the series, for less CPU time; 3 and 4 bring nothing. " +
      "[Measured](performance.md#one-days-backup): 1 takes 30 % less CPU time and sends 17 % more",
  }),
  bandwidth: text({
    check: bandwidthCheck,
    default: "",
    key: "BANDWIDTH_LIMIT",
    says:
      "most that backups and restores may send or fetch, for rclone's `--bwlimit`: `10M` is ten MiB a " +
      "second, `10M:1M` up and down, `08:00,1M 19:00,10M` by time of day (with `Mon-` and so on in front " +
      "of a time: by day of week), `off` none; then one object goes at a time. A repository with `path`, " +
      "also a mounted one, is not limited",
  }),
  nice: whole(0, 19, { default: 10, key: "NICE", says: "CPU priority, 0 to 19" }),
  ioniceClass: whole(1, 3, { default: 2, key: "IONICE_CLASS", says: "1 realtime, 2 best effort, 3 idle" }),
  ioniceLevel: whole(0, 7, { default: 7, key: "IONICE_LEVEL", says: "0 to 7" }),
  snapshotTimeoutSeconds: whole(1, 86_400, {
    default: 3600,
    key: "SNAPSHOT_TIMEOUT_SECONDS",
    says: "seconds the server may take for a snapshot",
  }),
  transferTimeoutSeconds: whole(1, 86_400, {
    default: 7200,
    key: "TRANSFER_TIMEOUT_SECONDS",
    says: "seconds for one object",
  }),
  apiTimeoutSeconds: whole(1, 3600, {
    default: 10,
    key: "API_TIMEOUT_SECONDS",
    says: "seconds for any other answer of the server",
  }),
});
