import type * as pulumi from "@pulumi/pulumi";
import { PrometheusBackupFleet } from "../prometheusBackupFleet";
import { loadConfig } from "./config";

/** What a stack exports. */
export interface StackOutputs {
  /** The cron line of every host, by name. */
  schedules: pulumi.Output<Record<string, string>>;
  /** Name of the bucket, empty without one. */
  bucketName: pulumi.Output<string>;
  /** What each host may do in the bucket, as the JSON text of an IAM policy. */
  hostPolicies: pulumi.Output<Record<string, string>>;
}

/**
 * The whole program: the stack's configuration in, its outputs out. `index.ts` runs it for the command line; the
 * Automation API can run it in its own process: `program: async () => deploy()`. Throws `RunError` on bad settings.
 */
export function deploy(): StackOutputs {
  const fleet = new PrometheusBackupFleet("prometheus-backup", loadConfig());
  return { schedules: fleet.schedules, bucketName: fleet.bucketName, hostPolicies: fleet.hostPolicies };
}
