// What the panels of the dashboard share.
import type * as cog from "@grafana/grafana-foundation-sdk/cog";
import * as common from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeseriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";
import { states } from "./queries";

export const datasource = { type: "prometheus", uid: "${datasource}" };

export interface Place {
  id: number;
  title: string;
  description: string;
  /** In units of Grafana's grid, which is 24 wide. */
  width: number;
  height: number;
}

interface Common<Panel> {
  id(id: number): Panel;
  title(title: string): Panel;
  description(description: string): Panel;
  span(width: number): Panel;
  height(height: number): Panel;
  datasource(reference: common.DataSourceRef): Panel;
}

export function placed<Panel extends Common<Panel>>(panel: Panel, place: Place): Panel {
  return panel
    .id(place.id)
    .title(place.title)
    .description(place.description)
    .span(place.width)
    .height(place.height)
    .datasource(datasource);
}

/** The values over the shown time. */
export function series(refId: string, expr: string, legend: string): DataqueryBuilder {
  return new DataqueryBuilder().refId(refId).datasource(datasource).expr(expr).legendFormat(legend).range();
}

/** The values now. */
export function now(refId: string, expr: string): DataqueryBuilder {
  return new DataqueryBuilder().refId(refId).datasource(datasource).expr(expr).instant();
}

/** The values now, as rows of a table. */
export function rows(refId: string, expr: string): DataqueryBuilder {
  return now(refId, expr).format(PromQueryFormat.Table);
}

/** Colours by value: each from its bound on, the first from below. */
export function colors(first: string, ...steps: [number, string][]): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...steps.map(([value, color]) => ({ value, color }))]);
}

export function words(options: Record<string, dashboard.ValueMappingResult>): dashboard.ValueMapping {
  return { type: dashboard.MappingType.ValueToText, options };
}

export const stateWords = words(
  Object.fromEntries(states.map(({ value, text, color }, index) => [String(value), { text, color, index }])),
);

/** Exit codes in words, as docs/exit-codes.md has them. */
export const exitCodeWords = words({
  "0": { text: "good", color: "green", index: 0 },
  "1": { text: "1: defect", color: "red", index: 1 },
  "2": { text: "2: usage", color: "red", index: 2 },
  "3": { text: "3: configuration", color: "red", index: 3 },
  "4": { text: "4: no answer from Prometheus", color: "red", index: 4 },
  "5": { text: "5: admin API off", color: "red", index: 5 },
  "6": { text: "6: snapshot", color: "red", index: 6 },
  "7": { text: "7: space", color: "red", index: 7 },
  "8": { text: "8: repository", color: "orange", index: 8 },
  "9": { text: "9: verification", color: "purple", index: 9 },
  "10": { text: "10: locked", color: "yellow", index: 10 },
  "11": { text: "11: not found", color: "orange", index: 11 },
  "12": { text: "12: refused", color: "orange", index: 12 },
});

/** One number on a small tile. */
export function tile(place: Place, query: cog.Builder<cog.Dataquery>, unit: string): StatPanel {
  return placed(new StatPanel(), place)
    .withTarget(query)
    .unit(unit)
    .noValue("none yet")
    .colorMode(common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.None)
    .textMode(common.BigValueTextMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false))
    .thresholds(colors("text"));
}

/** Lines over time. What a run leaves stays as it is until the next, so lines go in steps. */
export function graph(place: Place, unit: string): TimeseriesPanel {
  return placed(new TimeseriesPanel(), place)
    .unit(unit)
    .min(0)
    .lineWidth(2)
    .fillOpacity(10)
    .lineInterpolation(common.LineInterpolation.StepAfter)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    );
}

/** Draws a series as a limit: dashed, red, not filled. */
export const limitStyle: dashboard.DynamicConfigValue[] = [
  { id: "color", value: { mode: "fixed", fixedColor: "red" } },
  { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
  { id: "custom.fillOpacity", value: 0 },
  { id: "custom.lineWidth", value: 1 },
];

export function table(place: Place): TablePanel {
  return placed(new TablePanel(), place)
    .showHeader(true)
    .cellHeight(common.TableCellHeight.Sm)
    .thresholds(colors("text"));
}

export interface Column {
  /** Field as the query gives it: a label, or `Value #` and the name of the query. */
  field: string;
  title: string;
  properties?: dashboard.DynamicConfigValue[];
}

/**
 * Joins the queries by their labels to one table, in the order and with the names of the columns. Drops everything
 * else.
 */
export function columnsOf(panel: TablePanel, columns: Column[]): TablePanel {
  panel
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "filterFieldsByName",
      options: { include: { names: columns.map(column => column.field) } },
    })
    .withTransformation({
      id: "organize",
      options: {
        excludeByName: {},
        indexByName: Object.fromEntries(columns.map((column, index) => [column.field, index])),
        renameByName: Object.fromEntries(columns.map(column => [column.field, column.title])),
      },
    });
  for (const column of columns) {
    if (column.properties !== undefined) {
      panel.overrideByName(column.title, column.properties);
    }
  }
  return panel;
}

export const seconds = { id: "unit", value: "s" };
export const bytes = { id: "unit", value: "bytes" };

export function width(pixels: number): dashboard.DynamicConfigValue {
  return { id: "custom.width", value: pixels };
}

export function cell(type: string, mode?: string): dashboard.DynamicConfigValue {
  return { id: "custom.cellOptions", value: mode === undefined ? { type } : { type, mode } };
}

export function link(title: string, url: string, targetBlank = false): dashboard.DynamicConfigValue {
  return { id: "links", value: [{ title, url, targetBlank }] };
}
