// What heal sees in a block, and its way back when it is cut off: functions on directories of the test.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const A = "01M7VW2GC07R5ZX6V25SJJYA65";
const B = "01M7W2Y7M0S3ESKNNRGV1RQGG3";
/** Magic number, version, no deletions, checksum: what Prometheus writes into every block. */
const NO_DELETIONS = Buffer.from("0130ba300100000000", "hex");

const put = (name: string, content: string | Buffer = "x") => {
  fs.mkdirSync(path.join(shell.directory, path.dirname(name)), { recursive: true });
  fs.writeFileSync(path.join(shell.directory, name), content);
};
const putBlock = (directory: string, ulid: string, origin: string) => {
  put(`${directory}/${ulid}/meta.json`, JSON.stringify({ ulid, minTime: 0, maxTime: 7_200_000, stats: { numSamples: 1 } }));
  put(`${directory}/${ulid}/index`, origin);
  put(`${directory}/${ulid}/chunks/000001`, origin);
  put(`${directory}/${ulid}/tombstones`, NO_DELETIONS);
};

beforeEach(() => {
  for (const name of ["data", "stage", "state"]) {
    fs.rmSync(path.join(shell.directory, name), { recursive: true, force: true });
  }
  putBlock("data", A, "damaged");
  putBlock("data", B, "sound");
  fs.mkdirSync(path.join(shell.directory, "state"));
});

const FACTS = 'DATA_DIRECTORY="$PWD/data" STAGING="$PWD/stage" STATE_DIR="$PWD/state" PROMETHEUS_UNIT=none.service; ';
const UNREADABLE: [string, Buffer][] = [["empty", Buffer.alloc(0)], ["full of zeros", Buffer.alloc(9)], ["cut off", NO_DELETIONS.subarray(0, 8)], ["of another version", Buffer.from("0130ba300200000000", "hex")]];

test.each(UNREADABLE)("tombstones that are %s are damage, and are not carried over the good ones", (_, content) => {
  put(`data/${A}/tombstones`, content);
  expect(shell.print(`${FACTS} CHECKED=0 UNKNOWN=0; echo '{}' >"$SCRATCH/stored.json"; examine_block ${A} || printf '%s' "$WOUND"`)).toBe("its tombstones are not readable, so the server does not start");
  putBlock("stage", A, "whole");
  shell.print(`${FACTS} B_ULID=(${A}); keep_own_marks`);
  expect(fs.readFileSync(path.join(shell.directory, `stage/${A}/tombstones`))).toEqual(NO_DELETIONS);
});

test("a block without tombstones is sound; deletions of its own are kept when it comes back", () => {
  const deletions = Buffer.concat([NO_DELETIONS.subarray(0, 5), Buffer.from("01000000000000", "hex")]);
  fs.rmSync(path.join(shell.directory, `data/${B}/tombstones`));
  put(`data/${A}/tombstones`, deletions);
  expect(shell.print(`${FACTS} CHECKED=0 UNKNOWN=0; echo '{}' >"$SCRATCH/stored.json"; for block in ${A} ${B}; do examine_block $block || printf '%s' "$WOUND"; done`)).toBe("");
  putBlock("stage", A, "whole");
  shell.print(`${FACTS} B_ULID=(${A}); keep_own_marks`);
  expect(fs.readFileSync(path.join(shell.directory, `stage/${A}/tombstones`))).toEqual(deletions);
});
