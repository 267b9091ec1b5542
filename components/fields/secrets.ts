import { z } from "zod";
import { bare, secret } from "./group";

/** Settings as people write them: no list, no output, nothing with methods. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A copy of `value` with each leaf changed that its form calls a secret, however deep. */
export function changeSecrets(form: z.ZodType, value: unknown, change: (leaf: unknown) => unknown): unknown {
  const inner = bare(form);
  if (value === undefined) {
    return undefined;
  }
  if (inner === secret) {
    return change(value);
  }
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.map(item => changeSecrets(inner.element as z.ZodType, item, change));
  }
  if (inner instanceof z.ZodObject && isPlain(value)) {
    const shape = inner.shape as Record<string, z.ZodType>;
    const changed = ([key, item]: [string, unknown]): [string, unknown] => {
      const field = shape[key];
      return [key, field === undefined ? item : changeSecrets(field, item, change)];
    };
    return Object.fromEntries(Object.entries(value).map(changed));
  }
  return value;
}
