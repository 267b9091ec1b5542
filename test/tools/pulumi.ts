// The Pulumi engine: the one on PATH, else the official download, else built from its Go modules.
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { PulumiCommand } from "@pulumi/pulumi/automation";
import { cacheDirectory, say, step, withLock } from "./cache";
import { answers } from "./network";
import { run, runOrThrow, testEnvironment, works } from "./process";

/** The version that is built where no official download is possible. */
export const BUILT_VERSION = "3.255.0";
const OLDEST_MINOR = 230;

/**
 * Returns the folder whose `bin/pulumi` is an engine that works; the folder to give to `PulumiCommand.get({ root })`.
 */
export async function ensurePulumi(): Promise<string> {
  const found = await onPath();
  if (found !== undefined) {
    return found;
  }
  const official = cacheDirectory("tools", "pulumi-official");
  const built = cacheDirectory("tools", `pulumi-${BUILT_VERSION}`);
  return withLock("pulumi", async () => {
    for (const root of [official, built]) {
      if (await isUsable(path.join(root, "bin", "pulumi"))) {
        return root;
      }
    }
    if (await install(official)) {
      return official;
    }
    await build(built);
    return built;
  });
}

async function onPath(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? "").split(path.delimiter)) {
    const command = path.join(directory, "pulumi");
    // The Automation API wants a root with bin/ below, which is where installers put it.
    if (existsSync(command) && path.basename(directory) === "bin" && (await isUsable(command))) {
      return path.dirname(directory);
    }
  }
  return undefined;
}

async function isUsable(command: string): Promise<boolean> {
  if (!existsSync(command)) {
    return false;
  }
  const shown = await run(command, ["version"], {
    env: testEnvironment({ PULUMI_SKIP_UPDATE_CHECK: "1" }),
    timeoutSeconds: 30,
  });
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(shown.stdout) ?? [];
  return shown.code === 0 && major === "3" && Number(minor) >= OLDEST_MINOR;
}

async function install(root: string): Promise<boolean> {
  if (!(await answers("https://get.pulumi.com/"))) {
    say("get.pulumi.com does not answer within 5 s, so the engine is built from its Go modules");
    return false;
  }
  try {
    await step("installing the official Pulumi engine", () => PulumiCommand.install({ root }));
    return true;
  } catch (error) {
    say(`the official Pulumi engine cannot be installed: ${String(error)}`);
    return false;
  }
}

async function build(root: string): Promise<void> {
  if (!(await works("go", ["version"]))) {
    throw new Error(
      "There is no Pulumi engine, and no way to get one: get.pulumi.com does not answer, and `go` is not installed. Put `pulumi` 3.230 or later on PATH.",
    );
  }
  const module = mkdtempSync(path.join(cacheDirectory("tools"), "build-"));
  try {
    cpSync(path.join(__dirname, "pulumi-cli"), module, { recursive: true });
    const version = `github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${BUILT_VERSION}`;
    await step(`building the Pulumi engine ${BUILT_VERSION} (about four minutes the first time)`, () =>
      runOrThrow(
        "go",
        ["build", "-o", "pulumi", "-ldflags", `-s -w -X ${version}`, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
        {
          cwd: module,
          timeoutSeconds: 1800,
        },
      ),
    );
    renameSync(path.join(module, "pulumi"), path.join(cacheDirectory("tools", path.basename(root), "bin"), "pulumi"));
  } finally {
    rmSync(module, { recursive: true, force: true });
  }
}
