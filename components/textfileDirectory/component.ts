import * as pulumi from "@pulumi/pulumi";
import { hostProblems, missingHostKey } from "../host/connection";
import { componentError, componentOptions, hostStep, stepOrder } from "../host/remoteStep";
import { sealed } from "../host/secrets";
import { serverProblems } from "../host/server";
import { StepName } from "../host/stepName";
import { TextfileDirectoryArgs, textfileProblems } from "./settings";
import { textfilePlan, textfileStep } from "./step";

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
    super("prometheus-backup:index:TextfileDirectory", name, sealed(args), componentOptions(opts));
    const problems = [
      ...hostProblems(args),
      ...serverProblems(args.prometheus),
      ...textfileProblems(args.textfile),
      ...missingHostKey(args.connection),
    ];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const plan = textfilePlan(args.textfile, args.prometheus);
    const install = hostStep(StepName.textfileDirectory, `${name}-install`, args, textfileStep(plan), {
      parent: this,
      dependsOn: stepOrder(name, args, this, opts),
    });
    this.directory = pulumi.output(plan.directory);
    this.report = install.stdout;
    this.registerOutputs({ directory: this.directory, report: this.report });
  }
}
