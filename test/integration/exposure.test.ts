// Who reaches the admin API of a server that listens on all addresses: nobody, unless it is said to be guarded elsewhere.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StepName } from "../../components/render/steps";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import { adminApi } from "./stepContents";
import { install, inventory, lastWord, remove, serverFlag, serverProcess } from "./stepHarness";

describe("a server that listens on all addresses", () => {
  let host: Host;
  let before: string;
  beforeAll(async () => {
    host = await startHost({ name: "steps-public", listen: "" });
    await waitForPrometheus(host);
    before = await inventory(host);
  });
  afterAll(() => host.stop());
  const post = (path: string): Promise<string> =>
    host.run(`curl -s -o /dev/null -w '%{http_code}' --path-as-is -X POST 'http://${host.ip}:9090${path}'`);

  test("is refused before anything is changed, with the ways out", async () => {
    const process = await serverProcess(host);
    const result = await install(host, StepName.adminApi, adminApi());
    expect(result.code).toBe(12);
    expect(lastWord(result)).toMatch(
      /prometheus.service listens on \[::\]:9090, .*--web.listen-address=127.0.0.1:9090.*reverse-proxy.*accept-public/,
    );
    expect(await inventory(host)).toBe(before);
    expect(await serverProcess(host)).toBe(process);
  });

  test("is accepted with a warning if it is guarded elsewhere", async () => {
    const result = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "accept-public" }));
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/^warning: prometheus.service listens on \[::\]:9090: whoever reaches it can delete series/);
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    expect(await inventory(host)).toBe(before);
  });

  test("moves behind a proxy that denies the admin paths in every spelling", async () => {
    const result = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "reverse-proxy" }));
    expect([result.code, result.stderr]).toEqual([0, expect.any(String)]);
    for (const path of [
      "/api/v1/admin/tsdb/snapshot",
      "/api/v1/%61dmin/tsdb/snapshot",
      "/api//v1///admin/tsdb/snapshot",
      "/api/v1/x/../admin/tsdb/snapshot",
      "/api/v1%2Fadmin%2ftsdb/snapshot",
      "/api/v2/admin/tsdb/delete_series",
      "/API/V1/Admin/tsdb/snapshot",
      "/prefix/api/v1/admin/tsdb/clean_tombstones",
    ]) {
      expect([path, await post(path)]).toEqual([path, "403"]);
    }
    expect(await post("/api/v1/query?query=up")).toBe("200");
    expect(await host.run(`curl -s -o /dev/null -w '%{http_code}' http://${host.ip}:9090/api/v1/label/admin/values`)).toBe("200");
    expect(await host.run("curl -s -X POST http://127.0.0.1:9091/api/v1/admin/tsdb/snapshot")).toContain('"success"');
    expect(await serverFlag(host, "web.external-url")).toBe("http://steps-public:9090/");
    expect(await serverFlag(host, "web.listen-address")).toBe("127.0.0.1:9091");
    expect((await host.exec("curl -s http://127.0.0.1:80/")).code).toBe(7);
  });

  test("stays as it is when the step runs again", async () => {
    const process = await serverProcess(host);
    const again = await install(host, StepName.adminApi, adminApi({ EXPOSURE: "reverse-proxy" }));
    expect([again.code, again.stdout.slice(0, 10), again.stderr]).toEqual([0, "unchanged ", ""]);
    expect(await serverProcess(host)).toBe(process);
  });

  test("gets its address back when the step goes", async () => {
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    expect(await serverFlag(host, "web.listen-address")).toBe("0.0.0.0:9090");
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("false");
    expect(await post("/api/v1/admin/tsdb/snapshot")).toBe("500");
    expect((await inventory(host)).replaceAll(/^.*\/etc\/(nginx|logrotate.d|default)\/?.*\n/gm, "")).toBe(
      before.replaceAll(/^.*\/etc\/(nginx|logrotate.d|default)\/?.*\n/gm, ""),
    );
  });
});
