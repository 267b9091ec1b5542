// F18 on a running server. It notices within a minute that the damaged block is gone, and within another that the good
// one is there: too long for every change (`npm run test:slow`).
import { afterAll, beforeAll, expect, test } from "vitest";
import { SCRAPE_SECONDS, finished, startLiveServer } from "./liveServer";
import { servedHistory } from "./served";
import { openSetting, type Setting } from "./setting";

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

const asRoot = { user: "root" };

test("F18: a chunk that rotted is found, exactly that block comes back, and no scrape is missed", async () => {
  const live = await startLiveServer(setting, "rotting", 9422);
  const { server, site, backup, history } = live;
  const [, , ulid = ""] = finished(backup);
  const whole = await live.checksums(ulid);
  const rest = await live.others(ulid);
  const since = Date.now() / 1000;
  await live.rot(ulid);
  const healed = await site.good("heal --yes", asRoot);
  expect(healed.stderr).toContain("\nBrought back 1 block; the server has answered from the time of 1 block.\n");
  expect(await live.checksums(ulid)).toBe(whole);
  expect(await live.others(ulid)).toBe(rest);
  expect(await servedHistory(setting.host, server.url)).toEqual(history);
  const seen = await live.scrapes(since);
  expect(seen.gap).toBeLessThan(1.9 * SCRAPE_SECONDS);
  expect(seen).toEqual({ gap: seen.gap, failed: 0, processes: 1 });
  expect((await site.good("heal --yes", asRoot)).stderr).toContain("✔ nothing is damaged or missing\n");
  await server.stop();
});
