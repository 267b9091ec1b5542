// Pings to a watcher elsewhere: what it sees of every run, and that no watcher can harm one.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSilentServer } from "../servers/prometheusStub";
import { startWatcher, type Watcher } from "../servers/watcher";
import { waitUntil } from "../tools/process";
import { COMMAND } from "./install";
import { representatives, slowTest } from "../runner/pace";
import { startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { Site } from "./site";

const FILE = "/etc/prometheus-backup/credentials/watched-heartbeat";

let setting: Setting;
let server: OwnServer;
let site: Site;
let watcher: Watcher;
let silent: { url: string; stop(): Promise<void> };

beforeAll(async () => {
  setting = await openSetting();
  const gateway = new URL(setting.minio.endpointForHosts).hostname;
  [watcher, silent] = await Promise.all([startWatcher(gateway), startSilentServer(gateway)]);
  server = await startOwnServer(setting.host, { name: "watched", port: 9315 });
  site = await Site.create(setting, {
    name: "watched",
    prometheusUrl: server.url,
    repositories: ["local"],
    settings: { HEARTBEAT_URL_FILE: FILE },
  });
});

afterAll(async () => {
  await server?.stop();
  await Promise.all([watcher?.stop(), silent?.stop(), setting?.stop()]);
});

/** As the step for credentials writes it. */
const watchAt = (url: string) =>
  setting.host.writeFile(FILE, `${url}\n`, { mode: "0600", owner: "prometheus:prometheus" });

const URLS = [
  ["a plain URL", "/ping/key", ["GET /ping/key/start", "GET /ping/key"]],
  ["a URL with a slash at its end", "/ping/key/", ["GET /ping/key/start", "GET /ping/key/"]],
  [
    "a URL with a query",
    "/ping/key?rid=a/b&create=1",
    ["GET /ping/key/start?rid=a/b&create=1", "GET /ping/key?rid=a/b&create=1"],
  ],
  [
    "a URL with what curl would expand",
    "/ping/{a,b}?n=[1-3]",
    ["GET /ping/{a,b}/start?n=[1-3]", "GET /ping/{a,b}?n=[1-3]"],
  ],
] as const;
test.each(representatives(URLS, ([what]) => /curl/.test(what)))(
  "%s hears of start and success",
  async (_, path, pings) => {
    await watchAt(`${watcher.url}${path}`);
    const { stderr } = await site.good();
    expect(watcher.take()).toEqual(pings);
    expect(stderr).not.toContain("heartbeat");
  },
);

test("a run that fails tells so instead of success, also when a signal ends it", async () => {
  await watchAt(`${watcher.url}/ping/key?rid=1`);
  await site.configure({ PROMETHEUS_URL: "http://127.0.0.1:9" });
  expect((await site.command("run")).code).toBe(4);
  expect(watcher.take()).toEqual(["GET /ping/key/start?rid=1", "GET /ping/key/fail?rid=1"]);

  await site.configure({ PROMETHEUS_URL: silent.url, API_TIMEOUT_SECONDS: "600" });
  const command = `env PROMETHEUS_BACKUP_CONFIG=${site.configuration} ${COMMAND} run`;
  const running = setting.host.exec(
    `setpriv --reuid prometheus --regid prometheus --clear-groups ${command} & echo $! >/run/watched.pid; wait $!`,
  );
  await waitUntil("the run has started", 60, () => Promise.resolve(watcher.heard.length > 0));
  await setting.host.run('kill -TERM "$(</run/watched.pid)"');
  expect((await running).code).toBe(143);
  expect(watcher.take()).toEqual(["GET /ping/key/start?rid=1", "GET /ping/key/fail?rid=1"]);
  await site.configure();
});

slowTest("a run that finds another one at work says nothing, because the other one reports", async () => {
  await watchAt(`${watcher.url}/ping/key`);
  const code = (
    await setting.host.exec(
      `flock ${site.stateDirectory}/lock env PROMETHEUS_BACKUP_CONFIG=${site.configuration} ${COMMAND} run`,
    )
  ).code;
  expect([code, watcher.take()]).toEqual([10, []]);
});

const WATCHERS: [string, () => string][] = [
  ["refuses connections", () => "http://127.0.0.1:9/secret-key"],
  ["never answers", () => `${silent.url}/secret-key`],
  ["answers with an error", () => `${watcher.url}/secret-key`],
  ["is none", () => 'http://127.0.0.1:9/"secret-key'],
];
test.each(representatives(WATCHERS, ([what]) => /never/.test(what)))(
  "a watcher that %s delays a run and never fails it, and its address is not shown",
  async (_, url) => {
    watcher.answerWith(500);
    await watchAt(url());
    const { stderr } = await site.good();
    expect(stderr.split("\n").filter(line => line.includes("heartbeat"))).toEqual(
      ["start", "success"].map(
        event => `prometheus-backup: warning: the heartbeat (${event}) was not accepted; the backup goes on`,
      ),
    );
    expect(stderr).not.toContain("secret-key");
    expect(stderr).toMatch(/^\S+ done backup=/m);
    watcher.take();
  },
);
