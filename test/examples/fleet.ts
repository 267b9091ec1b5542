import { PrometheusBackupFleet } from "../../components";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN7P3uKe9mDFSzlyBqvoZ+3gVxiNAexnN1EFdDOJTmoX";
const fleet = new PrometheusBackupFleet("monitoring", {
  environment: "production",
  defaults: { schedule: "0 2 * * *", repositories: [{ path: "/mnt/nas/prometheus" }] },
  hosts: [{ name: "prom-1", connection: { address: "10.0.0.11", user: "deploy", hostKey } }],
});
export const schedules = fleet.schedules;
