import { z } from "zod";
import { bare, factsOf, fieldsIn, isList } from "./group";
import { SecretFault } from "./secretText";

/** Settings as people write them: no list, no output, nothing with methods. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * A copy of `value` with each leaf changed that its form calls a secret, however deep; `path` leads to it, and `fault`
 * says what is wrong with its text. A leaf that changes to nothing is left out.
 */
export function changeSecrets(
  form: z.ZodType,
  value: unknown,
  change: (leaf: unknown, path: string, fault?: SecretFault) => unknown,
  path = "",
): unknown {
  if (isList(form) && Array.isArray(value)) {
    const { element } = bare(form) as z.ZodArray<z.ZodType>;
    return value.map((item, index) => changeSecrets(element, item, change, `${path}[${index}]`));
  }
  if (!isPlain(value)) {
    return value;
  }
  const shape = new Map(fieldsIn(form));
  const changed = ([key, item]: [string, unknown]): [string, unknown][] => {
    const [field, at] = [shape.get(key), path === "" ? key : `${path}.${key}`];
    if (item === undefined || field === undefined) {
      return [[key, item]];
    }
    const { secret, fault } = factsOf(field);
    const next = secret === true ? change(item, at, fault?.(value)) : changeSecrets(field, item, change, at);
    return next === undefined ? [] : [[key, next]];
  };
  return Object.fromEntries(Object.entries(value).flatMap(changed));
}
