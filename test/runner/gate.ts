// `npm test`: the checks, the unit tests and the tests on hosts, side by side, because the last ones mostly wait. `npm
// test -- FILE...` runs these files alone; with --keep, the host of the host command's tests stays for the next such
// run.
import { parseArgs } from "node:util";
import { KEEP_VARIABLE } from "../hosts/leftovers";
import { run } from "../tools/process";

interface Part {
  name: string;
  command: string[];
  /** Shown as it comes. The output of the others follows when they have ended, so that lines do not mix. */
  live?: boolean;
}

const vitest = (...projects: string[]): string[] => [
  "npx",
  "vitest",
  "run",
  ...projects.flatMap(project => ["--project", project]),
];
const PARTS: Part[] = [
  { name: "check", command: ["npm", "run", "--silent", "check"] },
  { name: "without hosts", command: vitest("unit", "programs") },
  { name: "integration", command: vitest("integration"), live: true },
];

/** Longer than all of it may take on the slowest machine. */
const LIMIT_SECONDS = 4 * 3600;

async function runPart({
  name,
  command: [program = "", ...words],
  live = false,
}: Part): Promise<{ name: string; code: number; seconds: number }> {
  const start = performance.now();
  const onOutput = live ? (text: string) => void process.stdout.write(text) : undefined;
  const { code, stdout, stderr } = await run(program, words, {
    onOutput,
    env: process.env,
    timeoutSeconds: LIMIT_SECONDS,
  });
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(
    `${live ? "" : `${stdout}${stderr}`}\n[${name}] ${code === 0 ? "passed" : "FAILED"} after ${seconds.toFixed(0)} s\n`,
  );
  return { name, code, seconds };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: "boolean" } } });
  if (values.keep === true) {
    process.env[KEEP_VARIABLE] = "1";
  }
  const some: Part = { name: "these files", command: ["npx", "vitest", "run", ...positionals], live: true };
  const ended = await Promise.all((positionals.length === 0 ? PARTS : [some]).map(runPart));
  const failed = ended.filter(({ code }) => code !== 0);
  if (ended.length > 1) {
    const summary = ended.map(
      ({ name, code, seconds }) => `${name} ${code === 0 ? "passed" : "FAILED"} (${seconds.toFixed(0)} s)`,
    );
    process.stdout.write(`\n${summary.join(", ")}\n`);
  }
  return failed.length === 0 ? 0 : 1;
}

void main().then(code => {
  process.exitCode = code;
});
