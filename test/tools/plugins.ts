// Provider plugins for the engine: the official ones where they can be had, otherwise the stand-ins of this repository.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { cacheDirectory, say, step, withLock } from "./cache";
import { answers } from "./network";
import { run, testEnvironment } from "./process";

const OFFICIAL: [string, string][] = [
  ["command", "1.2.1"],
  ["aws", "7.48.0"],
];
const STAND_INS = path.join(__dirname, "..", "providers");
const NOTHING = path.join(STAND_INS, "nothing.ts");

export interface Plugins {
  kind: "official" | "stand-in";
  /** `PULUMI_HOME` for the engine. */
  home: string;
}

let found: Promise<Plugins> | undefined;

/** Decides once for the process. `PROMETHEUS_BACKUP_PLUGINS=stand-in` skips the try to download. */
export function ensurePlugins(pulumiRoot: string): Promise<Plugins> {
  found ??= decide(pulumiRoot);
  return found;
}

async function decide(pulumiRoot: string): Promise<Plugins> {
  const home = cacheDirectory("pulumi-home-official");
  if (process.env.PROMETHEUS_BACKUP_PLUGINS !== "stand-in" && (await install(pulumiRoot, home))) {
    return { kind: "official", home };
  }
  say("the official provider plugins cannot be downloaded here: the stand-ins under test/providers do the work");
  return { kind: "stand-in", home: await standInHome() };
}

/**
 * A `PULUMI_HOME` in which the stand-ins lie where the engine looks for installed plugins. On PATH they would do
 * as well, but the engine would then warn about it in every run.
 */
async function standInHome(): Promise<string> {
  // One for each checkout, as each has stand-ins of its own.
  const checkout = createHash("sha256").update(STAND_INS).digest("hex").slice(0, 6);
  const home = cacheDirectory(`pulumi-home-stand-in-${checkout}`);
  const digest = sourceDigest();
  for (const [name, version] of OFFICIAL) {
    const directory = path.join(home, "plugins", `resource-${name}-v${version}`);
    const program = path.join(directory, `pulumi-resource-${name}-${digest}.cjs`);
    await withLock(`stand-in-${checkout}-${name}`, async () => {
      if (!existsSync(program)) {
        rmSync(directory, { recursive: true, force: true });
        mkdirSync(directory, { recursive: true });
        await bundle(path.join(STAND_INS, name, "main.ts"), program);
        installProgram(path.join(directory, `pulumi-resource-${name}`), program);
      }
    });
  }
  return home;
}

/**
 * In one file, ready for Node: the engine starts a plugin for each of its runs, and compiling takes longer than most of
 * them. Without what Pulumi's library loads for programs only (TypeScript, npm's tree of packages), which would be two
 * thirds of a start.
 */
async function bundle(source: string, file: string): Promise<void> {
  await build({
    entryPoints: [source],
    outfile: `${file}.new`,
    bundle: true,
    platform: "node",
    target: "node20",
    logLevel: "error",
    external: ["cpu-features", "*.node"],
    alias: { typescript: NOTHING, "@npmcli/arborist": NOTHING },
  });
  renameSync(`${file}.new`, file);
}

/**
 * exec, so that the engine's signals reach the program. Renamed into place: another process may be about to start the
 * old one.
 */
function installProgram(file: string, program: string): void {
  writeFileSync(`${file}.${process.pid}`, `#!/bin/sh\nexec node '${program.replaceAll("'", "'\\''")}' "$@"\n`, {
    mode: 0o755,
  });
  renameSync(`${file}.${process.pid}`, file);
}

const sources = (): string[] =>
  readdirSync(STAND_INS, { recursive: true, encoding: "utf8" })
    .filter(file => file.endsWith(".ts"))
    .sort()
    .map(file => path.join(STAND_INS, file));

/** Changes with the stand-ins and with what they are built from. */
function sourceDigest(): string {
  const root = path.join(STAND_INS, "..", "..");
  const digest = createHash("sha256");
  for (const file of [...sources(), __filename, path.join(root, "package-lock.json")]) {
    digest.update(file).update("\0").update(readFileSync(file)).update("\0");
  }
  return digest.digest("hex").slice(0, 8);
}

async function install(pulumiRoot: string, home: string): Promise<boolean> {
  const env = testEnvironment({ PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "1" });
  const pulumi = path.join(pulumiRoot, "bin", "pulumi");
  const listed = await run(pulumi, ["plugin", "ls", "--json"], { env });
  const isThere = ([name, version]: [string, string]) =>
    new RegExp(`"name":\\s*"${name}"[^}]*"version":\\s*"${version}"`).test(listed.stdout);
  if (OFFICIAL.every(isThere)) {
    return true;
  }
  if (!(await answers("https://get.pulumi.com/"))) {
    return false;
  }
  for (const [name, version] of OFFICIAL) {
    const installed = await step(`downloading Pulumi's plugin ${name} ${version}`, () =>
      run(pulumi, ["plugin", "install", "resource", name, version], { env, timeoutSeconds: 600 }),
    );
    if (installed.code !== 0) {
      say(installed.stderr.trim());
      return false;
    }
  }
  return true;
}
