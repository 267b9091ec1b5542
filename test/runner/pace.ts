// What every change waits for, and what `npm run test:slow` does beyond that: the files that import this, whole.
import { describe, test } from "vitest";

const slow = process.env.PROMETHEUS_BACKUP_TEST_SLOW === "1";

/** Elements of a table that every change is tested with, and those for `npm run test:slow`. */
export const variants = <T>(always: readonly T[], whenSlow: readonly T[]): T[] =>
  slow ? [...always, ...whenSlow] : [...always];

/** How often something is killed at a random moment. More of them by hand: PROMETHEUS_BACKUP_TEST_KILLS=60. */
export const kills = (always: number, whenSlow: number): number =>
  Number(process.env.PROMETHEUS_BACKUP_TEST_KILLS ?? (slow ? whenSlow : always));

/**
 * Of a table whose elements show one rule on one path, those that every change is tested with; all of them for `npm run
 * test:slow`.
 */
export const representatives = <T>(all: readonly T[], isOne: (element: T, index: number) => boolean): T[] =>
  slow ? [...all] : all.filter(isOne);

/** A test that is left to `npm run test:slow`: a further case of a rule that another test of the file shows. */
export const slowTest: ReturnType<typeof test.runIf> = test.runIf(slow);

/** The same for a group of tests. */
export const slowDescribe: ReturnType<typeof describe.runIf> = describe.runIf(slow);
