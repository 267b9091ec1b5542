import { z } from "zod";
import { fieldsIn } from "../fields/group";
import { nearest } from "../fields/nearest";
import { schemaAt, settingPaths } from "./schema";

/** More names than that are no answer to somebody who looks for one. */
const namesToList = 12;

/** What was meant by a name that is no setting of this group. */
function unknownText(group: z.ZodType, name: string): string {
  const here = fieldsIn(group).map(([known]) => known);
  const deeper = settingPaths(group).filter(path => path.endsWith(`.${name}`));
  const near = nearest(name, here);
  const meant = deeper.length > 0 ? deeper : near === undefined ? [] : [near];
  const quoted = (names: string[]): string[] => names.map(known => `\`${known}\``);
  if (meant.length > 0) {
    return `is not a setting here. Did you mean ${quoted(meant).join(" or ")}?`;
  }
  const list =
    here.length > namesToList ? "docs/settings.md has all that there are" : `There are ${quoted(here).join(", ")}`;
  return `is not a setting here. ${list}.`;
}

/** One complaint of a schema, in our words. */
export interface ShapeProblem {
  path: PropertyKey[];
  text: string;
}

function kindOf(value: unknown): string {
  if (value === null) {
    return "empty";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  const kinds: Record<string, string> = {
    string: "a text",
    number: "a number",
    boolean: "true or false",
    object: "a group of settings",
  };
  return kinds[typeof value] ?? "something else";
}

const wanted: Record<string, string> = {
  string: "a text",
  number: "a number",
  boolean: "`true` or `false`",
  array: "a list",
  object: "a group of settings",
  record: "a group of settings",
};

/**
 * What is left of `input` without the settings that have a wrong form, so that the rest can still be checked. A list
 * goes as a whole, because without one of its entries the others would move; so does a group that lacks something.
 */
export function withoutWrongForms(error: z.ZodError, input: unknown): unknown {
  const rest: unknown = structuredClone(input);
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") {
      issue.keys.forEach(key => remove(rest, [...issue.path, key]));
    } else {
      const list = issue.path.findIndex(key => typeof key === "number");
      const path = list >= 0 ? issue.path.slice(0, list) : issue.path;
      remove(rest, valueAt(input, path) === undefined ? path.slice(0, -1) : path);
    }
  }
  return rest;
}

function remove(input: unknown, path: PropertyKey[]): void {
  const parent = valueAt(input, path.slice(0, -1));
  const key = path.at(-1);
  if (typeof parent === "object" && parent !== null && key !== undefined) {
    Reflect.deleteProperty(parent, key);
  }
}

function valueAt(input: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}

function shapeText(issue: z.core.$ZodIssue, input: unknown): string {
  const value = valueAt(input, issue.path);
  if (value === undefined) {
    return "is missing. Add it.";
  }
  if (typeof value === "object" && value !== null && "secure" in value) {
    return `is encrypted inside a structure. ${storeSecret}`;
  }
  if (issue.code === "invalid_value") {
    const given = typeof value === "string" && /^[A-Za-z-]{1,20}$/.test(value) ? `, and is \`${value}\`` : "";
    return `must be one of ${issue.values.map(choice => `\`${String(choice)}\``).join(", ")}${given}. Choose one.`;
  }
  const expected = issue.code === "invalid_type" ? (wanted[issue.expected] ?? issue.expected) : "something else";
  return `must be ${expected}, and is ${kindOf(value)}. Correct it.`;
}

/** What is wrong with the form of `input`, one complaint a setting. Only a word in place of a choice is repeated. */
export function shapeProblems(schema: z.ZodType, error: z.ZodError, input: unknown): ShapeProblem[] {
  return error.issues.flatMap(issue =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map(key => ({ path: [...issue.path, key], text: unknownText(schemaAt(schema, issue.path), key) }))
      : [{ path: issue.path, text: shapeText(issue, input) }],
  );
}

/** From a file: the prompt of that command takes one line. */
export const storeSecret =
  "Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.";
