// A made-up fortnight of a small fleet, as OpenMetrics text for promtool: hosts on time, late, failing, silent.
// The names and labels of the series are those of the host command; a test compares them.

export const STEP = 1800;
const HOUR = 3600;
const DAY = 24 * HOUR;
/** The end of the fortnight; fixed, so that pictures and tests are the same each time. */
export const NOW = Date.UTC(2026, 10, 25, 8, 0) / 1000;
export const START = NOW - 15 * DAY;

export interface FleetHost {
  name: string;
  environment: string;
  intervalHours: number;
  /** Hour of the first run of a day, UTC. */
  atHour: number;
  gigabytes: number;
  repositories: string[];
  drillDays?: number;
  cold?: boolean;
  /** Exit code of a run, and the repositories that it concerns. 0 and none by default. */
  ends?: (run: Run) => { exit: number; repositories?: string[] };
  suspect?: (run: Run) => boolean;
  snapshotsLeft?: (run: Run) => number;
  verifyExit?: (at: number) => number;
}

interface Run {
  at: number;
  hoursAgo: number;
}

export const hosts: FleetHost[] = [
  {
    name: "prom-eu-1",
    environment: "prod",
    intervalHours: 24,
    atHour: 2,
    gigabytes: 86,
    repositories: ["nas", "offsite"],
    drillDays: 7,
  },
  {
    name: "prom-eu-2",
    environment: "prod",
    intervalHours: 24,
    atHour: 3,
    gigabytes: 64,
    repositories: ["nas", "offsite"],
    drillDays: 7,
    // Two bad nights in the middle, caught up since.
    ends: run => (run.hoursAgo > 130 && run.hoursAgo < 180 ? { exit: 8, repositories: ["offsite"] } : { exit: 0 }),
    snapshotsLeft: run => (run.hoursAgo > 130 && run.hoursAgo < 180 ? 1 : 0),
  },
  {
    name: "prom-us-1",
    environment: "prod",
    intervalHours: 6,
    atHour: 1,
    gigabytes: 121,
    repositories: ["nas", "offsite"],
    drillDays: 7,
    ends: run => (run.hoursAgo < 30 ? { exit: 8, repositories: ["offsite"] } : { exit: 0 }),
  },
  {
    name: "prom-ap-1",
    environment: "prod",
    intervalHours: 24,
    atHour: 20,
    gigabytes: 40,
    repositories: ["offsite"],
    suspect: run => run.hoursAgo < 24,
  },
  {
    name: "prom-ap-2",
    environment: "prod",
    intervalHours: 1,
    atHour: 0,
    gigabytes: 22,
    repositories: ["offsite"],
    drillDays: 7,
  },
  {
    name: "stage-1",
    environment: "staging",
    intervalHours: 24,
    atHour: 4,
    gigabytes: 12,
    repositories: ["nas"],
    cold: true,
    snapshotsLeft: () => 0,
  },
  {
    name: "stage-2",
    environment: "staging",
    intervalHours: 24,
    atHour: 5,
    gigabytes: 9,
    repositories: ["nas"],
    drillDays: 3,
    verifyExit: at => (NOW - at < 2 * DAY ? 9 : 0),
  },
  {
    name: "stage-3",
    environment: "staging",
    intervalHours: 24,
    atHour: 5,
    gigabytes: 11,
    repositories: ["nas"],
    snapshotsLeft: run => (run.hoursAgo < 80 ? 3 : 0),
  },
  { name: "lab", environment: "lab", intervalHours: 168, atHour: 6, gigabytes: 3, repositories: ["nas"] },
];

/** Targets that are marked for backups; the first is new, the second does not answer. */
export const bareTargets = [
  { instance: "10.0.0.27:9100", up: () => 1 },
  { instance: "10.0.0.31:9100", up: (at: number) => (at > NOW - 5 * HOUR ? 0 : 1) },
];

type Samples = Map<string, [number, number][]>;

/** A number from 0 to 1 that looks like chance and is the same every time. */
function chance(seed: number): number {
  const wave = Math.sin(seed * 12.9898) * 43758.5453;
  return wave - Math.floor(wave);
}

/** A series as the exposition format writes it. */
export function series(name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
  return `${name}{${pairs.join(",")}}`;
}

/**
 * What the run leaves, on top of what earlier ones left. Names with `|` carry a label, as in the host command's own
 * state.
 */
function afterRun(host: FleetHost, at: number, values: Map<string, number>): void {
  const run = { at, hoursAgo: (NOW - at) / HOUR };
  const { exit, repositories: failed = [] } = host.ends?.(run) ?? { exit: 0 };
  const luck = chance(at / HOUR + host.gigabytes);
  const suspect = host.suspect?.(run) ?? false;
  const size = host.gigabytes * 1e9 * (suspect ? 0.31 : 1 + (at - NOW) / (90 * DAY) + 0.01 * luck);
  const sent = (host.gigabytes * 1e9 * host.intervalHours * (0.8 + 0.4 * luck)) / 24 / 15;
  const upload = sent / 2e7 + (exit === 0 ? 0 : 400);
  const stages: Record<string, number> = {
    snapshot: 3 + 4 * luck,
    plan: 1 + luck,
    upload,
    prune: 4 + 2 * luck,
    publish: 1,
  };
  for (const [stage, length] of Object.entries(stages)) {
    values.set(`last_stage_duration_seconds|stage=${stage}`, Math.round(length));
  }
  const length = Object.values(stages).reduce((sum, stage) => sum + stage, 0);
  values
    .set("last_run_timestamp_seconds", at + length)
    .set("last_exit_code", exit)
    .set("last_duration_seconds", Math.round(length));
  values
    .set("leftover_snapshots", host.snapshotsLeft?.(run) ?? 0)
    .set("leftover_snapshots_bytes", (host.snapshotsLeft?.(run) ?? 0) * 4.1e9);
  values.set("admin_api_enabled", 1).set("admin_api_exposed", 0).set("uploaded_bytes", sent);
  values.set("damaged_blocks", 0).set("lost_blocks", 0).set("future_blocks", 0);
  values.set("duration_limit_seconds", 1800).set("suspect_below_ratio", 0.5);
  if (host.drillDays !== undefined) {
    values
      .set("drill_interval_seconds", host.drillDays * 86400)
      .set("drill_scheduled_since_timestamp_seconds", START - host.drillDays * DAY);
  }
  for (const repository of host.repositories) {
    const good = exit === 0 || !failed.includes(repository);
    values
      .set(`repository_damaged_backups|repository=${repository}`, 0)
      .set(`repository_future_backups|repository=${repository}`, 0);
    values.set(`repository_last_exit_code|repository=${repository}`, good ? 0 : exit);
    if (good) {
      values.set(`repository_last_success_timestamp_seconds|repository=${repository}`, at + length);
    }
  }
  if (host.cold === true) {
    values.set("downtime_seconds", 35 + 20 * luck);
  }
  if (exit !== 0) {
    return;
  }
  values.set("last_success_timestamp_seconds", at + length);
  values
    .set("newest_sample_timestamp_seconds", at)
    .set("oldest_sample_timestamp_seconds", suspect ? at - 4 * DAY : at - 15 * DAY - ((at / HOUR) % 18) * HOUR);
  values
    .set("size_bytes", size)
    .set("blocks", Math.round(28 + 3 * luck - (suspect ? 17 : 0)))
    .set("samples", Math.round(size / 1.4))
    .set("suspect", suspect ? 1 : 0);
}

function afterDrill(host: FleetHost, at: number, values: Map<string, number>): void {
  const exit = host.verifyExit?.(at) ?? 0;
  values.set("verify_last_exit_code", exit).set("restore_bytes_per_second", 9.1e7);
  if (exit === 0) {
    values.set("verify_last_success_timestamp_seconds", at).set("drill_last_success_timestamp_seconds", at);
    values.set("drill_restore_seconds", host.gigabytes * 11 * (1 + 0.1 * chance(at)));
  }
}

function seriesOf(host: FleetHost, metric: string): string {
  const [name = "", pair] = metric.split("|");
  const [label, text = ""] = pair?.split("=") ?? (name === "build_info" ? ["version", "1.0.0"] : []);
  const labels = { host: host.name, environment: host.environment, instance: `${host.name}:9100`, job: "node" };
  return series(`prometheus_backup_${name}`, label === undefined ? labels : { ...labels, [label]: text });
}

function hostSamples(host: FleetHost, samples: Samples): void {
  const instance = `${host.name}:9100`;
  const values = new Map<string, number>();
  const names = new Map<string, string>();
  // One day and one schedule ahead, so that everything has happened once when the fortnight begins.
  const warmUp = Math.max(host.intervalHours, 24 * (host.drillDays ?? 0)) * HOUR + DAY;
  for (let at = START - warmUp; at <= NOW; at += STEP) {
    // A run or drill that began at the last step has ended.
    const began = at - STEP;
    if ((began - host.atHour * HOUR) % (host.intervalHours * HOUR) === 0) {
      afterRun(host, began, values);
    }
    if (host.drillDays !== undefined && (began - 9 * HOUR) % (host.drillDays * DAY) === 0) {
      afterDrill(host, began, values);
    }
    if (at < START) {
      continue;
    }
    values.set("expected_interval_seconds", host.intervalHours * HOUR).set("build_info", 1);
    for (const [metric, value] of values) {
      const name = names.get(metric) ?? seriesOf(host, metric);
      names.set(metric, name);
      add(samples, name, at, value);
    }
    add(samples, series("up", { instance, job: "node", prometheus_backup: "enabled" }), at, 1);
    add(
      samples,
      series("node_textfile_mtime_seconds", {
        instance,
        job: "node",
        file: "/var/lib/prometheus/node-exporter/prometheus_backup.prom",
      }),
      at,
      values.get("last_run_timestamp_seconds") ?? at,
    );
    add(samples, series("node_textfile_scrape_error", { instance, job: "node" }), at, 0);
  }
}

function add(samples: Samples, name: string, at: number, value: number): void {
  const points = samples.get(name);
  if (points === undefined) {
    samples.set(name, [[at, value]]);
  } else {
    points.push([at, value]);
  }
}

/** Samples of every series, without alerts: those are for the rules to say. */
export function fortnight(): Samples {
  const samples: Samples = new Map();
  for (const host of hosts) {
    hostSamples(host, samples);
  }
  for (const { instance, up } of bareTargets) {
    for (let at = START; at <= NOW; at += STEP) {
      add(samples, series("up", { instance, job: "node", prometheus_backup: "enabled" }), at, up(at));
    }
  }
  return samples;
}

/** The text that `promtool tsdb create-blocks-from openmetrics` reads. */
export function openMetrics(samples: Samples): string {
  const byName = new Map<string, string[]>();
  for (const [full, points] of samples) {
    const [name = ""] = full.split("{");
    const lines = byName.get(name) ?? [];
    byName.set(name, lines);
    for (const [at, value] of points) {
      lines.push(`${full} ${value} ${at}`);
    }
  }
  const families = [...byName].map(([name, lines]) => `# TYPE ${name} gauge\n${lines.join("\n")}\n`);
  return `${families.join("")}# EOF\n`;
}
