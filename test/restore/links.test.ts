// Directories that are symbolic links: what is behind them counts.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const ULID = "01M7VW2GC07R5ZX6V25SJJYA65";
const at = (name: string) => path.join(shell.directory, name);

beforeAll(() => {
  fs.mkdirSync(at(`disk/${ULID}`), { recursive: true });
  fs.writeFileSync(at(`disk/${ULID}/index`), "index");
  fs.symlinkSync("disk", at("data"));
});

/** read_server for a server that says that it writes to `data`, with this dataDirectory in the settings. */
const asked = (setting: string) =>
  shell.run(
    `STATE_DIR="$PWD/state" SERVER_VERSION=2.53.0 RETENTION_TIME=15d RETENTION_SIZE="" CONFIG_IN_FORCE="" STORAGE_PATH="$PWD/data/" DATA_DIR="$1"
    mkdir -p state; rm -f state/server.*; : >"$SCRATCH/facts"; : >"$SCRATCH/prometheus.yml"
    read_server; printf '%s\\n' "$DATA_DIRECTORY" "$(live_blocks)" "$(jq --raw-output .dataDirectory state/server.json)"`,
    setting,
  );

test("a data directory that is a symbolic link has its blocks, and is remembered as the server calls it", () => {
  for (const setting of ["", at("data"), `${at("disk")}/`]) {
    const { code, stdout, stderr } = asked(setting);
    expect({ code, stderr, said: stdout.trim().split("\n") }).toEqual({
      code: 0,
      stderr: "",
      said: [fs.realpathSync(at("disk")), ULID, at("data")],
    });
  }
});

test("another data directory in the settings than the server's is refused", () => {
  const { code, stderr } = asked(at("elsewhere"));
  expect(code).toBe(3);
  expect(stderr).toContain(
    `dataDirectory is ${at("elsewhere")}, but the server at http://127.0.0.1:9090 writes to ${at("data")}; `,
  );
});

test("the folder of a host in a repository may be a symbolic link", () => {
  fs.mkdirSync(at("far/blocks"), { recursive: true });
  fs.mkdirSync(at("repository"));
  fs.writeFileSync(at("far/owner.json"), "{}");
  fs.writeFileSync(at("far/blocks/a.tar.zst"), "12345");
  fs.writeFileSync(at("far/blocks/.partial-1-2-b.tar.zst"), "");
  fs.symlinkSync("../far", at("repository/prom-1"));
  const listed = shell.print(
    'REPOSITORY_ROOT="$PWD/repository/prom-1"; list_path | cut -f 1,2 | sort; sweep_path; settle_path',
  );
  expect(listed.split("\n")).toEqual(["2\towner.json", "5\tblocks/a.tar.zst"]);
  expect(fs.readdirSync(at("far/blocks"))).toEqual(["a.tar.zst"]);
});

test("a target that is a symbolic link to a directory with something in it is not empty, one to an empty directory is", () => {
  fs.mkdirSync(at("empty"));
  fs.symlinkSync("empty", at("target"));
  expect(shell.run('require_new_directory "$PWD/target"')).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(shell.run('require_new_directory "$PWD/data"')).toMatchObject({
    code: 12,
    stderr: expect.stringContaining(`${at("data")} is not empty; name a new or empty directory`) as string,
  });
});
