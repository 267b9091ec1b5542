// What a failing step says of the host: its way back runs in an exit trap, where a `return` without a number gives an
// old status.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { renderStepProgram } from "../../components/host/programs";

/**
 * What a step says that fails with `words` after its first change, before the server was told of anything, and after
 * `more`.
 */
function failing(step: string, words = "something is wrong", more = ":"): string {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-step-"));
  try {
    writeFileSync(path.join(directory, "program.sh"), renderStepProgram(step));
    const script = `source ./program.sh; set -Eeuo pipefail; trap on_error ERR; trap finish EXIT
      [[ -v UNIT ]] || UNIT=x.service; WORK="$(mktemp -d)" ACTION=install CHANGING=true; ${more}; die 3 "$WORDS"`;
    const { status, stderr } = spawnSync("bash", ["-c", script], {
      cwd: directory,
      encoding: "utf8",
      env: { ...process.env, TMPDIR: directory, STEP_LIBRARY: directory, WORDS: words },
    });
    expect(status).toBe(3);
    return stderr;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each(["alert-rules", "remote-write", "admin-api", "textfile-directory", "credentials", "backup-job"])(
  "%s: the host is as it was, and the step says so",
  step => {
    expect(failing(step)).toBe("prometheus-backup: error: something is wrong. The host is as it was before.\n");
  },
);

test("words that ask do not get a full stop behind the question mark", () => {
  expect(failing("credentials", "may it be read?")).toBe(
    "prometheus-backup: error: may it be read? The host is as it was before.\n",
  );
});

test.each([
  "it is bad; nothing was changed. Do this",
  "it is bad, nothing was changed. Do this",
  "it is bad. Nothing was changed. Do this",
  "it is bad. Do this",
])("a host that could not be put back is never called unchanged: %j", words => {
  const gone = 'UNDO_PATHS=("$WORK/no/such/place"); UNDO_COPIES=("$WORK")';
  expect(failing("credentials", words, gone)).toMatch(
    /^prometheus-backup: could not bring back .*\/no\/such\/place\nprometheus-backup: error: it is bad\. Do this\. Putting the host back did not fully work, see above\.\n$/,
  );
});

test.each(["alert-rules", "remote-write"])(
  "%s: what somebody else has written to prometheus.yml meanwhile stays, and is said",
  step => {
    const more =
      'CONFIG="$WORK/prometheus.yml" REAL_CONFIG="$WORK/prometheus.yml" CONFIG_WRITTEN=true; for name in config config.before prometheus.yml; do echo "$name" >"$WORK/$name"; done';
    expect(failing(step, "it is bad", more)).toMatch(
      /^prometheus-backup: somebody else has changed .*prometheus\.yml meanwhile, and that was left as it is\n.*Putting the host back did not fully work/,
    );
  },
);
