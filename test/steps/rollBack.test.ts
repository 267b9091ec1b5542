// What a failing step says of the host: its way back runs in an exit trap, where a `return` without a number gives an old status.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { renderStepProgram } from "../../components/render/scripts";

/** What a step says that fails after its first change, before the server was told of anything. */
function failing(step: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-step-"));
  try {
    writeFileSync(path.join(directory, "program.sh"), renderStepProgram(step));
    const script = `source ./program.sh; set -Eeuo pipefail; trap on_error ERR; trap finish EXIT
      [[ -v UNIT ]] || UNIT=x.service; WORK="$(mktemp -d)" ACTION=install CHANGING=true; die 3 'something is wrong'`;
    const { status, stderr } = spawnSync("bash", ["-c", script], { cwd: directory, encoding: "utf8", env: { ...process.env, STEP_LIBRARY: directory } });
    expect(status).toBe(3);
    return stderr;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each(["alert-rules", "remote-write", "admin-api", "textfile-directory", "credentials", "backup-job"])("%s: the host is as it was, and the step says so", step => {
  expect(failing(step)).toBe("prometheus-backup: error: something is wrong. The host is as it was before.\n");
});
