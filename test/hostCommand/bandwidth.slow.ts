// The bandwidth limit holds for all that is sent or fetched together, not for each of the programs that do it.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { Site } from "./site";

/** Long enough that a run in half the time is one, whatever else it does meanwhile. */
const SECONDS = 16;

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "throttled", port: 9395 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

test("a run and a restore take the time that the limit asks for, with several jobs allowed", async () => {
  const site = await Site.create(setting, {
    name: "throttled",
    prometheusUrl: server.url,
    repositories: ["offsite"],
    settings: { PARALLEL: "4", SKIP_HEAD: "true" },
  });
  await site.good();
  const { sentBytes } = (await site.manifest()).totals;
  await site.configure({ PARALLEL: "4", SKIP_HEAD: "true", BANDWIDTH_LIMIT: `${Math.floor(sentBytes / SECONDS)}B` });

  expect(
    (await site.good("restore latest --target /srv/sites/throttled/restored --plan", { user: "root" })).stdout,
  ).toMatch(/^ {2}fetch .*; the settings limit it to \d+B$/m);
  expect(
    await secondsOf(() => site.good("restore latest --target /srv/sites/throttled/restored --yes", { user: "root" })),
  ).toBeGreaterThan(SECONDS * 0.9);

  await site.deleteOffsite([...(await site.offsiteObjects()).keys()]);
  expect(await secondsOf(() => site.good("run --take-over"))).toBeGreaterThan(SECONDS * 0.9);
  expect((await site.manifest()).totals.sentBytes).toBe(sentBytes);
});
