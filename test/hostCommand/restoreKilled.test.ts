// F17: restores that are cut off anywhere. The old data are served again, or the restored ones are, and never a mixture
// of both.
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitForPrometheus } from "../hosts/host";
import { startS3Proxy, type S3Proxy } from "../servers/s3Proxy";
import { waitUntil } from "../tools/process";
import { COMMAND } from "./install";
import { kills, slowTest } from "../runner/pace";
import { chance, type Chance } from "./random";
import { scrapesUntil, servedHistory } from "./served";
import {
  lines,
  makeDocile,
  makeStubborn,
  processOf,
  secondServers,
  startOwnServer,
  untilGivenUp,
  type OwnServer,
} from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { errorOf, Site } from "./site";

/** Each way once, and then again. */
const KILLS = kills(3, 6);

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

/** How a restore ends too early: whom the signal reaches. `$pid` is the restore, which leads a session of its own. */
const WAYS = {
  "SIGTERM to the restore": () => "kill -TERM $pid",
  "SIGKILL to the restore": () => "kill -KILL $pid",
  "SIGKILL to everything, the server and the guardian too, as when the power fails": (site: Site, server: OwnServer) =>
    `{ pkill -KILL -f '[r]ecover --guard ${site.stateDirectory}-restore/'; kill -KILL -- -$pid; systemctl kill --signal KILL ${server.unit}; systemctl stop ${server.unit}; }`,
};
const PHASES = ["prepared", "stopping", "moving-out", "moving-in", "starting"];

/**
 * Half of the kills hit any moment of the whole, the other half a moment near one of the short steps around the switch.
 */
function moment(random: Chance, site: Site, seconds: number): string {
  if (random.next() < 0.5) {
    return `sleep ${(0.1 + random.next() * seconds).toFixed(3)}`;
  }
  const phase = random.pick(PHASES);
  return `while kill -0 $pid 2>/dev/null && ! grep -q phase=${phase} ${site.stateDirectory}-restore/switch/journal 2>/dev/null; do :; done; sleep ${(random.next() * 0.3).toFixed(3)}`;
}

/** Everything about a server and its data that a restore may change. */
async function look(server: OwnServer): Promise<{ entries: string; history: string[]; unit: string }> {
  const [entries, history, unit] = await Promise.all([
    setting.host.run(`cd ${server.dataDirectory} && ls -d 01* wal chunks_head | tr '\\n' ' '`),
    servedHistory(setting.host, server.url),
    setting.host.run(`systemctl cat ${server.unit}`),
  ]);
  return { entries, history, unit };
}

/**
 * Nothing of the restore is at work any more, and the server is up again, for which a host without power would boot.
 */
async function settle(site: Site, server: OwnServer): Promise<void> {
  const { host } = setting;
  await waitUntil(
    "nobody moves data any more",
    120,
    async () => (await host.exec(`pgrep -f '[r]ecover --guard ${site.stateDirectory}-restore/'`)).code === 1,
  );
  await host.run(
    `if ! systemctl is-active --quiet ${server.unit}; then systemctl daemon-reload; fi; systemctl start ${server.unit}`,
  );
  await waitForPrometheus(host, 120, server.url);
  const phase = (await host.exec(`sed -n 's/^phase=//p' ${site.stateDirectory}-restore/switch/journal`)).stdout.trim();
  // Before it had moved anything it may have died without anybody to look after it; then the next command does.
  expect(["", "prepared"]).toContain(phase);
  if (phase === "prepared") {
    await site.good("restore latest --plan", { user: "root" });
    expect((await host.exec(`test -e ${site.stateDirectory}-restore/switch/journal`)).code).toBe(1);
  }
  await waitUntil(
    "systemd knows the unit without the guard",
    30,
    async () => (await host.run(`systemctl show --property NeedDaemonReload --value ${server.unit}`)) === "no\n",
  );
}

test("F17: a restore that is killed at a random moment leaves the old data served, or the restored ones, and nothing in between", async () => {
  const random = chance("F17");
  const name = "rescued";
  const server = await startOwnServer(setting.host, { name, port: 9401, lasting: true });
  const site = await Site.create(setting, {
    name,
    prometheusUrl: server.url,
    repositories: ["local"],
    settings: { PROMETHEUS_UNIT: `${server.unit}.service` },
  });
  const starts = `${site.directory}/starts`;
  // The last thing before each start of the server, after the guard of a restore: what it will find.
  await setting.host.writeFile(
    `/etc/systemd/system/${server.unit}.service.d/99-starts.conf`,
    `[Service]\nExecStartPre=+/bin/sh -c 'cd ${server.dataDirectory} && ls -d 01* wal chunks_head 2>/dev/null | paste -s -d " " >>${starts}'\n`,
  );
  await setting.host.run("systemctl daemon-reload");

  // Two backups with different blocks: each round restores the one that is not served. The smaller one comes first, so
  // no block is lost.
  const aside = `${site.directory}/aside`;
  const whileStopped = async (move: string): Promise<void> => {
    await server.stop();
    await setting.host.run(move);
    await server.start();
  };
  await whileStopped(`mkdir ${aside} && cd ${server.dataDirectory} && ls -d 01* | head -n 3 | xargs mv -t ${aside}`);
  await site.good();
  const part = await site.manifest();
  await whileStopped(`mv ${aside}/* ${server.dataDirectory}/`);
  await site.good();
  const full = await site.manifest();
  expect(full.totals.blocks - part.totals.blocks).toBe(3);

  const began = Date.now();
  await site.good(`restore ${full.name} --yes`, { user: "root" });
  const seconds = (Date.now() - began) / 1000;
  const blocksOf = (manifest: typeof full) =>
    manifest.blocks
      .map(({ ulid }) => `${ulid} `)
      .sort()
      .join("");
  const histories = new Map<string, string[]>([[full.name, (await look(server)).history]]);
  await site.good(`restore ${part.name} --yes`, { user: "root" });
  histories.set(part.name, (await look(server)).history);
  expect(histories.get(full.name)).not.toEqual(histories.get(part.name));

  const outcomes: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await look(server);
    const target = JSON.stringify(before.history) === JSON.stringify(histories.get(full.name)) ? part : full;
    const at = Date.now() / 1000;
    const scrapes = await scrapesUntil(setting.host, server.url, at);
    expect(scrapes).toBeGreaterThan(0);
    await setting.host.run(`rm -rf ${starts} ${server.dataDirectory}.before-*; : >${starts}`);
    const [way, signal] = Object.entries(WAYS)[kill % 3] ?? ["", () => ""];
    const when = moment(random, site, seconds);
    const words = `PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} restore ${target.name} --yes >>${site.directory}/restores.log 2>&1 & pid=$!; ${when}; ${signal(site, server)} 2>/dev/null; wait $pid; echo $?`;
    const code = (await setting.host.exec(words)).stdout.trim();
    await settle(site, server);

    const after = await look(server);
    const context = `kill ${kill} of seed ${random.seed}: ${way}, ${when}, exit code ${code}\n${await setting.host.run(`tail -n 20 ${site.directory}/restores.log; cat ${site.stateDirectory}-restore/switch/*.log 2>/dev/null || true`)}`;
    const restored = JSON.stringify(after.history) === JSON.stringify(histories.get(target.name));
    expect(["0", "137", "143"], context).toContain(code);
    expect(after.unit, context).toBe(before.unit);
    const keptAside = lines(await setting.host.run(`ls -d ${server.dataDirectory}.before-* 2>/dev/null || true`));
    if (restored) {
      expect(keptAside, context).toHaveLength(1);
      expect(after.entries, context).toBe(`${blocksOf(target)}chunks_head wal `);
    } else {
      expect(after, context).toEqual(before);
      expect(await scrapesUntil(setting.host, server.url, at), context).toBe(scrapes);
      expect(keptAside, context).toEqual([]);
    }
    // What any start of the server found was all of the old or all of the restored data, and these without the WAL of
    // the others.
    const found = lines(await setting.host.readFile(starts)).map(line => `${line} `);
    const whole = [before.entries, blocksOf(target), ...(restored ? [after.entries] : [])];
    expect(
      found.filter(start => !whole.includes(start)),
      context,
    ).toEqual([]);
    outcomes.push(`${code}${restored ? " restored" : ""}`);
  }
  console.log(`F17: ${KILLS} kills, exit codes ${outcomes.join(", ")}`);
  await site.good(`restore ${full.name} --yes`, { user: "root" });
  expect((await look(server)).history).toEqual(histories.get(full.name));
  expect(lines(await setting.host.run(`ls -d ${server.dataDirectory}.* | grep -v before- || true`))).toEqual([]);
  await server.stop();
});

slowTest(
  "F17: a restore that is cut off while the server takes longer to stop than systemd waits starts no second server",
  async () => {
    const name = "slow";
    const server = await startOwnServer(setting.host, { name, port: 9403, lasting: true });
    const site = await Site.create(setting, {
      name,
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { PROMETHEUS_UNIT: `${server.unit}.service` },
    });
    await site.good();
    const { history } = await look(server);
    await makeStubborn(setting.host, server);
    for (const signal of ["TERM", "KILL"]) {
      const old = await processOf(setting.host, server);
      await setting.host.run(`
      PROMETHEUS_BACKUP_CONFIG=${site.configuration} setsid ${COMMAND} restore latest --yes >>${site.directory}/restores.log 2>&1 & pid=$!
      ${untilGivenUp(server)}; kill -${signal} $pid; sleep 3; kill -TERM ${old}; wait $pid || true`);
      await settle(site, server);
      expect(await processOf(setting.host, server)).not.toBe(old);
      expect((await look(server)).history, signal).toEqual(history);
    }
    expect(await setting.host.readFile(secondServers(server))).toBe("");
    await makeDocile(setting.host, server);
    await server.stop();
  },
);

slowTest(
  "F17: a restore that fails while a process has the data open moves nothing back before that process has ended",
  async () => {
    const { host } = setting;
    const name = "held-open";
    const server = await startOwnServer(host, { name, port: 9438, lasting: true });
    const site = await Site.create(setting, {
      name,
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { PROMETHEUS_UNIT: `${server.unit}.service` },
    });
    await site.good();
    const before = await look(server);
    const held = `${server.dataDirectory}/${(await site.manifest()).blocks[0]?.ulid}/index`;
    const journal = `${site.stateDirectory}-restore/switch/journal`;
    const file = `/etc/systemd/system/${server.unit}.service.d/99-held.conf`;
    // The start fails, and leaves somebody who reads the restored data.
    await host.writeFile(
      file,
      `[Service]\nExecStartPre=+/bin/sh -c 'test ! -e ${site.directory}/fail || { systemd-run --quiet --unit ${name} --property StandardInput=file:${held} sleep 600; exit 1; }'\n`,
    );
    await host.run(`systemctl daemon-reload; touch ${site.directory}/fail`);
    const { code, stderr } = await site.command("restore latest --yes", { user: "root" });
    expect(code, stderr).toBe(4);
    expect(stderr).toMatch(
      /warning: the server could not be stopped \(a process has its data open: pid \d+ .*sleep 600 ?\), so nothing was moved: the data from before are in /,
    );
    const guarded = `test -e ${journal} && grep -q ^phase=starting ${journal} && ls -d ${server.dataDirectory}.before-* ${held} && ls /etc/systemd/system/${server.unit}.service.d/90-prometheus-backup-restore.conf`;
    await host.run(guarded);
    expect((await site.command("restore latest --plan", { user: "root" })).code).toBe(10);
    // Neither does a start, as long as it is told to wait.
    expect((await host.exec(`systemctl start ${server.unit}`)).code).not.toBe(0);
    await host.run(`${guarded}; rm ${site.directory}/fail; systemctl stop ${name}`);
    await settle(site, server);
    await host.run(`rm ${file}; systemctl daemon-reload`);
    expect(await look(server)).toEqual(before);
    expect(lines(await host.run(`ls -d ${server.dataDirectory}.before-* ${journal} 2>/dev/null || true`))).toEqual([]);
    await server.stop();
  },
);

test("F17: a download that fails in the middle ends with 8, leaves the server alone, and is continued by the next call", async () => {
  const name = "resumed";
  const server = await startOwnServer(setting.host, { name, port: 9402, lasting: true });
  const site = await Site.create(setting, {
    name,
    prometheusUrl: server.url,
    endpoint: proxy.endpoint,
    repositories: ["offsite"],
    settings: { PROMETHEUS_UNIT: `${server.unit}.service`, PARALLEL: "1" },
  });
  await site.good();
  const backup = await site.manifest();
  const before = await look(server);
  const process = await setting.host.run(`systemctl show --property MainPID ${server.unit}`);
  // rclone tries by itself; from the fourth block on nothing answers as it should.
  const blocks = /\/resumed\/(blocks|heads)\//;
  proxy.setRules([
    { method: "GET", path: blocks, from: 4, fault: { kind: "answer", status: 403, code: "AccessDenied" } },
  ]);
  const failed = await site.command(`restore ${backup.name} --yes`, { user: "root" });
  expect(failed.code, failed.stderr).toBe(8);
  expect(errorOf(failed)).toMatch(
    /^block 01[0-9A-Z]{24} could not be restored: repository offsite \(.*\): .*; the data of the server are untouched; run the same command again, it continues where this one stopped$/,
  );
  expect(await look(server)).toEqual(before);
  expect(await setting.host.run(`systemctl show --property MainPID ${server.unit}`)).toBe(process);

  proxy.setRules([]);
  const asked = proxy.requests.length;
  const continued = await site.good(`restore ${backup.name} --yes`, { user: "root" });
  // Three had come; whether the last of them was unpacked when the fourth failed is chance.
  const there = Number(/; (\d+) blocks? there already from an earlier try\n/.exec(continued.stderr)?.[1]);
  expect([2, 3], continued.stderr).toContain(there);
  const fetched = new Set(
    proxy.requests
      .slice(asked)
      .filter(({ method, path }) => method === "GET" && blocks.test(path))
      .map(({ path }) => path),
  );
  expect(fetched.size).toBe(HISTORY_BLOCKS + 1 - there);
  expect((await look(server)).history).toEqual(before.history);
  await server.stop();
});
