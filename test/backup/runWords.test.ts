// A run by hand: words at a terminal, lines of the log elsewhere.
import { afterAll, expect, test } from "vitest";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

const LINES: [line: string, words: string][] = [
  [
    "start backup=20261130T180035Z source=snapshot repositories=local,offsite user=jane doe",
    "Backup 20261130T180035Z of prom-1, source snapshot, to local, offsite",
  ],
  ["wait for=server reason=not_ready", "  waiting for the server to be ready"],
  ["snapshot name=20261130T180035Z-07adfb485596d681 seconds=1", "  snapshot made in 1 s"],
  [
    "companions masked=2 (left-out.txt in the backup names what is missing)",
    "  configuration: 2 secrets masked; left-out.txt in the backup names what is missing",
  ],
  ["blocks count=5 bytes=215446", "  the server has 5 blocks, 215 kB"],
  [
    "plan repository=local new=1 pooled=4 covered=0 heads=1 bytes=121456",
    "  local: 1 new and 4 known blocks, and the head; 121 kB to pack",
  ],
  [
    "plan repository=local new=0 pooled=4 covered=2 heads=0 bytes=0",
    "  local: 0 new and 4 known blocks, 2 covered by what they were merged from; 0 B to pack",
  ],
  ["plan repository=local new=0 pooled=4 covered=0 heads=0 bytes=0", "  local: 0 new and 4 known blocks; 0 B to pack"],
  ["stored repository=local blocks=5 sent=38000 seconds=2", "  local: stored, 38.0 kB sent, 2 s"],
  ["prune repository=local backups=2 objects=31", "  local: retention removes 2 backups, 31 objects"],
  ["prune repository=local backups=1 objects=1", "  local: retention removes 1 backup, 1 object"],
  [
    "done backup=20261130T180035Z newest_sample=2026-11-30T18:00:35Z seconds=9",
    "Done: backup 20261130T180035Z, up to 2026-11-30 18:00:35Z, 9 s",
  ],
  ["failed backup=20261130T180106Z exit_code=8 seconds=7", "Failed: backup 20261130T180106Z, exit code 8, 7 s"],
  [
    "failed backup=20261130T180106Z exit_code=8 seconds=7 stored_in=local,nas",
    "Failed: backup 20261130T180106Z, exit code 8, 7 s; it is stored in local, nas",
  ],
  // Nothing of a value is counted with that is no number.
  ["blocks count=5 bytes=x[$(touch${IFS}EXECUTED)]", "  the server has 5 blocks, 0 B"],
];
const script = `LOG_FILE=$PWD/log; HOST_NAME=prom-1; : >"$LOG_FILE"\n${LINES.map(([line]) => `log '${line}'`).join("\n")}`;
const stamped = (text: string): string[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map(line => line.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /, ""));

test("a person reads words, and the log gets its lines", () => {
  const shown = shell.terminal(`${script}\nlog 'held blocks=1'`, 200).replaceAll("\r", "").split("\n").filter(Boolean);
  expect(shown.slice(0, -1)).toEqual(LINES.map(([, words]) => words));
  expect(shown.at(-1)).toMatch(/^\d{4}-\S+Z held blocks=1$/);
  expect(stamped(shell.print('cat "$PWD/log"'))).toEqual([...LINES.map(([line]) => line), "held blocks=1"]);
  expect(shell.tree(".")).not.toContain("./EXECUTED");
});

test("elsewhere the lines themselves are written", () => {
  expect(stamped(shell.run(script).stderr)).toEqual(LINES.map(([line]) => line));
});
