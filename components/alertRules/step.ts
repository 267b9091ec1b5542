import { jobDefaults } from "../backupJob/form";
import { scheduleProblems } from "../backupJob/problems";
import { JobSettings } from "../backupJob/settings";
import { scheduleFacts } from "../fields/schedule";
import { publicFile } from "../host/files";
import { StepContent } from "../host/payload";
import { apiCurlConfig, serverDefaults } from "../host/server";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import { targetNameProblems } from "../remoteWrite/problems";
import { AlertRulesPlan, IntervalPlan } from "./conditions/condition";
import { renderAlertRules, ruleGroup } from "./rules";
import { alertDefaults, alertProblems, AlertRulesArgs, AlertSettings } from "./settings";

/** What the step for the alert rules is told, and the rules. */
export interface AlertRulesFilePlan {
  unit: string;
  url: string;
  hasApiCredentials: boolean;
  rulesPath: string;
  rules: AlertRulesPlan;
}

export function alertRulesStep(plan: AlertRulesFilePlan): StepContent {
  return {
    settings: {
      UNIT: plan.unit,
      URL: plan.url,
      GROUP: ruleGroup,
      API_CURL_CONFIG: apiCurlConfig(plan.hasApiCredentials),
    },
    files: { [plan.rulesPath]: publicFile(renderAlertRules(plan.rules)) },
  };
}

/**
 * Seconds above which a run is too slow: as set, or half the time between two runs where that is shorter than the
 * default.
 */
export function runLimitSeconds(intervalSeconds: number, tooSlowSeconds: number | undefined): number {
  return tooSlowSeconds ?? Math.min(alertDefaults.tooSlowSeconds, Math.floor(intervalSeconds / 2));
}

/** What the schedule of a host means for alerts. Throws `ScheduleError`. */
function intervalPlan(alerts: AlertSettings | undefined, job: JobSettings): IntervalPlan {
  const seconds = scheduleFacts(
    job.schedule ?? jobDefaults.schedule,
    job.timeZone ?? jobDefaults.timeZone,
  ).largestGapSeconds;
  return { seconds, tooSlowSeconds: runLimitSeconds(seconds, alerts?.tooSlowSeconds) };
}

/** What the step for the alert rules is told, and what the rules are made from. Throws `ScheduleError`. */
export function alertRulesPlan(
  hostName: string,
  alerts: AlertSettings | undefined,
  job: JobSettings,
  remoteWriteTargets: string[] = [],
): AlertRulesFilePlan {
  return {
    unit: job.prometheus?.unit ?? serverDefaults.unit,
    url: job.prometheus?.url ?? serverDefaults.url,
    hasApiCredentials: job.prometheus?.apiCredentials !== undefined,
    rulesPath: alerts?.rulesPath ?? alertDefaults.rulesPath,
    rules: {
      intervals: [intervalPlan(alerts, job)],
      hostName,
      exporterJobs: [alerts?.exporterJob ?? alertDefaults.exporterJob],
      ...(remoteWriteTargets.length === 0 ? {} : { remoteWriteTargets }),
      labels: alerts?.labels ?? {},
      runbookBase: alerts?.runbookBase ?? alertDefaults.runbookBase,
    },
  };
}

/** The rules for one server that watches all these hosts: those of each, without what is said of one host alone. */
export function centralAlertRulesPlan(plans: AlertRulesPlan[]): AlertRulesPlan {
  const limits = new Map<number, number>();
  for (const { seconds, tooSlowSeconds } of plans.flatMap(({ intervals }) => intervals)) {
    limits.set(seconds, Math.max(tooSlowSeconds, limits.get(seconds) ?? 0));
  }
  const [first, ...others] = plans;
  const remoteWriteTargets = [...new Set(plans.flatMap(plan => plan.remoteWriteTargets ?? []))];
  const shared = Object.entries(first?.labels ?? {}).filter(([name, value]) =>
    others.every(({ labels }) => labels[name] === value),
  );
  return {
    intervals: [...limits]
      .map(([seconds, tooSlowSeconds]) => ({ seconds, tooSlowSeconds }))
      .sort((a, b) => a.seconds - b.seconds),
    exporterJobs: [...new Set(plans.flatMap(({ exporterJobs }) => exporterJobs))],
    ...(remoteWriteTargets.length === 0 ? {} : { remoteWriteTargets }),
    labels: Object.fromEntries(shared),
    runbookBase: first?.runbookBase ?? alertDefaults.runbookBase,
  };
}

/** Has the server load the alerts. */
export const alertRules: Step<AlertRulesArgs> = {
  name: StepName.alertRules,
  problems: args => [
    ...scheduleProblems(args, args.hostName),
    ...alertProblems(args.alerts),
    ...targetNameProblems(args.remoteWriteTargets),
  ],
  content: args => alertRulesStep(alertRulesPlan(args.hostName, args.alerts, args, args.remoteWriteTargets)),
};
