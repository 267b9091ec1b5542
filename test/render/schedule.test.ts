import { expect, test } from "vitest";
import { scheduleFacts, spreadSchedule, stableOffset } from "../../components/fields/schedule";

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  // The course's lines first: daily, six-hourly, at three, weekly.
  ["0 2 * * *", day],
  ["0 */6 * * *", 6 * hour],
  ["0 3 * * *", day],
  ["0 3 * * 0", 7 * day],
  ["@daily", day],
  ["@weekly", 7 * day],
  ["@hourly", hour],
  ["*/15 * * * *", 15 * minute],
  ["17 */2 * * *", 2 * hour],
  ["0 2,14 * * MON-FRI", 2 * day + 12 * hour],
  ["0 2 1 * *", 31 * day],
  ["0 2 31 * *", 61 * day],
  ["30 4 29 2 *", 1461 * day],
  ["0 2 13 * 5", 7 * day],
  ["0 22,3 * * *", 19 * hour],
  ["*/7 * * * *", 7 * minute],
  // `*/2` with a weekday: cron wants both, so it runs on odd days that are Mondays.
  ["0 2 */2 * 1", 21 * day],
  // Both begin with `*`: the days 1, 11, 21 and 31 that are Sundays, Wednesdays or Saturdays.
  ["0 2 */10 * */3", 92 * day],
])("the largest gap of %s is %i seconds where clocks do not change", (schedule, gap) => {
  expect(scheduleFacts(schedule, "UTC").largestGapSeconds).toBe(gap);
});

test.each([
  ["0 2 * * *", "Europe/Berlin", 25 * hour],
  ["0 2 * * *", "Asia/Tokyo", day],
  ["0 2 * * *", "Australia/Lord_Howe", day + 30 * minute],
  ["0 3 * * 0", "America/New_York", 7 * day + hour],
  ["*/15 * * * *", "Europe/Berlin", 15 * minute],
])("the gap of %s in %s counts the hour that clocks go back", (schedule, zone, gap) => {
  expect(scheduleFacts(schedule, zone).largestGapSeconds).toBe(gap);
});

const fields = /^must be a cron line of five fields/;
const form = /^uses a form that Debian's cron does not know/;
test.each([
  ["", fields],
  ["0 2 * *", fields],
  ["0 0 2 * * *", fields],
  ["@reboot", fields],
  ["@every 5m", fields],
  ["0 2 * * * root rm -rf /", fields],
  ["0 2 L * *", form],
  ["H 2 * * *", form],
  ["0 2 * * 1#1", form],
  ["5/10 * * * *", form],
  ["0 2 * * ?", form],
  ["0\n2 * * *", fields],
  ["0 2 * * $(id)", form],
  ["61 2 * * *", /^is not a schedule that cron can run \(constraint error, got value 61 expected range 0-59\)/],
  ["0 2 30 2 *", /^is not a schedule that cron can run \(invalid explicit day of month definition\)/],
])("%j is refused", (schedule, message) => {
  expect(() => scheduleFacts(schedule, "UTC")).toThrow(message);
});

test("a host moves by an offset that follows from its name alone", () => {
  expect(["prom-1", "prom-2", "prom-3"].map(name => stableOffset(name, 60))).toEqual([51, 16, 24]);
  expect(stableOffset("prom-1", 0)).toBe(0);
});

test.each([
  ["0 2 * * *", 0, "0 2 * * *"],
  ["0 2 * * *", 60, "51 2 * * *"],
  ["30 23 * * *", 60, "21 0 * * *"],
  ["17 */2 * * *", 60, "8 1,3,5,7,9,11,13,15,17,19,21,23 * * *"],
  ["0 3 * * 0", 60, "51 3 * * 0"],
  ["@daily", 60, "51 0 * * *"],
])("%s spread over %i minutes becomes %s", (schedule, spread, moved) => {
  expect(spreadSchedule(schedule, spread, "prom-1")).toBe(moved);
});

test("a moved line runs at the same distances", () => {
  for (const schedule of ["0 2 * * *", "0 */6 * * *", "30 23 * * *", "45 1,13 * * *"]) {
    const moved = spreadSchedule(schedule, 60, "prom-1");
    expect(scheduleFacts(moved, "UTC").largestGapSeconds).toBe(scheduleFacts(schedule, "UTC").largestGapSeconds);
  }
});

test.each([
  ["*/15 * * * *", 10, /^runs several times an hour/],
  ["0 * * * *", 90, /^runs more often than `spreadMinutes` is long/],
  ["30 23 * * 1", 60, /^would pass midnight/],
])("%s cannot be spread over %i minutes", (schedule, spread, message) => {
  expect(() => spreadSchedule(schedule, spread, "prom-1")).toThrow(message);
});
