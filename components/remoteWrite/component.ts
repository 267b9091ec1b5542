import * as pulumi from "@pulumi/pulumi";
import { list } from "../fields/group";
import { privateKeyFault } from "../fields/secretText";
import { StepContent } from "../host/payload";
import { componentOptions, refuse, sendStep } from "../host/remoteStep";
import { checkedSecret, sealed } from "../host/secrets";
import { stepProblems } from "../host/step";
import { StepName } from "../host/stepName";
import { PlainTarget, RemoteWritePlan, remoteWritePlan, RemoteWriteSecrets, withoutSecrets } from "./plan";
import { targetForm } from "./form";
import { hasTargetSecrets, RemoteWriteArgs, RemoteWriteTarget } from "./settings";
import { remoteWrite, remoteWriteCredentialsStep, remoteWriteStep } from "./step";
import { endpointUrl } from "./yaml";

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
    super(
      "prometheus-backup:index:RemoteWrite",
      name,
      sealed(args, { remoteWrite: list(targetForm) }),
      componentOptions(opts),
    );
    refuse(stepProblems(remoteWrite, args), this, name);
    const plan = pulumi
      .output(args.remoteWrite.map(withoutSecrets))
      .apply(targets => remoteWritePlan(args.prometheus, targets as PlainTarget[]));
    const content = plan.apply((plain): StepContent => remoteWriteStep(plain));
    const secrets = hasTargetSecrets(args)
      ? { step: StepName.remoteWriteCredentials, content: secretContent(args, plan) }
      : undefined;
    const install = sendStep(this, name, remoteWrite, args, opts, { content, secrets });
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
