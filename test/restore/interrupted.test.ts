// Ctrl-C says what it left, for each phase; an answer is an answer.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, expect, test } from "vitest";
import { hostCommands } from "../../components/host/command/commands";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const BACKUP = "20260102T020000Z";
const STAGING = path.join(shell.directory, "stage");
fs.mkdirSync(STAGING);
fs.writeFileSync(path.join(STAGING, "digest"), "d\n");
const GO_ON = `What was fetched is kept in ${STAGING}: the same command again goes on from there; without it: rm -rf '${STAGING}'`;

/** What a command says that is ended by a signal in that state. */
function interrupted(state: string, signal = "INT"): { code: number | null; stderr: string } {
  const { code, stderr } = shell.run(
    `STATE_DIR="$PWD" REPOSITORY_NAMES=(local offsite) B_ULID=(A B C) BACKUP=${BACKUP}\n${state}\nkill -${signal} $$; sleep 9`,
  );
  return { code, stderr };
}

test.each([
  [
    "run, before anything is stored",
    "COMMAND=run",
    "No backup was recorded, the last one is untouched; what was sent stays, and the next run goes on from there: prometheus-backup.sh run",
  ],
  [
    "run, between two repositories",
    'COMMAND=run; echo x >"$SCRATCH/summary.local"',
    `Backup ${BACKUP} is complete in local. In offsite it was not recorded, and the last one there is untouched; what was sent stays for the next run: prometheus-backup.sh run`,
  ],
  [
    "run, in retention",
    'COMMAND=run; echo x >"$SCRATCH/summary.local"; echo x >"$SCRATCH/summary.offsite"',
    `Backup ${BACKUP} is complete in local, offsite; only what comes after it (retention, the catalog) was cut off, and the next run does it.`,
  ],
  [
    "restore, at its question",
    'COMMAND=restore RESTORE_MODE=full STAGING="$PWD/none"',
    "The data of the server are as they were. Nothing was fetched.",
  ],
  [
    "restore, in the download",
    'COMMAND=restore RESTORE_MODE=full STAGING="$PWD/stage"',
    `The data of the server are as they were. ${GO_ON}`,
  ],
  [
    "restore, when it was not undone",
    "COMMAND=restore RESTORE_MODE=full PHASE=starting",
    "The restore is not undone yet (above); the next prometheus-backup.sh command as root tries it again.",
  ],
  [
    "restore, after the switch",
    "COMMAND=restore RESTORE_MODE=full RESTORED=true KEPT_ASIDE=/data.before",
    "The restore is complete, and the server runs on the restored data; those from before are in /data.before.",
  ],
  [
    "restore to a target",
    'COMMAND=restore RESTORE_MODE=target STAGING="$PWD/stage"',
    `No server was touched. ${GO_ON}`,
  ],
  [
    "merge, half way",
    "COMMAND=restore RESTORE_MODE=merge MOVED_IN=2",
    "2 of 3 blocks are in the running server, which finds them within a minute; the same command again brings the rest.",
  ],
  ["heal", 'COMMAND=heal STAGING="$PWD/none"', "No block of the server was changed. Nothing was fetched."],
  ["prune, at its question", "COMMAND=prune", "Nothing was removed."],
  [
    "prune, at work",
    'COMMAND=prune; : >"$SCRATCH/going"',
    "Part of what was to go is gone; every backup that is still listed has all its objects, and the next prune removes the rest.",
  ],
  ["verify", "COMMAND=verify", "What was being read counts as not verified; nothing was changed."],
  ["list", "COMMAND=list", "Nothing was changed."],
  ["show", "COMMAND=show", "Nothing was changed."],
  ["status", "COMMAND=status", "Nothing was changed."],
  [
    "check",
    "COMMAND=check",
    "Nothing was changed; a repository may hold a probe of a few bytes, which a run removes in some days.",
  ],
  ["pin", "COMMAND=pin", "Only what is named above was done; the same command again does the rest."],
  ["unpin", "COMMAND=unpin", "Only what is named above was done; the same command again does the rest."],
  ["companions", "COMMAND=companions", "No file in force was touched."],
  ["browse", "COMMAND=browse", "The restored copy was removed, and no server was touched."],
  ["any command, before it began", "COMMAND=verify SCRATCH=", "Nothing was done."],
])("%s", (_, state, words) => {
  expect(interrupted(state)).toEqual({ code: 130, stderr: `prometheus-backup: interrupted. ${words}\n` });
});

test("every command that people type and that takes any time has words of its own", () => {
  const others = ["explain", "hold"];
  const asked = hostCommands.map(({ name }) => name).filter(name => !others.includes(name));
  const wordless = 'for name; do declare -F "left_by_${name//-/_}" >/dev/null || echo "$name"; done';
  expect([asked.length > 10, shell.print(wordless, ...asked)]).toEqual([true, ""]);
});

test("TERM and a hang-up say it too, an end of its own does not", () => {
  const words = "prometheus-backup: interrupted. Nothing was removed.\n";
  expect(interrupted("COMMAND=prune", "TERM")).toEqual({ code: 143, stderr: words });
  expect(interrupted("COMMAND=prune", "HUP")).toEqual({ code: 129, stderr: words });
  expect(shell.run("COMMAND=prune; exit 12")).toMatchObject({ code: 12, stderr: "" });
});

test("a second one, just as the first is being answered, keeps nothing from being taken back", () => {
  // Each call of trap is a moment at which it could come.
  const again = `
    hook() { kill -INT $$; echo "taken back after $1"; }
    CLEANUP_HOOKS=(hook) COMMAND=prune
    trap() { builtin trap "$@"; kill -INT $$; }
    kill -INT $$; sleep 9`;
  const words = "prometheus-backup: interrupted. Nothing was removed.\n";
  expect(shell.run(again)).toEqual({ code: 130, stdout: "taken back after 130\n", stderr: words });
});

/** The end of a plan, with what is typed at its question. */
const typed = (answers: string) =>
  shell.run(
    `can_ask() { true; }; COMMAND=restore PLAN_ONLY=false ASSUME_YES=false; stop_after_plan "Go on?" <<<"$1"; echo went on`,
    answers,
  );

test("yes goes on, no is no error, and what is neither is asked once more", () => {
  const question = "Go on? Type yes or no: ";
  expect(typed("yes")).toEqual({ code: 0, stdout: "went on\n", stderr: question });
  expect(typed("no")).toEqual({ code: 0, stdout: "", stderr: `${question}Nothing was done.\n` });
  expect(typed("y\nyes")).toEqual({
    code: 0,
    stdout: "went on\n",
    stderr: `${question}'y' is neither yes nor no. ${question}`,
  });
  expect(typed("y\ny")).toEqual({
    code: 0,
    stdout: "",
    stderr: `${question}'y' is neither yes nor no. ${question}Nothing was done.\n`,
  });
});

test("without anybody to ask, nothing is done, and that is an error", () => {
  const { code, stdout, stderr } = shell.run(
    'COMMAND=restore PLAN_ONLY=false ASSUME_YES=false; stop_after_plan "Go on?" </dev/null; echo went on',
  );
  expect([code, stdout, stderr]).toEqual([
    12,
    "",
    "prometheus-backup: error: there is no terminal to ask on; pass --yes to go on without the question; nothing was done\n",
  ]);
});
