// Receivers of `remote_write` that no package has: built from their Go modules once and kept.
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheDirectory, step, withLock } from "./cache";
import { runOrThrow, testEnvironment, works } from "./process";

export type Receiver = "thanos" | "cortex";

const MAIN: Record<Receiver, { version: string; main: string }> = {
  thanos: { version: "0.39.2", main: "github.com/thanos-io/thanos/cmd/thanos" },
  cortex: { version: "1.19.0", main: "github.com/cortexproject/cortex/cmd/cortex" },
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
  const module = mkdtempSync(path.join(cacheDirectory("tools"), "build-"));
  try {
    cpSync(path.join(__dirname, name), module, { recursive: true });
    await step(`building ${name} ${MAIN[name].version} (five minutes or more the first time)`, () =>
      // Without cgo it runs on hosts with another C library, too.
      runOrThrow("go", ["build", "-o", name, "-ldflags", "-s -w", main], { cwd: module, timeoutSeconds: 3600, env: testEnvironment({ CGO_ENABLED: "0" }) }),
    );
    renameSync(path.join(module, name), program);
  } finally {
    rmSync(module, { recursive: true, force: true });
  }
}
