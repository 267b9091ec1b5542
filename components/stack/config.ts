import * as pulumi from "@pulumi/pulumi";
import { hostNameCheck } from "../fields/patterns";
import { Problem, problemsText } from "../fields/problems";
import { PrometheusBackupFleetArgs } from "../fleetSettings";
import { stackRegion } from "../offsiteBucket/region";
import { inFileOrder } from "./fileOrder";
import { nameOf } from "./paths";
import { Reader } from "./reader";
import { namespace, SecretLookup, StackConfig, StackFacts, StackKey, structures } from "./stackConfig";

/** The SDK knows which keys are secrets, and does not declare that it does. */
interface Runtime extends Pick<typeof pulumi.runtime, "allConfig"> {
  isConfigSecret?: (key: string) => boolean;
}
const runtime: Runtime = pulumi.runtime;

function stackKeys(prefix: string): StackKey[] {
  return Object.entries(runtime.allConfig())
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, text]) => ({ name: key.slice(prefix.length), secret: runtime.isConfigSecret?.(key) ?? false, text }))
    .filter(({ name }) => !structures.includes(name));
}

/** Reads and checks the configuration of the current stack. Throws `RunError` with every problem at once. */
export function loadConfig(config = new pulumi.Config(namespace)): PrometheusBackupFleetArgs {
  const unreadable: Problem[] = [];
  const structure = (key: string): unknown => {
    try {
      return config.getObject(key);
    } catch {
      unreadable.push({ path: key, text: "cannot be read as a structure. Write it as YAML in the file of the stack." });
      return undefined;
    }
  };
  const plain = {
    environment: config.get("environment") || pulumi.getStack(),
    defaults: structure("defaults"),
    hosts: structure("hosts"),
    offsiteBucket: structure("offsiteBucket"),
  };
  if (unreadable.length > 0) {
    throw new ConfigError(unreadable);
  }
  return parseConfig(plain, name => config.getSecret(name), {
    keys: stackKeys(`${config.name}:`),
    awsRegion: stackRegion(),
    warn: text => void pulumi.log.warn(text),
  });
}

/** Checks a configuration and fills in what secrets stand for. Throws `RunError` with every problem at once. */
export function parseConfig(
  plain: StackConfig,
  secret: SecretLookup,
  facts: StackFacts = {},
): PrometheusBackupFleetArgs {
  const reader = new Reader(plain, secret, facts);
  const args = reader.read();
  const problems = inFileOrder(reader.problems, plain);
  if (problems.length > 0) {
    throw new ConfigError(problems.map(problem => ({ ...problem, path: withHostName(problem.path, plain.hosts) })));
  }
  reader.warnings.forEach(text => facts.warn?.(text));
  return args;
}

/** A path with the name of the host that it leads to, where it is one host with a proper name. */
function withHostName(path: string, hosts: unknown): string {
  const index = /^hosts\[(\d+)\]\.(?!name$)[^, ]*$/.exec(path)?.[1];
  const name = index === undefined || !Array.isArray(hosts) ? undefined : nameOf((hosts as unknown[])[Number(index)]);
  return typeof name === "string" && hostNameCheck(name) === undefined ? `${path} (${name})` : path;
}

/** For settings read before a component exists: the user sees the text and no stack. */
export class ConfigError extends pulumi.RunError {
  constructor(readonly problems: Problem[]) {
    super(problemsText(problems));
  }
}
