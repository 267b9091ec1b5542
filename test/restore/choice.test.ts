// Which blocks a restore, a retention check and a heal choose: the jq programs by themselves.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const HOUR = 3_600_000;
const ulid = (letter: string) => `01M7VW2GC07R5ZX6V25SJJYA${letter}${letter}`;
const block = (letter: string, from: number, to: number, more: object = {}) => ({
  ulid: ulid(letter),
  minTime: from * HOUR,
  maxTime: to * HOUR,
  bytes: 100,
  head: false,
  ...more,
});
const A = block("A", 0, 2);
const B = block("B", 2, 4);
const C = block("C", 4, 6);
const manifest = { blocks: [A, B, C], covered: [{ ulid: ulid("D"), by: [A.ulid, B.ulid] }] };

/** Calls one of the filters with named JSON values; `slurped` ones arrive as --slurpfile does, in an array. */
function filter(
  name: string,
  input: unknown,
  values: Record<string, unknown>,
  slurped: Record<string, unknown> = {},
): unknown {
  const pairs = [...Object.entries(values), ...Object.entries(slurped).map(([key, value]) => [key, [value]] as const)];
  const names = pairs.map((_, index) => `--argjson "\${${2 * index + 2}}" "\${${2 * index + 3}}"`).join(" ");
  return JSON.parse(
    shell.print(
      `jq ${names} "$(${name})" <<<"$1"`,
      JSON.stringify(input),
      ...pairs.flatMap(([key, value]) => [key, JSON.stringify(value)]),
    ),
  );
}

const ulids = (blocks: unknown) => (blocks as { ulid: string }[]).map(one => one.ulid);

test("without options every block is chosen, newest first", () => {
  expect(ulids(filter("select_filter", manifest, { wanted: [], from: null, to: null }))).toEqual([
    C.ulid,
    B.ulid,
    A.ulid,
  ]);
});

test("a time chooses whole blocks that touch it, and a block that only meets it at its end is not touched", () => {
  expect(ulids(filter("select_filter", manifest, { wanted: [], from: 2 * HOUR, to: 3 * HOUR }))).toEqual([B.ulid]);
  expect(ulids(filter("select_filter", manifest, { wanted: [], from: 3 * HOUR, to: null }))).toEqual([C.ulid, B.ulid]);
});

test("a block that was covered by others stands for those", () => {
  expect(ulids(filter("select_filter", manifest, { wanted: [ulid("D")], from: null, to: null }))).toEqual([
    B.ulid,
    A.ulid,
  ]);
});

test("server retention by time counts from the newest block or now, by size from the newest block down", () => {
  const newestFirst = [C, B, A];
  const lost = (time: number, size: number, now: number, used = 0) =>
    filter("retention_filter", newestFirst, { time, size, now, used });
  expect(lost(100 * HOUR, 0, 6 * HOUR)).toBe("0 0");
  expect(lost(3 * HOUR, 0, 6 * HOUR)).toBe("1 0");
  expect(lost(3 * HOUR, 0, 8 * HOUR)).toBe("2 0");
  expect(lost(0, 250, 6 * HOUR)).toBe("0 1");
  expect(lost(0, 250, 6 * HOUR, 200)).toBe("0 3");
});

const heal = (damaged: string[], live: unknown[], stored: Record<string, unknown>, more: object = {}) =>
  filter(
    "healers_filter",
    null,
    {
      wounds: damaged.map(one => `${one}|why\n`).join(""),
      head: 6 * HOUR,
      now: 7 * HOUR,
      retention: 100 * HOUR,
      limited: false,
      ...more,
    },
    { live, stored, manifest },
  ) as { chosen: unknown; missing: string[]; hopeless: string[] };

test("a damaged block is replaced by its own copy and nothing else", () => {
  const found = heal([B.ulid], [A, B, C], { [B.ulid]: B });
  expect([ulids(found.chosen), found.missing, found.hopeless]).toEqual([[B.ulid], [], []]);
});

test("a missing block comes back; one whose time a compacted block or the head holds does not", () => {
  expect(heal([], [A, C], {}).missing).toEqual([B.ulid]);
  expect(heal([], [block("E", 0, 6)], {}).missing).toEqual([]);
  expect(heal([], [A, B], {}, { head: 4 * HOUR }).missing).toEqual([]);
});

test("a hole that the newest backup has as well is filled from an older one; what lies before all live blocks is not", () => {
  const older = (one: typeof A, backup: string) => ({ ...one, backup, numTombstones: 0 });
  const stored = {
    [A.ulid]: older(A, "20260101T000000Z"),
    [B.ulid]: older(B, "20260102T000000Z"),
    [ulid("G")]: older(block("G", 2, 4), "20260101T000000Z"),
  };
  const newest = { name: "20260103T000000Z", blocks: [C], covered: [] };
  const found = (live: unknown[]) =>
    (
      filter(
        "healers_filter",
        null,
        { wounds: "", head: 6 * HOUR, now: 7 * HOUR, retention: 0, limited: false },
        { live, stored, manifest: newest },
      ) as { chosen: unknown; missing: string[] }
    ).missing;
  expect(found([A, C])).toEqual([B.ulid]);
  expect(found([block("E", 0, 4), C])).toEqual([]);
  expect(found([C])).toEqual([]);
});

test("what retention has dropped does not come back", () => {
  expect(heal([], [B, C], {}, { retention: 4 * HOUR }).missing).toEqual([]);
  expect(heal([], [B, C], {}, { limited: true }).missing).toEqual([]);
});

test("a damaged block that no backup has is named as such", () => {
  expect(heal([ulid("F")], [A, B, C], {}).hopeless).toEqual([ulid("F")]);
});

test("a damaged block that no backup has is hopeless even if another block is missing", () => {
  const newer = block("F", 4, 6);
  const found = heal([newer.ulid], [A, newer], {});
  expect([found.missing, found.hopeless]).toEqual([[C.ulid, B.ulid].sort(), []]);
  const later = block("G", 6, 8);
  const unrelated = heal([later.ulid], [A, C, later], {}, { head: 8 * HOUR });
  expect([unrelated.missing, unrelated.hopeless]).toEqual([[B.ulid], [later.ulid]]);
  // Half of its time is not enough, and without its meta.json nobody knows its time.
  const wider = block("H", 2, 8);
  expect(heal([wider.ulid], [A, C, wider], {}, { head: 8 * HOUR }).hopeless).toEqual([wider.ulid]);
  expect(heal([wider.ulid], [A, C], {}, { head: 8 * HOUR }).hopeless).toEqual([wider.ulid]);
});

test("a damaged block that the backup holds as others is replaced when all of those are there again", () => {
  const merged = manifest.covered[0]?.ulid ?? "";
  expect(heal([merged], [C], {})).toMatchObject({ missing: [A.ulid, B.ulid], hopeless: [] });
  expect(heal([merged], [A, C], {})).toMatchObject({ missing: [B.ulid], hopeless: [] });
  // One of them has a time that another block holds, so it does not come back.
  expect(heal([merged], [block("E", 0, 2), C], {})).toMatchObject({ missing: [B.ulid], hopeless: [merged] });
  expect(heal([merged], [A, B, C], {})).toMatchObject({ missing: [], hopeless: [merged] });
});

/** The blocks of each part of a drill, part after part, as long as the turn goes on. */
function parts(count: number, sample: number, drills: number): string[][] {
  const letters = [..."0123456789ABCDEFGHJK"].slice(0, count);
  const blocks = letters.map((letter, index) => ({
    ...block(letter, index, index + 1),
    ulid: `01M7VW2GC07R5ZX6V25SJJYA0${letter}`,
    object: "",
    objectBytes: 1,
    objectSha256: "",
    numSamples: 1,
    numSeries: 1,
  }));
  const script = `STATE_DIR="$SCRATCH"; parse_drill_options --sample ${sample}
    for (( drill = 0; drill < ${drills}; drill++ )); do
      printf '%s' "$1" >"$SELECTED"; load_selected; choose_part; printf '%s\n' "\${B_ULID[*]}"; printf '%s\n' "$DRILL_TURN" >"$STATE_DIR/drill-turn"
    done`;
  return shell
    .print(script, JSON.stringify(blocks))
    .split("\n")
    .map(line => line.split(" "));
}

test("a drill in parts reads every block once in as many drills, and each block stays in its part", () => {
  const four = parts(20, 4, 5);
  expect(four.slice(0, 4).flat().sort()).toEqual(parts(20, 1, 1)[0]?.sort());
  expect(four[4]).toEqual(four[0]);
  const fewer = parts(14, 4, 4);
  const kept = new Set(fewer.flat());
  expect(four.slice(0, 4).map(part => part.filter(one => kept.has(one)))).toEqual(fewer);
});

test("more parts than blocks are one block a drill, none of them empty", () => {
  const few = parts(3, 50, 3);
  expect([few.map(part => part.length), few.flat().sort()]).toEqual([[1, 1, 1], parts(3, 1, 1)[0]?.sort()]);
});

test.each(["0", "8/7", "1/0", "x"])("parts of %j are refused", sample => {
  expect(shell.run(`COMMAND=drill; parse_drill_options --sample ${sample}`).code).toBe(2);
});
