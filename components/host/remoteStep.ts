import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AsyncResource } from "async_hooks";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { Problem, problemsText } from "../fields/problems";
import { HostArgs } from "./connection";
import { paths } from "./paths";
import { installationName, renderStep, settingsOf, StepContent } from "./payload";
import { connectionArgs, placeOf } from "./ssh";
import { Step, StepArgs, stepProblems, stepTimeoutSeconds } from "./step";
import { StepName } from "./stepName";
import { carriedPath, packToolkit, renderToolkit } from "./toolkit";

/** For what a component is given in code. The resource is named by the engine, the stack trace is hidden. */
export function componentError(problems: Problem[], resource: pulumi.Resource, name: string): pulumi.ResourceError {
  return new pulumi.ResourceError(problemsText(problems, `of "${name}"`), resource, true);
}

/** Constant, so that a diff of a step shows its payload and nothing else. */
function installText(timeoutSeconds: number): string {
  return `timeout ${timeoutSeconds} sudo -n /bin/bash -s`;
}

/**
 * The program that installed knows what it found before. It is told whose installation is meant: a host that is renamed
 * in the configuration gets its new steps first, and these must not be undone by the old ones. Its input is closed: the
 * engine sends the payload here too.
 */
function removeText(step: StepName, installation: string, timeoutSeconds: number): string {
  const program = `${paths.steps}/${step}.sh`;
  return (
    `timeout ${timeoutSeconds} sudo -n /bin/bash -c 'if [ -e ${program} ]; then exec /bin/bash ${program} ` +
    `remove ${installation} </dev/null; fi'`
  );
}

/**
 * A retired host is forgotten as it is: changes that it has missed, such as those of a new version, would be sent to
 * it.
 */
function retiring(host: HostArgs, options: pulumi.CustomResourceOptions): pulumi.CustomResourceOptions {
  return host.retired === true ? { ...options, retainOnDelete: true, ignoreChanges: ["*"] } : options;
}

/** The name can be foreseen, so another user of this machine may have been there first, with links to our own files. */
function refuseDirectoryOfOthers(directory: string): void {
  const { uid, mode } = fs.lstatSync(directory);
  if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o170_022) !== 0o040_000)) {
    throw new pulumi.RunError(
      `${directory} is not a directory of this user alone, and the toolkit for the hosts would be written there. ` +
        "Remove it, or set TMPDIR to a directory of your own.",
    );
  }
}

/** The toolkit as a file of this machine, which is what can be copied without lying in the state. */
function toolkitFile(): string {
  const toolkit = renderToolkit();
  const directory = path.join(os.tmpdir(), `prometheus-backup-${os.userInfo().uid}`);
  const target = path.join(directory, `toolkit-${toolkit.digest}.gz`);
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  refuseDirectoryOfOthers(directory);
  const temporary = `${target}.${process.pid}`;
  fs.writeFileSync(temporary, packToolkit(toolkit));
  fs.renameSync(temporary, target);
  return target;
}

/**
 * Copies the toolkit to a host. A file that is copied is known to the state by its checksum; everything that needs
 * root, checks or undoing is done by the steps. `destroy` has nothing to do here: the last step removes it.
 */
export function carryToolkit(
  name: string,
  host: HostArgs,
  options: pulumi.CustomResourceOptions,
): command.remote.CopyToRemote {
  return new command.remote.CopyToRemote(
    name,
    {
      connection: connectionArgs(host.connection),
      source: new pulumi.asset.FileAsset(toolkitFile()),
      remotePath: placeOf(host.connection).apply(place => carriedPath(renderToolkit(), place)),
    },
    retiring(host, options),
  );
}

/**
 * Options for a component itself: all but what it waits for, which is left to its first step. When that fails, an
 * engine that goes on with other hosts skips whatever waits for it, and breaks off if a component is among the skipped
 * ones.
 */
export function componentOptions(
  options: pulumi.ComponentResourceOptions | undefined,
): pulumi.ComponentResourceOptions {
  const { dependsOn: _left, ...rest } = options ?? {};
  return rest;
}

/**
 * What the first step of a component waits for: what the component waits for (the engine does not hand its `dependsOn`
 * down to children), and the toolkit, unless somebody has carried it.
 */
export function stepOrder(
  name: string,
  host: HostArgs,
  parent: pulumi.Resource,
  options: pulumi.ComponentResourceOptions | undefined,
): pulumi.CustomResourceOptions["dependsOn"] {
  const before = options?.dependsOn;
  return host.carriesToolkit === false ? before : carryToolkit(`${name}-toolkit`, host, { parent, dependsOn: before });
}

/**
 * One step on one host. The payload is readable in the preview unless its content is secret. A retired host's steps
 * are forgotten instead of undone.
 */
function hostStep(
  step: StepName,
  name: string,
  host: HostArgs,
  content: pulumi.Input<StepContent>,
  options: pulumi.CustomResourceOptions,
  timeoutSeconds = stepTimeoutSeconds,
): command.remote.Command {
  return new command.remote.Command(
    name,
    {
      connection: connectionArgs(host.connection),
      create: installText(timeoutSeconds),
      update: installText(timeoutSeconds),
      delete: removeText(step, installationName(name), timeoutSeconds),
      stdin: pulumi
        .all([content, placeOf(host.connection)])
        .apply(([plain, place]) => renderStep(step, plain as StepContent, place, installationName(name))),
      // The server of the host would have to accept these as environment variables.
      addPreviousOutputInEnv: false,
    },
    retiring(host, options),
  );
}

/** The same texts mean the same machine and the same settings; undefined if the engine does not know them yet. */
async function toldOf(inputs: unknown, settings: string[]): Promise<string | undefined> {
  const { connection, stdin } = inputs as { connection: { host: string; port: number }; stdin: string };
  if (pulumi.containsUnknowns([connection, stdin])) {
    return undefined;
  }
  return new Promise(resolve => {
    pulumi
      .all([connection, stdin])
      .apply(([{ host, port }, text]) => resolve([host, port, ...settingsOf(text, settings)].join("\n")));
  });
}

/** Mocks, with which people test their programs, hear no hooks, and binding one would keep the program for ever. */
function hearsHooks(): boolean {
  return typeof pulumi.runtime.getMonitor()?.registerResourceHook === "function";
}

/**
 * Says in a preview that Prometheus may be restarted; after an `up`, the last line of the step says what happened. Only
 * the engine knows what the step was told the last time, so it calls back before it would create or update the
 * resource.
 */
function announcing<Args extends StepArgs>(
  component: pulumi.Resource,
  name: string,
  { restart }: Step<Args>,
  args: Args,
): pulumi.ResourceHookBinding | undefined {
  if (restart === undefined || args.retired === true || !pulumi.runtime.isDryRun() || !hearsHooks()) {
    return undefined;
  }
  const hook = new pulumi.ResourceHook(
    `${name}-restart`,
    // The engine calls from outside, where what a program with the Automation API says would go to its own output.
    AsyncResource.bind(async ({ oldInputs, newInputs }: pulumi.ResourceHookArgs) => {
      const before = oldInputs === undefined ? undefined : await toldOf(oldInputs, restart.settings);
      if (before === undefined || before !== (await toldOf(newInputs, restart.settings))) {
        await pulumi.log.info(restart.says(args), component);
      }
    }),
    { onDryRun: true, ignoreErrors: true },
  );
  return { beforeCreate: [hook], beforeUpdate: [hook] };
}

/** Refuses what a component is given, with every problem at once. */
export function refuse(problems: Problem[], component: pulumi.Resource, name: string): void {
  if (problems.length > 0) {
    throw componentError(problems, component, name);
  }
}

/** What a step sends to its host, and what goes before it as a step of its own, if there are secrets. */
export interface Sent {
  content: pulumi.Input<StepContent>;
  secrets?: { step: StepName; content: pulumi.Input<StepContent> };
}

/** Sends a step whose arguments have been checked. */
export function sendStep<Args extends StepArgs>(
  component: pulumi.Resource,
  name: string,
  step: Step<Args>,
  args: Args,
  options: pulumi.ComponentResourceOptions | undefined,
  { content, secrets }: Sent,
): command.remote.Command {
  const timeout = step.timeoutSeconds?.(args);
  let order = { parent: component, dependsOn: stepOrder(name, args, component, options) };
  if (secrets !== undefined) {
    const before = hostStep(secrets.step, `${name}-credentials`, args, secrets.content, order, timeout);
    order = { parent: component, dependsOn: before };
  }
  const hooks = announcing(component, name, step, args);
  return hostStep(step.name, `${name}-install`, args, content, { ...order, ...(hooks && { hooks }) }, timeout);
}

/** The one step of a component: checks the arguments, carries the toolkit and sends the step. */
export function installStep<Args extends StepArgs>(
  component: pulumi.Resource,
  name: string,
  step: Step<Args>,
  args: Args,
  options: pulumi.ComponentResourceOptions | undefined,
): command.remote.Command {
  refuse(stepProblems(step, args), component, name);
  return sendStep(component, name, step, args, options, { content: step.content(args) });
}
