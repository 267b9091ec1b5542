import { ExitCode, exitCodes } from "./exitCodes";
import { HostCommand, timeForms } from "./forms";
import {
  commandsOfPeople,
  description,
  optionsOf,
  optionText,
  optionWords,
  programName,
  takesTime,
  usageLine,
} from "./help";

/** What would end a cell of a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function optionTable(command: HostCommand): string[] {
  const options = optionsOf(command);
  if (options.length === 0) {
    return [];
  }
  const rows = options.map(option => `| \`${cell(optionWords(option))}\` | ${cell(optionText(option))} |`);
  return ["", "| option | |", "|---|---|", ...rows];
}

function section(command: HostCommand): string[] {
  const examples = command.examples.map(({ line, text }) => `${programName} ${line}   # ${text}`);
  return [
    "",
    `## ${command.name}`,
    "",
    `\`${usageLine(command)}\``,
    "",
    description(command),
    ...optionTable(command),
    ...(takesTime(command) ? ["", "TIME: see [below](#times)."] : []),
    "",
    "```",
    ...examples,
    "```",
  ];
}

/** docs/commands.md. */
export function renderCommandsPage(): string {
  return [
    "# Commands",
    "",
    `What \`${programName}\` takes on a host. This page is made by \`npm run commands\` from the table that parser, ` +
      `help,`,
    "completion and man page are made from: `components/host/command/commands.ts`. On the host: `help COMMAND`, or " +
      "`man prometheus-backup.sh`.",
    "",
    "BACKUP is the name of a backup, or its beginning if no other one begins like that; `latest` is the newest one " +
      "that is",
    "complete, not suspect and not dated in the future. Results go to standard output, everything else to standard " +
      "error.",
    "What its exit codes mean: [exit-codes.md](exit-codes.md).",
    ...commandsOfPeople().flatMap(section),
    "",
    "## Times",
    "",
    "| TIME | |",
    "|---|---|",
    ...timeForms.map(({ form, text }) => `| \`${form}\` | ${text} |`),
    "",
  ].join("\n");
}

function codeRow({ code, meaning, first }: ExitCode): string {
  return `| ${code} | ${meaning} | ${first} |`.replace("|  |", "| |");
}

/** The table of docs/exit-codes.md. */
export function renderExitCodeTable(): string {
  return ["| code | meaning | what to do first |", "|---|---|---|", ...exitCodes.map(codeRow), ""].join("\n");
}
