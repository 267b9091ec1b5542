import { defaultsOf, flag, table, text, texts, whole } from "../fields/group";
import { both, filePathCheck, labelNameCheck, lineCheck, pattern } from "../fields/patterns";
import { Findings, Problem } from "../fields/problems";
import { HostArgs } from "../host/connection";
import { PrometheusServer } from "../host/server";

/** Alert rules, loaded by the server itself. */
export interface AlertSettings {
  /** Whether rules are installed. Defaults to true. */
  enabled?: boolean;
  /** The rules file on the host. Defaults to `/etc/prometheus/rules/prometheus-backup.yml`. */
  rulesPath?: string;
  /**
   * Seconds above which a run is too slow. Defaults to 1800, or to half the time between two runs if that is shorter. A
   * `BackupJob` of its own is told, too.
   */
  tooSlowSeconds?: number;
  /** Name of the scrape job of node_exporter. Defaults to `node`. */
  exporterJob?: string;
  /** Labels added to every alert, for routing. */
  labels?: Record<string, string>;
  /** What stands in front of the file name of a runbook. Defaults to `docs/runbooks/`, the directory of this module. */
  runbookBase?: string;
}

export const rulesPathCheck = both(
  filePathCheck,
  pattern(/\.(yml|yaml)$/, "must end in `.yml` or `.yaml`, or no `rule_files` entry would match it. Add the ending."),
);

export const jobNameCheck = pattern(
  /^[^"\\{}]{1,200}$/,
  "must be the `job_name` of a scrape job, without quotes, braces and backslashes. Correct it.",
);

/** Label values are templates in Prometheus; a brace would be read as code there. */
export const labelValueCheck = both(
  lineCheck,
  pattern(/^(?!.*\{\{)/, "holds `{{`, which Prometheus would run as a template. Remove it."),
);

export const alertForm = table<AlertSettings>()({
  enabled: flag({ default: true, says: "whether rules are installed" }),
  rulesPath: text({
    check: rulesPathCheck,
    default: "/etc/prometheus/rules/prometheus-backup.yml",
    says: "the rules file",
  }),
  tooSlowSeconds: whole(1, 31_536_000, {
    default: 1800,
    says: "limit of a run; half the time between two runs if that is shorter",
  }),
  exporterJob: text({
    check: both(lineCheck, jobNameCheck),
    default: "node",
    says: "scrape job of node_exporter, for targets that are marked as hosts to be backed up",
  }),
  labels: texts({ says: "labels for every alert, for routing" }),
  runbookBase: text({
    check: labelValueCheck,
    default: "docs/runbooks/",
    says: "what stands in front of the runbook's file name in `runbook_url`",
  }),
});

export const alertDefaults = defaultsOf(alertForm);

/** What is wrong with the alert settings. */
export function alertProblems(alerts: AlertSettings | undefined): Problem[] {
  const found = new Findings();
  found.fields("alerts", alertForm, alerts);
  for (const [name, value] of Object.entries(alerts?.labels ?? {})) {
    found.text(`alerts.labels.${name}`, name, labelNameCheck);
    found.text(`alerts.labels.${name}`, value, labelValueCheck);
  }
  return found.problems;
}

/** Arguments of `AlertRules`. */
export interface AlertRulesArgs extends HostArgs {
  /** The server that loads the rules. */
  prometheus?: PrometheusServer;
  /** The rules file and what is in it. */
  alerts?: AlertSettings;
  /**
   * When backups run: any line of Debian's cron without the command. Defaults to `0 2 * * *`. How long alerts wait
   * follows from it; limits come from the metrics of each host.
   */
  schedule?: string;
  /** The host's time zone. Defaults to `UTC`. */
  timeZone?: string;
  /**
   * Names of the `remote_write` targets of this module that are watched. Defaults to none. The server must scrape
   * itself.
   */
  remoteWriteTargets?: string[];
}
