import * as fs from "fs";
import * as path from "path";
import { renderHelpLibrary } from "./command/help";

/** Where the shell lies, next to the module wherever that is installed. */
export const scriptsDirectory = path.join(__dirname, "..", "..", "scripts");

const LIBRARY_HEADER = /^(#!.*\n)?# shellcheck shell=bash\n/;

function read(...segments: string[]): string {
  return fs.readFileSync(path.join(scriptsDirectory, ...segments), "utf8");
}

function libraries(directory: string): string[] {
  return fs
    .readdirSync(path.join(scriptsDirectory, directory))
    .filter(name => name.endsWith(".sh"))
    .sort();
}

/** The directive is for linting a library file by itself; joined, only the first line of the entry counts. */
function libraryText(directory: string, name: string): string {
  return read(directory, name).replace(LIBRARY_HEADER, "").trim();
}

let hostCommand: string | undefined;

/** The rooms of `scripts/lib`: each may use those before it. `npm run check:shell` holds that. */
export const ROOMS = ["shell", "watch", "server", "repository", "data", "backup", "restore", "command"] as const;

/**
 * The command that runs on every host: entry header, the functions of `scripts/lib`, room by room, help and options,
 * the entry's own functions and its call of `main`. The same text for every host, and read once, as the toolkit is that
 * carries it: in a program that lives long, both must be of one version.
 */
export function renderHostCommand(): string {
  hostCommand ??= joinHostCommand();
  return hostCommand;
}

function joinHostCommand(): string {
  const entry = read("prometheus-backup.sh");
  // Header and shell options come first, so that they are in force for everything.
  const header = /^(.+\n)+/.exec(entry)?.[0] ?? "";
  const files = ROOMS.flatMap(room => libraries(`lib/${room}`).map(name => [`lib/${room}`, name] as const));
  const joined = files.map(([room, name]) => `# --- ${room}/${name}\n\n${libraryText(room, name)}`);
  const help = `# --- components/host/command/help.ts\n\n${renderHelpLibrary().replace(LIBRARY_HEADER, "").trim()}`;
  return (
    [header.trimEnd(), ...joined, help, `# --- prometheus-backup.sh\n\n${entry.slice(header.length).trim()}`].join(
      "\n\n",
    ) + "\n"
  );
}

/** Names of the shared parts that a step asks for in its header. */
function sharedParts(step: string): string[] {
  const parts = /^# parts: (.+)$/m.exec(read("steps", `${step}.sh`))?.[1];
  if (parts === undefined) {
    throw new Error(`scripts/steps/${step}.sh names no parts in its header`);
  }
  return parts.trim().split(/ +/);
}

/** A shared part lies in `steps/common`, or is one of the host command's own libraries. */
function sharedPart(part: string): string {
  const directory = part.startsWith("lib/") ? "" : "steps/common";
  return libraryText(directory, `${part}.sh`);
}

/**
 * One host step: the shared parts it asks for, its own parts in lexical order, then the step, whose last line calls
 * `main`.
 */
export function renderStepProgram(step: string): string {
  const ownDirectory = path.join("steps", step);
  const own = fs.existsSync(path.join(scriptsDirectory, ownDirectory)) ? libraries(ownDirectory) : [];
  return (
    [
      "#!/usr/bin/env bash",
      ...sharedParts(step).map(sharedPart),
      ...own.map(name => libraryText(ownDirectory, name)),
      libraryText("steps", `${step}.sh`),
    ].join("\n\n") + "\n"
  );
}
