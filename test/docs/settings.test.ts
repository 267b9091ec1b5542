import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseConfig } from "../../components/stack/config";
import { type StackConfig } from "../../components/stack/stackConfig";
import { hostSchema } from "../../components/stack/schema";
import { offsiteBucketSchema } from "../../components/offsiteBucket/settings";
import { defaults } from "../../components/stack/defaults";
import { recordResources } from "../recordResources";

const root = path.join(__dirname, "..", "..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** First column to second of every row, of tables with three columns, whose first cell is one setting. */
function documented(file: string): Map<string, string> {
  const rows = [...read(file).matchAll(/^\| `([\w.[\]]+)` \|(.*?)\| .* \|$/gm)];
  return new Map(rows.map(([, setting = "", value = ""]) => [setting, value.replaceAll("`", "").trim()]));
}

/** Where a default stands that is not under the setting's own name. */
const elsewhere: Record<string, string> = {
  user: "ssh.user",
  port: "ssh.port",
  connectAttempts: "ssh.attempts",
  connectTimeoutSeconds: "ssh.attemptTimeoutSeconds",
  "offsiteBucket.noncurrentVersionDays": "bucket.noncurrentVersionDays",
  "offsiteBucket.abortUploadDays": "bucket.abortUploadDays",
  "remoteWrite[].arrival": "remoteWrite.arrival",
  "remoteWrite[].arrivalTimeoutSeconds": "remoteWrite.arrivalTimeoutSeconds",
};

function defaultOf(setting: string): unknown {
  return (elsewhere[setting] ?? setting)
    .split(".")
    .reduce<unknown>(
      (value, key) =>
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined,
      defaults,
    );
}

/** Settings of a schema by path; lists and groups that are one thing to the reader are not opened. */
function settingsOf(schema: z.ZodType, prefix = ""): string[] {
  const whole = [
    "bastion",
    "repositories[].sftp",
    "offsiteBucket.objectLock",
    "alerts.labels",
    "mayRead",
    "remoteWrite[].headers",
    "remoteWrite[].basicAuth",
    "remoteWrite[].tls",
    "remoteWrite[].queue",
    "remoteWrite[].writeRelabelConfigs",
    "victoriaMetrics.flags",
  ];
  const bare = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  const name = prefix.replace(/\.$/, "");
  if (bare instanceof z.ZodArray && !whole.includes(name)) {
    return [name, ...settingsOf(bare.element as z.ZodType, `${name}[].`)];
  }
  if (bare instanceof z.ZodObject && !whole.includes(name)) {
    return Object.entries(bare.shape as Record<string, z.ZodType>).flatMap(([key, value]) =>
      settingsOf(value, `${prefix}${key}.`),
    );
  }
  return [name];
}

test("every setting is documented, and nothing that does not exist", () => {
  const real = [...settingsOf(hostSchema), ...settingsOf(offsiteBucketSchema, "offsiteBucket.")];
  expect([...documented("docs/settings.md").keys()].sort()).toEqual(real.sort());
});

describe.each(["docs/settings.md", "README.md"])("%s", file => {
  const withDefault = [...documented(file)].flatMap(([setting, value]) => {
    const real = defaultOf(setting);
    return typeof real === "string" || typeof real === "number" || typeof real === "boolean"
      ? [{ setting, value, real: String(real) }]
      : [];
  });
  test.each(withDefault.filter(({ real }) => real !== ""))(
    "the default of $setting is the real one",
    ({ setting, value, real }) => {
      expect([setting, value]).toEqual([setting, real]);
    },
  );
});

const examples = readdirSync(path.join(root, "test/examples")).filter(name => name.endsWith(".yaml"));

test.each(examples)("the example %s is a valid configuration", example => {
  const { config } = parse(read(`test/examples/${example}`)) as { config: Record<string, unknown> };
  const plain = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace("prometheus-backup:", ""), value]),
  ) as StackConfig;
  expect(() => parseConfig({ environment: "test", ...plain }, () => "a secret")).not.toThrow();
});

test("the configuration in README.md is the example for the first host", () => {
  const [, block = ""] = /^ {3}```yaml\n(.*?)^ {3}```/ms.exec(read("README.md")) ?? [];
  expect(block.replace(/^ {3}/gm, "")).toBe(read("test/examples/first-host.yaml"));
});

test("the program in README.md is the example, and makes the steps of its host", async () => {
  const [, block = ""] = /^```ts\n(.*?)^```/ms.exec(read("README.md")) ?? [];
  expect(block.replace('"prometheus-backup"', '"../../components"')).toBe(read("test/examples/program.ts"));
  const { all } = await recordResources(() => import("../examples/program"));
  const steps = all.map(({ name }) => name);
  expect(steps).toEqual(expect.arrayContaining(["prom-1-admin-api-install", "prom-1-backup-job-install"]));
});

test("the program in docs/modules.md is the example, and makes the steps of its host", async () => {
  const [, block = ""] = /^```ts\n(.*?)^```/ms.exec(read("docs/modules.md")) ?? [];
  expect(block.replace('"prometheus-backup"', '"../../components"')).toBe(read("test/examples/fleet.ts"));
  const { all } = await recordResources(() => import("../examples/fleet"));
  const steps = all.map(({ name }) => name);
  expect(steps).toEqual(expect.arrayContaining(["prom-1-admin-api-install", "prom-1-backup-job-install"]));
});

test("docs/modules.md has every component with its outputs", () => {
  const rows = [...read("docs/modules.md").matchAll(/^\| `(\w+)` \| .* \| (.*) \|$/gm)];
  const told = rows.map(([, name, outputs = ""]) => [
    name,
    [...outputs.matchAll(/`(\w+)`/g)].map(([, output]) => output).sort(),
  ]);
  const files = readdirSync(path.join(root, "components"), { recursive: true, encoding: "utf8" });
  const sources = files.filter(file => file.endsWith(".ts")).map(file => read(`components/${file}`));
  const classes = sources.flatMap(text => [
    ...text.matchAll(/^export class (\w+) extends pulumi\.ComponentResource \{(.*?)^\}/gms),
  ]);
  const outputsOf = (body: string) =>
    [...body.matchAll(/^ {2}public readonly (\w+): pulumi\.Output</gm)].map(([, output]) => output).sort();
  expect(Object.fromEntries(told)).toEqual(
    Object.fromEntries(classes.map(([, name, body = ""]) => [name, outputsOf(body)])),
  );
});

test("the ways out for a server that listens on all addresses are the same in README, settings and the refusal", () => {
  const block = /^```yaml\n(adminApi: .*?)^```/ms;
  const blocks = ["README.md", "docs/settings.md"].map(page => block.exec(read(page))?.[1] ?? page);
  expect(blocks[0]).toBe(blocks[1]);
  const [, refusal = ""] = /is a way out:\n(.*?)\nOr let it/s.exec(read("scripts/steps/admin-api.sh")) ?? [];
  const settingsOnly = (text: string) =>
    text
      .trim()
      .split("\n")
      .map(line => line.replace(/#.*/, "").trim());
  expect(settingsOnly(refusal)).toEqual(settingsOnly(blocks[0] ?? ""));
});
