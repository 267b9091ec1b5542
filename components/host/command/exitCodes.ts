/** What a number means with which the host command or a host step ends, and what to do first. */
export interface ExitCode {
  code: number;
  /** Begins as in the middle of a sentence. */
  meaning: string;
  /** Empty: nothing. Commands stand in backticks. */
  first: string;
}

/** The one list of exit codes; the help, the man page and the tables on pages are made from it. */
export const exitCodes: readonly ExitCode[] = [
  { code: 0, meaning: "done", first: "" },
  {
    code: 1,
    first: "read the lines above the error",
    meaning: "unexpected failure: a defect of the tool, or a tool it uses failed in a way nobody thought of",
  },
  { code: 2, meaning: "usage", first: "`prometheus-backup.sh COMMAND --help`" },
  { code: 3, meaning: "configuration, or a missing tool", first: "`pulumi up` for this host" },
  { code: 4, meaning: "Prometheus does not answer or is not ready", first: "`systemctl status prometheus`" },
  { code: 5, meaning: "the admin API is off", first: "give the host an `adminApi`, or use `source: hot`" },
  {
    code: 6,
    meaning: "the snapshot failed, or the data directory is damaged or empty",
    first: "`journalctl -u prometheus`",
  },
  { code: 7, meaning: "not enough space or inodes", first: "free space; backups and server are untouched" },
  {
    code: 8,
    meaning: "a repository cannot be reached or a transfer failed",
    first: "`prometheus-backup.sh check`",
  },
  {
    code: 9,
    meaning:
      "verification failed: an object is damaged or missing, a restored server does not hold what the backup " +
      "has, or blocks of the running server are damaged or lost (the backup of the others is complete)",
    first: "`prometheus-backup.sh status`; for blocks of the server `heal`, else another backup or repository",
  },
  { code: 10, meaning: "another run holds the lock; nothing was done", first: "wait" },
  { code: 11, meaning: "no such backup or block", first: "`prometheus-backup.sh list`" },
  { code: 12, meaning: "refused for safety; the message names the rule and how to override it", first: "read it" },
  ...[
    { code: 129, signal: "a hang-up: the terminal or the connection went away" },
    { code: 130, signal: "Ctrl-C" },
    { code: 143, signal: "TERM: somebody or systemd stopped it" },
  ].map(({ code, signal }) => ({
    code,
    meaning: `ended by ${signal}; the last line says what it left`,
    first: "read it",
  })),
];
