// One run of one program: wall and CPU seconds of it and everything it started, and the largest memory of them
// together.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { testEnvironment } from "../tools/process";

export interface Measured {
  wall: number;
  cpu: number;
  /** Largest memory of all processes of the run together, in bytes, sampled ten times a second. */
  memory: number;
  /** What the command said on standard error. */
  errors: string;
}

/** The memory of one process, in bytes. */
export type MemoryOf = (pid: number) => number;

/** What is resident: a page that several processes share counts for each. Cheap to ask. */
const residentMemory: MemoryOf = pid => Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096;

/** What it takes of the machine: of a page that several processes share, its part. */
export const proportionalMemory: MemoryOf = pid =>
  Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) * 1024;

/**
 * Runs a command by bash, whose `time` counts the children too. Rejects if it fails. Standard output goes to a file, or
 * nowhere.
 */
export function measure(
  words: string[],
  environment: NodeJS.ProcessEnv = {},
  stdout = "/dev/null",
  memoryOf = residentMemory,
): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const out = openSync(stdout, "w");
    const child = spawn("bash", ["-c", 'TIMEFORMAT="TIMES %R %U %S"; time "$@"', "bash", ...words], {
      env: testEnvironment(environment),
      stdio: ["ignore", out, "pipe"],
    });
    closeSync(out);
    let errors = "";
    let memory = 0;
    child.stderr?.on("data", (text: Buffer) => (errors += text.toString()));
    const timer = setInterval(() => (memory = Math.max(memory, treeMemory(child.pid ?? 0, memoryOf))), 100);
    child.on("error", reject);
    child.on("close", code => {
      clearInterval(timer);
      const times = /^TIMES (\S+) (\S+) (\S+)$/m.exec(errors);
      if (code !== 0 || times === null) {
        reject(new Error(`${words.join(" ").slice(0, 200)} ended with ${code}:\n${errors.slice(-2000)}`));
        return;
      }
      resolve({ wall: Number(times[1]), cpu: Number(times[2]) + Number(times[3]), memory, errors });
    });
  });
}

/** Memory of a process and all below it. A process that ends meanwhile counts as none. */
function treeMemory(pid: number, memoryOf: MemoryOf): number {
  try {
    const own = memoryOf(pid);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    return children.reduce((sum, child) => sum + treeMemory(Number(child), memoryOf), own);
  } catch {
    return 0;
  }
}

/** What several runs took together. */
export function sumOf(runs: Measured[]): Measured {
  return {
    wall: runs.reduce((sum, { wall }) => sum + wall, 0),
    cpu: runs.reduce((sum, { cpu }) => sum + cpu, 0),
    memory: Math.max(...runs.map(({ memory }) => memory)),
    errors: runs.map(({ errors }) => errors).join(""),
  };
}

/** The middle one of several runs, by CPU time. */
export function median(runs: Measured[]): Measured {
  const sorted = [...runs].sort((a, b) => a.cpu - b.cpu);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) {
    throw new Error("nothing was measured");
  }
  return middle;
}

/**
 * Runs several ways of doing the same thing one after another, the whole round `rounds` times, so that a busy hour hits
 * all of them alike. Returns what each took, round by round.
 */
export async function measureRounds<Name extends string, Run extends Measured>(
  rounds: number,
  ways: Record<Name, () => Promise<Run>>,
): Promise<Record<Name, Run[]>> {
  const names = Object.keys(ways) as Name[];
  const all = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, Run[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      all[name].push(await ways[name]());
    }
  }
  return all;
}

/** The same, the median of each. */
export async function interleave<Name extends string>(
  rounds: number,
  ways: Record<Name, () => Promise<Measured>>,
): Promise<Record<Name, Measured>> {
  const all = await measureRounds(rounds, ways);
  return Object.fromEntries(Object.entries<Measured[]>(all).map(([name, runs]) => [name, median(runs)])) as Record<
    Name,
    Measured
  >;
}

/**
 * How often one takes what the other does: the middle one of the rounds' ratios, since both of one round met the same
 * load.
 */
export function ratioInRounds(one: Measured[], other: Measured[], of: "wall" | "cpu"): number {
  const ratios = one.map((run, round) => run[of] / (other[round]?.[of] ?? NaN)).sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)] ?? NaN;
}
