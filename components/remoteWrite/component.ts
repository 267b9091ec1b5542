import * as pulumi from "@pulumi/pulumi";
import { privateKeyFault } from "../fields/secretText";
import { hostProblems, missingHostKey } from "../host/connection";
import { StepContent } from "../host/payload";
import { componentError, componentOptions, hostStep, stepOrder } from "../host/remoteStep";
import { checkedSecret, sealed } from "../host/secrets";
import { serverProblems } from "../host/server";
import { StepName } from "../host/stepName";
import { PlainTarget, RemoteWritePlan, remoteWritePlan, RemoteWriteSecrets, withoutSecrets } from "./plan";
import { missingTargets, remoteWriteProblems } from "./problems";
import { hasTargetSecrets, RemoteWriteArgs, RemoteWriteTarget } from "./settings";
import { remoteWriteCredentialsStep, remoteWriteStep } from "./step";
import { endpointUrl } from "./yaml";

/**
 * Longer than other steps: the reload, the wait for samples and, if they do not come, the reload of what was before.
 */
const timeoutSeconds = 1200;

function secretContent(args: RemoteWriteArgs, plan: pulumi.Output<RemoteWritePlan>): pulumi.Output<StepContent> {
  const secrets = pulumi.secret({ targets: targetSecrets(args.remoteWrite), api: args.prometheus?.apiCredentials });
  return pulumi
    .all([plan, secrets])
    .apply(([plain, known]) => remoteWriteCredentialsStep(plain, known.targets as KnownSecrets, known.api));
}

/**
 * Long-term storage beside the backup: a Prometheus server sends every new sample to receivers such as Thanos, Cortex,
 * Mimir or VictoriaMetrics, too.
 *
 * Writes one marked part into the `prometheus.yml` in force and leaves every other byte as it is: with a `remote_write`
 * of its own, or as further items of a list that is there. promtool checks the whole file first; then the server
 * reloads (it is never restarted), and its metrics must show that samples arrive at every target, or everything is put
 * back. Passwords, tokens and keys travel in a step of their own and lie in `/etc/prometheus-backup/remote-write/`,
 * readable for root and the server alone; a new password is proven in the same way. `destroy` removes the part and
 * the files and reloads.
 */
export class RemoteWrite extends pulumi.ComponentResource {
  /** Where samples are sent to, by name of the target. */
  public readonly urls: pulumi.Output<Record<string, string>>;
  /** What the step reported. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: RemoteWriteArgs, opts?: pulumi.ComponentResourceOptions) {
    super("prometheus-backup:index:RemoteWrite", name, sealed(args), componentOptions(opts));
    const problems = [
      ...hostProblems(args),
      ...serverProblems(args.prometheus),
      ...missingTargets(args.remoteWrite),
      ...remoteWriteProblems(args.remoteWrite),
      ...missingHostKey(args.connection),
    ];
    if (problems.length > 0) {
      throw componentError(problems, this, name);
    }
    const plan = pulumi
      .output(args.remoteWrite.map(withoutSecrets))
      .apply(targets => remoteWritePlan(args.prometheus, targets as PlainTarget[]));
    const content = plan.apply((plain): StepContent => remoteWriteStep(plain));
    let before = stepOrder(name, args, this, opts);
    if (hasTargetSecrets(args)) {
      before = hostStep(
        StepName.remoteWriteCredentials,
        `${name}-credentials`,
        args,
        secretContent(args, plan),
        { parent: this, dependsOn: before },
        timeoutSeconds,
      );
    }
    const install = hostStep(
      StepName.remoteWrite,
      `${name}-install`,
      args,
      content,
      { parent: this, dependsOn: before },
      timeoutSeconds,
    );
    this.urls = plan.apply(({ targets }) =>
      Object.fromEntries(targets.map(target => [target.name, endpointUrl(target)])),
    );
    this.report = install.stdout;
    this.registerOutputs({ urls: this.urls, report: this.report });
  }
}

/** The secrets of targets by their names. */
export function targetSecrets(targets: RemoteWriteTarget[]): Record<string, pulumi.Input<pulumi.Inputs>> {
  const secrets = targets.map(({ name, basicAuth, bearerToken, tls }, index) => {
    const path = `remoteWrite[${index}].tls.key`;
    const key = tls?.key === undefined ? undefined : checkedSecret(tls.key, path, privateKeyFault);
    return [name, { password: basicAuth?.password, token: bearerToken, key }];
  });
  return Object.fromEntries(secrets) as Record<string, pulumi.Input<pulumi.Inputs>>;
}

/** What `targetSecrets` is once everything is known. */
export type KnownSecrets = Record<string, RemoteWriteSecrets>;
