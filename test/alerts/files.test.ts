import { execFileSync, spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { alertRules, renderAlertRules, renderPrometheusRule } from "../../components/render/alertRules";
import { alertRulesPlan } from "../../components/resolve";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

const root = path.join(__dirname, "..", "..");
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

const config = path.join(directory, "Pulumi.test.yaml");
fs.writeFileSync(config, stringify({
  config: {
    "prometheus-backup:defaults": { repositories: [{ path: "/b" }], alerts: { labels: { team: "infra" } }, drill: { schedule: "0 5 * * 0" } },
    "prometheus-backup:hosts": [{ name: "prom-a", hostKey }, { name: "prom-b.example", hostKey, schedule: "0 */6 * * *" }, { name: "prom-c", hostKey, alerts: { enabled: false } }],
  },
}));

function render(out: string, ...more: string[]): string[] {
  const command = ["tsx", "scripts/render.ts", "--stack", "test", "--config", config, "--out", out, "--alerts", ...more];
  return execFileSync("npx", command, { cwd: root, stdio: ["ignore", "pipe", "ignore"] }).toString().trimEnd().split("\n");
}

function promtoolAccepts(file: string): void {
  const result = spawnSync("promtool", ["check", "rules", file]);
  expect([file, result.status, `${result.stdout.toString()}${result.stderr.toString()}`]).toEqual([file, 0, expect.stringContaining("SUCCESS") as unknown]);
}

test("the rules of every host are written as files that a server can load, also where the stack installs none", () => {
  const out = path.join(directory, "plain");
  expect(render(out)).toEqual([
    `${out}/prom-a.yml`,
    `${out}/prom-b.example.yml`,
    `${out}/prom-c.yml: the same rules as prom-a; a server that scrapes both takes one of the files`,
  ]);
  for (const name of ["prom-a", "prom-b.example", "prom-c"]) {
    promtoolAccepts(path.join(out, `${name}.yml`));
  }
  const plan = alertRulesPlan({ labels: { team: "infra" } }, { drill: { schedule: "0 5 * * 0" } }).rules;
  expect(fs.readFileSync(path.join(out, "prom-a.yml"), "utf8")).toBe(renderAlertRules(plan));
});

test("for the operator the same rules are objects of its kind", () => {
  const out = path.join(directory, "operator");
  render(out, "--operator");
  const object = parse(fs.readFileSync(path.join(out, "prom-b.example.yml"), "utf8")) as { spec: unknown };
  const plan = alertRulesPlan({ labels: { team: "infra" } }, { schedule: "0 */6 * * *", drill: { schedule: "0 5 * * 0" } }).rules;
  expect(object).toEqual({
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { name: "prometheus-backup-prom-b.example", labels: { "app.kubernetes.io/name": "prometheus-backup" } },
    spec: { groups: [{ name: "prometheus-backup", rules: alertRules(plan) }] },
  });
  // What the operator hands to the server is the `spec`.
  const file = path.join(directory, "spec.yml");
  fs.writeFileSync(file, stringify(object.spec));
  promtoolAccepts(file);
  expect(renderPrometheusRule(plan, "prom-b.example")).toBe(fs.readFileSync(path.join(out, "prom-b.example.yml"), "utf8"));
});

test("`--operator` alone is refused", () => {
  const result = spawnSync("npx", ["tsx", "scripts/render.ts", "--stack", "test", "--config", config, "--out", path.join(directory, "no"), "--operator"], { cwd: root });
  expect([result.status, result.stderr.toString().split("\n").find(line => line.startsWith("render:"))]).toEqual([
    2, "render: error: Usage: npm run render -- --stack STACK --out DIR [--alerts [--operator]] [--config FILE]",
  ]);
});
