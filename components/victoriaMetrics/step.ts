import { StepContent } from "../host/payload";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import {
  VictoriaMetricsArgs,
  victoriaMetricsDefaults,
  victoriaMetricsProblems,
  VictoriaMetricsSettings,
} from "./settings";
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

/** Installs a VictoriaMetrics server. */
export const victoriaMetrics: Step<VictoriaMetricsArgs> = {
  name: StepName.victoriaMetrics,
  problems: args => victoriaMetricsProblems(args.victoriaMetrics),
  content: args => victoriaMetricsStep(victoriaMetricsPlan(args.victoriaMetrics)),
};
