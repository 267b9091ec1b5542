import * as pulumi from "@pulumi/pulumi";
import { componentOptions, installStep } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { textfileDefaults, TextfileDirectoryArgs, textfileForm } from "./settings";
import { textfileDirectoryStep } from "./step";

/**
 * The directory in which node_exporter finds the metrics of the backup.
 *
 * Gives the directory an owner and mode that let the backup write, turns on the exporter's textfile collector if it
 * is off, and proves with a probe that what lies there is served. `destroy` puts owner, mode and exporter back.
 */
export class TextfileDirectory extends pulumi.ComponentResource {
  /** The directory, as the backup job gets it. */
  public readonly directory: pulumi.Output<string>;
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: TextfileDirectoryArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "prometheus-backup:index:TextfileDirectory",
      name,
      sealed(args, { textfile: textfileForm }),
      componentOptions(opts),
    );
    const install = installStep(this, name, textfileDirectoryStep, args, opts);
    this.directory = pulumi.output(args.textfile?.directory ?? textfileDefaults.directory);
    this.report = install.stdout;
    this.registerOutputs({ directory: this.directory, report: this.report });
  }
}
