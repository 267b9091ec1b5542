/** Hosts with the same largest time between two runs, as far as alerts see them. */
export interface IntervalPlan {
  /** Largest time between two runs. */
  seconds: number;
  /** Seconds above which a run is too slow. */
  tooSlowSeconds: number;
}

/** What decides the rules: everything else comes from the metrics of the hosts themselves. */
export interface AlertRulesPlan {
  /** Schedules of all hosts that the rules are for, each interval once, the shortest first. */
  intervals: IntervalPlan[];
  /** The host whose own server loads the rules; none for a server that watches many. */
  hostName?: string;
  /** Names of the scrape jobs of node_exporter. */
  exporterJobs: string[];
  /** Names of the `remote_write` targets that are watched; none raise no alert. */
  remoteWriteTargets?: string[];
  /** Added to every rule, for routing. */
  labels: Record<string, string>;
  /** What stands in front of the name of a runbook. */
  runbookBase: string;
}

/** What an alert is made from. */
export interface Condition {
  name: string;
  expr: string;
  forSeconds: number;
  severity: "critical" | "warning" | "info";
  /** Beside those that all alerts have. */
  labels?: Record<string, string>;
  summary: string;
  description: string;
}

export const HOUR = 3600;
export const DAY = 24 * HOUR;
export const host = "{{ $labels.host }}";

/** Largest gap between two runs, as every host states it in its own metrics. */
export const interval = "prometheus_backup_expected_interval_seconds";
/** Limit of a run's duration. Hosts that have not run since an update state none; theirs is the default. */
export const limit = `(prometheus_backup_duration_limit_seconds or clamp_max(${interval} / 2, 1800))`;

/** Seconds as Prometheus writes them, in the largest unit that divides them: `1h`, `90m`. */
export function duration(seconds: number): string {
  const units: [string, number][] = [
    ["d", DAY],
    ["h", HOUR],
    ["m", 60],
  ];
  const [unit, size] = units.find(([, unitSeconds]) => seconds > 0 && seconds % unitSeconds === 0) ?? ["s", 1];
  return `${seconds / size}${unit}`;
}

/** A metric of the same host, for texts: `{{ ... }}` that prints its value as a time. */
export function valueOf(metric: string): string {
  return (
    `{{ with printf "${metric}{instance=%q,host=%q}" $labels.instance $labels.host | query }}{{ . | first | ` +
    `value | humanizeDuration }}{{ else }}an unknown time{{ end }}`
  );
}

/** Shortest interval of all hosts; what waits because of it waits long enough for nobody to be hurt. */
export function shortest(intervals: IntervalPlan[]): number {
  return Math.min(...intervals.map(({ seconds }) => seconds));
}

/** How long a condition about the last run has to hold: long enough for a scrape that hits the moment of change. */
export function settleSeconds(intervals: IntervalPlan[]): number {
  return Math.min(300, Math.floor(shortest(intervals) / 10));
}

/** Up to an hour, as long as runs are not more frequent. */
export function upToAnHour(intervals: IntervalPlan[]): number {
  return Math.min(HOUR, shortest(intervals));
}

/** Label of targets and rules: the interval of the hosts that they are for. */
export const intervalLabel = "prometheus_backup_interval";

/** One value of a rule and the hosts that it is for. */
export interface Share {
  /** The interval that stands for these hosts. */
  plan: IntervalPlan;
  /** Appended to an expression over metrics of hosts: only those of this share. Empty if there is but one. */
  filter: string;
  /** Tells the rules of the shares apart. */
  labels: Record<string, string>;
}

/**
 * Hosts by interval, for what a rule cannot take from metrics: how long a condition holds and how far it looks back.
 */
export function shares(intervals: IntervalPlan[]): Share[] {
  return intervals.map((plan, index): Share => {
    const above = intervals[index - 1];
    const bounds = [
      ...(above === undefined ? [] : [` > ${above.seconds}`]),
      ...(index === intervals.length - 1 ? [] : [` <= ${plan.seconds}`]),
    ];
    return {
      plan,
      filter: bounds.length === 0 ? "" : ` and on (instance, host) (${interval}${bounds.join("")})`,
      labels: intervals.length === 1 ? {} : { [intervalLabel]: duration(plan.seconds) },
    };
  });
}
