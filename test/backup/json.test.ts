// What --json prints is what docs/json.md says, and nothing else is on standard output; results for people are there as
// well.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { DataDirectory, ulid } from "./dataDirectory";

const data = new DataDirectory();
afterAll(() => data.shell.remove());

const page = fs.readFileSync(path.join(__dirname, "../../docs/json.md"), "utf8");

/** By command: the schema on the page, with nothing allowed that it does not name. */
function schemaOf(command: string): z.ZodType {
  const text = new RegExp(`^## ${command}\n[^#]*?^\`\`\`json\n([^]*?)^\`\`\``, "m").exec(page)?.[1] ?? "false";
  return z.fromJSONSchema(JSON.parse(text) as Parameters<typeof z.fromJSONSchema>[0]);
}

beforeAll(() => {
  data.block(1);
  expect(data.call("run").code).toBe(0);
  data.block(2);
  expect(data.call("run").code).toBe(0);
  data.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
});

test.each([
  ["list", "list --json", 0],
  ["status", "status --json", 0],
  ["check", "check --json", 3],
  ["verify", "verify --json", 0],
  ["prune", "prune --dry-run --json", 0],
])("%s", (command, words, code) => {
  const called = data.call(words, "CRON_FILE=/nowhere");
  expect([called.code, schemaOf(command).safeParse(JSON.parse(called.stdout)).error]).toEqual([code, undefined]);
});

test("a schema holds: what is of another kind, or lacks a field, is not let through", () => {
  expect(
    schemaOf("check").safeParse({
      host: "prom-1",
      exitCode: 0,
      checks: [{ name: "a", state: "green", words: "", exitCode: 0 }],
    }).success,
  ).toBe(false);
  expect(schemaOf("prune").safeParse({ host: "prom-1", repositories: [] }).success).toBe(false);
});

/** A running server with that data directory, and nobody to ask; what heal brings back it takes. */
const server =
  () => `require_restore_user() { :; }; open_root_state() { :; }; recover_interrupted() { :; }; take_common_lock() { :; }; require_no_others() { :; }
  read_heal_note() { HEAL_STOPPED=false; }; read_server_facts() { DATA_DIRECTORY=${data.at("data")} FACTS_FROM="the running server" UNIT_KNOWN=false RETENTION_TIME=15d RETENTION_SIZE=0B BACKUP_STATE=/nowhere; }
  plan_access() { :; }; keep_own_marks() { :; }; bring_back() { ASKED=0; };`;
/** A throw-away server that comes up, and finds what the manifest says. */
const SCRATCH_SERVER =
  'read_unit() { :; }; require_server_program() { :; }; start_scratch_server() { :; }; stop_scratch_server() { :; }; check_samples() { DRILL_NOTE=""; }';

/** By which words, what is printed is what the page says of `command`, and the exit code is `code`. */
function printed(command: string, words: string, code: number, more: string): Record<string, unknown> {
  const called = data.call(words, more);
  expect([called.code, schemaOf(command).safeParse(JSON.parse(called.stdout)).error], called.stderr).toEqual([
    code,
    undefined,
  ]);
  return JSON.parse(called.stdout) as Record<string, unknown>;
}

test("a plan of a restore: its blocks, its lines and why it would be refused; with --json nothing else is done", () => {
  const plan = printed("restore", `restore latest --plan --json --target ${data.at("new")}`, 0, "");
  expect(plan).toMatchObject({
    host: "prom-1",
    exitCode: 0,
    repository: "local",
    mode: "target",
    target: data.at("new"),
    complete: true,
    flaws: null,
    blocks: [{ samples: 100 }, { samples: 100 }],
    refusals: [],
  });
  expect((plan.lines as { name: string }[]).map(({ name }) => name)).toEqual([
    "backup",
    "proven",
    "covers",
    "fetch",
    "space",
  ]);
  const full = printed(
    "restore",
    `restore latest --plan --json --target ${data.at("new")}`,
    7,
    "free_bytes() { printf 20000000; }",
  );
  expect(full).toMatchObject({
    exitCode: 7,
    refusals: [
      {
        exitCode: 7,
        reason: expect.stringMatching(/^20\.0 MB are free /) as string,
        action: expect.stringMatching(/^free space/) as string,
      },
    ],
  });
  expect(data.call(`restore latest --json --target ${data.at("new")}`)).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("restore --json is for its plan: pass --plan, too") as string,
  });
  expect(data.call("restore 2001 --plan --json --target /nowhere")).toMatchObject({ code: 11, stdout: "" });
});

test("drill: what was drilled, and which blocks are not as the manifest says", () => {
  expect(printed("drill", "drill --json", 0, SCRATCH_SERVER)).toMatchObject({
    host: "prom-1",
    blocks: 2,
    samples: 200,
    sample: null,
    restoreSeconds: expect.any(Number) as number,
    damaged: [],
  });
  const bad = printed(
    "drill",
    "drill --json",
    9,
    `${SCRATCH_SERVER}; check_samples() { DRILL_NOTE="" DRILL_ERROR="7 samples instead of 100"; (( $1 > 0 )); }`,
  );
  expect(bad.damaged).toEqual([{ ulid: expect.stringMatching(/^01/) as string, reason: "7 samples instead of 100" }]);
  expect(
    printed("drill", "drill --json", 9, `${SCRATCH_SERVER}; start_scratch_server() { SCRATCH_ERROR=no; return 1; }`),
  ).toMatchObject({ restoreSeconds: null });
});

test("heal: what is damaged and what would come back, what has, and what nobody has", () => {
  expect(printed("heal", "heal --plan --json", 0, server())).toMatchObject({
    done: false,
    checked: 2,
    damaged: [],
    bringsBack: [],
    hopeless: [],
  });
  const file = data.at(`data/${ulid(1)}/index`);
  const good = fs.readFileSync(file);
  fs.writeFileSync(file, "x");
  const plan = printed("heal", "heal --plan --json", 0, server());
  expect(plan).toMatchObject({ done: false, damaged: [{ ulid: ulid(1) }], bringsBack: [ulid(1)], refusals: [] });
  // A plan that does not know all of it, or does not bring all of it back, ends as the heal would.
  const oldest = data.at(`repository/prom-1/backups/${fs.readdirSync(data.at("repository/prom-1/backups"))[0]}`);
  const whole = fs.readFileSync(oldest);
  fs.appendFileSync(oldest, "x");
  expect(printed("heal", "heal --plan --json", 8, server())).toMatchObject({
    bringsBack: [ulid(1)],
    notRead: ["1 of 2 backups in local"],
  });
  fs.writeFileSync(oldest, whole);
  data.block(3);
  data.put(`data/${ulid(3)}/index`, "x");
  expect(printed("heal", "heal --plan --json", 9, server())).toMatchObject({
    bringsBack: [ulid(1)],
    hopeless: [ulid(3)],
  });
  data.remove(`data/${ulid(3)}`);
  expect(printed("heal", "heal --yes --json", 0, server())).toMatchObject({ done: true, bringsBack: [ulid(1)] });
  fs.rmSync(data.at("data/restore-" + String(plan.backup)), { recursive: true });
  expect(
    printed("heal", "heal --yes --json", 8, `${server()} fetch_selected() { die 8 "it broke" "mend it"; }`),
  ).toMatchObject({ done: false, exitCode: 8 });
  fs.writeFileSync(file, good);
  expect(data.call("heal --json", server())).toMatchObject({ code: 2, stdout: "" });
});

test("verify: what is damaged, and a repository that cannot be read", () => {
  const object = fs.readdirSync(data.at("repository/prom-1/blocks"))[0] ?? "";
  const file = data.at(`repository/prom-1/blocks/${object}`);
  const good = fs.readFileSync(file);
  fs.appendFileSync(file, "x");
  const damaged = data.call("verify --json");
  const answer = JSON.parse(damaged.stdout) as { repositories: unknown[] };
  expect([damaged.code, answer.repositories]).toEqual([
    9,
    [
      expect.objectContaining({
        repository: "local",
        exitCode: 9,
        damaged: [{ object: `blocks/${object}`, reason: "has another size" }],
      }),
    ],
  ]);
  expect(data.call("verify").stdout).toContain(`  ✘ blocks/${object}  has another size\n`);
  fs.writeFileSync(file, good);
  expect(data.call("verify").stdout).toMatch(/^✔ \S+ in local: 2 objects, .*, all as the manifest says /);
  fs.renameSync(data.at("repository"), data.at("elsewhere"));
  const gone = data.call("verify --json");
  fs.renameSync(data.at("elsewhere"), data.at("repository"));
  expect([gone.code, JSON.parse(gone.stdout)]).toEqual([
    8,
    {
      host: "prom-1",
      exitCode: 8,
      repositories: [{ repository: "local", exitCode: 8, backup: null, objects: 0, bytes: 0, damaged: [] }],
    },
  ]);
  expect(schemaOf("verify").safeParse(JSON.parse(gone.stdout)).success).toBe(true);
});

test("prune says for people why a backup stays, in units, and asks nobody for programs", () => {
  const { stdout } = data.call("prune --dry-run");
  expect(stdout).toMatch(
    /^local: 1 backup stays, 1 goes, and \d+ objects? \(\d+ kB\) that no kept backup names\n {2}\+ \S+ {2}stays: one of the newest 1\n {2}- \S+ {2}0 days old, no rule keeps it\n/,
  );
  expect(data.call("prune --json")).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("prune --json asks nobody: pass --dry-run or --yes too") as string,
  });
  const removed = JSON.parse(data.call("prune --yes --json").stdout) as {
    repositories: { removed: boolean; remove: unknown[] }[];
  };
  expect(removed.repositories).toMatchObject([{ removed: true, remove: [{ ageDays: 0 }] }]);
});

test("a plan of a restore is a result, and repeats the wanted range with its zone", () => {
  const { stdout } = data.call(`restore latest --from '2020-01-01 03:00 +0100' --target ${data.at("new")} --plan`);
  expect(stdout).toMatch(/^Restore of backup \S+ of prom-1 to \S+ \(no server is touched\)\n\n {2}backup /);
  expect(stdout).toMatch(
    /^ {2}part {7}whole blocks that touch the wanted time \(2020-01-01 02:00:00 … its end, UTC\); the backup has 2 blocks$/m,
  );
});
