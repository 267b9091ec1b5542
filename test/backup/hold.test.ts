// The first part of the host command: a hold ends before bash reads the rest.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { userInfo } from "node:os";
import { afterAll, beforeEach, expect, test } from "vitest";
import { renderSettings } from "../../components/backupJob/confFile";
import { Shell, type Called } from "../restore/shell";

const NEW_BLOCK = "01HZZZZZZZZZZZZZZZZZZZZ001";
const MERGED_BLOCK = "01HZZZZZZZZZZZZZZZZZZZZ002";
const HELD = "data/prometheus-backup-held";

const shell = new Shell();
const at = (name: string) => path.join(shell.directory, name);
afterAll(() => shell.remove());
beforeEach(() => {
  fs.rmSync(at("settings.conf"), { force: true });
  for (const name of ["state", "data", "repository"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name));
  }
  fs.writeFileSync(at("state/hold"), `${at("data")}\n`);
  fs.writeFileSync(at("state/lock"), "");
  fs.writeFileSync(
    at("settings.conf"),
    renderSettings({
      HOST_NAME: "prom-1",
      BACKUP_USER: userInfo().username,
      STATE_DIR: at("state"),
      REPOSITORY_COUNT: "1",
      REPOSITORY_1_NAME: "local",
      REPOSITORY_1_TYPE: "path",
      REPOSITORY_1_LOCATION: at("repository"),
    }),
    { mode: 0o644 },
  );
  for (const [ulid, level] of [
    [NEW_BLOCK, 1],
    [MERGED_BLOCK, 2],
  ] as const) {
    fs.mkdirSync(at(`data/${ulid}/chunks`), { recursive: true });
    fs.writeFileSync(at(`data/${ulid}/index`), "index");
    fs.writeFileSync(
      at(`data/${ulid}/meta.json`),
      // More than fits into a pipe, behind what is looked for.
      `{\n\t"compaction": {\n\t\t"level": ${level},\n\t\t"sources": []\n\t}\n}${"\n".repeat(300_000)}`,
    );
  }
});

function hold(program: string, ...words: string[]): Called {
  const { status, stdout, stderr } = spawnSync("bash", [program, "hold", ...words], {
    encoding: "utf8",
    env: { ...process.env, PROMETHEUS_BACKUP_CONFIG: at("settings.conf") },
  });
  return { code: status, stdout, stderr };
}

test("the options of the shell hold here too: times in UTC, files for nobody else, and errors end it", () => {
  const environment = { ...process.env, PROMETHEUS_BACKUP_CONFIG: at("settings.conf"), TZ: "Asia/Tokyo" };
  const { stderr } = spawnSync("bash", ["-c", 'umask 022; exec bash "$@"', "hold", shell.program, "hold"], {
    encoding: "utf8",
    env: environment,
  });
  const logged = Date.parse(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/.exec(stderr)?.[0] ?? "");
  expect(Math.abs(Date.now() - logged)).toBeLessThan(3_600_000);
  expect(fs.statSync(at(HELD)).mode & 0o777).toBe(0o700);
  expect(fs.readFileSync(shell.program, "utf8")).toMatch(/^(#.*\n)+set -Eeuo pipefail\n/);
});

test("links what came from the head, and says so once", () => {
  const first = hold(shell.program);
  expect(first).toMatchObject({ code: 0, stdout: "" });
  expect(first.stderr).toMatch(/^\S+Z hold blocks=1\n$/);
  expect(fs.readdirSync(at(HELD))).toEqual([".new", NEW_BLOCK]);
  expect(fs.statSync(at(`${HELD}/${NEW_BLOCK}/index`)).nlink).toBe(2);
  expect(hold(shell.program)).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("removes what a killed hold left half linked, and nothing that is not its own", () => {
  fs.mkdirSync(at(`${HELD}/.new/${MERGED_BLOCK}`), { recursive: true });
  fs.mkdirSync(at(`${HELD}/somebody's`));
  expect(hold(shell.program).code).toBe(0);
  expect(fs.readdirSync(at(HELD))).toEqual([".new", NEW_BLOCK, "somebody's"]);
  expect(fs.readdirSync(at(`${HELD}/.new`))).toEqual([]);
});

test("every way to fail is there too: a folder that cannot be made, wrong settings", () => {
  fs.writeFileSync(at(HELD), "not a directory");
  expect(hold(shell.program)).toMatchObject({
    code: 7,
    stderr: expect.stringMatching(
      /^prometheus-backup: error: \S+prometheus-backup-held cannot be made \(.+\); free space/,
    ) as string,
  });
  fs.appendFileSync(at("settings.conf"), "SOURCE='tape'\n");
  expect(hold(shell.program)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("SOURCE must be one of: snapshot hot cold") as string,
  });
  fs.chmodSync(at("settings.conf"), 0o666);
  expect(hold(shell.program)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("with mode 666, so others could run code through it") as string,
  });
});

test("a file system that gets full lets go of what was held in the same call, and waits for no lock of its own", () => {
  const program = at("full.sh");
  const text = fs.readFileSync(shell.program, "utf8");
  fs.writeFileSync(program, text.replace(/^readonly HOLD_FREE_PERCENT=10$/m, "readonly HOLD_FREE_PERCENT=101"));
  const { code, stderr } = hold(program);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^\S+Z hold blocks=1\n\S+Z hold let_go=1 free_percent=\d+\n$/),
  ]);
  expect(fs.existsSync(at(HELD))).toBe(false);
  expect(fs.readdirSync(at("data"))).toEqual([NEW_BLOCK, MERGED_BLOCK]);
});

test("words behind it and --help are the whole command's", () => {
  expect(hold(shell.program, "--help")).toMatchObject({ code: 0, stdout: expect.stringContaining("hold") as string });
  expect(hold(shell.program, "now")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("hold takes no options, not 'now'") as string,
  });
});
