import * as pulumi from "@pulumi/pulumi";
import { componentOptions, installStep } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { VictoriaMetricsArgs } from "./settings";
import { victoriaMetrics, victoriaMetricsPlan } from "./step";
import { isPublic, victoriaMetricsUrl } from "./unit";

/**
 * A single-node VictoriaMetrics server, which keeps what Prometheus sends it by `remote_write`.
 *
 * Installs Debian's package or a release from a URL with a checksum, gives it a unit that may write to its data
 * directory and nowhere else, starts it, and proves it with a sample that is written, read back and deleted. A failing
 * install leaves the host as it was. The host needs no Prometheus of its own. `destroy` stops the server and removes
 * program and unit; the data directory and the user `_victoria-metrics` stay.
 */
export class VictoriaMetrics extends pulumi.ComponentResource {
  /** Base URL of the server as seen from its own host. Prometheus there writes to `/api/v1/write` below it. */
  public readonly url: pulumi.Output<string>;
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: VictoriaMetricsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:VictoriaMetrics", name, sealed(args), componentOptions(opts));
    const install = installStep(this, name, victoriaMetrics, args, opts);
    const plan = victoriaMetricsPlan(args.victoriaMetrics);
    if (isPublic(plan)) {
      void pulumi.log.warn(
        `${args.hostName}: VictoriaMetrics listens on ${plan.listen} and asks nobody for credentials. Whoever ` +
          "reaches it reads, writes and deletes metrics; make sure that a firewall lets only your Prometheus servers " +
          "through.",
        this,
      );
    }
    this.url = pulumi.output(victoriaMetricsUrl(plan));
    this.report = install.stdout;
    this.registerOutputs({ url: this.url, report: this.report });
  }
}
