// The queries of the dashboard, asked of the Prometheus of a test host.
import { quote, type Host } from "../hosts/host";
import { lines } from "../hostCommand/server";
import { allQueries, parsed, request } from "./queries";

/** Names of the dashboard's queries that have no data now. Rejects if the server refuses one. */
export async function queriesWithoutData(host: Host, name: string): Promise<string[]> {
  const end = Math.floor(Date.now() / 1000);
  const queries = allQueries(name);
  const calls = queries.map(query => {
    const { path, form } = request(query, { start: end - 30, end, step: 5 });
    return `curl -sS --data ${quote(form.toString())} http://127.0.0.1:9090${path}; echo`;
  });
  await host.writeFile("/tmp/dashboard-queries.sh", calls.join("\n"));
  const answers = lines(await host.run("bash /tmp/dashboard-queries.sh; rm /tmp/dashboard-queries.sh"));
  return queries
    .filter((query, index) => parsed(query.name, answers[index] ?? "").length === 0)
    .map(query => query.name);
}
