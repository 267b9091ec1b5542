// What earlier tries have left: kept until the person has said yes, gone after that, and counted as space that comes
// free.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const BACKUP = "20260102T020000Z";
const OTHER = "20260101T020000Z";
const at = (name: string) => path.join(shell.directory, name);
const left = () =>
  fs
    .readdirSync(shell.directory)
    .filter(name => name.startsWith("data."))
    .concat(fs.readdirSync(at("data")).map(name => `data/${name}`))
    .sort();

beforeEach(() => {
  for (const name of fs.readdirSync(shell.directory).filter(name => name.startsWith("data"))) {
    fs.rmSync(at(name), { recursive: true });
  }
  for (const name of [
    `data.restore-${OTHER}`,
    `data.restore-${BACKUP}`,
    "data.restore-mine",
    `data/restore-${OTHER}`,
  ]) {
    fs.mkdirSync(at(name), { recursive: true });
    fs.writeFileSync(at(`${name}/part`), Buffer.alloc(5_000_000));
  }
});

/** A full restore up to its download. */
const restore = (question: string, more = "") =>
  shell.run(
    `COMMAND=restore RESTORE_HOST=prom-1 BACKUP=${BACKUP} RESTORE_MODE=full PLAN_ONLY=false DATA_DIRECTORY="$PWD/data" UNIT_KNOWN=false
    read_server_facts() { :; }; require_stoppable() { :; }; mount_of() { printf same; }; plan_full() { :; }
    stop_after_plan() { ${question}; }; fetch_selected() { exit 0; }; ${more}
    restore_full`,
  ).code;

test("a restore that is not confirmed leaves the download of another backup", () => {
  const before = left();
  expect(restore('die 12 "not confirmed" "nothing was done"')).toBe(12);
  expect(left()).toEqual(before);
});

test("a restore that is confirmed removes it and what a merge has left, and nothing else", () => {
  expect(restore(":")).toBe(0);
  expect(left()).toEqual([`data.restore-${BACKUP}`, "data.restore-mine"]);
});

/** A merge for which nothing is to be done. */
const merge = (plan: boolean) =>
  shell.print(
    `BACKUP=${OTHER} RESTORE_MODE=merge PLAN_ONLY=${plan} DATA_DIRECTORY="$PWD/data" B_ULID=()
    read_server_facts() { :; }; require_live_server() { :; }; leave_out_held_blocks() { :; }; plan_merge() { :; }; restore_merge`,
  );

test("a merge with nothing to do removes what merges have left, also of its own backup, but a plan does not", () => {
  const before = left();
  merge(true);
  expect(left()).toEqual(before);
  merge(false);
  expect(left()).toEqual(before.filter(name => !name.startsWith("data/")));
});

test("a heal removes what merges have left of other backups, when it was confirmed", () => {
  const heal = (question: string) =>
    shell.run(
      `COMMAND=heal HOST_NAME=prom-1 RESTORE_HOST=prom-1 DATA_DIRECTORY="$PWD/data"; for name in require_restore_user open_root_state recover_interrupted open_state require_tools take_common_lock read_server_facts \
        require_no_others find_wounds plan_heal; do eval "$name() { :; }"; done
      resolve_backup() { BACKUP=${BACKUP} B_ULID=(a); }; stop_after_plan() { ${question}; }; fetch_selected() { exit 0; }; command_heal`,
    ).code;
  const before = left();
  expect([heal("exit 12"), left()]).toEqual([12, before]);
  expect([heal(":"), left()]).toEqual([0, before.filter(name => !name.startsWith("data/"))]);
});

test("what a killed drill or browse has left in its directory goes with the next one, and nothing else", () => {
  fs.rmSync(at("place"), { recursive: true, force: true });
  for (const name of [
    "prometheus-backup-drill.4194305",
    "prometheus-backup-browse.4194306",
    `prometheus-backup-drill.${process.pid}`,
    "prometheus-backup-drill.mine",
    "drill.2024",
  ]) {
    fs.mkdirSync(at(`place/${name}/01M7VW2GC07R5ZX6V25SJJYA65`), { recursive: true });
  }
  const chosen = shell
    .print('DRILL_DIRECTORY="$PWD/place"; choose_drill_place browse; printf "%s %s" "$$" "$DRILL_PLACE"')
    .split(" ");
  expect(chosen[1]).toBe(`${at("place")}/prometheus-backup-browse.${chosen[0]}`);
  expect(fs.readdirSync(at("place")).sort()).toEqual([
    "drill.2024",
    `prometheus-backup-drill.${process.pid}`,
    "prometheus-backup-drill.mine",
  ]);
});

test("the plan counts what then comes free", () => {
  const needed = (prefix: string) =>
    Number(
      shell.print(
        `RESTORE_MODE=merge PARTIAL=true REPOSITORY_TYPE=path BACKUP=${BACKUP} STAGING="$PWD/none" REFUSALS=() B_ULID=(a) B_BYTES=(9000000) M_WAL=""
        free_bytes() { printf 0; }; human_bytes() { printf '%d' "$1"; }; plan_space "$STAGING" ${prefix} 2>/dev/null; sed 's/.*needs //' <<<"\${REFUSALS[1]}"`,
      ),
    );
  const saved = needed("") - needed('"$PWD/data/restore-"');
  expect(saved).toBeGreaterThanOrEqual(5_000_000);
  expect(saved).toBeLessThan(5_100_000);
});

test("data that lie in the root directory have their staging there", () => {
  expect(
    restore(
      ":",
      'choose_staging() { STAGING="/prometheus-backup-none.restore-$BACKUP" ASIDE=/prometheus-backup-none.before; }; STAGE_OWNER=""',
    ),
  ).toBe(0);
});

test("where files have SELinux labels, what is staged gets that of the data directory, and a failure is told", () => {
  const call = (more: string) =>
    shell.run(`mkdir -p labels/data labels/stage/01A; DATA_DIRECTORY="$PWD/labels/data" STAGING="$PWD/labels/stage"
      staged_entries() { echo 01A; }; as_owner() { "$@"; }
      has_labels() { true; }; chcon() { printf '%s\n' "$*"; }
      ${more}
      own_staged`);
  const wanted = /^--recursive --reference=\S+\/labels\/data -- \S+\/labels\/stage\/01A\n$/;
  expect(call("")).toMatchObject({ code: 0, stderr: "", stdout: expect.stringMatching(wanted) as unknown });
  expect(call("has_labels() { false; }").stdout).toBe("");
  expect(call("RESTORE_MODE=target").stdout).toBe("");
  expect(call("chcon() { false; }")).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/ if the server cannot read them: restorecon -R \S+\/labels\/data\n$/) as unknown,
  });
});
