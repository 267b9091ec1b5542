import { spawnSync } from "child_process";
import { expect, test } from "vitest";
import { BackupSummary, evaluate, HostReading, Report, RepositoryReading } from "../../scripts/tools/report/evaluate";
import { bytes, exposition, table } from "../../scripts/tools/report/print";

const now = new Date("2026-11-22T11:00:00Z");
const day = 86_400;

/** A backup that ended so many hours ago. */
function backup(hours: number, more: Partial<BackupSummary> = {}): BackupSummary {
  const finishedAt = new Date(now.getTime() - hours * 3_600_000).toISOString();
  return {
    name: `${finishedAt.slice(0, 19).replace(/[-:]/g, "")}Z`,
    complete: true,
    damaged: false,
    pinned: false,
    suspect: null,
    finishedAt,
    newestSample: finishedAt,
    sizeBytes: 4.8e9,
    samples: 1000,
    ...more,
  };
}

function host(backups: BackupSummary[], more: Partial<HostReading> = {}): HostReading {
  return {
    host: "prom-a",
    expectedIntervalSeconds: day,
    suspectBelowPercent: 50,
    drillIntervalSeconds: 7 * day,
    repositories: [{ repository: "offsite", place: "offsite:backups/prom-a", backups }],
    ...more,
  };
}

function findings(backups: BackupSummary[]): [number, string[]] {
  const report = evaluate([host(backups)], now);
  return [
    report.exitCode,
    report.repositories.flatMap(row => row.findings.map(({ kind, text }) => `${kind}: ${text}`)),
  ];
}

test.each<[string, BackupSummary[], string[]]>([
  ["a backup of last night", [backup(9), backup(33)], []],
  ["one missed run", [backup(47)], []],
  ["two missed runs", [backup(49)], ["stale: the newest good backup is 2 d old; one is expected every 24 h"]],
  ["no backup", [], ["no-backup: there is no good backup"]],
  [
    "nothing but a suspect one",
    [backup(9, { suspect: "94 % smaller" })],
    ["no-backup: there is no good backup", "suspect: 20261122T020000Z is suspect: 94 % smaller"],
  ],
  [
    "a suspect one after a good one",
    [backup(9, { suspect: "94 % smaller" }), backup(33)],
    ["suspect: 20261122T020000Z is suspect: 94 % smaller"],
  ],
  ["a suspect one before a good one", [backup(9), backup(33, { suspect: "94 % smaller" })], []],
  [
    "a newest one without its objects",
    [backup(9, { complete: false }), backup(33)],
    ["incomplete: 20261122T020000Z lacks objects that its manifest names"],
  ],
  [
    "a manifest that cannot be read",
    [backup(9), backup(33, { complete: false, damaged: true })],
    ["damaged: manifests cannot be read: 20261121T020000Z"],
  ],
  [
    "runs that succeed without new data",
    [backup(9, { newestSample: "2026-11-20T00:00:00Z" })],
    ["data-old: the newest sample in backups is 2 d old, though runs succeed"],
  ],
  [
    "a backup without samples",
    [backup(9, { newestSample: null })],
    ["data-old: the newest good backup holds no samples"],
  ],
  [
    "a slow decline",
    [backup(9, { samples: 490 }), backup(33, { samples: 700 }), backup(57)],
    ["shrunk: the newest backup holds 49 % of the samples of the week's largest"],
  ],
  ["a good drill of last week", [backup(9, { lastDrill: "2026-11-15T09:00:00Z" })], []],
  [
    "a new host whose first drill is to come",
    [backup(9, { lastDrill: null }), backup(8 * 24, { lastDrill: null })],
    [],
  ],
  [
    "no drill ever",
    [backup(9, { lastDrill: null }), backup(10 * 24, { lastDrill: null })],
    ["never-drilled: no drill has succeeded, though there have been backups for 10 d"],
  ],
  [
    "drills that have stopped",
    [backup(9, { lastDrill: "2026-11-08T09:00:00Z" })],
    ["drill-old: the last good drill was 14 d ago; one is expected every 7 d"],
  ],
  ["a decline that is older than a week", [backup(9, { samples: 490 }), backup(9 + 8 * 24)], []],
])("%s", (_what, backups, expected) => {
  expect(findings(backups)).toEqual([expected.length === 0 ? 0 : 1, expected]);
});

test("a host without a schedule of drills is not judged by them", () => {
  const report = evaluate(
    [host([backup(9, { lastDrill: null }), backup(99 * 24, { lastDrill: null })], { drillIntervalSeconds: null })],
    now,
  );
  expect([report.exitCode, report.withoutDrill]).toEqual([0, ["prom-a"]]);
});

test("what cannot be read is neither good nor bad, and the exit code says so", () => {
  const unreachable: RepositoryReading = {
    repository: "offsite",
    place: "offsite:backups/prom-a",
    error: "rclone: 403 AccessDenied",
  };
  const local: RepositoryReading = { repository: "local", place: "/b/prom-a", elsewhere: true };
  const good: RepositoryReading = { repository: "offsite", place: "offsite:backups/prom-a", backups: [backup(9)] };
  const code = (...repositories: RepositoryReading[]): number => evaluate([host([], { repositories })], now).exitCode;
  expect([code(unreachable), code(local, good), code(local), code(unreachable, { ...good, backups: [] })]).toEqual([
    2, 0, 2, 2,
  ]);
});

function example(): Report {
  return evaluate(
    [
      { ...host([backup(9, { pinned: true }), backup(33)]), host: "prom-1" },
      {
        ...host([], { drillIntervalSeconds: null }),
        host: "prom-22",
        repositories: [
          { repository: "local", place: "/backup/prometheus/prom-22", elsewhere: true },
          { repository: "offsite", place: "offsite:backups/prom-22", backups: [backup(80, { sizeBytes: 3e8 })] },
          { repository: "nas", place: "nas:b/prom-22", error: "rclone: no route to host" },
        ],
      },
    ],
    now,
  );
}

test("the table answers one question and says what to do", () => {
  expect(table(example())).toMatchInlineSnapshot(`
    "HOST     REPOSITORY  BACKUPS       NEWEST GOOD       AGE  SIZE    STATE
    prom-1   offsite     2 (1 pinned)  20261122T020000Z  9 h  4.8 GB  ✔ good
    prom-22  local       ?             ?                              · not mounted here
    prom-22  offsite     1             20261119T030000Z  3 d  300 MB  ✘ STALE: the newest good backup is 3 d old; one is expected every 24 h
    prom-22  nas         ?             ?                              ✘ UNREACHABLE: rclone: no route to host

    No drill is scheduled on prom-22: set \`drill.schedule\`, or nobody knows whether these backups come back.
    A repository could not be read. Credentials come from the environment, as rclone reads it: AWS_* or RCLONE_CONFIG_<REPOSITORY>_*.
    1 of 2 hosts need attention. On the host: sudo prometheus-backup.sh status
    "
  `);
});

test("the exposition file is one that Prometheus accepts", () => {
  const text = exposition(example(), 'te"st');
  const lint = spawnSync("promtool", ["check", "metrics"], { input: text });
  expect([lint.status, lint.stdout.toString() + lint.stderr.toString()]).toEqual([0, ""]);
  expect(
    text.split("\n").filter(line => !line.startsWith("#") && /report_(readable|findings|newest_backup)/.test(line)),
  ).toEqual([
    'prometheus_backup_report_readable{host="prom-1",environment="te\\"st",repository="offsite"} 1',
    'prometheus_backup_report_readable{host="prom-22",environment="te\\"st",repository="offsite"} 1',
    'prometheus_backup_report_readable{host="prom-22",environment="te\\"st",repository="nas"} 0',
    'prometheus_backup_report_findings{host="prom-1",environment="te\\"st",repository="offsite"} 0',
    'prometheus_backup_report_findings{host="prom-22",environment="te\\"st",repository="offsite"} 1',
    'prometheus_backup_report_newest_backup_timestamp_seconds{host="prom-1",environment="te\\"st",repository="offsite"} 1795312800',
    'prometheus_backup_report_newest_backup_timestamp_seconds{host="prom-22",environment="te\\"st",repository="offsite"} 1795057200',
  ]);
});

test("sizes are rounded for people", () => {
  expect([0, 4800, 227_400_000, 4.84e9].map(bytes)).toEqual(["0 kB", "5 kB", "227.4 MB", "4.8 GB"]);
});
