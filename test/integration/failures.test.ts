import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "../demo/prometheus";
import { startHost, type Host } from "../hosts/host";
import { changesOf, Deployment, freePort, hostSettings, sharedSettings } from "./deployment";
import type { StackRun } from "./harness";
import { inventory, serverFlag, serverProcess } from "./stepHarness";
import { slowTest } from "../runner/pace";

// What `up` does when something is wrong with a host: it says so with the host's name, and everything else goes on.
const rulesPath = "/etc/prometheus/rules/prometheus-backup.yml";

let good: Host;
/** Stock Debian: its server listens on all addresses. */
let open: Host;
let silentPort: number;
let deployment: Deployment;

const goodSettings = () => hostSettings(good);
const openSettings = (own: Record<string, unknown> = {}) =>
  hostSettings(open, { adminApi: { exposure: "accept-public" }, ...own });
const defaults = (team: string) => ({
  ...sharedSettings,
  repositories: [{ path: "/backup/prometheus" }],
  alerts: { labels: { team } },
});

beforeAll(async () => {
  [good, open] = await Promise.all([startHost({ name: "good" }), startHost({ name: "open", listen: "" })]);
  silentPort = await freePort();
  const hosts = [
    // Under another name: two hosts with one address would be refused.
    hostSettings(open, { name: "wrong-key", address: "localhost", hostKey: good.hostKey }),
    { name: "silent", address: "127.0.0.1", port: silentPort, hostKey: good.hostKey },
    hostSettings(open),
    goodSettings(),
  ];
  deployment = await Deployment.create(
    { environment: "test", defaults: defaults("infra"), hosts },
    { sshKey: good.privateKey },
  );
});
afterAll(async () => {
  deployment?.stack.remove();
  await Promise.all([good, open].map(each => each?.stop()));
});

/** Errors of a run by the name of the resource they belong to, from the diagnostics at its end. */
function errorsOf(run: StackRun): Record<string, string> {
  const diagnostics = run.output.slice(run.output.lastIndexOf("\nDiagnostics:\n"));
  const found: Record<string, string> = {};
  let name = "";
  for (const line of diagnostics.split("\n")) {
    name = /^ {2}\S+ \((.+)\):$/.exec(line)?.[1] ?? (/^\S/.test(line) ? "" : name);
    if (/^ {4}/.test(line) && name !== "") {
      found[name] = `${found[name] ?? ""}${line.trim()}\n`;
    }
  }
  return Object.fromEntries(Object.entries(found).filter(([, text]) => text.includes("error: ")));
}

/** A label of the rules that the server has loaded: it changes with the rules file alone. */
async function teamInForce(host: Host): Promise<string> {
  const [{ groups }] = (await ask(host, ["/api/v1/rules?type=alert"])) as [
    { groups: { rules: { name: string; labels: Record<string, string> }[] }[] },
  ];
  return (
    groups.flatMap(group => group.rules).find(rule => rule.name === "PrometheusBackupTooSlow")?.labels["team"] ?? ""
  );
}

test("a wrong host key, a host that does not answer and a public server fail by name, and the other host is done", async () => {
  const before = [await inventory(open), await serverProcess(open)];
  const run = await deployment.stack.tryUp({ continueOnError: true });
  const errors = errorsOf(run);
  expect(run.ok).toBe(false);
  expect(Object.keys(errors).sort()).toEqual([
    "open-admin-api-install",
    "prometheus-backup-test",
    "silent-toolkit",
    "wrong-key-toolkit",
  ]);
  expect(errors["wrong-key-toolkit"]).toContain("ssh: handshake failed");
  expect(errors["silent-toolkit"]).toContain(`dial tcp 127.0.0.1:${silentPort}: connect: connection refused`);
  expect(errors["open-admin-api-install"]).toContain(
    "prometheus.service listens on [::]:9090, where anybody could delete series through the admin API; nothing was changed.",
  );
  expect([await inventory(open), await serverProcess(open)]).toEqual(before);
  expect(await serverFlag(good, "web.enable-admin-api")).toBe("true");
  expect(await teamInForce(good)).toBe("infra");
  // Of a stock Debian, no Alertmanager answers.
  const checked = (await good.exec("prometheus-backup.sh check")).stdout.split("\n");
  expect(checked).toContainEqual(expect.stringMatching(/^ {2}✔ schedule /));
  expect(checked.filter(line => line.includes("✘") && !line.includes("✘ alerts "))).toEqual([]);
  // Toolkit and four steps; there are no credentials.
  expect(run.dials.filter(dial => dial.endsWith(`:${good.sshPort}`)).length).toBe(deployment.stack.countsDials ? 5 : 0);
});

test("hosts whose first step failed leave the configuration without being contacted, and the public server says why it may be so", async () => {
  await deployment.change({ hosts: [openSettings(), goodSettings()] });
  const run = await deployment.stack.up();
  expect(new Set(run.dials)).toEqual(new Set(deployment.stack.countsDials ? [`127.0.0.1:${open.sshPort}`] : []));
  expect(run.output).toMatch(/warning: open: the admin API is turned on whatever address the server listens on/);
  expect(await serverFlag(open, "web.enable-admin-api")).toBe("true");
});

test("F23: a broken prometheus.yml fails with the words of promtool, and the old rules stay in force", async () => {
  const process = await serverProcess(good);
  const rules = await good.readFile(rulesPath);
  await good.run("cp -a /etc/prometheus/prometheus.yml /root/ && echo 'nonsense: 1' >>/etc/prometheus/prometheus.yml");
  await deployment.change({ defaults: defaults("monitoring") });
  const run = await deployment.stack.tryUp({ continueOnError: true });
  const error = errorsOf(run)["good-alert-rules-install"] ?? run.output;
  expect(error).toContain("field nonsense not found in type config.plain");
  expect(error).toContain(
    "promtool does not accept /etc/prometheus/prometheus.yml as it is in force, before any change,",
  );
  expect(await good.readFile(rulesPath)).toBe(rules);
  expect(await teamInForce(good)).toBe("infra");
  expect(await teamInForce(open)).toBe("monitoring");
  expect(await serverProcess(good)).toBe(process);
});

test("the next up installs what failed, and nothing else", async () => {
  await good.run("cp -a /root/prometheus.yml /etc/prometheus/");
  const run = await deployment.stack.up();
  expect(run.dials).toEqual(deployment.stack.countsDials ? [`127.0.0.1:${good.sshPort}`] : []);
  expect(await teamInForce(good)).toBe("monitoring");
});

test("F26: a host that has died fails alone when all hosts are changed", async () => {
  await open.stop();
  await deployment.change({ defaults: { ...defaults("monitoring"), schedule: "0 */6 * * *" } });
  const run = await deployment.stack.tryUp({ continueOnError: true });
  expect(Object.keys(errorsOf(run)).sort()).toEqual(["open-backup-job-install", "prometheus-backup-test"]);
  expect(await good.readFile("/etc/cron.d/prometheus-backup")).toContain("\n0 */6 * * * prometheus ");
});

slowTest(
  "F26: a dead host blocks its own removal, and leaves once it is retired, without a connection and without editing the state",
  async () => {
    await deployment.change({ hosts: [goodSettings()] });
    const blocked = await deployment.stack.tryUp({ continueOnError: true });
    expect(blocked.ok).toBe(false);
    expect(Object.keys(errorsOf(blocked))).toEqual(expect.arrayContaining(["open-alert-rules-install"]));
    await deployment.change({ hosts: [openSettings({ retired: true }), goodSettings()] });
    const retired = await deployment.stack.up();
    expect(retired.dials).toEqual([]);
    await deployment.change({ hosts: [goodSettings()] });
    const removed = await deployment.stack.up();
    expect(removed.dials).toEqual([]);
    expect(deployment.stack.storedState()).not.toContain("::open");
    expect(changesOf(await deployment.stack.up())).toEqual({});
  },
);
