import { structuredPatch } from "diff";
import { paths } from "../../../components/host/paths";
import { restarts } from "../../../components/hostSteps";
import { HostTree, RenderedStep } from "./renderedHost";

/** What `up` would do to one host. */
export interface HostChange {
  kind: "new" | "removed" | "changed" | "same";
  /** Changed lines by file or step, in the form of a unified diff without its header. */
  diffs: [title: string, lines: string[]][];
  /** Programs that are the same on every host and changed with the version of this module. */
  programs: string[];
  /** Steps that run, in their order. */
  steps: string[];
  connections: number;
  /** How often Prometheus may be restarted. */
  restarts: number;
}

/** Constant files: their lines are reviewed where they are written, not once for each host. */
function isProgram(file: string): boolean {
  return file.startsWith(`${paths.steps}/`) || file === paths.hostCommand;
}

function changedLines(before: string, after: string): string[] {
  return structuredPatch("", "", before, after, "", "", { context: 0 })
    .hunks.flatMap(hunk => hunk.lines)
    .filter(line => !line.startsWith("\\"));
}

function settingsText(host: HostTree | undefined, step: string): string {
  return Object.entries(host?.steps[step]?.settings ?? {})
    .flatMap(([key, value]) => [value].flat().map(one => (one === "" ? "" : `${key} ${one}\n`)))
    .join("");
}

/** Compares one host of two renders; at least one of them must have it. */
export function compareHost(before: HostTree | undefined, after: HostTree | undefined): HostChange {
  const all = [...new Set([...(before?.files.keys() ?? []), ...(after?.files.keys() ?? [])])].sort();
  const changed = all.filter(file => before?.files.get(file) !== after?.files.get(file));
  const names = [...new Set([...Object.keys(before?.steps ?? {}), ...Object.keys(after?.steps ?? {})])];
  const told = names.filter(step => settingsText(before, step) !== settingsText(after, step));
  const programs = changed.filter(isProgram);
  // Every step names the checksum of the toolkit, so a new one runs them all.
  const newToolkit = changed.includes(`${paths.steps}/toolkit`);
  const steps = names.filter(
    step => newToolkit || told.includes(step) || carried(before, after, step).some(file => changed.includes(file)),
  );
  const credentials = newToolkit && (before ?? after)?.hasCredentials === true ? 1 : 0;
  const diffs: [string, string[]][] = [
    ...changed
      .filter(file => !isProgram(file))
      .map((file): [string, string[]] => [
        file.slice(1),
        changedLines(before?.files.get(file) ?? "", after?.files.get(file) ?? ""),
      ]),
    ...told.map((step): [string, string[]] => [
      `step ${step}`,
      changedLines(settingsText(before, step), settingsText(after, step)),
    ]),
  ];
  return {
    kind:
      before === undefined
        ? "new"
        : after === undefined
          ? "removed"
          : steps.length + diffs.length > 0
            ? "changed"
            : "same",
    diffs: before === undefined || after === undefined ? [] : diffs,
    programs: before === undefined || after === undefined ? [] : programs,
    steps,
    connections: steps.length + credentials + (newToolkit && after !== undefined ? 1 : 0),
    restarts: names.filter(step => mayRestart(step, before?.steps[step], after?.steps[step])).length,
  };
}

/** A new version alone does not: what the step would restart the server for is so already. */
function mayRestart(step: string, before: RenderedStep | undefined, after: RenderedStep | undefined): boolean {
  const restart = restarts.get(step);
  if (restart === undefined || after === undefined) {
    return restart?.whenRemoved === true;
  }
  return (
    before === undefined ||
    restart.settings.some(name => String(before.settings[name]) !== String(after.settings[name]))
  );
}

function carried(before: HostTree | undefined, after: HostTree | undefined, step: string): string[] {
  return [...(before?.steps[step]?.files ?? []), ...(after?.steps[step]?.files ?? [])];
}
