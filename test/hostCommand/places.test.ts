// Directories and owners that are not as on every host: symbolic links, owners without a name, and a guard that
// outlived its restore.
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitForPrometheus } from "../hosts/host";
import { waitUntil } from "../tools/process";
import { COLD, stages, startOwnSite } from "./ownSite";
import { variants, slowTest } from "../runner/pace";
import { servedHistory } from "./served";
import { startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, Site } from "./site";

let setting: Setting;
let server: OwnServer;
let site: Site;

const asRoot = { user: "root" };

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "placed", port: 9611, lasting: true });
  site = await Site.create(setting, {
    name: "placed",
    prometheusUrl: server.url,
    repositories: ["local"],
    settings: { PROMETHEUS_UNIT: `${server.unit}.service` },
  });
  await site.good();
});

afterAll(async () => {
  await server?.stop();
  await setting?.stop();
});

test.each(variants([["cold", 9613, COLD]] as const, [["hot", 9612, { SOURCE: "hot" }]] as const))(
  "%s: a data directory and a repository that are symbolic links, there and back",
  async (source, port, settings) => {
    const { host } = setting;
    const name = `linked-${source}`;
    const place = `/srv/sites/${name}`;
    await host.run(`
    install -d -m 0755 ${place} ${place}/repository
    install -d -o prometheus -g prometheus -m 0755 ${place}/disk ${place}/far
    ln -s disk ${place}/data; ln -s ../far ${place}/repository/${name}`);
    const own = await startOwnSite(setting, { name, port, settings });
    const history = await servedHistory(host, own.server.url);
    const blocks = await own.server.blocks();
    await own.site.good("run", asRoot);
    const manifest = await own.site.manifest();
    expect(manifest.blocks.map(({ ulid }) => ulid).sort()).toEqual(blocks);
    expect(await host.run(`jq -r .dataDirectory ${own.site.stateDirectory}/server.json`)).toBe(`${place}/data\n`);
    expect(await stages(own)).toEqual([]);
    const { stderr } = await own.site.good("run", asRoot);
    expect(stderr).toContain(` plan repository=local new=0 pooled=${blocks.length} `);

    if (source === "cold") {
      // What is unpacked is what the plan counts.
      const target = `${place}/look`;
      await own.site.good(`restore ${manifest.name} --target ${target} --yes`, asRoot);
      const unpacked = Number(await host.run(`du -cb ${target}/wal ${target}/chunks_head | tail -n 1 | cut -f 1`));
      expect(manifest.wal?.rawBytes).toBe(unpacked);
    }

    await own.server.stop();
    await host.run(`rm -rf ${place}/disk/*`);
    await own.site.good("restore latest --yes", asRoot);
    expect(await servedHistory(host, own.server.url)).toEqual(history);
    expect((await host.run(`readlink ${place}/data`)).trim()).toBe("disk");
    await own.server.stop();
  },
);

slowTest(
  "cold: a WAL that is a symbolic link is stored as what it leads to, or the run says that it cannot be",
  async () => {
    const { host } = setting;
    const name = "linked-wal";
    const place = `/srv/sites/${name}`;
    const own = await startOwnSite(setting, { name, port: 9614, settings: COLD });
    const { unit, dataDirectory, url } = own.server;
    const moveWal = (from: string, to: string): Promise<string> =>
      host.run(
        `systemctl stop ${unit} && cp -a ${from}/. ${to}/ && rm -rf ${dataDirectory}/wal && ln -s ${to} ${dataDirectory}/wal && systemctl start ${unit}`,
      );
    await host.run(`install -d -o prometheus -g prometheus ${place}/wal`);
    await moveWal(`${dataDirectory}/wal`, `${place}/wal`);
    await waitForPrometheus(host, 60, url);
    const history = await servedHistory(host, url);
    await own.site.good("run", asRoot);
    const target = `${place}/look`;
    await own.site.good(`restore latest --target ${target} --yes`, asRoot);
    expect(await host.run(`find ${target} -type l; find ${target}/wal -type f -size +0 | head -n 1 | wc -l`)).toBe(
      "1\n",
    );

    // No hard link leads to another file system.
    await host.run(
      `install -d -o prometheus -g prometheus ${place}/disk && mount -t tmpfs -o size=64m,uid=prometheus,gid=prometheus tmpfs ${place}/disk`,
    );
    await moveWal(`${place}/wal`, `${place}/disk`);
    await waitForPrometheus(host, 60, url);
    const failed = await own.site.command("run", asRoot);
    expect([failed.code, errorOf(failed)], failed.stderr).toEqual([
      6,
      expect.stringMatching(/ could not be linked \(.*wal.*Invalid cross-device link\); look at /),
    ]);
    expect(await servedHistory(host, url)).toEqual(history);
    expect(await stages(own)).toEqual([]);
    await own.server.stop();
    await host.run(`umount ${place}/disk`);
  },
);

slowTest(
  "owners without a name get what is restored: a target, and the data directory of a server without a unit",
  async () => {
    const { host } = setting;
    const place = "/srv/sites/nameless";
    const nameless = await Site.create(setting, {
      name: "nameless",
      prometheusUrl: "http://127.0.0.1:9",
      repositories: ["local"],
      localPath: site.localPath,
      settings: { PROMETHEUS_UNIT: "no-such.service", DATA_DIR: `${place}/data` },
    });
    await host.run(
      `install -d -o 10001 -g 10002 -m 0755 ${place}/target ${place}/thanos ${place}/data && chmod 0755 ${place}`,
    );
    await nameless.good(`restore latest --host ${site.name} --target ${place}/target --yes`, asRoot);
    await nameless.good(`export latest --host ${site.name} --thanos ${place}/thanos --label replica=a`, asRoot);
    await nameless.good(`restore latest --host ${site.name} --yes`, asRoot);
    for (const directory of ["target", "thanos", "data"]) {
      expect([
        directory,
        await host.run(
          `find ${place}/${directory} -printf '%U:%G\n' | sort -u; ls -d ${place}/${directory}/01* | wc -l`,
        ),
      ]).toEqual([directory, expect.stringMatching(/^10001:10002\n[1-9]\d*\n$/)]);
    }
  },
);

test("a guard that outlived its restore goes with the next start of the server, which is not kept from it", async () => {
  const { host } = setting;
  const unit = await host.run(`systemctl cat ${server.unit}`);
  const directory = `/etc/systemd/system/${server.unit}.service.d`;
  const guard = `[Service]\nExecStartPre=+/usr/local/bin/prometheus-backup.sh recover --before-start ${site.stateDirectory}-restore/switch/journal\n`;
  for (const taken of [`systemctl restart ${server.unit}`, `systemctl daemon-reload`]) {
    await host.writeFile(`${directory}/90-prometheus-backup-restore.conf`, guard);
    await host.run(`systemctl daemon-reload && ${taken}`);
    if (taken.includes("restart")) {
      await waitForPrometheus(host, 60, server.url);
    } else {
      await site.good("restore latest --plan", asRoot);
    }
    expect(await host.run(`ls -d ${directory} 2>/dev/null || true`)).toBe("");
    await waitUntil(
      "systemd knows the unit without the guard",
      30,
      async () => (await host.run(`systemctl show --property NeedDaemonReload --value ${server.unit}`)) === "no\n",
    );
    expect(await host.run(`systemctl cat ${server.unit}`)).toBe(unit);
  }
});
