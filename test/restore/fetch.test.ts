// The download: blocks out of repositories in directories, several at once, and what happens when one of them is not as
// recorded.
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";
import { slowTest, variants } from "../runner/pace";

const shell = new Shell();
afterAll(() => shell.remove());

const at = (name: string) => path.join(shell.directory, name);
const ulid = (letter: string) => `01M7VW2GC07R5ZX6V25SJJYA${letter}${letter}`;
const LETTERS = ["A", "B", "C", "D", "E"];
const object = (letter: string) => `blocks/${ulid(letter)}.tar.zst`;
const inRepository = (repository: string, letter: string) => at(`${repository}/prom-1/${object(letter)}`);

/** What the manifest says of a block that is packed into both repositories; `recorded` are untruths about it. */
function pack(
  letter: string,
  { tombstones = "", recorded = {}, chunk = Buffer.from(letter.repeat(50_000)) } = {},
): object {
  const folder = at(`source/${ulid(letter)}`);
  fs.mkdirSync(path.join(folder, "chunks"), { recursive: true });
  fs.writeFileSync(path.join(folder, "index"), `index of ${letter}`);
  fs.writeFileSync(path.join(folder, "chunks/000001"), chunk);
  fs.writeFileSync(path.join(folder, "chunks/000002"), letter.repeat(10));
  const packed = execFileSync("bash", [
    "-c",
    'tar -cf - -C "$1" "$2/chunks" "$2/index" | zstd -q',
    "bash",
    at("source"),
    ulid(letter),
  ]);
  for (const repository of ["local", "second"]) {
    fs.writeFileSync(inRepository(repository, letter), packed);
  }
  const position = LETTERS.indexOf(letter);
  return {
    ulid: ulid(letter),
    object: object(letter),
    objectBytes: packed.length,
    objectSha256: createHash("sha256").update(packed).digest("hex"),
    bytes: 50_020,
    minTime: position * 1000,
    maxTime: (position + 1) * 1000,
    numSamples: 10,
    numSeries: 1,
    meta: { ulid: ulid(letter), version: 1 },
    tombstones,
    ...recorded,
  };
}

/** The first repository behind rclone, whose own "local" stands for a remote; its calls are written down. */
const REMOTE = `REPOSITORY_TYPES=(rclone path) REPOSITORY_LOCATIONS=("disk:$PWD/local" "$PWD/second") RCLONE_CONFIG_FILE="$PWD/rclone.conf"
    printf '[disk]\\ntype = local\\n' >rclone.conf
    eval "said_$(declare -f run_rclone)"; run_rclone() { printf '%s\\n' "$1" >>calls; said_run_rclone "$@"; }`;
const calls = () =>
  fs
    .readFileSync(at("calls"), "utf8")
    .trim()
    .split("\n")
    .filter(call => call !== "lsjson")
    .sort();

/** Fetches the blocks and says how that ended. */
function fetchAll(blocks: object[], settings = "", remote = false) {
  fs.writeFileSync(at("selected"), JSON.stringify(blocks));
  return shell.run(
    `cp selected "$SELECTED"; HOST_NAME=prom-1 RESTORE_HOST=prom-1 COMMAND=restore BACKUP=20260101T020000Z RESTORE_MODE=target PARTIAL=false
    STATE_DIR="$PWD/state" BACKUP_STATE="$PWD/state" BACKUP_USER="$(id -un)" M_DIGEST=d M_WAL="" M_ARCHIVE="" ${settings}
    REPOSITORY_NAMES=(local second) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/second")
    ${remote ? REMOTE : ""}
    open_repositories prom-1; select_repository 0; load_selected; fetch_selected "$PWD/stage"; staged_entries`,
  );
}

const blocksIn = (directory: string) =>
  fs
    .readdirSync(at(directory))
    .filter(name => /^0/.test(name))
    .sort();
const every = LETTERS.map(ulid);

function spoil(repository: string, letter: string, how: (good: Buffer) => Buffer): void {
  const file = inRepository(repository, letter);
  fs.writeFileSync(file, how(fs.readFileSync(file)));
}
const flip = (good: Buffer) =>
  Buffer.from(good.map((byte, position) => (position === good.length >> 1 ? byte ^ 1 : byte)));

beforeEach(() => {
  for (const name of ["local", "second", "stage", "state", "source", "calls"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
  }
  fs.mkdirSync(at("local/prom-1/blocks"), { recursive: true });
  fs.mkdirSync(at("second/prom-1/blocks"), { recursive: true });
  fs.mkdirSync(at("state"));
});

test.each(variants([2], [1, 7]))(
  "every block arrives as it was, with its own meta.json and tombstones, %i at a time",
  parallel => {
    const blocks = LETTERS.map(letter =>
      pack(letter, { tombstones: letter === "C" ? Buffer.from("marks of C").toString("base64") : "" }),
    );
    const { code, stdout, stderr } = fetchAll(blocks, `PARALLEL=${parallel}`);
    expect({ code, names: stdout.trim().split("\n").sort(), stderr }).toEqual({ code: 0, names: every, stderr: "" });
    for (const letter of LETTERS) {
      const read = (name: string) => fs.readFileSync(at(`stage/${ulid(letter)}/${name}`)).toString("latin1");
      expect([read("index"), read("chunks/000001"), read("chunks/000002")]).toEqual([
        `index of ${letter}`,
        letter.repeat(50_000),
        letter.repeat(10),
      ]);
      expect(JSON.parse(read("meta.json"))).toEqual({ ulid: ulid(letter), version: 1 });
      expect(read("tombstones")).toBe(letter === "C" ? "marks of C" : "\x01\x30\xba\x30\x01\x00\x00\x00\x00");
    }
    expect(shell.tree("stage").filter(name => name.includes("part-"))).toEqual([]);
  },
);

test("a block with a flipped byte comes from the repository that has it right, is named, and the others come as well", () => {
  const blocks = LETTERS.map(letter => pack(letter));
  spoil("local", "B", flip);
  const { code, stderr } = fetchAll(blocks);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `prometheus-backup: warning: ${object("B")} in repository local is damaged; another repository had it whole, and that one was used\n`,
  });
  expect(blocksIn("stage")).toEqual(every);
  expect(fs.readFileSync(at("state/damaged/local"), "utf8")).toBe(`${object("B")}\n`);
});

slowTest("a byte flipped behind the end of the archive, where unpacking does not notice, is found as well", () => {
  const blocks = LETTERS.map(letter => pack(letter));
  const grown = (good: Buffer) =>
    Buffer.concat([good, execFileSync("zstd", ["-q", "-c"], { input: Buffer.alloc(10) })]);
  for (const repository of ["local", "second"]) {
    spoil(repository, "D", grown);
  }
  const recorded = blocks.map((block, position) =>
    position === 3 ? { ...block, objectBytes: fs.statSync(inRepository("local", "D")).size } : block,
  );
  const { code, stderr } = fetchAll(recorded);
  expect(code).toBe(9);
  expect(stderr).toContain(
    `block ${ulid("D")} could not be restored: repository second (${at("second")}/prom-1): ${object("D")} is damaged: its checksum is not the recorded one`,
  );
  expect(blocksIn("stage")).not.toContain(ulid("D"));
});

test("a block that is damaged everywhere ends the restore with its name, and no part of it is taken for a block", () => {
  const blocks = LETTERS.map(letter => pack(letter));
  spoil("local", "A", flip);
  spoil("second", "A", flip);
  const { code, stderr } = fetchAll(blocks);
  expect(code).toBe(9);
  expect(stderr.split("\n").filter(line => line.includes("warning"))).toEqual(
    ["local", "second"].map(
      name =>
        `prometheus-backup: warning: ${object("A")} in repository ${name} is damaged; the next run sends it again if the server still has it`,
    ),
  );
  expect(stderr).toMatch(
    new RegExp(
      `^prometheus-backup: error: block ${ulid("A")} could not be restored: repository second .*${object("A")} is damaged: its checksum is not the recorded one; `,
      "m",
    ),
  );
  expect(blocksIn("stage")).not.toContain(ulid("A"));
});

/** A large block and four small ones, which come in one batch. */
const oneLarge = () => LETTERS.map(letter => pack(letter, letter === "A" ? { chunk: randomBytes(50_000) } : {}));

test.each([
  ["lies on the disk until it is unpacked", "", ["copy", "copy"]],
  ["that is too large for that is unpacked as it comes", "REMOTE_BATCH_BYTES=1000", ["cat", "copy"]],
])("blocks from a remote come several at once, one %s, and are as they were", (_, settings, expected) => {
  const blocks = oneLarge();
  const { code, stdout, stderr } = fetchAll(blocks, `PARALLEL=1 ${settings}`, true);
  expect({ code, names: stdout.trim().split("\n").sort(), stderr }).toEqual({ code: 0, names: every, stderr: "" });
  expect(calls()).toEqual(expected);
  expect(blocksIn("stage").map(name => fs.readFileSync(at(`stage/${name}/index`), "utf8"))).toEqual(
    LETTERS.map(letter => `index of ${letter}`),
  );
  expect(shell.tree("stage").filter(name => name.includes("part-"))).toEqual([]);
});

test("one that is damaged in the remote comes from the repository that has it right, and is named", () => {
  const blocks = oneLarge();
  spoil("local", "B", flip);
  const { code, stderr } = fetchAll(blocks, "PARALLEL=1", true);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `prometheus-backup: warning: ${object("B")} in repository local is damaged; another repository had it whole, and that one was used\n`,
  });
  expect(blocksIn("stage")).toEqual(every);
  expect(calls()).toEqual(["cat", "cat", "cat", "cat", "copy", "copy"]);
  expect(shell.tree("stage").filter(name => name.includes("part-"))).toEqual([]);
});

slowTest("one that has vanished from the remote since it was listed does not stop the others of its batch", () => {
  const blocks = oneLarge();
  const { code, stderr } = fetchAll(
    blocks,
    `PARALLEL=1; prepare_staging() { mkdir -p "$STAGING"; rm "$PWD/local/prom-1/${object("C")}"; }`,
    true,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(blocksIn("stage")).toEqual(every);
});

// Of the fetch of one object alone; each is what a kernel without memory does to a program.
const KILLED = ["zstd --decompress", "tar --extract", "dd if=", "openssl dgst"];
test.each(variants(KILLED.slice(0, 1), KILLED.slice(1)))(
  "an object on which '%s' was killed is neither damaged nor noted as such",
  program => {
    const killing = `unpack_batch() { return 1; }
      as_owner() { if [[ $* == *"${program}"* ]]; then cat >/dev/null; kill -KILL $BASHPID; else "$@"; fi; }
      as_backup_user() { if [[ $* == *"${program}"* ]]; then kill -KILL $BASHPID; else "$@"; fi; }`;
    const { code, stderr } = fetchAll([pack("A")], `PARALLEL=1; ${killing}`);
    expect([code, stderr.match(/damaged|missing/g)]).toEqual([8, null]);
    expect(stderr).toContain(object("A"));
    expect(fs.existsSync(at("state/damaged"))).toBe(false);
  },
);

test("an object as recorded that nobody can unpack is noted", () => {
  fs.mkdirSync(at("source/x"), { recursive: true });
  const block = pack("A") as { objectSha256: string; objectBytes: number };
  const junk = randomBytes(1000);
  for (const repository of ["local", "second"]) {
    fs.writeFileSync(inRepository(repository, "A"), junk);
  }
  const recorded = { objectBytes: junk.length, objectSha256: createHash("sha256").update(junk).digest("hex") };
  const { code, stderr } = fetchAll([{ ...block, ...recorded }]);
  expect([code, stderr]).toEqual([9, expect.stringContaining(`${object("A")} cannot be unpacked`) as string]);
  expect(fs.readFileSync(at("state/damaged/local"), "utf8")).toBe(`${object("A")}\n`);
});

test("an object as recorded that holds something else than the manifest says is refused", () => {
  const sizes = fetchAll(["A", "B"].map(letter => pack(letter, letter === "B" ? { recorded: { bytes: 50_021 } } : {})));
  expect([sizes.code, sizes.stderr]).toEqual([
    9,
    expect.stringContaining(`block ${ulid("B")} could not be restored: it has 50020 bytes instead of 50021`) as string,
  ]);
  fs.symlinkSync("/etc/passwd", at(`source/${ulid("C")}-link`));
  fs.mkdirSync(at(`source/${ulid("C")}/chunks`), { recursive: true });
  fs.symlinkSync("/etc/passwd", at(`source/${ulid("C")}/chunks/000003`));
  const linked = fetchAll([pack("C")]);
  expect([linked.code, linked.stderr]).toEqual([
    9,
    expect.stringContaining("its object holds 'chunks/000003', which no block has") as string,
  ]);
});

test("what an earlier try has finished is kept, what it had begun is not", () => {
  const blocks = LETTERS.map(letter => pack(letter));
  expect(fetchAll(blocks.slice(0, 2)).code).toBe(0);
  const kept = fs.statSync(at(`stage/${ulid("A")}/index`)).ino;
  fs.mkdirSync(at("stage/part-9"));
  fs.rmSync(at(`stage/${ulid("B")}/index`));
  expect(fetchAll(blocks).code).toBe(0);
  expect(blocksIn("stage")).toEqual(every);
  expect(fs.statSync(at(`stage/${ulid("A")}/index`)).ino).toBe(kept);
  expect(fs.readFileSync(at(`stage/${ulid("B")}/index`), "utf8")).toBe("index of B");
  expect(shell.tree("stage").filter(name => name.includes("part-"))).toEqual([]);
});
