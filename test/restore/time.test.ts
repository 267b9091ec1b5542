// Times, durations and sizes as people and Prometheus write them.
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
])("%s is a time", (text, milliseconds) => {
  expect(shell.print('milliseconds_at "$1"', text)).toBe(String(milliseconds));
});

test.each([["2h ago", 7200], ["30 min ago", 1800], ["1 day ago", 86400], ["3w ago", 1814400], ["now", 0]])("%s counts from now", (text, seconds) => {
  const found = Number(shell.print('milliseconds_at "$1"', text));
  expect(Math.abs(Date.now() - seconds * 1000 - found)).toBeLessThan(10_000);
});

test.each(["", "yesterday", "2026-13-01", "tomorrow noon", "$(touch x)", "2h", "-1h ago", "2026-11-22T02:00:00Z; id", "@0", "2026-11-22T25:00Z"])(
  "%j is refused", text => {
    const { code, stdout } = shell.run('milliseconds_at "$1" || exit 42', text);
    expect({ code, stdout }).toEqual({ code: 42, stdout: "" });
  });

test.each([["15d", 1296000000], ["1y2w", 32745600000], ["1h30m", 5400000], ["90s", 90000], ["500ms", 500], ["0s", 0], ["", 0], ["15 days", 0], ["15d or 10GB", 0]])(
  "retention %j is %i ms", (text, milliseconds) => {
    expect(shell.print('milliseconds_of "$1"', text)).toBe(String(milliseconds));
  });

test.each([["512MB", 536870912], ["1GiB", 1073741824], ["10GB", 10737418240], ["100B", 100], ["0B", 0], ["15d", 0], ["", 0]])("size %j is %i bytes", (text, bytes) => {
  expect(shell.print('bytes_of "$1"', text)).toBe(String(bytes));
});
