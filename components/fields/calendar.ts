import { DAYS, daysOf, Fields, mustMatchBoth, parse, ScheduleError, split } from "./schedule";

const DAY = 86_400;
const WEEK_DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** The values that a field allows, or `*` if it allows all. */
function component(values: readonly number[], count: number, width = 2): string {
  return values.length === count ? "*" : values.map(value => String(value).padStart(width, "0")).join(",");
}

interface Values {
  minute: number[];
  hour: number[];
  dayOfMonth: number[];
  month: number[];
  dayOfWeek: number[];
}

/** The values of each field in order; the week begins on Sunday, which is 0 and 7 to cron. */
function valuesOf({ minute, hour, dayOfMonth, month, dayOfWeek }: Fields): Values {
  const { fields } = parse([minute, hour, dayOfMonth, month, dayOfWeek].join(" "));
  const numbers = (values: readonly (number | string)[]): number[] =>
    [...new Set(values.map(Number))].sort((a, b) => a - b);
  return {
    minute: numbers(fields.minute.values),
    hour: numbers(fields.hour.values),
    dayOfMonth: numbers(fields.dayOfMonth.values),
    month: numbers(fields.month.values),
    dayOfWeek: numbers(fields.dayOfWeek.values.map(value => Number(value) % 7)),
  };
}

/** Seconds by which the local time of a zone is ahead of UTC. */
function offsetOf(timeZone: string): (seconds: number) => number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset", year: "numeric" });
  return seconds => {
    const parts = format.formatToParts(new Date(seconds * 1000));
    const name = parts.find(part => part.type === "timeZoneName")?.value ?? "GMT";
    const [, sign, hours, minutes] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
    return sign ? (sign === "-" ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60) : 0;
  };
}

/** A moment at which the clock of a zone is changed: seconds since 1970 in local time, before and after. */
interface ClockChange {
  from: number;
  to: number;
}

/** The changes of the clock in a zone, over the years that are looked at. */
function clockChanges(timeZone: string): ClockChange[] {
  const offset = offsetOf(timeZone);
  const quarter = 900;
  const days = Array.from({ length: DAYS.last - DAYS.first + 1 }, (_, index) => (DAYS.first + index) * DAY);
  const changed = days.filter(day => offset(day) !== offset(day + DAY));
  return changed.flatMap(day =>
    Array.from({ length: DAY / quarter }, (_, index) => day + index * quarter)
      .filter(time => offset(time) !== offset(time + quarter))
      .map(time => ({ from: time + quarter + offset(time), to: time + quarter + offset(time + quarter) })),
  );
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 16);
}

/**
 * Cron runs a job of a time that is left out as soon as the clock has changed; a timer waits for the next day that has
 * it.
 */
function refuseMissingTimes(line: Fields, { hour, minute }: Values, timeZone: string, changes: ClockChange[]): void {
  const days = new Set(daysOf(line));
  const times = hour.flatMap(h => minute.map(m => (h * 60 + m) * 60));
  for (const { from, to } of changes.filter(change => change.to > change.from)) {
    const day = Math.floor(from / DAY);
    const missing = times.find(time => day * DAY + time >= from && day * DAY + time < to);
    if (missing !== undefined && days.has(day)) {
      const date = new Date(day * DAY * 1000).toISOString().slice(0, 10);
      throw new ScheduleError(
        `runs at ${clock(missing)}, which does not exist in ${timeZone} when clocks go forward (${date}), and a ` +
          `systemd timer ` +
          `leaves that day out. Choose a time outside of ${clock(from)} to ${clock(to)}, or \`scheduler: cron\`.`,
      );
    }
  }
}

/**
 * When a systemd timer elapses that is to run what cron runs by this line, as values of `OnCalendar=`, in the given
 * zone. Where both day fields are restricted, cron runs on days that match either of them: two lines. A job of every
 * hour follows the running clock, so that it is in UTC where clocks change. Throws `ScheduleError` on what a timer
 * cannot do.
 */
export function calendarLines(schedule: string, timeZone: string): string[] {
  const line = split(schedule);
  const values = valuesOf(line);
  const { hour, dayOfMonth, month, dayOfWeek } = values;
  const everyHour = hour.length === 24 && dayOfMonth.length === 31 && month.length === 12 && dayOfWeek.length === 7;
  const changes = clockChanges(timeZone);
  const wholeHours =
    changes.every(({ from, to }) => (to - from) % 3600 === 0) && offsetOf(timeZone)(DAYS.first * DAY) % 3600 === 0;
  const inUtc = changes.length > 0 && everyHour && wholeHours;
  if (!inUtc) {
    refuseMissingTimes(line, values, timeZone, changes);
  }
  return expressions(line, values, ` ${inUtc ? "UTC" : timeZone}`);
}

/** What cron runs by this line, as systemd writes it, in the time zone of whoever reads it. */
export function localCalendar(schedule: string): string[] {
  const line = split(schedule);
  return expressions(line, valuesOf(line), "");
}

function expressions(line: Fields, { minute, hour, dayOfMonth, month, dayOfWeek }: Values, zone: string): string[] {
  const months = component(month, 12);
  const time = `${component(hour, 24)}:${component(minute, 60)}:00${zone}`;
  const weekly = dayOfWeek.length === 7 ? "" : `${dayOfWeek.map(day => WEEK_DAYS[day] ?? "").join(",")} `;
  const monthly = component(dayOfMonth, 31);
  if (weekly === "" || monthly === "*" || mustMatchBoth(line)) {
    return [`${weekly}*-${months}-${monthly} ${time}`];
  }
  return [`*-${months}-${monthly} ${time}`, `${weekly}*-${months}-* ${time}`];
}
