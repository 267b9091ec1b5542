import { CronExpressionParser } from "cron-parser";
import { createHash } from "crypto";

const DAY = 86_400;

/** What a schedule means for everything that is derived from it. */
export interface ScheduleFacts {
  /** The line as cron gets it. */
  line: string;
  /** Largest time between two runs, in seconds. */
  largestGapSeconds: number;
  /** Smallest time between two runs, in seconds. */
  smallestGapSeconds: number;
}

/** Why a schedule cannot be used; the message is a sentence for the user, without the path. */
export class ScheduleError extends Error {}

/**
 * Fields as Debian's cron reads them; the library knows more (`L`, `#`, `H`, seconds) that cron would ignore or refuse.
 */
const ELEMENT = String.raw`(\*|[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}|[A-Za-z]{3}(-[A-Za-z]{3})?)`;
const STEP = String.raw`((?<=[*]|-[0-9A-Za-z]{1,3})/[1-9][0-9]?)?`;
const FIELD = new RegExp(`^${ELEMENT}${STEP}(,${ELEMENT}${STEP})*$`);
const NICKNAMES: Record<string, string> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** The fields of a cron line, as they are written. */
export interface Fields {
  minute: string;
  hour: string;
  dayOfMonth: string;
  month: string;
  dayOfWeek: string;
}

/** The line with single blanks, nicknames written out. Throws `ScheduleError` on what Debian's cron does not take. */
export function split(schedule: string): Fields {
  const text = schedule.trim().replace(/[ \t]+/g, " ");
  const line = NICKNAMES[text] ?? text;
  const [minute, hour, dayOfMonth, month, dayOfWeek, ...rest] = line.split(" ");
  if (!minute || !hour || !dayOfMonth || !month || !dayOfWeek || rest.length > 0) {
    throw new ScheduleError(
      "must be a cron line of five fields (minute, hour, day of month, month, day of week) or one of " +
        `${Object.keys(NICKNAMES).join(", ")}. Write for example "0 2 * * *" for every day at 02:00.`,
    );
  }
  const fields = { minute, hour, dayOfMonth, month, dayOfWeek };
  if (Object.values(fields).some(field => !FIELD.test(field))) {
    throw new ScheduleError(
      "uses a form that Debian's cron does not know; it takes numbers, names, `*`, lists, ranges, and steps after " +
        "`*` or a range. " +
        'Write for example "0 */6 * * *" for every six hours.',
    );
  }
  return fields;
}

export function parse(line: string): CronExpressionParserResult {
  try {
    return CronExpressionParser.parse(line);
  } catch (error) {
    throw new ScheduleError(`is not a schedule that cron can run (${sentence(error)}). Correct the field.`);
  }
}
type CronExpressionParserResult = ReturnType<typeof CronExpressionParser.parse>;

function sentence(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/[.\s]+$/, "").toLowerCase();
}

/** First and last day that is looked at, since 1970: five years, with a leap day at both ends. */
export const DAYS = { first: Date.UTC(2024, 0, 1) / 1000 / DAY, last: Date.UTC(2029, 2, 2) / 1000 / DAY };

/**
 * Whether a day must match both day fields. Cron runs on days that match either of them when both are restricted, but
 * on days that match both when one of them starts with `*` (such as `*\/2`).
 */
export function mustMatchBoth({ dayOfMonth, dayOfWeek }: Fields): boolean {
  return dayOfMonth.startsWith("*") || dayOfWeek.startsWith("*");
}

/** Days since 1970 on which the line runs. */
export function daysOf(line: Fields): number[] {
  const { month, dayOfMonth, dayOfWeek } = parse(`0 0 ${line.dayOfMonth} ${line.month} ${line.dayOfWeek}`).fields;
  const [months, monthDays, weekDays] = [month, dayOfMonth, dayOfWeek].map(field => new Set(field.values.map(Number)));
  const both = mustMatchBoth(line);
  return Array.from({ length: DAYS.last - DAYS.first + 1 }, (_, index) => DAYS.first + index).filter(day => {
    const date = new Date(day * DAY * 1000);
    const matches = [monthDays?.has(date.getUTCDate()), weekDays?.has(date.getUTCDay())];
    return months?.has(date.getUTCMonth() + 1) && (both ? matches.every(Boolean) : matches.some(Boolean));
  });
}

/** Largest step back of the clock of a time zone within a year, in seconds; 0 where clocks do not change. */
export function clockStepSeconds(timeZone: string): number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset", year: "numeric" });
  const offset = (day: number): number => {
    const name =
      format.formatToParts(new Date((19_723 + day) * DAY * 1000)).find(part => part.type === "timeZoneName")?.value ??
      "GMT";
    const [, sign, hours, minutes] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
    return sign ? (sign === "-" ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60) : 0;
  };
  const offsets = Array.from({ length: 366 }, (_, day) => offset(day));
  return Math.max(...offsets) - Math.min(...offsets);
}

const knownFacts = new Map<string, ScheduleFacts>();

/**
 * What follows from a cron line. The largest gap holds over leap years and over the change of the clock in the given
 * time zone (the host's): where clocks go back an hour, a daily job has one day of 25 hours. Throws `ScheduleError`.
 */
export function scheduleFacts(schedule: string, timeZone: string): ScheduleFacts {
  const key = `${timeZone} ${schedule}`;
  const facts = knownFacts.get(key) ?? findFacts(schedule, timeZone);
  knownFacts.set(key, facts);
  return facts;
}

function findFacts(schedule: string, timeZone: string): ScheduleFacts {
  const fields = split(schedule);
  const { minute, hour } = parse(`${fields.minute} ${fields.hour} * * *`).fields;
  const hours = hour.values.map(Number);
  const minutes = minute.values.map(Number);
  const times = hours.flatMap(h => minutes.map(m => (h * 60 + m) * 60)).sort((a, b) => a - b);
  const days = daysOf(fields);
  if (days.length < 2) {
    throw new ScheduleError("names days that come less than twice in five years. Choose days that come more often.");
  }
  const overnight = DAY + (times[0] ?? 0) - (times.at(-1) ?? 0);
  const gaps = [...pairs(times), ...pairs(days).map(gap => overnight + (gap - 1) * DAY)];
  const largest = gaps.reduce((a, b) => Math.max(a, b));
  // Jobs of every hour follow the running clock, so the repeated hour does not stretch their gap.
  const step = hours.length === 24 ? 0 : clockStepSeconds(timeZone);
  return {
    line: schedule.trim().replace(/[ \t]+/g, " "),
    largestGapSeconds: largest + step,
    smallestGapSeconds: gaps.reduce((a, b) => Math.min(a, b)),
  };
}

function pairs(values: number[]): number[] {
  return values.slice(1).map((value, index) => value - (values[index] ?? 0));
}

/** Minutes by which a host is moved within the spread: from its name alone, so that other hosts do not change it. */
export function stableOffset(hostName: string, spreadMinutes: number): number {
  return spreadMinutes > 0 ? createHash("sha256").update(hostName).digest().readUInt32BE(0) % spreadMinutes : 0;
}

/**
 * The schedule of one host, moved later by its own offset below `spreadMinutes`. Throws `ScheduleError` when the line
 * cannot be moved and stay what it is: several runs an hour, runs that would pass midnight on chosen days, or a
 * spread that is longer than the time between two runs.
 */
export function spreadSchedule(schedule: string, spreadMinutes: number, hostName: string): string {
  const fields = split(schedule);
  const plain = schedule.trim().replace(/[ \t]+/g, " ");
  if (spreadMinutes === 0) {
    return plain;
  }
  if (!/^[0-9]+$/.test(fields.minute)) {
    throw new ScheduleError(
      "runs several times an hour, so `spreadMinutes` cannot move it. Remove `spreadMinutes` or use one fixed minute.",
    );
  }
  if (spreadMinutes * 60 > scheduleFacts(schedule, "UTC").smallestGapSeconds) {
    throw new ScheduleError(
      "runs more often than `spreadMinutes` is long. Lower `spreadMinutes` below the time between two runs.",
    );
  }
  const hours = parse(`0 ${fields.hour} * * *`).fields.hour.values.map(Number);
  const everyDay = fields.dayOfMonth === "*" && fields.month === "*" && fields.dayOfWeek === "*";
  if (!everyDay && Math.max(...hours) * 60 + Number(fields.minute) + spreadMinutes > 24 * 60) {
    throw new ScheduleError(
      "would pass midnight when moved by `spreadMinutes`, into a day that the line does not name. Start earlier or " +
        "lower `spreadMinutes`.",
    );
  }
  const total = Number(fields.minute) + stableOffset(hostName, spreadMinutes);
  const carry = Math.floor(total / 60);
  const moved = hours.map(hour => (hour + carry) % 24).sort((a, b) => a - b);
  const hour = carry === 0 || hours.length === 24 ? fields.hour : moved.join(",");
  return [total % 60, hour, fields.dayOfMonth, fields.month, fields.dayOfWeek].join(" ");
}
