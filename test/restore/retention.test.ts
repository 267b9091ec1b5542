// A restore that was allowed to lose blocks to the server's retention may lose these, and no others.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const HOUR = 3_600_000;
const now = Date.now();
/** Three blocks that end now, a day ago and two days ago. */
const blocks = [0, 1, 2]
  .map(day => ({
    minTime: now - (day * 24 + 2) * HOUR,
    maxTime: now - day * 24 * HOUR,
    bytes: 1000,
    numSamples: 1,
    numSeries: 1,
    objectBytes: 1,
    meta: {},
    tombstones: "",
  }))
  .map((block, index) => ({ ...block, ulid: `01M7VW2GC07R5ZX6V25SJJYA6${index}` }));

/** What check_restored says of a server that has loaded so many of them. */
const checked = (loaded: number, settings: string) =>
  shell.run(
    `printf '%s' "$1" >"$SELECTED"; UNIT_KNOWN=true RETENTION_TIME=10y RETENTION_SIZE="" M_WAL="" RESTORE_MODE=full PARTIAL=false ALLOW_RETENTION_LOSS=true; ${settings}
    load_selected; server_metric() { printf ${loaded}; }; check_series() { :; }; ask_blocks() { ASKED=$# UNANSWERED=(\${UNANSWERED_TEST:-}); }
    check_restored; if [[ \${SAY_ASKED:-} == true ]]; then say "$ASKED \${UNANSWERED[*]}"; fi`,
    JSON.stringify(blocks),
  );
const failed = (words: string) => ({
  code: 9,
  stdout: "",
  stderr: `prometheus-backup: error: the server has loaded ${words}; look at: journalctl -u prometheus.service\n`,
});
const good = (stderr = "") => ({ code: 0, stdout: "", stderr });

test.each([
  ["none of three, although retention keeps all", 0, "", failed("0 blocks, the backup has 3")],
  [
    "two of three, of which retention deletes one",
    2,
    "RETENTION_TIME=30h",
    good(
      "prometheus-backup: warning: the server has loaded 2 of 3 blocks (its retention was allowed to delete some)\n",
    ),
  ],
  ["all, before retention has deleted one", 3, "RETENTION_TIME=30h", good()],
  [
    "one of three, of which retention deletes one",
    1,
    "RETENTION_TIME=30h",
    failed("1 block, the backup has 3, of which its retention deletes 1"),
  ],
  [
    "one of three, of which retention by size deletes two",
    1,
    "RETENTION_SIZE=1KB",
    good(
      "prometheus-backup: warning: the server has loaded 1 of 3 blocks (its retention was allowed to delete some)\n",
    ),
  ],
  ["more than the backup has", 4, "", failed("4 blocks, the backup has 3")],
  [
    "two of three without the permission",
    2,
    "RETENTION_TIME=30h ALLOW_RETENTION_LOSS=false",
    failed("2 blocks, the backup has 3"),
  ],
])("%s", (_, loaded, settings, end) => {
  expect(checked(loaded, settings)).toEqual(end);
});

test("every block is asked for but those that retention may have deleted; one of which the server has nothing brings the old data back, one of which it does not speak does not", () => {
  expect(checked(3, "SAY_ASKED=true").stderr).toBe("3 \n");
  expect(checked(2, "SAY_ASKED=true RETENTION_TIME=30h").stderr).toContain("\n2 \n");
  const words = "the server has not answered from the time of 1 of 3 blocks within 100 s (HTTP 200)";
  expect(checked(3, "UNANSWERED_TEST=1 ANSWER_STATUS=200")).toEqual({
    code: 9,
    stdout: "",
    stderr: `prometheus-backup: error: ${words}; look at: journalctl -u prometheus.service\n`,
  });
  expect(checked(3, "SAY_ASKED=true UNANSWERED_TEST=1 ANSWER_STATUS=403")).toMatchObject({ code: 0, stderr: "3 1\n" });
});

test("to retention by size, the WAL of a cold backup and the small files of each block count as well", () => {
  const lost = (used: number) =>
    shell.print(
      `printf '%s' "$1" >"$SELECTED"; RETENTION_TIME=10y RETENTION_SIZE=3KB; count_lost ${used}`,
      JSON.stringify(blocks.map(block => ({ ...block, bytes: 1010 }))),
    );
  expect([lost(0), lost(1000)]).toEqual(["0 0", "0 1"]);
});
