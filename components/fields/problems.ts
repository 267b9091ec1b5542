import type * as pulumi from "@pulumi/pulumi";
import { Check } from "./patterns";

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
