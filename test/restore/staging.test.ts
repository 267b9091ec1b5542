// What earlier tries have left: kept until the person has said yes, gone after that, and counted as space that comes free.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const BACKUP = "20260102T020000Z";
const OTHER = "20260101T020000Z";
const at = (name: string) => path.join(shell.directory, name);
const left = () => fs.readdirSync(shell.directory).filter(name => name.startsWith("data.")).concat(fs.readdirSync(at("data")).map(name => `data/${name}`)).sort();

beforeEach(() => {
  for (const name of fs.readdirSync(shell.directory).filter(name => name.startsWith("data"))) {
    fs.rmSync(at(name), { recursive: true });
  }
  for (const name of [`data.restore-${OTHER}`, `data.restore-${BACKUP}`, "data.restore-mine", `data/restore-${OTHER}`]) {
    fs.mkdirSync(at(name), { recursive: true });
    fs.writeFileSync(at(`${name}/part`), Buffer.alloc(5_000_000));
  }
});

/** A full restore up to its download. */
const restore = (question: string) =>
  shell.run(
    `BACKUP=${BACKUP} RESTORE_MODE=full PLAN_ONLY=false DATA_DIRECTORY="$PWD/data" UNIT_KNOWN=false
    read_server_facts() { :; }; require_stoppable() { :; }; mount_of() { printf same; }; plan_full() { :; }
    stop_after_plan() { ${question}; }; fetch_selected() { exit 0; }; restore_full`,
  ).code;

test("a restore that is not confirmed leaves the download of another backup", () => {
  const before = left();
  expect(restore('die 12 "not confirmed" "nothing was done"')).toBe(12);
  expect(left()).toEqual(before);
});

test("a restore that is confirmed removes it, and nothing else", () => {
  expect(restore(":")).toBe(0);
  expect(left()).toEqual([`data.restore-${BACKUP}`, "data.restore-mine", `data/restore-${OTHER}`]);
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
