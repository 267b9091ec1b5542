// `command:remote:CopyToRemote` of the stand-in: over sftp as the login user, written in place, nothing is deleted or
// read back. An update copies only if the content or the remote path changed; a changed connection alone copies
// nothing.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { provider } from "@pulumi/pulumi";
import { fileAsset, isSecret, UNKNOWN, unwrap, wrapSecret, type Properties } from "../values";
import { toConnection } from "./connection";
import { copyOverSsh } from "./ssh";

export const COPY_INPUTS = ["connection", "source", "remotePath", "triggers"] as const;

export function checkCopy(news: Properties): provider.CheckResult {
  const failures: provider.CheckFailure[] = Object.keys(news)
    .filter(key => !(COPY_INPUTS as readonly string[]).includes(key))
    .map(key => ({ property: key, reason: "is no input of command:remote:CopyToRemote" }));
  if (fileAsset(news.source) === undefined) {
    failures.push({ property: "source", reason: "must be a FileAsset; the stand-in copies nothing else" });
  }
  const remotePath = unwrap(news.remotePath);
  if (typeof remotePath !== "string" || remotePath === UNKNOWN) {
    failures.push({ property: "remotePath", reason: "must be a known string" });
  }
  const connection = unwrap(news.connection);
  const inputs: Properties = { ...news };
  if (connection !== UNKNOWN) {
    failures.push(...toConnection(connection).failures);
    inputs.connection = isSecret(news.connection) ? news.connection : wrapSecret(news.connection);
  }
  return { inputs, failures };
}

/** The content of the asset, by which the engine compares assets too. The file of an earlier run may be gone. */
export function contentDigest(props: Properties): string | undefined {
  const source = fileAsset(props.source);
  if (source?.hash !== undefined) {
    return source.hash;
  }
  return source === undefined ? undefined : createHash("sha256").update(readFileSync(source.path)).digest("hex");
}

/** Copies, and returns the new state. */
export async function copy(inputs: Properties): Promise<Properties> {
  const { connection } = toConnection(unwrap(inputs.connection));
  const source = fileAsset(inputs.source);
  if (source === undefined) {
    throw new Error("source must be a FileAsset");
  }
  await copyOverSsh(connection, readFileSync(source.path), String(unwrap(inputs.remotePath)));
  return Object.fromEntries(COPY_INPUTS.filter(key => inputs[key] !== undefined).map(key => [key, inputs[key]]));
}
