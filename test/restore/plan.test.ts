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

test.each([
  ["0:2 2:4", "0 0  "],
  ["0:2 5:6", "0 1 7200000 18000000"],
  ["0:2 3:4 1:2 9:10", "0 2 14400000 32400000"],
])("the gaps of blocks at the hours %s", (hours, found) => {
  const blocks = hours.split(" ").map(pair => pair.split(":").map(hour => Number(hour) * 3_600_000));
  const numbers = (side: number) => blocks.map(block => block[side]).join(" ");
  expect(shell.run(`B_MIN=(${numbers(0)}) B_MAX=(${numbers(1)}); count_gaps`).stdout).toBe(`${found}\n`);
});

test("the plan says where the gap is, or the longest", () => {
  const text = (gaps: number) => shell.print(`gaps_text ${gaps} 1795312800000 1795320000000`);
  expect([text(0), text(1), text(2)]).toEqual([
    "no gaps",
    "1 gap: 2026-11-22 02:00 … 2026-11-22 04:00",
    "2 gaps, the longest: 2026-11-22 02:00 … 2026-11-22 04:00",
  ]);
});
