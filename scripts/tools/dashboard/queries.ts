// The PromQL of the dashboard. One series a host, whatever scrapes it: `max by` drops the labels of the target.

/**
 * The chosen environments, or all. Targets that tell nothing about themselves have no such label; they are always
 * shown.
 */
export const fleet = 'environment=~"$environment"';
/** The chosen host. */
export const oneHost = 'environment=~"$environment",host="$host"';
const anyEnvironment = 'environment=~"$environment|"';

/** How late a backup may be, in intervals of its schedule, before the dashboard says so: a run takes time, too. */
export const lateAfterIntervals = 1.1;

/** One value a host. `name` is without its prefix. */
export function value(name: string, selector: string): string {
  return `max by (environment, host) (prometheus_backup_${name}{${selector}})`;
}

/** Seconds since the time that a metric names. */
export function age(name: string, selector: string): string {
  return `time() - ${value(name, selector)}`;
}

/** Age at which the data of the newest backup are too old; the limit of the alert PrometheusBackupDataTooOld. */
export function dataLimit(selector: string): string {
  return `2 * ${value("expected_interval_seconds", selector)} + 3 * 3600`;
}

/** Age at which the last success is too old. */
export function successLimit(selector: string): string {
  return `${lateAfterIntervals} * ${value("expected_interval_seconds", selector)}`;
}

export interface State {
  value: number;
  text: string;
  color: string;
}

/** States of a host, worst first: what a restore would miss most decides. */
export const states: State[] = [
  { value: 8, text: "no metrics", color: "purple" },
  { value: 7, text: "never backed up", color: "red" },
  { value: 6, text: "overdue", color: "red" },
  { value: 5, text: "data too old", color: "red" },
  { value: 4, text: "suspect", color: "orange" },
  { value: 3, text: "verification failed", color: "orange" },
  { value: 2, text: "last run failed", color: "orange" },
  { value: 1, text: "snapshots left", color: "yellow" },
  { value: 0, text: "good", color: "green" },
];

/** From here on a restore would miss more than the schedule allows. */
export const unprotected = 5;

/** A target marked for backups that has no `host` label of ours is called by its address. */
function byInstance(expr: string): string {
  return `max by (environment, host) (label_replace(${expr}, "host", "$1", "instance", "(.+)"))`;
}

/** The state of each host as a number. `targets` adds the marked targets that serve no metrics of a backup. */
export function state(selector: string, targets: boolean): string {
  const up = `up{prometheus_backup="enabled",${anyEnvironment}}`;
  const conditions: [number, string][] = [
    [7, `${value("build_info", selector)} unless ${value("last_success_timestamp_seconds", selector)}`],
    [6, `(${age("last_success_timestamp_seconds", selector)}) > ${successLimit(selector)}`],
    [5, `(${age("newest_sample_timestamp_seconds", selector)}) > ${dataLimit(selector)}`],
    [4, `${value("suspect", selector)} == 1`],
    [3, `${value("verify_last_exit_code", selector)} > 0`],
    [2, `${value("last_exit_code", selector)} > 0`],
    [1, `${value("leftover_snapshots", selector)} > 0`],
    [0, value("build_info", selector)],
  ];
  const ofTargets: [number, string][] = [
    [8, byInstance(`${up} == 0`)],
    [7, byInstance(`${up} == 1 unless on (instance) prometheus_backup_build_info`)],
  ];
  return [...(targets ? ofTargets : []), ...conditions]
    .map(([number, expr]) => `${number} + 0 * (${expr})`)
    .join("\nor ");
}

/** Alerts of the backups that are pending or firing, in every form that the rules give them. */
export function alerts(more: string): string {
  return `ALERTS{alertname=~"PrometheusBackup.*",${more}}`;
}

/** Alerts of all hosts. */
export const fleetAlerts = alerts(anyEnvironment);

/**
 * Firing alerts of the chosen host; those about its exporter name only the target, which may have gone silent since.
 */
export const hostAlerts =
  `${alerts(`alertstate="firing",${oneHost}`)}\nor ` +
  `(${alerts('alertstate="firing",host=""')} and on (instance) last_over_time(prometheus_backup_build_info{${oneHost}}[2d]))`;

/** A count that is 0 and not missing when nothing matches. */
export function count(expr: string): string {
  return `count(${expr}) or vector(0)`;
}
