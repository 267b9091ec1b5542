/** `npm run check:shell`: shellcheck over every shell file as it lies, and over what is joined from them. */
import { spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { renderHostCommand, renderStepProgram, ROOMS, scriptsDirectory } from "../../components/host/programs";
import { StepName } from "../../components/host/stepName";
import { ensurePrograms, LOCAL_PROGRAMS } from "../tools/debianPackages";
import { setNowhere } from "./names";
import { ownerless } from "./owners";
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

/** Globals of which more than one file still disposes: this list only becomes shorter. */
const SHARED = new Set(
  `ADMIN_API ALLOW_RETENTION_LOSS API_BODY API_CURL_CONFIG API_ERROR API_STATUS ARRIVED ASIDE ASKED
   ASSUME_YES BACKUP BACKUP_COMPLETE BACKUP_FLAWS BACKUP_STATE BACKUP_USER BLOCK_ERROR CLEANUP_HOOKS
   CONFIRMED CREATED DATA_DIRECTORY DOWN_SINCE DRILL_PLACE FAULT FETCHED_BYTES
   FETCH_ERROR FETCH_SPEED FIND_NOTES FROM_MS HEAD_START HELD_DIRECTORY HOLD_FD HOPELESS HOST_NAME
   IDLE_TIMEOUT_SECONDS JOBS_FD JOB_LEVEL JOURNAL JSON KEY LOCK_FD LOG_RELAYED MANIFEST MOVED_IN NOT_READ
   ONLY_BLOCKS ONLY_REPOSITORY OPEN_REPOSITORIES PACK_THREADS PARTIAL PHASE PHASED PHASE_NAME PHASE_WORDS
   PLAN_ONLY PROMETHEUS_UNIT PROMETHEUS_URL RCLONE_CONFIG_FILE READY_TIMEOUT_SECONDS
   REFUSALS RELAYED REMEDY REPOSITORY_COUNT REPOSITORY_ERROR REPOSITORY_LOCATIONS REPOSITORY_NAMES
   REPOSITORY_PROOFS REPOSITORY_PRUNES REPOSITORY_TYPES RESTORE_HOST RESTORE_MODE RESTORE_REPOSITORY
   RETENTION_SIZE RETENTION_TIME SCRATCH SELECTED SENDING_BYTES SENT_BYTES SENT_SHA256 SERVER_PID
   SERVER_VERSION SNAPSHOT SNAPSHOT_DIR SOURCE SOURCE_DIR STAGE_OWNER STAGING STATE_DIR SWITCH_FD T TARGET
   TERMINAL_COLUMNS TEXTFILE_DIR TO_JUDGE TO_MS UNANSWERED UNEXPLAINED UNIT_KNOWN UNIT_PID UNJUDGED WANTED
   WAS_RUNNING`.split(/\s+/),
);

/** Every global of the host command is set by the file that declares it. */
function keepsOwners(files: string[]): boolean {
  const found = ownerless(
    files
      .map(file => ({ name: path.relative(scriptsDirectory, file), text: fs.readFileSync(file, "utf8") }))
      .filter(({ name }) => !name.startsWith("steps/")),
  );
  const shared = (line: string): string => /\$(\w+)/.exec(line)?.[1] ?? "";
  const left = new Set(found.map(shared));
  const faults = [
    ...found.filter(line => !SHARED.has(shared(line))),
    ...[...SHARED].filter(name => !left.has(name)).map(name => `$${name} has one owner; take it off SHARED`),
  ];
  process.stderr.write(faults.map(line => `${line}\n`).join(""));
  return faults.length === 0;
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
      keepsOwners(ours),
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
