import { exporterCredentialsName, paths } from "../host/paths";
import { StepContent } from "../host/payload";
import { PrometheusServer, serverDefaults, ServerPlan, serverPlan, serverSettings } from "../host/server";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import { textfileDefaults, TextfileDirectoryArgs, textfileProblems, TextfileSettings } from "./settings";

/** What the step for the textfile directory is told. */
export interface TextfilePlan {
  directory: string;
  exporterUnit: string;
  exporterUrl: string;
  hasExporterCredentials: boolean;
  owner: string;
  server: ServerPlan;
}

export function textfileStep(plan: TextfilePlan): StepContent {
  return {
    settings: {
      DIRECTORY: plan.directory,
      EXPORTER_UNIT: plan.exporterUnit,
      EXPORTER_URL: plan.exporterUrl,
      EXPORTER_CURL_CONFIG: plan.hasExporterCredentials ? `${paths.credentials}/${exporterCredentialsName}` : "",
      OWNER: plan.owner,
      ...serverSettings(plan.server),
    },
  };
}

/** Where the job writes its metrics: nowhere, a given directory, or (undefined) the one that is found on the host. */
export function textfileDirectory(textfile: TextfileSettings | undefined): string | undefined {
  return textfile?.enabled === false ? "" : textfile?.directory;
}

/** What the step for the textfile directory is told; the job's user owns the directory. */
export function textfilePlan(
  textfile: TextfileSettings | undefined,
  prometheus: PrometheusServer | undefined,
): TextfilePlan {
  return {
    directory: textfile?.directory ?? textfileDefaults.directory,
    exporterUnit: textfile?.exporterUnit ?? textfileDefaults.exporterUnit,
    exporterUrl: textfile?.exporterUrl ?? textfileDefaults.exporterUrl,
    hasExporterCredentials: textfile?.exporterCredentials !== undefined,
    owner: prometheus?.user ?? serverDefaults.user,
    server: serverPlan(prometheus),
  };
}

/** Has node_exporter serve the metrics of the backup. */
export const textfileDirectoryStep: Step<TextfileDirectoryArgs> = {
  name: StepName.textfileDirectory,
  problems: args => textfileProblems(args.textfile),
  content: args => textfileStep(textfilePlan(args.textfile, args.prometheus)),
};
