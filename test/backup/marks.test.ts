// Which place is the one of last time, and who else writes there: function by function, on directories and behind
// rclone.
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Shell } from "../restore/shell";
import { sealed, wholeManifest } from "../tools/manifest";
import { slowTest, variants } from "../runner/pace";

const shell = new Shell();
const at = (...names: string[]) => path.join(shell.directory, ...names);
afterAll(() => shell.remove());

const OLD = "20260101T020000Z";
const NEW = "20260102T020000Z";
type Kind = "path" | "rclone";
const KINDS = variants<Kind>(["path"], ["rclone"]);

beforeEach(() => {
  for (const name of ["place", "other", "original", "clone"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name));
  }
  fs.writeFileSync(at("rclone.conf"), "[disk]\ntype = local\n");
});

/** One repository of prom-1, seen by the machine whose state lies in `state`. */
const machine = (kind: Kind, state: string) => `
  HOST_NAME=prom-1 STATE_DIR="$PWD/${state}" RCLONE_CONFIG_FILE="$PWD/rclone.conf" COMMAND=run TAKE_OVER=false MARK_PATIENCE_SECONDS=3
  REPOSITORY_NAMES=(nas) REPOSITORY_TYPES=(${kind}) REPOSITORY_LOCATIONS=("${kind === "path" ? "" : "disk:"}$PWD/place"); select_repository 0
  host_id() { printf %064d 7; }
`;

/** What a run does around its uploads: all that decides who may write. */
const run = (backup: string, before = "") => `
  BACKUP=${backup}; begin_marks; ${before}
  repository_open || repository_fault "cannot be listed"
  require_owner || repository_fault "owner.json"
  leave_mark || repository_fault "the mark of this run"
  printf '{}' | repository_put backups/$BACKUP.json; note_place "$BACKUP"
`;

const look = 'if repository_list; then echo answers; else printf "%s\\n" "$REPOSITORY_ERROR"; fi';
const marks = () => (fs.existsSync(at("place/prom-1/marks")) ? fs.readdirSync(at("place/prom-1/marks")) : []);
const EMPTY =
  "it is empty, and has held backups of this host (is its file system mounted?); if it is to begin anew, run once: prometheus-backup.sh run --take-over";

describe.each(KINDS)("%s: a place that is not there", kind => {
  test("is a new one for a host that has stored nothing there", () => {
    expect(shell.print(machine(kind, "original") + look)).toBe("answers");
  });

  test("F33: did not answer when it is empty and was not", () => {
    shell.print(machine(kind, "original") + run(OLD));
    expect(shell.print(machine(kind, "original") + look)).toBe("answers");
    fs.renameSync(at("place/prom-1"), at("other/prom-1"));
    expect(shell.print(machine(kind, "original") + look)).toBe(EMPTY);
    expect(shell.print(`${machine(kind, "original")} TAKE_OVER=true; ${look}`)).toBe("answers");
  });

  test("did not answer when an older disk lies under the mount", () => {
    shell.print(machine(kind, "original") + run(OLD));
    fs.cpSync(at("place"), at("other"), { recursive: true });
    shell.print(machine(kind, "original") + run(NEW));
    fs.rmSync(at("place"), { recursive: true });
    fs.renameSync(at("other"), at("place"));
    expect(shell.print(machine(kind, "original") + look)).toBe(
      `it holds neither the mark of the last run nor backup ${NEW} or a newer one (is another file system mounted there?); if it is to begin anew, run once: prometheus-backup.sh run --take-over`,
    );
    expect(shell.run(machine(kind, "original") + run("20260103T020000Z")).code).toBe(8);
    expect(marks()).toHaveLength(1);
  });

  test("answers while the mark or the last backup is there, whoever else has deleted what", () => {
    shell.print(machine(kind, "original") + run(OLD));
    fs.rmSync(at("place/prom-1/backups"), { recursive: true });
    expect(shell.print(machine(kind, "original") + look)).toBe("answers");
    shell.print(machine(kind, "original") + run(NEW));
    fs.rmSync(at("place/prom-1/marks"), { recursive: true });
    expect(shell.print(machine(kind, "original") + look)).toBe("answers");
  });

  test("a repository that was moved in the settings may be new", () => {
    shell.print(machine(kind, "original") + run(OLD));
    fs.renameSync(at("place/prom-1"), at("other/prom-1"));
    const moved = machine(kind, "original").replace("$PWD/place", "$PWD/clone");
    expect(shell.print(moved + look)).toBe("answers");
  });

  test("of another host: a place without any repository did not answer, one with another host's did", () => {
    const other = machine(kind, "original").replace("select_repository 0", "select_repository 0 prom-9");
    expect(shell.print(other + look)).toMatch(/place holds backups of no host \(is its file system mounted\?\)$/);
    fs.mkdirSync(at("place/prom-2"));
    fs.writeFileSync(at("place/prom-2/owner.json"), "{}");
    expect(shell.print(other + look)).toBe("answers");
  });
});

test("latest says that a newer backup may lie on a disk that is not mounted, on the host and on a machine that knows nothing", () => {
  fs.mkdirSync(at("other/prom-1/backups"), { recursive: true });
  fs.writeFileSync(at("other/prom-1/backups", `${OLD}.json`), sealed(wholeManifest(OLD)));
  const latest = (state: string) =>
    shell.run(
      `${machine("path", state)} REPOSITORY_NAMES=(nas old) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/place" "$PWD/other"); resolve_backup latest; echo "$BACKUP $REPOSITORY"`,
    );
  shell.print(machine("path", "original") + run(NEW));
  fs.rmSync(at("place/prom-1"), { recursive: true });
  expect(latest("original").stdout).toBe(`${OLD} old\n`);
  expect(latest("original").stderr).toContain(
    `a newer backup may lie where nothing could be read: nas (${at("place/prom-1")}): ${EMPTY}`,
  );
  expect(latest("clone").stderr).toContain(
    `a newer backup may lie where nothing could be read: nas (${at("place/prom-1")}): ${at("place")} holds backups of no host (is its file system mounted?)`,
  );
});

const REFUSED =
  /^prometheus-backup: error: another machine with the name and the identity of this one writes to \S+place\/prom-1 \(a run of .+ was not made here\): one is a clone of the other/m;

describe.each(KINDS)("F34: %s: a clone", kind => {
  /** The state of the original, as an image of the machine carries it. */
  const clone = () => fs.cpSync(at("original"), at("clone"), { recursive: true });

  test.each([
    ["the clone", "clone", "original"],
    ["the original", "original", "clone"],
  ])("alternately: %s goes on, the other is refused, until somebody decides", (_, first, second) => {
    shell.print(machine(kind, "original") + run("20260101T020000Z"));
    clone();
    shell.print(machine(kind, first) + run("20260102T020000Z"));
    const objects = marks();
    const refused = shell.run(machine(kind, second) + run("20260103T020000Z"));
    expect([refused.code, refused.stderr]).toEqual([12, expect.stringMatching(REFUSED)]);
    expect(shell.run(`${machine(kind, second)} COMMAND=prune; command_prune --yes`).code).toBe(12);
    expect(marks()).toEqual(objects);
    shell.print(machine(kind, first) + run("20260104T020000Z"));
    shell.print(machine(kind, second) + run("20260105T020000Z", "TAKE_OVER=true;"));
    expect(shell.run(machine(kind, first) + run("20260106T020000Z")).code).toBe(12);
    shell.print(machine(kind, second) + run("20260107T020000Z"));
  });

  slowTest("both at once, a first time and later: one backup each time, and the other ends with 12", async () => {
    for (const [day, prepare] of [
      ["01", () => undefined],
      ["02", clone],
    ] as const) {
      prepare();
      const codes = await Promise.all(
        ["original", "clone"].map(state =>
          ended(`${machine(kind, state)} MARK_PATIENCE_SECONDS=10; ${run(`202601${day}T020000Z`, "barrier;")}`, state),
        ),
      );
      expect(
        codes.sort(),
        ["original", "clone"].map(state => fs.readFileSync(at(state, "errors"), "utf8")).join(""),
      ).toEqual([0, 12]);
      expect(fs.readdirSync(at("place/prom-1/backups"))).toHaveLength(Number(day));
      if (day === "01") {
        // Whoever went on is the original.
        const [kept = ""] = ["original", "clone"].filter(state => fs.readFileSync(at(state, "result"), "utf8") === "0");
        if (kept === "clone") {
          fs.rmSync(at("original"), { recursive: true });
          fs.renameSync(at("clone"), at("original"));
        }
        fs.rmSync(at("clone"), { recursive: true, force: true });
      }
    }
  });

  test("a run that was cut off after its mark, and a state directory that was lost, stop nobody", () => {
    shell.print(machine(kind, "original") + run(OLD));
    shell.run(machine(kind, "original") + run(NEW).replace(/printf '\{\}'.*/, "exit 137"));
    expect(marks()).toHaveLength(2);
    shell.print(machine(kind, "original") + run(NEW));
    shell.print(machine(kind, "clone") + run("20260103T020000Z"));
    expect(marks()).toHaveLength(4);
  });
});

/** Exit code of one of two machines that list at the same moment; noted in its state as well. */
function ended(text: string, state: string): Promise<number> {
  const other = state === "original" ? "clone" : "original";
  const barrier = `barrier() { : >"$PWD/${state}/here"; until [[ -e $PWD/${other}/here ]]; do sleep 0.01; done; }`;
  const prelude = `source "$PROGRAM"; begin; set_config_defaults; BACKUP_USER="$(id -un)"; SCRATCH="$(mktemp -d -p "$PWD")"; ${barrier}\n`;
  return new Promise(resolve => {
    const child = spawn("bash", ["-c", prelude + text], {
      cwd: shell.directory,
      env: { ...process.env, PROGRAM: shell.program },
      stdio: ["ignore", "ignore", fs.openSync(at(state, "errors"), "w")],
    });
    child.on("close", code => {
      fs.writeFileSync(at(state, "result"), String(code));
      fs.rmSync(at(state, "here"), { force: true });
      resolve(code ?? -1);
    });
  });
}

test("a run is refused in words, however many runs of another machine there were", () => {
  const listing = Array.from(
    { length: 20_000 },
    (_, index) => `17\tmarks/${index.toString(16).padStart(32, "0")}\t2026-01-01 00:00:00\n`,
  );
  fs.writeFileSync(at("listing"), listing.join(""));
  const { code, stderr } = shell.run(
    `${machine("path", "original")} mkdir -p "$STATE_DIR/marks"; printf '%032d\\n-\\n%s\\n' 7 "$PWD/place" >"$STATE_DIR/marks/nas.last"
    cp listing "$OBJECT_LIST"; require_own_marks`,
  );
  expect([code, stderr]).toEqual([12, expect.stringContaining("a run of 2026-01-01 00:00:00 UTC was not made here")]);
});

test("old marks go with what retention removes, the last one stays", () => {
  const listing = [
    `1\tmarks/${"a".repeat(32)}\t2026-01-01 00:00:00`,
    `1\tmarks/${"b".repeat(32)}\t2026-01-02 00:00:00`,
    "9\tblocks/01ARZ3NDEKTSV4RRFFQ69G5FAV.tar.zst\t2026-01-01 00:00:00",
  ];
  const plan = (lines: string[]) =>
    shell.print(
      `${machine("path", "original")} mkdir -p "$STATE_DIR/marks"; printf '%s\\n-\\n%s\\n' ${"b".repeat(32)} "$PWD/place" >"$STATE_DIR/marks/nas.last"
      printf '%s\\n' "$@" >"$OBJECT_LIST"; plan_prune "$SCRATCH/plan"; tail -n 1 "$SCRATCH/plan" | jq -c '[.objects[].object]'`,
      ...lines,
    );
  expect(plan(listing)).toBe(JSON.stringify(["blocks/01ARZ3NDEKTSV4RRFFQ69G5FAV.tar.zst", `marks/${"a".repeat(32)}`]));
  expect(plan(listing.slice(0, 2))).toBe("[]");
});
