// What the real engine says in a preview of settings that cannot work, before any host is contacted.
import * as pulumi from "@pulumi/pulumi";
import { afterEach, expect, test, vi } from "vitest";
import { PrometheusBackup } from "../../components";
import { newKey } from "../hosts/sshKey";
import { Deployment, refusal, type StackSettings } from "./deployment";
import { createTestStack } from "./harness";

const { privateKey, publicKey: hostKey } = newKey();
const pasted = privateKey.trim().replaceAll("\n", " ");
const lost = "has lost its line breaks, as a text does that is pasted at the prompt of `pulumi config set`";
const repositories = [{ path: "/backup/prometheus" }];

let deployment: Deployment | undefined;
afterEach(() => {
  vi.unstubAllEnvs();
  deployment?.stack.remove();
});

test("a preview refuses what cannot work, all at once, and shows no secret", async () => {
  const settings: StackSettings & { default: unknown } = {
    environment: "test",
    default: "x",
    defaults: { repositories },
    hosts: [
      { name: "prom-a", address: "10.0.0.1", hostKey, privateKey: "pasted", limits: { bandwidth: "fast" } },
      { name: "prom-b", address: "10.0.0.1", hostKey, privateKey: "sshkey", repositories: [{ bucket: "backups" }] },
    ],
  };
  deployment = await Deployment.create(settings, { pasted, sshKey: privateKey, later: "x" });
  const run = await deployment.stack.tryPreview();
  expect(run.ok).toBe(false);
  expect(refusal(run).map(line => line.replace(/\. .*/, ""))).toEqual([
    "hosts[0].address, hosts[1].address: prom-a and prom-b are one machine (`10.0.0.1`, port 22)",
    `hosts[0].privateKey (prom-a): names the secret \`pasted\`, which ${lost}`,
    "hosts[0].limits.bandwidth (prom-a): must be a rate for rclone's `--bwlimit`, or rates by time of day",
    "hosts[1].privateKey (prom-b): names the secret `sshkey`, which this stack does not have; there is `sshKey`",
    "hosts[1].repositories[0].region (prom-b): is missing",
    "default: is not a setting of prometheus-backup",
  ]);
  expect(run.output).not.toContain(pasted.slice(40, 80));
});

test("a preview that contacts nobody goes on without a key and says so; secrets for later are told", async () => {
  vi.stubEnv("SSH_AUTH_SOCK", "");
  const hosts = [{ name: "prom-a", address: "10.0.0.1", hostKey }];
  deployment = await Deployment.create({ environment: "test", defaults: { repositories }, hosts }, { later: "x" });
  const run = await deployment.stack.preview();
  expect(run.output).toMatch(/warning: no way into prom-a: `privateKey` is not set, and there is no SSH agent either/);
  expect(run.output).toContain("the secret `later` of this stack is named by no setting of prometheus-backup");
});

test("a preview says of which new hosts Prometheus may be restarted, and when", async () => {
  const proxy = { adminApi: { exposure: "reverse-proxy" } };
  const hosts = [{ source: "hot" }, { prometheus: { unit: "prom.service" } }, proxy, { bootstrapFrom: {} }].map(
    (own, index) => ({ name: `prom-${index}`, address: `10.0.0.${index}`, hostKey, ...own }),
  );
  deployment = await Deployment.create({ environment: "test", defaults: { repositories }, hosts }, {});
  const { output } = await deployment.stack.preview();
  expect([...new Set(output.match(/Prometheus of .*/g))].sort()).toEqual([
    "Prometheus of prom-1 (prom.service) is restarted once if its admin API is off",
    "Prometheus of prom-2 (prometheus.service) is restarted once if its admin API is off or it does not listen on " +
      "127.0.0.1:9091 yet",
    "Prometheus of prom-3 (prometheus.service) is restarted once if its admin API is off",
    "Prometheus of prom-3 (prometheus.service) is stopped, restored and started if it has no finished blocks",
  ]);
});

test("a pasted key that a program hands over as an output ends its preview", async () => {
  const connection = () => ({
    address: "10.0.0.1",
    hostKey,
    privateKey: new pulumi.Config("mine").requireSecret("key"),
  });
  const program = () =>
    Promise.resolve(
      void new PrometheusBackup("prom-a", { hostName: "prom-a", connection: connection(), repositories }),
    );
  const stack = await createTestStack({ program, secrets: { "mine:key": pasted } });
  const run = await stack.tryPreview();
  stack.remove();
  expect(run.ok).toBe(false);
  expect(run.output).toContain(`prometheus-backup: connection.privateKey ${lost}. Give the whole text of its file.`);
  expect(run.output).not.toContain(pasted.slice(40, 80));
});
