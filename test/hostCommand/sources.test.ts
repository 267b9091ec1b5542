// The sources hot and cold and the format archive: there and back again. And cold: the server runs again whatever
// happens to the run.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitForPrometheus } from "../hosts/host";
import { waitUntil } from "../tools/process";
import { COMMAND } from "./install";
import { COLD, guardianOf, stages, startOwnSite } from "./ownSite";
import { kills, slowTest, variants } from "../runner/pace";
import { chance } from "./random";
import { scrapesUntil, servedHistory } from "./served";
import { lines, makeDocile, makeStubborn, processOf, secondServers, untilGivenUp, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, type Site } from "./site";

/** Each way once, and then again. */
const KILLS = kills(3, 6);

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

const asRoot = { user: "root" };

const serverAndSite = (name: string, port: number, settings: Record<string, string>, dataDirectory?: string) =>
  startOwnSite(setting, { name, port, settings, ...(dataDirectory === undefined ? {} : { dataDirectory }) });

const startsOf = async (server: OwnServer) =>
  (await setting.host.run(`systemctl show --property MainPID,NRestarts ${server.unit}`)).trim();

/** Everything that the server keeps is lost, and what the newest backup holds takes its place. */
async function loseAndRestore(server: OwnServer, site: Site): Promise<void> {
  await server.stop();
  await setting.host.run(`rm -rf ${server.dataDirectory}/*`);
  await site.good("restore latest --yes", asRoot);
}

describe.concurrent("there and back", () => {
  test("hot: every finished block without the admin API and without a stop; the head is named as missing", async () => {
    const { server, site } = await serverAndSite("hot", 9431, { SOURCE: "hot" });
    const before = [await servedHistory(setting.host, server.url), await startsOf(server)];
    await site.good();
    expect([await servedHistory(setting.host, server.url), await startsOf(server)]).toEqual(before);
    expect(await stages({ server, site })).toEqual([]);
    const manifest = await site.manifest();
    expect(manifest).toMatchObject({ source: "hot", wal: null, coverage: { head: false } });
    expect(manifest.blocks.map(({ ulid }) => ulid).sort()).toEqual(await server.blocks());
    await loseAndRestore(server, site);
    expect(await servedHistory(setting.host, server.url)).toEqual(before[0]);
    await server.stop();
  });

  test("cold: everything up to the last scrape, for a downtime of seconds that the metrics tell", async () => {
    const { server, site } = await serverAndSite("cold", 9432, COLD);
    const history = await servedHistory(setting.host, server.url);
    const { stderr } = await site.good("run", asRoot);
    const downtime = (await site.metrics()).get("downtime_seconds") ?? 0;
    expect(stderr).toContain(` cold links downtime_seconds=${downtime.toFixed(1)}\n`);
    expect(downtime).toBeGreaterThan(0);
    await waitForPrometheus(setting.host, 60, server.url);
    const manifest = await site.manifest();
    expect(manifest).toMatchObject({ source: "cold", wal: { object: `heads/${manifest.name}-wal.tar.zst` } });
    // The last scrape before the stop lies in the WAL.
    const at = Date.parse(manifest.coverage.newestSample) / 1000;
    const scrapes = await scrapesUntil(setting.host, server.url, at);
    expect(scrapes).toBeGreaterThan(0);
    expect(await site.leftovers()).toEqual([]);
    await loseAndRestore(server, site);
    expect(await servedHistory(setting.host, server.url)).toEqual(history);
    expect(await scrapesUntil(setting.host, server.url, at)).toBe(scrapes);
    await server.stop();
  });

  test.each(variants([["gzip", "gz", 9433]] as const, [["zstd", "zst", 9434]] as const))(
    "archive with %s: one file that tar unpacks, restored whole and in part",
    async (compression, extension, port) => {
      const { server, site } = await serverAndSite(`archive-${compression}`, port, {
        FORMAT: "archive",
        ARCHIVE_COMPRESSION: compression,
        SOURCE: "hot",
      });
      const history = await servedHistory(setting.host, server.url);
      await site.good();
      await site.good("verify");
      const manifest = await site.manifest();
      const object = `archives/prometheus-backup-${manifest.name.replace(/^(\d+)T(\d+)Z$/, "$1-$2")}.tar.${extension}`;
      expect([...(await site.localObjects()).keys()].filter(key => key.startsWith("archives/"))).toEqual([object]);
      const members = lines(
        await setting.host.run(`tar -tf ${site.localPath}/${site.name}/${object} | cut -d / -f 2 | sort -u | grep ^01`),
      );
      expect(members).toEqual(await server.blocks());
      const [first] = members;
      await site.good(`restore latest --target ${site.directory}/part --block ${first} --yes`, asRoot);
      expect(lines(await setting.host.run(`ls ${site.directory}/part`))).toEqual([first]);
      await loseAndRestore(server, site);
      expect(await servedHistory(setting.host, server.url)).toEqual(history);
      await server.stop();
    },
  );
});

describe("cold: the server runs again", () => {
  const ways = {
    "the run": (site: Site) => `kill -KILL $pid # ${site.name}`,
    "the run and its children": () => "kill -KILL -- -$pid",
    "everything, the guardian too, as when the power fails": (site: Site) =>
      `{ pkill -KILL -f '${guardianOf(site)}'; kill -KILL -- -$pid; }`,
  };

  test("by itself after a kill -9 at a random moment of the run, with the next run if its guardian was killed as well", async () => {
    const random = chance("cold");
    const { server, site } = await serverAndSite("cold-killed", 9435, COLD);
    const history = await servedHistory(setting.host, server.url);
    const began = Date.now();
    await site.good("run", asRoot);
    const seconds = (Date.now() - began) / 1000;
    let stopped = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const [who, how] = Object.entries(ways)[kill % 3] ?? ["", () => ""];
      // Every second kill hits the time while the server is down.
      const when =
        kill % 2 === 0
          ? `while kill -0 $pid 2>/dev/null && [[ ! -e ${site.stateDirectory}/cold.stopped ]]; do :; done; sleep ${(random.next() * 0.3).toFixed(3)}`
          : `sleep ${(random.next() * seconds).toFixed(3)}`;
      const { stdout } = await setting.host.exec(
        `PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run >>${site.directory}/runs.log 2>&1 & pid=$!; ${when}; ls ${site.stateDirectory}/cold.stopped 2>/dev/null; ${how(site)}\nwait $pid`,
      );
      const context = `kill ${kill} of seed ${random.seed}: ${who}, ${when}`;
      stopped += stdout === "" ? 0 : 1;
      if (kill % 3 === 2) {
        await site.good("run", asRoot);
      }
      await waitForPrometheus(setting.host, 60, server.url).catch((error: unknown) =>
        expect.fail(`${context}: ${String(error)}`),
      );
      await waitUntil(
        `${context}: the note is gone`,
        60,
        async () => (await setting.host.exec(`test -e ${site.stateDirectory}/cold.stopped`)).code !== 0,
      );
      expect(await servedHistory(setting.host, server.url), context).toEqual(history);
    }
    console.log(`cold: ${KILLS} kills, ${stopped} of them while the server was down`);
    expect(stopped).toBeGreaterThan(0);
    await site.good("run", asRoot);
    expect(await site.leftovers()).toEqual([]);
    expect(await stages({ server, site })).toEqual([]);
    expect((await site.list()).filter(({ complete }) => !complete)).toEqual([]);
    await server.stop();
  });

  slowTest("although the inodes run out while it is down, or the repository is gone", async () => {
    const name = "cold-cramped";
    const data = `/srv/sites/${name}/data`;
    await setting.host.run(
      `mkdir -p ${data} && mount -t tmpfs -o size=100m,nr_inodes=300,mode=0755,uid=prometheus,gid=prometheus tmpfs ${data}`,
    );
    const { server, site } = await serverAndSite(name, 9436, COLD, data);
    const history = await servedHistory(setting.host, server.url);
    const free = Number(await setting.host.run(`df --output=iavail ${data} | tail -n 1`));
    await setting.host.run(`cd ${data} && for i in $(seq ${free - 20}); do : >fill.$i; done`);
    const full = await site.command("run", asRoot);
    expect([full.code, errorOf(full)], full.stderr).toEqual([
      7,
      expect.stringMatching(
        /^the blocks cannot be linked in \/srv\/sites\/cold-cramped\/data \(.*No space left on device\); free space or inodes there$/,
      ),
    ]);
    expect(full.stderr).not.toContain("does not come up");
    await waitForPrometheus(setting.host, 60, server.url);
    expect((await site.metrics()).get("downtime_seconds")).toBeGreaterThan(0);
    expect(await stages({ server, site })).toEqual([]);
    await setting.host.run(`rm ${data}/fill.*; mv ${site.localPath} ${site.localPath}.gone`);
    expect((await site.command("run", asRoot)).code).toBe(8);
    await waitForPrometheus(setting.host, 60, server.url);
    await setting.host.run(`mv ${site.localPath}.gone ${site.localPath}`);
    await site.good("run", asRoot);
    expect(await servedHistory(setting.host, server.url)).toEqual(history);
    await server.stop();
  });

  slowTest(
    "once, although systemd gives up on a server that takes long to stop, as Debian's unit does, and run and guardian may be killed then",
    async () => {
      const { server, site } = await serverAndSite("cold-slow", 9437, COLD);
      await makeStubborn(setting.host, server);
      const first = await processOf(setting.host, server);
      await Promise.all([
        setting.host.run(`${untilGivenUp(server)}; sleep 2; kill -TERM ${first}`),
        site.good("run", asRoot),
      ]);
      expect((await site.metrics()).get("downtime_seconds")).toBeGreaterThan(2);

      // Cut off together with its guardian: then the next run waits for the old process.
      const second = await processOf(setting.host, server);
      await setting.host.run(`
      PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run >>${site.directory}/runs.log 2>&1 & pid=$!
      ${untilGivenUp(server)}; pkill -KILL -f '${guardianOf(site)}'; kill -KILL -- -$pid; wait $pid || true`);
      await makeDocile(setting.host, server);
      await Promise.all([setting.host.run(`sleep 3; kill -TERM ${second}`), site.good("run", asRoot)]);
      expect(await setting.host.readFile(secondServers(server))).toBe("");
      await server.stop();
    },
  );
});
