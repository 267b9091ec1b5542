// A systemd timer elapses when cron would run: by systemd's own word, and by cron-parser's.
import { spawnSync } from "node:child_process";
import { CronExpressionParser } from "cron-parser";
import { expect, test } from "vitest";
import { calendarLines } from "../../components/fields/calendar";

const START = "2026-02-20T12:34:56Z";
const COUNT = 50;

/** The next times of an expression of systemd, in seconds since 1970. */
function ofSystemd(lines: string[]): number[] {
  const options = [`--base-time=@${Date.parse(START) / 1000}`, `--iterations=${COUNT}`];
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["calendar", ...options, ...lines], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const times = [...stdout.matchAll(/(?:Next elapse|Iter\. #\d+): \w+ (\S+) (\S+) UTC/g)];
  return [...new Set(times.map(([, day, time]) => Date.parse(`${day}T${time}Z`) / 1000))]
    .sort((a, b) => a - b)
    .slice(0, COUNT);
}

function ofCron(line: string, tz: string): number[] {
  const times = CronExpressionParser.parse(line, { currentDate: START, tz });
  // systemd counts no years after 2199.
  return Array.from({ length: COUNT }, () => times.next().getTime() / 1000).filter(
    time => time < Date.UTC(2200, 0, 1) / 1000,
  );
}

test.each([
  "0 2 * * *",
  "*/15 * * * *",
  "17 */6 * * *",
  "0 0 1 1 *",
  "30 3 * * 1-5",
  "0 4 * * 7",
  "0 4 * * 0,6",
  "5 1-5/2 * * *",
  "0 2 1,15 * *",
  "0 2 29 2 *",
  "0 2 31 * *",
  "0 2 1-7 * 1",
  "0 2 13 * 5",
  "0 2 1 JAN,Jul mon",
  "59 23 28-31 2,3 *",
  "7,37 8-18 * * 1-5",
  "0 0 1 */3 *",
  "* * * * *",
  "@daily",
  "@weekly",
  "@monthly",
  "0 12 1 * sun",
])("%s", line => {
  const named =
    line === "@daily" ? "0 0 * * *" : line === "@weekly" ? "0 0 * * 0" : line === "@monthly" ? "0 0 1 * *" : line;
  expect(ofSystemd(calendarLines(line, "UTC"))).toEqual(ofCron(named, "UTC"));
});

test.each([
  ["0 4 * * *", "Europe/Berlin"],
  ["30 1 * * 0", "Europe/Berlin"],
  ["17 * * * *", "Europe/Berlin"],
  ["0 2 * * 1-6", "Europe/Berlin"],
  ["0 2 * * *", "Asia/Kolkata"],
  ["45 23 * * *", "America/New_York"],
  ["*/20 * * * *", "America/New_York"],
  ["0 2 13 * 5", "Asia/Tokyo"],
])("%s in %s, over the changes of its clock", (line, zone) => {
  expect(ofSystemd(calendarLines(line, zone))).toEqual(ofCron(line, zone));
});

test("a day must match both fields where one of them begins with a star, as Debian's cron has it", () => {
  expect(calendarLines("0 2 */10 * 1", "UTC")).toEqual(["Mon *-*-01,11,21,31 02:00:00 UTC"]);
  expect(calendarLines("0 2 1-7 * */2", "UTC")).toEqual(["Sun,Tue,Thu,Sat *-*-01,02,03,04,05,06,07 02:00:00 UTC"]);
  expect(calendarLines("0 2 1-7 * 1", "UTC")).toHaveLength(2);
});

test.each([
  [
    "0 2 * * *",
    "Europe/Berlin",
    "runs at 02:00, which does not exist in Europe/Berlin when clocks go forward (2024-03-31)",
  ],
  ["*/15 0-12 * * *", "America/New_York", "runs at 02:00, which does not exist in America/New_York"],
  ["0 * * * *", "Australia/Lord_Howe", "runs at 02:00, which does not exist in Australia/Lord_Howe"],
])("%s in %s is refused: a timer would leave a day out", (line, zone, words) => {
  expect(() => calendarLines(line, zone)).toThrow(words);
});
