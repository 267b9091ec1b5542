// Draws the dashboard in a browser with the parts that Grafana itself is made of: its table, its graph, its tiles, its
// transformations, units and colours. Plain JavaScript, because these packages are fetched only where a picture is
// drawn. The layout of the page, and the timeline of states, which Grafana does not publish as a part, are drawn here.
import * as data from "@grafana/data";
import * as ui from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { lastValueFrom } from "rxjs";

/* global document, window, location, addEventListener */
const { dashboard, results, host, range, row } = window.DASHBOARD;
const timeZone = "utc";
const theme = data.createTheme({ colors: { mode: "dark" } });
const CELL_HEIGHT = 30;
const GAP = 8;
const WIDTH = 1600;
const unit = (WIDTH + GAP) / 24;

const timeRange = {
  from: data.dateTimeForTimeZone(timeZone, range.start * 1000),
  to: data.dateTimeForTimeZone(timeZone, range.end * 1000),
  raw: { from: "now-14d", to: "now" },
};
const replaceVariables = text => text.replaceAll("$host", host);

// Some stand there under two names.
const transformers = new Map(
  Object.values(data.standardTransformers).map(transformer => [transformer.id, transformer]),
);
data.standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map(transformer => ({
    id: transformer.id,
    name: transformer.name,
    transformation: () => Promise.resolve(transformer),
  })),
);

/** Options of fields that the dashboard sets, with the processors of Grafana that read them. */
function fieldOptions() {
  const plain = ["unit", "decimals", "min", "max", "color", "links", "noValue", "displayName"].map(id => [
    id,
    data.identityOverrideProcessor,
    false,
  ]);
  const custom = ["width", "cellOptions", "lineStyle", "fillOpacity", "lineWidth", "axisPlacement"].map(id => [
    id,
    data.identityOverrideProcessor,
    true,
  ]);
  const special = [
    ["mappings", data.valueMappingsOverrideProcessor, false],
    ["thresholds", data.thresholdsOverrideProcessor, false],
  ];
  const all = [...plain, ...custom, ...special];
  return new data.FieldConfigOptionsRegistry(() =>
    all.map(([id, process, isCustom]) => ({
      id: isCustom ? `custom.${id}` : id,
      path: id,
      name: id,
      isCustom,
      process,
      shouldApply: () => true,
      getItemsCount: () => 0,
    })),
  );
}
const fieldConfigRegistry = fieldOptions();

function legend(format, labels) {
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? "");
}

/** Series over time, or values now, as the data source for Prometheus hands them to a panel. */
function seriesFrames(target) {
  return results[target.name].map(({ metric, values, value }) => {
    const points = values ?? [value];
    return data.toDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: data.FieldType.time, values: points.map(point => point[0] * 1000), config: {} },
        {
          name: "Value",
          type: data.FieldType.number,
          labels: metric,
          values: points.map(point => Number(point[1])),
          config: { displayNameFromDS: legend(target.legendFormat ?? "", metric) || undefined },
        },
      ],
    });
  });
}

/** Values now as rows: a column a label, and one for the value. */
function tableFrame(target, several) {
  const found = results[target.name];
  const labels = [...new Set(found.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return data.toDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: data.FieldType.time, values: found.map(({ value }) => value[0] * 1000), config: {} },
      ...labels.map(label => ({
        name: label,
        type: data.FieldType.string,
        values: found.map(({ metric }) => metric[label] ?? ""),
        config: {},
      })),
      {
        name: several ? `Value #${target.refId}` : "Value",
        type: data.FieldType.number,
        values: found.map(({ value }) => Number(value[1])),
        config: {},
      },
    ],
  });
}

/** Where a dashboard says nothing, Grafana's graph takes a colour a series. */
function withColours({ type, fieldConfig }) {
  const defaults =
    type === "timeseries"
      ? { color: { mode: data.FieldColorModeId.PaletteClassic }, ...fieldConfig.defaults }
      : fieldConfig.defaults;
  return { ...fieldConfig, defaults };
}

async function framesOf(panel) {
  const targets = panel.targets.map(target => ({ ...target, name: `${panel.title}: ${target.refId}` }));
  const raw =
    panel.type === "table"
      ? targets.map(target => tableFrame(target, targets.length > 1)).filter(frame => frame.length > 0)
      : targets.flatMap(seriesFrames);
  const transformed = await lastValueFrom(data.transformDataFrame(panel.transformations ?? [], raw));
  const frames = data.applyFieldOverrides({
    data: transformed,
    fieldConfig: withColours(panel),
    fieldConfigRegistry,
    replaceVariables,
    theme,
    timeZone,
  });
  data.cacheFieldDisplayNames(frames);
  return frames;
}

function empty(panel) {
  return h(
    "div",
    { style: { color: theme.colors.text.secondary, textAlign: "center", paddingTop: 20 } },
    panel.fieldConfig.defaults.noValue ?? "No data",
  );
}

function tiles(panel, frames, width, height) {
  const values = data.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    data: frames,
    replaceVariables,
    theme,
    timeZone,
  });
  const { display } = values[0];
  const colour = display.color ?? theme.colors.text.primary;
  return h(ui.BigValue, {
    value: { ...display, color: colour, title: "" },
    width,
    height,
    theme,
    colorMode: panel.options.colorMode,
    graphMode: "none",
    justifyMode: "auto",
    textMode: "value",
  });
}

function table(panel, frames, width, height) {
  return h(TableNG, {
    data: frames[0],
    width,
    height,
    cellHeight: panel.options.cellHeight,
    initialSortBy: panel.options.sortBy ?? [],
    fieldConfig: panel.fieldConfig,
    noHeader: false,
    timeRange,
    getActions: () => [],
    structureRev: 1,
    transparent: false,
  });
}

/** The alerts of the host as vertical lines, and what they are called. */
function annotated(builder) {
  builder.addHook("draw", plot => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName("red");
    for (const { values } of results["annotation: Alerts of the host"]) {
      const regions = values.reduce((all, [at]) => {
        const last = all.at(-1);
        if (last !== undefined && at - last[1] <= range.step) {
          last[1] = at;
        } else {
          all.push([at, at]);
        }
        return all;
      }, []);
      for (const [from, to] of regions) {
        const [left, right] = [from, to].map(at => plot.valToPos(at * 1000, "x", true));
        ctx.globalAlpha = 0.08;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
        ctx.globalAlpha = 1;
        ctx.setLineDash([4, 4]);
        ctx.beginPath();
        ctx.moveTo(left, bbox.top);
        ctx.lineTo(left, bbox.top + bbox.height);
        ctx.stroke();
        ctx.fillRect(left, bbox.top + bbox.height, Math.max(3, right - left), 4);
      }
    }
    ctx.restore();
  });
}

function graph(panel, frames, width, height) {
  const marked = dashboard.annotations.list[0].filter.ids.includes(panel.id);
  return h(ui.TimeSeries, {
    frames,
    width,
    height,
    timeRange,
    timeZone,
    legend: panel.options.legend,
    structureRev: 1,
    children: builder => {
      if (marked) {
        annotated(builder);
      }
      return null;
    },
  });
}

function timeline(panel, frames, width, height) {
  const names = frames.map(frame => data.getFieldDisplayName(frame.fields[1], frame, frames));
  const left = 70;
  const rowHeight = (height - 50) / frames.length;
  const position = at => left + ((at / 1000 - range.start) / (range.end - range.start)) * (width - left);
  const days = Array.from({ length: 14 }, (_, day) => range.end - (range.end % 86400) - day * 86400).filter(
    day => day > range.start,
  );
  const text = (x, y, words, anchor) =>
    h(
      "text",
      { x, y, key: `${x} ${y} ${words}`, fill: theme.colors.text.secondary, fontSize: 12, textAnchor: anchor },
      words,
    );
  const bars = frames.flatMap((frame, index) => {
    const [time, value] = [frame.fields[0].values, frame.fields[1]];
    return value.values.map((number, at) =>
      h("rect", {
        key: `${index} ${at}`,
        x: position(time[at]),
        width: position(time[at + 1] ?? range.end * 1000) - position(time[at]) + 0.5,
        y: index * rowHeight + rowHeight * 0.1,
        height: rowHeight * 0.8,
        fill: value.display(number).color,
      }),
    );
  });
  const shown = [
    ...new Map(
      frames
        .flatMap(frame => frame.fields[1].values.map(value => frame.fields[1].display(value)))
        .map(({ text: words, color }) => [words, color]),
    ),
  ];
  return h(
    "div",
    {},
    h(
      "svg",
      { width, height: height - 26 },
      bars,
      names.map((name, index) => text(left - 8, index * rowHeight + rowHeight / 2 + 4, name, "end")),
      days.map(day =>
        text(
          position(day * 1000),
          height - 32,
          data.dateTimeFormat(day * 1000, { format: "MM/DD", timeZone }),
          "middle",
        ),
      ),
    ),
    h(
      "div",
      { style: { display: "flex", gap: 16, fontSize: 12, color: theme.colors.text.primary } },
      shown.map(([words, color]) =>
        h(
          "span",
          { key: words },
          h("span", {
            style: {
              display: "inline-block",
              width: 14,
              height: 4,
              background: color,
              marginRight: 6,
              verticalAlign: "middle",
            },
          }),
          words,
        ),
      ),
    ),
  );
}

const kinds = { stat: tiles, table, timeseries: graph, "state-timeline": timeline };

function place({ x, y, w, h: height }, top) {
  return {
    position: "absolute",
    left: x * unit,
    top: (y - top) * (CELL_HEIGHT + GAP),
    width: w * unit - GAP,
    height: height * (CELL_HEIGHT + GAP) - GAP,
  };
}

async function drawn(panel, top) {
  const box = place(panel.gridPos, top);
  if (panel.type === "row") {
    return h(
      "div",
      {
        key: panel.id,
        style: {
          ...box,
          color: theme.colors.text.primary,
          fontSize: 16,
          fontWeight: 500,
          lineHeight: `${CELL_HEIGHT}px`,
        },
      },
      `⌄ ${replaceVariables(panel.title)}`,
    );
  }
  const frames = await framesOf(panel);
  const content = (width, height) =>
    frames.length === 0 ? empty(panel) : kinds[panel.type](panel, frames, width, height);
  return h(
    "div",
    { key: panel.id, style: box },
    h(
      ui.PanelChrome,
      {
        title: replaceVariables(panel.title),
        width: box.width,
        height: box.height,
        padding: panel.type === "table" ? "none" : "md",
      },
      content,
    ),
  );
}

async function main() {
  const first = dashboard.panels.findIndex(panel => panel.id === row);
  const next = dashboard.panels.findIndex((panel, index) => index > first && panel.type === "row");
  const shown = dashboard.panels.slice(first, next === -1 ? undefined : next);
  const top = shown[0].gridPos.y;
  const bottom = Math.max(...shown.map(({ gridPos }) => gridPos.y + gridPos.h)) - top;
  const height = bottom * (CELL_HEIGHT + GAP);
  const panels = await Promise.all(shown.map(panel => drawn(panel, top)));
  Object.assign(document.body.style, {
    margin: "16px",
    background: theme.colors.background.canvas,
    fontFamily: theme.typography.fontFamily,
  });
  createRoot(document.getElementById("dashboard")).render(
    h(
      data.ThemeContext.Provider,
      { value: theme },
      h(ui.GlobalStyles),
      h("div", { style: { position: "relative", width: WIDTH, height } }, panels),
    ),
  );
  document.title = `height ${height + 32}`;
}

addEventListener("error", event => {
  document.body.append(`${event.message} ${location.hash}`);
});
main().catch(error => {
  document.body.append(String(error.stack));
});
