import * as pulumi from "@pulumi/pulumi";
import { Check } from "./checks";
import { Problem } from "./errors";

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
