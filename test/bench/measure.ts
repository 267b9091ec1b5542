// One run of one program: wall and CPU seconds of it and everything it started, and the largest memory of them together.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { testEnvironment } from "../tools/process";

export interface Measured {
  wall: number;
  cpu: number;
  /** Largest sum of resident memory of all processes of the run, in bytes, sampled ten times a second. */
  memory: number;
}

/** Runs a command by bash, whose `time` counts the children too. Rejects if it fails. */
export function measure(words: string[], environment: NodeJS.ProcessEnv = {}): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", 'TIMEFORMAT="TIMES %R %U %S"; time "$@"', "bash", ...words], {
      env: testEnvironment(environment),
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    let memory = 0;
    child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    const timer = setInterval(() => (memory = Math.max(memory, treeMemory(child.pid ?? 0))), 100);
    child.on("error", reject);
    child.on("close", code => {
      clearInterval(timer);
      const times = /^TIMES (\S+) (\S+) (\S+)$/m.exec(errors);
      if (code !== 0 || times === null) {
        reject(new Error(`${words.join(" ").slice(0, 200)} ended with ${code}:\n${errors.slice(-2000)}`));
        return;
      }
      resolve({ wall: Number(times[1]), cpu: Number(times[2]) + Number(times[3]), memory });
    });
  });
}

/** Resident memory of a process and all below it. A process that ends while we look counts as none. */
function treeMemory(root: number): number {
  const children = new Map<number, number[]>();
  const resident = new Map<number, number>();
  for (const name of readdirSync("/proc").filter(entry => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      resident.set(Number(name), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      continue;
    }
  }
  const sum = (pid: number): number => (resident.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((total, each) => total + sum(each), 0);
  return sum(root);
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
