/** `npm run check:shell`: shellcheck over every shell file as it lies, and over what is joined from them. */
import { spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { renderHostCommand, renderStepProgram, ROOMS, scriptsDirectory } from "../../components/host/programs";
import { StepName } from "../../components/host/stepName";
import { ensurePrograms, LOCAL_PROGRAMS } from "../tools/debianPackages";
import { setNowhere } from "./names";
import { type RoomFile, upwardCalls } from "./rooms";
import { violations } from "./shellRules";

const root = path.dirname(scriptsDirectory);
const HOST_COMMAND = "prometheus-backup";

function shellFiles(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter(name => name.endsWith(".sh") && !name.includes("node_modules"))
    .map(name => path.join(directory, name));
}

function shellcheck(files: string[], options: string[]): boolean {
  const result = spawnSync("shellcheck", ["--shell=bash", ...options, "--", ...files], { stdio: "inherit" });
  if (result.error) {
    throw new Error(`shellcheck cannot be run (${result.error.message}); install it with: apt-get install shellcheck`);
  }
  return result.status === 0;
}

/**
 * In a trap of the shell, a `return` without a number gives the status from before the trap, whatever the function did.
 */
function numbersReturns(files: string[]): boolean {
  const bare = files.flatMap(file =>
    fs
      .readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, index) =>
        /^[^#]*\breturn\s*(;|\}|$)/.test(line)
          ? [`${file}:${index + 1}: write \`return 0\` or \`return $?\`: ${line.trim()}\n`]
          : [],
      ),
  );
  process.stderr.write(bare.join(""));
  return bare.length === 0;
}

const WIDTH = 120;
/** Words for people, or a pattern, neither of which is cut. */
const TEXT = /"[^"]* [^"]* [^"]*"|'[^']* [^']* [^']*'|\S{60}/;

/** No line is longer than a screen is wide, but for the sake of a text. */
function fitsInLines(files: string[]): boolean {
  const long = files.flatMap(file =>
    fs
      .readFileSync(file, "utf8")
      .split("\n")
      .flatMap((line, index) => {
        const isHeader = line.startsWith("# parts: ");
        return line.length > WIDTH && !TEXT.test(line) && !isHeader
          ? [`${file}:${index + 1}: over ${WIDTH} columns\n`]
          : [];
      }),
  );
  process.stderr.write(long.join(""));
  return long.length === 0;
}

/** Texts of others stay texts. */
function executesNothing(files: string[]): boolean {
  const found = files.flatMap(file => violations(file, fs.readFileSync(file, "utf8")).map(line => `${line}\n`));
  process.stderr.write(found.join(""));
  return found.length === 0;
}

/** No function uses one of a room that comes later. */
function keepsRooms(): boolean {
  const library = path.join(scriptsDirectory, "lib");
  const files = ROOMS.flatMap((room, order) =>
    shellFiles(path.join(library, room)).map((file): RoomFile => ({
      room,
      order,
      text: fs.readFileSync(file, "utf8"),
    })),
  );
  const found = upwardCalls(files);
  process.stderr.write(found.map(line => `${line}\n`).join(""));
  return found.length === 0;
}

/**
 * What the host command reads is set in it. Steps share parts of which not each calls every function: they count as
 * one.
 */
function setsWhatItReads({ [HOST_COMMAND]: hostCommand = "", ...steps }: Record<string, string>): boolean {
  const programs = { "the host command": hostCommand, "the steps": Object.values(steps).join("\n") };
  const found = Object.entries(programs).flatMap(([name, text]) =>
    setNowhere(text).map(variable => `${name}: $${variable} is read and set nowhere\n`),
  );
  process.stderr.write(found.join(""));
  return found.length === 0;
}

function main(): number {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-lint-"));
  try {
    const joined = { [HOST_COMMAND]: renderHostCommand() } as Record<string, string>;
    for (const step of Object.values(StepName)) {
      joined[`step-${step}`] = renderStepProgram(step);
    }
    const files = Object.entries(joined).map(([name, text]) => {
      const file = path.join(temporary, `${name}.sh`);
      fs.writeFileSync(file, text);
      return file;
    });
    const alone = [
      ...shellFiles(scriptsDirectory),
      ...shellFiles(path.join(root, "test")),
      path.join(root, ".ci", "run"),
    ];
    // What a part may do because it lies alone stands in scripts/.shellcheckrc; joined, nothing is let off.
    const good = shellcheck(alone, []) && shellcheck(files, []);
    const ours = shellFiles(scriptsDirectory);
    return [
      fitsInLines(ours),
      numbersReturns(ours),
      executesNothing(ours),
      keepsRooms(),
      setsWhatItReads(joined),
      good,
    ].every(Boolean)
      ? 0
      : 1;
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

ensurePrograms(LOCAL_PROGRAMS)
  .then(() => {
    process.exitCode = main();
  })
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
