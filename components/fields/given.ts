/** The settings that were given; one that is `undefined` must not hide a shared one. */
export function given<T extends object>(settings: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;
}
