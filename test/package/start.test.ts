import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { previewOf, startEngine, type StandInEngine } from "../tools/engine";
import { type Finished, run, testEnvironment } from "../tools/process";

// `pulumi preview` starts the program once, `up` twice. What checking its types at each start would cost stands in
// docs/performance.md; `npm run check` checks them.
const root = path.join(__dirname, "..", "..");
let engine: StandInEngine;
let directory: string;
// Each start takes seconds of CPU time, which busy cores give slowly.
vi.setConfig({ testTimeout: 180_000 });
beforeAll(async () => {
  engine = await startEngine();
  directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-start-"));
  for (const name of ["package.json", "tsconfig.json", "Pulumi.yaml"]) {
    cpSync(path.join(root, name), path.join(directory, name));
  }
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
});
afterEach(() => {
  engine.registered.length = 0;
  engine.messages.length = 0;
});
afterAll(() => {
  engine.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a project as `pulumi preview` does. */
function preview(
  project: string,
  config: Record<string, unknown>,
  environment: Record<string, string> = {},
): Promise<Finished> {
  const start = previewOf(project, engine, config);
  const [command = "", ...words] = start.words;
  return run(command, words, { env: testEnvironment({ ...start.environment, ...environment }) });
}

// The compiler can only complain about this program if it looks at its types.
const PROGRAM = `import * as pulumi from "@pulumi/pulumi";
const wrong: number = "text";
new pulumi.ComponentResource("test:index:Ran", \`with-\${wrong}\`);
`;

test("a program that does not pass the type check runs all the same: nothing checks it at its start", async () => {
  writeFileSync(path.join(directory, "index.ts"), PROGRAM);
  expect(await preview(directory, {})).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(engine.registered).toEqual(["pulumi:pulumi:Stack prometheus-backup-test", "test:index:Ran with-text"]);
});

test("with the type check switched on, the same program is refused", async () => {
  writeFileSync(path.join(directory, "index.ts"), PROGRAM);
  const { code } = await preview(directory, {}, { PULUMI_NODEJS_TRANSPILE_ONLY: "false" });
  expect(code).toBe(32);
  expect(engine.messages.join("\n")).toContain("index.ts(2,7): error TS2322: Type 'string' is not assignable");
  expect(engine.registered).toEqual(["pulumi:pulumi:Stack prometheus-backup-test"]);
});

test("this project's program registers the README's host when Pulumi's runner starts it", async () => {
  const example = readFileSync(path.join(root, "test", "examples", "first-host.yaml"), "utf8");
  const { config } = parse(example) as { config: Record<string, unknown> };
  expect(await preview(root, config, { SSH_AUTH_SOCK: "" })).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(engine.messages).toEqual([expect.stringMatching(/^no way into prom-1: /)]);
  expect(engine.registered.filter(resource => resource.startsWith("command:")).sort()).toEqual([
    "command:remote:Command prom-1-admin-api-install",
    "command:remote:Command prom-1-alert-rules-install",
    "command:remote:Command prom-1-backup-job-install",
    "command:remote:Command prom-1-textfile-directory-install",
    "command:remote:CopyToRemote prom-1-toolkit",
  ]);
});
