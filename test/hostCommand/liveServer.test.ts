// F18 to F20: what is done to a server that runs: blocks merged in, damaged ones healed; and the drill, which proves
// without one. The server looks for new blocks once a minute, so these tests mostly wait, and wait together.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { finished, SCRAPE_SECONDS, startLiveServer } from "./liveServer";
import { sleep } from "../tools/process";
import { slowTest } from "../runner/pace";
import { servedHistory } from "./served";
import { lines } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { errorOf } from "./site";

let setting: Setting;

beforeAll(async () => {
  setting = await openSetting();
});

afterAll(() => setting.stop());

const asRoot = { user: "root" };

describe.concurrent("on a running server", () => {
  test("F19: merged blocks answer queries when the command ends, and no scrape is missed", async () => {
    const live = await startLiveServer(setting, "merging", 9421);
    const { server, site, backup, history } = live;
    const [, second = "", third = ""] = finished(backup);
    await server.stop();
    await setting.host.run(`cd ${server.dataDirectory} && rm -rf ${second} ${third}`);
    await server.start();
    expect(await servedHistory(setting.host, server.url)).not.toEqual(history);
    const since = Date.now() / 1000;
    const { stderr } = await site.good(`restore ${backup.name} --merge --yes`, asRoot);
    expect(stderr).toContain(
      `\nMerged 2 blocks of ${backup.name} into the running server; the server has answered from the time of 2 blocks.\n`,
    );
    // The command has waited for that: nobody need ask again.
    expect(await servedHistory(setting.host, server.url)).toEqual(history);
    const seen = await live.scrapes(since);
    // A missed scrape would leave twice the interval, a late one less.
    expect(seen.gap).toBeLessThan(1.9 * SCRAPE_SECONDS);
    expect(seen).toEqual({ gap: seen.gap, failed: 0, processes: 1 });
    expect((await site.good(`restore ${backup.name} --merge --yes`, asRoot)).stderr).toMatch(
      / {2}skipped {4}\d+ blocks?: the server holds their time already\n/,
    );
    await server.stop();
  });

  test("F18: a chunk that rotted is found, and exactly that block comes back", async () => {
    const live = await startLiveServer(setting, "rotting", 9422);
    const { server, site, backup, history } = live;
    const [, , ulid = ""] = finished(backup);
    const whole = await live.checksums(ulid);
    const rest = await live.others(ulid);
    await live.rot(ulid);
    const plan = await site.good("heal --plan", asRoot);
    expect(lines(plan.stdout).filter(line => line.includes("✘"))).toEqual([
      `  ✘ ${ulid}: its chunks/000001 is not what was backed up`,
    ]);
    expect(await live.checksums(ulid)).not.toBe(whole);
    // A running server lets go of the block first, and looks for it again a minute later: liveServer.slow.ts.
    await server.stop();
    expect((await site.good("heal --yes", asRoot)).stderr).toContain(
      "\nBrought back 1 block; no server was asked for it.\n",
    );
    await server.start();
    expect(await live.checksums(ulid)).toBe(whole);
    expect(await live.others(ulid)).toBe(rest);
    expect(await servedHistory(setting.host, server.url)).toEqual(history);
    await server.stop();
  });

  slowTest(
    "F18: a block that vanished before the newest backup comes back from the newest one that has it",
    async () => {
      const live = await startLiveServer(setting, "vanishing", 9423);
      const { server, site, backup, history } = live;
      const [, , , ulid = ""] = finished(backup);
      const rest = await live.others(ulid);
      const whole = await live.checksums(ulid);
      await server.stop();
      await setting.host.run(`rm -rf ${server.dataDirectory}/${ulid}`);
      await server.start();
      const told = await site.command("run");
      expect([told.code, (await site.metrics()).get("lost_blocks")], told.stderr).toEqual([9, 1]);
      expect(told.stderr).toMatch(
        new RegExp(`warning: block ${ulid} \\(.*\\) is lost: .*; backup ${backup.name} holds it`),
      );
      expect(finished(await site.manifest())).not.toContain(ulid);
      // A damaged manifest beside them is left out.
      await setting.host.run(
        `cd ${site.localPath}/${site.name}/backups && head -c 1000 ${backup.name}.json >20200101T000000Z.json`,
      );
      const healed = await site.command("heal --yes", asRoot);
      const unread =
        "backups/20200101T000000Z.json is damaged: it cannot be unpacked (premature end); nothing that it says is used.";
      expect(healed.stderr).toContain(`prometheus-backup: warning: repository local: ${unread}`);
      expect(lines(healed.stderr).filter(line => line.includes("✘"))).toEqual([
        expect.stringMatching(new RegExp(`^ {2}✘ ${ulid}: is missing \\(.* to .*, in backup ${backup.name}\\)$`)),
      ]);
      // What it may tell of, nobody knows.
      expect([healed.code, healed.stderr]).toEqual([
        8,
        expect.stringContaining(
          "error: nothing else is damaged or missing as far as could be read; not read: 1 of 3 backups in local;",
        ),
      ]);
      await setting.host.run(`rm ${site.localPath}/${site.name}/backups/20200101T000000Z.json`);
      expect(await live.checksums(ulid)).toBe(whole);
      expect(await live.others(ulid)).toBe(rest);
      expect(await servedHistory(setting.host, server.url)).toEqual(history);
      // Healed, all is well again, and without its tombstones a server makes no snapshot: the run goes on without.
      await sleep(1000);
      await site.good();
      await setting.host.run(`rm ${server.dataDirectory}/${ulid}/tombstones`);
      await sleep(1000);
      const linked = await site.command("run");
      expect([linked.code, (await site.metrics()).get("damaged_blocks")], linked.stderr).toEqual([9, 1]);
      expect(linked.stderr).toMatch(
        new RegExp(
          `warning: the server makes no snapshot because of block ${ulid}: its tombstones are missing.* \\(the server: create snapshot: .*${ulid}.*no such file or directory\\)`,
        ),
      );
      expect((await site.command("check")).stdout).toMatch(
        new RegExp(`✘ data directory .*block ${ulid} .* is damaged: its tombstones are missing`),
      );
      const linkedManifest = await site.manifest();
      expect([linkedManifest.source, linkedManifest.coverage.head, finished(linkedManifest)]).toEqual([
        "hot",
        false,
        expect.arrayContaining(finished(backup)),
      ]);
      await server.stop();
      expect((await site.good("heal --yes", asRoot)).stderr).toContain(
        `  ✘ ${ulid}: its tombstones are missing, so the server makes no snapshot\n`,
      );
      await server.start();
      await sleep(1000);
      await site.good();
      expect((await site.metrics()).get("damaged_blocks")).toBe(0);
      expect(await servedHistory(setting.host, server.url)).toEqual(history);
      await server.stop();
    },
  );

  slowTest(
    "F18: a server that a spoiled index keeps from starting is healed and started, and what no backup has is named",
    async () => {
      const live = await startLiveServer(setting, "refusing-to-start", 9424);
      const { server, site, backup, history } = live;
      const [ulid = "", other = ""] = finished(backup);
      const whole = await live.checksums(ulid);
      const rest = await live.others(ulid);
      await server.stop();
      await setting.host.run(`
      cd ${server.dataDirectory}
      truncate --size -200 ${ulid}/index && head -c 200 /dev/zero >>${ulid}/index
      systemctl start ${server.unit}; until [[ "$(systemctl show --property NRestarts --value ${server.unit})" -gt 1 ]]; do sleep 0.1; done`);
      const healed = await site.good("heal --yes", asRoot);
      expect(healed.stderr).toContain("The server is up again.\n");
      expect(await live.checksums(ulid)).toBe(whole);
      expect(await live.others(ulid)).toBe(rest);
      expect(await servedHistory(setting.host, server.url)).toEqual(history);
      // A block that no backup has cannot come back; the others are not touched for it.
      const stranger = `${other.slice(0, -4)}ZZZZ`;
      await setting.host.run(
        `cd ${server.dataDirectory} && cp -a ${other} ${stranger} && sed -i s/${other}/${stranger}/ ${stranger}/meta.json && : >${stranger}/index`,
      );
      const hopeless = await site.command("heal --yes", asRoot);
      expect([hopeless.code, errorOf(hopeless)]).toEqual([
        9,
        `no backup has ${stranger}; move such a block out of ${server.dataDirectory} if it keeps the server from starting`,
      ]);
      expect(await live.others(stranger)).toContain(`${other}/index`);
      await server.stop();
    },
  );

  slowTest(
    "F18: a heal that is cut off leaves block and server as they were, or what the next one sets right; a block without a copy never leaves its place",
    async () => {
      const live = await startLiveServer(setting, "half-healed", 9437);
      const { server, site, backup, history } = live;
      const [, ulid = "", lost = "", other = ""] = finished(backup);
      const whole = await live.checksums(ulid);
      const rest = await live.others(ulid);
      // systemd does not give up on this one.
      await setting.host.writeFile(
        `/etc/systemd/system/${server.unit}.service.d/again.conf`,
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1s\n",
      );
      await setting.host.run("systemctl daemon-reload");
      const untilItFails = `until [[ "$(systemctl show --property NRestarts --value ${server.unit})" -gt 1 ]]; do sleep 0.1; done`;
      const block = `${server.dataDirectory}/${ulid}`;
      await server.stop();
      await setting.host.run(
        `head -c 9 /dev/zero >${block}/tombstones; systemctl start ${server.unit}; ${untilItFails}`,
      );
      // The signal arrives while the damaged block is moved aside.
      const cutOff = async (signal: string) => {
        const programs = `${site.directory}/programs`;
        // Root moves nothing itself, but lets the server's user do it.
        await setting.host.writeFile(
          `${programs}/setpriv`,
          `#!/bin/sh\ncase "$*" in *" mv "*/damaged-*) if [ ! -e ${programs}/sent ]; then touch ${programs}/sent; kill -${signal} $PPID; fi ;; esac\nexec /usr/bin/setpriv "$@"\n`,
          { mode: "0755" },
        );
        await setting.host.run(`rm -f ${programs}/sent`);
        return site.command("heal --yes", { ...asRoot, environment: `PATH=${programs}:/usr/sbin:/usr/bin` });
      };
      const { code, stderr } = await cutOff("TERM");
      expect(code, stderr).toBe(143);
      expect(lines(stderr)).toContain(`  ✘ ${ulid}: its tombstones are not readable, so the server does not start`);
      expect(stderr).toContain(
        `prometheus-backup: block ${ulid} is in its place again, damaged as it was.\nprometheus-backup: ${server.unit}.service is started again.\n`,
      );
      await setting.host.run(
        `[[ "$(stat --format %s ${block}/tombstones)" == 9 && -z "$(ls -d ${server.dataDirectory}/damaged-* 2>/dev/null)" ]]; ${untilItFails}`,
      );

      expect((await cutOff("KILL")).code).toBe(137);
      await setting.host.run(
        `until [[ ! -e ${block} ]]; do sleep 0.1; done; [[ "$(systemctl show --property ActiveState --value ${server.unit})" =~ ^(inactive|failed)$ ]]`,
      );
      const healed = await site.good("heal --yes", asRoot);
      expect(healed.stderr).toContain(`warning: a heal was cut off while ${server.unit}.service was stopped;`);
      expect(healed.stderr).toMatch(
        /\nThe server is up again\.\n[^]*\nBrought back 1 block; the server has answered from the time of 1 block\.\n/,
      );
      expect([
        await live.checksums(ulid),
        await live.others(ulid),
        await servedHistory(setting.host, server.url),
      ]).toEqual([whole, rest, history]);

      // Another block is missing at the same time, which says nothing about this one.
      const stranger = `${other.slice(0, -4)}ZZZZ`;
      await server.stop();
      await setting.host.run(
        `cd ${server.dataDirectory} && rm -rf ${lost} && cp -a ${other} ${stranger} && sed -i s/${other}/${stranger}/ ${stranger}/meta.json && : >${stranger}/index`,
      );
      const hopeless = await site.command("heal --yes", asRoot);
      expect([hopeless.code, errorOf(hopeless)], hopeless.stderr).toEqual([
        9,
        expect.stringContaining(`no backup has ${stranger};`),
      ]);
      expect(hopeless.stderr).toContain("\nBrought back 1 block; no server was asked for it.\n");
      await setting.host.run(`ls -d ${server.dataDirectory}/${lost} ${server.dataDirectory}/${stranger}`);
    },
  );

  test("F20: a drill is green with the counts of the manifest, and red with the name of the block where backup or data were damaged", async () => {
    const { server, site, backup } = await startLiveServer(setting, "drilling", 9425);
    const good = await site.good("drill");
    const verdict =
      /^✔ (\d+) of (\d+) blocks, (.+) k samples as the manifest says; restored and ready in \d+\.\d s$/m.exec(
        good.stderr,
      );
    expect([Number(verdict?.[1]), Number(verdict?.[2]), Number(verdict?.[3])]).toEqual([
      HISTORY_BLOCKS + 1,
      backup.totals.blocks,
      Math.round(backup.totals.samples / 100) / 10,
    ]);
    const metrics = await site.metrics();
    expect([
      metrics.get("verify_last_exit_code"),
      (metrics.get("drill_last_success_timestamp_seconds") ?? 0) > 0,
      (metrics.get("drill_restore_seconds") ?? 0) > 0,
    ]).toEqual([0, true, true]);

    // An object that changed in the repository.
    const [spoiled, rotten] = backup.blocks.filter(({ head }) => !head);
    const file = `${site.localPath}/${site.name}/${spoiled?.object}`;
    await setting.host.run(
      `cp -a ${file} ${file}.good && printf '\\xff\\xff\\xff' | dd of=${file} bs=1 seek=1000 conv=notrunc status=none`,
    );
    const red = await site.command("drill");
    expect([red.code, errorOf(red)]).toEqual([
      9,
      expect.stringMatching(
        new RegExp(
          `^block ${spoiled?.ulid} could not be restored: .*is damaged: its checksum is not the recorded one; `,
        ),
      ),
    ]);
    await setting.host.run(`mv ${file}.good ${file}`);

    // A block that was damaged before it was backed up: every checksum is right, and only a server that reads it can
    // tell.
    await setting.host.run(
      `rm -rf ${site.localPath}/${site.name} && printf '\\xff\\xff\\xff' | dd of=${server.dataDirectory}/${rotten?.ulid}/chunks/000001 bs=1 seek=2000 conv=notrunc status=none`,
    );
    await site.good("run --take-over");
    await site.good("verify");
    const deep = await site.command("drill");
    expect(deep.code, deep.stderr).toBe(9);
    expect(lines(deep.stderr).filter(line => line.includes("✘"))).toEqual([
      expect.stringMatching(new RegExp(`^ {2}✘ block ${rotten?.ulid}: .*checksum mismatch`)),
    ]);
    const after = await site.metrics();
    expect([after.get("verify_last_exit_code"), after.get("drill_last_success_timestamp_seconds")]).toEqual([
      9,
      metrics.get("drill_last_success_timestamp_seconds"),
    ]);
    expect(await site.leftovers()).toEqual([]);
    await server.stop();
  });
});
