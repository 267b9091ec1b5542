import * as pulumi from "@pulumi/pulumi";
import { scheduleProblems } from "../backupJob/settings";
import { hostProblems, missingHostKey } from "../host/connection";
import { componentError, componentOptions, hostStep, stepOrder } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { serverProblems } from "../host/server";
import { StepName } from "../host/stepName";
import { targetNameProblems } from "../remoteWrite/problems";
import { alertProblems, AlertRulesArgs } from "./settings";
import { alertRulesPlan, alertRulesStep } from "./step";

/**
 * Alerts about the backups of a host, loaded by the server itself.
 *
 * Writes one rules file after promtool has accepted it, extends `rule_files` if no entry covers it, reloads the server
 * (it is never restarted) and confirms through its API that the group is loaded. Whatever fails is rolled back.
 * `destroy` removes the file and the entry and reloads.
 */
export class AlertRules extends pulumi.ComponentResource {
  /** Path of the rules file on the host. */
  public readonly rulesPath: pulumi.Output<string>;
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: AlertRulesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:AlertRules", name, sealed(args), componentOptions(opts));
    const problems = [
      ...hostProblems(args),
      ...serverProblems(args.prometheus),
      ...scheduleProblems(args, args.hostName),
      ...alertProblems(args.alerts),
      ...targetNameProblems(args.remoteWriteTargets),
      ...missingHostKey(args.connection),
    ];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const plan = alertRulesPlan(args.hostName, args.alerts, args, args.remoteWriteTargets);
    const install = hostStep(StepName.alertRules, `${name}-install`, args, alertRulesStep(plan), {
      parent: this,
      dependsOn: stepOrder(name, args, this, opts),
    });
    this.rulesPath = pulumi.output(plan.rulesPath);
    this.report = install.stdout;
    this.registerOutputs({ rulesPath: this.rulesPath, report: this.report });
  }
}
