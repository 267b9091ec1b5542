// Archives hold files and folders of expected names, and nothing else: what a repository says may be a stranger's.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const ULID = "01HZZZZZZZZZZZZZZZZZZZZ001";
const at = (...names: string[]): string => path.join(shell.directory, ...names);
const WAL = [
  "wal/00000001",
  "wal/checkpoint.00000000/00000000",
  "wal/checkpoint.00000002.tmp/00000000",
  "wbl/00000000",
  "chunks_head/000001",
];

beforeEach(() => fs.rmSync(at("part"), { recursive: true, force: true }));

function put(name: string, content = "x"): void {
  fs.mkdirSync(path.dirname(at("part", name)), { recursive: true });
  fs.writeFileSync(at("part", name), content);
}

/** What `check_wal` says of the folder. */
const checkWal = (): string =>
  shell.print(`FETCH_ERROR=""; check_wal "$PWD/part" heads/x-wal.tar.zst || printf '%s' "$FETCH_ERROR"`);

test("what a server has in its WAL, WBL and head is let in", () => {
  WAL.forEach(name => put(name));
  expect(checkWal()).toBe("");
});

const STRANGERS: [string, string, (file: string) => void][] = [
  ["a symbolic link", "wal/00000002", file => fs.symlinkSync("/etc/passwd", file)],
  ["a symbolic link to a folder", "wbl", file => fs.symlinkSync("/etc", file)],
  ["a fifo", "wal/00000002", file => execFileSync("mkfifo", [file])],
  ["a second name of a file", "wal/00000002", file => fs.linkSync(at("part", "wal/00000001"), file)],
  [
    "a program with the rights of its owner",
    "wal/00000002",
    file => execFileSync("install", ["-m", "4755", "/bin/true", file]),
  ],
  ["another name", "wal/../authorized_keys", file => fs.writeFileSync(file, "x")],
  ["a name in the folder of another part", "chunks_head/00000001.so", file => fs.writeFileSync(file, "x")],
  ["a folder where a file belongs", "wal/00000009", file => fs.mkdirSync(file)],
];

test.each(STRANGERS)("F36: %s in a WAL is named, with 9", (_title, name, make) => {
  ["wal/00000001", "chunks_head/000001"].forEach(file => put(file));
  make(at("part", name));
  expect(checkWal()).toMatch(/^9 heads\/x-wal\.tar\.zst holds '[a-z_0-9/.]+', which no WAL has$/);
});

const STRANGERS_OF_BLOCK = STRANGERS.slice(0, 5).map(([title, , make]): [string, (file: string) => void] => [
  title,
  make,
]);

test.each(STRANGERS_OF_BLOCK)("F36: %s in a block is named, and no batch with it counts", (_title, make) => {
  ["wal/00000001", `${ULID}/index`, `${ULID}/meta.json`, `${ULID}/chunks/000001`].forEach(file => put(file));
  make(at("part", ULID, "chunks/000002"));
  const facts = `B_ULID=(${ULID}) B_BYTES=(2)`;
  expect(shell.print(`${facts}; check_block "$PWD/part/${ULID}" 0 || printf '%s' "$BLOCK_ERROR"`)).toBe(
    "its object holds 'chunks/000002', which no block has",
  );
  fs.rmSync(at("part/wal"), { recursive: true });
  expect(shell.print(`${facts}; check_batch "$PWD/part" 0 && echo good || echo bad`)).toBe("bad");
});
