import { HostFiles, publicFile } from "../host/files";
import { apiCredentialsName, paths } from "../host/paths";
import { StepContent } from "../host/payload";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import {
  PlainTarget,
  RemoteWritePlan,
  remoteWritePlan,
  RemoteWriteSecrets,
  RemoteWriteTargetPlan,
  withoutSecrets,
} from "./plan";
import { missingTargets, remoteWriteProblems } from "./problems";
import { RemoteWriteArgs } from "./settings";
import { endpointUrl, renderRemoteWrite, targetFile } from "./yaml";

function lines(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

function publicFiles(targets: RemoteWriteTargetPlan[]): HostFiles {
  const files: HostFiles = {};
  for (const target of targets) {
    for (const kind of ["ca", "certificate"] as const) {
      const text = target.tls?.[kind];
      if (text !== undefined) {
        files[targetFile(target, kind)] = publicFile(lines(text));
      }
    }
  }
  return files;
}

/** Paths of the files with secrets, by target; what is in them is known to their own step alone. */
function secretFiles(target: RemoteWriteTargetPlan): Partial<Record<keyof RemoteWriteSecrets, string>> {
  return {
    ...(target.username === undefined ? {} : { password: targetFile(target, "password") }),
    ...(target.hasBearerToken ? { token: targetFile(target, "token") } : {}),
    ...(target.tls?.hasKey === true ? { key: targetFile(target, "key") } : {}),
  };
}

const apiCredentials = `${paths.remoteWriteFiles}/${apiCredentialsName}`;

function settings(plan: RemoteWritePlan): Record<string, string | string[]> {
  return {
    UNIT: plan.unit,
    URL: plan.url,
    API_CURL_CONFIG: plan.hasApiCredentials ? apiCredentials : "",
    TARGET: plan.targets.map(target =>
      [target.name, target.arrival, target.arrivalTimeoutSeconds, endpointUrl(target)].join(" "),
    ),
    SECRET_FILE: plan.targets.flatMap(target => Object.values(secretFiles(target))),
  };
}

export function remoteWriteStep(plan: RemoteWritePlan): StepContent {
  return {
    settings: settings(plan),
    files: { [paths.remoteWrite]: publicFile(renderRemoteWrite(plan.targets)), ...publicFiles(plan.targets) },
  };
}

/** Prometheus takes the blanks off what it reads, and a second line would end up in a header. */
function checkSecret(text: string, what: string): void {
  const content = text.replace(/\n$/, "");
  if (content === "" || content !== content.trim() || /[\r\n]/.test(content)) {
    throw new RangeError(`the secret of ${what} must be one line that is not empty, without blanks at its ends`);
  }
}

function checkKey(text: string, what: string): void {
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m.test(text)) {
    throw new RangeError(`the secret of ${what} must be a private key as PEM text`);
  }
}

/** Secrets as files for the server, by name of the target. Throws `RangeError` on one that Prometheus could not use. */
export function remoteWriteCredentialsStep(
  plan: RemoteWritePlan,
  secrets: Record<string, RemoteWriteSecrets>,
  apiSecret: string | undefined,
): StepContent {
  const files: HostFiles = {};
  if (apiSecret !== undefined) {
    files[apiCredentials] = { content: lines(apiSecret), mode: "0600", owner: "root:root" };
  }
  for (const target of plan.targets) {
    for (const [kind, file] of Object.entries(secretFiles(target)) as [keyof RemoteWriteSecrets, string][]) {
      const text = secrets[target.name]?.[kind] ?? "";
      (kind === "key" ? checkKey : checkSecret)(text, `\`${target.name}\` in remoteWrite (${kind})`);
      // The host gives it to the group that the server runs with.
      files[file] = { content: lines(text), mode: "0640", owner: "root:prometheus" };
    }
  }
  return { settings: settings(plan), files };
}

/** Has the server send its samples to receivers, too. */
export const remoteWrite: Step<RemoteWriteArgs> = {
  name: StepName.remoteWrite,
  problems: args => [...missingTargets(args.remoteWrite), ...remoteWriteProblems(args.remoteWrite)],
  content: args =>
    remoteWriteStep(
      remoteWritePlan(
        args.prometheus,
        args.remoteWrite.map(target => withoutSecrets(target) as PlainTarget),
      ),
    ),
  // Longer than other steps: the reload, the wait for samples and, if they do not come, the reload of what was before.
  timeoutSeconds: () => 1200,
};
