import * as fs from "fs";
import * as path from "path";
import { Analyzer, AnalyzeResult, PropertyDefinition } from "@pulumi/pulumi/provider/experimental/analyzer";
import { beforeAll, expect, test } from "vitest";

const root = path.join(__dirname, "..", "..");
const components = [
  "AdminApi",
  "AlertRules",
  "BackupJob",
  "Bootstrap",
  "OffsiteBucket",
  "PrometheusBackup",
  "PrometheusBackupFleet",
  "RemoteWrite",
  "TextfileDirectory",
  "VictoriaMetrics",
];
let result: AnalyzeResult;

// The analyzer that other languages get their SDK from, over the package as it lies.
beforeAll(() => {
  const packageJson = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { name: string };
  result = new Analyzer(root, packageJson.name, packageJson, new Set(components)).analyze();
});

function properties(): [string, PropertyDefinition][] {
  const all: [string, PropertyDefinition][] = [];
  for (const [name, component] of Object.entries(result.components)) {
    Object.entries(component.inputs).forEach(([key, property]) => all.push([`${name}.${key}`, property]));
    Object.entries(component.outputs).forEach(([key, property]) => all.push([`${name}:${key}`, property]));
  }
  for (const [name, type] of Object.entries(result.typeDefinitions)) {
    Object.entries(type.properties ?? {}).forEach(([key, property]) => all.push([`${name}.${key}`, property]));
  }
  return all;
}

test("every component can be used from other languages", () => {
  expect(Object.keys(result.components).sort()).toEqual(components);
});

test("nothing in the schema is of an unknown type", () => {
  expect(
    properties()
      .filter(([, property]) => JSON.stringify(property).includes("Any"))
      .map(([name]) => name),
  ).toEqual([]);
});

test("every component, type and property is documented in plain words", () => {
  const described: [string, string | undefined][] = [
    ...Object.entries(result.components).map(([name, { description }]): [string, string | undefined] => [
      name,
      description,
    ]),
    ...Object.entries(result.typeDefinitions).map(([name, { description }]): [string, string | undefined] => [
      name,
      description,
    ]),
    ...properties().map(([name, { description }]): [string, string | undefined] => [name, description]),
  ];
  expect(described.length).toBeGreaterThan(100);
  expect(described.filter(([, text]) => !text || text.includes("[object Object]")).map(([name]) => name)).toEqual([]);
});

test("components publish only the outputs that are meant to be", () => {
  const outputs = Object.fromEntries(
    Object.entries(result.components).map(([name, component]) => [name, Object.keys(component.outputs).sort()]),
  );
  expect(outputs).toEqual({
    AdminApi: ["report"],
    AlertRules: ["report", "rulesPath"],
    BackupJob: ["expectedIntervalSeconds", "installedDigest", "schedule"],
    Bootstrap: ["report"],
    OffsiteBucket: ["bucketArn", "bucketName", "hostPolicies"],
    PrometheusBackup: ["expectedIntervalSeconds", "installedDigest", "schedule"],
    PrometheusBackupFleet: ["bucketName", "hostPolicies", "schedules"],
    RemoteWrite: ["report", "urls"],
    TextfileDirectory: ["directory", "report"],
    VictoriaMetrics: ["report", "url"],
  });
});
