// Every query of the checked-in dashboard, with its variables filled in as Grafana does.
import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

export const dashboardFile = path.join(__dirname, "../../docs/grafana/prometheus-backup.json");

const target = z.object({
  refId: z.string(),
  expr: z.string(),
  instant: z.boolean().optional(),
  legendFormat: z.string().optional(),
});
const panel = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(target).optional(),
});
const variable = z.object({
  name: z.string(),
  type: z.string(),
  query: z.union([z.string(), z.object({ query: z.string() })]),
});
const dashboard = z.object({
  panels: z.array(panel),
  annotations: z.object({ list: z.array(z.object({ name: z.string(), expr: z.string() })) }),
  templating: z.object({ list: z.array(variable) }),
});

export type DashboardPanel = z.infer<typeof panel>;

export const checkedIn = dashboard.parse(JSON.parse(readFileSync(dashboardFile, "utf8")));

export interface Query {
  /** Title of the panel and name of the query in it. */
  name: string;
  expr: string;
  instant: boolean;
}

/** All environments, and this host. */
function filled(expr: string, host: string): string {
  const values: Record<string, string> = { environment: ".*", host };
  return expr.replace(/\$([a-z_]+)/g, (whole, name: string) => values[name] ?? whole);
}

export function panelQueries(host: string): Query[] {
  return checkedIn.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr, instant }) => ({
      name: `${title}: ${refId}`,
      expr: filled(expr, host),
      instant: instant ?? false,
    })),
  );
}

/** All of them: panels, annotations and the values that the variables offer. */
export function allQueries(host: string): Query[] {
  const annotations = checkedIn.annotations.list.map(({ name, expr }) => ({
    name: `annotation: ${name}`,
    expr: filled(expr, host),
    instant: false,
  }));
  const variables = checkedIn.templating.list.flatMap(({ name, query }) => {
    const text = typeof query === "string" ? query : query.query;
    const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
    return series === undefined || label === undefined
      ? []
      : [{ name: `variable: ${name}`, expr: filled(`count by (${label}) (${series})`, host), instant: true }];
  });
  return [...panelQueries(host), ...annotations, ...variables];
}

const answer = z.object({
  status: z.literal("success"),
  data: z.object({
    resultType: z.enum(["vector", "matrix"]),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]).optional(),
        values: z.array(z.tuple([z.number(), z.string()])).optional(),
      }),
    ),
  }),
});

export type Series = z.infer<typeof answer>["data"]["result"][number];

/** Address and form of a query in the HTTP API. */
export function request(
  query: Query,
  range: { start: number; end: number; step: number },
): { path: string; form: URLSearchParams } {
  const { start, end, step } = range;
  return query.instant
    ? { path: "/api/v1/query", form: new URLSearchParams({ query: query.expr, time: String(end) }) }
    : {
        path: "/api/v1/query_range",
        form: new URLSearchParams({ query: query.expr, start: String(start), end: String(end), step: String(step) }),
      };
}

/** The series of an answer. Throws with the server's own words if it is none. */
export function parsed(name: string, text: string): Series[] {
  const result = answer.safeParse(JSON.parse(text));
  if (!result.success) {
    throw new Error(`${name}: the server answered: ${text.slice(0, 400)}`);
  }
  return result.data.data.result;
}
