import { StepContent } from "../host/payload";
import { victoriaMetricsDefaults, VictoriaMetricsSettings } from "./settings";
import { renderVictoriaMetrics, VictoriaMetricsPlan, victoriaMetricsUrl } from "./unit";

export function victoriaMetricsStep(plan: VictoriaMetricsPlan): StepContent {
  return {
    settings: {
      URL: victoriaMetricsUrl(plan),
      DATA_DIRECTORY: plan.dataDirectory,
      DOWNLOAD_URL: plan.download?.url ?? "",
      DOWNLOAD_SHA256: plan.download?.sha256 ?? "",
    },
    files: renderVictoriaMetrics(plan),
  };
}

/** What decides the server's unit. */
export function victoriaMetricsPlan(settings: VictoriaMetricsSettings | undefined): VictoriaMetricsPlan {
  return {
    ...(settings?.download === undefined ? {} : { download: settings.download }),
    listen: settings?.listen ?? victoriaMetricsDefaults.listen,
    dataDirectory: settings?.dataDirectory ?? victoriaMetricsDefaults.dataDirectory,
    retention: settings?.retention ?? victoriaMetricsDefaults.retention,
    snapshotsMaxAge: settings?.snapshotsMaxAge ?? victoriaMetricsDefaults.snapshotsMaxAge,
    flags: settings?.flags ?? [],
  };
}
