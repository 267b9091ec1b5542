// What a server answers about the history and about its own scrapes, in a form that can be compared.
import { waitForPrometheus, type Host } from "../hosts/host";

interface Series {
  metric: Record<string, string>;
  value: [number, string];
  values: [number, string][];
}

/** The series of an instant query, or of a range selector with all its samples. */
export async function query(host: Host, url: string, expression: string, at = Date.now() / 1000): Promise<Series[]> {
  const words = new URLSearchParams({ query: expression, time: String(at) }).toString();
  const answer = JSON.parse(await host.run(`curl -sS -m 60 '${url}/api/v1/query?${words}'`)) as {
    status: string;
    error?: string;
    data: { result: Series[] };
  };
  if (answer.status !== "success") {
    throw new Error(`Prometheus says ${answer.error ?? "nothing"} to ${expression}`);
  }
  return answer.data.result;
}

/** Every series of the history with the number and the sum of its samples; sums of whole numbers, so they are exact. */
export async function servedHistory(host: Host, url: string): Promise<string[]> {
  const part = (word: string) =>
    `label_replace(${word}_over_time(history_requests_total[30d]), "what", "${word}", "", "")`;
  const series = await query(host, url, `${part("count")} or ${part("sum")}`);
  return series.map(({ metric, value }) => `${JSON.stringify(metric)} ${value[1]}`).sort();
}

/** How many samples of its own scrapes the server holds up to that moment. */
export async function scrapesUntil(host: Host, url: string, at: number): Promise<number> {
  const [count] = await query(host, url, "sum(count_over_time(up[3h]))", at);
  return Number(count?.value[1] ?? 0);
}

/** Restores nothing: starts a throw-away server on a data directory, asks it for the history, and ends it. */
export async function historyIn(host: Host, directory: string, port: number): Promise<string[]> {
  const unit = `look-${port}`;
  const url = `http://127.0.0.1:${port}`;
  const flags = [
    "--storage.tsdb.retention.time=100y",
    "--storage.tsdb.min-block-duration=2h",
    "--storage.tsdb.max-block-duration=2h",
  ];
  await host.run(
    `systemd-run --quiet --collect --unit ${unit} /usr/bin/prometheus --config.file=/dev/null --storage.tsdb.path=${directory} --web.listen-address=127.0.0.1:${port} ${flags.join(" ")}`,
  );
  try {
    await waitForPrometheus(host, 60, url);
    return await servedHistory(host, url);
  } finally {
    await host.exec(`systemctl stop ${unit}`);
  }
}
