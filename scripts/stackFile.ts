import * as fs from "fs";
import * as path from "path";
import { parse } from "yaml";
import { parseConfig, StackConfig } from "../components/config";
import { PrometheusBackupFleetArgs } from "../components/prometheusBackupFleet";

/** What the caller of a command has to change; ends it with status 2. */
export class UsageError extends Error {}

/** The settings of this project in a stack's file; other namespaces and secrets are left alone. */
export function readStackFile(text: string, stack: string): StackConfig {
  const document: unknown = parse(text);
  const config = typeof document === "object" && document !== null && "config" in document ? document.config : {};
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries((config ?? {}) as Record<string, unknown>)) {
    const name = /^prometheus-backup:(environment|defaults|hosts|offsiteBucket)$/.exec(key)?.[1];
    if (name !== undefined) {
      plain[name] = value;
    }
  }
  return { ...plain, environment: plain["environment"] || stack };
}

/**
 * The fleet of a stack as its file describes it, without the engine. Every secret is an empty text: that there is one
 * decides which files exist, and nothing here may show it. Throws `UsageError` if there is no such file.
 */
export function readFleet(stack: string, file = path.join(__dirname, "..", `Pulumi.${stack}.yaml`)): PrometheusBackupFleetArgs {
  if (!fs.existsSync(file)) {
    throw new UsageError(`there is no stack file ${file}; name an existing stack, or its file with --config`);
  }
  return parseConfig(readStackFile(fs.readFileSync(file, "utf8"), stack), () => "");
}
