import * as pulumi from "@pulumi/pulumi";
import { hostProblems, missingHostKey } from "../host/connection";
import { componentError, componentOptions, hostStep, stepOrder, stepTimeoutSeconds } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { serverProblems } from "../host/server";
import { StepName } from "../host/stepName";
import { AdminApiArgs, adminApiProblems, Exposure, uselessProxy } from "./settings";
import { adminApiPlan, adminApiStep } from "./step";

/**
 * Turns on the admin API of a Prometheus server, which snapshots need.
 *
 * Writes a systemd drop-in that adds `--web.enable-admin-api` to the command line in force, and restarts the server
 * once, only if the API is off. The server must come back ready with the API on; otherwise the unit is put back and
 * the step fails with the reason. `destroy` removes the drop-in and so turns the API off again.
 */
export class AdminApi extends pulumi.ComponentResource {
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: AdminApiArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:AdminApi", name, sealed(args), componentOptions(opts));
    const problems = [
      ...hostProblems(args),
      ...serverProblems(args.prometheus),
      ...adminApiProblems(args.adminApi),
      ...uselessProxy(args.adminApi),
      ...missingHostKey(args.connection),
    ];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const plan = adminApiPlan(args.adminApi, args.prometheus);
    if (plan.exposure === Exposure.AcceptPublic) {
      void pulumi.log.warn(
        `${args.hostName}: the admin API is turned on whatever address the server listens on. Whoever reaches it ` +
        `can delete series; ` +
          "make sure that a firewall or proxy denies /api/*/admin/.",
        this,
      );
    }
    // Longer than the wait, so that there is time to put the unit back.
    const timeout = Math.max(stepTimeoutSeconds, plan.readyTimeoutSeconds + 120);
    const install = hostStep(
      StepName.adminApi,
      `${name}-install`,
      args,
      adminApiStep(plan),
      { parent: this, dependsOn: stepOrder(name, args, this, opts) },
      timeout,
    );
    this.report = install.stdout;
    this.registerOutputs({ report: this.report });
  }
}
