import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { expect, test } from "vitest";
import ts from "typescript";
import { adminApiForm } from "../../components/adminApi/settings";
import { alertForm } from "../../components/alertRules/settings";
import { drillForm, jobForm } from "../../components/backupJob/form";
import { limitForm } from "../../components/backupJob/limits";
import { repositoryForm } from "../../components/backupJob/repository";
import { retentionForm } from "../../components/backupJob/retention";
import { bootstrapForm } from "../../components/bootstrap/settings";
import { defaultsOf, group } from "../../components/fields/group";
import { bastionForm, connectionForm } from "../../components/host/connection";
import { serverForm } from "../../components/host/server";
import { targetForm } from "../../components/remoteWrite/form";
import { textfileForm } from "../../components/textfileDirectory/settings";
import { victoriaMetricsForm } from "../../components/victoriaMetrics/settings";
import { parseConfig } from "../../components/stack/config";
import { type StackConfig } from "../../components/stack/stackConfig";
import { hostSchema } from "../../components/stack/schema";
import { bucketForm } from "../../components/offsiteBucket/settings";
import { renderKeys } from "../../scripts/tools/settings/keys";
import { settingRows, summedUp, withTables } from "../../scripts/tools/settings/page";
import { recordResources } from "../recordResources";

const root = path.join(__dirname, "..", "..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

test("the tables of the page are made from the tables of fields: npm run settings", () => {
  expect(read("docs/settings.md")).toBe(withTables(read("docs/settings.md")));
});

test("what the host command knows of its settings is made from them: npm run settings", () => {
  expect(read("scripts/lib/shell/keys.sh")).toBe(renderKeys());
});

test("a setting without a row of its own is named in the row of what it is in", () => {
  const everything = group({ ...hostSchema.shape, offsiteBucket: bucketForm });
  const untold = summedUp(everything).filter(({ name, says }) => !says.includes(`\`${name}\``));
  expect(untold.map(({ path }) => path)).toEqual([]);
});

/** The comments of the settings of an interface, by name. */
function commentsOf(file: string, name: string): Map<string, string> {
  const source = ts.createSourceFile(file, read(`components/${file}`), ts.ScriptTarget.Latest, true);
  const found = source.statements.filter(ts.isInterfaceDeclaration).find(each => each.name.text === name);
  return new Map(
    found?.members.map(member => [member.name?.getText() ?? "", member.getFullText().replace(/\n\s*\*/g, "")]),
  );
}

test.each([
  ["backupJob/settings.ts", "JobSettings", jobForm],
  ["backupJob/settings.ts", "DrillSettings", drillForm],
  ["backupJob/limits.ts", "Limits", limitForm],
  ["backupJob/retention.ts", "Retention", retentionForm],
  ["backupJob/repository.ts", "Repository", repositoryForm],
  ["host/server.ts", "PrometheusServer", serverForm],
  ["host/connection.ts", "SshConnection", connectionForm],
  ["host/connection.ts", "SshBastion", bastionForm],
  ["adminApi/settings.ts", "AdminApiSettings", adminApiForm],
  ["textfileDirectory/settings.ts", "TextfileSettings", textfileForm],
  ["alertRules/settings.ts", "AlertSettings", alertForm],
  ["victoriaMetrics/settings.ts", "VictoriaMetricsSettings", victoriaMetricsForm],
  ["bootstrap/settings.ts", "BootstrapSource", bootstrapForm],
  ["remoteWrite/settings.ts", "RemoteWriteTarget", targetForm],
  ["offsiteBucket/settings.ts", "OffsiteBucketSettings", bucketForm],
])("%s: the comments of %s say the defaults of its table", (file, name, form) => {
  const comments = commentsOf(file, name);
  const wrong = Object.entries(defaultsOf(form as ReturnType<typeof group>)).flatMap(([setting, value]) => {
    const said = new RegExp(`Defaults to [\`]?${String(value).replace(/[.*/]/g, "[$&]")}[\` .,;:]`);
    return value === "" || said.test(`${comments.get(setting) ?? ""} `) ? [] : [`${setting}: ${String(value)}`];
  });
  expect(wrong).toEqual([]);
});

test("README.md has no other defaults", () => {
  const real = new Map(settingRows(hostSchema).map(row => [row.path, row.default]));
  const rows = [...read("README.md").matchAll(/^\| `([\w.[\]]+)` \| (.*?) ?\| .* \|$/gm)];
  const told = rows.filter(([, setting = ""]) => /^`.+`$/.test(real.get(setting) ?? ""));
  expect(told.length).toBeGreaterThan(5);
  expect(told.map(([, setting, value]) => [setting, value])).toEqual(
    told.map(([, setting = ""]) => [setting, real.get(setting)]),
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
