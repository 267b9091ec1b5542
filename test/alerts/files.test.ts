import { execFileSync, spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { alertRules, renderAlertRules, renderPrometheusRule } from "../../components/alertRules/rules";
import { AlertRulesPlan } from "../../components/alertRules/conditions/condition";
import { alertRulesPlan, centralAlertRulesPlan } from "../../components/alertRules/step";
import { variants } from "../runner/pace";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-alerts-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

const root = path.join(__dirname, "..", "..");
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

const config = path.join(directory, "Pulumi.test.yaml");
fs.writeFileSync(
  config,
  stringify({
    config: {
      "prometheus-backup:defaults": {
        repositories: [{ path: "/b" }],
        alerts: { labels: { team: "infra" } },
        drill: { schedule: "0 5 * * 0" },
      },
      "prometheus-backup:hosts": [
        { name: "prom-a", hostKey, address: "10.0.0.1" },
        { name: "prom-b.example", hostKey, schedule: "0 */6 * * *" },
        {
          name: "prom-c",
          hostKey,
          address: "2001:db8::3",
          alerts: { enabled: false },
          textfile: { exporterUrl: "http://127.0.0.1:9200/metrics" },
        },
      ],
    },
  }),
);

function render(out: string, ...more: string[]): string[] {
  const command = [
    "--import",
    "tsx",
    "scripts/tools/render.ts",
    "--stack",
    "test",
    "--config",
    config,
    "--out",
    out,
    "--alerts",
    ...more,
  ];
  return execFileSync(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "ignore"] })
    .toString()
    .trimEnd()
    .split("\n");
}

function promtoolAccepts(file: string): void {
  const result = spawnSync("promtool", ["check", "rules", file]);
  expect([file, result.status, `${result.stdout.toString()}${result.stderr.toString()}`]).toEqual([
    file,
    0,
    expect.stringContaining("SUCCESS") as unknown,
  ]);
}

const daily = alertRulesPlan("prom-a", { labels: { team: "infra" } }, {}).rules;
const sixHours = alertRulesPlan("prom-b.example", { labels: { team: "infra" } }, { schedule: "0 */6 * * *" }).rules;

test("the rules of every host are written as files that its server can load, also where the stack installs none", () => {
  const out = path.join(directory, "plain");
  expect(render(out)).toEqual([
    `${out}/prom-a.yml`,
    `${out}/prom-b.example.yml`,
    `${out}/prom-c.yml`,
    "Each file is for the server of its own host. One server that scrapes several of these hosts takes what --central writes.",
  ]);
  for (const name of ["prom-a", "prom-b.example", "prom-c"]) {
    promtoolAccepts(path.join(out, `${name}.yml`));
  }
  expect(fs.readFileSync(path.join(out, "prom-a.yml"), "utf8")).toBe(renderAlertRules(daily));
});

test("a server that watches all hosts gets one file of rules, and its targets", () => {
  const out = path.join(directory, "central");
  expect(render(out, "--central")).toEqual([`${out}/prometheus-backup.yml`, `${out}/targets.yml`]);
  promtoolAccepts(path.join(out, "prometheus-backup.yml"));
  expect(fs.readFileSync(path.join(out, "prometheus-backup.yml"), "utf8")).toBe(
    renderAlertRules(centralAlertRulesPlan([daily, sixHours])),
  );
  expect(parse(fs.readFileSync(path.join(out, "targets.yml"), "utf8"))).toEqual([
    { targets: ["prom-b.example:9100"], labels: { prometheus_backup: "enabled", prometheus_backup_interval: "6h" } },
    {
      targets: ["10.0.0.1:9100", "[2001:db8::3]:9200"],
      labels: { prometheus_backup: "enabled", prometheus_backup_interval: "1d" },
    },
  ]);
  // As docs/alerts.md has it: the server's own tool reads both files.
  const server = path.join(out, "prometheus.yml");
  fs.writeFileSync(
    server,
    stringify({
      rule_files: ["prometheus-backup.yml"],
      scrape_configs: [{ job_name: "node", file_sd_configs: [{ files: ["targets.yml"] }] }],
    }),
  );
  const checked = spawnSync("promtool", ["check", "config", server]);
  expect([checked.status, checked.stdout.toString()]).toEqual([
    0,
    expect.stringContaining("SUCCESS: 1 rule files found") as unknown,
  ]);
});

/** The objects as the operator's own definition wants them, in what we use of it. */
const prometheusRule = z.strictObject({
  apiVersion: z.literal("monitoring.coreos.com/v1"),
  kind: z.literal("PrometheusRule"),
  metadata: z.strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
      .max(253),
    labels: z.record(
      z.string(),
      z
        .string()
        .regex(/^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
        .max(63),
    ),
  }),
  spec: z.strictObject({
    groups: z.array(
      z.strictObject({
        name: z.string().min(1),
        rules: z.array(
          z.strictObject({
            alert: z.string(),
            expr: z.string(),
            for: z
              .string()
              .min(1)
              .regex(/^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$/),
            labels: z.record(z.string(), z.string()),
            annotations: z.record(z.string(), z.string()),
          }),
        ),
      }),
    ),
  }),
});

test.each<[string, string[], string, string, AlertRulesPlan]>([
  ["every host", [], "prom-b.example.yml", "prometheus-backup-prom-b.example", sixHours],
  [
    "a server of all hosts",
    ["--central"],
    "prometheus-backup.yml",
    "prometheus-backup",
    centralAlertRulesPlan([daily, sixHours]),
  ],
])("for the operator the same rules of %s are objects of its kind", (what, options, name, object, plan) => {
  const out = path.join(directory, what);
  render(out, "--operator", ...options);
  const text = fs.readFileSync(path.join(out, name), "utf8");
  const parsed = prometheusRule.parse(parse(text));
  expect(parsed.metadata.name).toBe(object);
  expect(parsed.spec).toEqual({ groups: [{ name: "prometheus-backup", rules: alertRules(plan) }] });
  // What the operator hands to the server is the `spec`.
  const file = path.join(directory, "spec.yml");
  fs.writeFileSync(file, stringify(parsed.spec));
  promtoolAccepts(file);
  expect(renderPrometheusRule(plan)).toBe(text);
});

test.each(variants(["--operator"], ["--central"]))("`%s` alone is refused", option => {
  const result = spawnSync(
    process.execPath,
    [
      "--import",
      "tsx",
      "scripts/tools/render.ts",
      "--stack",
      "test",
      "--config",
      config,
      "--out",
      path.join(directory, "no"),
      option,
    ],
    { cwd: root },
  );
  expect([
    result.status,
    result.stderr
      .toString()
      .split("\n")
      .find(line => line.startsWith("render:")),
  ]).toEqual([
    2,
    "render: error: Usage: npm run render -- --stack STACK --out DIR [--alerts [--central] [--operator]] [--config FILE]",
  ]);
});
