import { paths } from "../paths";
import { exitCodes } from "./exitCodes";
import { HostCommand, timeForms } from "./forms";
import { commandsOfPeople, description, optionsOf, optionText, optionWords, programName, takesTime } from "./help";

/** A text of a man page: what troff would take for its own is escaped. */
function roff(text: string): string {
  return text
    .replaceAll("`", "")
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(['.])/gm, "\\&$1");
}

function tagged(label: string, text: string): string[] {
  return [".TP", `.B ${roff(label)}`, roff(text)];
}

function section(command: HostCommand): string[] {
  return [
    `.SS ${roff([command.name, command.word].filter(word => word !== undefined).join(" "))}`,
    roff(description(command)),
    ...optionsOf(command).flatMap(option => tagged(optionWords(option), optionText(option))),
    ...(takesTime(command) ? [".PP", "The forms of TIME are below."] : []),
    ...command.examples.flatMap(({ line, text }) => tagged(`${programName} ${line}`, text)),
  ];
}

/** The man page of the host command. Without a date: it is the same whenever it is made. */
export function renderManPage(): string {
  return [
    `.TH ${roff(programName.toUpperCase())} 8 "" "prometheus\\-backup"`,
    // No command is broken within a word.
    ".nh",
    ".ad l",
    ".SH NAME",
    `${roff(programName)} \\- backs up and restores the Prometheus server of this host`,
    ".SH SYNOPSIS",
    `.B ${roff(programName)}`,
    "COMMAND [OPTION...]",
    ".SH DESCRIPTION",
    roff(
      "BACKUP is the name of a backup, or its beginning if no other one begins like that. latest is the newest one " +
        "that is " +
        "complete, not suspect and not dated in the future. Results go to standard output, everything else to " +
        "standard error.",
    ),
    ".PP",
    roff(
      "The bare command prints an overview on a terminal, and is a run without one. On any other machine, with " +
        "access to a " +
        "repository, --at PLACE --host NAME name the repository and the host whose backups they are.",
    ),
    ".SH COMMANDS",
    ...commandsOfPeople().flatMap(section),
    ".SH TIMES",
    ...timeForms.flatMap(({ form, text }) => tagged(form, text)),
    ".SH EXIT STATUS",
    ...exitCodes.flatMap(({ code, meaning, first }) =>
      tagged(String(code), first === "" ? meaning : `${meaning}. First: ${first}`),
    ),
    ".SH FILES",
    ...tagged(paths.settings, "the settings, written by pulumi up"),
    ...tagged(paths.log, "what the scheduled jobs said"),
    ...tagged(paths.state, "what runs remember"),
    "",
  ].join("\n");
}

function completionCase(command: HostCommand): string {
  const options = optionsOf(command).flatMap(({ name, alias }) => [name, ...(alias === undefined ? [] : [alias])]);
  // With --at, every command takes the host.
  const all = new Set([...options, ...(command.anywhere === true ? ["host"] : []), "help"]);
  const word =
    command.word === undefined
      ? ""
      : command.word.includes("BACKUP")
        ? "latest $(_prometheus_backup_names)"
        : command.word.includes("CODE")
          ? exitCodes.map(({ code }) => code).join(" ")
          : "";
  return `    ${command.name}) options='${[...all].map(option => `--${option}`).join(" ")}' words="${word}" ;;`;
}

function valued(value: string): string {
  const names = commandsOfPeople().flatMap(command =>
    optionsOf(command)
      .filter(option => option.value === value)
      .map(({ name }) => `--${name}`),
  );
  return [...new Set(names)].join(" | ");
}

function otherValues(): string {
  const known = ["DIR", "PLACE"];
  const names = commandsOfPeople().flatMap(command =>
    optionsOf(command)
      .filter(({ value }) => value !== undefined && !known.includes(value))
      .map(({ name }) => `--${name}`),
  );
  return [...new Set(names)].join(" | ");
}

/** Names of this host's backups as the last run or list saw them: who may not read that is offered none. */
function namesFunction(): string[] {
  return [
    "_prometheus_backup_names() {",
    "  local host",
    `  host="$(sed --quiet "s/^HOST_NAME='\\(.*\\)'$/\\1/p" ${paths.settings} 2>/dev/null)"`,
    // Plain files alone: whoever completes does not wait for a pipe of the backup user.
    `  find ${paths.state}/cache/summaries-* -maxdepth 1 -type f -name "*.$host" \\`,
    "    -exec sed --quiet 's/^\\([0-9]\\{8\\}T[0-9]\\{6\\}Z\\)\\.json .*/\\1/p' {} + 2>/dev/null |",
    "    sort --unique --reverse",
    "}",
  ];
}

/**
 * Completion for bash: commands, their options, folders where one is named, and names of backups. It asks no
 * repository.
 */
export function renderCompletion(): string {
  const shown = commandsOfPeople();
  return [
    `# bash completion for ${programName}. Made from components/host/command/commands.ts.`,
    ...namesFunction(),
    "_prometheus_backup() {",
    "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]:-} " +
      'options="" words=""',
    "  COMPREPLY=()",
    "  if (( COMP_CWORD == 1 )); then",
    `    mapfile -t COMPREPLY < <(compgen -W '${shown.map(({ name }) => name).join(" ")} help --help --version' -- ` +
      `"$current")`,
    "    return 0",
    "  fi",
    '  case "$before" in',
    `    ${valued("DIR")} | ${valued("PLACE")}) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return 0 ;;`,
    `    ${otherValues()}) return 0 ;;`,
    "  esac",
    '  case "$command" in',
    ...shown.map(completionCase),
    `    help) words='${shown.map(({ name }) => name).join(" ")}' ;;`,
    "  esac",
    '  if [[ $current == -* ]]; then words=""; else options=""; fi',
    '  mapfile -t COMPREPLY < <(compgen -W "$options $words" -- "$current")',
    "}",
    `complete -F _prometheus_backup ${programName}`,
    "",
  ].join("\n");
}
