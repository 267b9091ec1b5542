import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";

interface Step {
  uses?: string;
}
interface Workflow {
  permissions: unknown;
  jobs: Record<string, { strategy: { matrix: { command: string[] } }; steps: Step[] }>;
}

const root = path.join(__dirname, "..", "..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const workflow = parse(read(".github/workflows/test.yml")) as Workflow;
const [job] = Object.values(workflow.jobs);

test("the workflow runs the two commands of the README, and may only read", () => {
  const commands = [...read("README.md").matchAll(/^(npm ci && npm .*?) +#/gm)].map(([, command]) => command);
  expect(commands).toHaveLength(2);
  expect(job?.strategy.matrix.command).toEqual(commands);
  expect(workflow.permissions).toEqual({ contents: "read" });
});

test("every action of the workflow is one commit, whatever its tags say later", () => {
  const actions = job?.steps.flatMap(step => step.uses ?? []) ?? [];
  expect(actions.length).toBeGreaterThan(0);
  expect(actions.filter(action => !/^[a-z-]+\/[a-z-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
});
