// What a real Prometheus sends through RemoteWrite is what real receivers give back. Not part of `npm test`: their
// programs are built from source the first time.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StepName } from "../../components/host/stepName";
import { remoteWriteStep } from "../../components/remoteWrite/step";
import { startHost, quote, type Host } from "../hosts/host";
import { install, inventory, remove } from "../integration/stepHarness";
import { waitUntil } from "../tools/process";
import { receiverKinds, startReceiver, target } from "./program";

interface Series {
  metric: Record<string, string>;
  values: [number, string][];
}

let host: Host;
beforeAll(async () => {
  host = await startHost({ name: "receivers" });
});
afterAll(() => host?.stop());

async function series(api: string, expression: string): Promise<Series[]> {
  const said = await host.run(`curl -fsSG ${api}/query --data-urlencode ${quote(`query=${expression}`)}`);
  return (JSON.parse(said) as { data: { result: Series[] } }).data.result;
}

describe.each(receiverKinds)("$name", kind => {
  test("samples arrive at the endpoint of the preset, and are what the server has scraped", async () => {
    await startReceiver(host, kind);
    const before = await inventory(host);
    const plan = {
      unit: "prometheus.service",
      url: "http://127.0.0.1:9090",
      hasApiCredentials: false,
      targets: [target(kind)],
    };
    expect(await install(host, StepName.remoteWrite, remoteWriteStep(plan))).toMatchObject({ code: 0, stderr: "" });
    expect(await host.readFile("/etc/prometheus/prometheus.yml")).toContain(`\n    url: "${kind.endpoint}"\n`);
    const selector = '{__name__=~"up|prometheus_build_info",job="prometheus"}[10m]';
    let received: Series[] = [];
    await waitUntil(
      `${kind.name} has several samples of each series`,
      180,
      async () => {
        received = await series(kind.api, selector);
        return received.length === 2 && received.every(({ values }) => values.length >= 3);
      },
      1000,
    );
    const scraped = await series("http://127.0.0.1:9090/api/v1", selector);
    for (const { metric, values } of received) {
      const own = scraped.find(each => each.metric["__name__"] === metric["__name__"]);
      expect(metric).toEqual({ ...own?.metric, monitor: "example", ...kind.labels });
      expect(own?.values).toEqual(expect.arrayContaining(values));
    }
    expect(await remove(host, StepName.remoteWrite)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await inventory(host)).toBe(before);
  });
});
