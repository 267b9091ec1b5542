// F30: file systems of the host that are full, of bytes or of inodes. (The server's own: F4 in server.test.ts.)
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { representatives, variants, slowTest } from "../runner/pace";
import { startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { expectFailure, Site } from "./site";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "roomy", port: 9391 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

/** A site one of whose directories is a small file system of its own. */
async function cramped(
  name: string,
  directory: "repository" | "state" | "textfile",
  options: string,
): Promise<{ site: Site; resize: (options: string) => Promise<void> }> {
  const place = `/srv/sites/${name}/${directory}`;
  await setting.host.run(
    `mkdir -p ${place} && mount -t tmpfs -o mode=0755,uid=prometheus,gid=prometheus,${options} tmpfs ${place}`,
  );
  const site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: ["local"] });
  return { site, resize: async next => void (await setting.host.run(`mount -o remount,${next} ${place}`)) };
}

async function expectServerUnharmed(): Promise<void> {
  expect((await setting.host.exec(`curl -fsS ${server.url}/-/ready`)).code).toBe(0);
  expect(await server.snapshots()).toEqual([]);
}

describe("F30: the repository", () => {
  test.each(variants([["inodes", "size=20m,nr_inodes=9", "nr_inodes=1000"]], [["bytes", "size=120k", "size=20m"]]))(
    "is out of %s: 7, what was stored is kept, nothing half is left, and the next run works when there is room",
    async (what, tight, wide) => {
      const { site, resize } = await cramped(`full-${what}`, "repository", tight);
      await expectFailure(site, {
        code: 7,
        message:
          /^repository local \(\/srv\/sites\/full-.*\/repository\/full-.*\): upload: blocks\/01[0-9A-Z]{24}\.tar\.zst: .*No space left on device ?; no new backup was recorded there, the last one is untouched; the next run resumes$/,
      });
      await expectServerUnharmed();
      const stored = [...(await site.localObjects()).entries()].filter(([object]) => object.startsWith("blocks/"));
      expect(stored.length).toBeGreaterThan(0);
      await resize(wide);
      await site.good();
      await site.good("verify");
      const now = await site.localObjects();
      expect(stored.filter(([object, bytes]) => now.get(object) !== bytes)).toEqual([]);
    },
  );

  slowTest("is full when the manifest is due: no manifest, and a complete one after there is room", async () => {
    const { site, resize } = await cramped("full-manifest", "repository", "size=20m");
    await site.good();
    const before = await site.list();
    await setting.host.run(
      `cd ${site.localPath} && head -c 100m /dev/zero >fill 2>/dev/null || true; truncate -s -20k fill; chown prometheus: fill`,
    );
    await expectFailure(site, {
      code: 7,
      message: /^repository local .*: (upload: heads|the manifest: backups)\/.*No space left on device ?; /,
    });
    expect(await site.list()).toEqual(before);
    await setting.host.run(`rm ${site.localPath}/fill`);
    await resize("size=21m");
    await site.good();
    await site.good("verify");
  });
});

describe("F30: the state directory", () => {
  const cases: { what: string; tight: string; thief?: string }[] = [
    { what: "no bytes at all", tight: "size=4k" },
    { what: "no inodes", tight: "size=64m,nr_inodes=2" },
    { what: "hardly any inodes", tight: "size=64m,nr_inodes=20" },
    {
      what: "bytes until another program takes them in the middle",
      tight: "size=64m",
      thief: "head -c 65m /dev/zero >fill",
    },
    {
      what: "inodes until another program takes them in the middle",
      tight: "size=64m,nr_inodes=500",
      thief: "for i in $(seq 500); do : >fill.$i; done",
    },
  ];

  test.for(representatives(cases, ({ what }) => /^hardly/.test(what)))(
    "has $what: 7, no backup half made, server unharmed, and the next run works when there is room",
    async ({ what, tight, thief }) => {
      const name = `state-${what.replaceAll(" ", "-")}`;
      const { site, resize } = await cramped(name, "state", tight);
      const taken =
        thief === undefined
          ? undefined
          : setting.host.exec(`cd ${site.stateDirectory}; until [[ -e snapshot.intent ]]; do :; done; ${thief}`);
      const finished = await site.command("run");
      await taken;
      expect({ code: finished.code, stderr: finished.stderr }).toEqual({
        code: 7,
        stderr: expect.stringContaining(site.stateDirectory) as string,
      });
      expect((await site.metrics()).get("last_exit_code") ?? 7).toBe(7);
      expect([...(await site.localObjects()).keys()].filter(object => object.startsWith("backups/"))).toEqual([]);
      await setting.host.run(`rm -f ${site.stateDirectory}/fill*`);
      await resize("size=64m,nr_inodes=10000");
      await site.good();
      await site.good("verify");
      expect(await site.leftovers()).toEqual([]);
      expect((await setting.host.exec(`curl -fsS ${server.url}/-/ready`)).code).toBe(0);
    },
  );

  afterAll(async () => expect(await server.snapshots()).toEqual([]));
});

test("F30: the textfile directory is full: the backup is good, the old metrics stay whole, and a warning says so", async () => {
  const { site, resize } = await cramped("full-textfile", "textfile", "size=20k");
  await site.good();
  const before = await setting.host.readFile(`${site.textfileDirectory}/prometheus_backup.prom`);
  await setting.host.run(`head -c 30k /dev/zero >${site.textfileDirectory}/fill 2>/dev/null || true`);
  const { stderr } = await site.good();
  expect(stderr).toContain(
    `prometheus-backup: warning: the metrics could not be written to ${site.textfileDirectory}; node_exporter serves the old ones\n`,
  );
  expect(await setting.host.readFile(`${site.textfileDirectory}/prometheus_backup.prom`)).toBe(before);
  await setting.host.run(`rm ${site.textfileDirectory}/fill`);
  await resize("size=1m");
  await site.good();
  expect(await setting.host.readFile(`${site.textfileDirectory}/prometheus_backup.prom`)).not.toBe(before);
  expect(await site.leftovers()).toEqual([]);
});
