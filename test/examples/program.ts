import { Exposure, PrometheusBackup } from "../../components";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN7P3uKe9mDFSzlyBqvoZ+3gVxiNAexnN1EFdDOJTmoX";
const backup = new PrometheusBackup("prom-1", {
  hostName: "prom-1",
  connection: { address: "10.0.0.11", user: "deploy", hostKey },
  adminApi: { exposure: Exposure.ReverseProxy },
  repositories: [{ path: "/backup/prometheus" }],
});
export const schedule = backup.schedule;
