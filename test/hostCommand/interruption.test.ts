// F5 and F6: runs that are killed anywhere, and runs that meet.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startS3Proxy, type S3Proxy } from "../servers/s3Proxy";
import { waitUntil } from "../tools/process";
import { COMMAND } from "./install";
import { kills, representatives, slowTest, variants } from "../runner/pace";
import { chance } from "./random";
import { lines, startOwnServer, type OwnServer } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { Site } from "./site";

let setting: Setting;
let proxy: S3Proxy;

beforeAll(async () => {
  setting = await openSetting();
  proxy = await startS3Proxy({ target: setting.minio.endpointForHosts });
});

afterAll(async () => {
  await proxy.stop();
  await setting.stop();
});

/** How a run ends too early: whom the signal reaches. */
const WAYS = {
  "SIGTERM to the run": (pid: string) => `kill -TERM ${pid}`,
  "SIGKILL to the run alone": (pid: string) => `kill -KILL ${pid}`,
  "SIGKILL to the run and all its children, as when the power fails": (pid: string) => `kill -KILL -- -${pid}`,
};

/**
 * Starts a run in a session of its own, as cron does, and kills it when the shell command `wait` has ended. Returns its
 * exit code.
 */
async function killedRun(site: Site, wait: string, signal: (pid: string) => string): Promise<number> {
  const { stdout } = await setting.host.exec(
    `PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run 2>>${site.stateDirectory}/killed.log & pid=$!
     ${wait}; ${signal("$pid")} 2>/dev/null; wait $pid; echo $?`,
    { user: "prometheus" },
  );
  return Number(stdout);
}

/** Backups that are listed but not whole: there must never be one. */
async function halfBackups(site: Site): Promise<string[]> {
  return (await site.list())
    .filter(({ complete }) => !complete)
    .map(({ name, repository }) => `${name} in ${repository}`);
}

describe.concurrent("F5: a run is killed at a random moment", () => {
  const cases = Object.entries(WAYS).map(([title, signal], index) => ({ title, signal, index }));

  test.for(representatives(cases, ({ title }) => title === "SIGKILL to the run alone"))(
    "$title",
    async ({ title, signal, index }) => {
      const random = chance(`F5, ${title}`);
      const name = `killed-${index}`;
      const server = await startOwnServer(setting.host, { name, port: 9321 + index });
      const site = await Site.create(setting, { name, prometheusUrl: server.url, endpoint: proxy.endpoint });
      const count = kills(1, 4);
      const codes: number[] = [];
      // How long a run takes depends on the machine: one that ended before its kill says so.
      let longest = 6;
      while (codes.filter(code => code !== 0).length < count) {
        expect(await halfBackups(site)).toEqual([]);
        const seconds = 0.15 + random.next() * longest;
        codes.push(await killedRun(site, `sleep ${seconds.toFixed(3)}`, signal));
        if (codes.at(-1) === 143) {
          // A run that can still act cleans up; only a snapshot that the server has not answered for is left to the
          // next one.
          expect(
            (await site.leftovers()).filter(left => left !== "snapshot.intent"),
            `after ${seconds} s`,
          ).toEqual([]);
        }
        longest = codes.at(-1) === 0 ? seconds * 0.8 : longest;
      }
      expect(
        codes.filter(code => ![0, 137, 143].includes(code)),
        codes.join(" "),
      ).toEqual([]);
      console.log(`F5, ${title}: exit codes ${codes.join(" ")}`);
      // At once, while children of the dead run may still be at work.
      await site.good();
      await expectAsNew(site, server, count);
      await server.stop();
    },
  );
});

slowTest.each(variants(["offsite"] as const, ["local"] as const))(
  "F5: a run that is killed right after its manifest in %s, and those that begin in the same second, have names of their own",
  async place => {
    const name = `same-second-${place}`;
    const server = await startOwnServer(setting.host, { name, port: place === "local" ? 9332 : 9333 });
    const site = await Site.create(setting, {
      name,
      prometheusUrl: server.url,
      endpoint: proxy.endpoint,
      repositories: [place],
    });
    // The clock of each process begins at this second.
    const clock = `LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME='@${new Date().toISOString().slice(0, 19).replace("T", " ")}'`;
    const published = `${site.directory}/published`;
    proxy.setRules([{ method: "PUT", path: /\/same-second-offsite\/catalog/, fault: { kind: "hang" } }]);
    const killed = setting.host.exec(
      `env ${clock} PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} run 2>>${site.stateDirectory}/killed.log & pid=$!
     until [[ -e ${published} ]] || compgen -G '${site.localPath}/${name}/backups/*.json' >/dev/null; do sleep 0.02; done; kill -KILL -- -$pid; wait $pid; echo $?`,
      { user: "prometheus" },
    );
    if (place === "offsite") {
      await waitUntil("the manifest is stored", 120, () =>
        Promise.resolve(proxy.requests.some(({ path, fault }) => path.includes(`/${name}/`) && fault === "hang")),
      );
      await setting.host.run(`touch ${published}`);
    }
    expect((await killed).stdout).toBe("137\n");
    proxy.setRules([]);
    await site.good("run", { environment: clock });
    await setting.host.run(`rm -rf ${site.stateDirectory}/*`);
    await site.good("run", { environment: clock });
    const names = (await site.list()).map(backup => backup.name);
    expect(new Set(names).size).toBe(3);
    for (const each of names) {
      await site.good(`verify ${each}`);
    }
    await server.stop();
  },
);

slowTest(
  "F5: jobs that outlive a run that was killed are ended before they can collide with the next one",
  async () => {
    const name = "orphans";
    const server = await startOwnServer(setting.host, { name, port: 9330 });
    const site = await Site.create(setting, {
      name,
      prometheusUrl: server.url,
      endpoint: proxy.endpoint,
      repositories: ["offsite"],
    });
    const jobs = async () => lines((await setting.host.exec(`pgrep -f 'rclone --config ${site.directory}/'`)).stdout);
    proxy.setRules([{ method: "PUT", path: /\/orphans\/blocks\//, fault: { kind: "hang" } }]);
    const hangs = `${site.directory}/an-upload-hangs`;
    const killed = killedRun(site, `until [ -e ${hangs} ]; do sleep 0.1; done`, WAYS["SIGKILL to the run alone"]);
    await waitUntil("an upload hangs", 120, () =>
      Promise.resolve(proxy.requests.some(({ path, fault }) => path.includes("/orphans/") && fault === "hang")),
    );
    await setting.host.run(`touch ${hangs}`);
    expect(await killed).toBe(137);
    expect((await jobs()).length).toBeGreaterThan(0);
    proxy.setRules([]);
    const next = await site.good();
    expect(next.stderr).toContain(
      "prometheus-backup: warning: jobs of a run that was killed are still at work; they are ended now\n",
    );
    expect(await jobs()).toEqual([]);
    await site.good("verify");
    expect(await site.leftovers()).toEqual([]);
    await server.stop();
  },
);

/** Nothing tells that runs were killed before: whole backups, nothing left over, hardly anything sent twice. */
async function expectAsNew(site: Site, server: OwnServer, killed: number): Promise<void> {
  expect(await site.leftovers()).toEqual([]);
  expect(await server.snapshots()).toEqual([]);
  expect(await halfBackups(site)).toEqual([]);
  expect((await site.good("verify")).stdout.match(/✔/g)).toHaveLength(2);

  const blocks = proxy.stored().filter(path => path.includes(`/${site.name}/blocks/`));
  expect(new Set(blocks).size).toBe(HISTORY_BLOCKS);
  // What was on its way when the kill came is sent again: PARALLEL blocks at most.
  expect(blocks.length - HISTORY_BLOCKS).toBeLessThanOrEqual(2 * killed);

  // Heads of runs that never became a backup wait for retention; everything else belongs to a manifest.
  const needed = new Set<string>(["owner.json", "catalog.jsonl.zst"]);
  for (const { name, repository } of await site.list()) {
    const manifest = await site.manifest(name, repository);
    needed.add(`backups/${name}.json`);
    manifest.blocks.forEach(({ object }) => object !== null && needed.add(object));
  }
  const strangers = [...(await site.offsiteObjects()).keys(), ...(await site.localObjects()).keys()].filter(
    object => !needed.has(object) && !/^(heads|companions|marks)\//.test(object),
  );
  expect(strangers).toEqual([]);
}

test("F6: a run that meets another one exits 10 at once, takes no snapshot and leaves the metrics to the other", async () => {
  const name = "overlap";
  const server = await startOwnServer(setting.host, { name, port: 9331 });
  const site = await Site.create(setting, { name, prometheusUrl: server.url, endpoint: proxy.endpoint });
  let goOn = (): void => undefined;
  const until = new Promise<void>(resolve => (goOn = resolve));
  proxy.setRules([{ method: "PUT", path: /\/overlap\/blocks\//, from: 1, to: 1, fault: { kind: "hold", until } }]);
  const first = site.command("run");
  await waitUntil("the first run uploads", 120, () =>
    Promise.resolve(proxy.requests.some(({ fault }) => fault === "hold")),
  );
  const snapshots = await server.snapshots();
  expect(snapshots).toHaveLength(1);

  // It ends while the first one is still held, so it has not waited for it.
  const second = await site.command("run");
  expect(second).toEqual({
    code: 10,
    stdout: "",
    stderr: expect.stringMatching(
      /^prometheus-backup: error: another run \(pid \d+, run since \d\d:\d\d:\d\d UTC\) holds the lock; nothing was done; wait for it, or look at it with 'ps'\n$/,
    ) as string,
  });
  expect(await server.snapshots()).toEqual(snapshots);
  expect((await site.metrics()).size).toBe(0);
  for (const words of ["prune --yes", "pin 20260101T000000Z"]) {
    expect((await site.command(words)).code).toBe(10);
  }

  goOn();
  expect((await first).code).toBe(0);
  expect((await site.metrics()).get("last_exit_code")).toBe(0);
  expect(await site.leftovers()).toEqual([]);
  await server.stop();
});
