// The removal of the backup job from a host where a restore was cut off, or a run is at work.
import { expect, test } from "vitest";
import { callStep } from "./bash";

process.env.STEP_HOST_COMMAND = "./command";
process.env.STEP_STATE_DIRECTORY = "./state";
process.env.STEP_UNITS_DIRECTORY = "./units";

/**
 * The start of the removal, with a guard of this host's restore and a stranger's; `journal`: a restore is half done,
 * and the command ends with `code`.
 */
const endRestore = (journal: boolean, code = 0) =>
  callStep(
    "backup-job",
    `systemctl() { printf 'systemctl %s\\n' "$*"; }
    chmod +x command; mkdir -p state-restore/switch units/a.service.d units/b.service.d
    ${journal ? "touch state-restore/switch/journal" : ":"}
    printf 'ExecStartPre=+/p recover --before-start ./state-restore/switch/journal\\n' >units/a.service.d/90-prometheus-backup-restore.conf
    printf 'ExecStartPre=+/p recover --before-start /elsewhere\\n' >units/b.service.d/90-prometheus-backup-restore.conf
    end_restore; find units -type f; cat calls 2>/dev/null || true`,
    { command: `#!/bin/bash\nprintf '%s\\n' "$*" >calls\nexit ${code}\n` },
  );
const foreign = "units/b.service.d/90-prometheus-backup-restore.conf";

test("the guard that a restore left goes before the command that it calls", () => {
  expect(endRestore(false)).toEqual({ code: 0, stdout: `systemctl daemon-reload\n${foreign}\n`, failure: "" });
});

test("a restore that was cut off is taken back first", () => {
  expect(endRestore(true)).toEqual({
    code: 0,
    stdout: `systemctl daemon-reload\n${foreign}\nrecover --serve ./state-restore/switch/journal\n`,
    failure: "",
  });
});

test("one that cannot be taken back keeps its guard, and nothing is removed", () => {
  expect(endRestore(true, 1)).toEqual({
    code: 12,
    stdout: "",
    failure:
      "a restore on this host was cut off and cannot be taken back; nothing was removed. Mend what is said above, or remove ./state-restore/switch/journal if the data are right",
  });
});

test("a run that is at work is waited for, and no other one begins meanwhile", () => {
  const remove = (seconds: number, patience: number) =>
    callStep(
      "backup-job",
      `RUN_PATIENCE_SECONDS=${patience}; as_user() { shift; "$@"; }; take_back() { printf 'without %s\\n' "$1"; }; OTHER_TIMERS=()
    mkdir state; printf 'pid 7, run since 02:00:00 UTC\\033[2J\\n' >state/lock
    exec {held}<state/lock; flock "$held"; sleep ${seconds} >/dev/null 2>&1 & exec {held}<&-
    await_run`,
    );
  expect(remove(0.2, 60)).toEqual({ code: 0, stdout: "without /etc/cron.d/prometheus-backup\n", failure: "" });
  expect(remove(5, 1)).toMatchObject({
    code: 12,
    failure: expect.stringMatching(
      /^a run is at work on this host \(pid 7, run since 02:00:00 UTC\[2J\) and has not ended for 1 s\. /,
    ) as string,
  });
});

test("a lock of a user who is gone, and one that is no file, keep nothing from being removed", () => {
  const remove = (lock: string, more = "") =>
    callStep("backup-job", `take_back() { :; }; OTHER_TIMERS=(); mkdir state; ${lock} state/lock; ${more}; await_run`);
  expect(remove("touch", "stat() { echo UNKNOWN; }")).toMatchObject({ code: 0, failure: "" });
  expect(remove("ln -s /nowhere", 'as_user() { shift; "$@"; }')).toMatchObject({ code: 0, failure: "" });
});
