// Test equipment: stands in for Pulumi's official plugin `command` 1.2.1 where that cannot be downloaded. It knows
// `command:remote:Command` and, in copy.ts, `command:remote:CopyToRemote`, with the official behaviour, the awkward
// parts included: any changed input runs `update` or, without one, `create` again; a changed `triggers` replaces, new
// one first; `delete` runs the stored text over the stored connection; `stdin` goes to all three; nothing is ever read
// back. Not here: `environment` and the previous output in the environment, which sshd refuses by default anyway.
import { randomBytes } from "node:crypto";
import type { provider } from "@pulumi/pulumi";
import { info, warn } from "../engineLog";
import {
  changedKeys,
  isObject,
  isSecret,
  nameOf,
  typeOf,
  UNKNOWN,
  unwrap,
  wrapSecret,
  type Properties,
} from "../values";
import { toConnection } from "./connection";
import { checkCopy, contentDigest, copy } from "./copy";
import { runOverSsh } from "./ssh";

const INPUTS = [
  "connection",
  "create",
  "update",
  "delete",
  "stdin",
  "environment",
  "triggers",
  "logging",
  "addPreviousOutputInEnv",
] as const;
const COPY = "command:remote:CopyToRemote";
const LOGGING = ["stdout", "stderr", "stdoutAndStderr", "none"];

export const commandProvider: provider.Provider = {
  version: "1.2.1",
  check,
  diff,
  create,
  update,
  delete: remove,
};

function check(urn: string, _olds: Properties, news: Properties): Promise<provider.CheckResult> {
  if (typeOf(urn) === COPY) {
    return Promise.resolve(checkCopy(news));
  }
  if (typeOf(urn) !== "command:remote:Command") {
    return Promise.reject(
      new Error(
        `the stand-in for the command plugin does not know ${typeOf(urn)}; it has command:remote:Command and ${COPY}`,
      ),
    );
  }
  const failures: provider.CheckFailure[] = Object.keys(news)
    .filter(key => !(INPUTS as readonly string[]).includes(key))
    .map(key => ({ property: key, reason: "is no input of command:remote:Command" }));
  const inputs: Properties = { addPreviousOutputInEnv: true, ...news };
  for (const key of ["create", "update", "delete", "stdin"]) {
    const value = unwrap(inputs[key]);
    if (value !== undefined && typeof value !== "string") {
      failures.push({ property: key, reason: "must be a string" });
    }
  }
  const logging = unwrap(inputs.logging);
  if (logging !== undefined && (typeof logging !== "string" || !LOGGING.includes(logging))) {
    failures.push({ property: "logging", reason: `must be one of ${LOGGING.join(", ")}` });
  }
  const environment = unwrap(inputs.environment);
  if (isObject(environment) && Object.keys(environment).length > 0) {
    failures.push({
      property: "environment",
      reason: "is not done by the stand-in: sshd refuses variables unless AcceptEnv names them",
    });
  }
  const connection = unwrap(inputs.connection);
  if (connection !== UNKNOWN) {
    failures.push(...toConnection(connection).failures);
    // The official plugin marks the connection itself, whatever the program did.
    inputs.connection = isSecret(inputs.connection) ? inputs.connection : wrapSecret(inputs.connection);
  }
  return Promise.resolve({ inputs, failures });
}

function diff(_id: string, urn: string, olds: Properties, news: Properties): Promise<provider.DiffResult> {
  if (typeOf(urn) === COPY) {
    const changed = changedKeys(["connection", "remotePath", "triggers"], olds, news);
    const changes = changed.length > 0 || contentDigest(olds) !== contentDigest(news);
    return Promise.resolve({
      changes,
      replaces: changed.filter(key => key === "triggers"),
      deleteBeforeReplace: false,
    });
  }
  const changed = changedKeys(INPUTS, olds, news);
  return Promise.resolve({
    changes: changed.length > 0,
    replaces: changed.filter(key => key === "triggers"),
    deleteBeforeReplace: false,
  });
}

async function create(urn: string, inputs: Properties): Promise<provider.CreateResult> {
  if (typeOf(urn) === COPY) {
    return { id: `${nameOf(urn)}${randomBytes(4).toString("hex")}`, outs: await copy(inputs) };
  }
  const id = `${nameOf(urn)}${randomBytes(4).toString("hex")}`;
  return { id, outs: await runFor(urn, inputs.create, inputs, {}) };
}

async function update(_id: string, urn: string, olds: Properties, news: Properties): Promise<provider.UpdateResult> {
  if (typeOf(urn) === COPY) {
    const same = contentDigest(olds) === contentDigest(news) && changedKeys(["remotePath"], olds, news).length === 0;
    return { outs: same ? { ...olds, ...news } : await copy(news) };
  }
  return { outs: await runFor(urn, news.update ?? news.create, news, olds) };
}

async function remove(_id: string, urn: string, props: Properties): Promise<void> {
  if (typeOf(urn) !== COPY) {
    await runFor(urn, props.delete, props, props);
  }
}

/**
 * Runs one of the texts, if there is one, and returns the new state. The output is secret when a text that made it is.
 */
async function runFor(urn: string, text: unknown, inputs: Properties, previous: Properties): Promise<Properties> {
  const kept = Object.fromEntries(INPUTS.filter(key => inputs[key] !== undefined).map(key => [key, inputs[key]]));
  const command = unwrap(text);
  if (typeof command !== "string") {
    return { ...kept, stdout: previous.stdout ?? "", stderr: previous.stderr ?? "" };
  }
  if (inputs.addPreviousOutputInEnv === true && (unwrap(previous.stdout) ?? "") !== "") {
    await warn(
      urn,
      "Unable to set 'PULUMI_COMMAND_STDOUT'. This only works if your SSH server is configured to accept these variables via AcceptEnv.",
    );
  }
  const { connection } = toConnection(unwrap(inputs.connection));
  const stdin = unwrap(inputs.stdin);
  const logging = unwrap(inputs.logging) ?? "stdoutAndStderr";
  const output = await runOverSsh(connection, command, typeof stdin === "string" ? stdin : "", (stream, line) => {
    if (logging === "stdoutAndStderr" || logging === stream) {
      void info(urn, line);
    }
  });
  const wrap = (result: string) => (isSecret(inputs.create) || isSecret(inputs.update) ? wrapSecret(result) : result);
  return { ...kept, stdout: wrap(output.stdout), stderr: wrap(output.stderr) };
}
