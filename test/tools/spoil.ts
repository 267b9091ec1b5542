/** A document of which one value is another one. */
export interface Spoiled {
  at: string;
  value: unknown;
  document: unknown;
}

/** What is put into each place, and whether it is as right there as the old value. */
export interface Spoiling {
  hostile: () => unknown[];
  isRight: (at: string, old: unknown, value: unknown) => boolean;
}

/** One document for each hostile value at each leaf of a document. */
export function spoil(document: unknown, at: string, spoiling: Spoiling): Spoiled[] {
  if (typeof document !== "object" || document === null) {
    return spoiling
      .hostile()
      .filter(value => !spoiling.isRight(at, document, value))
      .map(value => ({ at, value, document: value }));
  }
  return Object.entries(document).flatMap(([key, inner]) =>
    spoil(inner, `${at}.${key}`, spoiling).map(spoiled => {
      const whole = Array.isArray(document) ? [...(document as unknown[])] : { ...document };
      const copy = whole as Record<string, unknown>;
      copy[key] = spoiled.document;
      return { ...spoiled, document: copy };
    }),
  );
}
