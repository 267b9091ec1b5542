// Chance with a seed: the same seed gives the same numbers, so that a failure can be had again.

export interface Chance {
  seed: number;
  /** At least 0, below 1. */
  next(): number;
  /** One of the elements. */
  pick<T>(elements: readonly T[]): T;
}

/** Prints the seed; `PROMETHEUS_BACKUP_TEST_SEED` gives one. */
export function chance(title: string): Chance {
  const given = Number(process.env.PROMETHEUS_BACKUP_TEST_SEED);
  const seed = Number.isInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31);
  console.log(`${title}: PROMETHEUS_BACKUP_TEST_SEED=${seed}`);
  let state = seed;
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    next,
    pick: elements => {
      const element = elements[Math.floor(next() * elements.length)];
      if (element === undefined) {
        throw new Error("nothing to pick from");
      }
      return element;
    },
  };
}
