// The source hot and the format archive when runs are killed (F5) or disks are full (F30). For snapshots and blocks:
// interruption.test.ts, space.test.ts.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMAND } from "./install";
import { kills, representatives, slowTest, variants } from "../runner/pace";
import { chance } from "./random";
import { servedHistory } from "./served";
import { lines, processOf, startOwnServer, type OwnServer } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { expectFailure, Site } from "./site";

const KILLS = kills(1, 3);

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

/**
 * What a run has in the data directory and in the local repository while it is at work, and nobody after the next run.
 */
async function traces(server: OwnServer, site: Site): Promise<string[]> {
  return lines(
    await setting.host.run(
      `ls -d ${server.dataDirectory}/*backup* ${server.dataDirectory}/snapshots/* ${site.localPath}/${site.name}/*/.partial-* 2>/dev/null || true`,
    ),
  );
}

/** All that must be so after a good run, whatever happened before. */
async function expectWhole(server: OwnServer, site: Site): Promise<void> {
  expect(await traces(server, site)).toEqual([]);
  expect(await site.leftovers()).toEqual([]);
  expect((await site.list()).filter(({ complete, damaged, suspect }) => !complete || damaged || suspect)).toEqual([]);
  expect((await site.metrics()).get("last_exit_code")).toBe(0);
}

/**
 * Fills the file system of a directory with one file, but for so many bytes, or with empty files, but for so many
 * inodes.
 */
async function fill(directory: string, what: "bytes" | "inodes", free: number): Promise<void> {
  await setting.host.run(
    what === "bytes"
      ? `cd ${directory} && head -c $(( $(df --block-size=1 --output=avail . | tail -n 1) - ${free} )) /dev/zero >fill`
      : `cd ${directory} && for i in $(seq $(( $(df --output=iavail . | tail -n 1) - ${free} ))); do : >fill.$i; done`,
  );
}

const empty = (directory: string) => setting.host.run(`find ${directory} -maxdepth 1 -name 'fill*' -delete`);

/** A file system of its own. */
const mount = (directory: string, options: string) =>
  setting.host.run(
    `mkdir -p ${directory} && mount -t tmpfs -o mode=0755,uid=prometheus,gid=prometheus,${options} tmpfs ${directory}`,
  );

describe.concurrent("F5: kill -9 at a random moment", () => {
  const WAYS = { "the run": "kill -KILL $pid", "the run and its children": "kill -KILL -- -$pid" };
  const cases: { name: string; port: number; settings: Record<string, string>; trace: string }[] = [
    { name: "hot-killed", port: 9481, settings: { SOURCE: "hot" }, trace: "data/prometheus-backup-stage.*" },
    {
      name: "archive-killed",
      port: 9482,
      settings: { FORMAT: "archive" },
      trace: "repository/archive-killed/archives/.partial-*",
    },
  ];

  test.for(representatives(cases, ({ name }) => name === "archive-killed"))(
    "$name: no half backup, and the next run clears up",
    async ({ name, port, settings, trace }) => {
      const random = chance(name);
      const server = await startOwnServer(setting.host, { name, port });
      const site = await Site.create(setting, { name, prometheusUrl: server.url, settings });
      const served = [await servedHistory(setting.host, server.url), await processOf(setting.host, server)];
      const began = Date.now();
      await site.good();
      let seconds = (Date.now() - began) / 1000;
      const seen: string[] = [];
      // A run that ended before its kill does not count, and one kill at least must leave something to clear up.
      for (
        let kill = 0;
        seen.filter(text => text.startsWith("137")).length < KILLS ||
        !seen.some(text => /^137 \(left: [1-9]/.test(text));
        kill++
      ) {
        const [who, how] = random.pick(Object.entries(WAYS));
        // Every second kill comes while the links, or the unfinished archive, are there.
        const when =
          kill % 2 === 0
            ? `until compgen -G '${site.directory}/${trace}' >/dev/null || ! kill -0 $pid 2>/dev/null; do :; done; sleep ${(random.next() * 0.1).toFixed(3)}`
            : `sleep ${(random.next() * seconds).toFixed(3)}`;
        const before = { metrics: await site.metrics(), list: await site.list() };
        const killed = await setting.host.exec(
          `PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run 2>>${site.stateDirectory}/killed.log & pid=$!; ${when}; ${how} 2>/dev/null; wait $pid; echo $?`,
          { user: "prometheus" },
        );
        const context = `kill ${kill} of seed ${random.seed}: ${who}, ${when}`;
        const code = Number(killed.stdout);
        expect([0, 137], context).toContain(code);
        seconds *= code === 0 ? 0.6 : 1;
        seen.push(`${code} (left: ${(await traces(server, site)).length})`);
        const list = await site.list();
        expect(
          list.filter(({ complete }) => !complete),
          context,
        ).toEqual([]);
        if (code === 137 && list.length < before.list.length + 2) {
          // Not complete everywhere, so nothing may tell of a success.
          expect(await site.metrics(), context).toEqual(before.metrics);
        }
        // At once, while children of the dead run may still be at work.
        await site.good();
        await expectWhole(server, site);
        expect(await site.list().then(({ length }) => length), context).toBeGreaterThanOrEqual(before.list.length + 2);
      }
      console.log(`${name}: exit codes ${seen.join(", ")}`);
      expect((await site.good("verify")).stdout.match(/✔/g)).toHaveLength(2);
      // Also an archive whose run was killed before the manifest is whole.
      await setting.host.run(
        `cd ${site.localPath}/${site.name} && find . -name '*.zst' -exec zstd --quiet --test {} + && find . -name '*.gz' -exec gzip --test {} +`,
      );
      expect([await servedHistory(setting.host, server.url), await processOf(setting.host, server)]).toEqual(served);
      await server.stop();
    },
  );
});

describe("F30: an archive, when the repository", () => {
  let server: OwnServer;

  beforeAll(async () => {
    server = await startOwnServer(setting.host, { name: "archive-roomy", port: 9483 });
  });

  afterAll(async () => {
    expect(await server.snapshots()).toEqual([]);
    await server.stop();
  });

  const full = [
    { when: "has 40 KiB for it", what: "bytes", free: 40960, compression: "gzip", error: "upload: archives" },
    {
      when: "has no inode for the mark of a run",
      what: "inodes",
      free: 0,
      compression: "zstd",
      error: "the mark of this run: .*marks",
    },
    { when: "has no inode for it", what: "inodes", free: 1, compression: "zstd", error: "upload: archives" },
    {
      when: "has no inode for the manifest",
      what: "inodes",
      free: 2,
      compression: "gzip",
      error: "the manifest: backups",
    },
  ] as const;
  test.for(representatives(full, ({ free }) => free === 40960))(
    "$when, with $compression: 7, the backup from before stays whole, and the next run works when there is room",
    async ({ what, free, compression, error }) => {
      const name = `archive-${what}-${free}-${compression}`;
      await mount(`/srv/sites/${name}/repository`, "size=20m,nr_inodes=100");
      const site = await Site.create(setting, {
        name,
        prometheusUrl: server.url,
        repositories: ["local"],
        settings: { FORMAT: "archive", ARCHIVE_COMPRESSION: compression },
      });
      await site.good();
      const before = await site.localObjects();
      await fill(site.localPath, what, free);
      await expectFailure(site, {
        code: 7,
        message: new RegExp(
          `^repository local .*: ${error}/.*No space left on device ?; no new backup was recorded there, the last one is untouched; the next run resumes$`,
        ),
      });
      const after = await site.localObjects();
      expect([...before].filter(([object, bytes]) => after.get(object) !== bytes)).toEqual([]);
      await empty(site.localPath);
      await site.good();
      await expectWhole(server, site);
      expect(await site.list()).toHaveLength(2);
      await site.good("verify");
      await setting.host.run(`umount ${site.localPath}`);
    },
  );
});

describe("F30: hot", () => {
  let server: OwnServer;
  let served: unknown[];
  const data = "/srv/sites/hot-cramped/data";
  const hot = (name: string, settings: Record<string, string> = {}) =>
    Site.create(setting, {
      name,
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { SOURCE: "hot", ...settings },
    });
  const facts = async () => [await servedHistory(setting.host, server.url), await processOf(setting.host, server)];

  beforeAll(async () => {
    await mount(data, "size=100m,nr_inodes=400");
    server = await startOwnServer(setting.host, { name: "hot-cramped", port: 9484, adminApi: false });
    served = await facts();
  });

  afterAll(async () => {
    expect(await facts()).toEqual(served);
    await server.stop();
    await setting.host.run(`umount ${data}`);
  });

  test.each(variants([20], [0]))(
    "with %i free inodes where the server's data are: 7, the links made so far are gone, and the next run works when there is room",
    async free => {
      const site = await hot(`hot-inodes-${free}`);
      await site.good();
      await fill(data, "inodes", free);
      const { stderr } = await expectFailure(site, {
        code: 7,
        message:
          /^(no folder can be made in|the blocks cannot be linked in) \/srv\/sites\/hot-cramped\/data \(.*No space left on device\); free space or inodes there$/,
      });
      expect(stderr).not.toContain("changed meanwhile");
      expect(await traces(server, site)).toEqual([]);
      await empty(data);
      await site.good();
      await expectWhole(server, site);
      expect((await site.manifest()).blocks).toHaveLength(HISTORY_BLOCKS);
      await site.good("verify");
    },
  );

  slowTest.for([
    { what: "inodes", format: "archive" },
    { what: "bytes", format: "blocks" },
  ] as const)(
    "when another program takes all $what of the state directory in the middle, with $format: 7, nothing half, and the next run works",
    async ({ what, format }) => {
      const name = `hot-state-${what}`;
      await mount(`/srv/sites/${name}/state`, "size=64m,nr_inodes=500");
      const site = await hot(name, { FORMAT: format });
      const thief = what === "bytes" ? "head -c 65m /dev/zero >fill" : "for i in $(seq 500); do : >fill.$i; done";
      const taken = setting.host.exec(
        `cd ${site.stateDirectory}; until compgen -G '${data}/prometheus-backup-stage.*' >/dev/null; do :; done; ${thief}`,
      );
      const finished = await site.command("run");
      await taken;
      expect({ code: finished.code, stderr: finished.stderr }).toEqual({
        code: 7,
        stderr: expect.stringContaining(site.stateDirectory) as string,
      });
      expect((await site.metrics()).get("last_exit_code")).toBe(7);
      expect((await site.metrics()).get("last_success_timestamp_seconds") ?? 0).toBe(0);
      expect([...(await site.localObjects()).keys()].filter(object => object.startsWith("backups/"))).toEqual([]);
      expect(await traces(server, site)).toEqual([]);
      await empty(site.stateDirectory);
      await site.good();
      await expectWhole(server, site);
      await site.good("verify");
      await setting.host.run(`umount ${site.stateDirectory}`);
    },
  );
});
