import { spawn } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { Report } from "../../scripts/tools/report/evaluate";
import { packed } from "../tools/manifest";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-test-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

const root = path.join(__dirname, "..", "..");
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

function report(args: string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, ["--import", "tsx", "scripts/tools/report/index.ts", ...args], {
      cwd: root,
      env: { ...process.env, ...env },
    });
    const run: Run = { code: null, stdout: "", stderr: "" };
    child.stdout.on("data", (text: Buffer) => (run.stdout += text.toString()));
    child.stderr.on("data", (text: Buffer) => (run.stderr += text.toString()));
    child.on("close", code => resolve({ ...run, code }));
  });
}

function stack(name: string, hosts: string[], repositories: unknown[]): string[] {
  const file = path.join(directory, `Pulumi.${name}.yaml`);
  const config = {
    "prometheus-backup:defaults": { repositories, privateKey: "sshKey", drill: { schedule: "@weekly" } },
    "prometheus-backup:hosts": hosts.map(host => ({ name: host, hostKey })),
  };
  fs.writeFileSync(file, stringify({ config }));
  return ["--stack", name, "--config", file];
}

/** A repository's folder of one host, made by hand with one block that a backup of `hours` ago names. */
function put(place: string, hours: number, lastDrill?: null, format: 1 | 2 = 2): string {
  const finishedAt = new Date(Date.now() - hours * 3_600_000).toISOString().replace(/[.][0-9]+/, "");
  const name = finishedAt.replace(/[-:]/g, "");
  const block = "blocks/01JD3V8QK2000000000000000A.tar.zst";
  const manifest = {
    format,
    name,
    suspect: null,
    lastDrill,
    startedAt: finishedAt,
    finishedAt,
    blocks: [{ object: block, objectBytes: 5 }],
    archive: null,
    wal: null,
    companions: [],
    coverage: { newestSample: finishedAt },
    totals: { sizeBytes: 5, samples: 100 },
  };
  const content = format === 1 ? JSON.stringify(manifest) : packed(JSON.stringify(manifest));
  for (const [object, text] of [
    [block, "block"],
    [`backups/${name}.json`, content],
    ["owner.json", "{}"],
  ] as const) {
    fs.mkdirSync(path.dirname(path.join(place, object)), { recursive: true });
    fs.writeFileSync(path.join(place, object), text);
  }
  return name;
}

function states(run: Run): string[] {
  const { repositories } = JSON.parse(run.stdout) as Report;
  return repositories.map(({ host, repository, state, newest, pinned, findings }) =>
    [host, repository, state, newest?.name ?? "-", pinned, ...findings.map(({ kind }) => kind)].join(" "),
  );
}

test("directories are read where they are mounted, and every fault is found", async () => {
  const mounted = path.join(directory, "mounted");
  const good = put(path.join(mounted, "good"), 2);
  put(path.join(mounted, "good"), 26, undefined, 1);
  fs.mkdirSync(path.join(mounted, "good/pins"));
  fs.writeFileSync(path.join(mounted, "good/pins", good), "");
  const old = put(path.join(mounted, "old"), 24 * 5);
  const untried = put(path.join(mounted, "untried"), 2, null);
  put(path.join(mounted, "untried"), 24 * 20, null);
  const torn = put(path.join(mounted, "torn"), 2);
  fs.truncateSync(path.join(mounted, "torn/blocks/01JD3V8QK2000000000000000A.tar.zst"), 3);
  const damaged = put(path.join(mounted, "damaged"), 2);
  fs.writeFileSync(path.join(mounted, "damaged/backups/20261101T000000Z.json"), '{"format":1,"coverage":null}');
  fs.writeFileSync(path.join(mounted, "damaged/backups/20261102T000000Z.json"), packed("{}").subarray(0, 9));
  const hosts = stack("paths", ["good", "old", "untried", "torn", "damaged", "none"], [{ path: "/backup/nowhere" }]);
  const prom = path.join(directory, "report.prom");
  const run = await report([...hosts, "--path", `local=${mounted}`, "--json", "--prom", prom]);
  expect(states(run)).toEqual([
    `good local good ${good} 1`,
    `old local findings ${old} 0 stale`,
    `untried local findings ${untried} 0 never-drilled`,
    `torn local findings - 0 no-backup incomplete`,
    `damaged local findings ${damaged} 0 damaged`,
    "none local findings - 0 no-backup",
  ]);
  expect([run.code, torn.length]).toEqual([1, 16]);
  expect(fs.readFileSync(prom, "utf8")).toContain(
    'prometheus_backup_report_findings{host="old",environment="paths",repository="local"} 1\n',
  );
  expect(fs.readdirSync(directory).filter(name => name.startsWith("report.prom"))).toEqual(["report.prom"]);

  fs.rmSync(path.join(mounted, "old"), { recursive: true });
  const onlyGood = await report([...stack("good", ["good"], [{ path: mounted }])]);
  expect([onlyGood.code, onlyGood.stdout.split("\n").at(-2)]).toEqual([0, "All 1 hosts have good backups."]);
});

test("everything else is read through rclone, with what the environment says", async () => {
  const bucket = path.join(directory, "remote");
  const good = put(path.join(bucket, "backups/team/prom-a"), 2);
  const repositories = [
    { name: "off-site", bucket: "backups", region: "eu-central-1", prefix: "team", credentials: "s3" },
  ];
  const environment = { RCLONE_CONFIG_OFF_SITE_TYPE: "alias", RCLONE_CONFIG_OFF_SITE_REMOTE: bucket };
  const run = await report([...stack("remote", ["prom-a", "prom-b"], repositories), "--json"], environment);
  expect([run.code, states(run)]).toEqual([
    1,
    [`prom-a off-site good ${good} 0`, "prom-b off-site findings - 0 no-backup"],
  ]);
});

test("a repository that does not answer is no verdict", async () => {
  const repositories = [{ bucket: "backups", endpoint: "http://127.0.0.1:1" }];
  const run = await report(stack("dead", ["prom-a"], repositories), {
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "SECRET",
  });
  expect(run.code).toBe(2);
  expect(run.stdout).toContain("✘ UNREACHABLE: rclone: ");
  expect(run.stdout).toMatch(/connection refused/);
  expect(run.stdout + run.stderr).not.toContain("SECRET");
});

test.each([
  [
    [],
    "report: error: Usage: npm run report -- --stack STACK [--json] [--prom FILE] [--path REPOSITORY=DIR]... [--config FILE]",
  ],
  [
    ["--stack", "x", "--config", "/nowhere.yaml"],
    "report: error: there is no stack file /nowhere.yaml; name an existing stack, or its file with --config",
  ],
])("%j is refused with status 2", async (args, message) => {
  const run = await report(args);
  expect([run.code, run.stderr.split("\n").find(line => line.startsWith("report:"))]).toEqual([2, message]);
});
