import { amount, group } from "../fields/group";
import { Findings } from "../fields/problems";

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

/** Which backups are kept. */
export const retentionDefaults = { days: 30, minimum: 3 } as const;

export const retentionSchema = group({
  days: amount.optional(),
  keepLast: amount.optional(),
  hourly: amount.optional(),
  daily: amount.optional(),
  weekly: amount.optional(),
  monthly: amount.optional(),
  yearly: amount.optional(),
  minimum: amount.optional(),
});

export function retentionProblems(found: Findings, retention: Retention | undefined): void {
  for (const [rule, value] of Object.entries(retention ?? {}) as [string, number | undefined][]) {
    found.whole(`retention.${rule}`, value, 1, 36_500);
  }
}
