import * as pulumi from "@pulumi/pulumi";
import { Problem, problemsText } from "./fields/problems";

/** For settings read before a component exists: the user sees the text and no stack. */
export class ConfigError extends pulumi.RunError {
  constructor(readonly problems: Problem[]) {
    super(problemsText(problems));
  }
}
