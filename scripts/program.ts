import * as fs from "fs";
import * as path from "path";
import type * as program from "../components/stack/program";

const root = path.join(__dirname, "..");

/** The source that a built file was made of, as its map holds it; nothing if the file was not built. */
function builtFrom(name: string): string | undefined {
  try {
    const map = fs.readFileSync(path.join(root, "bin", `${name}.js.map`), "utf8");
    return (JSON.parse(map) as { sourcesContent: string[] }).sourcesContent[0];
  } catch {
    return undefined;
  }
}

/** Whether `bin/` was built from the components exactly as they lie now. */
function isBuilt(): boolean {
  const files = fs.readdirSync(path.join(root, "components"), { recursive: true, encoding: "utf8" });
  const sources = files.filter(file => file.endsWith(".ts"));
  return sources.every(file => {
    return builtFrom(file.slice(0, -".ts".length)) === fs.readFileSync(path.join(root, "components", file), "utf8");
  });
}

/**
 * The program: as `npm ci` has built it, which spares every start the second that the compiler takes; from the sources
 * where these have changed since, or were never built.
 */
export function loadProgram(): typeof program {
  // Which of the two it is can only be known when the program runs.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(path.join(root, isBuilt() ? "bin" : "components", "stack", "program")) as typeof program;
}
