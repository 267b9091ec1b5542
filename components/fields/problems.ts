import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { bare, factsOf, fieldsIn, isList } from "./group";
import { Check } from "./patterns";
import { secretCheck } from "./secretText";

/** One thing in the settings that has to change: where it is and, in full sentences, what is wrong and what to do. */
export interface Problem {
  /** Path as the user typed it, such as `hosts[1].name`; several are joined by a comma. */
  path: string;
  /** What is wrong, what is allowed, what to do now. Never repeats a value that could hold a secret. */
  text: string;
}

/** The whole message for a list of problems, as the user sees it. */
export function problemsText(problems: Problem[], place = "in this stack"): string {
  const count = problems.length === 1 ? `1 setting ${place} needs` : `${problems.length} settings ${place} need`;
  const lines = problems.map(problem => `  - ${problem.path}: ${problem.text}`);
  return [`prometheus-backup: ${count} a change. No resource was touched.`, ...lines].join("\n");
}

/** Collects complaints; leaves that are not known yet are checked where they are rendered. */
export class Findings {
  public readonly problems: Problem[] = [];

  text(path: string, value: pulumi.Input<string> | undefined, check: Check): void {
    if (typeof value === "string") {
      this.add(path, check(value));
    }
  }

  /**
   * What a table says against the values of a group and of the groups in it. Of a list of groups each has its own call,
   * for what has to be said of it as a whole first.
   */
  fields(path: string, form: z.ZodType, values: object | undefined): void {
    for (const [name, field] of fieldsIn(form)) {
      const value = (values as Record<string, unknown> | undefined)?.[name];
      const [{ range, check, fault }, at] = [factsOf(field), path === "" ? name : `${path}.${name}`];
      if (fault !== undefined && typeof value === "string") {
        this.text(at, value, secretCheck(fault(values ?? {})));
      } else if (range !== undefined && typeof value === "number") {
        this.whole(at, value, range.low, range.high);
      } else if (check !== undefined && typeof value === "string") {
        this.text(at, value, check);
      } else if (check !== undefined && Array.isArray(value)) {
        value.forEach((item: unknown, index) => typeof item === "string" && this.text(`${at}[${index}]`, item, check));
      } else if (bare(field) instanceof z.ZodObject && typeof value === "object" && value !== null && !isList(field)) {
        this.fields(at, field, value);
      }
    }
  }

  add(path: string, text: string | undefined): void {
    if (text !== undefined) {
      this.problems.push({ path, text });
    }
  }

  whole(path: string, value: number | undefined, low: number, high: number): void {
    if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high)) {
      this.add(path, `must be a whole number from ${low} to ${high}, and is ${value}. Correct it.`);
    }
  }
}
