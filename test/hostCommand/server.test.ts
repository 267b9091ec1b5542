// F1 to F4: a server that is down, silent, busy, somebody else, locked, lying, or out of space.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  startPrometheusStub,
  startSilentServer,
  type PrometheusStub,
  type StubAnswer,
} from "../servers/prometheusStub";
import { waitForPrometheus } from "../hosts/host";
import { sleep, waitUntil } from "../tools/process";
import { representatives, slowTest } from "../runner/pace";
import { lines, startOwnServer, type OwnServer } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { errorOf, expectFailure, Site } from "./site";

let setting: Setting;
let server: OwnServer;
let stub: PrometheusStub;
let silent: { url: string; stop(): Promise<void> };
let site: Site;

beforeAll(async () => {
  setting = await openSetting();
  const gateway = new URL(setting.minio.endpointForHosts).hostname;
  server = await startOwnServer(setting.host, { name: "faulty", port: 9311 });
  stub = await startPrometheusStub(gateway, server.dataDirectory);
  silent = await startSilentServer(gateway);
  site = await Site.create(setting, { name: "faulty", prometheusUrl: server.url });
  // There is a success to be kept through all that follows.
  await site.good();
});

afterAll(async () => {
  await server.stop();
  await Promise.all([stub.stop(), silent.stop(), setting.stop()]);
});

afterEach(() => stub.reset());

const age = String.raw`nothing was done, the last good backup is [0-9]+ (s|min) old`;
const text = (body: string, status = 200): StubAnswer => ({ status, body });

/** What the server must not be left with. */
async function expectHarmless(code: number, message: RegExp | string): Promise<void> {
  const objects = [await site.localObjects(), await site.offsiteObjects()];
  await expectFailure(site, { code, message });
  expect([await site.localObjects(), await site.offsiteObjects()]).toEqual(objects);
  expect(await server.snapshots()).toEqual([]);
}

describe("F1: no ready Prometheus answers", () => {
  test("nobody listens", async () => {
    await site.configure({ PROMETHEUS_URL: "http://127.0.0.1:9399" });
    await expectHarmless(
      4,
      new RegExp(
        `^Prometheus at http://127.0.0.1:9399 does not answer \\(Failed to connect to 127.0.0.1 port 9399.*, 3 tries\\); ${age}; look at: systemctl status prometheus.service$`,
      ),
    );
  });

  test("the port takes the connection and says nothing", async () => {
    // It never will: that the run ends is what shows its limit.
    await site.configure({ PROMETHEUS_URL: silent.url, API_TIMEOUT_SECONDS: "2" });
    await expectHarmless(
      4,
      new RegExp(`does not answer \\(Operation timed out after \\d+ milliseconds.*, 1 try\\); ${age}`),
    );
  });

  test("it still replays its WAL, of which a segment does not come from its disk", async () => {
    const { host } = setting;
    const replaying = await startOwnServer(host, { name: "replaying", port: 9322, lasting: true });
    await replaying.stop();
    const segment = `${replaying.dataDirectory}/wal/${
      lines(await host.run(`ls ${replaying.dataDirectory}/wal`))
        .filter(file => /^\d+$/.test(file))
        .at(-1) ?? ""
    }`;
    // A FIFO gives nothing until somebody writes.
    await host.run(
      `mv ${segment} ${segment}.aside && mkfifo --mode 0644 ${segment} && chown prometheus ${segment} && systemctl start ${replaying.unit}`,
    );
    await waitUntil("it answers, and is not ready", 30, async () =>
      (await host.exec(`curl -sS ${replaying.url}/-/ready`)).stdout.includes("Service Unavailable"),
    );
    await site.configure({ PROMETHEUS_URL: replaying.url });
    await expectHarmless(
      4,
      new RegExp(
        `is not ready, probably still replaying its WAL; ${age}; wait, or look at: journalctl -u prometheus.service$`,
      ),
    );
    await host.run(`cat ${segment}.aside >${segment} && rm ${segment}.aside`);
    await waitForPrometheus(host, 60, replaying.url);
    await replaying.stop();
  });

  test("another program has the port and answers everything with a page", async () => {
    await site.configure({ PROMETHEUS_URL: stub.url });
    stub.answer("/api/v1/status/buildinfo", text("<html>It works!</html>"));
    await expectHarmless(
      4,
      new RegExp(
        `does not answer like a Prometheus \\(HTTP 200 on buildinfo\\); ${age}; check that no other program listens there$`,
      ),
    );
  });

  test("a proxy in front asks for a password", async () => {
    await site.configure({ PROMETHEUS_URL: stub.url });
    stub.answer("/-/ready", text("Unauthorized\n", 401));
    const wayOut =
      'name a secret with a curl configuration, such as user = "name:password", in prometheus\\.apiCredentials';
    await expectHarmless(4, new RegExp(`asks for credentials \\(HTTP 401\\); ${age}; ${wayOut}$`));
  });

  test("it goes away between two questions", async () => {
    await site.configure({ PROMETHEUS_URL: stub.url });
    stub.answer("/api/v1/status/flags", text("", 502));
    await expectHarmless(
      4,
      new RegExp(`gives no flags \\(HTTP 502\\); ${age}; check that the URL reaches Prometheus and not a proxy$`),
    );
  });
});

test("F2: the admin API is off: found before any work, with the flag and the component that sets it", async () => {
  await server.stop();
  await server.start({ adminApi: false });
  await site.configure();
  await expectHarmless(
    5,
    `the admin API of Prometheus at ${server.url} is off, so it makes no snapshots; give this host an 'adminApi' ` +
      "(component AdminApi adds --web.enable-admin-api to its unit), or choose source hot",
  );
  expect((await site.metrics()).get("admin_api_enabled")).toBe(0);
  await server.stop();
  await server.start();
});

describe("F3: the snapshot API answers with anything but a well-formed success", () => {
  const path = "/api/v1/admin/tsdb/snapshot";
  const noName =
    /named no snapshot \(its answer has no name of the form 20261122T020000Z-0123456789abcdef\); check that/;
  const name = (value: unknown) => text(JSON.stringify({ status: "success", data: { name: value } }));
  const cases: [string, StubAnswer, number, RegExp][] = [
    ["401", text("Unauthorized\n", 401), 6, /refused the snapshot: HTTP 401 Unauthorized; look at/],
    ["a page with 200", text("<html>login</html>"), 6, noName],
    ["a page with 502", text("<html><b>Bad gateway</b></html>", 502), 6, /refused the snapshot: HTTP 502 <html>/],
    ["an empty body", text(""), 6, noName],
    ["the name null", name(null), 6, noName],
    ["an empty name", name(""), 6, noName],
    ["a name that climbs out of the directory", name("../../../../srv/history"), 6, noName],
    ["a name with a second line", name("20261122T020000Z-0123456789abcdef\n/etc"), 6, noName],
    ["a name that is code", name("$(touch /tmp/executed)"), 6, noName],
    [
      "status error with 200",
      text('{"status":"error","error":"x","data":{"name":"20261122T020000Z-0123456789abcdef"}}'),
      6,
      noName,
    ],
    [
      "a name of no snapshot",
      name("20261122T020000Z-0123456789abcdef"),
      6,
      /the snapshot 20261122T020000Z-0123456789abcdef is not in/,
    ],
    [
      "admin APIs disabled after all",
      text('{"status":"error","errorType":"unavailable","error":"admin APIs disabled"}', 500),
      5,
      /the admin API of Prometheus at .* is off/,
    ],
    [
      "no space left",
      text('{"status":"error","error":"create snapshot: write: no space left on device"}', 500),
      7,
      /found no space for the snapshot \(create snapshot: write: no space left on device\)/,
    ],
  ];

  const always = [
    "401",
    "a page with 200",
    "a name that climbs out of the directory",
    "a name that is code",
    "no space left",
  ];
  test.each(representatives(cases, ([title]) => always.includes(title)))(
    "%s",
    async (_title, answer, code, message) => {
      await site.configure({ PROMETHEUS_URL: stub.url });
      stub.answer(path, answer);
      await expectHarmless(code, message);
      expect((await setting.host.exec("ls /tmp/executed")).code).toBe(2);
      expect(lines(await setting.host.run("ls /srv/history")).length).toBeGreaterThanOrEqual(HISTORY_BLOCKS);
    },
  );

  test("a snapshot that takes longer than the limit ends the run in bounded time", async () => {
    await site.configure({ PROMETHEUS_URL: stub.url, SNAPSHOT_TIMEOUT_SECONDS: "1" });
    stub.answer(path, { status: 200, body: "", silent: true });
    // The stub answers no more before it is reset: the run ends by its own limit.
    const late = await site.command("run");
    expect([late.code, errorOf(late)]).toEqual([
      6,
      expect.stringMatching(
        /^the snapshot took longer than 1 s; the server may still be writing it; the next run removes it if the server has named it by then/,
      ),
    ]);
    // The note by which the next run finds what the server made meanwhile; it goes once the server has answered.
    expect(await site.leftovers()).toEqual(["snapshot.intent"]);
    stub.reset();
    await expectFailure(site, { code: 6, message: /refused the snapshot: HTTP 404/ });
  });

  test.each(
    representatives(
      [
        ["no answer at all", { status: 200, body: "", silent: true }],
        [
          "a failure without a name",
          text(
            '{"status":"error","errorType":"internal","error":"create snapshot: snapshot head block: no space left on device"}',
            500,
          ),
        ],
      ] as [string, StubAnswer][],
      (_, index) => index === 0,
    ),
  )("%s: a snapshot that somebody else has made meanwhile is left alone, counted and named", async (_title, answer) => {
    await site.configure({ PROMETHEUS_URL: stub.url, SNAPSHOT_TIMEOUT_SECONDS: "2" });
    stub.answer(path, answer);
    const { host } = setting;
    const made =
      host.run(`cd ${site.stateDirectory}; until [[ -e snapshot.intent ]]; do :; done; name=$(date -u +%Y%m%dT%H%M%SZ)-00000000deadbeef
      install -d -o prometheus -g prometheus ${server.dataDirectory}/snapshots/$name/01ARZ3NDEKTSV4RRFFQ69G5FAV; printf $name`);
    expect((await site.command("run")).code).not.toBe(0);
    const foreign = await made;
    stub.reset();
    const next = await site.command("run");
    expect(await server.snapshots()).toContain(foreign);
    expect((await site.metrics()).get("leftover_snapshots")).toBeGreaterThan(0);
    await site.configure();
    const checked = await site.command("check");
    expect(next.stderr + checked.stdout).toContain(`rm -r -- ${server.dataDirectory}/snapshots/${foreign}`);
    expect((await site.good("status")).stdout).toContain(`rm -r -- '${server.dataDirectory}/snapshots/${foreign}'`);
    await host.run(`rm -r ${server.dataDirectory}/snapshots/${foreign}`);
  });
});

describe("F4: the snapshot fails for lack of space", () => {
  const foreign = ["20250101T000000Z-0123456789abcdef", "kept-by-hand"];
  let tight: OwnServer;
  let tightSite: Site;
  const free = (bytes: number) => `
    cd /srv/sites/tight/data && rm -f fill && free="$(df --output=avail --block-size=1 . | tail -n 1)"
    fallocate -l $(( free - ${bytes} )) fill`;

  beforeAll(async () => {
    const { host } = setting;
    await host.run(
      "mkdir -p /srv/sites/tight/data && mount -t tmpfs -o size=700m,mode=0755,uid=prometheus,gid=prometheus tmpfs /srv/sites/tight/data",
    );
    tight = await startOwnServer(host, { name: "tight", port: 9312 });
    tightSite = await Site.create(setting, { name: "tight", prometheusUrl: tight.url, repositories: ["local"] });
    await tightSite.good();
    // A head with samples in it, and then nobody who writes: the free space below is exact.
    await sleep(2500);
    await tight.stop();
    await host.run("printf 'global: {}\\n' >/srv/sites/tight/prometheus.yml");
    await tight.start();
    await host.run(
      `cd /srv/sites/tight/data && mkdir -p snapshots/${foreign[0]}/x snapshots/${foreign[1]} && chown -R prometheus: snapshots`,
    );
  });

  afterAll(async () => {
    await tight.stop();
    await setting.host.exec("umount -l /srv/sites/tight/data");
  });

  test("too little is free for it: refused before the server is asked", async () => {
    await setting.host.run(free(400_000_000));
    await expectFailure(tightSite, {
      code: 7,
      message:
        /^400 MB are free on the file system of \/srv\/sites\/tight\/data, a snapshot with head needs 537 MB; free space, or set skipHead: true$/,
    });
    expect(await tight.snapshots()).toEqual(foreign);
  });

  test("the server runs out of it: the partial snapshot goes, other people's directories stay, the next run works", async () => {
    // Another program takes the last of it between our look and the server's write.
    await setting.host.run(free(512 * 1024 * 1024 + 64 * 1024));
    const thief = setting.host.run(
      `until [[ -e ${tightSite.stateDirectory}/snapshot.intent ]]; do :; done; fallocate -l 1M /srv/sites/tight/data/stolen`,
    );
    await expectFailure(tightSite, {
      code: 7,
      message:
        /^the server found no space for the snapshot \(.*no space left on device.*\); free space on the file system of/,
    });
    await thief;
    expect(await tight.snapshots()).toEqual(foreign);
    expect((await setting.host.exec(`curl -fsS ${tight.url}/-/ready`)).code).toBe(0);

    await setting.host.run("rm /srv/sites/tight/data/fill /srv/sites/tight/data/stolen");
    await tightSite.good();
    expect(await tight.snapshots()).toEqual(foreign);
    expect((await tightSite.metrics()).get("leftover_snapshots")).toBe(1);
  });

  slowTest("a snapshot that somebody else takes in the same second is not ours to remove", async () => {
    const [run] = await Promise.all([
      tightSite.good(),
      setting.host.run(
        `for i in $(seq 20); do curl -fsS -X POST '${tight.url}/api/v1/admin/tsdb/snapshot?skip_head=true'; sleep 0.1; done`,
      ),
    ]);
    expect(run.stderr).toContain("done backup=");
    const left = await tight.snapshots();
    expect(left).toHaveLength(foreign.length + 20);
  });
});
