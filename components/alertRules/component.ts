import * as pulumi from "@pulumi/pulumi";
import { componentOptions, installStep } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { alertDefaults, AlertRulesArgs } from "./settings";
import { alertRules } from "./step";

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
    const install = installStep(this, name, alertRules, args, opts);
    this.rulesPath = pulumi.output(args.alerts?.rulesPath ?? alertDefaults.rulesPath);
    this.report = install.stdout;
    this.registerOutputs({ rulesPath: this.rulesPath, report: this.report });
  }
}
