// Manifests of format 2 are packed, those of format 1 are not, and a repository holds both. What is no manifest is
// damaged, however it looks.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUp } from "../bench/yearMaker";
import { packed, readManifest, sealed, unpacked } from "../tools/manifest";
import { DataDirectory, ulid, type WoundedManifest } from "./dataDirectory";
import { slowDescribe, slowTest } from "../runner/pace";

const KEEP = { KEEP_LAST: "1", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" };
const file = (name: string) => `repository/prom-1/backups/${name}.json`;

interface Row {
  name: string;
  complete: boolean;
  damaged: boolean;
}

function rows(data: DataDirectory): string[] {
  const { stdout, stderr, code } = data.call("list --json");
  expect([code, stderr]).toEqual([0, ""]);
  const state = ({ complete, damaged }: Row) => (damaged ? "damaged" : complete ? "complete" : "incomplete");
  return (JSON.parse(stdout) as Row[]).map(row => `${row.name} ${state(row)}`);
}

const objects = (data: DataDirectory) =>
  ["blocks", "backups"].map(folder => fs.readdirSync(data.at(`repository/prom-1/${folder}`)).sort());

describe("a repository that a version without packed manifests has written", () => {
  const data = new DataDirectory();
  afterAll(() => data.shell.remove());
  const OLD = "20200101T000000Z";
  let old: WoundedManifest;
  let only: string;

  beforeAll(() => {
    only = data.block(1);
    data.block(2);
    expect(data.call("run").code).toBe(0);
    const written = data.manifest();
    old = { ...written, name: OLD, startedAt: "2020-01-01T00:00:00Z" };
    data.put(file(OLD), sealed({ ...old, format: 1 }));
    data.remove(file(written.name));
    data.remove("state/cache");
  });

  test("goes on with one that is packed, and sends nothing again", () => {
    data.block(3);
    const { code, stderr } = data.call("run");
    expect([code, stderr.includes("new=1 pooled=2")], stderr).toEqual([0, true]);
    const manifest = data.manifest();
    const [path] = [data.at(file(manifest.name))];
    expect(fs.readFileSync(path).subarray(0, 4)).toEqual(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
    // As docs/format.md has it for people.
    const byHand = `zstd -dcf "$1" | jq --compact-output --sort-keys "del(.digest)" | sha256sum | cut -c 1-64
      zstd -dcf "$1" | jq -r .digest`;
    const [sum, digest] = execFileSync("bash", ["-c", byHand, "bash", path], { encoding: "utf8" }).split("\n");
    expect([sum, readManifest(path)]).toEqual([digest, expect.objectContaining({ format: 2 })]);
    const stored = ({ blocks }: WoundedManifest) => blocks.map(({ object, objectSha256 }) => [object, objectSha256]);
    expect(stored(manifest)).toEqual(expect.arrayContaining(stored(old)));
  });

  test("is listed, verified and restored, whichever format a backup has", () => {
    const { name } = data.manifest();
    expect(rows(data)).toEqual([`${name} complete`, `${OLD} complete`]);
    for (const [backup, count] of [
      [OLD, 2],
      [name, 3],
    ] as const) {
      const told = expect.stringContaining(`✔ ${backup} in local: ${count} objects`) as string;
      expect(data.call(`verify ${backup}`)).toMatchObject({ code: 0, stdout: told });
      const target = data.at(`restored-${backup}`);
      const place = `--target ${target} --at ${data.at("repository")} --host prom-1`;
      const { code, stderr } = data.call(`restore ${backup} --yes ${place}`);
      const blocks = fs.readdirSync(target).filter(entry => entry.startsWith("01"));
      expect([code, fs.existsSync(`${target}/${only}/meta.json`), blocks.length], stderr).toEqual([0, true, count]);
    }
  });

  slowTest("is read by every other command, whichever format a backup has", () => {
    const { name } = data.manifest();
    const server = ["read_unit", "require_server_program", "start_scratch_server", "stop_scratch_server"];
    const scratch = [...server, "check_blocks", "record_drill"].map(name => `${name}() { :; }`).join("; ");
    for (const [backup, count] of [
      [OLD, 2],
      [name, 3],
    ] as const) {
      const ok = (words: string, more?: string) => {
        const { code, stdout, stderr } = data.call(words, more);
        expect([words, code], stderr).toEqual([words, 0]);
        return stdout + stderr;
      };
      expect(ok(`show ${backup}`)).toContain(`Backup ${backup} of prom-1`);
      expect(ok(`restore ${backup} --plan --target ${data.at("nowhere")}`)).toContain(backup);
      const thanos = `--thanos ${data.at(`thanos-${backup}`)} --label site=x`;
      expect(ok(`export ${backup} ${thanos}`)).toContain(`Exported ${count} blocks of ${backup}`);
      const drilled = ok(`drill ${backup} --directory ${data.at("state")}`, scratch);
      expect(drilled).toContain(`Drill of backup ${backup} from local: ${count} blocks`);
    }
    // What only the old one holds comes from there.
    fs.renameSync(data.at(file(name)), data.at("aside"));
    fs.renameSync(data.at(`data/${only}`), data.at("block"));
    expect(data.heal()).toMatchObject({ chosen: [only], hopeless: [] });
    fs.renameSync(data.at("block"), data.at(`data/${only}`));
    fs.renameSync(data.at("aside"), data.at(file(name)));
  });

  test("a version that knows no packed ones takes them for manifests it cannot read: it removes no object", () => {
    const { name } = data.manifest();
    // Its names are those of format 1, and for jq they are no JSON.
    expect(`backups/${name}.json`).toMatch(/^backups\/[0-9]{8}T[0-9]{6}Z\.json$/);
    expect(() => execFileSync("jq", [".", data.at(file(name))], { stdio: "pipe" })).toThrow();
  });

  test("retention counts both, and removes what only the old one needs", () => {
    const { name } = data.manifest();
    // As if the new one did not hold the first block.
    const manifest = readManifest(data.at(file(name))) as WoundedManifest;
    const blocks = manifest.blocks.filter(block => block.ulid !== only);
    const totals = { ...manifest.totals, blocks: blocks.length };
    data.put(file(name), packed(sealed({ ...manifest, blocks, totals })));
    data.configure(KEEP);
    expect(data.call("prune --yes")).toMatchObject({ code: 0 });
    expect(objects(data)).toEqual([blocks.map(block => `${block.ulid}.tar.zst`).sort(), [`${name}.json`]]);
    expect(data.call("verify").code).toBe(0);
  });
});

/** What may lie under the name of a manifest, and what it is called. A number: a file of that size, all hole. */
const shell = (script: string) => execFileSync("bash", ["-c", script], { maxBuffer: 2 ** 28 });
const text = (good: Buffer, changes: object) => sealed({ ...(JSON.parse(unpacked(good)) as object), ...changes });
const LARGE = "is damaged: it has more than 16 MB, which no manifest has";
const MANY = "is damaged: it has more than 1000000 values, which no manifest has";
const SPOILED: [words: string, spoil: (good: Buffer) => Buffer | number][] = [
  ["is damaged: it cannot be unpacked (premature end)", good => good.subarray(0, good.length - 10)],
  ["is damaged: it cannot be unpacked (", good => Buffer.from(good.map((byte, at) => (at === 99 ? byte ^ 1 : byte)))],
  ["is damaged: it cannot be unpacked (unsupported format)", good => Buffer.concat([good, Buffer.from("and more")])],
  [
    "is damaged: it cannot be unpacked (Frame requires too much memory for decoding)",
    () => shell("head -c 1M /dev/zero | zstd -qc --long=26"),
  ],
  ["is damaged: more than one manifest, or something behind it", good => Buffer.concat([good, good])],
  ["is damaged: its digest does not match", good => packed(unpacked(good).replace('"totals":{', '$&"more":1,'))],
  ["is damaged: not JSON", () => Buffer.alloc(0)],
  ["is damaged: not JSON", () => packed("")],
  ["is damaged: there is no format 0", good => packed(text(good, { format: 0 }))],
  ["is damaged: there is no format 1.5", good => packed(text(good, { format: 1.5 }))],
  [
    "has format 3 and is newer than this version, which reads formats 1 to 2 (install a newer one here)",
    good => packed(text(good, { format: 3 })),
  ],
  // Forged whole, and the digest is right.
  ["is not in the form of a manifest: totals.blocks", good => packed(text(good, { blocks: [] }))],
  [LARGE, () => shell(`{ printf '{"a":"'; head -c 300M /dev/zero; } | zstd -qc`)],
  // jq would take gigabytes for them.
  [MANY, good => packed(`${text(good, {}).trim().slice(0, -1)},"blocks":[${"{},".repeat(5_000_000)}{}]}`)],
  [MANY, () => Buffer.from(`{"format":1,"blocks":[${"[],".repeat(5_000_000)}[]]}`)],
  [LARGE, () => 2 ** 36],
];
const named = (n: number) => `202001${String(n + 1).padStart(2, "0")}T000000Z`;
/**
 * So much does nobody need for what is no manifest: memory (rclone reserves more than it takes), files of 64 MB, and
 * seconds of computing.
 */
const LIMITS = { path: "ulimit -v 1000000 -f 65536 -t 60", rclone: "ulimit -f 65536 -t 60" };

slowDescribe.each(["path", "rclone"] as const)("of a repository behind %s, what is no manifest", type => {
  const data = new DataDirectory();
  afterAll(() => data.shell.remove());
  const within = LIMITS[type];
  let good: WoundedManifest;
  let before: string[][];
  const call = (words: string, more = "") => data.call(words, `${within}; ${more}`);

  beforeAll(() => {
    fs.writeFileSync(data.at("rclone.conf"), "[disk]\ntype = local\n");
    const remote = {
      REPOSITORY_1_TYPE: "rclone",
      REPOSITORY_1_LOCATION: `disk:${data.at("repository")}`,
      RCLONE_CONFIG_FILE: data.at("rclone.conf"),
    };
    data.configure({ ...KEEP, ...(type === "rclone" ? remote : {}) });
    data.block(1);
    expect(data.call("run").code).toBe(0);
    good = data.manifest();
    const packedGood = fs.readFileSync(data.at(file(good.name)));
    for (const [n, [, spoil]] of SPOILED.entries()) {
      const spoiled = spoil(packedGood);
      fs.writeFileSync(data.at(file(named(n))), typeof spoiled === "number" ? "" : spoiled);
      if (typeof spoiled === "number") {
        fs.truncateSync(data.at(file(named(n))), spoiled);
      }
    }
    // Nobody needs it, as far as can be read.
    data.put(`repository/prom-1/blocks/${ulid(9)}.tar.zst`, "orphan");
    before = objects(data);
  });

  test("is told as what it is", () => {
    const names = SPOILED.map((_, n) => named(n));
    const said = data.shell.run(
      `${within}; CONFIG_FILE=${data.at("settings.conf")}
      load_config; open_state; select_repository 0; repository_list
      for name; do
        if read_manifest "$name" "$SCRATCH/one.json"; then echo sound; else echo "$REPOSITORY_ERROR"; fi
      done`,
      ...names,
    );
    const told = said.stdout.trimEnd().split("\n");
    const expected = names.map((name, n) => `backups/${name}.json ${SPOILED[n]?.[0]}`);
    const other = names.flatMap((_, n) => (told[n]?.startsWith(expected[n] ?? "") ? [] : [[told[n], expected[n]]]));
    expect([told.length, other], said.stderr).toEqual([names.length, []]);
    const red = (words: string) => ({ code: 9, stderr: expect.stringContaining(words) as string });
    expect(call(`verify ${named(SPOILED.length - 1)}`)).toMatchObject(red("it has more than 16 MB"));
    const restored = call(`restore ${named(4)} --yes --target ${data.at("nowhere")}`);
    expect(restored).toMatchObject(red("more than one manifest"));
    expect(fs.existsSync(data.at("nowhere"))).toBe(false);
  });

  test("is listed, and no object goes for it", () => {
    const newer = SPOILED.findIndex(([words]) => words.includes("newer"));
    const { code, stdout, stderr } = call("list --json");
    expect(code, stderr).toBe(0);
    const all = JSON.parse(stdout) as (Row & { newer?: true })[];
    const listed = new Map(all.map(row => [row.name, [row.complete, row.damaged, row.newer]]));
    expect([listed.get(good.name), listed.get(named(newer))]).toEqual([
      [true, false, undefined],
      [false, false, true],
    ]);
    const damaged = SPOILED.flatMap((_, n) => (n === newer ? [] : [listed.get(named(n))]));
    expect(damaged).toEqual(damaged.map(() => [false, true, undefined]));
    expect(call("list").stdout).toMatch(new RegExp(`^${named(newer)} .*NEWER than this version`, "m"));
    const pruned = call("prune --yes");
    expect([pruned.code, objects(data)], pruned.stderr).toEqual([0, before]);
  });

  test("is left out by a run, and by heal", () => {
    data.block(2);
    const { code, stderr } = call("run");
    const told = `backups/${named(0)}.json is damaged: it cannot be unpacked (premature end)`;
    expect([code, stderr.includes(told)], stderr).toEqual([0, true]);
    expect([data.manifest().blocks.length, objects(data)[1]?.length]).toEqual([2, SPOILED.length + 1]);
    expect(data.heal(within)).toMatchObject({ wounds: [], chosen: [] });
  });
});

test("a year of backups every two hours, of 90 days of blocks each, has 5 % of manifests at most", () => {
  const RUNS = 4380;
  const blocks = Array.from({ length: 1080 }, (_, number) => madeUp(number * 7_200_000));
  const manifest = packed(sealed({ format: 2, blocks })).length;
  // Each run stores a block and a head; the first one the blocks that were there.
  const block = Math.min(...blocks.map(({ objectBytes }) => objectBytes));
  const data = (2 * RUNS + blocks.length) * block;
  expect((manifest * RUNS) / data).toBeLessThan(0.005);
  // What docs/decisions/015-packed-manifests.md says: bytes a block, and how small block and head may be together.
  expect(manifest / blocks.length).toBeLessThan(115);
  expect((manifest * RUNS) / (2_400_000 * (RUNS + blocks.length / 2))).toBeLessThan(0.05);
  // Unpacked, as format 1 has it, they would take more than three times as much.
  expect((sealed({ format: 1, blocks }).length * RUNS) / data).toBeGreaterThan(0.015);
});
