import { calendarLines } from "./calendar";
import { Check } from "./patterns";
import { ScheduleError, scheduleFacts, spreadSchedule } from "./schedule";

export const timeZoneCheck: Check = value => {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: value });
    return undefined;
  } catch {
    return "is not a time zone. Write the name that `timedatectl` prints, such as `Europe/Berlin`.";
  }
};

/** What is wrong with a schedule for a host; with a zone, as timers of systemd in that zone. */
export function scheduleCheck(
  schedule: string,
  spreadMinutes: number,
  hostName: string,
  timerZone?: string,
): string | undefined {
  try {
    scheduleFacts(schedule, "UTC");
    const moved = spreadSchedule(schedule, spreadMinutes, hostName);
    if (timerZone !== undefined) {
      calendarLines(moved, timerZone);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ScheduleError) {
      return error.message;
    }
    throw error;
  }
}
