import { createHash } from "crypto";
import { HostFile, HostFiles } from "./files";
import { paths } from "./paths";
import { StepName } from "./stepName";
import { carriedPath, renderToolkit } from "./toolkit";

/**
 * What a step is told: settings by name (an empty one is left out, a list is one line for each value), files by path,
 * and files that the toolkit carries.
 */
export interface StepContent {
  settings: Record<string, string | string[]>;
  files?: HostFiles;
  carried?: HostFiles;
}

/** Hex digest of a text. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function settingLines([key, values]: [string, string | string[]]): string[] {
  return [values].flat().flatMap(value => {
    if (/[\0\r\n]/.test(value)) {
      throw new RangeError(`setting ${key} holds a line break or NUL, which a host step cannot take`);
    }
    return value === "" ? [] : [`setting ${key} ${value}`];
  });
}

function checkedPath(path: string): string {
  if (!/^\/[A-Za-z0-9._/@+-]+$/.test(path)) {
    throw new RangeError(`"${path}" is not a path that a host step can take`);
  }
  return path;
}

function fileLines([path, file]: [string, HostFile]): string[] {
  if (file.content.includes("\0")) {
    throw new RangeError(`${path} holds a NUL character, which a host step cannot take`);
  }
  if (!file.content.endsWith("\n") && file.content !== "") {
    throw new RangeError(`${path} does not end with a line break`);
  }
  const lines = file.content.split("\n").slice(0, -1);
  return [`file ${checkedPath(path)} ${file.owner} ${file.mode}`, ...lines.map(line => `| ${line}`)];
}

function carriedLine([path, file]: [string, HostFile]): string {
  return `carried ${checkedPath(path)} ${file.owner} ${file.mode} ${sha256(file.content)}`;
}

/**
 * Finds the toolkit on the host (installed by an earlier step, or just copied to the host at `place`), takes the
 * program of the step out of it and hands over to it. bash reads this from the pipe byte by byte, so the program finds
 * the rest there.
 */
function loader(step: StepName, place: string): string[] {
  const toolkit = renderToolkit();
  return [
    `# prometheus-backup host step: ${step}; toolkit sha256 ${toolkit.digest}`,
    "set -Eeuo pipefail",
    "umask 077",
    `step=${step}`,
    `digest=${toolkit.digest}`,
    `carried=${carriedPath(toolkit, place)}`,
    `toolkit=${paths.steps}/toolkit`,
    `is_whole() { printf '%s  %s\\n' "$digest" "$1" | sha256sum --check --status 2>/dev/null; }`,
    'if is_whole "$toolkit"; then',
    '  rm -f -- "$carried"',
    "else",
    '  toolkit="$(mktemp)"',
    '  if ! gzip -dc -- "$carried" >"$toolkit" || ! is_whole "$toolkit"; then',
    '    rm -f -- "$toolkit"',
    `    echo "prometheus-backup: error: the toolkit was copied to this host once, but is neither at $carried nor ` +
      `installed; run: pulumi up --replace '**-toolkit'" >&2`,
    "    exit 3",
    "  fi",
    "fi",
    'program="$(mktemp)"',
    `awk -v section="#== $step" '/^#== / { on = ($0 == section); next } on' "$toolkit" >"$program"`,
    'PROMETHEUS_BACKUP_TOOLKIT="$toolkit" exec /bin/bash "$program" install',
  ];
}

/** Which resource a step belongs to, in a form that needs no quoting anywhere. */
export function installationName(resource: string): string {
  return /^[A-Za-z0-9._-]{1,120}$/.test(resource) ? resource : sha256(resource).slice(0, 32);
}

/**
 * What a step gets on its standard input on the host at `place` (`address:port`): how to find its program, then
 * settings and files as readable lines. The program refuses to change anything unless the last line `end` arrived.
 * Throws `RangeError` on text that this form cannot carry.
 */
export function renderStep(step: StepName, content: StepContent, place: string, installation: string): string {
  return [
    ...loader(step, place),
    `setting INSTALLATION ${installation}`,
    ...Object.entries(content.settings).flatMap(settingLines),
    ...Object.entries(content.files ?? {}).flatMap(fileLines),
    ...Object.entries(content.carried ?? {}).map(carriedLine),
    "end",
    "",
  ].join("\n");
}

/** What a step is told of these settings: lines of what `renderStep` makes. */
export function settingsOf(payload: string, settings: string[]): string[] {
  const starts = settings.map(name => `setting ${name} `);
  return payload.split("\n").filter(line => starts.some(start => line.startsWith(start)));
}
