// A stack's file as the commands read it that contact nobody.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { placeOf, readFleet, readStackFile } from "../../scripts/tools/stackFile";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-stack-"));
const file = path.join(directory, "Pulumi.test.yaml");
afterEach(() => vi.unstubAllEnvs());
afterAll(() => fs.rmSync(directory, { recursive: true }));

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
const host = `    - { name: prom-a, hostKey: "${hostKey}", repositories: [ { bucket: offsite } ] }`;
const bucket = "  prometheus-backup:offsiteBucket: { bucketName: backups }";

function fleet(...lines: string[]): ReturnType<typeof readFleet> {
  fs.writeFileSync(file, [...lines, ""].join("\n"));
  return readFleet("test", file);
}

test("structures, other keys and the region of AWS; other namespaces are nobody's business here", () => {
  vi.stubEnv("AWS_REGION", "eu-west-1");
  const text = "config:\n  aws:region: eu-central-1\n  other:defaults: 1\n  prometheus-backup:defaults: { nice: 1 }\n";
  const more = "  prometheus-backup:key: { secure: v1:abc }\n  prometheus-backup:default: {}\n";
  expect(readStackFile(text + more, "test")).toEqual({
    plain: { environment: "test", defaults: { nice: 1 } },
    keys: [
      { name: "key", secret: true },
      { name: "default", secret: false },
    ],
    awsRegion: "eu-central-1",
  });
  expect(readStackFile("config: {}\n", "test").awsRegion).toBe("eu-west-1");
});

test("an unknown key is refused as in a preview, and the stack's bucket lies where the stack works", () => {
  const known = [
    "config:",
    "  aws:region: eu-central-1",
    "  prometheus-backup:later: { secure: v1:abc }",
    "  prometheus-backup:hosts:",
    host,
    bucket,
  ];
  expect(fleet(...known).hosts[0]?.repositories).toEqual([{ bucket: "offsite", region: "eu-central-1" }]);
  expect(() => fleet(...known, "  prometheus-backup:default: {}")).toThrow(
    "  - default: is not a setting of prometheus-backup. Did you mean `defaults`?",
  );
});

test.each([
  [
    ["config:", "  a: */6 * * * *"],
    'Unexpected alias at node end at line 2, column 10; what begins with `*` needs quotes, such as schedule: "*/6 * * * *"',
  ],
  [
    ["config:", "  a: */6"],
    'Unresolved alias (the anchor must be set before the alias): /6; what begins with `*` needs quotes, such as schedule: "*/6 * * * *"',
  ],
  [["config:", "  a: 1", "  a: 2"], "Map keys must be unique at line 3, column 3"],
])("what is no YAML is told with its file: %j", (lines, words) => {
  expect(() => fleet(...lines)).toThrow(`${file} is no YAML: ${words}`);
});

test.each([
  ["hosts[1].repositories[0].bucket (prom-b)", 9, 22],
  ["hosts[1].schedule (prom-b)", 7, 7],
  ["hosts[0].name, hosts[1].name", 6, 9],
  ["defaults.retention.days", 3, 57],
  ["defaults.nice", 3, 3],
  ["later", 4, 3],
  ["environment", 1, 1],
])("%s stands in line %d, column %d", (setting, line, column) => {
  const text = [
    "config:",
    "  aws:region: eu-central-1",
    '  prometheus-backup:defaults: { retention: { "last": 1, days: 0 } }',
    "  prometheus-backup:later: 1",
    "  prometheus-backup:hosts:",
    "    - { name: prom-a }",
    "    - name: prom-b",
    "      repositories:",
    "        - { name: a, bucket: B }",
    "",
  ].join("\n");
  expect(placeOf(text, setting)).toEqual({ line, column });
});

test("npm run validate names every problem with its line, and what has none", () => {
  const validate = (...lines: string[]) => {
    fs.writeFileSync(file, [...lines, ""].join("\n"));
    const { status, stdout, stderr } = spawnSync(
      "npx",
      ["tsx", "scripts/tools/validate.ts", "--stack", "test", "--config", file],
      { encoding: "utf8" },
    );
    return { status, stdout: stdout.replaceAll(path.relative("", file), "FILE"), stderr };
  };
  const good = ["config:", "  aws:region: eu-central-1", "  prometheus-backup:hosts:", host, bucket];
  expect(validate(...good)).toMatchObject({ status: 0, stdout: "FILE: 1 host, nothing to change\n" });
  const bad = validate(...good, '  prometheus-backup:defaults: { schedule: "0 25 * * *", retentoin: 3 }');
  expect([bad.status, bad.stdout.split("\n").slice(0, -1)]).toEqual([
    1,
    [
      expect.stringMatching(/^FILE:6:33: defaults\.schedule: .*25/),
      expect.stringMatching(/^FILE:6:57: defaults\.retentoin: .*Did you mean `retention`\?/),
    ],
  ]);
  expect(validate("config: [")).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/^validate: error: .* is no YAML: /) as string,
  });
});
