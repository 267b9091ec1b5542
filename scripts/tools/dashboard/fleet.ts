// The first screen: all hosts, the worst on top.
import * as common from "@grafana/grafana-foundation-sdk/common";
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import type { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import type { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import type { PanelBuilder as TimeseriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";
import {
  bytes,
  cell,
  colors,
  Column,
  columnsOf,
  exitCodeWords,
  graph,
  link,
  now,
  rows,
  seconds,
  series,
  stateWords,
  table,
  tile,
  width,
  words,
} from "./panels";
import { age, alerts, count, fleet, fleetAlerts, lateAfterIntervals, state, unprotected, value } from "./queries";

const hostLink = link(
  "Show this host below",
  "/d/prometheus-backup?var-host=${__value.raw}&${datasource:queryparam}&${environment:queryparam}&${__url_time_range}",
);

function tiles(): StatPanel[] {
  const tall = { width: 3, height: 4 };
  const states = state(fleet, true);
  const good = "green";
  return [
    tile(
      {
        id: 2,
        title: "Hosts",
        description: "Hosts that write backup metrics, and targets marked for backups that do not.",
        ...tall,
      },
      now("hosts", count(states)),
      "none",
    ),
    tile(
      { id: 3, title: "Good", description: "Backed up on time, and nothing to complain about.", ...tall },
      now("good", count(`(${states}) == 0`)),
      "none",
    ).thresholds(colors("text", [1, good])),
    tile(
      {
        id: 4,
        title: "To look at",
        description: "Backed up on time, but the last run, a verification or the content needs a look.",
        ...tall,
      },
      now("look", count(`((${states}) > 0) < ${unprotected}`)),
      "none",
    ).thresholds(colors(good, [1, "orange"])),
    tile(
      {
        id: 5,
        title: "Not protected",
        description: "A restore would miss more than the schedule allows, or nothing is known of the host.",
        ...tall,
      },
      now("unprotected", count(`(${states}) >= ${unprotected}`)),
      "none",
    ).thresholds(colors(good, [1, "red"])),
    tile(
      { id: 6, title: "Alerts firing", description: "Firing alerts of the backups.", ...tall },
      now("firing", count(alerts('alertstate="firing",environment=~"$environment|"'))),
      "none",
    ).thresholds(colors(good, [1, "red"])),
    tile(
      {
        id: 7,
        title: "Oldest data",
        description: "The largest age of a newest sample: what the worst of these hosts would lose.",
        ...tall,
      },
      now("oldest", `max(${age("newest_sample_timestamp_seconds", fleet)})`),
      "s",
    ),
    tile(
      {
        id: 8,
        title: "Size of newest backups",
        description: "What the newest backup of every host needs in a repository.",
        ...tall,
      },
      now("size", `sum(${value("size_bytes", fleet)})`),
      "bytes",
    ),
    tile(
      { id: 9, title: "Sent by last runs", description: "Bytes that the last run of every host sent.", ...tall },
      now("sent", `sum(${value("uploaded_bytes", fleet)})`),
      "bytes",
    ),
  ];
}

const columns: Column[] = [
  {
    field: "Value #state",
    title: "State",
    properties: [{ id: "mappings", value: [stateWords] }, cell("color-background", "basic"), width(150)],
  },
  { field: "host", title: "Host", properties: [hostLink] },
  { field: "environment", title: "Environment" },
  { field: "Value #success", title: "Last success", properties: [seconds] },
  {
    field: "Value #late",
    title: "of the interval",
    properties: [
      { id: "unit", value: "percentunit" },
      { id: "decimals", value: 0 },
      { id: "min", value: 0 },
      { id: "max", value: 2 },
      {
        id: "thresholds",
        value: {
          mode: "absolute",
          steps: [
            { value: null, color: "green" },
            { value: lateAfterIntervals, color: "red" },
          ],
        },
      },
      { id: "color", value: { mode: "thresholds" } },
      cell("gauge", "basic"),
      width(180),
    ],
  },
  { field: "Value #interval", title: "Interval", properties: [seconds] },
  { field: "Value #data", title: "Newest sample (RPO)", properties: [seconds, width(175)] },
  { field: "Value #size", title: "Size", properties: [bytes] },
  {
    field: "Value #exit",
    title: "Last run",
    properties: [{ id: "mappings", value: [exitCodeWords] }, cell("color-text"), width(150)],
  },
  {
    field: "Value #suspect",
    title: "Suspect",
    properties: [
      {
        id: "mappings",
        value: [
          words({ "0": { text: "no", color: "text", index: 0 }, "1": { text: "yes", color: "orange", index: 1 } }),
        ],
      },
      cell("color-text"),
    ],
  },
  { field: "Value #verified", title: "Verified", properties: [seconds] },
  { field: "Value #drilled", title: "Drilled", properties: [seconds] },
  {
    field: "Value #alerts",
    title: "Alerts",
    properties: [
      cell("color-text"),
      { id: "thresholds", value: { mode: "absolute", steps: [{ value: null, color: "red" }] } },
    ],
  },
];

function hosts(): TablePanel {
  const panel = table({
    id: 10,
    title: "Hosts, the worst first",
    description:
      "Ages are counted until now. A host whose node_exporter does not answer, or that never ran a backup, stands under the address of its target.",
    width: 24,
    height: 11,
  })
    .noValue("-")
    .withTarget(rows("state", state(fleet, true)))
    .withTarget(rows("success", age("last_success_timestamp_seconds", fleet)))
    .withTarget(
      rows("late", `(${age("last_success_timestamp_seconds", fleet)}) / ${value("expected_interval_seconds", fleet)}`),
    )
    .withTarget(rows("interval", value("expected_interval_seconds", fleet)))
    .withTarget(rows("data", age("newest_sample_timestamp_seconds", fleet)))
    .withTarget(rows("size", value("size_bytes", fleet)))
    .withTarget(rows("exit", value("last_exit_code", fleet)))
    .withTarget(rows("suspect", value("suspect", fleet)))
    .withTarget(rows("verified", age("verify_last_success_timestamp_seconds", fleet)))
    .withTarget(rows("drilled", age("drill_last_success_timestamp_seconds", fleet)))
    .withTarget(
      rows("alerts", `count by (environment, host) (${alerts('alertstate="firing",environment=~"$environment"')})`),
    )
    .sortBy([
      new common.TableSortByFieldStateBuilder().displayName("State").desc(true),
      new common.TableSortByFieldStateBuilder().displayName("of the interval").desc(true),
    ]);
  return columnsOf(panel, columns);
}

function alertTable(): TablePanel {
  const panel = table({
    id: 11,
    title: "Alerts",
    description:
      "Pending and firing alerts of the backups, with their runbooks. Empty is good, if the rules are loaded in this Prometheus.",
    width: 11,
    height: 8,
  })
    .noValue("no alert is pending or firing")
    .withTarget(rows("alerts", fleetAlerts))
    .sortBy([new common.TableSortByFieldStateBuilder().displayName("Severity").desc(false)]);
  return columnsOf(panel, [
    {
      field: "severity",
      title: "Severity",
      properties: [
        {
          id: "mappings",
          value: [
            words({
              critical: { color: "red", index: 0 },
              warning: { color: "orange", index: 1 },
              info: { color: "blue", index: 2 },
            }),
          ],
        },
        cell("color-text"),
        width(80),
      ],
    },
    {
      field: "alertname",
      title: "Alert (runbook)",
      properties: [link("Runbook", "${runbooks:raw}${__value.raw}.md", true), width(270)],
    },
    { field: "alertstate", title: "Is", properties: [width(75)] },
    { field: "host", title: "Host", properties: [hostLink, { id: "noValue", value: "-" }] },
    { field: "instance", title: "Target" },
  ]);
}

function lateness(): TimeseriesPanel {
  return graph(
    {
      id: 12,
      title: "Age of the last success, in intervals of the schedule",
      description:
        "A host that is backed up on time goes up to 1 and falls to 0. Hourly and weekly schedules look alike.",
      width: 13,
      height: 8,
    },
    "percentunit",
  )
    .fillOpacity(0)
    .lineInterpolation(common.LineInterpolation.Linear)
    .withTarget(
      series(
        "late",
        `(${age("last_success_timestamp_seconds", fleet)}) / ${value("expected_interval_seconds", fleet)}`,
        "{{host}}",
      ),
    )
    .thresholds(colors("transparent", [lateAfterIntervals, "red"]))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed));
}

export function addFleet(dashboard: DashboardBuilder): void {
  for (const panel of [...tiles(), hosts(), alertTable(), lateness()]) {
    dashboard.withPanel(panel);
  }
}
