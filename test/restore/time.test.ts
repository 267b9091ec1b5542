// Times, durations and sizes as people and Prometheus write them.
import { execFileSync } from "node:child_process";
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

test.each([
  ["2026-11-22T02:00:00Z", 1795312800000],
  ["2026-11-22T02:00:00.250Z", 1795312800250],
  ["2026-11-22T03:00:00+01:00", 1795312800000],
  ["2026-11-22 02:00", 1795312800000],
  ["2026-11-22", 1795305600000],
  ["2026-11-22 03:00 Europe/Berlin", 1795312800000],
  ["2026-07-22 04:00 Europe/Berlin", 1784685600000],
  ["2026-11-22 03:00 CET", 1795312800000],
  ["2026-11-22 03:00 +0100", 1795312800000],
  ["20261122T020000Z", 1795312800000],
  ["@1795312800", 1795312800000],
])("%s is a time", (text, milliseconds) => {
  expect(shell.print('milliseconds_at "$1"', text)).toBe(String(milliseconds));
});

test.each([
  ["2h ago", 7200],
  ["30 min ago", 1800],
  ["1 day ago", 86400],
  ["3w ago", 1814400],
  ["now", 0],
  ["2h", 7200],
  ["30m", 1800],
  ["3 days", 259200],
  ["90s", 90],
  ["yesterday", 86400],
])("%s counts from now", (text, seconds) => {
  const before = Date.now();
  const asked = Number(shell.print('milliseconds_at "$1"', text)) + seconds * 1000;
  // What counts whole seconds may be one back.
  expect(asked).toBeGreaterThan(before - 1000);
  expect(asked).toBeLessThanOrEqual(Date.now());
});

test.each(["12:00", "yesterday 12:00", "last monday"])("%s is what date makes of it", text => {
  const found = Number(shell.print('milliseconds_at "$1"', text));
  const wanted = execFileSync("date", ["--date", text, "+%s"], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC" },
  });
  expect(found).toBe(Number(wanted) * 1000);
});

test.each([
  "",
  "2026-13-01",
  "tomorrow noon",
  "$(touch x)",
  "-1h ago",
  "2026-11-22T02:00:00Z; id",
  "2026-11-22T25:00Z",
  "5",
  "2026",
  "12:00 a",
  'TZ="Europe/Paris" 12:00',
  "12:00 Europe/../../../etc/passwd",
  "2026-03-29 02:30 Europe/Berlin",
  "12:00 Europe/Nowhere",
  "12:00\n13:00",
  "--help",
  "--set=12:00",
])("%j is refused", text => {
  const { code, stdout } = shell.run('milliseconds_at "$1" || exit 42', text);
  expect({ code, stdout }).toEqual({ code: 42, stdout: "" });
});

test("a range is repeated in UTC, with what was typed where that is something else", () => {
  const range = (words: string): string =>
    shell.print(`read_options restore latest ${words}; read_range; printf '%s|' "$PARTIAL"; range_text`);
  expect(range("--from '2026-11-22 03:00 Europe/Berlin' --to '2026-11-22 04:00'")).toBe(
    "true|2026-11-22 02:00:00 UTC (2026-11-22 03:00 Europe/Berlin) … 2026-11-22 04:00:00 UTC",
  );
  expect(range("--to 2026-11-22")).toBe("true|the beginning … 2026-11-22 00:00:00 UTC");
  expect(shell.run("read_options restore latest --from 2h --to 6h; read_range")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--from must be before --to, and 20") as string,
  });
});

test.each([
  ["15d", 1296000000],
  ["1y2w", 32745600000],
  ["1h30m", 5400000],
  ["90s", 90000],
  ["500ms", 500],
  ["0s", 0],
  ["", 0],
  ["15 days", 0],
  ["15d or 10GB", 0],
])("retention %j is %i ms", (text, milliseconds) => {
  expect(shell.print('milliseconds_of "$1"', text)).toBe(String(milliseconds));
});

test.each([
  ["512MB", 536870912],
  ["1GiB", 1073741824],
  ["10GB", 10737418240],
  ["100B", 100],
  ["0B", 0],
  ["15d", 0],
  ["", 0],
])("size %j is %i bytes", (text, bytes) => {
  expect(shell.print('bytes_of "$1"', text)).toBe(String(bytes));
});
