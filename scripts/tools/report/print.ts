import { age, Report, RepositoryReport } from "./evaluate";

/** Bytes as people read them. */
export function bytes(count: number): string {
  const [unit, size] =
    (
      [
        ["GB", 1e9],
        ["MB", 1e6],
      ] as const
    ).find(([, least]) => count >= least) ?? (["kB", 1e3] as const);
  return `${unit === "kB" ? Math.round(count / size) : Math.round((count / size) * 10) / 10} ${unit}`;
}

function state(row: RepositoryReport): string {
  switch (row.state) {
    case "good":
      return "✔ good";
    case "findings":
      return row.findings.map(({ kind, text }) => `✘ ${kind.toUpperCase().replaceAll("-", " ")}: ${text}`).join("; ");
    case "unreachable":
      return `✘ UNREACHABLE: ${row.error ?? ""}`;
    case "elsewhere":
      return "· not mounted here";
  }
}

function cells(row: RepositoryReport): string[] {
  const known = row.state !== "elsewhere" && row.state !== "unreachable";
  return [
    row.host,
    row.repository,
    known ? `${row.backups}${row.pinned > 0 ? ` (${row.pinned} pinned)` : ""}` : "?",
    row.newest?.name ?? (known ? "none" : "?"),
    row.ageSeconds === null ? "" : age(row.ageSeconds),
    row.newest === null ? "" : bytes(row.newest.sizeBytes),
    state(row),
  ];
}

/** The last lines: what to do next. */
function advice(report: Report): string[] {
  const wrong = new Set(report.repositories.filter(row => row.state === "findings").map(({ host }) => host));
  const unreachable = report.repositories.some(row => row.state === "unreachable");
  const lines: string[] = [];
  if (report.withoutDrill.length > 0) {
    lines.push(
      `No drill is scheduled on ${report.withoutDrill.join(", ")}: set \`drill.schedule\`, or nobody knows whether these backups come back.`,
    );
  }
  if (unreachable) {
    lines.push(
      "A repository could not be read. Credentials come from the environment, as rclone reads it: AWS_* or RCLONE_CONFIG_<REPOSITORY>_*.",
    );
  }
  const unmounted = report.unseen.filter(name =>
    report.repositories.every(row => row.host !== name || row.state === "elsewhere"),
  );
  if (unmounted.length > 0) {
    lines.push(
      `Nothing is known about ${unmounted.join(", ")}. Mount the directory here and name it: --path REPOSITORY=DIR.`,
    );
  }
  if (wrong.size > 0) {
    lines.push(`${wrong.size} of ${report.hosts} hosts need attention. On the host: sudo prometheus-backup.sh status`);
  } else if (report.exitCode === 0) {
    lines.push(`All ${report.hosts} hosts have good backups.`);
  }
  return lines;
}

/** The report for a terminal. */
export function table(report: Report): string {
  const rows = [
    ["HOST", "REPOSITORY", "BACKUPS", "NEWEST GOOD", "AGE", "SIZE", "STATE"],
    ...report.repositories.map(cells),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map(row =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", ...advice(report), ""].join("\n");
}

function label(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

interface Metric {
  name: string;
  help: string;
  value: (row: RepositoryReport) => number | undefined;
}

const metrics: Metric[] = [
  {
    name: "readable",
    help: "1 if the report could read this repository.",
    value: row => (row.state === "unreachable" ? 0 : 1),
  },
  {
    name: "findings",
    help: "What is wrong with the backups of this host in this repository.",
    value: row => (row.state === "unreachable" ? undefined : row.findings.length),
  },
  {
    name: "backups",
    help: "Complete backups that the report found.",
    value: row => (row.state === "unreachable" ? undefined : row.backups),
  },
  {
    name: "newest_backup_timestamp_seconds",
    help: "End of the newest good backup that the report found.",
    value: row => seconds(row.newest?.finishedAt),
  },
  {
    name: "newest_sample_timestamp_seconds",
    help: "Time of the newest sample in it.",
    value: row => seconds(row.newest?.newestSample),
  },
  { name: "size_bytes", help: "Size in the repository of all that it needs.", value: row => row.newest?.sizeBytes },
];

function seconds(time: string | null | undefined): number | undefined {
  return time === null || time === undefined ? undefined : Date.parse(time) / 1000;
}

/** The report as an exposition file. No value rather than a wrong one: what is not mounted here does not appear. */
export function exposition(report: Report, environment: string): string {
  const rows = report.repositories.filter(row => row.state !== "elsewhere");
  const head = (name: string, help: string): string =>
    `# HELP prometheus_backup_report_${name} ${help}\n# TYPE prometheus_backup_report_${name} gauge\n`;
  const parts = metrics.map(({ name, help, value }) => {
    const lines = rows.flatMap(row => {
      const found = value(row);
      const labels = `host="${label(row.host)}",environment="${label(environment)}",repository="${label(row.repository)}"`;
      return found === undefined ? [] : [`prometheus_backup_report_${name}{${labels}} ${found}\n`];
    });
    return lines.length === 0 ? "" : head(name, help) + lines.join("");
  });
  const at = `prometheus_backup_report_last_run_timestamp_seconds{environment="${label(environment)}"} ${Math.floor(Date.parse(report.at) / 1000)}\n`;
  return [...parts, head("last_run_timestamp_seconds", "When the report was made."), at].join("");
}
