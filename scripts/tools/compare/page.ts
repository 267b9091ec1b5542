import { HostChange } from "./changes";

function headline(change: HostChange): string {
  switch (change.kind) {
    case "new":
      return `new host; steps: ${change.steps.join(", ")}`;
    case "removed":
      return "leaves the stack; the host is put back as it was found, its backups stay";
    case "same":
      return "no change";
    case "changed":
      return change.steps.length === 0 ? "no step runs" : `steps that run: ${change.steps.join(", ")}`;
  }
}

function body(change: HostChange): string[] {
  const programs =
    change.programs.length === 0
      ? []
      : [
          `Programs of a new version: ${change.programs.map(file => `\`${file}\``).join(", ")}; their lines are in the diff of this repository.`,
          "",
        ];
  return [...programs, ...change.diffs.flatMap(([title, lines]) => [`\`${title}\``, "```diff", ...lines, "```"])];
}

function restarts(changes: Map<string, HostChange>): string {
  const often = ["once", "twice"].map((word, index) => {
    const names = [...changes].filter(([, change]) => change.restarts === index + 1).map(([name]) => name);
    return names.length === 0 ? [] : [`at most ${word} on ${names.join(", ")}`];
  });
  return often.flat().join(", ") || "none";
}

/** The comment for a pull request, in Markdown. Hosts whose change is the same stand together. */
export function renderPage(changes: Map<string, HostChange>): string {
  const groups = new Map<string, string[]>();
  for (const [name, change] of changes) {
    const text = [headline(change), "", ...body(change)].join("\n").trimEnd();
    groups.set(text, [...(groups.get(text) ?? []), name]);
  }
  const sections = [...groups].map(
    ([text, names]) => `**${names.join(", ")}**${names.length > 1 ? " (identical)" : ""}: ${text}\n`,
  );
  const connections = [...changes.values()].reduce((sum, change) => sum + change.connections, 0);
  return [
    ...sections,
    `Prometheus restarts: ${restarts(changes)}. SSH connections: ${connections}. Changed secrets and addresses are not seen here.\n`,
  ].join("\n");
}
