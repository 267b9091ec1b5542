import { StepContent } from "../host/payload";
import { bootstrapDefaults, BootstrapSource } from "./settings";

/** What the step that restores a new host is told. */
export interface BootstrapPlan {
  host: string;
  backup: string;
  /** Empty: whichever holds the backup. */
  repository: string;
}

export function bootstrapStep(plan: BootstrapPlan): StepContent {
  return { settings: { HOST: plan.host, BACKUP: plan.backup, REPOSITORY: plan.repository } };
}

/** What the step that restores a new host is told. */
export function bootstrapPlan(hostName: string, source: BootstrapSource): BootstrapPlan {
  return {
    host: source.host ?? hostName,
    backup: source.backup ?? bootstrapDefaults.backup,
    repository: source.repository ?? "",
  };
}
