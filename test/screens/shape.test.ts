// What is compared of two screens: words, lines and columns, and nothing that was measured.
import { expect, test } from "vitest";
import { difference, strange } from "./shape";
import { onScreen } from "./terminal";

const list = (...rows: string[]): string =>
  ["BACKUP            AGE    SIZE    COVERS (UTC)               WHERE    STATE", ...rows].join("\n");
const row = "20261130T174808Z  0 min  170 kB  11-29 20:00 … 11-30 17:48  local       complete";
const later = "20270101T000000Z  2 h    1.5 GB  12-01 00:00 … 01-01 00:00  local       complete";

test.each([
  ["values and widths", list(row), list(later)],
  ["the number of rows", list(row), list(row, later, later)],
  ["ULIDs and sizes of blocks", "  01M8PS46T3SZFQ54PCFNEE1T5X  42 kB", "  01M8PS46YEPYZX11RGWTJGRMCC  1.2 MB"],
  ["numbers of samples", "6 blocks, 286 kB, 62.1 k samples", "17 blocks, 1.2 GB, 3 samples"],
  ["ages", "the last good backup is 1 s old", "the last good backup is 3 min old"],
  [
    "where a line is folded",
    "✔ 5 of 5 blocks, 31.1 k samples as the manifest says; restored, and it is ready in 0.7 s",
    "✔ 5 of 5 blocks, 31.1 k samples as the manifest says; restored, and it is ready\n    in 12.7 s",
  ],
  [
    "names of snapshots",
    "snapshot name=20261130T174834Z-1369fbb49f6e63cb seconds=0",
    "snapshot name=20261130T174834Z-0000000000000000 seconds=12",
  ],
])("%s may differ", (_what, shown, real) => {
  expect(difference(shown, real)).toBeUndefined();
});

test.each([
  [
    "a word",
    row,
    row.replace("complete", "damaged"),
    `line 1: there is \`${row}\`, and on the screen \`${row.replace("complete", "damaged")}\``,
  ],
  [
    "a word within a number's sentence",
    "2 backups stay",
    "2 backups go",
    "line 1: there is `2 backups stay`, and on the screen `2 backups go`",
  ],
  ["what is measured", "needs 3 s", "needs 3 kB", "line 1: there is `needs 3 s`, and on the screen `needs 3 kB`"],
  ["a sign", "✔ all", "✘ all", "line 1: there is `✔ all`, and on the screen `✘ all`"],
  ["a column that is gone", list(row), list(row).replaceAll(/ {2}(local|WHERE) +/g, "  "), /^line 1: /],
  [
    "a row that is not alike",
    list(row),
    list(row, row.replace("local", "offsite")),
    "line 3: there is nothing, and on the screen `",
  ],
  ["a line that is missing", "one\ntwo\nthree", "one\nthree", "line 2: there is `two`, and on the screen `three`"],
  ["an indentation", "  a", " a", /^line 1: /],
])("%s may not", (_what, shown, real, words) => {
  const found = difference(shown, real) ?? "";
  expect(typeof words === "string" ? found.startsWith(words) || found : words.test(found)).toBe(true);
});

test("lines of work that is done side by side may change places, and only these", () => {
  const [one, other] = ["12:00 stored a\nerror: b", "error: b\n12:01 stored a"];
  expect(difference(one, other, true)).toBeUndefined();
  expect(difference(one, other)).toContain("line 1: ");
  expect(difference(one, other.replace("error: b", "error: c"), true)).toBe(
    "line 2: there is `error: b`, and on the screen `error: c`",
  );
});

test("an excerpt has lines of the screen, of whatever host and time", () => {
  const screen = "prom-1 (test): PROTECTED\n  last run   1 s ago\n2026-11-30T17:52:52Z start user=prometheus";
  expect(
    strange(["prom-demo (test): PROTECTED", "...", "  last run   3 d ago", "… start user=prometheus"], screen),
  ).toBeUndefined();
  expect(strange(["prom-a (test): PROTECTED", "  last run   never"], screen)).toBe("  last run   never");
  expect(strange(["… start user=root"], screen)).toBe("… start user=root");
});

test("a terminal shows what is left of moving lines", () => {
  expect(
    onScreen(
      "\r\n\r\u001b[Kchecking 1 of 2\r\u001b[Kchecking 2 of 2" +
        "\r\u001b[K\u001b[32m✔\u001b[0m done  \r\nlonger\rshort\r\n",
    ),
  ).toBe("✔ done\nshortr");
});
