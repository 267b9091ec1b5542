import { loadProgram } from "./scripts/program";

// Everything is decided by the stack's configuration; `Pulumi.yaml` describes its keys.
export const { schedules, bucketName, hostPolicies } = loadProgram().deploy();
