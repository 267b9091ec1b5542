import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { alertRules } from "../../components/alertRules/rules";

const root = path.join(__dirname, "..", "..");
const plan = {
  intervals: [{ seconds: 86_400, tooSlowSeconds: 1800 }],
  hostName: "prom-a",
  exporterJobs: ["node"],
  remoteWriteTargets: ["a"],
  labels: {},
  runbookBase: "docs/runbooks/",
};
const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter(name => name.endsWith(".md"))
    .map(name => `docs/${name}`),
];
const read = (page: string): string => readFileSync(path.join(root, page), "utf8");

/** The name of a heading in a link, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchor(heading));
}

test("every alert has a runbook, and every runbook an alert", () => {
  const alerts = alertRules(plan).map(rule => `${rule.alert}.md`);
  expect(readdirSync(path.join(root, "docs/runbooks")).sort()).toEqual(alerts.sort());
});

test("docs/alerts.md has each alert with its severity", () => {
  const told = [...read("docs/alerts.md").matchAll(/^\| \[(PrometheusBackup\w+)\]\(.*?\) \| (\w+) \|/gm)];
  const real = alertRules(plan).map(({ alert, labels }) => [alert, labels.severity]);
  expect(told.map(([, alert, severity]) => [alert, severity]).sort()).toEqual(real.sort());
});

test.each(readdirSync(path.join(root, "docs/runbooks")))("%s says what an alert means, and what to do", page => {
  expect([...read(`docs/runbooks/${page}`).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual([
    "Meaning",
    "Impact",
    "Diagnosis",
    "Mitigation",
  ]);
});

test.each(pages)("the links in %s lead somewhere", page => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  const broken = links.filter(([, file = "", heading]) => {
    const target = file === "" ? page : path.join(path.dirname(page), file);
    return !existsSync(path.join(root, target)) || (heading !== undefined && !anchorsOf(target).includes(heading));
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test("every exit code of the host command is documented", () => {
  const codes = [...read("scripts/lib/shell/constants.sh").matchAll(/^readonly EXIT_\w+=(\d+)$/gm)].map(
    ([, code]) => code,
  );
  const documented = [...read("docs/exit-codes.md").matchAll(/^\| (\d+) \|/gm)].map(([, code]) => code);
  expect(documented.filter(code => Number(code) < 128)).toEqual(["0", ...codes]);
});

/** The metrics of the host command, without what they all begin with. */
function metricNames(): string[] {
  const [, table = ""] = /cat <<'TABLE'\n(.*?)^TABLE$/ms.exec(read("scripts/lib/watch/metrics.sh")) ?? [];
  return table.split("\n").flatMap(line => (line === "" ? [] : (line.split("\t")[0] ?? [])));
}

test("every metric of the host command is documented", () => {
  const [, section = ""] = /^## Metrics\n(.*)/ms.exec(read("docs/how-it-works.md")) ?? [];
  const documented = [...section.matchAll(/`([a-z_]+)(?:\{\w+\})?`/g)].map(([, name]) => name);
  expect(metricNames().filter(name => !documented.includes(name))).toEqual([]);
});

test("every metric that a page or a rule names is one of the host command", () => {
  const known = new Set(metricNames());
  const strangers = (text: string): string[] =>
    [...text.matchAll(/prometheus_backup_(?!report_|interval\b)([a-z_]+)/g)]
      .map(([, name = ""]) => name)
      .filter(name => !known.has(name));
  expect(
    Object.fromEntries(pages.map(page => [page, strangers(read(page))] as const).filter(([, all]) => all.length > 0)),
  ).toEqual({});
  expect(strangers(JSON.stringify(alertRules(plan)))).toEqual([]);
  expect(strangers("prometheus_backup_last_sucess_timestamp_seconds")).not.toEqual([]);
});
