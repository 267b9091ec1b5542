// What heal sees in a block, and its way back when it is cut off: functions on directories of the test.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { chunksOf, indexOf, textOf } from "../tools/blockFiles";
import { Shell } from "./shell";
import { representatives } from "../runner/pace";

const shell = new Shell();
afterAll(() => shell.remove());

const A = "01M7VW2GC07R5ZX6V25SJJYA65";
const B = "01M7W2Y7M0S3ESKNNRGV1RQGG3";
/** Magic number, version, no deletions, checksum: what Prometheus writes into every block. */
const NO_DELETIONS = Buffer.from("0130ba300100000000", "hex");

const put = (name: string, content: string | Buffer = "x") => {
  fs.mkdirSync(path.join(shell.directory, path.dirname(name)), { recursive: true });
  fs.writeFileSync(path.join(shell.directory, name), content);
};
const origin = (name: string) => textOf(fs.readFileSync(path.join(shell.directory, name, "index")));
const entries = () =>
  fs
    .readdirSync(path.join(shell.directory, "data"))
    .map(name => name.replace(/\d{8}T\d{6}Z$/, "TIME"))
    .sort();
const putBlock = (directory: string, ulid: string, origin: string) => {
  put(
    `${directory}/${ulid}/meta.json`,
    JSON.stringify({ ulid, minTime: 0, maxTime: 7_200_000, stats: { numSamples: 1 } }),
  );
  put(`${directory}/${ulid}/index`, indexOf(origin));
  put(`${directory}/${ulid}/chunks/000001`, chunksOf(origin));
  put(`${directory}/${ulid}/tombstones`, NO_DELETIONS);
};

beforeEach(() => {
  for (const name of ["data", "stage", "state"]) {
    fs.rmSync(path.join(shell.directory, name), { recursive: true, force: true });
  }
  putBlock("data", A, "damaged");
  putBlock("data", B, "sound");
  fs.mkdirSync(path.join(shell.directory, "state"));
});

const FACTS = 'DATA_DIRECTORY="$PWD/data" STAGING="$PWD/stage" STATE_DIR="$PWD/state" PROMETHEUS_UNIT=none.service; ';
const UNREADABLE: [string, Buffer][] = [
  ["empty", Buffer.alloc(0)],
  ["full of zeros", Buffer.alloc(9)],
  ["cut off", NO_DELETIONS.subarray(0, 8)],
  ["of another version", Buffer.from("0130ba300200000000", "hex")],
];

/** What is wrong with the files of the blocks, a line each. */
const DAMAGE = `describe_blocks "$DATA_DIRECTORY" "$SCRATCH/blocks"; jq --raw-output '.[] | .ulid + " " + .reason' "$SCRATCH/blocks.damaged"`;

test.each(UNREADABLE)("tombstones that are %s are damage, and are not carried over the good ones", (_, content) => {
  put(`data/${A}/tombstones`, content);
  expect(shell.print(`${FACTS} ${DAMAGE}`)).toBe(`${A} its tombstones are not readable, so the server does not start`);
  putBlock("stage", A, "whole");
  shell.print(`${FACTS} B_ULID=(${A}); keep_own_marks`);
  expect(fs.readFileSync(path.join(shell.directory, `stage/${A}/tombstones`))).toEqual(NO_DELETIONS);
});

test("an index of zeros is damage, also where files are opened one by one; one that is gone is none", () => {
  put(`data/${A}/index`, Buffer.alloc(100));
  const said = `${A} its index does not hold what Prometheus writes there (zeros, or only a part of it)`;
  const oneByOne = "ends_of() { return 1; };";
  expect(shell.print(`${FACTS} ${DAMAGE}`)).toBe(said);
  expect(shell.print(`${FACTS} ${oneByOne} ${DAMAGE}`)).toBe(said);
  // Of two programs that read them, one was ended.
  const halved = 'eval "whole_$(declare -f ends_of)"; ends_of() { whole_ends_of "$@" | cut -d \' \' -f 1-4; };';
  expect(shell.print(`${FACTS} ${halved} ${DAMAGE}`)).toBe(said);
  // The disk does not give it, or a pipe has taken its place since.
  const exchanged = `ends_of() { rm data/${A}/index; mkfifo data/${A}/index; return 1; };`;
  expect(shell.print(`${FACTS} ${exchanged} ${DAMAGE}`)).toBe(said);
  const gone = `ends_of() { rm -rf data/${A}; return 1; };`;
  expect(shell.print(`${FACTS} ${gone} ${DAMAGE}`)).toBe("");
});

test("a program that is ended while it reads sound blocks makes none of them damaged, and drops no deletions", () => {
  put(`data/${A}/tombstones`, Buffer.concat([NO_DELETIONS.subarray(0, 5), Buffer.from("01000000000000", "hex")]));
  const read = `(describe_blocks "$DATA_DIRECTORY" "$SCRATCH/blocks" && cat "$SCRATCH/blocks.damaged") || printf ended`;
  const killed = (program: string) => `${program}() { kill -KILL "$BASHPID"; }; ${read}; unset -f ${program}`;
  const ways = ["true", "od", "base64", "dd", "awk", "find", "sort", "xargs"].map(killed).join("; printf '|'; ");
  expect(shell.print(`${FACTS} ends_of() { return 1; }; sleep() { :; }; ${ways}`)).toBe(`[]\n${"|ended".repeat(7)}`);
});

test("a block without tombstones is damaged; deletions of its own are kept when it comes back, with their number, and nothing else of its meta.json", () => {
  const deletions = Buffer.concat([NO_DELETIONS.subarray(0, 5), Buffer.from("01000000000000", "hex")]);
  fs.rmSync(path.join(shell.directory, `data/${B}/tombstones`));
  put(`data/${A}/tombstones`, deletions);
  put(
    `data/${A}/meta.json`,
    JSON.stringify({ ulid: A, minTime: 0, maxTime: 7_200_000, stats: { numSamples: 999, numTombstones: 1 } }),
  );
  expect(shell.print(`${FACTS} ${DAMAGE}`)).toBe(`${B} its tombstones are missing, so the server makes no snapshot`);
  putBlock("stage", A, "whole");
  shell.print(`${FACTS} B_ULID=(${A}); keep_own_marks`);
  expect(fs.readFileSync(path.join(shell.directory, `stage/${A}/tombstones`))).toEqual(deletions);
  expect(JSON.parse(fs.readFileSync(path.join(shell.directory, `stage/${A}/meta.json`), "utf8"))).toMatchObject({
    stats: { numSamples: 1, numTombstones: 1 },
  });
});

/** Block A is damaged, and its copy is staged. `more` may replace functions. */
function bringBack(more: string) {
  putBlock("stage", A, "whole");
  return shell.run(`${FACTS} B_ULID=(${A}) B_MIN=(0) B_MAX=(7200000) B_SERIES=(1) HOPELESS=() HEAL_STOPPED=false UNIT_KNOWN=true UNIT_PID=0 SERVER_STATE=unit FACTS_FROM="the unit"; printf '${A}|why\\n' >"$SCRATCH/wounds"
    own_staged() { :; }; data_owner() { :; }; unit_is() { [[ " $* " == *" active "* ]]; }; unit_stop() { say STOPPED; }; order_start() { say ORDERED; }; unit_start() { say STARTED; }
    last_words() { :; }
    ${more}
    bring_back`);
}

test("a heal that comes to its end has stopped and started the server, and keeps the damaged block aside", () => {
  const { code, stderr } = bringBack("ask_blocks() { ASKED=1 UNANSWERED=(); }");
  expect([code, stderr.split("\n").slice(0, 3)]).toEqual([0, ["STOPPED", "STARTED", "The server is up again."]]);
  expect([entries(), origin(`data/${A}`)]).toEqual([[A, B, `damaged-${A}-TIME`], "whole"]);
  expect(fs.readdirSync(path.join(shell.directory, "state"))).toEqual([]);
});

test.each([
  ["before the good block is there", "move_into_stopped() { kill -TERM $$; }", [A, B], "damaged"],
  ["before the server is started", "unit_start() { kill -TERM $$; }", [A, B, `damaged-${A}-TIME`], "whole"],
])("a heal that is interrupted %s starts the server, and there is a block in the place", (_, more, left, content) => {
  const { code, stderr } = bringBack(more);
  expect(code, stderr).toBe(143);
  expect(stderr).toContain("ORDERED\nprometheus-backup: none.service is started again.\n");
  expect([entries(), origin(`data/${A}`)]).toEqual([left, content]);
  expect(stderr).toContain(
    content === "damaged"
      ? `prometheus-backup: block ${A} is in its place again, damaged as it was.\n`
      : "The damaged ones are kept as ",
  );
  expect(fs.readdirSync(path.join(shell.directory, "state"))).toEqual([]);
});

test.each([
  ["is interrupted while it waits for the running server", "wait_until_dropped() { kill -TERM $$; }", 143],
  [
    "sees that the running server cannot load the good block",
    "wait_until_dropped() { :; }; server_metric() { if [[ $1 == *failures* ]]; then printf x >>failures; stat --format %s failures; else echo 1; fi; }",
    9,
  ],
])("a heal that %s puts the damaged one back", (_, more, status) => {
  fs.rmSync(path.join(shell.directory, "failures"), { force: true });
  const { code, stderr } = bringBack(`FACTS_FROM="the running server"; ${more}`);
  expect(code, stderr).toBe(status);
  expect(stderr).toContain(`prometheus-backup: block ${A} is in its place again, damaged as it was.\n`);
  expect([entries(), origin(`data/${A}`)]).toEqual([[A, B], "damaged"]);
});

test("after a heal that was killed the next one knows that the server was stopped by it", () => {
  put("state/heal.stopped", "0\n");
  const known = (state: string) =>
    shell.print(
      `${FACTS} UNIT_KNOWN=true UNIT_PID=0; unit_is() { [[ " $* " == *" ${state} "* ]]; }; read_heal_note; printf '%s' "$HEAL_STOPPED"`,
    );
  expect([known("inactive"), known("active"), known("inactive")]).toEqual(["true", "false", "false"]);
});

/** A curl that answers each question of a server with `answer`, and notes what it was asked. */
function answering(answer: string): string {
  put(
    "bin/curl",
    `#!/bin/sh
    for word in "$@"; do case "$word" in http*) echo "$word" >>"${shell.directory}/asked"; printf '%s\\n' '${answer}' ;; esac; done\n`,
  );
  fs.chmodSync(path.join(shell.directory, "bin/curl"), 0o755);
  fs.rmSync(path.join(shell.directory, "asked"), { force: true });
  return 'PATH="$PWD/bin:$PATH" PROMETHEUS_URL=http://server MERGE_PATIENCE_SECONDS=2; ';
}
const labels = (...names: string[]) => `${JSON.stringify({ status: "success", data: names })}\n#200`;
const asked = () => fs.readFileSync(path.join(shell.directory, "asked"), "utf8").trim().split("\n");

/** The server shows so many blocks, looks for them before each question or not, and answers. */
const waiting = (looks: boolean, loaded: number, answer: string, more = "") =>
  shell.run(`${FACTS} ${answering(answer)} mkdir -p stage; B_ULID=(${A}) B_MIN=(0) B_MAX=(7200000) B_SERIES=(1); rm -f looks
    server_metric() { case "$1" in *failures*) echo 0 ;; *reloads*) ${looks ? "printf x >>looks; stat --format %s looks" : "echo 1"} ;; *) echo ${loaded} ;; esac; }
    ${more}
    wait_until_loaded 2 0 ${A}; say "LOADED; $(answered_text)"`);

test.each([
  ["that is shown and answers", false, 2, labels("job")],
  ["that was merged meanwhile, so that the number is as before, and answers", true, 1, labels("job")],
])("a block %s is loaded", (_, looks, loaded, answer) => {
  expect(waiting(looks, loaded, answer)).toMatchObject({
    code: 0,
    stderr: "LOADED; the server has answered from the time of 1 block\n",
  });
  expect(asked()).toEqual(["http://server/api/v1/labels?start=3600.000&end=3600.000&limit=1"]);
});

const NOT_LOADED: [string, boolean, number, string, string, string][] = [
  ["that is shown, but does not answer", true, 2, labels(), "", " (HTTP 200)"],
  ["of which nothing comes", true, 2, "\n#000", "", " (HTTP 000)"],
  ["for which a proxy answers", true, 2, "<html>\n<p>\n#502", "", " (HTTP 502)"],
  ["that the server has not looked for", false, 1, labels("job"), "", ""],
  ["of which the server goes on with the damaged one", true, 2, labels("job"), "DROPPED=false", ""],
];
test.each(representatives(NOT_LOADED, ([what]) => /shown|damaged/.test(what)))(
  "a block %s is not called loaded, and a restart is named",
  (_, looks, loaded, answer, more, why) => {
    const { code, stderr } = waiting(looks, loaded, answer, more);
    expect([code, stderr]).toEqual([
      9,
      `prometheus-backup: error: the blocks are in their place, but the server has not answered from the time of 1 of 1 block within 2 s${why}; it may be compacting; a restart loads them: systemctl restart none.service\n`,
    ]);
    expect(entries()).toContain(A);
  },
);

/** Of three blocks one is empty; the server answers for those of which the middle is so many hours. */
const asking = (more: string) =>
  `${FACTS} B_ULID=(a b c) B_MIN=(0 7200000 14400000) B_MAX=(7200000 14400000 21600000) B_SERIES=(5 0 5)\n${more}`;

test("all blocks are asked for at once, those that have answered not again, and one without series not at all", () => {
  answering("");
  put(
    "bin/curl",
    `#!/bin/sh
    echo "$@" | tr ' ' '\\n' | grep --only-matching 'start=[0-9]*' | tr '\\n' ' ' >>asked; echo >>asked
    for word in "$@"; do case "$word" in *start=18000*) if [ ! -e once ]; then touch once; printf '%s\\n' '${labels()}'; else printf '%s\\n' '${labels("job")}'; fi ;; http*) printf '%s\\n' '${labels("job")}' ;; esac; done\n`,
  );
  const told = shell.run(
    asking(
      'PATH="$PWD/bin:$PATH" MERGE_PATIENCE_SECONDS=100; ask_blocks "${!B_ULID[@]}"; say "${#UNANSWERED[@]}; $(answered_text)"',
    ),
  );
  expect(told).toMatchObject({ code: 0, stderr: "0; the server has answered from the time of 2 blocks\n" });
  expect(asked().map(line => line.trim())).toEqual(["start=3600 start=18000", "start=18000"]);
});

test.each([
  [
    "has nothing from their time",
    labels(),
    9,
    "error: the blocks are in their place, but the server has not answered from the time of 1 of 1 block within 2 s (HTTP 200); look at: journalctl -u none.service\n",
  ],
  ["answers", labels("job"), 0, "The server is up again.\n"],
])("a heal that has started a server which %s ends with it", (_, answer, status, words) => {
  const { code, stderr } = bringBack(answering(answer));
  expect([code, stderr]).toEqual([status, expect.stringContaining(words)]);
  expect(origin(`data/${A}`)).toBe("whole");
});

test("a server that has not looked since has not let go of a damaged block, whatever number it shows", () => {
  const dropped = (looks: boolean) =>
    shell.print(`${FACTS} MERGE_PATIENCE_SECONDS=2; rm -f looks
    server_metric() { case "$1" in *reloads*) ${looks ? "printf x >>looks; stat --format %s looks" : "echo 1"} ;; *) echo 0 ;; esac; }
    wait_until_dropped; printf '%s' "$DROPPED"`);
  expect([dropped(true), dropped(false)]).toEqual(["true", "false"]);
});

test.each([
  [
    "is not ready",
    "active",
    "the unit",
    "! none.service runs, but is not ready (HTTP 503): it is stopped for the change and started again",
  ],
  ["has failed", "failed", "the unit", "none.service is down; it is started at the end"],
  ["is stopped", "inactive", "the unit", "not running, and stays so"],
  ["answers", "active", "the running server", "goes on running; it finds the blocks within about a minute"],
])("the plan says what becomes of a server that %s", (_, state, from, words) => {
  const { stderr } = shell.run(
    `${FACTS} UNIT_KNOWN=true HEAL_STOPPED=false API_STATUS=503 PROMETHEUS_UNIT=none.service FACTS_FROM='${from}'; unit_is() { [[ " $* " == *" ${state} "* ]]; }; plan_heal_server`,
  );
  expect(stderr).toBe(`  server     ${words}\n`);
});
