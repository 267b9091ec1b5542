// Calls single functions of a host step: the joined program is sourced, so its `main` does not run.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { renderStepProgram } from "../../components/host/programs";

export interface Called {
  code: number;
  stdout: string;
  /** The text that `die` was given, if it was called. */
  failure: string;
}

/** Runs `script` in a bash that knows the functions of `step`. `files` are written into the working directory. */
export function callStep(step: string, script: string, files: Record<string, string> = {}): Called {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-step-"));
  try {
    writeFileSync(path.join(directory, "program.sh"), renderStepProgram(step));
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(directory, name), content);
    }
    const prelude = `set -Eeuo pipefail; source ./program.sh; WORK=.; trap 'printf %s "$FAILURE" >failure' EXIT\n`;
    const result = spawnSync("bash", ["-c", `${prelude}${script}\nexit 0`], { cwd: directory, encoding: "utf8" });
    const failure = spawnSync("cat", ["failure"], { cwd: directory, encoding: "utf8" }).stdout;
    if (result.stderr !== "") {
      throw new Error(`bash said: ${result.stderr}`);
    }
    return { code: result.status ?? -1, stdout: result.stdout, failure };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
