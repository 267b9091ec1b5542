// F9 to F11: series that are deleted, blocks that are compacted or dropped, and servers that shrink between two
// backups.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../tools/process";
import { slowTest } from "../runner/pace";
import { historyIn, servedHistory } from "./served";
import { startOwnServer, untilCompacted, type OwnServer } from "./server";
import { HISTORY_BLOCKS, HISTORY_SERIES, openSetting, type Setting } from "./setting";
import { Site, type Manifest } from "./site";

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

const pooled = (manifest: Manifest) => manifest.blocks.filter(({ head }) => !head);
const samples = (manifest: Manifest) => pooled(manifest).reduce((sum, { numSamples }) => sum + numSamples, 0);
const objects = (manifest: Manifest) =>
  pooled(manifest)
    .map(({ object }) => object)
    .sort();

async function post(server: OwnServer, path: string): Promise<void> {
  await setting.host.run(`curl -fsS -g -X POST '${server.url}/api/v1/admin/tsdb/${path}'`);
}

/** Names of backups have a resolution of one second. */
async function backup(site: Site, words = "run"): Promise<Manifest> {
  await site.good(words);
  return site.manifest("latest", "local");
}

/** What the server shows of the history at the time of a backup, by the backup's name. */
type Shown = Map<string, string[]>;

async function backupShown(site: Site, server: OwnServer, shown: Shown, words?: string): Promise<Manifest> {
  const manifest = await backup(site, words);
  shown.set(manifest.name, await servedHistory(setting.host, server.url));
  return manifest;
}

/** Each backup restores exactly what was visible when it was taken. */
async function expectRestored(site: Site, shown: Shown, port: number): Promise<void> {
  expect(new Set([...shown.values()].map(lines => lines.length)).has(0)).toBe(false);
  for (const [name, history] of shown) {
    const target = `${site.directory}/restored-${name}`;
    await site.good(`restore ${name} --target ${target} --yes`, { user: "root" });
    expect(await historyIn(setting.host, target, port), `restored from ${name}`).toEqual(history);
  }
}

test.concurrent(
  "F9: each backup holds what was visible when it was taken, with and without cleaned tombstones",
  async () => {
    const server = await startOwnServer(setting.host, { name: "deleting", port: 9361 });
    const site = await Site.create(setting, { name: "deleting", prometheusUrl: server.url });
    const shown: Shown = new Map();
    const whole = await backupShown(site, server, shown);
    await post(server, 'delete_series?match[]=history_requests_total{path="/p7"}');
    const marked = await backupShown(site, server, shown);
    await post(server, "clean_tombstones");
    const cleaned = await backupShown(site, server, shown);
    expect(shown.get(marked.name)).toEqual(shown.get(cleaned.name));
    expect(shown.get(marked.name)).not.toEqual(shown.get(whole.name));

    // Same blocks, same objects: nothing is sent but the head; the marks are in the second manifest alone.
    expect(objects(marked)).toEqual(objects(whole));
    expect(marked.totals.sentBytes).toBe(marked.blocks.find(({ head }) => head)?.objectBytes);
    expect(pooled(whole).map(({ tombstones, numTombstones }) => tombstones + numTombstones)).toEqual(
      pooled(whole).map(() => "0"),
    );
    expect(pooled(marked).every(({ tombstones, numTombstones }) => tombstones !== "" && numTombstones === 1)).toBe(
      true,
    );

    // Cleaned: new blocks without the series, sent under their own names, and no mark any more.
    const lost = samples(whole) / HISTORY_SERIES;
    expect(samples(cleaned)).toBe(samples(whole) - lost);
    expect(pooled(cleaned).every(({ numTombstones, tombstones }) => numTombstones === 0 && tombstones === "")).toBe(
      true,
    );
    expect(objects(cleaned).filter(object => objects(whole).includes(object))).toEqual([]);
    for (const { name } of [whole, marked, cleaned]) {
      await site.good(`verify ${name}`);
    }
    await expectRestored(site, shown, 9366);
    await server.stop();
  },
);

slowTest.concurrent(
  "F9: a compaction that drops deleted samples is not covered by the blocks from before",
  async () => {
    const server = await startOwnServer(setting.host, { name: "dropping", port: 9362 });
    const site = await Site.create(setting, { name: "dropping", prometheusUrl: server.url, repositories: ["local"] });
    const shown: Shown = new Map();
    const whole = await backupShown(site, server, shown);
    await post(server, 'delete_series?match[]=history_requests_total{path="/p7"}');
    await server.stop();
    await server.start({ compaction: true });
    await untilCompacted(server, pooled(whole).length);
    const after = await backupShown(site, server, shown);
    const before = new Set(objects(whole));
    expect(after.covered).toEqual([]);
    // Whatever block still stands for deleted samples has its mark in this manifest.
    for (const block of pooled(after).filter(({ object }) => before.has(object))) {
      expect(block.numTombstones).toBe(1);
    }
    expect(pooled(after).filter(({ object }) => !before.has(object)).length).toBeGreaterThan(0);
    await expectRestored(site, shown, 9367);
    await server.stop();
  },
);

test.concurrent(
  "F10: compacted and dropped blocks: both backups stay whole, compaction costs nothing, prune frees what nobody needs",
  async () => {
    const server = await startOwnServer(setting.host, { name: "compacting", port: 9363 });
    const site = await Site.create(setting, {
      name: "compacting",
      prometheusUrl: server.url,
      settings: { ORPHAN_GRACE_HOURS: "0", KEEP_MINIMUM: "1" },
    });
    const shown: Shown = new Map();
    const fine = await backupShown(site, server, shown);
    await server.stop();
    await server.start({ compaction: true });
    await untilCompacted(server, pooled(fine).length);
    const coarse = await backupShown(site, server, shown);
    expect(coarse.covered.length).toBeGreaterThan(0);
    expect(coarse.totals.sentBytes).toBe(coarse.blocks.find(({ head }) => head)?.objectBytes);
    expect(samples(coarse)).toBe(samples(fine));

    // Retention of the server drops all but the newest hours.
    await server.stop();
    await server.start({ compaction: true, flags: ["--storage.tsdb.retention.size=1KB"] });
    await waitUntil(
      "the server has dropped blocks",
      60,
      async () => (await server.blocks()).length < (coarse.covered.length || 1),
      1000,
    );
    for (const { name } of [fine, coarse]) {
      await site.good(`verify ${name}`);
    }
    expect(shown.get(coarse.name)).toEqual(shown.get(fine.name));
    expect((await servedHistory(setting.host, server.url)).length).toBeLessThan(shown.get(fine.name)?.length ?? 0);
    await expectRestored(site, shown, 9368);

    // Only the newest stays: what it needs, and nothing else.
    const left = await backup(site, "run --accept-smaller");
    await site.configure({ KEEP_LAST: "1" });
    const needed = (manifest: Manifest) => [...new Set(manifest.blocks.map(({ object }) => object))].sort();
    const stored = (all: Map<string, number>) =>
      [...all.keys()].filter(object => /^(blocks|heads)\//.test(object)).sort();
    const dry = await site.good("prune --dry-run");
    expect(dry.stdout).toMatch(/^local: 1 backup stays, 2 go, and \d+ objects/m);
    expect(stored(await site.localObjects()).length).toBeGreaterThan(needed(left).length);
    expect((await site.command("prune")).code).toBe(12);
    await site.good("prune --yes");
    expect(stored(await site.localObjects())).toEqual(needed(left));
    expect(stored(await site.offsiteObjects())).toEqual(needed(left));
    await site.good("verify");
    await server.stop();
  },
);

describe.concurrent("F11: the TSDB is empty or much smaller than before", () => {
  slowTest(
    "shrunk: kept apart as suspect, told by the metric, no good backup pruned, and --accept-smaller ends it",
    async () => {
      const server = await startOwnServer(setting.host, { name: "shrinking", port: 9364 });
      const site = await Site.create(setting, {
        name: "shrinking",
        prometheusUrl: server.url,
        settings: { SKIP_HEAD: "true", KEEP_LAST: "1", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" },
      });
      const good = await backup(site);
      await server.stop();
      await setting.host.run(`cd ${server.dataDirectory} && ls -d 01* | head -n ${HISTORY_BLOCKS - 3} | xargs rm -rf`);
      await server.start();
      const { code, stderr } = await site.command("run");
      expect(code, stderr).toBe(9);
      expect(stderr).toMatch(
        /^prometheus-backup: warning: backup \d{8}T\d{6}Z is suspect: [\d.]+(?: k)? samples instead of [\d.]+(?: [kM])? in the last good backup \(\d{8}T\d{6}Z\); it is kept, and retention deletes nothing for it\. Data lost\? prometheus-backup\.sh restore latest\. Meant to be smaller\? prometheus-backup\.sh run --accept-smaller$/m,
      );
      expect((await site.metrics()).get("lost_blocks")).toBe(HISTORY_BLOCKS - 3);
      expect((await site.metrics()).get("suspect")).toBe(1);
      expect((await site.list("--repository local")).map(({ suspect }) => suspect)).toEqual([true, false]);
      await site.good("prune --yes");
      await site.good(`verify ${good.name}`);
      // It is nothing to compare with, whether a run knows that from its notes or from the manifest.
      for (const notes of ["ls", "rm"]) {
        await setting.host.run(`${notes} ${site.stateDirectory}/cache/formed/*`);
        expect((await site.command("run")).stderr).toContain(` in the last good backup (${good.name})`);
      }

      await site.good("run --accept-smaller");
      expect((await site.metrics()).get("suspect")).toBe(0);
      expect((await site.metrics()).get("lost_blocks")).toBe(0);
      expect((await site.list("--repository local")).filter(({ suspect }) => !suspect)).toHaveLength(1);
      await server.stop();
    },
  );

  slowTest("empty: a failure with a suspect backup kept apart; a host that is declared new may be empty", async () => {
    const server = await startOwnServer(setting.host, { name: "empty", port: 9365, history: false });
    const site = await Site.create(setting, {
      name: "empty",
      prometheusUrl: server.url,
      settings: { SKIP_HEAD: "true", COMPANIONS: "false" },
    });
    const finished = await site.command("run");
    expect({ code: finished.code, message: finished.stderr.split("\n").at(-3) }).toEqual({
      code: 6,
      message: `prometheus-backup: error: the server holds no blocks at all; the backup was kept apart as suspect; look at ${server.dataDirectory}; on a host that is really new, set prometheus.newHost: true`,
    });
    expect((await site.metrics()).get("last_exit_code")).toBe(6);
    expect((await site.metrics()).get("last_success_timestamp_seconds")).toBeUndefined();
    expect((await site.list()).map(({ suspect }) => suspect)).toEqual([true, true]);
    await site.configure({ NEW_HOST: "true" });
    await site.good();
    expect((await site.list("--repository local")).map(({ suspect }) => suspect)).toEqual([false, true]);
    await server.stop();
  });
});
