import * as pulumi from "@pulumi/pulumi";
import { componentOptions, installStep } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { AdminApiArgs, Exposure } from "./settings";
import { adminApi } from "./step";

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
    const install = installStep(this, name, adminApi, args, opts);
    if (args.adminApi?.exposure === Exposure.AcceptPublic) {
      void pulumi.log.warn(
        `${args.hostName}: the admin API is turned on whatever address the server listens on. Whoever reaches it ` +
          "can delete series; make sure that a firewall or proxy denies /api/*/admin/.",
        this,
      );
    }
    this.report = install.stdout;
    this.registerOutputs({ report: this.report });
  }
}
