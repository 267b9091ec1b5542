// Programs of the far end that no package has, receivers of `remote_write` first: built from their Go modules once and
// kept.
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheDirectory, step, withLock } from "./cache";
import { runOrThrow, testEnvironment, works } from "./process";

export type Receiver = "thanos" | "cortex" | "fake-gcs-server";

/**
 * A directory of the same name beside this file is the Go module to build it in; without one, its own module will do.
 */
const MAIN: Record<Receiver, { version: string; main: string }> = {
  thanos: { version: "0.39.2", main: "github.com/thanos-io/thanos/cmd/thanos" },
  cortex: { version: "1.19.0", main: "github.com/cortexproject/cortex/cmd/cortex" },
  "fake-gcs-server": { version: "1.52.3", main: "github.com/fsouza/fake-gcs-server" },
};

/** Returns the path of the program. The first time it takes about five minutes, and needs `go`. */
export async function ensureReceiver(name: Receiver): Promise<string> {
  const { version, main } = MAIN[name];
  const program = path.join(cacheDirectory("tools", `${name}-${version}`), name);
  return withLock(name, async () => {
    if (!existsSync(program)) {
      await build(name, main, program);
    }
    return program;
  });
}

async function build(name: Receiver, main: string, program: string): Promise<void> {
  if (!(await works("go", ["version"]))) {
    throw new Error(`There is no way to build ${name} ${MAIN[name].version}: \`go\` is not installed.`);
  }
  const directory = mkdtempSync(path.join(cacheDirectory("tools"), "build-"));
  const own = path.join(__dirname, name);
  const words = existsSync(own)
    ? ["build", "-o", name, "-ldflags", "-s -w", main]
    : ["install", "-ldflags", "-s -w", `${main}@v${MAIN[name].version}`];
  try {
    if (existsSync(own)) {
      cpSync(own, directory, { recursive: true });
    }
    await step(`building ${name} ${MAIN[name].version} (minutes the first time)`, () =>
      // Without cgo it runs on hosts with another C library, too.
      runOrThrow("go", words, {
        cwd: directory,
        timeoutSeconds: 3600,
        env: testEnvironment({ CGO_ENABLED: "0", GOBIN: directory }),
      }),
    );
    renameSync(path.join(directory, name), program);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
