// What the last column of `list` says of a backup that is whole and still tells of trouble.
import { afterAll, describe, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

test.each([
  [{ lacks: 0, lost: 0 }, "complete"],
  [{ lacks: 1, lost: 2 }, "complete, lacks 1 damaged block, 2 blocks lost"],
  [{ lacks: 3, lost: 1, pinned: true }, "complete, lacks 3 damaged blocks, 1 block lost, pinned"],
])("%j", (facts, state) => {
  const backup = {
    name: "20260101T020000Z",
    complete: true,
    startedAt: null,
    sizeBytes: 0,
    sentBytes: 0,
    blocks: 1,
    ...facts,
  };
  const table = 'jq --slurp --raw-output --argjson now 0 "$(list_table)" <<<"$1"';
  expect(shell.print(table, JSON.stringify(backup)).split("\n").at(-1)?.split("\t").at(-1)).toBe(state);
});

describe("the table is as wide as the terminal", () => {
  const row = (repository: string, more: object = {}) => ({
    name: "20260101T020000Z",
    repository,
    complete: true,
    startedAt: "2026-01-01T02:00:00Z",
    sizeBytes: 104_000_000,
    sentBytes: 33_000,
    blocks: 12,
    oldestSample: "2025-12-01T02:00:00Z",
    newestSample: "2026-01-01T02:00:00Z",
    ...more,
  });
  const suspect = "1868 samples instead of 10674745 in the backup before, and nobody has said that this is right";
  const rows = [row("local"), row("offsite", { suspect: true, suspectReason: suspect })];
  /** The table on so many columns; without a number, where no terminal is. */
  const table = (columns: number | "", locale = "C.UTF-8") =>
    shell
      .print(
        `CALLER_LOCALE=${locale}
        jq --raw-output --argjson now 1767240000 "$(list_table)" <<<"$1" | signs | fit_columns "$2" >"$SCRATCH/rows"
        while IFS= read -r line; do fold_line "$line" "\${2:-1000}"; printf '%s\n' "$FOLDED"; done <"$SCRATCH/rows"`,
        JSON.stringify(rows),
        String(columns),
      )
      .split("\n");

  test.each([
    [36, /^BACKUP +WHERE +STATE$/],
    [60, /^BACKUP +AGE +SIZE( +BLOCKS)? +WHERE +STATE$/],
    [80, /^BACKUP +AGE +SIZE +COVERS \(UTC\) +WHERE +STATE$/],
    ["", /^BACKUP +AGE +SIZE +COVERS \(UTC\) +WHERE +STATE$/],
    [110, /^BACKUP +AGE +SIZE +SENT +BLOCKS +COVERS \(UTC\) +WHERE +STATE$/],
  ] as const)("%s columns", (columns, head) => {
    const lines = table(columns);
    expect(lines[0]).toMatch(head);
    expect(lines.filter(line => line.startsWith(rows[0]?.name ?? "?"))).toHaveLength(rows.length);
    expect(lines.join(" ").replaceAll(/ +/g, " ")).toContain(suspect);
    if (columns === "") {
      expect(lines).toHaveLength(3);
    } else {
      expect(lines.filter(line => line.length > columns)).toEqual([]);
      expect(table(columns, "C").filter(line => line.length > columns)).toEqual([]);
    }
  });
});
