import { table, whole } from "../fields/group";

/** Which backups are kept. A backup stays if any rule wants it; a rule that is left out is off. */
export interface Retention {
  /**
   * Age in days up to which every backup is kept, counted from the day it was taken. Defaults to 30 if no other rule is
   * set.
   */
  days?: number;
  /** Number of newest backups to keep. */
  keepLast?: number;
  /** Number of hours for which the newest backup is kept. */
  hourly?: number;
  /** Number of days for which the newest backup is kept. */
  daily?: number;
  /** Number of weeks for which the newest backup is kept. */
  weekly?: number;
  /** Number of months for which the newest backup is kept. */
  monthly?: number;
  /** Number of years for which the newest backup is kept. */
  yearly?: number;
  /** Number of newest complete backups that no rule ever deletes. Defaults to 3. */
  minimum?: number;
}

/** Days that hold as long as no other rule says what to keep. */
export const usualDays = 30;

export const retentionForm = table<Retention>()({
  days: whole(1, 36_500, {
    shown: `\`${usualDays}\``,
    key: "KEEP_DAYS",
    says: "age in days up to which every backup is kept",
  }),
  keepLast: whole(1, 36_500, { key: "KEEP_LAST", says: "number of newest backups" }),
  hourly: whole(1, 36_500, { key: "KEEP_HOURLY", says: "number of hours for which the newest backup is kept" }),
  daily: whole(1, 36_500, { key: "KEEP_DAILY", says: "the same for days" }),
  weekly: whole(1, 36_500, { key: "KEEP_WEEKLY", says: "the same for weeks" }),
  monthly: whole(1, 36_500, { key: "KEEP_MONTHLY", says: "the same for months" }),
  yearly: whole(1, 36_500, { key: "KEEP_YEARLY", says: "the same for years" }),
  minimum: whole(1, 36_500, {
    default: 3,
    key: "KEEP_MINIMUM",
    says: "number of newest complete backups that no rule deletes",
  }),
});
