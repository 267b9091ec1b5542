import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { PrometheusBackup, RemoteWrite, RemoteWriteArgs, RemoteWriteTarget } from "../../components";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import { parseConfig } from "../../components/stack/config";
import { recordResources, valueOf } from "../recordResources";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
const target: RemoteWriteTarget = {
  name: "long-term",
  preset: "mimir",
  url: "http://mimir",
  basicAuth: { username: "u", password: "RW-SECRET" },
};
const args = (more: Partial<RemoteWriteArgs> = {}): RemoteWriteArgs => ({
  hostName: "prom-a",
  connection: { address: "10.0.0.11", hostKey },
  remoteWrite: [target],
  ...more,
});

test("stands alone on a host: the toolkit, its secrets, its part of prometheus.yml", async () => {
  const { all, named } = await recordResources(
    () => new RemoteWrite("rw", args({ prometheus: { apiCredentials: 'user = "API-SECRET"' } })),
  );
  expect(
    all
      .filter(({ type }) => type.startsWith("command:"))
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["rw-credentials", "rw-install", "rw-toolkit"]);
  expect(named("rw-credentials").dependsOn).toEqual(["rw-toolkit"]);
  expect(named("rw-install").dependsOn).toEqual(["rw-credentials"]);
  expect(named("rw-install").secretInputs).toEqual(["connection"]);
  expect(String(named("rw-install").inputs["stdin"])).toContain(
    "setting API_CURL_CONFIG /etc/prometheus-backup/remote-write/prometheus-api\n",
  );
  expect(String(named("rw-credentials").inputs["stdin"])).toMatch(
    /\nfile \S+\/long-term\.[0-9a-f]{8}\.password root:prometheus 0640\n\| RW-SECRET\nend\n$/,
  );
  for (const { name, inputs, secretInputs } of all) {
    const open = JSON.stringify(Object.entries(inputs).filter(([key]) => !secretInputs.includes(key)));
    expect([name, open.includes("RW-SECRET"), open.includes("API-SECRET")]).toEqual([name, false, false]);
  }
});

test("the preview shows what changes in prometheus.yml, and no step for secrets where there are none", async () => {
  const { all, named } = await recordResources(
    () =>
      new RemoteWrite("rw", args({ remoteWrite: [{ name: "a", preset: "thanos", url: pulumi.output("http://t") }] })),
    true,
  );
  expect(all.map(({ name }) => name)).not.toContain("rw-credentials");
  expect(String(named("rw-install").inputs["stdin"]).split("\n").slice(-8)).toEqual([
    "setting TARGET a required 120 http://t/api/v1/receive",
    "file /etc/prometheus-backup/remote-write.yml root:root 0644",
    "| # What prometheus-backup puts into prometheus.yml, between its marks. A change here changes nothing there.",
    "| remote_write:",
    '|   - name: "a"',
    '|     url: "http://t/api/v1/receive"',
    "end",
    "",
  ]);
});

test("tells where samples go", async () => {
  let component: RemoteWrite | undefined;
  await recordResources(() => {
    component = new RemoteWrite("rw", args());
  });
  expect(component && (await valueOf(component.urls))).toEqual({ "long-term": "http://mimir/api/v1/push" });
});

test("is the last of a host's components, so that a receiver that is down keeps nothing else from being installed", async () => {
  const { named } = await recordResources(
    () => new PrometheusBackup("prom-a", { ...args(), repositories: [{ path: "/b" }] }),
  );
  expect(named("prom-a-remote-write-credentials").dependsOn).toContain("prom-a-alert-rules-install");
  expect(named("prom-a-remote-write-install").dependsOn).toEqual(["prom-a-remote-write-credentials"]);
});

test("needs a target", () => {
  expect(() => new RemoteWrite("rw", args({ remoteWrite: [] }))).toThrow(
    /remoteWrite: is missing\. Say where samples go/,
  );
});

const config = (remoteWrite: unknown[]): Parameters<typeof parseConfig>[0] => ({
  environment: "test",
  hosts: [{ name: "prom-a", hostKey, repositories: [{ path: "/b" }], remoteWrite }],
});

test("in the configuration of a stack secrets are names, and a missing one is reported where it is named", () => {
  const plain = [
    { name: "a", url: "http://a", basicAuth: { username: "u", password: "rwPassword" } },
    { name: "b", url: "http://b", bearerToken: "rwToken" },
  ];
  const hosts = parseConfig(config(plain), name => `the ${name}`).hosts;
  expect(hosts[0]?.remoteWrite).toEqual([
    { name: "a", url: "http://a", basicAuth: { username: "u", password: "the rwPassword" } },
    { name: "b", url: "http://b", bearerToken: "the rwToken" },
  ]);
  expect(() => parseConfig(config(plain), name => (name === "rwToken" ? undefined : "x"))).toThrow(
    "hosts[0].remoteWrite[1].bearerToken (prom-a): names the secret `rwToken`, which this stack does not have. Store it: `pulumi config set --secret prometheus-backup:rwToken < FILE`.",
  );
  expect(() => parseConfig(config([{ name: "a", url: "http://a", preset: "influx" }]), () => "")).toThrow(
    "hosts[0].remoteWrite[0].preset (prom-a): must be one of `thanos`, `cortex`, `mimir`, `victoriametrics`, and is `influx`. Choose one.",
  );
});

test("a rendered host has the targets and says where they go", () => {
  const host = fleetArtefacts(
    parseConfig(config([{ name: "a", url: "http://a/w", bearerToken: "rwToken" }]), () => ""),
  )["prom-a"];
  expect(host?.files["/etc/prometheus-backup/remote-write.yml"]?.content).toContain(
    '    url: "http://a/w"\n    authorization:\n',
  );
  expect(Object.keys(host?.files ?? {})).toEqual(
    expect.arrayContaining([
      "/usr/local/lib/prometheus-backup/remote-write.sh",
      "/usr/local/lib/prometheus-backup/remote-write-credentials.sh",
    ]),
  );
  expect(host?.notes).toEqual(
    expect.arrayContaining([
      "The prometheus.yml in force gets the targets of /etc/prometheus-backup/remote-write.yml as a marked part in remote_write; every other byte of it stays.",
      "/etc/prometheus-backup/remote-write/ holds the secrets of these targets; they are not written here.",
    ]),
  );
});
