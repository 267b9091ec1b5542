// The space that a plan asks for, and what a file system without room is taken for.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

/** Bytes that the plan asks for beyond its margin, for a backup with this WAL and one block of 1000 bytes. */
function needed(wal: object | null, settings = ""): number {
  const manifest = JSON.stringify({ blocks: [], wal });
  return (
    Number(
      shell.print(
        `printf '%s' "$1" >"$MANIFEST"; RESTORE_MODE=full PARTIAL=false REPOSITORY_TYPE=path BACKUP=20260101T020000Z REFUSALS=() B_ULID=(a) B_BYTES=(1000)
      M_WAL="$(jq -r '.wal | if . then "\\(.objectBytes)|x|\\(.object)" else "" end' "$MANIFEST")"; ${settings}
      free_bytes() { printf 0; }; human_bytes() { printf '%d' "$1"; }
      plan_space "$PWD/none" 2>/dev/null; sed 's/.*needs //' <<<"\${REFUSALS[1]}"`,
        manifest,
      ),
    ) -
    64 * 1024 * 1024
  );
}
const wal = { object: "heads/20260101T020000Z-wal.tar.zst", objectBytes: 500 };

test.each([
  ["with its size, that size", { ...wal, rawBytes: 300_000_000 }, "", 300_001_000],
  ["without its size, ten times its object", wal, "", 6_000],
  ["with a size that is none, no more than the shell can add", { ...wal, rawBytes: 1e300 }, "", 1e15 + 1_000],
  [
    "that this restore leaves out, nothing",
    { ...wal, rawBytes: 300_000_000 },
    "RESTORE_MODE=merge PARTIAL=true",
    1_000,
  ],
  ["that is not there, nothing", null, "", 1_000],
])("the plan counts for the WAL of a cold backup %s", (_, entry, settings, bytes) => {
  expect(needed(entry, settings)).toBe(bytes);
});

test("a cold backup writes down how much its WAL is when it is unpacked", () => {
  const bytes = shell.print(
    `SOURCE=cold SOURCE_DIR="$PWD/cold" BACKUP=20260101T020000Z SENT_BYTES=5 SENT_SHA256=x; mkdir -p cold/wal cold/chunks_head
    head -c 3000000 /dev/zero >cold/wal/00000000; head -c 1000000 /dev/zero >cold/chunks_head/000001
    send() { :; }; store_head "$PWD/plan"; jq .rawBytes plan.wal`,
  );
  expect(Number(bytes)).toBeGreaterThanOrEqual(4_000_000);
  expect(Number(bytes)).toBeLessThan(4_100_000);
});

/** What fetch_object makes of a tar that ended in this way, with the right checksum or another. */
const verdict = (words: string, free: string, sum = "$recorded") =>
  shell
    .print(
      `REPOSITORY=local REPOSITORY_SHOWN=/r REPOSITORY_TYPE=rclone recorded="$(printf '%064d' 1)"
    read_from_rclone() { printf '%s *stdin\\n' "${sum}" >"$2.sum"; printf '%s\\n' "${words}" >"$2.words"; printf 2 >"$2.failed"; }
    free_bytes() { printf '${free}'; }
    fetch_object object "$recorded" "$PWD" unpack_wal || printf '%s' "$FETCH_ERROR"`,
    )
    .split(" ")[0];

test.each([
  ["a short write", "tar: 000001: Wrote only 5120 of 10240 bytes", "100000000", "$recorded", "7"],
  [
    "an error without these words on a full file system",
    "tar: Error is not recoverable: exiting now",
    "4096",
    "$recorded",
    "7",
  ],
  ["the same where there is room", "tar: Error is not recoverable: exiting now", "100000000", "$recorded", "8"],
  ["an archive that breaks off, where there is room", "tar: Unexpected EOF in archive", "100000000", "$recorded", "9"],
  [
    "another checksum on a full file system",
    "tar: Error is not recoverable: exiting now",
    "4096",
    "$(printf '%064d' 2)",
    "9",
  ],
  ["a checksum that could not be written", "", "4096", "", "7"],
  ["a checksum that nobody worked out, where there is room", "", "100000000", "", "8"],
])("%s is taken for what it is", (_, words, free, sum, code) => {
  expect(verdict(words, free, sum)).toBe(code);
});
