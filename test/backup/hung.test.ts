// A path repository that hangs, as NFS does when its server is gone. It needs root and /dev/fuse.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Shell } from "../restore/shell";
import { HANGING_MOUNT } from "../tools/hangingMount";

const canMount = process.getuid?.() === 0 && fs.existsSync("/dev/fuse") && spawnSync("perl", ["-e", "1"]).status === 0;
if (!canMount) {
  console.warn("skipped: a file system that hangs needs root, /dev/fuse and perl");
}

describe.skipIf(!canMount)("F35: a repository behind a mount that hangs", () => {
  const shell = new Shell();
  const mount = path.join(shell.directory, "nas");
  const other = path.join(shell.directory, "other");
  let mounter: ChildProcess;

  const repositories = `IDLE_TIMEOUT_SECONDS=2 HOST_NAME=prom-1 STATE_DIR="$PWD/state"; mkdir -p "$STATE_DIR"
    REPOSITORY_NAMES=(nas other) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/nas" "$PWD/other") REPOSITORY_PRUNES=(true true)
    COMMAND=run; select_repository 0\n`;

  beforeAll(async () => {
    fs.mkdirSync(mount);
    fs.mkdirSync(path.join(other, "prom-1"), { recursive: true });
    fs.writeFileSync(path.join(other, "prom-1", "owner.json"), "{}\n");
    mounter = spawn("perl", ["-e", HANGING_MOUNT, mount, process.arch], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve, reject) => {
      mounter.stdout?.once("data", resolve);
      mounter.once("exit", () => reject(new Error("it could not be mounted")));
    });
  });

  afterAll(() => {
    spawnSync("umount", ["--lazy", mount]);
    mounter?.kill("SIGKILL");
    shell.remove();
  });

  const NO_ANSWER = "no answer for \\d s \\(does the server behind the mount still run\\?\\)";

  test("whatever touches it ends within the limit and says why", () => {
    const accesses = {
      list: "repository_list",
      read: "repository_get owner.json",
      write: "repository_put owner.json <<<x",
      upload: `send blocks/${"0".repeat(26)}.tar.zst echo x`,
      flush: "at_repository settle",
      hash: `printf 'owner.json\\n' >"$SCRATCH/names"; repository_hash "$SCRATCH/names"`,
      removal: "repository_delete_one owner.json",
      marks: "at_repository marks",
      bareness: "at_repository is_bare",
      partials: 'remove_own_partials 1; REPOSITORY_ERROR=$(<"$SCRATCH/hung.nas"); false',
    };
    const jobs = Object.entries(accesses).map(
      ([name, command]) => `( SCRATCH="$SCRATCH/${name}"; mkdir "$SCRATCH"
      if { ${command}; }; then REPOSITORY_ERROR=went; fi; printf '%s %s\\n' ${name} "$(sed 's/^[^ ]*: //' <<<"$REPOSITORY_ERROR")" ) &`,
    );
    const { code, stdout, stderr } = shell.run(`${repositories} ${jobs.join("\n")}\nwait`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const said = stdout.trimEnd().split("\n").sort();
    expect(said).toEqual(
      Object.keys(accesses)
        .sort()
        .map(name => expect.stringMatching(`^${name} ${NO_ANSWER}$`) as unknown),
    );
  });

  test("it is asked once, and what lies elsewhere is found", () => {
    const { code, stdout, stderr } =
      shell.run(`${repositories} open_repositories prom-1; echo "$\{OPEN_REPOSITORIES[*]}"; IDLE_TIMEOUT_SECONDS=600
      repository_list; select_repository 0; repository_list || echo again; printf '%s\\n' "$\{UNREACHABLE[@]}"`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^1\nagain\n.*nas.*: no answer for \\d s .*\n$`));
  });

  test("a run ends red at that repository, and leaves no lock behind", () => {
    const { code, stdout, stderr } =
      shell.run(`${repositories} CLEANUP_HOOKS=(); take_lock; BLOCKS=x RUN_SUSPECT=0 EMPTY_SOURCE=false
      note_wounds() { :; }; record_repository() { printf '%s %d\\n' "$1" "$2"; }
      store_in_repository() { select_repository "$1"; if (( $1 == 0 )); then : >"$REPOSITORY_ROOT/x"; fi; }
      store_everywhere`);
    expect(stdout).toBe("nas 8\nother 0\n");
    expect(stderr).toMatch(
      /^prometheus-backup: error: repository nas \(.*\/nas\/prom-1\): reading and writing: no answer for \d s \(.*\); no new backup was recorded there, the last one is untouched; the next run resumes\n$/,
    );
    expect(code).toBe(8);
    const next = shell.run(`${repositories} take_lock; echo free`);
    expect([next.stdout, next.code]).toEqual(["free\n", 0]);
  });

  test("one that is told to end does not wait for what hangs", () => {
    const { code } = shell.run(`${repositories} STARTED=$BASHPID IDLE_TIMEOUT_SECONDS=600 STOP_SECONDS=1
      ( until (( $(wc -w <"/proc/$STARTED/task/$STARTED/children") > 1 )); do sleep 0.1; done; kill -TERM "$STARTED" ) </dev/null >/dev/null 2>&1 &
      repository_list`);
    expect(code).toBe(143);
  });
});

describe("a path that answers slowly", () => {
  const shell = new Shell();
  afterAll(() => shell.remove());

  test("may take as long as it moves bytes, and be quiet for as long as it asked for; else it is left behind", () => {
    const slow = {
      moving: 'for n in 1 2 3 4 5; do sleep 0.9; echo "$n" >>"$SCRATCH/moving.file"; done; SENT_BYTES=7',
      flushing: "allow_quiet 9000000; sleep 5; SENT_BYTES=7",
      quiet: "sleep 600",
      failing: "REPOSITORY_ERROR='No space left on device'; return 1",
    };
    const jobs = Object.entries(slow).map(
      ([name, body]) => `( REPOSITORY=${name}; slow_path() { ${body}; }
      if at_repository slow; then echo "${name} $SENT_BYTES"; else echo "${name} $? $REPOSITORY_ERROR"; fi ) &`,
    );
    const { stdout, stderr } = shell.run(`IDLE_TIMEOUT_SECONDS=3 REPOSITORY_TYPE=path\n${jobs.join("\n")}\nwait`);
    expect(stderr).toBe("");
    expect(stdout.trimEnd().split("\n").sort()).toEqual([
      "failing 1 No space left on device",
      "flushing 7",
      "moving 7",
      expect.stringMatching(/^quiet 8 no answer for \d s /),
    ]);
  });
});
