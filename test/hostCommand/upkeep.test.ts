// What keeps a repository in order: retention, and what it must never do; what others leave there; a place that is not
// what it was.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep } from "../tools/process";
import { sealed } from "../tools/manifest";
import { COMMAND } from "./install";
import { slowTest } from "../runner/pace";
import { lines, startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, Site, type Manifest } from "./site";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "kept-up", port: 9356 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

type Place = "local" | "offsite";
const create = (name: string, settings: Record<string, string> = {}, repositories: Place[] = ["local"]) =>
  Site.create(setting, {
    name,
    prometheusUrl: server.url,
    repositories,
    settings: { SKIP_HEAD: "true", COMPANIONS: "false", ...settings },
  });
const ONE = { KEEP_LAST: "1", KEEP_MINIMUM: "1", ORPHAN_GRACE_HOURS: "0" };
const folder = (site: Site) => `${site.localPath}/${site.name}`;
const backups = async (site: Site) => (await site.list("--repository local")).map(({ name }) => name);
const newest = async (site: Site): Promise<Manifest> => {
  await site.good();
  return site.manifest();
};

/** Runs the command at a terminal, with what is typed there. */
async function typed(site: Site, words: string, answer: string): Promise<{ code: number; shown: string }> {
  const call = `env TERM=xterm PROMETHEUS_BACKUP_CONFIG=${site.configuration} prometheus-backup.sh ${words}`;
  // What is typed ahead waits for the question, and the terminal stays until the command has ended.
  const { code, stdout } = await setting.host.exec(`
    mkfifo ${site.directory}/keyboard
    script --quiet --return --command '${call}' /dev/null <${site.directory}/keyboard & job=$!
    exec 3>${site.directory}/keyboard; printf '${answer}\\n' >&3; wait $job; code=$?; rm ${site.directory}/keyboard; exit $code`);
  return { code, shown: stdout };
}

describe.concurrent("prune", () => {
  slowTest("asks at a terminal, and does what the answer says", async () => {
    const site = await create("asked");
    await newest(site);
    await newest(site);
    await site.configure(ONE);
    const no = await typed(site, "prune", "no");
    expect([no.code, await backups(site)], no.shown).toEqual([0, expect.objectContaining({ length: 2 })]);
    expect(no.shown).toContain("Remove these from local? Type yes or no: ");
    expect(no.shown).toContain("Nothing was removed from local.\r\n");
    const yes = await typed(site, "prune", "yes");
    expect([yes.code, await backups(site)], yes.shown).toEqual([0, expect.objectContaining({ length: 1 })]);
  });

  test("removes an object that nothing names only when it has lain there for the time of grace, and at the end of a run too", async () => {
    const site = await create("orphans", { ORPHAN_GRACE_HOURS: "48" });
    const [old, young] = ["01M7VW2GC07R5ZX6V25SJJYA01", "01M7VW2GC07R5ZX6V25SJJYA02"].map(
      ulid => `blocks/${ulid}.tar.zst`,
    );
    await newest(site);
    // What a check left that was killed.
    const probe = "probe-17-17";
    await setting.host.run(
      `cd ${folder(site)} && touch -d '3 days ago' ${old} ${probe} && touch ${young} && chown prometheus: blocks/* ${probe}`,
    );
    await newest(site);
    const objects = [...(await site.localObjects()).keys()];
    expect([old, probe, young].map(name => objects.includes(name ?? ""))).toEqual([false, false, true]);
  });

  test("trusts no manifest whose digest is wrong, even if it can be read: no object goes", async () => {
    const site = await create("misled", ONE);
    const { name, blocks } = await newest(site);
    // Another ULID in the name of an object: by this manifest, nobody needs the block any more.
    const object = blocks[0]?.object ?? "";
    const other = object.replace(/...(?=\.tar)/, "ZZZ");
    await setting.host.run(
      `cd ${folder(site)} && zstd -dcqf backups/${name}.json | sed 's#${object}#${other}#g' >misled && cat misled >backups/${name}.json && rm misled && touch -d '3 days ago' blocks/* && rm -rf ${site.stateDirectory}/cache`,
    );
    await site.good("prune --yes");
    expect([...(await site.localObjects()).keys()]).toContain(object);
    // The next run sends nothing that is there, warns, and counts it.
    const { stderr } = await site.good();
    expect(stderr).toMatch(
      new RegExp(
        `^prometheus-backup: warning: repository local: retention removes no object, because a manifest cannot be read \\(${name}\\)`,
        "m",
      ),
    );
    expect((await site.metrics()).get('repository_damaged_backups{repository="local"}')).toBe(1);
  });

  slowTest("keeps the newest backup of each of the last hours", async () => {
    const site = await create("hourly");
    const pattern = await newest(site);
    const end = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 60_000;
    const names = Array.from({ length: 12 }, (_value, index) =>
      new Date(end - index * 1_200_000).toISOString().replace(/[-:]|\.\d{3}/g, ""),
    );
    const text = names.map(name => `${name} ${sealed({ ...pattern, name })}`).join("");
    await setting.host.run(
      `cd ${folder(site)}/backups && rm *.json; while IFS=' ' read -r name line; do printf '%s\\n' "$line" >"$name.json"; done; chown prometheus: *`,
      { input: text },
    );
    await site.configure({ KEEP_HOURLY: "3", KEEP_MINIMUM: "1" });
    await site.good("prune --yes");
    expect(await backups(site)).toEqual([names[0], names[3], names[6]]);
  });

  slowTest("is left to others where the settings say so: runs and prune delete nothing there", async () => {
    const site = await create("spared", { ...ONE, REPOSITORY_1_PRUNE: "false" });
    await newest(site);
    await newest(site);
    expect(await backups(site)).toHaveLength(2);
    const { stderr } = await site.good("prune --yes");
    expect(stderr).toContain(
      "prometheus-backup: warning: repository local is left out: its settings say that this host deletes nothing there",
    );
    expect(await backups(site)).toHaveLength(2);
    expect((await site.command("check")).stdout).toContain("write, read; nothing is deleted there");
  });

  slowTest("that fails at the end of a run does not undo the backup: it counts, and the run is red", async () => {
    const site = await create("undeletable", ONE);
    const first = await newest(site);
    const manifest = `${folder(site)}/backups/${first.name}.json`;
    await setting.host.run(`mount --bind ${manifest} ${manifest}`);
    const before = (await site.metrics()).get("last_success_timestamp_seconds") ?? 0;
    await sleep(1000);
    const red = await site.command("run");
    await setting.host.run(`umount ${manifest}`);
    expect([red.code, errorOf(red)], red.stderr).toEqual([
      8,
      expect.stringMatching(
        /^repository local \(.*\): retention: .*; the new backup is complete there; only what came after it failed$/,
      ),
    ]);
    const metrics = await site.metrics();
    expect(metrics.get("last_exit_code")).toBe(8);
    expect(metrics.get("last_success_timestamp_seconds")).toBeGreaterThan(before);
    expect(await backups(site)).toHaveLength(2);
    await site.good("verify");
  });
});

slowTest("an object that only a manifest of long ago names is not written over", async () => {
  const site = await create("ancient");
  const { name, blocks } = await newest(site);
  const ancient = await site.manifest();
  // Fifty later backups of a server that had lost that block.
  const others = Array.from({ length: 50 }, (_value, index) =>
    new Date(Date.now() - (50 - index) * 1000 + 1_000_000).toISOString().replace(/[-:]|\.\d{3}/g, ""),
  );
  const text = others.map(other => `${other} ${sealed({ ...ancient, name: other, blocks: [] })}`).join("");
  await setting.host.run(
    `cd ${folder(site)}/backups && while IFS=' ' read -r name line; do printf '%s\\n' "$line" >"$name.json"; done; chown prometheus: *`,
    { input: text },
  );
  await site.configure({ COMPRESSION_LEVEL: "9" });
  await site.good("run --accept-smaller");
  await site.good(`verify ${name}`);
  await setting.host.run(`rm ${others.map(other => `${folder(site)}/backups/${other}.json`).join(" ")}`);
  expect(
    (await site.manifest()).blocks
      .map(({ object }) => object)
      .filter(object => blocks.some(block => block.object === object)),
  ).toEqual([]);
  await site.good("verify");
});

describe.concurrent("a place that is not as it was left", () => {
  slowTest("files that a NAS or a person has put there harm no run, no verify and no retention", async () => {
    const site = await create("foreign", ONE);
    await newest(site);
    await setting.host.run(
      `cd ${folder(site)} && mkdir blocks/@eaDir && touch -d '9 days ago' blocks/.nfs0001 blocks/@eaDir/x backups/.DS_Store backups/Thumbs.db backups/notes.json README && chown -R prometheus: .`,
    );
    const last = await newest(site);
    expect(await backups(site)).toEqual([last.name]);
    await site.good("verify");
    await site.good("prune --yes");
    expect([...(await site.localObjects()).keys()]).toEqual(
      expect.arrayContaining(["blocks/.nfs0001", "backups/Thumbs.db", "README"]),
    );
  });

  slowTest.each<Place>(["offsite", "local"])(
    "an empty %s where backups have been is no new repository, until somebody says so",
    async place => {
      const site = await create(`emptied-${place}`, {}, [place]);
      await newest(site);
      await (place === "local"
        ? setting.host.run(`mv ${folder(site)} ${folder(site)}.gone`)
        : site.deleteOffsite([...(await site.offsiteObjects()).keys()]));
      const red = await site.command("run");
      expect([red.code, errorOf(red)], red.stderr).toEqual([
        8,
        expect.stringMatching(
          /^repository .+: cannot be listed: it is empty, and has held backups of this host \(is its file system mounted\?\); if it is to begin anew, run once: prometheus-backup\.sh run --take-over; no new backup was recorded there/,
        ),
      ]);
      for (const words of [
        "restore latest --plan",
        "drill",
        "heal --plan",
        "companions latest",
        "export latest --thanos /srv/none",
        "list",
        "show",
        "verify",
        "prune --yes",
        "pin 20260101T000000Z",
        "check",
      ]) {
        const { code, stdout, stderr } = await site.command(
          words,
          /^(restore|heal)/.test(words) ? { user: "root" } : {},
        );
        // No cron entry calls these runs, which check says first, with 3.
        expect([words, code, stdout + stderr], stderr).toEqual([
          words,
          words === "check" ? 3 : 8,
          expect.stringContaining("it is empty, and has held backups of this host") as string,
        ]);
      }
      expect(place === "local" ? (await site.localObjects()).size : (await site.offsiteObjects()).size).toBe(0);
      await site.good("run --take-over");
      await site.good("verify");
    },
  );

  slowTest.each<Place>(["local", "offsite"])(
    "a %s that holds manifests and nothing else is damaged, not fine",
    async place => {
      const site = await create(`hollow-${place}`, {}, [place]);
      const { blocks } = await newest(site);
      await (place === "local"
        ? setting.host.run(`rm -r ${folder(site)}/blocks`)
        : site.deleteOffsite([...(await site.offsiteObjects()).keys()].filter(key => key.startsWith("blocks/"))));
      const red = await site.command("verify");
      expect(
        [red.code, lines(red.stdout).filter(line => line.includes("is missing or cannot be read")).length],
        red.stderr,
      ).toEqual([9, blocks.length]);
      await newest(site);
      await site.good("verify");
      expect((await site.list()).every(({ complete }) => complete)).toBe(true);
    },
  );

  slowTest("damaged companions are sent again", async () => {
    const site = await create("companion", { COMPANIONS: "true" });
    await newest(site);
    const [object] = [...(await site.localObjects()).keys()].filter(key => key.startsWith("companions/"));
    await setting.host.run(`printf '\\377' | dd of=${folder(site)}/${object} bs=1 seek=9 conv=notrunc status=none`);
    expect((await site.command("verify")).code).toBe(9);
    await newest(site);
    await site.good("verify");
  });

  test("a backup is written once: a clock that goes back to the same second is refused", async () => {
    const site = await create("twice");
    const at = {
      environment:
        "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME='2026-03-01 02:00:00' FAKETIME_DONT_FAKE_MONOTONIC=1",
    };
    await site.good("run", at);
    const [before] = await backups(site);
    const red = await site.command("run", at);
    expect([red.code, errorOf(red)], red.stderr).toEqual([
      12,
      `repository local has a backup ${before} already, and backups are written once; the clock has gone back; run again`,
    ]);
    await site.good(`verify ${before}`);
  });
});

describe.concurrent("what a run says of itself", () => {
  slowTest("a log that cannot be written stops no backup", async () => {
    const site = await create("speechless");
    const { code } = await site.command("run 2>/dev/full");
    expect(code).toBe(0);
    expect((await site.metrics()).get("last_exit_code")).toBe(0);
    await site.good("verify");
  });

  slowTest("its programs have the priority that the settings give", async () => {
    const site = await create("polite", { NICE: "13", IONICE_CLASS: "3", IONICE_LEVEL: "0" });
    await setting.host.run(
      `mkdir -p /srv/polite && printf '#!/bin/sh\\nps -o ni= -p $$ >>/tmp/polite; ionice -p $$ >>/tmp/polite\\nexec /usr/bin/zstd "$@"\\n' >/srv/polite/zstd && chmod 755 /srv/polite/zstd`,
    );
    await site.good("run", {
      environment: "PATH=/srv/polite:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    });
    expect([...new Set(lines(await setting.host.readFile("/tmp/polite")).map(line => line.trim()))]).toEqual([
      "13",
      "idle",
    ]);
  });

  test("a run that is ended while it sends is no success, although the last one was", async () => {
    const site = await create("cut-short");
    await newest(site);
    const before = await site.metrics();
    await setting.host.run(
      `rm -r ${folder(site)}/blocks && mkdir -p /srv/cut-short && printf '#!/bin/sh\\ncase "$*" in *--decompress*) exec /usr/bin/zstd "$@";; esac\\nsleep 600\\n' >/srv/cut-short/zstd && chmod 755 /srv/cut-short/zstd`,
    );
    await sleep(1000);
    const ended = await setting.host.exec(
      `env PATH=/srv/cut-short:/usr/sbin:/usr/bin:/sbin:/bin PROMETHEUS_BACKUP_CONFIG=${site.configuration} ${COMMAND} run 2>${site.directory}/words & job=$!
      until grep -q ' plan ' ${site.directory}/words; do sleep 0.1; done; sleep 1; kill -TERM "$job"; wait "$job"`,
      { user: "root" },
    );
    expect(ended.code, ended.stderr).toBe(143);
    const after = await site.metrics();
    expect([after.get("last_exit_code"), after.get("last_success_timestamp_seconds")]).toEqual([
      143,
      before.get("last_success_timestamp_seconds"),
    ]);
    expect(after.get('repository_last_success_timestamp_seconds{repository="local"}')).toBe(
      before.get('repository_last_success_timestamp_seconds{repository="local"}'),
    );
  });

  slowTest("at a terminal, it shows how far it is", async () => {
    // What takes less than two seconds is not shown.
    const site = await create("watched-run", { BANDWIDTH_LIMIT: "16k" }, ["offsite"]);
    const { code, shown } = await typed(site, "run", "");
    expect(code, shown).toBe(0);
    expect(shown).toMatch(/\r.\[K {2}offsite: block \d+ of \d+/);
  });

  test("a failed run is still told when a verify that began before it ends", async () => {
    const site = await create("overlapping");
    await newest(site);
    const slow = "/srv/slow-verify";
    await setting.host.writeFile(
      `${slow}/openssl`,
      `#!/bin/sh\ntouch ${slow}/begun\nuntil [ -e ${slow}/go-on ]; do sleep 0.1; done\nexec /usr/bin/openssl "$@"\n`,
      { mode: "0755" },
    );
    await setting.host.run(`chmod 0777 ${slow}`);
    const verify = site.command("verify", {
      environment: "PATH=/srv/slow-verify:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    });
    await setting.host.run(`until [ -e ${slow}/begun ]; do sleep 0.1; done`);
    await site.configure({ PROMETHEUS_URL: "http://127.0.0.1:9399" });
    const failed = await site.command("run").then(({ code }) => code);
    expect([failed, (await setting.host.exec("pgrep -f '[v]erify'")).code]).toEqual([4, 0]);
    await setting.host.run(`touch ${slow}/go-on`);
    expect((await verify).code).toBe(0);
    const metrics = await site.metrics();
    expect([metrics.get("last_exit_code"), metrics.get("verify_last_exit_code")]).toEqual([4, 0]);
  });

  slowTest("a backup is suspect if one of its repositories has something to compare it with", async () => {
    const site = await create("compared", {}, ["local", "offsite"]);
    await newest(site);
    await setting.host.run(`cd ${folder(site)}/backups && rm *.json; rm -rf ${site.stateDirectory}/cache`);
    // A much larger one before, in the first repository alone.
    const pattern = await site.manifest();
    const larger = {
      ...pattern,
      name: "20260101T020000Z",
      totals: { ...pattern.totals, samples: pattern.totals.samples * 9 },
    };
    await setting.host.writeFile(`${folder(site)}/backups/20260101T020000Z.json`, sealed(larger), {
      owner: "prometheus:prometheus",
    });
    await newest(site);
    expect((await site.metrics()).get("suspect")).toBe(1);
  });

  slowTest("a full file system under the state is told by the metrics too", async () => {
    const name = "stateless";
    await setting.host.run(
      `mkdir -p /srv/sites/${name}/state && mount -t tmpfs -o size=40m,mode=0755,uid=prometheus,gid=prometheus tmpfs /srv/sites/${name}/state`,
    );
    const site = await create(name);
    await newest(site);
    await setting.host.run(`fallocate -l 30m ${site.stateDirectory}/fill`);
    expect((await site.command("run")).code).toBe(7);
    const metrics = await site.metrics();
    expect(metrics.get("last_exit_code")).toBe(7);
    expect(metrics.get("last_success_timestamp_seconds")).toBeGreaterThan(0);
    await setting.host.run(`rm ${site.stateDirectory}/fill`);
    await newest(site);
    expect((await site.metrics()).get("last_exit_code")).toBe(0);
    await setting.host.run(`umount -l ${site.stateDirectory}`);
  });
});
