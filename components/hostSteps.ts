import { AdminApiArgs } from "./adminApi/settings";
import { adminApi } from "./adminApi/step";
import { AlertRulesArgs } from "./alertRules/settings";
import { alertRules } from "./alertRules/step";
import { BackupJobArgs } from "./backupJob/settings";
import { backupJob } from "./backupJob/step";
import { jobServer, PrometheusBackupArgs, wantsAdminApi, wantsVictoriaMetrics } from "./backupSettings";
import { BootstrapArgs } from "./bootstrap/settings";
import { bootstrap } from "./bootstrap/step";
import { HostArgs } from "./host/connection";
import { StepContent } from "./host/payload";
import { Step } from "./host/step";
import { StepName } from "./host/stepName";
import { RemoteWriteArgs } from "./remoteWrite/settings";
import { remoteWrite } from "./remoteWrite/step";
import { TextfileDirectoryArgs } from "./textfileDirectory/settings";
import { textfileDirectory, textfileDirectoryStep } from "./textfileDirectory/step";
import { VictoriaMetricsArgs } from "./victoriaMetrics/settings";
import { victoriaMetrics } from "./victoriaMetrics/step";

/** What each step of a host is given. Steps for secrets belong to the step that they come before. */
export interface HostStepArgs {
  [StepName.adminApi]: AdminApiArgs;
  [StepName.textfileDirectory]: TextfileDirectoryArgs;
  [StepName.backupJob]: BackupJobArgs;
  [StepName.bootstrap]: BootstrapArgs;
  [StepName.alertRules]: AlertRulesArgs;
  [StepName.victoriaMetrics]: VictoriaMetricsArgs;
  [StepName.remoteWrite]: RemoteWriteArgs;
}

const steps: { [K in keyof HostStepArgs]: Step<HostStepArgs[K]> } = {
  [StepName.adminApi]: adminApi,
  [StepName.textfileDirectory]: textfileDirectoryStep,
  [StepName.backupJob]: backupJob,
  [StepName.bootstrap]: bootstrap,
  [StepName.alertRules]: alertRules,
  [StepName.victoriaMetrics]: victoriaMetrics,
  [StepName.remoteWrite]: remoteWrite,
};

/** What may restart Prometheus, by step. */
export const restarts = new Map(
  Object.values(steps).flatMap(({ name, restart }) => (restart === undefined ? [] : [[name as string, restart]])),
);

/** One step of one host. */
export interface HostStep<K extends keyof HostStepArgs = keyof HostStepArgs> {
  step: K;
  args: HostStepArgs[K];
  /** What the host is told, where every leaf of the arguments is known. */
  content: () => StepContent;
}

function one<K extends keyof HostStepArgs>(step: K, args: HostStepArgs[K]): HostStep<K>[] {
  return [{ step, args, content: () => steps[step].content(args) }];
}

/** The steps of a host in the order in which they run there: as resources, and as files. */
export function hostSteps(settings: PrometheusBackupArgs): HostStep[] {
  const { hostName, connection, retired, carriesToolkit: _carried, ...own } = settings;
  const { adminApi: api, textfile, alerts, victoriaMetrics: storage, remoteWrite: targets, ...rest } = own;
  const { environment, bootstrapFrom, ...job } = rest;
  const host: HostArgs = { hostName, connection, retired, carriesToolkit: false };
  const prometheus = jobServer(settings);
  const { repositories, schedule, timeZone } = settings;
  const watched = targets === undefined ? {} : { remoteWriteTargets: targets.map(({ name }) => name) };
  // After the job where that brings the credentials of the exporter.
  const exporterCredentials = textfile?.enabled === false ? undefined : textfile?.exporterCredentials;
  const metrics = textfile?.enabled === false ? [] : one(StepName.textfileDirectory, { ...host, prometheus, textfile });
  // Before anything is changed on a host that guards its admin API badly; but after the job where that brings the
  // credentials of the server, and where the server is not to start before its data are there.
  const early = settings.prometheus?.apiCredentials === undefined && bootstrapFrom === undefined;
  const apiStep = wantsAdminApi(settings)
    ? one(StepName.adminApi, { ...host, prometheus: settings.prometheus, adminApi: api })
    : [];
  const stated = {
    tooSlowSeconds: alerts?.tooSlowSeconds,
    exposure: api?.exposure,
    ...(exporterCredentials === undefined ? {} : { exporterCredentials }),
    textfileDirectory: textfileDirectory(textfile),
  };
  return [
    ...(early ? apiStep : []),
    ...(exporterCredentials === undefined ? metrics : []),
    ...one(StepName.backupJob, { ...job, ...host, prometheus, environment, ...stated }),
    ...(exporterCredentials === undefined ? [] : metrics),
    ...(bootstrapFrom === undefined
      ? []
      : one(StepName.bootstrap, { ...host, prometheus, repositories, bootstrapFrom })),
    ...(early ? [] : apiStep),
    ...(alerts?.enabled === false
      ? []
      : one(StepName.alertRules, { ...host, prometheus, alerts, schedule, timeZone, ...watched })),
    // Before what may send to it.
    ...(wantsVictoriaMetrics(settings) ? one(StepName.victoriaMetrics, { ...host, victoriaMetrics: storage }) : []),
    // Last, because a receiver that is down must keep nothing of the backup from being installed.
    ...(targets === undefined || targets.length === 0
      ? []
      : one(StepName.remoteWrite, { ...host, prometheus, remoteWrite: targets })),
  ];
}
