// The program that writes the history, built from test/bench/history once for each version of its source.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { cacheDirectory, step } from "../tools/cache";
import { runOrThrow } from "../tools/process";

/** Returns the path of the program. Needs `go`. */
export async function ensureHistoryMaker(): Promise<string> {
  const source = path.join(__dirname, "history");
  const version = createHash("sha256").update(readFileSync(path.join(source, "main.go"))).digest("hex").slice(0, 12);
  const program = path.join(cacheDirectory("tools", `history-${version}`), "history");
  if (!existsSync(program)) {
    await step("building the program that makes histories", () => runOrThrow("go", ["build", "-o", program, "."], { cwd: source, timeoutSeconds: 900 }));
  }
  return program;
}
