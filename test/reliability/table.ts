// The two columns of docs/reliability.md.
import type { Candidate } from "./candidates";
import type { Check, Fault } from "./check";

/** What was seen, by fault and candidate. */
export type Outcomes = Record<string, Partial<Record<Candidate["kind"], Check[]>>>;

/**
 * ✔ everything held; ◐ the data are safe, but nobody is told or something is left; ✘ data lost, or a loss called a
 * success.
 */
export function mark(checks: Check[]): "✔" | "◐" | "✘" {
  if (checks.every(({ ok }) => ok)) {
    return "✔";
  }
  return checks.some(({ ok, vital }) => !ok && vital === true) ? "✘" : "◐";
}

function cell(checks: Check[] | undefined): string {
  if (checks === undefined) {
    return "not tried";
  }
  const bad = checks.filter(({ ok }) => !ok);
  return `${mark(checks)} ${(bad.length > 0 ? bad : checks).map(({ seen }) => seen).join("; ")}`;
}

export function renderTable(faults: Fault[], outcomes: Outcomes): string {
  const rows = faults.map(
    ({ id, fault, required }) =>
      `| ${id} | ${fault} | ${required} | ${cell(outcomes[id]?.course)} | ${cell(outcomes[id]?.project)} |`,
  );
  const count = (kind: Candidate["kind"], wanted: string) =>
    faults.filter(({ id }) => mark(outcomes[id]?.[kind] ?? [{ ok: false, seen: "", vital: true }]) === wanted).length;
  const sum = (kind: Candidate["kind"]) => `**${count(kind, "✔")} ✔, ${count(kind, "◐")} ◐, ${count(kind, "✘")} ✘**`;
  return [
    "",
    "| | fault | must be | course's script | prometheus-backup |",
    "|---|---|---|---|---|",
    ...rows,
    `| | | | ${sum("course")} | ${sum("project")} |`,
    "",
    "",
  ].join("\n");
}
