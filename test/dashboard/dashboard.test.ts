import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alertDefaults } from "../../components/alertRules/settings";
import { renderDashboard } from "../../scripts/tools/dashboard/dashboard";
import { exitCodeWords } from "../../scripts/tools/dashboard/panels";
import { states } from "../../scripts/tools/dashboard/queries";
import { fortnight } from "./fortnight";
import { allQueries, checkedIn, type Query } from "./queries";
import { startFortnightServer, type FortnightServer } from "./server";

const read = (file: string): string => readFileSync(path.join(__dirname, "../..", file), "utf8");

/** Metrics of the host command, without their prefix. */
function hostMetrics(): string[] {
  const [, lines = ""] = /cat <<'TABLE'\n(.*?)^TABLE$/ms.exec(read("scripts/lib/watch/metrics.sh")) ?? [];
  return lines
    .split("\n")
    .filter(line => line !== "")
    .map(line => line.split("\t")[0] ?? "");
}

const named = (text: string): string[] =>
  [...text.matchAll(/prometheus_backup_([a-z_]+)/g)].map(([, name = ""]) => name);

test("the checked-in file is what the code makes", () => {
  expect(read("docs/grafana/prometheus-backup.json"), "run: npm run dashboard").toBe(
    renderDashboard(alertDefaults.runbookBase),
  );
});

test("panels have numbers of their own, fill the width and do not overlap", () => {
  const { panels } = checkedIn;
  expect(new Set(panels.map(panel => panel.id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  const rows = new Set(cells.map(cell => cell.split(",")[1]));
  expect(cells.length).toBe(rows.size * 24);
});

test("only metrics of the host command are asked for, and all that answer an operator's question", () => {
  const known = hostMetrics();
  const used = new Set(allQueries("any").flatMap(query => named(query.expr)));
  expect([...used].filter(name => !known.includes(name))).toEqual([]);
  // The run's age is in no question that the success does not answer; the others are for the rules and for finding
  // causes.
  expect(known.filter(name => !used.has(name))).toEqual([
    "last_run_timestamp_seconds",
    "last_duration_seconds",
    "duration_limit_seconds",
    "suspect_below_ratio",
    "damaged_blocks",
    "lost_blocks",
    "future_blocks",
    "admin_api_enabled",
    "admin_api_exposed",
    "repository_damaged_backups",
    "repository_future_backups",
    "drill_interval_seconds",
    "drill_scheduled_since_timestamp_seconds",
    "restore_bytes_per_second",
  ]);
});

test("exit codes have words for all of them", () => {
  const codes = [...read("scripts/lib/shell/constants.sh").matchAll(/^readonly EXIT_\w+=(\d+)$/gm)].map(
    ([, code]) => code,
  );
  expect(Object.keys(exitCodeWords.options)).toEqual(["0", ...codes]);
});

test("the fortnight has the metrics of the host command, all of them", () => {
  expect([...new Set([...fortnight().keys()].flatMap(named))].sort()).toEqual(hostMetrics().sort());
});

describe("on a Prometheus with a fleet of which some hosts are in trouble", () => {
  let server: FortnightServer;
  beforeAll(async () => {
    server = await startFortnightServer();
  });
  afterAll(() => server.stop());

  const find = (name: string, host = "prom-us-1"): Query => {
    const query = allQueries(host).find(candidate => candidate.name === name);
    if (query === undefined) {
      throw new Error(`the dashboard has no query ${name}`);
    }
    return query;
  };
  const one = async (name: string, host?: string): Promise<string[]> =>
    (await server.query(find(name, host))).map(series => series.value?.[1] ?? "");

  test("every query succeeds and has data", async () => {
    const empty: string[] = [];
    for (const query of allQueries("prom-us-1")) {
      if ((await server.query(query)).length === 0) {
        empty.push(query.name);
      }
    }
    // Only a host with cold backups, or after a restore, says how long its server was down.
    expect(empty).toEqual(["Server down for a backup or restore: downtime"]);
    expect(await server.query(find("Server down for a backup or restore: downtime", "stage-1"))).toHaveLength(1);
  });

  test("each host is in the state that it should be in, also those that say nothing", async () => {
    const found = await server.query(find("Hosts, the worst first: state"));
    const text = (value = ""): string => states.find(state => String(state.value) === value)?.text ?? value;
    expect(Object.fromEntries(found.map(({ metric, value }) => [metric.host, text(value?.[1])]))).toEqual({
      "10.0.0.31:9100": "no metrics",
      "10.0.0.27:9100": "never backed up",
      "prom-us-1": "overdue",
      "prom-ap-1": "suspect",
      "stage-2": "verification failed",
      "stage-3": "snapshots left",
      "prom-eu-1": "good",
      "prom-eu-2": "good",
      "prom-ap-2": "good",
      "stage-1": "good",
      lab: "good",
    });
    expect(await one("Hosts: hosts")).toEqual(["11"]);
    expect(await one("Good: good")).toEqual(["5"]);
    expect(await one("To look at: look")).toEqual(["3"]);
    expect(await one("Not protected: unprotected")).toEqual(["3"]);
  });

  test("the limits are those of the host's own schedule", async () => {
    const last = async (name: string, host: string): Promise<string | undefined> =>
      (await server.query(find(name, host)))[0]?.values?.at(-1)?.[1];
    expect(await last("Age of the last success and of the newest sample: successLimit", "prom-us-1")).toBe(
      String(1.1 * 6 * 3600),
    );
    expect(await last("Age of the last success and of the newest sample: dataLimit", "lab")).toBe(
      String(2 * 168 * 3600 + 3 * 3600),
    );
    expect(Number((await one("Next one due in: due", "prom-us-1"))[0])).toBeLessThan(0);
    expect(Number((await one("Next one due in: due", "lab"))[0])).toBeGreaterThan(0);
  });

  test("the annotations of a host hold its own alerts, and no other's", async () => {
    const found = await server.query(find("annotation: Alerts of the host", "prom-us-1"));
    expect([...new Set(found.map(({ metric }) => metric.alertname))].sort()).toEqual([
      "PrometheusBackupDataTooOld",
      "PrometheusBackupFailed",
      "PrometheusBackupLastRunFailed",
      "PrometheusBackupRepositoriesDisagree",
    ]);
    expect([...new Set(found.map(({ metric }) => metric.host))]).toEqual(["prom-us-1"]);
    expect(await server.query(find("annotation: Alerts of the host", "lab"))).toEqual([]);
  });
});
