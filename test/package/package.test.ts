import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { GetSchemaRequest, type GetSchemaResponse } from "@pulumi/pulumi/proto/provider_pb";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { PrometheusBackup, Source } from "../../components";
import * as everything from "../../components";
import { recordResources } from "../recordResources";
import { previewOf, startEngine } from "../tools/engine";
import { runOrThrow, testEnvironment } from "../tools/process";
import { representatives, slowTest } from "../runner/pace";
import { installPackage, type Installed } from "./installed";

const root = path.join(__dirname, "..", "..");
// Types are nothing at run time, though stripping them may leave their names.
const exported = Object.entries(everything).filter(([, value]) => value !== undefined);
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
// Compilers and npm take seconds of CPU time, which busy cores give slowly.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });
let installed: Installed;
let expected: Said;
beforeAll(async () => {
  [installed, expected] = await Promise.all([installPackage(), saidBySources()]);
});
afterAll(() => {
  if (installed !== undefined) {
    rmSync(installed.directory, { recursive: true, force: true });
  }
});

/** Files below a folder of this tree whose names end so. */
function filesOf(folder: string, ending: string): string[] {
  const names = readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" });
  return names.filter(name => name.endsWith(ending)).map(name => path.join(folder, name));
}

test("the package holds the built components, what hosts get, the pages, and nothing else", () => {
  const sources = filesOf("components", ".ts");
  const built = sources.map(name => name.replace(/^components(.*)\.ts$/, "bin$1"));
  expect(installed.files).toEqual(
    [
      ...built.flatMap(name => [`${name}.d.ts`, `${name}.js`, `${name}.js.map`]),
      ...sources,
      ...filesOf("scripts", ".sh"),
      ...filesOf("docs", ".md"),
      "docs/grafana/prometheus-backup.json",
      "CHANGELOG.md",
      "LICENSE",
      "PulumiPlugin.yaml",
      "README.md",
      "package.json",
      "tsconfig.build.json",
      "tsconfig.json",
    ].sort(),
  );
  expect(filesOf("scripts", ".sh").length).toBeGreaterThan(60);
});

/** What a program has to say: the resources that it registered, the file that hosts get, and an output. */
interface Said {
  registered: string[];
  toolkit: string;
  schedule: string;
}

const MOCKS = `{
  call: ({ token }) => { throw new Error("nothing should call " + token); },
  newResource: ({ type, name, inputs }) => {
    registered.push(type + " " + name);
    toolkit = inputs.source?.path ?? toolkit;
    return { id: name, state: { ...inputs, stdout: "installed", stderr: "" } };
  },
}`;
const ARGUMENTS = `{
  hostName: "prom-a",
  connection: { address: "10.0.0.11", hostKey: "${hostKey}" },
  repositories: [{ path: "/backup/prometheus" }],
  source: Source.Hot,
}`;
const JAVASCRIPT = `
async function main() {
  const registered = [];
  let toolkit = "";
  await pulumi.runtime.setMocks(${MOCKS});
  const backup = new PrometheusBackup("prom-a", ${ARGUMENTS});
  backup.schedule.apply(schedule => process.on("exit", () => {
    console.log(JSON.stringify({ registered: registered.sort(), toolkit, schedule }));
  }));
  await pulumi.runtime.disconnect();
}
void main();
`;
const TYPESCRIPT = `
import * as pulumi from "@pulumi/pulumi";
import { PrometheusBackup, PrometheusBackupArgs, Repository, Source } from "prometheus-backup";

const registered: string[] = [];
let toolkit = "";

const repositories: Repository[] = [{ path: "/backup/prometheus" }];
const args: PrometheusBackupArgs = { ...${ARGUMENTS}, repositories };
// @ts-expect-error A wrong type must be seen, or the declarations say nothing.
export const wrong: PrometheusBackupArgs = { ...args, retention: { days: "30" } };

async function main(): Promise<void> {
  await pulumi.runtime.setMocks(${MOCKS});
  const backup = new PrometheusBackup("prom-a", args);
  const schedule: pulumi.Output<string> = backup.schedule;
  schedule.apply(text => process.on("exit", () => {
    console.log(JSON.stringify({ registered: registered.sort(), toolkit, schedule: text }));
  }));
  await pulumi.runtime.disconnect();
}
void main();
`;

/** What the sources of this tree would have said. */
async function saidBySources(): Promise<Said> {
  const { all, named } = await recordResources(
    () =>
      new PrometheusBackup("prom-a", {
        hostName: "prom-a",
        connection: { address: "10.0.0.11", hostKey },
        repositories: [{ path: "/backup/prometheus" }],
        source: Source.Hot,
      }),
  );
  return {
    registered: all.map(({ type, name }) => `${type} ${name}`).sort(),
    // The digest of all programs and of the host command is part of its name.
    toolkit: (named("prom-a-toolkit").inputs["source"] as { path: string }).path,
    schedule: "0 2 * * *",
  };
}

/** Writes a program into the project, runs it, and returns what it said. */
async function said(name: string, text: string): Promise<Said> {
  writeFileSync(path.join(installed.project, name), text);
  return JSON.parse(await runOrThrow(process.execPath, [name], { cwd: installed.project })) as Said;
}

test("a CommonJS program registers the same resources as the sources", async () => {
  const imports = `const pulumi = require("@pulumi/pulumi");
    const { PrometheusBackup, Source } = require("prometheus-backup");`;
  expect(await said("program.cjs", imports + JAVASCRIPT)).toEqual(expected);
});

test("an ESM program imports by name and registers the same resources", async () => {
  const imports = `import * as pulumi from "@pulumi/pulumi";
    import { PrometheusBackup, Source } from "prometheus-backup";`;
  expect(await said("program.mjs", imports + JAVASCRIPT)).toEqual(expected);
});

test("everything that the module exports can be imported by name in ESM", async () => {
  const names = exported.map(([name]) => name).sort();
  const imported = `{ ${names.join(", ")} }`;
  const text = `import ${imported} from "prometheus-backup";\nconsole.log(JSON.stringify(Object.keys(${imported})));`;
  writeFileSync(path.join(installed.project, "names.mjs"), text);
  expect(JSON.parse(await runOrThrow(process.execPath, ["names.mjs"], { cwd: installed.project }))).toEqual(names);
});

test.each(
  representatives(
    [
      { moduleResolution: "node10", module: "commonjs", programs: ["program."], more: { ignoreDeprecations: "6.0" } },
      {
        moduleResolution: "node16",
        module: "node16",
        programs: ["program.", "program.m"],
        more: { skipLibCheck: false },
      },
      { moduleResolution: "bundler", module: "preserve", programs: ["program.m"], more: {} },
    ],
    ({ moduleResolution }) => moduleResolution === "node10",
  ),
)("a TypeScript program passes the strict check with moduleResolution $moduleResolution, and runs", async way => {
  const { moduleResolution, module, programs, more } = way;
  const directory = path.join(installed.project, moduleResolution);
  mkdirSync(directory);
  programs.map(name => `${name}ts`).forEach(name => writeFileSync(path.join(directory, name), TYPESCRIPT));
  const general = { strict: true, skipLibCheck: true, target: "es2022", types: ["node"] };
  const compilerOptions = { ...general, module, moduleResolution, ...more };
  writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const compiler = path.join(installed.project, "node_modules", "typescript", "bin", "tsc");
  await runOrThrow(process.execPath, [compiler], { cwd: directory });
  for (const name of programs.map(program => `${program}js`)) {
    expect(JSON.parse(await runOrThrow(process.execPath, [name], { cwd: directory }))).toEqual(expected);
  }
});

/** Starts a component package as the CLI does, and returns the names in the schema from which SDKs are generated. */
async function schemaOf(directory: string): Promise<string[]> {
  const runner = path.join(installed.project, "node_modules", "@pulumi", "pulumi", "cmd", "run-plugin");
  const plugin = spawn(process.execPath, [runner, directory], {
    cwd: installed.directory,
    env: testEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const client = new ResourceProviderClient(`127.0.0.1:${await portOf(plugin)}`, credentials.createInsecure());
    const response = await new Promise<GetSchemaResponse>((resolve, reject) => {
      client.getSchema(new GetSchemaRequest(), (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
    client.close();
    const { resources } = JSON.parse(response.getSchema()) as { resources: Record<string, unknown> };
    return Object.keys(resources).sort();
  } finally {
    plugin.kill();
  }
}

/** The port that a plugin prints first. */
async function portOf(plugin: ChildProcess): Promise<number> {
  const ended = once(plugin, "close").then(([code]) => {
    throw new Error(`the plugin ended with ${String(code)} before it said its port`);
  });
  ended.catch(() => undefined);
  const [text] = (await Promise.race([once(plugin.stdout ?? plugin, "data"), ended])) as [Buffer];
  return Number(text.toString());
}

test("started as a component package, the installed package offers every component to other languages", async () => {
  const components = exported.filter(([, value]) => typeof value === "function").map(([name]) => name);
  expect(await schemaOf(installed.package)).toEqual(components.map(name => `prometheus-backup:index:${name}`).sort());
});

/** What the program of the clone tells and registers for the README's host when Pulumi's runner starts it. */
async function previewOfClone(): Promise<{ messages: string[]; registered: string[] }> {
  const example = readFileSync(path.join(root, "test", "examples", "first-host.yaml"), "utf8");
  const { config } = parse(example) as { config: Record<string, unknown> };
  const engine = await startEngine();
  try {
    const start = previewOf(installed.copy, engine, config);
    const [command = "", ...words] = start.words;
    await runOrThrow(command, words, { env: testEnvironment({ ...start.environment, SSH_AUTH_SOCK: "" }) });
    return { messages: engine.messages, registered: engine.registered.sort() };
  } finally {
    engine.stop();
  }
}

slowTest(
  "the program of a clone starts as it was built, and from the sources once one of them has changed",
  async () => {
    const mark = '\nrequire("@pulumi/pulumi").log.info("as it was built");\n';
    appendFileSync(path.join(installed.copy, "bin", "stack", "program.js"), mark);
    const built = await previewOfClone();
    const wayIn: unknown = expect.stringMatching(/^no way into prom-1: /);
    expect(built.messages).toEqual(["as it was built", wayIn]);
    expect(built.registered).toContain("command:remote:Command prom-1-backup-job-install");
    appendFileSync(path.join(installed.copy, "components", "fields", "schedule.ts"), "// Changed.\n");
    expect(await previewOfClone()).toEqual({ messages: [wayIn], registered: built.registered });
    rmSync(path.join(installed.copy, "bin"), { recursive: true });
    expect(await previewOfClone()).toEqual({ messages: [wayIn], registered: built.registered });
  },
);
