import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { renderStepProgram, scriptsDirectory } from "../../components/host/programs";
import { StepName } from "../../components/host/stepName";

const steps = Object.values(StepName);

function definedFunctions(text: string): string[] {
  return [...text.matchAll(/^([a-z_]+)\(\)/gm)].map(match => match[1] ?? "");
}

const shared = path.join(scriptsDirectory, "steps", "common");
const sharedFunctions = readdirSync(shared).flatMap(name =>
  definedFunctions(readFileSync(path.join(shared, name), "utf8")),
);

test.each(steps)("the program of %s names every part whose functions it calls", step => {
  const program = renderStepProgram(step);
  const code = program.replace(/^\s*#.*$/gm, "");
  const defined = new Set(definedFunctions(program));
  const missing = sharedFunctions.filter(
    name => !defined.has(name) && new RegExp(`^\\s*(if |! |\\|\\| )*${name}( |$)`, "m").test(code),
  );
  expect(missing).toEqual([]);
});

test.each(steps)("the program of %s does nothing when it is cut off", step => {
  const lines = renderStepProgram(step).trimEnd().split("\n");
  expect(lines.at(-1)).toBe('if [[ "${BASH_SOURCE[0]:-$0}" == "$0" ]]; then main "$@"; fi');
  const result = spawnSync("bash", ["-c", lines.slice(0, -1).join("\n"), "step", "remove"], { encoding: "utf8" });
  expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test.each(steps)("%s refuses an action that it does not know", step => {
  const result = spawnSync("bash", ["-s", "upgrade"], { input: renderStepProgram(step), encoding: "utf8" });
  expect(result).toMatchObject({
    status: 2,
    stdout: "",
    stderr: "prometheus-backup: error: a host step takes install or remove, not 'upgrade'\n",
  });
});

test("functions stay short enough to be read at once", () => {
  const long = steps.flatMap(step =>
    [...renderStepProgram(step).matchAll(/^([a-z_]+)\(\) \{\n([\s\S]*?)\n\}/gm)]
      .filter(match => (match[2] ?? "").split("\n").length > 40)
      .map(match => `${step}: ${match[1] ?? ""}`),
  );
  expect(long).toEqual([]);
});
