// Runs external programs for the tests: output caught whole, time limited, nothing through a shell.
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { timed } from "./waits";

/** What a finished program left behind. `code` is 137 when a signal ended it. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Text or bytes for standard input. Without it the program reads end of file at once. */
  input?: string | Buffer;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** The program is killed after so many seconds. Defaults to 600. */
  timeoutSeconds?: number;
  /** Called with each piece of output as it comes, for progress. */
  onOutput?: (text: string) => void;
}

/**
 * The environment for whatever the tests start. `AWS_CA_BUNDLE` is taken out: rclone before 1.66 fails at once
 * when it names a file, and no server of the tests speaks TLS. Proxies and other credentials stay out as well,
 * so that nothing of the person's own AWS account can be reached by mistake.
 */
export function testEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const [key, value] of Object.entries(process.env)) {
    if (!key.startsWith("AWS_")) {
      environment[key] = value;
    }
  }
  return { ...environment, ...extra };
}

/**
 * Runs a program to its end and returns what it left, whatever its exit code. Rejects if it cannot be started or takes
 * too long.
 */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? testEnvironment(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    const limit = options.timeoutSeconds ?? 600;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit * 1000);
    const output = collectOutput(child, options.onOutput);
    child.on("error", error => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (late) {
        reject(
          new Error(
            `${command} ${args.join(" ")}: not finished after ${limit} s\n${output.stdout()}${output.stderr()}`,
          ),
        );
      } else {
        resolve({ code: code ?? (signal === null ? 1 : 137), stdout: output.stdout(), stderr: output.stderr() });
      }
    });
    // A program that ends without reading its input closes the pipe; its exit code tells the story.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}

function collectOutput(child: ChildProcess, onOutput?: (text: string) => void) {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (piece: Buffer) => {
    out.push(piece);
    onOutput?.(piece.toString());
  });
  child.stderr?.on("data", (piece: Buffer) => {
    err.push(piece);
    onOutput?.(piece.toString());
  });
  return { stdout: () => Buffer.concat(out).toString(), stderr: () => Buffer.concat(err).toString() };
}

/** Like `run`, but rejects with the output when the exit code is not 0. Returns standard output. */
export async function runOrThrow(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const finished = await run(command, args, options);
  if (finished.code !== 0) {
    throw new Error(`${command} ${args.join(" ")}: exit code ${finished.code}\n${finished.stdout}${finished.stderr}`);
  }
  return finished.stdout;
}

/** True if the program exists on PATH and this call of it succeeds. */
export async function works(command: string, args: string[], timeoutSeconds = 20): Promise<boolean> {
  try {
    return (await run(command, args, { timeoutSeconds })).code === 0;
  } catch {
    return false;
  }
}

/** True while a process with this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Names a process for good: its id and, on Linux, when it started. Ids are given out again, after a restart of the
 * machine even the same ones; a note that holds an id alone would one day stand for a stranger.
 */
export function processTag(pid: number = process.pid): string {
  return `${pid}-${startTime(pid)}`;
}

/** True while exactly the process that the tag was made for exists. */
export function isTagAlive(tag: string): boolean {
  const pid = Number(tag.split("-")[0]);
  return pid > 0 && isAlive(pid) && processTag(pid) === tag;
}

/** Clock ticks from boot to the start of the process, field 22 of its stat file; the second field may hold blanks. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

/** A busy machine may need several times as long as a quiet one; who waits for what comes loses nothing by patience. */
const PATIENCE = 4;

/**
 * Asks `probe` again and again until it says true; rejects with `what` when several times the seconds are over that a
 * quiet machine may need.
 */
export function waitUntil(what: string, seconds: number, probe: () => Promise<boolean>, pauseMs = 250): Promise<void> {
  return timed(`until ${what}`, async () => {
    const end = Date.now() + seconds * PATIENCE * 1000;
    while (!(await probe())) {
      if (Date.now() > end) {
        throw new Error(`${what}: not so after ${seconds * PATIENCE} s`);
      }
      await sleep(pauseMs);
    }
  });
}
