// Blocks that are held between runs: sent instead of what the server merges from them, and never in the way.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { historyIn, servedHistory } from "./served";
import { lines, startOwnServer, untilCompacted, type OwnServer } from "./server";
import { HISTORY, HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { Site, type Manifest } from "./site";
import { slowTest } from "../runner/pace";

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

/** Every six hours that the server merges have blocks that came after it. */
const OLD_BLOCKS = 1;
const HELD = "prometheus-backup-held";

const pooled = (manifest: Manifest) => manifest.blocks.filter(({ head }) => !head);
const heldOf = async (server: { dataDirectory: string }) =>
  lines(await setting.host.run(`ls ${server.dataDirectory}/${HELD} 2>/dev/null || true`));

/** A server with the older part of the history, backed up, and then with the rest of it: what it has cut since. */
async function dayAfterBackup(
  name: string,
  port: number,
): Promise<{ server: OwnServer; site: Site; before: Manifest }> {
  const server = await startOwnServer(setting.host, { name, port, history: false });
  await addBlocks(server, `head -n ${OLD_BLOCKS}`);
  const site = await Site.create(setting, {
    name,
    prometheusUrl: server.url,
    repositories: ["local"],
    settings: { SKIP_HEAD: "true" },
  });
  await site.good();
  const before = await site.manifest();
  expect(pooled(before)).toHaveLength(OLD_BLOCKS);
  await addBlocks(server, `tail -n +${OLD_BLOCKS + 1}`);
  return { server, site, before };
}

async function addBlocks(server: OwnServer, which: string): Promise<void> {
  await server.stop();
  await setting.host.run(`cd ${HISTORY} && ls -d 01* | ${which} | xargs cp -a -t ${server.dataDirectory}`);
  await server.start();
}

async function merge(server: OwnServer): Promise<void> {
  await server.stop();
  await server.start({ compaction: true });
  await untilCompacted(server, HISTORY_BLOCKS);
}

describe.concurrent("held blocks", () => {
  test("are sent instead of the blocks that the server merged from them, and gone after the run", async () => {
    const { server, site, before } = await dayAfterBackup("holding", 9471);
    const { stderr } = await site.good("hold");
    expect(stderr).toMatch(new RegExp(`^\\S+ hold blocks=${HISTORY_BLOCKS - OLD_BLOCKS}\n$`));
    const held = await heldOf(server);
    expect(held).toHaveLength(HISTORY_BLOCKS - OLD_BLOCKS);
    expect(await setting.host.run(`find ${server.dataDirectory}/${HELD} -type f -links 1`)).toBe("");
    // Nothing new: nothing said, nothing done.
    expect((await site.good("hold")).stderr).toBe("");
    await merge(server);
    await site.good("hold");
    expect(await heldOf(server)).toEqual(held);
    await site.good();

    // Each sample was sent once: all blocks of the backup are the two-hour ones of the history, and the merged ones are
    // covered by them.
    const manifest = await site.manifest();
    const history = lines(await setting.host.run(`ls -d ${HISTORY}/01* | xargs -n 1 basename`));
    expect(
      pooled(manifest)
        .map(({ ulid }) => ulid)
        .sort(),
    ).toEqual(history);
    const sent = pooled(manifest).filter(({ ulid }) => !before.blocks.some(block => block.ulid === ulid));
    expect(sent.map(({ ulid }) => ulid).sort()).toEqual(held);
    expect(manifest.totals.sentBytes).toBe(sent.reduce((sum, { objectBytes }) => sum + objectBytes, 0));
    const live = await server.blocks();
    expect(manifest.covered.map(({ ulid }) => ulid).sort()).toEqual(live.filter(ulid => !history.includes(ulid)));
    expect(
      manifest.covered.flatMap(({ by }) => by).filter(ulid => held.includes(ulid) && !live.includes(ulid)).length,
    ).toBeGreaterThan(1);
    expect(await heldOf(server)).toEqual([]);
    expect((await site.good("hold")).stderr).toBe("");

    await site.good("verify");
    await site.good(`restore latest --target ${site.directory}/restored --yes`, { user: "root" });
    expect(await historyIn(setting.host, `${site.directory}/restored`, 9474)).toEqual(
      await servedHistory(setting.host, server.url),
    );
    await site.good();
    expect((await site.manifest()).totals.sentBytes).toBe(0);

    // A run that cannot have the lock is complete all the same, and the next one lets go, also of another format.
    await setting.host.run(
      `cd ${server.dataDirectory} && install -d -o prometheus -g prometheus ${HELD} && cp -a --link ${live[0]} ${HELD}/ && chmod 0400 ${site.stateDirectory}/hold.lock && chown root ${site.stateDirectory}/hold.lock`,
    );
    expect((await site.good()).stderr).toContain(
      `warning: ${site.stateDirectory}/hold.lock cannot be had, so ${server.dataDirectory}/${HELD} was left as it is; the next run empties it`,
    );
    expect(await heldOf(server)).toEqual([live[0]]);
    await setting.host.run(`rm ${site.stateDirectory}/hold.lock`);
    await site.configure({ FORMAT: "archive" });
    await site.good();
    expect(await heldOf(server)).toEqual([]);
    await server.stop();
  });

  slowTest("are left out where something was deleted from them since", async () => {
    const { server, site } = await dayAfterBackup("holding-deleted", 9472);
    await site.good("hold");
    await setting.host.run(
      `curl -fsS -g -X POST '${server.url}/api/v1/admin/tsdb/delete_series?match[]=history_requests_total{path="/p7"}'`,
    );
    await merge(server);
    const shown = await servedHistory(setting.host, server.url);
    const held = await heldOf(server);
    await site.good();
    expect(
      pooled(await site.manifest()).filter(({ ulid, numTombstones }) => held.includes(ulid) && numTombstones === 0),
    ).toEqual([]);
    await site.good(`restore latest --target ${site.directory}/restored --yes`, { user: "root" });
    expect(await historyIn(setting.host, `${site.directory}/restored`, 9475)).toEqual(shown);
    expect(await heldOf(server)).toEqual([]);
    await server.stop();
  });

  slowTest("that are damaged are done without, and a failed run keeps the others", async () => {
    const { server, site } = await dayAfterBackup("holding-damaged", 9473);
    await site.good("hold");
    const [first = ""] = await heldOf(server);
    await site.configure({ REPOSITORY_1_LOCATION: "/proc/nowhere" });
    expect((await site.command("run")).code).toBe(8);
    expect(await heldOf(server)).toHaveLength(HISTORY_BLOCKS - OLD_BLOCKS);
    await site.configure();
    // A hold that was killed, and an accident: the file of a link is replaced, so the server's own stays.
    await setting.host.run(
      `cd ${server.dataDirectory}/${HELD} && mkdir .new/${first} && rm ${first}/meta.json && echo '{' >${first}/meta.json`,
    );
    await merge(server);
    const { stderr } = await site.good();
    expect(stderr).toContain(
      `warning: the held blocks in ${server.dataDirectory}/${HELD} cannot be used (block ${first} has no readable meta.json); merged blocks are sent whole`,
    );
    expect((await site.manifest()).totals.samples).toBeGreaterThan(0);
    await site.good("verify");
    expect(await setting.host.exec(`ls -d ${server.dataDirectory}/${HELD}`)).toMatchObject({ code: 2 });
    await server.stop();
  });
});

test("are let go after two days without a run and when the file system is nearly full, but not during a run", async () => {
  const site = await Site.create(setting, {
    name: "holding-old",
    prometheusUrl: "http://127.0.0.1:9479",
    repositories: ["local"],
  });
  const dataDirectory = `${site.directory}/data`;
  const later = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=+3d";
  await setting.host
    .run(`mkdir ${dataDirectory} && mount -t tmpfs -o size=64m,uid=prometheus,gid=prometheus tmpfs ${dataDirectory}
    cp -a ${HISTORY}/01* ${dataDirectory}; cd ${site.stateDirectory} && touch lock && chown prometheus lock && install -o prometheus /dev/null hold`);
  const holdAll = async (): Promise<void> => {
    await setting.host.run(`echo ${dataDirectory} >${site.stateDirectory}/hold`);
    await site.good("hold");
    expect(await heldOf({ dataDirectory })).toHaveLength(HISTORY_BLOCKS);
  };
  await holdAll();
  // The age is looked at whenever there is something new.
  const forget = `sed -i '$d' ${site.stateDirectory}/hold`;
  await setting.host.run(forget);
  const blocked = await setting.host.exec(
    `flock ${site.stateDirectory}/lock env ${later} PROMETHEUS_BACKUP_CONFIG=${site.configuration} prometheus-backup.sh hold`,
    { user: "prometheus" },
  );
  expect([blocked.code, blocked.stderr, (await heldOf({ dataDirectory })).length]).toEqual([0, "", HISTORY_BLOCKS]);
  await setting.host.run(forget);
  expect((await site.good("hold", { environment: later })).stderr).toMatch(
    new RegExp(` hold let_go=${HISTORY_BLOCKS}\n$`),
  );
  expect(await heldOf({ dataDirectory })).toEqual([]);

  await holdAll();
  await setting.host.run(`head -c 60m /dev/zero >${dataDirectory}/fill 2>/dev/null || true`);
  expect((await site.good("hold")).stderr).toMatch(new RegExp(` hold let_go=${HISTORY_BLOCKS} free_percent=[0-9]\n$`));
  expect(await setting.host.run(`ls ${dataDirectory} | grep -c ^01`)).toBe(`${HISTORY_BLOCKS}\n`);
  await setting.host.run(`umount ${dataDirectory}`);
});
