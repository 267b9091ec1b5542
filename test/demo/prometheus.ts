// Questions to the server of the demo's host, and what it must answer alike before the disaster and after the restore.
import { isDeepStrictEqual } from "node:util";
import type { Host } from "../hosts/host";

const URL_ON_HOST = "http://127.0.0.1:9090";

/** What the server served up to one moment. */
export interface Measured {
  series: number;
  samples: number;
  /** For each query its series, sorted. */
  answers: string[][];
}

interface Answer {
  status: string;
  error?: string;
  data: unknown;
}

interface Vector {
  result: { metric: Record<string, string>; value?: [number, string] }[];
}

/** The expressions whose results must be equal; `at` is the newest moment that the backup holds. */
const QUERIES: ((at: number) => string)[] = [
  at => instant("sum(history_requests_total)", at - 6 * 3600),
  at => instant("topk(3, increase(history_requests_total[1d]))", at - 6 * 3600),
  at => range("sum by (instance) (rate(history_requests_total[30m]))", at - 3 * 86400, at, 1800),
  at => range("up", at - 600, at, 15),
  at => instant("node_memory_MemTotal_bytes", at),
];

function instant(query: string, time: number): string {
  return `/api/v1/query?${new URLSearchParams({ query, time: String(time) }).toString()}`;
}

function range(query: string, start: number, end: number, step: number): string {
  const words = { query, start: String(start), end: String(end), step: String(step) };
  return `/api/v1/query_range?${new URLSearchParams(words).toString()}`;
}

/** Asks the server on the host, from the host; many questions are one command. */
export async function ask(host: Host, paths: string[]): Promise<unknown[]> {
  const input = paths.map(path => `url = "${URL_ON_HOST}${path}"\nmax-time = 60\nwrite-out = "\\n"\n`).join("next\n");
  const output = await host.run("curl --silent --show-error --config -", { input });
  const lines = output.split("\n").filter(line => line !== "");
  if (lines.length !== paths.length) {
    throw new Error(`${lines.length} answers of Prometheus to ${paths.length} questions`);
  }
  return lines.map((line, index) => {
    const answer = JSON.parse(line) as Answer;
    if (answer.status !== "success") {
      throw new Error(`Prometheus says ${answer.error ?? line} to ${paths[index] ?? ""}`);
    }
    return answer.data;
  });
}

/** Series, samples and query results of the days up to `at`. */
export async function measure(host: Host, at: number): Promise<Measured> {
  const window = "[4d]";
  const [names] = (await ask(host, ["/api/v1/label/__name__/values"])) as [string[]];
  // Counting drops the name of a metric, so all at once would be the same series many times.
  const [series, ...samples] = (await ask(host, [
    instant(`count(last_over_time({__name__=~".+"}${window}))`, at),
    ...names.map(name => instant(`sum(count_over_time(${name}${window}))`, at)),
  ])) as [Vector, ...Vector[]];
  const answers = await ask(
    host,
    QUERIES.map(query => query(at)),
  );
  return {
    series: valueOf(series),
    samples: samples.reduce((sum, answer) => sum + valueOf(answer), 0),
    answers: answers.map(sorted),
  };
}

function valueOf(vector: Vector | undefined): number {
  return Number(vector?.result[0]?.value?.[1] ?? 0);
}

/** The order of series in an answer means nothing. */
function sorted(answer: unknown): string[] {
  const { result } = answer as Vector;
  return result.map(series => JSON.stringify(series)).sort();
}

/** The expressions whose results differ; an empty result proves nothing and counts as different. */
export function differentAnswers(before: Measured, after: Measured): string[] {
  const differs = (index: number): boolean =>
    before.answers[index]?.length === 0 || !isDeepStrictEqual(before.answers[index], after.answers[index]);
  return QUERIES.filter((_, index) => differs(index)).map(query => decodeURIComponent(query(0)));
}

export const numberOfQueries = QUERIES.length;

/** The alerts of our group, as the server has them loaded. */
export async function alertStates(host: Host): Promise<string[]> {
  const [rules] = (await ask(host, ["/api/v1/rules?type=alert"])) as [
    { groups: { name: string; rules: { state: string }[] }[] },
  ];
  return rules.groups
    .filter(group => group.name === "prometheus-backup")
    .flatMap(group => group.rules.map(rule => rule.state));
}

/**
 * Whether every target answers and has done so twice. What is compared later ends with a full second of the backup, and
 * the only scrape of a target may lie behind that; a scrape that failed left `up` and nothing else.
 */
export async function isScraped(host: Host): Promise<boolean> {
  const [up, all] = (await ask(host, [
    `/api/v1/query?query=${encodeURIComponent("count(sum_over_time(up[10m]) > 1 and up == 1)")}`,
    "/api/v1/targets?state=active",
  ])) as [Vector, { activeTargets: unknown[] }];
  // Just after its start the server knows of no target yet.
  return all.activeTargets.length > 0 && valueOf(up) === all.activeTargets.length;
}

/** How often systemd has started the server since the host booted. */
export async function serverStarts(host: Host): Promise<number> {
  return Number(
    await host.run(`journalctl --unit ${host.paths.prometheusUnit} --output cat | grep --count '^Started ' || true`),
  );
}

/** Blocks in the data directory: how many, and what they hold together. */
export async function blocksOnDisk(host: Host): Promise<{ blocks: number; series: number; samples: number }> {
  const text = await host.run(`cat -- ${host.paths.dataDirectory}/*/meta.json | tr --delete '\\n'`);
  const metas = JSON.parse(`[${text.replaceAll("}{", "},{")}]`) as {
    stats: { numSamples: number; numSeries: number };
  }[];
  return {
    blocks: metas.length,
    series: Math.max(...metas.map(meta => meta.stats.numSeries)),
    samples: metas.reduce((sum, meta) => sum + meta.stats.numSamples, 0),
  };
}
