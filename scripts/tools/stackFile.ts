import * as fs from "fs";
import * as path from "path";
import { isMap, isNode, isScalar, isSeq, LineCounter, parse, parseDocument } from "yaml";
import { parseConfig } from "../../components/stack/config";
import { StackConfig, StackKey, structures } from "../../components/stack/stackConfig";
import { PrometheusBackupFleetArgs } from "../../components/fleetSettings";
import { regionOf } from "../../components/offsiteBucket/region";

/** What the caller of a command has to change; ends it with status 2. */
export class UsageError extends Error {}

/** What a stack's file says: the settings of this project, its other keys, the region of AWS. */
export interface StackFile {
  plain: StackConfig;
  keys: StackKey[];
  awsRegion?: string;
}

function isSecret(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}

/** The text of a stack's file taken apart; secrets are left alone. Throws `UsageError` if it is no YAML. */
export function readStackFile(text: string, stack: string, file = `Pulumi.${stack}.yaml`): StackFile {
  const document: unknown = parseYaml(text, file);
  const config = typeof document === "object" && document !== null && "config" in document ? document.config : {};
  const all = Object.entries((config ?? {}) as Record<string, unknown>);
  const own = all.flatMap(([key, value]) => {
    const name = /^prometheus-backup:(.*)$/.exec(key)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  const plain = Object.fromEntries(own.filter(([name]) => structures.includes(name))) as StackConfig;
  const others = own.filter(([name]) => !structures.includes(name));
  const keys = others.map(([name, value]) => ({ name, secret: isSecret(value) }));
  const region = all.find(([key]) => key === "aws:region")?.[1];
  return {
    plain: { ...plain, environment: plain.environment || stack },
    keys,
    awsRegion: regionOf(typeof region === "string" ? region : undefined),
  };
}

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const [words = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    // To YAML, `*/6` refers to something that was named before.
    const hint = /\balias\b/.test(words) ? '; what begins with `*` needs quotes, such as schedule: "*/6 * * * *"' : "";
    throw new UsageError(`${file} is no YAML: ${words.replace(/:$/, "")}${hint}`);
  }
}

/**
 * The fleet of a stack as its file describes it, without the engine. Every secret is an empty text: that there is one
 * decides which files exist, and nothing here may show it. Throws `UsageError` if there is no such file.
 */
export function readFleet(
  stack: string,
  file = stackFile(stack),
  warn?: (text: string) => void,
): PrometheusBackupFleetArgs {
  if (!fs.existsSync(file)) {
    throw new UsageError(`there is no stack file ${file}; name an existing stack, or its file with --config`);
  }
  const { plain, ...facts } = readStackFile(fs.readFileSync(file, "utf8"), stack, file);
  return parseConfig(plain, () => "", { ...facts, warn });
}

/** Where the file of a stack lies. */
export const stackFile = (stack: string): string => path.join(__dirname, "..", "..", `Pulumi.${stack}.yaml`);

/**
 * Where in the text of a stack's file a setting stands, as line and column from 1. `setting` is a path as messages show
 * it, such as `hosts[1].schedule (prom-b)`; of one that is not there, the place of what should have it.
 */
export function placeOf(text: string, setting: string): { line: number; column: number } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [first = "", ...rest] = setting.replace(/[ ,].*$/, "").match(/[^.[\]]+/g) ?? [];
  let place = document.contents?.range?.[0] ?? 0;
  let node: unknown = document.contents;
  for (const step of ["config", `prometheus-backup:${first}`, ...rest]) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      place = (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? place;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      place = (isNode(node) ? node.range?.[0] : undefined) ?? place;
    } else {
      break;
    }
  }
  const { line, col } = lines.linePos(place);
  return { line, column: col };
}
