// What is seen while something takes long: on a terminal one line, as wide as that; elsewhere nothing but a line of the
// log a phase.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "../backup/dataDirectory";

const data = new DataDirectory();
const { shell } = data;
afterAll(() => shell.remove());

beforeAll(() => {
  data.block(1);
  data.block(2);
  expect(data.call("run").code).toBe(0);
});

/** Lines are drawn from the beginning, and `drawn N` waits until N more of them were. */
const WATCHED = `PROGRESS_AFTER_SECONDS=0; eval "real_$(declare -f draw_line)"
  draw_line() { real_draw_line "$@"; printf x >>drawn; }
  drawn() { : >drawn; until (( $(wc -c <drawn) >= $1 )); do sleep 0.05; done; }\n`;

/** Everything that a terminal was told, in pieces that each replace the one before, and the rest. */
const pieces = (shown: string) => shown.replaceAll("\r\n", "\n").split("\r\u001b[K");

test("bytes that have arrived, per cent, speed and time left in one line, cut to the terminal, without any colour", () => {
  const text = `${WATCHED} meter() { ARRIVED=$(( $(stat --format %s drawn) * 1000000 )); }; : >drawn
    progress_bytes "from offsite:" 14900000 meter; drawn 3; progress_done; say over`;
  const wide = pieces(shell.terminal(text, 100, { NO_COLOR: "1" }));
  expect(wide.slice(1)).toContainEqual(
    expect.stringMatching(
      /^ {2}from offsite: {2}\d\.0 MB of 14\.9 MB {2}\d+ % {2}\d+(\.\d)? [kM]?B\/s( {2}about \d+ (s|min) left)?$/,
    ),
  );
  expect(wide.at(-1)).toBe("over\n");
  expect(wide.join("")).not.toContain("\u001b");
  const narrow = pieces(shell.terminal(text, 40));
  expect(Math.max(...narrow.slice(1, -1).map(line => line.length))).toBe(39);
});

test("nothing long is silent for more than two seconds, and nothing short says a word", () => {
  expect(shell.print("echo $PROGRESS_AFTER_SECONDS")).toBe("2");
  expect(shell.terminal("progress doing; progress_done; say over", 80)).toBe("\r\u001b[Kover\r\n");
});

test("without a terminal, or on one that cannot go back, nothing is shown and nothing runs", () => {
  const text = 'progress doing; echo "${PROGRESS_JOB:-none}"; ls "$SCRATCH"; progress_done';
  expect(shell.run(text)).toEqual({ code: 0, stdout: "none\n", stderr: "" });
  expect(shell.terminal(text, 80, { TERM: "dumb" })).toBe("none\r\n");
});

test("what draws the line is no child of the one who works, who may wait for all of these", () => {
  const shown = shell.terminal(
    'progress doing; has_ended "$PROGRESS_JOB" || echo "runs; children: $(grep --count --word-regexp "$PROGRESS_JOB" "/proc/$$/task/$$/children")"; progress_done',
    80,
  );
  expect(shown).toContain("runs; children: 0\r\n");
});

test("what draws the line ends with the one who works, even if that is killed", () => {
  const shown = shell.terminal(
    `${WATCHED} ( progress doing; drawn 1; echo "$PROGRESS_JOB" >job; kill -KILL "$BASHPID" ) || true
    for (( n = 0; n < 100; n++ )); do if has_ended "$(<job)"; then echo ended; break; fi; sleep 0.1; done`,
    80,
  );
  expect(shown).toMatch(/ended\r\n$/);
});

test("bytes count when they are on disk: as objects, and unpacked by what they were packed to", () => {
  const count = `STAGING="$PWD/stage" FETCH_TOTAL=1000 FETCH_RAW=4000; mkdir -p stage/part-0-objects/blocks stage/part-0/A stage/part-1/B stage/C
    head -c 300 /dev/zero >stage/part-0-objects/blocks/A; head -c 400 /dev/zero >stage/part-0/A/index
    head -c 800 /dev/zero >stage/part-1/B/index; head -c 1200 /dev/zero >stage/C/index; bytes_staged; echo "$ARRIVED"`;
  expect(shell.print(count)).toBe("800");
});

test("a run tells how much of its blocks is packed, and verify how much it has read", () => {
  const packed = `ARRIVED=0; SENDING_PLAN="$PWD/plan"; printf '{"ulid":"A","bytes":700}\\n' >plan.1; printf 'ok\\n' >plan.1.result; printf '{"ulid":"B","bytes":50}\\n' >plan.2
    bytes_packed "$BASHPID"; echo "$ARRIVED $(cat plan.1 plan.2 >plan.todo; bytes_in plan.todo)"`;
  expect(shell.print(packed)).toBe("700 750");
  const read = `count() { ( ARRIVED=0; bytes_read $$; echo "$ARRIVED" ); }; head -c 5000000 /dev/zero >big; before=$(count)
    bash -c 'cat big >/dev/null; :'; echo $(( ($(count) - before) / 1000000 ))`;
  expect(shell.print(read)).toBe("5");
});

test("the phases of a restore: on a terminal a line each with its time, above all while the server is down", () => {
  const shown = pieces(
    shell.terminal(
      `${WATCHED} COMMAND=restore BACKUP=20261122T020000Z; begin_phases; begin_phase download; PHASE_WORDS="15 MB from offsite"
    DOWN_SINCE=$(( EPOCHSECONDS - 12 )); begin_phase stop "stopping it"; drawn 1; begin_phase ready "it reads its WAL"; drawn 2; progress_done; end_phase`,
      80,
    ),
  );
  expect(shown.join("").split("\n")).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^ {2}✔ plan +\d\.\d s$/),
      expect.stringMatching(/^ {2}✔ download +\d\.\d s {2}15 MB from offsite$/),
    ]),
  );
  expect(shown).toContainEqual(expect.stringMatching(/^ {2}Prometheus is down for \d\d s; stopping it$/));
  expect(shown).toContainEqual(expect.stringMatching(/^ {2}Prometheus is down for \d\d s; it reads its WAL$/));
  expect(shown.at(-1)).toMatch(/^ {2}✔ ready +\d\.\d s\n$/);
});

test("a restore on a terminal, as it is seen: the plan, the phases, the end", () => {
  const shown = shell.terminal(
    `CONFIG_FILE=${data.at("settings.conf")}; require_tools() { :; }; main restore latest --yes --target "$PWD/seen"`,
    60,
  );
  fs.rmSync(data.at("seen"), { recursive: true });
  expect(pieces(shown).join("")).toMatch(
    /^ {2}✔ plan +\d+\.\d s\n {2}✔ download +\d+\.\d s {2}\d+ B from local, checked as it came\nRestored 2 blocks of /m,
  );
  expect(shown).not.toContain("phase=");
});

test("without a terminal each is a line of the log, and an unsuccessful one none", () => {
  const { code, stderr } = data.call(`restore latest --yes --target ${data.at("new")}`);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^\S+Z restore phase=plan seconds=\d+\.\d{3} backup=\d{8}T\d{6}Z$/m) as string,
  ]);
  expect(stderr).toMatch(/^\S+Z restore phase=download seconds=\d+\.\d{3} backup=\d{8}T\d{6}Z$/m);
  fs.rmSync(data.at("new"), { recursive: true });
  const failed = data.call(
    `restore latest --yes --target ${data.at("new")}`,
    "fetch_blocks() { die 8 'it broke' 'mend it'; }",
  );
  expect(failed.code).toBe(8);
  expect(failed.stderr).not.toContain("phase=download");
});
