// What the plan says of many small blocks.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

/** The plan's words on the start for so many blocks of two hours and one of eighteen. */
function planned(small: number): string {
  return shell.run(`B_ULID=() B_MIN=(0) B_MAX=(64800000)
    for (( n = 0; n < ${small}; n++ )); do B_MIN+=($(( 64800000 + n * 7200000 ))) B_MAX+=($(( 72000000 + n * 7200000 ))); done
    B_ULID=("\${B_MIN[@]}"); plan_start`).stderr;
}

test("a thousand two-hour blocks: the plan says what the start and the merging after it cost", () => {
  expect(planned(1080)).toBe(
    "  start      1080 of 1081 blocks are of two hours: the server takes longer to open them (about 3 s),\n" +
      "             then merges them, with one busy CPU and up to a tenth of the space more until that is done\n",
  );
});

test("a server that has merged its blocks has a few of two hours, which is not worth a line", () => {
  expect(planned(99)).toBe("");
});
