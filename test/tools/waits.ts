// What this process waited for, added up by name: shown at the end of a run for its slowest files.
export type Waits = Record<string, number>;

const seconds = new Map<string, number>();

/** Does `work` and counts the time that it took under the name. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    seconds.set(what, (seconds.get(what) ?? 0) + (performance.now() - start) / 1000);
  }
}

/** Seconds by name so far. What ran side by side counts each for itself. */
export function waitsSoFar(): Waits {
  return Object.fromEntries(seconds);
}
