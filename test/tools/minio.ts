// The MinIO server program: on PATH, else taken out of its Docker image, else built from its Go module.
import { chmodSync, existsSync, renameSync } from "node:fs";
import path from "node:path";
import { ensureDocker } from "../hosts/docker";
import { cacheDirectory, say, step, withLock } from "./cache";
import { runOrThrow, testEnvironment, works } from "./process";

const MODULE_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c";
const IMAGE = "minio/minio:RELEASE.2025-09-07T16-13-09Z";

/** Returns the path of a `minio` program that runs on this machine. */
export async function ensureMinio(): Promise<string> {
  if (await works("minio", ["--version"])) {
    return "minio";
  }
  const program = path.join(cacheDirectory("tools", `minio-${MODULE_VERSION}`), "minio");
  return withLock("minio", async () => {
    if (!existsSync(program) && !(await takeFromImage(program))) {
      await build(program);
    }
    return program;
  });
}

/** The image holds a Linux program, so this is for Linux; elsewhere it is built. */
async function takeFromImage(program: string): Promise<boolean> {
  if (process.platform !== "linux") {
    return false;
  }
  const docker = await ensureDocker();
  try {
    await step(`taking minio out of ${IMAGE}`, async () => {
      const container = await docker.output(["create", IMAGE], { timeoutSeconds: 120 });
      await docker.output(["cp", `${container}:/usr/bin/minio`, `${program}.new`]);
      await docker.output(["rm", container]);
    });
    chmodSync(`${program}.new`, 0o755);
    renameSync(`${program}.new`, program);
    return true;
  } catch (error) {
    say(`the image does not serve: ${String(error)}`);
    return false;
  }
}

async function build(program: string): Promise<void> {
  if (!(await works("go", ["version"]))) {
    throw new Error(
      "There is no MinIO, and no way to get one: its image cannot be pulled, and `go` is not installed. Put `minio` on PATH.",
    );
  }
  const target = path.dirname(program);
  await step("building MinIO (about three minutes the first time)", () =>
    runOrThrow("go", ["install", "-ldflags", "-s -w", `github.com/minio/minio@${MODULE_VERSION}`], {
      env: testEnvironment({ GOBIN: target }),
      timeoutSeconds: 1800,
    }),
  );
}
