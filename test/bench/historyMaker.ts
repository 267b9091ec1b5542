// The program that makes histories, built from test/bench/history once for each version of its source.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { cacheDirectory, step } from "../tools/cache";
import { runOrThrow } from "../tools/process";

export interface Shape {
  series: number;
  /** First sample of the whole history; on the grid of two hours. */
  start: Date;
  /** Seconds between two samples. Defaults to 15. */
  intervalSeconds?: number;
}

/** Returns the path of the program. Needs `go`. */
export async function ensureHistoryMaker(): Promise<string> {
  const source = path.join(__dirname, "history");
  const digest = createHash("sha256");
  readdirSync(source)
    .sort()
    .forEach(name => digest.update(readFileSync(path.join(source, name))));
  const program = path.join(cacheDirectory("tools", `history-${digest.digest("hex").slice(0, 12)}`), "history");
  if (!existsSync(program)) {
    await step("building the program that makes histories", () =>
      runOrThrow("go", ["build", "-o", program, "."], { cwd: source, timeoutSeconds: 900 }),
    );
  }
  return program;
}

export const rfc3339 = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

function shapeArguments({ series, start, intervalSeconds = 15 }: Shape, from: Date): string[] {
  return [
    "--series",
    String(series),
    "--interval",
    `${intervalSeconds}s`,
    "--start",
    rfc3339(start),
    "--from",
    rfc3339(from),
  ];
}

/** Writes the two-hour blocks of `[from, to)` into the directory. */
export async function writeBlocks(directory: string, shape: Shape, from: Date, to: Date): Promise<void> {
  const program = await ensureHistoryMaker();
  await step(`making the blocks from ${rfc3339(from)} to ${rfc3339(to)}, ${shape.series} series`, () =>
    runOrThrow(program, ["blocks", "--out", directory, ...shapeArguments(shape, from), "--to", rfc3339(to)], {
      timeoutSeconds: 3600,
    }),
  );
}

export interface Feeder {
  /** Sends a server all samples before this moment that it has not got yet. */
  until(time: Date): Promise<void>;
  end(): void;
}

/** Feeds a server with the history from `from` on, as a remote-write client that need not wait for the time to pass. */
export async function startFeeder(url: string, shape: Shape, from: Date): Promise<Feeder> {
  const program = await ensureHistoryMaker();
  const child = spawn(program, ["stream", "--url", `${url}/api/v1/write`, ...shapeArguments(shape, from)], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    until: async time => {
      child.stdin.write(`${rfc3339(time)}\n`);
      if ((await answers.next()).done === true) {
        throw new Error(`the server did not take the samples up to ${rfc3339(time)}: ${errors}`);
      }
    },
    end: () => {
      child.stdin.end();
    },
  };
}
