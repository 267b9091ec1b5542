// Provider plugins for the engine: the official ones where they can be had, otherwise the stand-ins of this repository.
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cacheDirectory, say, step } from "./cache";
import { answers } from "./network";
import { run, testEnvironment } from "./process";

const OFFICIAL: [string, string][] = [
  ["command", "1.2.1"],
  ["aws", "7.48.0"],
];
const STAND_INS = path.join(__dirname, "..", "providers", "bin");

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
  return { kind: "stand-in", home: standInHome() };
}

/**
 * A `PULUMI_HOME` in which the stand-ins lie where the engine looks for installed plugins. On PATH they would do
 * as well, but the engine would then warn about it in every run.
 */
function standInHome(): string {
  // One for each checkout, as each has stand-ins of its own.
  const checkout = createHash("sha256").update(STAND_INS).digest("hex").slice(0, 6);
  const home = cacheDirectory(`pulumi-home-stand-in-${checkout}`);
  for (const [name, version] of OFFICIAL) {
    const program = `pulumi-resource-${name}`;
    const directory = path.join(home, "plugins", `resource-${name}-v${version}`);
    mkdirSync(directory, { recursive: true });
    const file = path.join(directory, program);
    const text = `#!/bin/sh\nexec '${path.join(STAND_INS, program).replaceAll("'", "'\\''")}' "$@"\n`;
    // Renamed into place: another process may be about to start the old one.
    writeFileSync(`${file}.${process.pid}`, text, { mode: 0o755 });
    renameSync(`${file}.${process.pid}`, file);
  }
  return home;
}

async function install(pulumiRoot: string, home: string): Promise<boolean> {
  const env = testEnvironment({ PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "1" });
  const pulumi = path.join(pulumiRoot, "bin", "pulumi");
  const listed = await run(pulumi, ["plugin", "ls", "--json"], { env });
  const isThere = ([name, version]: [string, string]) => new RegExp(`"name":\\s*"${name}"[^}]*"version":\\s*"${version}"`).test(listed.stdout);
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
