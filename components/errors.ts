import * as pulumi from "@pulumi/pulumi";

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

/** For settings read before a component exists: the user sees the text and no stack. */
export class ConfigError extends pulumi.RunError {
  constructor(readonly problems: Problem[]) {
    super(problemsText(problems));
  }
}

/** For what a component is given in code. The resource is named by the engine, the stack trace is hidden. */
export function componentError(problems: Problem[], resource: pulumi.Resource, name: string): pulumi.ResourceError {
  return new pulumi.ResourceError(problemsText(problems, `of "${name}"`), resource, true);
}
