// The Grafana dashboard: all hosts on the first screen, the chosen one on the second.
import {
  AnnotationPanelFilterBuilder,
  AnnotationQueryBuilder,
  Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { addFleet } from "./fleet";
import { addHost, graphsOfHost } from "./host";
import { datasource } from "./panels";
import { fleet, hostAlerts } from "./queries";

/** The dashboard as an object. `runbookBase` stands in front of the name of a runbook; it can be changed in Grafana. */
export function buildDashboard(runbookBase: string): Dashboard {
  const dashboard = new DashboardBuilder("Prometheus backups")
    .uid("prometheus-backup")
    .description("Backups of Prometheus servers: which hosts are protected, and how one host got there.")
    .tags(["prometheus", "backup"])
    .time({ from: "now-14d", to: "now" })
    .refresh("5m")
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"))
    .withVariable(
      new QueryVariableBuilder("environment")
        .label("Environment")
        .datasource(datasource)
        .query({ qryType: 1, query: "label_values(prometheus_backup_build_info, environment)", refId: "environment" })
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .sort(VariableSort.AlphabeticalAsc)
        .multi(true)
        .includeAll(true)
        .allValue(".*")
        .current({ selected: true, text: "All", value: "$__all" }),
    )
    .withVariable(
      new QueryVariableBuilder("host")
        .label("Host")
        .datasource(datasource)
        .query({ qryType: 1, query: `label_values(prometheus_backup_build_info{${fleet}}, host)`, refId: "host" })
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .sort(VariableSort.AlphabeticalAsc),
    )
    .withVariable(
      new TextBoxVariableBuilder("runbooks")
        .label("Runbooks at")
        .description(
          "What stands in front of the name of a runbook: alerts.runbookBase of the stack, if that is an address.",
        )
        .defaultValue(runbookBase)
        .current({ selected: true, text: runbookBase, value: runbookBase }),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name("Alerts of the host")
        .datasource(datasource)
        .enable(true)
        .iconColor("red")
        .expr(hostAlerts)
        .titleFormat("{{alertname}}")
        .textFormat("{{severity}} {{host}} {{instance}}")
        .tagKeys("severity")
        .step("5m")
        .filter(new AnnotationPanelFilterBuilder().ids(graphsOfHost)),
    )
    .withRow(new RowBuilder("All hosts").id(1));
  addFleet(dashboard);
  addHost(dashboard.withRow(new RowBuilder("Host $host").id(20)));
  return dashboard.build();
}

/** The file that Grafana imports. */
export function renderDashboard(runbookBase: string): string {
  return `${JSON.stringify(buildDashboard(runbookBase), null, 2)}\n`;
}
