// What the last column of `list` says of a backup that is whole and still tells of trouble.
import { afterAll, expect, test } from "vitest";
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
