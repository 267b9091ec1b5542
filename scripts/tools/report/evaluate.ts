/** One backup as its manifest and the list of objects tell of it. */
export interface BackupSummary {
  name: string;
  /**
   * Every object that the manifest names is there, in its recorded size. What is in it, only `verify` and `drill` know.
   */
  complete: boolean;
  /** The manifest cannot be read; everything below is then empty. */
  damaged: boolean;
  pinned: boolean;
  /** Why the backup is not trusted, or null. */
  suspect: string | null;
  finishedAt: string;
  newestSample: string | null;
  sizeBytes: number;
  samples: number;
  /**
   * End of the host's last good drill before the backup; null if there was none, undefined if its version does not say.
   */
  lastDrill?: string | null;
}

/** What was found of one host in one repository. */
export interface RepositoryReading {
  repository: string;
  /** Where it was looked for, for people. */
  place: string;
  /** Nothing if it could not be read. */
  backups?: BackupSummary[];
  /** Why it could not be read. */
  error?: string;
  /** A directory of the host that is not mounted here: nothing is known, and nothing is wrong. */
  elsewhere?: boolean;
}

/** One host: what is expected of it, and what was found. */
export interface HostReading {
  host: string;
  expectedIntervalSeconds: number;
  suspectBelowPercent: number;
  /** Largest gap between two drills of their schedule; null without a schedule. */
  drillIntervalSeconds: number | null;
  repositories: RepositoryReading[];
}

export type FindingKind =
  "no-backup" | "stale" | "data-old" | "suspect" | "shrunk" | "incomplete" | "damaged" | "never-drilled" | "drill-old";

/** Something that a person should look at. */
export interface Finding {
  kind: FindingKind;
  text: string;
}

/** The verdict on one host in one repository. */
export interface RepositoryReport {
  host: string;
  repository: string;
  place: string;
  state: "good" | "findings" | "unreachable" | "elsewhere";
  backups: number;
  pinned: number;
  /** The newest backup that a restore would choose: complete and not suspect. */
  newest: BackupSummary | null;
  ageSeconds: number | null;
  findings: Finding[];
  error: string | null;
}

export interface Report {
  at: string;
  hosts: number;
  /** Hosts of which no repository could be read from here. */
  unseen: string[];
  /** Hosts on which no drill is scheduled. */
  withoutDrill: string[];
  repositories: RepositoryReport[];
  /** 0 all good, 1 findings, 2 something could not be read. */
  exitCode: 0 | 1 | 2;
}

const HOUR = 3600;
const WEEK = 7 * 24 * HOUR;

/** Seconds as people say them. */
export function age(seconds: number): string {
  if (seconds < 2 * HOUR) {
    return `${Math.floor(seconds / 60)} min`;
  }
  return seconds < 48 * HOUR ? `${Math.floor(seconds / HOUR)} h` : `${Math.floor(seconds / (24 * HOUR))} d`;
}

function secondsSince(time: string, now: Date): number {
  return (now.getTime() - Date.parse(time)) / 1000;
}

/** Backups that a restore would choose from, newest first. */
function good(backups: BackupSummary[]): BackupSummary[] {
  return backups
    .filter(({ complete, suspect }) => complete && suspect === null)
    .sort((a, b) => (a.name < b.name ? 1 : -1));
}

/** What is wrong with how old the backups are. A run may be missed once; twice the interval is no accident. */
function ageFindings(host: HostReading, newest: BackupSummary, now: Date): Finding[] {
  const limit = 2 * host.expectedIntervalSeconds;
  const since = secondsSince(newest.finishedAt, now);
  if (since > limit) {
    return [
      {
        kind: "stale",
        text: `the newest good backup is ${age(since)} old; one is expected every ${age(host.expectedIntervalSeconds)}`,
      },
    ];
  }
  if (newest.newestSample === null) {
    return [{ kind: "data-old", text: "the newest good backup holds no samples" }];
  }
  // Backups without the head end up to three hours before they were taken.
  const behind = secondsSince(newest.newestSample, now);
  return behind > limit + 3 * HOUR
    ? [{ kind: "data-old", text: `the newest sample in backups is ${age(behind)} old, though runs succeed` }]
    : [];
}

/** The host marks what shrank against the backup before; a slow decline over a week shows only here. */
function shrinkFindings(host: HostReading, usable: BackupSummary[]): Finding[] {
  const [newest, ...older] = usable;
  if (newest === undefined) {
    return [];
  }
  const week = older.filter(({ finishedAt }) => Date.parse(newest.finishedAt) - Date.parse(finishedAt) <= WEEK * 1000);
  const largest = Math.max(0, ...week.map(({ samples }) => samples));
  const percent = largest === 0 ? 100 : Math.floor((100 * newest.samples) / largest);
  return percent < host.suspectBelowPercent
    ? [{ kind: "shrunk", text: `the newest backup holds ${percent} % of the samples of the week's largest` }]
    : [];
}

/** What is wrong with backups that are newer than the newest good one, and with manifests of any age. */
function brokenFindings(backups: BackupSummary[], newest: BackupSummary | undefined): Finding[] {
  const damaged = backups.filter(backup => backup.damaged).map(({ name }) => name);
  const newer = backups
    .filter(({ name, damaged: unreadable }) => !unreadable && name > (newest?.name ?? ""))
    .sort((a, b) => (a.name < b.name ? 1 : -1))[0];
  const findings: Finding[] =
    damaged.length === 0 ? [] : [{ kind: "damaged", text: `manifests cannot be read: ${damaged.join(", ")}` }];
  if (newer !== undefined && !newer.complete) {
    findings.push({ kind: "incomplete", text: `${newer.name} lacks objects that its manifest names` });
  } else if (newer !== undefined && newer.suspect !== null) {
    findings.push({ kind: "suspect", text: `${newer.name} is suspect: ${newer.suspect}` });
  }
  return findings;
}

/**
 * What backups of a host whose drills are scheduled say of the last one; a drill shows in the first backup after it.
 */
function drillFindings(
  { drillIntervalSeconds, expectedIntervalSeconds }: HostReading,
  usable: BackupSummary[],
  now: Date,
): Finding[] {
  const [newest] = usable;
  const oldest = usable.at(-1);
  if (drillIntervalSeconds === null || newest?.lastDrill === undefined || oldest === undefined) {
    return [];
  }
  const limit = drillIntervalSeconds + 2 * expectedIntervalSeconds;
  if (newest.lastDrill === null) {
    const since = secondsSince(oldest.finishedAt, now);
    return since > limit
      ? [{ kind: "never-drilled", text: `no drill has succeeded, though there have been backups for ${age(since)}` }]
      : [];
  }
  const since = secondsSince(newest.lastDrill, now);
  return since > limit
    ? [
        {
          kind: "drill-old",
          text: `the last good drill was ${age(since)} ago; one is expected every ${age(drillIntervalSeconds)}`,
        },
      ]
    : [];
}

function judge(host: HostReading, reading: RepositoryReading, now: Date): RepositoryReport {
  const { repository, place, backups, error } = reading;
  const empty = {
    host: host.host,
    repository,
    place,
    backups: 0,
    pinned: 0,
    newest: null,
    ageSeconds: null,
    findings: [],
    error: null,
  };
  if (backups === undefined) {
    return reading.elsewhere === true
      ? { ...empty, state: "elsewhere" }
      : { ...empty, state: "unreachable", error: error ?? "it could not be read" };
  }
  const usable = good(backups);
  const newest = usable[0];
  const findings = [
    ...(newest === undefined
      ? [{ kind: "no-backup" as const, text: "there is no good backup" }]
      : ageFindings(host, newest, now)),
    ...shrinkFindings(host, usable),
    ...brokenFindings(backups, newest),
    ...drillFindings(host, usable, now),
  ];
  return {
    ...empty,
    state: findings.length === 0 ? "good" : "findings",
    backups: backups.filter(({ complete }) => complete).length,
    pinned: backups.filter(({ pinned }) => pinned).length,
    newest: newest ?? null,
    ageSeconds: newest === undefined ? null : Math.round(secondsSince(newest.finishedAt, now)),
    findings,
  };
}

/** The verdict on everything that was read. */
export function evaluate(hosts: HostReading[], now: Date): Report {
  const repositories = hosts.flatMap(host => host.repositories.map(reading => judge(host, reading, now)));
  const unseen = hosts
    .filter(({ repositories: places }) => places.every(({ backups }) => backups === undefined))
    .map(({ host }) => host);
  const unreachable = unseen.length > 0 || repositories.some(({ state }) => state === "unreachable");
  return {
    at: now.toISOString(),
    hosts: hosts.length,
    unseen,
    withoutDrill: hosts.filter(({ drillIntervalSeconds }) => drillIntervalSeconds === null).map(({ host }) => host),
    repositories,
    exitCode: unreachable ? 2 : repositories.some(({ state }) => state === "findings") ? 1 : 0,
  };
}
