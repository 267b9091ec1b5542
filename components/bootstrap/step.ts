import { StepContent } from "../host/payload";
import { serverDefaults } from "../host/server";
import { Step } from "../host/step";
import { StepName } from "../host/stepName";
import { BootstrapArgs, bootstrapDefaults, bootstrapProblems, BootstrapSource } from "./settings";

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

/** Restores a new host, once. */
export const bootstrap: Step<BootstrapArgs> = {
  name: StepName.bootstrap,
  problems: args => bootstrapProblems(args.bootstrapFrom, args.repositories),
  content: args => bootstrapStep(bootstrapPlan(args.hostName, args.bootstrapFrom ?? {})),
  // A download may take hours; what was downloaded is kept, and the next `up` goes on from there.
  timeoutSeconds: () => 6 * 3600,
  // Nothing but the first time: after that the host holds a note.
  restart: {
    settings: [],
    whenRemoved: false,
    says: ({ hostName, prometheus }) =>
      `Prometheus of ${hostName} (${prometheus?.unit ?? serverDefaults.unit}) is stopped, restored and started if it ` +
      "has no finished blocks",
  },
};
