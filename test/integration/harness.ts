// A throw-away stack on the real engine: file backend, program in this process, everything in one temporary folder.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  CommandError,
  LocalWorkspace,
  PulumiCommand,
  type ConfigMap,
  type OutputMap,
  type PulumiFn,
  type Stack,
} from "@pulumi/pulumi/automation";
import { ensurePlugins } from "../tools/plugins";
import { ensurePulumi } from "../tools/pulumi";
import { testEnvironment } from "../tools/process";
import { timed } from "../tools/waits";
import { DIAL_LOG_VARIABLE } from "../providers/command/ssh";

export interface TestStackOptions {
  /** What `index.ts` would do: creates the resources and returns the outputs. */
  program: PulumiFn;
  /** Stack configuration, `project:key` to a text or to anything that JSON can hold. */
  config?: Record<string, unknown>;
  /** The same for values that are stored encrypted. */
  secrets?: Record<string, string>;
  /** Environment for the engine and its plugins, such as the endpoint of an S3 server. */
  environment?: Record<string, string>;
  /** Defaults to `prometheus-backup`. */
  project?: string;
  /** Defaults to `test`. */
  stack?: string;
  /** Called with the engine's output as it comes. */
  onOutput?: (text: string) => void;
}

export interface RunSettings {
  /** Go on with other resources after one fails. */
  continueOnError?: boolean;
  parallel?: number;
  /** Only these resources, by URN. */
  target?: string[];
  refresh?: boolean;
  /** For `preview`: false leaves out what changes within each resource. */
  diff?: boolean;
  /** For `destroy`: leaves protected resources, and what they need, alone instead of failing on them. */
  excludeProtected?: boolean;
}

/** What one run of the engine did. */
export interface StackRun {
  ok: boolean;
  /** Everything the engine printed, colours taken out. */
  output: string;
  /** Number of resources for each operation: `create`, `update`, `same`, `delete`, ... */
  changes: Record<string, number>;
  outputs: OutputMap;
  /** `host:port` of each attempt to open an SSH connection; known with the stand-in plugin only, otherwise empty. */
  dials: string[];
}

export interface TestStack {
  directory: string;
  /** True if attempts to connect are counted, so that "none" can be asserted. */
  countsDials: boolean;
  /** Each rejects with the engine's output if the engine fails. */
  up(settings?: RunSettings): Promise<StackRun>;
  preview(settings?: RunSettings): Promise<StackRun>;
  destroy(settings?: RunSettings): Promise<StackRun>;
  /** For runs that are meant to fail: resolves whatever the engine said. */
  tryUp(settings?: RunSettings): Promise<StackRun>;
  tryPreview(settings?: RunSettings): Promise<StackRun>;
  tryDestroy(settings?: RunSettings): Promise<StackRun>;
  setProgram(program: PulumiFn): void;
  setConfig(config: Record<string, unknown>, secrets?: Record<string, string>): Promise<void>;
  /** The state as the backend stores it, secrets encrypted; an export of the engine would show them. */
  storedState(): string;
  /** Removes the folder. What the stack made stays: call `destroy` first. */
  remove(): void;
}

type Operation = "up" | "preview" | "destroy";

/** Makes the stack, with its configuration, and runs nothing yet. */
export async function createTestStack(options: TestStackOptions): Promise<TestStack> {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-stack-"));
  const dialLog = path.join(directory, "dials.log");
  const pulumiRoot = await ensurePulumi();
  const plugins = await ensurePlugins(pulumiRoot);
  let program = options.program;
  const stack = await createStack(options, { directory, pulumiRoot, home: plugins.home, dialLog });
  const setConfig = (config: Record<string, unknown>, secrets: Record<string, string> = {}) =>
    stack.setAllConfig(toConfigMap(config, secrets));
  await setConfig(options.config ?? {}, options.secrets);
  const tryRun = async (operation: Operation, settings: RunSettings = {}): Promise<StackRun> => {
    rmSync(dialLog, { force: true });
    const result = await timed(`pulumi ${operation}`, () =>
      runEngine(stack, operation, program, settings, options.onOutput),
    );
    return { ...result, dials: readLines(dialLog) };
  };
  const mustRun = async (operation: Operation, settings?: RunSettings): Promise<StackRun> => {
    const result = await tryRun(operation, settings);
    if (!result.ok) {
      throw new Error(`${operation} failed:\n${result.output}`);
    }
    return result;
  };
  return {
    directory,
    countsDials: plugins.kind === "stand-in",
    up: settings => mustRun("up", settings),
    preview: settings => mustRun("preview", settings),
    destroy: settings => mustRun("destroy", settings),
    tryUp: settings => tryRun("up", settings),
    tryPreview: settings => tryRun("preview", settings),
    tryDestroy: settings => tryRun("destroy", settings),
    setProgram: next => {
      program = next;
    },
    setConfig,
    storedState: () => {
      const file = path.join(
        directory,
        "state",
        ".pulumi",
        "stacks",
        options.project ?? defaultProject,
        `${options.stack ?? "test"}.json`,
      );
      const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as { checkpoint: { latest: object } };
      return JSON.stringify(checkpoint.latest, null, 4);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const defaultProject = "prometheus-backup";

interface Places {
  directory: string;
  pulumiRoot: string;
  home: string;
  dialLog: string;
}

async function createStack(options: TestStackOptions, places: Places): Promise<Stack> {
  const backend = path.join(places.directory, "state");
  mkdirSync(backend);
  writeFileSync(places.dialLog, "");
  const projectName = options.project ?? defaultProject;
  return LocalWorkspace.createStack(
    { stackName: options.stack ?? "test", projectName, program: options.program },
    {
      workDir: places.directory,
      pulumiHome: places.home,
      pulumiCommand: await PulumiCommand.get({ root: places.pulumiRoot }),
      projectSettings: { name: projectName, runtime: "nodejs", backend: { url: `file://${backend}` } },
      envVars: {
        ...definedOnly(testEnvironment()),
        PULUMI_BACKEND_URL: `file://${backend}`,
        PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
        PULUMI_SKIP_UPDATE_CHECK: "1",
        [DIAL_LOG_VARIABLE]: places.dialLog,
        // An agent of the person at the keyboard would be tried for every connection.
        SSH_AUTH_SOCK: "",
        AWS_CA_BUNDLE: "",
        ...options.environment,
      },
    },
  );
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

function toConfigMap(config: Record<string, unknown>, secrets: Record<string, string>): ConfigMap {
  const plain = Object.entries(config).map(([key, value]) => [
    key,
    { value: typeof value === "string" ? value : JSON.stringify(value) },
  ]);
  const secret = Object.entries(secrets).map(([key, value]) => [key, { value, secret: true }]);
  return Object.fromEntries([...plain, ...secret]) as ConfigMap;
}

async function runEngine(
  stack: Stack,
  operation: Operation,
  program: PulumiFn,
  settings: RunSettings,
  onOutput: ((text: string) => void) | undefined,
): Promise<Omit<StackRun, "dials">> {
  let output = "";
  const listen = (text: string): void => {
    output += text;
    onOutput?.(text);
  };
  const common = { ...settings, onOutput: listen, onError: listen, color: "never" as const };
  try {
    switch (operation) {
      case "up": {
        const done = await stack.up({ ...common, program });
        return { ok: true, output, changes: { ...done.summary.resourceChanges }, outputs: done.outputs };
      }
      case "preview": {
        const done = await stack.preview({ ...common, program, diff: settings.diff ?? true });
        return { ok: true, output, changes: { ...done.changeSummary }, outputs: {} };
      }
      case "destroy": {
        const done = await stack.destroy(common);
        return { ok: true, output, changes: { ...done.summary.resourceChanges }, outputs: {} };
      }
    }
  } catch (error) {
    // Whatever goes wrong inside the program arrives as a failed command as well; anything else is a fault of the test.
    if (error instanceof CommandError) {
      return { ok: false, output: output === "" ? error.message : output, changes: {}, outputs: {} };
    }
    throw error;
  }
}

function readLines(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter(line => line !== "")
    : [];
}
