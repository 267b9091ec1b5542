// A Prometheus on this machine that holds the fortnight, alerts included, and scrapes nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { type AlertRule, alertRules } from "../../components/alertRules/rules";
import { alertRulesPlan, centralAlertRulesPlan } from "../../components/alertRules/step";
import { runOrThrow, testEnvironment, waitUntil } from "../tools/process";
import { fortnight, NOW, openMetrics, series, START, STEP } from "./fortnight";
import { parsed, request, type Query, type Series } from "./queries";

export interface FortnightServer {
  url: string;
  query(query: Query): Promise<Series[]>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("no port was given");
  }
  return address.port;
}

async function ask(url: string, query: Query): Promise<Series[]> {
  const { path: place, form } = request(query, { start: START + STEP, end: NOW, step: STEP });
  const response = await fetch(`${url}${place}`, { method: "POST", body: form });
  return parsed(query.name, await response.text());
}

async function startServer(directory: string): Promise<FortnightServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log: string[] = [];
  const child = spawn(
    "prometheus",
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      "--storage.tsdb.retention.time=1y",
      // Samples are further apart than any scrape, so that a fortnight stays small.
      `--query.lookback-delta=${STEP + 60}s`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { env: testEnvironment(), stdio: ["ignore", "ignore", "pipe"] },
  );
  child.stderr.on("data", (piece: Buffer) => log.push(piece.toString()));
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill();
      await ended;
    }
  };
  try {
    await waitUntil("Prometheus answers", 60, async () => {
      if (child.exitCode !== null) {
        throw new Error(`Prometheus ended with ${child.exitCode}: ${log.join("")}`);
      }
      return fetch(`${url}/-/ready`).then(
        response => response.ok,
        () => false,
      );
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, query: query => ask(url, query), stop };
}

async function backfill(directory: string, samples: ReturnType<typeof fortnight>): Promise<void> {
  const file = path.join(directory, "samples.om");
  writeFileSync(file, openMetrics(samples));
  await runOrThrow("promtool", [
    "tsdb",
    "create-blocks-from",
    "--max-block-duration=1024h",
    "--quiet",
    "openmetrics",
    file,
    path.join(directory, "data"),
  ]);
}

/** Seconds of a duration as the rules write it, such as `90m`. */
function secondsOf(text: string): number {
  const [, amount = "", unit = ""] = /^(\d+)([dhms])$/.exec(text) ?? [];
  const size = new Map([
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ]).get(unit);
  if (size === undefined) {
    throw new Error(`not a duration: ${text}`);
  }
  return Number(amount) * size;
}

/** What the server would have recorded about a rule, had it evaluated it all the time. */
function recorded(rule: AlertRule, results: Series[]): [string, [number, number][]][] {
  return results.flatMap(({ metric, values = [] }) => {
    const { __name__: _, ...labels } = metric;
    const points: Record<"pending" | "firing", [number, number][]> = { pending: [], firing: [] };
    let since = Number.NaN;
    let last = Number.NEGATIVE_INFINITY;
    for (const [at] of values) {
      since = at - last > STEP ? at : since;
      last = at;
      points[at - since >= secondsOf(rule.for) ? "firing" : "pending"].push([at, 1]);
    }
    return Object.entries(points)
      .filter(([, when]) => when.length > 0)
      .map(([alertstate, when]): [string, [number, number][]] => [
        series("ALERTS", { ...labels, ...rule.labels, alertname: rule.alert, alertstate }),
        when,
      ]);
  });
}

/** Starts the server; its alerts come from the rules of a daily schedule with weekly drills. */
export async function startFortnightServer(): Promise<FortnightServer> {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-fortnight-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    writeFileSync(path.join(directory, "prometheus.yml"), "global: {}\n");
    await backfill(directory, fortnight());
    const bare = await startServer(directory);
    const rules = alertRules(
      centralAlertRulesPlan([
        alertRulesPlan("central", {}, { schedule: "0 2 * * *", drill: { schedule: "0 9 * * 0" } }).rules,
      ]),
    );
    const results = await Promise.all(
      rules.map(rule => bare.query({ name: rule.alert, expr: rule.expr, instant: false })),
    ).finally(() => bare.stop());
    await backfill(directory, new Map(rules.flatMap((rule, index) => recorded(rule, results[index] ?? []))));
    const server = await startServer(directory);
    return { ...server, stop: () => server.stop().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}
