import { paths } from "../paths";
import { hostCommands } from "./commands";
import { ExitCode, exitCodes } from "./exitCodes";
import { at, CommandOption, HostCommand, timeForms } from "./forms";

/** What people type. */
export const programName = paths.hostCommand.split("/").at(-1) ?? "";

/** What is wider than this does not move the others. */
const LEFT = 28;

/** Words in two columns. Nothing is cut into lines here: the host command does that, which knows the terminal. */
function columns(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([left]) => left.length).filter(length => length <= LEFT)) + 2;
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}${left.length > width - 2 ? "  " : ""}${right}`);
}

/** Options of a command, `--at` among them where it works on other machines. */
export function optionsOf(command: HostCommand): CommandOption[] {
  return [...command.options, ...(command.anywhere === true ? [at] : [])];
}

/** An option as it is typed, with its other name and what its value is called. */
export function optionWords({ name, value, alias }: CommandOption): string {
  const names = [name, ...(alias === undefined ? [] : [alias])].map(word => `--${word}`).join(", ");
  return value === undefined ? names : `${names} ${value}`;
}

/** What an option does, as a table shows it. */
export function optionText({ text, again }: CommandOption): string {
  return again === true ? `${text} (again for more)` : text;
}

/** The command with what may follow it. */
export function usageLine(command: HostCommand): string {
  const words = [programName, command.name, command.word, optionsOf(command).length > 0 ? "[OPTION...]" : undefined];
  return words.filter(word => word !== undefined).join(" ");
}

/** Its summary and what else there is to know, as sentences. */
export function description({ summary, about }: HostCommand): string {
  return `${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}. ${about}`;
}

/** Whether one of its options takes a time. */
export function takesTime(command: HostCommand): boolean {
  return command.options.some(({ value }) => value === "TIME");
}

/** The help of one command. */
export function commandHelp(command: HostCommand): string {
  const options = optionsOf(command).map(option => [optionWords(option), optionText(option)] as const);
  const times = timeForms.map(({ form, text }) => [form, text] as const);
  return [
    usageLine(command),
    `  ${description(command)}`,
    ...(options.length === 0 ? [] : ["", ...columns(options)]),
    ...(takesTime(command) ? ["", "TIME is one of:", ...columns(times)] : []),
    "",
    "Examples:",
    ...command.examples.flatMap(({ line, text }) => [`  ${programName} ${line}`, `      ${text}`]),
    "",
  ].join("\n");
}

/** The commands that people call. */
export function commandsOfPeople(): HostCommand[] {
  return hostCommands.filter(({ internal }) => internal !== true);
}

function listed(words: string[]): string {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

/** What the bare command prints. */
export function overview(): string {
  const shown = commandsOfPeople();
  const anywhere = shown.filter(command => command.anywhere === true).map(({ name }) => name);
  return [
    `${programName} COMMAND: backs up and restores the Prometheus server of this host.`,
    "",
    ...columns(shown.map(({ name, word, summary }) => [word === undefined ? name : `${name} ${word}`, summary])),
    "",
    `More, with examples: ${programName} help COMMAND`,
    "",
    "BACKUP is a name such as 20261122T020000Z, or its beginning if no other one begins like that.",
    `On any other machine, with access to a repository: --at PLACE --host NAME, for ${listed(anywhere)}.`,
    "",
  ].join("\n");
}

/** A text between quotes of bash, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function forms(command: HostCommand): string {
  return command.options
    .flatMap(({ name, value, again, alias }) => {
      const kind = value === undefined ? "flag" : again === true ? "list" : "value";
      return [name, ...(alias === undefined ? [] : [alias])].map(word => `${word}:${kind}:${name}`);
    })
    .join(" ");
}

function entry(name: string, value: string): string {
  return `  [${name}]=${quoted(value)}`;
}

function printed(label: string, text: string): string[] {
  return [`    ${label}) cat <<'TEXT'`, ...text.trimEnd().split("\n"), "TEXT", "      ;;"];
}

function plain(text: string): string {
  return text.replaceAll("`", "");
}

function codeLine(pick: (code: ExitCode) => string): (code: ExitCode) => string {
  return code => `    ${code.code}) printf '%s' ${quoted(plain(pick(code)))} ;;`;
}

/** The part of the host command that is made from the lists of commands and of exit codes. */
export function renderHelpLibrary(): string {
  return [
    "# shellcheck shell=bash",
    "# Made from components/host/command/commands.ts and exitCodes.ts: what may be typed, and what --help says of it.",
    "",
    "# By command: its options (name, kind, and under which name OPTIONS has it), and the one word that it takes.",
    "readonly -A COMMAND_OPTIONS=(",
    ...hostCommands.map(command => entry(command.name, forms(command))),
    ")",
    "readonly -A COMMAND_WORD=(",
    ...hostCommands.map(command => entry(command.name, command.word ?? "")),
    ")",
    `readonly COMMANDS_ANYWHERE=(${hostCommands
      .filter(({ anywhere }) => anywhere)
      .map(({ name }) => name)
      .join(" ")})`,
    `readonly COMMANDS_OF_PEOPLE=(${commandsOfPeople()
      .map(({ name }) => name)
      .join(" ")})`,
    `readonly EXIT_CODES=(${exitCodes.map(({ code }) => code).join(" ")})`,
    "",
    "# help_of COMMAND: its help; the overview for anything else.",
    "help_of() {",
    '  case "$1" in',
    ...hostCommands.flatMap(command => printed(command.name, commandHelp(command))),
    ...printed("*", overview()),
    "  esac",
    "}",
    "",
    "# exit_meaning CODE / exit_advice CODE: what an exit code means, and what to do first.",
    "exit_meaning() {",
    '  case "$1" in',
    ...exitCodes.map(codeLine(({ meaning }) => meaning)),
    "  esac",
    "}",
    "exit_advice() {",
    '  case "$1" in',
    ...exitCodes.filter(({ first }) => first !== "").map(codeLine(({ first }) => first)),
    "  esac",
    "}",
    "",
  ].join("\n");
}
