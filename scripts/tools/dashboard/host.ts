// The second screen: the chosen host, from its last run to its repositories.
import * as common from "@grafana/grafana-foundation-sdk/common";
import type { DashboardBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import type { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimelinePanel } from "@grafana/grafana-foundation-sdk/statetimeline";
import type { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import type { PanelBuilder as TimeseriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";
import {
  bytes,
  cell,
  colors,
  columnsOf,
  exitCodeWords,
  graph,
  limitStyle,
  now,
  placed,
  rows,
  seconds,
  series,
  stateWords,
  table,
  tile,
  width,
} from "./panels";
import { age, dataLimit, oneHost, state, successLimit, value } from "./queries";

/** Panels on which the alerts of the host are drawn. */
export const graphsOfHost = [30, 32, 33, 34, 35, 37, 38];

function tiles(): StatPanel[] {
  const tall = { width: 3, height: 4 };
  return [
    tile(
      {
        id: 21,
        title: "State",
        description: "The worst of what is known; the table of all hosts has the same.",
        ...tall,
      },
      now("state", state(oneHost, false)),
      "none",
    )
      .mappings([stateWords])
      .colorMode(common.BigValueColorMode.Background)
      .noValue("no metrics"),
    tile(
      {
        id: 22,
        title: "Last success",
        description: "Age of the last backup that is complete in every repository.",
        ...tall,
      },
      now("success", age("last_success_timestamp_seconds", oneHost)),
      "s",
    ),
    tile(
      {
        id: 23,
        title: "Next one due in",
        description:
          "Until the last success is older than the schedule allows, with a tenth on top. Below zero it is late.",
        ...tall,
      },
      now("due", `${value("last_success_timestamp_seconds", oneHost)} + ${successLimit(oneHost)} - time()`),
      "s",
    ).thresholds(colors("red", [0, "green"])),
    tile(
      {
        id: 24,
        title: "A restore loses (RPO)",
        description: "Age of the newest sample in the newest backup.",
        ...tall,
      },
      now("data", age("newest_sample_timestamp_seconds", oneHost)),
      "s",
    ),
    tile(
      {
        id: 25,
        title: "Covers",
        description: "Time from the oldest to the newest sample in the newest backup.",
        ...tall,
      },
      now(
        "covers",
        `${value("newest_sample_timestamp_seconds", oneHost)} - ${value("oldest_sample_timestamp_seconds", oneHost)}`,
      ),
      "s",
    ),
    tile(
      { id: 26, title: "Verified", description: "Age of the last verification or drill without a fault.", ...tall },
      now("verified", age("verify_last_success_timestamp_seconds", oneHost)),
      "s",
    ),
    tile(
      { id: 27, title: "Drilled", description: "Age of the last drill without a fault.", ...tall },
      now("drilled", age("drill_last_success_timestamp_seconds", oneHost)),
      "s",
    ),
    tile(
      { id: 28, title: "A restore takes", description: "Duration of the restore in the last drill.", ...tall },
      now("restore", value("drill_restore_seconds", oneHost)),
      "s",
    ),
  ];
}

function ages(): TimeseriesPanel {
  return graph(
    {
      id: 30,
      title: "Age of the last success and of the newest sample",
      description:
        "Both fall with every good run. The limits follow from the schedule; the one of the data is that of PrometheusBackupDataTooOld.",
      width: 12,
      height: 7,
    },
    "s",
  )
    .lineInterpolation(common.LineInterpolation.Linear)
    .withTarget(series("success", age("last_success_timestamp_seconds", oneHost), "last success"))
    .withTarget(series("successLimit", successLimit(oneHost), "limit of the success"))
    .withTarget(series("data", age("newest_sample_timestamp_seconds", oneHost), "newest sample"))
    .withTarget(series("dataLimit", dataLimit(oneHost), "limit of the data"))
    .overrideByRegexp("/^limit/", limitStyle);
}

function results(): StateTimelinePanel {
  return placed(new StateTimelinePanel(), {
    id: 31,
    title: "How runs ended",
    description:
      "Exit codes of the run as a whole, in each repository, and of verify and drill. docs/exit-codes.md says what to do.",
    width: 12,
    height: 7,
  })
    .withTarget(series("run", value("last_exit_code", oneHost), "run"))
    .withTarget(
      series(
        "repository",
        `max by (repository) (prometheus_backup_repository_last_exit_code{${oneHost}})`,
        "{{repository}}",
      ),
    )
    .withTarget(series("verify", value("verify_last_exit_code", oneHost), "verify"))
    .mappings([exitCodeWords])
    .thresholds(colors("red"))
    .showValue(common.VisibilityMode.Never)
    .mergeValues(true)
    .rowHeight(0.8)
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .calcs([]),
    );
}

function runs(): TimeseriesPanel[] {
  const size = { width: 8, height: 7 };
  return [
    graph(
      {
        id: 32,
        title: "Duration by stage",
        description: "Each run as it was until the next one, its stages on top of each other.",
        ...size,
      },
      "s",
    )
      .fillOpacity(60)
      .lineWidth(0)
      .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group("stages"))
      .withTarget(
        series("stages", `max by (stage) (prometheus_backup_last_stage_duration_seconds{${oneHost}})`, "{{stage}}"),
      ),
    graph(
      {
        id: 33,
        title: "Size and bytes sent",
        description: "What the newest backup needs in a repository (left), and what its run sent (right).",
        ...size,
      },
      "bytes",
    )
      .withTarget(series("size", value("size_bytes", oneHost), "size"))
      .withTarget(series("sent", value("uploaded_bytes", oneHost), "sent"))
      .overrideByName("sent", [{ id: "custom.axisPlacement", value: "right" }]),
    graph(
      {
        id: 34,
        title: "Blocks and samples",
        description: "Blocks that the newest backup names (left), and samples that it holds (right).",
        ...size,
      },
      "short",
    )
      .withTarget(series("blocks", value("blocks", oneHost), "blocks"))
      .withTarget(series("samples", value("samples", oneHost), "samples"))
      .overrideByName("samples", [{ id: "custom.axisPlacement", value: "right" }]),
  ];
}

function repositories(): TablePanel {
  const panel = table({
    id: 36,
    title: "Repositories",
    description: "Each repository by itself: a host is only backed up when all of them have it.",
    width: 9,
    height: 6,
  })
    .noValue("-")
    .withTarget(rows("result", `max by (repository) (prometheus_backup_repository_last_exit_code{${oneHost}})`))
    .withTarget(
      rows(
        "success",
        `time() - max by (repository) (prometheus_backup_repository_last_success_timestamp_seconds{${oneHost}})`,
      ),
    )
    .withTarget(
      rows(
        "late",
        `(time() - max by (environment, host, repository) (prometheus_backup_repository_last_success_timestamp_seconds{${oneHost}}))` +
          ` / on (environment, host) group_left () ${value("expected_interval_seconds", oneHost)}`,
      ),
    )
    .sortBy([new common.TableSortByFieldStateBuilder().displayName("of the interval").desc(true)]);
  return columnsOf(panel, [
    { field: "repository", title: "Repository" },
    {
      field: "Value #result",
      title: "Last run",
      properties: [{ id: "mappings", value: [exitCodeWords] }, cell("color-text")],
    },
    { field: "Value #success", title: "Last success", properties: [seconds] },
    {
      field: "Value #late",
      title: "of the interval",
      properties: [{ id: "unit", value: "percentunit" }, { id: "decimals", value: 0 }, width(110)],
    },
  ]);
}

function rest(): (TimeseriesPanel | TablePanel)[] {
  const size = { width: 5, height: 6 };
  return [
    repositories(),
    graph(
      {
        id: 35,
        title: "Reaches back",
        description:
          "Age of the oldest sample in the newest backup. It falls when the server deletes old blocks, or loses them.",
        ...size,
      },
      "s",
    ).withTarget(series("oldest", age("oldest_sample_timestamp_seconds", oneHost), "oldest sample")),
    graph(
      {
        id: 37,
        title: "Snapshots left behind",
        description:
          "Snapshots in the data directory of the server after the run (left) and their size (right). Zero is good.",
        ...size,
      },
      "none",
    )
      .decimals(0)
      .withTarget(series("snapshots", value("leftover_snapshots", oneHost), "snapshots"))
      .withTarget(series("snapshotBytes", value("leftover_snapshots_bytes", oneHost), "bytes"))
      .overrideByName("bytes", [bytes, { id: "custom.axisPlacement", value: "right" }]),
    graph(
      {
        id: 38,
        title: "Server down for a backup or restore",
        description: "How long the last cold backup or restore kept the server down. Empty if there was none.",
        ...size,
      },
      "s",
    )
      .noValue("never stopped")
      .withTarget(series("downtime", value("downtime_seconds", oneHost), "down")),
  ];
}

export function addHost(dashboard: DashboardBuilder): void {
  for (const panel of [...tiles(), ages(), results(), ...runs(), ...rest()]) {
    dashboard.withPanel(panel);
  }
}
