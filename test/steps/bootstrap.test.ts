import { expect, test } from "vitest";
import { callStep } from "./bash";

/** The step with these settings and a host command that says `words` and ends with `code`. */
function bootstrap(settings: Record<string, string>, code = 0, words = "done") {
  const lines = Object.entries(settings)
    .map(([key, value]) => `SETTINGS[${key}]='${value}'`)
    .join("\n");
  const command = `#!/bin/bash\nprintf '%s\\n' "$*"\necho "${words}" >&2\nexit ${code}\n`;
  return callStep("bootstrap", `chmod +x command\n${lines}\nstep_install`, { command });
}

process.env.STEP_HOST_COMMAND = "./command";

test("the host command is told whose backup, and what it says is the report", () => {
  expect(bootstrap({ HOST: "prom-old", BACKUP: "latest" })).toEqual({
    code: 0,
    stdout: "bootstrap latest --host prom-old\n",
    failure: "",
  });
  expect(bootstrap({ HOST: "a", BACKUP: "20261122T020000Z", REPOSITORY: "offsite" }).stdout).toBe(
    "bootstrap 20261122T020000Z --host a --repository offsite\n",
  );
});

test("what the restore warns about is in the report, and where it keeps what the server had", () => {
  const words =
    "Restore of backup x\nprometheus-backup: warning: look at this\nThe data from before are in /d.before-x.";
  expect(bootstrap({ HOST: "a", BACKUP: "latest" }, 0, words).stdout).toBe(
    "bootstrap latest --host a\nwarning: look at this\nThe data from before are in /d.before-x.\n",
  );
});

test("a restore that fails ends the step with its code", () => {
  expect(bootstrap({ HOST: "a", BACKUP: "latest" }, 8)).toEqual({
    code: 8,
    stdout: "",
    failure:
      "this host could not be restored from backup latest of a (above); its data are as before. Mend that and run `pulumi up` again",
  });
});

test.each<Record<string, string>>([
  { HOST: "a;reboot", BACKUP: "latest" },
  { HOST: "a", BACKUP: "--help" },
  { HOST: "a", BACKUP: "latest", REPOSITORY: "../x" },
])("%o is refused", settings => {
  expect(bootstrap(settings).code).toBe(3);
});
