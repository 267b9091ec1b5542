// The way back of a restore, from every phase, twice: what was in the data directory before is in it again.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";
import { variants } from "../runner/pace";

const shell = new Shell();
afterAll(() => shell.remove());

const OLD = "01M7VW2GC07R5ZX6V25SJJYA65";
const NEW = "01M7W2Y7M0S3ESKNNRGV1RQGG3";
let before: string[];

const put = (...names: string[]) => {
  for (const name of names) {
    fs.mkdirSync(path.join(shell.directory, path.dirname(name)), { recursive: true });
    fs.writeFileSync(path.join(shell.directory, name), name.split("/")[0] ?? "");
  }
};
const move = (from: string, to: string) => {
  fs.mkdirSync(path.join(shell.directory, path.dirname(to)), { recursive: true });
  fs.renameSync(path.join(shell.directory, from), path.join(shell.directory, to));
};

/** Both data directories hold a block of the same name: what tells them apart is the content. */
beforeEach(() => {
  for (const name of ["data", "stage", "aside", "state"]) {
    fs.rmSync(path.join(shell.directory, name), { recursive: true, force: true });
  }
  put(
    `data/${OLD}/index`,
    "data/wal/00000001",
    "data/chunks_head/000001",
    "data/notes.txt",
    `stage/${OLD}/index`,
    `stage/${NEW}/index`,
  );
  put("state/lock", "state/journal");
  fs.writeFileSync(path.join(shell.directory, "state/entries"), `${OLD}\n${NEW}\n`);
  before = shell.tree("data");
});

function reach(phase: string): void {
  if (phase !== "prepared" && phase !== "stopping") {
    move(`data/${OLD}`, `aside/${OLD}`);
    if (phase !== "moving-out") {
      move("data/wal", "aside/wal");
      move("data/chunks_head", "aside/chunks_head");
      move(`stage/${OLD}`, `data/${OLD}`);
    }
  }
  if (phase === "starting") {
    move(`stage/${NEW}`, `data/${NEW}`);
    put("data/wal/00000000", "data/queries.active");
  }
  const at = (name: string) => path.join(shell.directory, name);
  fs.writeFileSync(
    at("state/journal"),
    [
      `phase=${phase}`,
      "unit=none.service",
      "unit_known=false",
      `data=${at("data")}`,
      `staging=${at("stage")}`,
      `aside=${at("aside")}`,
      "was_running=false",
      "created=false",
      "backup=20261122T020000Z",
      "ready_timeout=5",
      "url=http://127.0.0.1:1",
      "",
    ].join("\n"),
  );
}

test.each(["prepared", "stopping", "moving-out", "moving-in", "starting"])(
  "from the phase %s the old data come back, and a second call changes nothing",
  phase => {
    reach(phase);
    for (const _ of [1, 2]) {
      const { code, stderr } = shell.run('command_recover --serve "$1"', path.join(shell.directory, "state/journal"));
      expect({ code, bug: stderr.includes("unexpected failure") }).toEqual({ code: 0, bug: false });
      expect(shell.tree("data")).toEqual(before);
      expect(fs.readFileSync(path.join(shell.directory, `data/${OLD}/index`), "utf8")).toBe("data");
      expect(fs.existsSync(path.join(shell.directory, "aside"))).toBe(false);
      expect(fs.existsSync(path.join(shell.directory, "state/journal"))).toBe(false);
    }
    expect(shell.tree("stage").filter(name => name.endsWith("index"))).toEqual([`./${OLD}/index`, `./${NEW}/index`]);
  },
);

test.each([
  ["moving-in", 10],
  ["starting", 0],
])("while the restore is at work in the phase %s, a start of the server gets %i", (phase, expected) => {
  reach(phase);
  const { code } = shell.run(
    'exec 9>"$1/lock"; flock 9; bash "$PROGRAM" recover --before-start "$1/journal" || exit $?',
    path.join(shell.directory, "state"),
  );
  expect(code).toBe(expected);
  expect(fs.existsSync(path.join(shell.directory, "state/journal"))).toBe(true);
});

/** Shell: a server, `$server`, that has its WAL open for three seconds. */
const HOLDER = `mkdir -p data/wal; { exec 8>>data/wal/00000009; exec sleep 3; } & server=$!; until [[ -e /proc/$server/fd/8 ]]; do sleep 0.1; done
`;

test("while a process has the data open nothing is moved, and the first command after its end rolls back", () => {
  reach("starting");
  const { code, stderr } =
    shell.run(`${HOLDER} find data aside state/journal | sort >held; status=0; bash "$PROGRAM" recover --serve "$PWD/state/journal" || status=$?
    find data aside state/journal | sort | cmp - held || exit 99; kill -0 $server || exit 98; exit $status`);
  expect(stderr).toMatch(
    /cannot come back while the server has not ended \(a process has its data open: pid \d+ sleep 3 ?\); nothing was moved; end that process;/,
  );
  expect(code).toBe(12);
  fs.rmSync(path.join(shell.directory, "data/wal/00000009"));
  expect(shell.run('sleep 3; bash "$PROGRAM" recover --serve "$PWD/state/journal"').code).toBe(0);
  expect(shell.tree("data")).toEqual(before);
});

test.each(variants(["--guard"], ["--before-start"]))(
  "recover %s waits for the process that has the data open before it moves anything",
  mode => {
    reach("moving-in");
    const { code, stderr } =
      shell.run(`${HOLDER} bash "$PROGRAM" recover ${mode} "$PWD/state/journal" </dev/null || exit $?
    if [[ -d /proc/$server && "$(</proc/$server/stat)" != *') Z '* ]]; then exit 99; fi`);
    expect(code, stderr).toBe(0);
    expect(shell.tree("data")).toEqual(before);
  },
);

test("a start of the server during a restore waits until its predecessor has ended", () => {
  reach("starting");
  const { code, stderr } =
    shell.run(`${HOLDER} exec 9>state/lock; flock 9; bash "$PROGRAM" recover --before-start "$PWD/state/journal" || exit $?
    if [[ -d /proc/$server && "$(</proc/$server/stat)" != *') Z '* ]]; then exit 99; fi`);
  expect(code, stderr).toBe(0);
  expect(fs.existsSync(path.join(shell.directory, "state/journal"))).toBe(true);
});

test("the guardian says that it is there, and goes when it is dismissed", () => {
  const { code, stdout, stderr } = shell.run(`self_path() { printf '%s' "$PROGRAM"; }
    start_guardian "$PWD/watched" recover --guard "$PWD/none"; echo there; dismiss_guardian; cat watched.guardian.log`);
  expect([code, stdout, stderr]).toEqual([0, "there\n", ""]);
});

test("a restore whose server cannot be stopped moves nothing and leaves journal, guard and guardian in place", () => {
  reach("starting");
  const there = [shell.tree("data"), shell.tree("aside")];
  const { stderr } = shell.run(
    'JOURNAL="$PWD/state/journal"; read_journal; UNIT_KNOWN=true; exec {SWITCH_FD}>state/lock' +
      `
    unit_stop() { STOP_ERROR="it still runs after 300 s"; return 1; }; unit_start() { say STARTED; }; remove_guard() { say UNGUARDED; }; dismiss_guardian() { say DISMISSED; }
    CLEANUP_HOOKS+=(undo_switch); exit 4`,
  );
  expect(stderr).toMatch(
    /warning: the server could not be stopped \(it still runs after 300 s\), so nothing was moved: .*; look at: systemctl status none\.service\n$/,
  );
  expect([shell.tree("data"), shell.tree("aside")]).toEqual(there);
  expect(fs.existsSync(path.join(shell.directory, "state/journal"))).toBe(true);
});

test("of a unit that systemd does not know, a process that has the data open keeps a restore from touching it", () => {
  const facts = 'DATA_DIRECTORY="$PWD/data" UNIT_KNOWN=false; in_unit() { true; }; ';
  const refused = shell.run(`${HOLDER} ${facts} require_no_others`);
  expect([refused.code, refused.stderr]).toEqual([12, expect.stringContaining("another process has files in ")]);
  expect(shell.print(`${HOLDER} ${facts} unit_stop || printf '%s' "$STOP_ERROR"`)).toMatch(
    /^a process has its data open: pid \d+ sleep 3/,
  );
});

test("only what a server keeps there is moved", () => {
  put(
    "data/01M7VW2GC07R5ZX6V25SJJYA66.tmp-for-deletion/index",
    "data/snapshots/20261122T020000Z-0123456789abcdef/x",
    "data/queries.active",
    "data/lock",
  );
  expect(shell.print('tsdb_entries "$1"', path.join(shell.directory, "data")).trim().split("\n")).toEqual([
    OLD,
    "01M7VW2GC07R5ZX6V25SJJYA66.tmp-for-deletion",
    "chunks_head",
    "lock",
    "queries.active",
    "wal",
  ]);
});

/** A drop-in of a restore with this journal, in the place of a unit's drop-ins. */
const guardOf = (unit: string, journal: string) => {
  put(`units/${unit}.d/90-prometheus-backup-restore.conf`);
  fs.writeFileSync(
    path.join(shell.directory, `units/${unit}.d/90-prometheus-backup-restore.conf`),
    `[Service]\nExecStartPre=+/p recover --before-start ${journal}\n`,
  );
};
const noUnits =
  'UNITS_DIRECTORY="$PWD/units"; systemctl() { printf "systemctl %s\\n" "$*" >>calls; }; systemd-run() { printf "later %s\\n" "${@: -1}" >>calls; };';

test.each([
  ["the next start of the unit", 'command_recover --before-start "$1"', "later a.service"],
  ["the guardian", 'left_alone() { :; }; command_recover --guard "$1"', "systemctl daemon-reload"],
  ["the next command", "JOURNAL=$1; recover_interrupted", "systemctl daemon-reload"],
])("a guard whose restore was killed after its journal had gone is taken out by %s, and no other", (_, call, said) => {
  const journal = path.join(shell.directory, "state/journal");
  fs.rmSync(journal);
  fs.rmSync(path.join(shell.directory, "units"), { recursive: true, force: true });
  guardOf("a.service", journal);
  guardOf("b.service", "/elsewhere/journal");
  const busy = shell.print(`${noUnits} exec 9>state/lock; flock 9; ${call}; find units -type f | sort`, journal);
  expect(busy.split("\n")).toEqual(["a", "b"].map(unit => `units/${unit}.service.d/90-prometheus-backup-restore.conf`));
  expect(shell.print(`${noUnits} rm -f calls; ${call}; cat calls`, journal)).toBe(said);
  expect(shell.tree("units")).toEqual(["./b.service.d", "./b.service.d/90-prometheus-backup-restore.conf"]);
});
