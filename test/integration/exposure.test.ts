// Who reaches the admin API of a server that listens on all addresses: nobody, unless it is said to be guarded
// elsewhere.
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy } from "../../components/stack/program";
import { StepName } from "../../components/host/stepName";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import { waitUntil } from "../tools/process";
import { createTestStack } from "./harness";
import { adminApi } from "./stepContents";
import { install, inventory, remove, serverFlag, serverProcess } from "./stepHarness";

interface FirstHost {
  config: { "prometheus-backup:hosts": [Record<string, unknown>] };
}

/** What README.md says to write for the first host, with the place and key of a test host in it. */
function firstHost(host: Host): Record<string, unknown> {
  const { config } = parse(readFileSync(path.join(__dirname, "../examples/first-host.yaml"), "utf8")) as FirstHost;
  const [written] = config["prometheus-backup:hosts"];
  const place = { address: host.sshHost, port: host.sshPort, hostKey: host.hostKey, privateKey: "sshKey" };
  return { ...config, "prometheus-backup:hosts": [{ ...written, ...place }] };
}

describe("a server that listens on all addresses", () => {
  let host: Host;
  let before: string;
  let stock: string;
  const environmentFile = "/etc/default/prometheus";
  const override = "/etc/systemd/system/prometheus.service.d/override.conf";
  beforeAll(async () => {
    host = await startHost({ name: "steps-public", listen: "" });
    await waitForPrometheus(host);
    before = await inventory(host);
    stock = await host.readFile(environmentFile);
  });
  afterAll(() => host.stop());
  const post = (page: string): Promise<string> =>
    host.run(`curl -s -o /dev/null -w '%{http_code}' --path-as-is -X POST 'http://${host.ip}:9090${page}'`);
  /** The same inventory as before, but for the files of a package that came with the proxy and stays. */
  const isAsBefore = async (): Promise<void> => {
    const ownFiles = (text: string) => text.replaceAll(/^.*\/etc\/(nginx|logrotate.d\/nginx|default\/nginx).*\n/gm, "");
    expect(ownFiles(await inventory(host))).toBe(ownFiles(before));
  };

  test("is refused before anything is changed, with the ways out", async () => {
    const process = await serverProcess(host);
    const result = await install(host, StepName.adminApi, adminApi());
    expect([result.code, result.stderr]).toEqual([
      12,
      [
        "prometheus-backup: error: prometheus.service listens on [::]:9090, where anybody could delete series through " +
          "the admin API; nothing was changed. " +
          "Each of these lines, at the host in the file of the stack, is a way out:",
        "    adminApi: { exposure: reverse-proxy }   # nginx takes [::]:9090 and denies the admin paths",
        "    adminApi: { exposure: accept-public }   # a firewall or proxy of yours guards it",
        "    source: hot                             # leaves the admin API off; every backup misses the newest hours",
        "Or let it listen on loopback only: on the host add --web.listen-address=127.0.0.1:9090 to ARGS in " +
          "/etc/default/prometheus, then run: systemctl daemon-reload; systemctl restart prometheus.service",
        "",
      ].join("\n"),
    ]);
    expect(await inventory(host)).toBe(before);
    expect(await serverProcess(host)).toBe(process);
  });

  test("README's first host works on a stock Debian in one up, and destroy leaves that as it was", async () => {
    const stack = await createTestStack({
      program: () => Promise.resolve({ ...deploy() }),
      config: firstHost(host),
      secrets: { "prometheus-backup:sshKey": host.privateKey },
    });
    const backup = (words: string) => host.run(`sudo prometheus-backup.sh ${words} 2>&1`, { user: host.user });
    try {
      await stack.up();
      expect(await serverFlag(host, "web.listen-address", 9091)).toBe("127.0.0.1:9091");
      expect(await post("/api/v1/admin/tsdb/snapshot")).toBe("403");
      // Of a stock Debian, no Alertmanager answers.
      const checked = (await host.exec("sudo prometheus-backup.sh check", { user: host.user })).stdout.split("\n");
      expect(checked).toContainEqual(expect.stringMatching(/^ {2}✔ admin API .*loopback only$/));
      expect(checked.filter(line => line.includes("✘") && !line.includes("✘ alerts "))).toEqual([]);
      // A server without a single sample has nothing to back up.
      const samples = "curl -s 'http://127.0.0.1:9091/api/v1/query?query=up'";
      await waitUntil("the server has scraped", 60, async () => (await host.run(samples)).includes('"metric"'));
      await backup("run");
      expect(await backup("list")).toMatch(/\bcomplete\b/);
      // The unit alone says where the data are, while its server is down.
      await host.run("rm /var/lib/prometheus-backup/server.*; systemctl stop prometheus");
      expect(await backup("restore latest --plan")).toContain(host.paths.dataDirectory);
      await host.run("systemctl start prometheus");
      await waitForPrometheus(host);
      await stack.destroy();
    } finally {
      stack.remove();
    }
    await isAsBefore();
    expect(await serverFlag(host, "web.listen-address")).toBe("0.0.0.0:9090");
  });

  test("is accepted with a warning if it is guarded elsewhere", async () => {
    const result = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "accept-public" }));
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(
      /^warning: prometheus.service listens on \[::\]:9090: whoever reaches it can delete series/,
    );
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    await isAsBefore();
  });

  test("moves behind a proxy that denies the admin paths in every spelling", async () => {
    const result = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "reverse-proxy" }));
    expect([result.code, result.stderr]).toEqual([0, expect.any(String)]);
    for (const page of [
      "/api/v1/admin/tsdb/snapshot",
      "/api/v1/%61dmin/tsdb/snapshot",
      "/api//v1///admin/tsdb/snapshot",
      "/api/v1/x/../admin/tsdb/snapshot",
      "/api/v1%2Fadmin%2ftsdb/snapshot",
      "/api/v2/admin/tsdb/delete_series",
      "/API/V1/Admin/tsdb/snapshot",
      "/prefix/api/v1/admin/tsdb/clean_tombstones",
    ]) {
      expect([page, await post(page)]).toEqual([page, "403"]);
    }
    expect(await post("/api/v1/query?query=up")).toBe("200");
    expect(
      await host.run(`curl -s -o /dev/null -w '%{http_code}' http://${host.ip}:9090/api/v1/label/admin/values`),
    ).toBe("200");
    expect(await host.run("curl -s -X POST http://127.0.0.1:9091/api/v1/admin/tsdb/snapshot")).toContain('"success"');
    expect(await serverFlag(host, "web.external-url")).toBe("http://steps-public:9090/");
    expect(await serverFlag(host, "web.listen-address")).toBe("127.0.0.1:9091");
    expect((await host.exec("curl -s http://127.0.0.1:80/")).code).toBe(7);
  });

  test("stays as it is when the step runs again", async () => {
    const process = await serverProcess(host);
    const again = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "reverse-proxy" }));
    expect([again.code, again.stdout.slice(0, 10), again.stderr]).toEqual([0, "unchanged:", ""]);
    expect(await serverProcess(host)).toBe(process);
  });

  // As public repositories have it.
  test.each([
    {
      what: "over several lines, with quotes in quotes",
      text: `# Flags of the server
ARGS="--config.file='/etc/prometheus/prometheus.yml' \\
      --web.listen-address='0.0.0.0:9090' \\
      --web.enable-admin-api \\
      --storage.tsdb.retention.time='30d'"
`,
      flags: { "storage.tsdb.retention.time": "30d", "web.external-url": "http://steps-public:9090/" },
    },
    {
      what: "a second time, with escaped quotes",
      text: 'ARGS=""\nARGS="--web.listen-address=\\"0.0.0.0:9090\\" --web.page-title=\\"a  b\\""\n',
      flags: { "web.page-title": "a  b" },
    },
    {
      what: "in single quotes, with the address as a word of its own",
      text: "ARGS='--web.listen-address :9090 --web.external-url=http://mon.example/'\n",
      flags: { "web.external-url": "http://mon.example/" },
    },
  ])("stays behind it with the other flags of a new environment file, written $what", async ({ text, flags }) => {
    await host.writeFile(environmentFile, text, { mode: "0640", owner: "root:prometheus" });
    await host.run("systemctl restart prometheus");
    await waitForPrometheus(host, 60, "http://127.0.0.1:9091");
    const expected = { ...flags, "web.listen-address": "127.0.0.1:9091", "web.enable-admin-api": "true" };
    const inForce = Object.keys(expected).map(async flag => [flag, await serverFlag(host, flag, 9091)]);
    expect(Object.fromEntries(await Promise.all(inForce))).toEqual(expected);
  });

  test("moves on when its loopback address is changed, with quotes in the command of its unit", async () => {
    const command = `/usr/bin/prometheus "--web.listen-address=0.0.0.0:9095" '--web.page-title=a  b' $ARGS`;
    await host.writeFile(environmentFile, "ARGS=--log.level=warn\n", { mode: "0640", owner: "root:prometheus" });
    await host.writeFile(override, `[Service]\nExecStart=\nExecStart=${command}\n`);
    const place = { EXPOSURE: "reverse-proxy", LOOPBACK_LISTEN: "127.0.0.1:9092" };
    expect(await install(host, StepName.adminApi, adminApi(place))).toMatchObject({ code: 0 });
    expect(await serverFlag(host, "web.page-title", 9092)).toBe("a  b");
    expect(await serverFlag(host, "log.level", 9092)).toBe("warn");
    expect(await post("/api/v1/query?query=up")).toBe("200");
    expect(await post("/api/v1/admin/tsdb/snapshot")).toBe("403");
  });

  test("gets the address that its unit now names when the step goes, and files of the operator stay", async () => {
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    expect(await serverFlag(host, "web.listen-address", 9095)).toBe("0.0.0.0:9095");
    expect(await serverFlag(host, "web.enable-admin-api", 9095)).toBe("false");
    const found = await host.run(`cat ${environmentFile}; stat -c '%a %U:%G' ${environmentFile}`);
    expect(found).toBe("ARGS=--log.level=warn\n640 root:prometheus\n");
    await host.run(`rm -r ${path.dirname(override)}`);
    await host.writeFile(environmentFile, stock);
    await isAsBefore();
  });
});
