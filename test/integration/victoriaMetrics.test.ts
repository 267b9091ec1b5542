import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { VictoriaMetrics, type VictoriaMetricsSettings } from "../../components";
import { victoriaMetricsStep } from "../../components/victoriaMetrics/step";
import { StepName } from "../../components/host/stepName";
import { victoriaMetricsPlan } from "../../components/victoriaMetrics/step";
import { startHost, type Host } from "../hosts/host";
import { startFileServer, type FileServer } from "../servers/fileServer";
import { waitUntil } from "../tools/process";
import { changesOf } from "./deployment";
import { createTestStack, type TestStack } from "./harness";
import { install, inventory, lastWord, remove, serverProcess } from "./stepHarness";

const url = "http://127.0.0.1:8428";
const data = "/var/lib/victoria-metrics-data";
const unit = "victoria-metrics.service";
/** Samples are in answers at once, so that the tests need not wait for them. */
const settings: VictoriaMetricsSettings = { flags: ["-search.latencyOffset=1s", "-memory.allowedPercent=20"] };

let host: Host;
let files: FileServer;
let stack: TestStack;
let before: string;

/** One series: its samples, as time in milliseconds to value. */
type Samples = Map<number, string>;

const change = (more: VictoriaMetricsSettings): void =>
  stack.setProgram(() => {
    const connection = {
      address: host.sshHost,
      port: host.sshPort,
      user: host.user,
      privateKey: host.privateKey,
      hostKey: host.hostKey,
      attempts: 1,
    };
    const server = new VictoriaMetrics("long-term", {
      hostName: host.name,
      connection,
      victoriaMetrics: { ...settings, ...more },
    });
    return Promise.resolve({ url: server.url });
  });
const step = (more: VictoriaMetricsSettings) =>
  install(
    host,
    StepName.victoriaMetrics,
    victoriaMetricsStep(victoriaMetricsPlan({ ...settings, ...more })),
    "long-term-install",
  );
const starts = async (): Promise<number> =>
  Number(await host.run(`journalctl -u ${unit} -o cat | grep -c '^Started '`));
const listeners = (): Promise<string> => host.run("ss -Hltn 'sport = :8428' | awk '{ print $4 }'");

async function stored(selector = 'up{job="prometheus"}'): Promise<Samples> {
  const text = await host.run(
    `curl -fsS ${url}/internal/force_flush && curl -fsSG ${url}/api/v1/export --data-urlencode 'match[]=${selector}'`,
  );
  const samples: Samples = new Map();
  for (const line of text.split("\n").filter(each => each !== "")) {
    const { timestamps, values } = JSON.parse(line) as { timestamps: number[]; values: number[] };
    timestamps.forEach((time, index) => samples.set(time, String(values[index])));
  }
  return samples;
}

async function scraped(): Promise<Samples> {
  const text = await host.run(
    `curl -fsSG http://127.0.0.1:9090/api/v1/query --data-urlencode 'query=up{job="prometheus"}[1h]'`,
  );
  const [series] = (JSON.parse(text) as { data: { result: { values: [number, string][] }[] } }).data.result;
  return new Map(series?.values.map(([time, value]) => [Math.round(time * 1000), value]));
}

/** Waits until more samples are stored than there are in `than`, and returns them. */
async function moreThan(than: Samples): Promise<Samples> {
  let now: Samples = new Map();
  await waitUntil(
    "new samples of Prometheus are in VictoriaMetrics",
    120,
    async () => (now = await stored()).size > than.size,
    1000,
  );
  return now;
}

/** The installed program as a release packs it; `note` makes it another one. */
async function release(name: string, note: string): Promise<{ url: string; sha256: string }> {
  const pack = `cd "$(mktemp -d)" && cp /usr/bin/victoria-metrics victoria-metrics-prod && printf %s '${note}' >>victoria-metrics-prod && tar -c victoria-metrics-prod | gzip -1 | base64`;
  const archive = Buffer.from(await host.run(pack), "base64");
  files.files.set(name, archive);
  return { url: files.urlForHosts(name), sha256: createHash("sha256").update(archive).digest("hex") };
}

beforeAll(async () => {
  [host, files] = await Promise.all([startHost({ name: "victoria" }), startFileServer()]);
  stack = await createTestStack({ program: () => Promise.resolve({}) });
  before = await inventory(host);
});
afterAll(async () => {
  stack?.remove();
  await Promise.all([host, files].map(each => each?.stop()));
});

test("up installs the package, which listens on loopback and was never started with other flags", async () => {
  change({});
  const run = await stack.up();
  expect(run.outputs["url"]?.value).toBe(url);
  expect(await listeners()).toBe("127.0.0.1:8428\n");
  expect(await starts()).toBe(1);
  expect(
    await host.run(
      `stat -c %U:%a ${data}; systemctl show -P User -P ProtectSystem ${unit}; systemctl is-enabled ${unit}`,
    ),
  ).toBe("_victoria-metrics:750\n_victoria-metrics\nstrict\nenabled\n");
  const flags = await host.run(`tr '\\0' '\\n' </proc/$(systemctl show -P MainPID ${unit})/cmdline`);
  expect(flags.trim().split("\n")).toEqual([
    "/usr/bin/victoria-metrics",
    `-storageDataPath=${data}`,
    "-retentionPeriod=1y",
    "-httpListenAddr=127.0.0.1:8428",
    "-snapshotsMaxAge=3d",
    ...(settings.flags ?? []),
  ]);
  expect(await stored('{__name__=~"prometheus_backup.*"}')).toEqual(new Map());
});

test("what Prometheus sends is what queries give back", async () => {
  await host.run(
    `cp -a /etc/prometheus/prometheus.yml /root/ && printf 'remote_write:\\n  - url: ${url}/api/v1/write\\n' >>/etc/prometheus/prometheus.yml && systemctl reload prometheus`,
  );
  const arrived = await moreThan(new Map());
  const known = await scraped();
  expect([...arrived].filter(([time, value]) => known.get(time) !== value)).toEqual([]);
  const last = Math.max(...arrived.keys()) / 1000;
  const answer = JSON.parse(
    await host.run(
      `curl -fsSG ${url}/api/v1/query --data-urlencode 'query=sum(up)' --data-urlencode time=${last} --data-urlencode nocache=1`,
    ),
  ) as {
    data: { result: { value: [number, string] }[] };
  };
  expect(answer.data.result.map(({ value }) => value[1])).toEqual([expect.stringMatching(/^[12]$/)]);
});

test("a second up changes nothing, opens no connection and restarts nothing", async () => {
  const process = await serverProcess(host, unit);
  const run = await stack.up();
  expect([changesOf(run), run.dials]).toEqual([{}, []]);
  expect(await step({})).toMatchObject({ code: 0, stdout: expect.stringMatching(/^unchanged: /) as string });
  expect(await serverProcess(host, unit)).toBe(process);
});

test("another retention is one line of the preview and one restart, and no sample is lost", async () => {
  const samples = await stored();
  change({ retention: "2y" });
  const shown = (await stack.preview()).output
    .match(/^ +[-+] \| .*$/gm)
    ?.map(line => line.trim().replace(/ -httpListenAddr.*/, ""));
  expect(shown).toEqual([
    `- | ExecStart=/usr/bin/victoria-metrics -storageDataPath=${data} -retentionPeriod=1y`,
    `+ | ExecStart=/usr/bin/victoria-metrics -storageDataPath=${data} -retentionPeriod=2y`,
  ]);
  await stack.up();
  expect(await starts()).toBe(2);
  const now = await stored();
  expect([...samples].filter(([time]) => !now.has(time))).toEqual([]);
  await moreThan(now);
});

test.each<[string, VictoriaMetricsSettings, number, RegExp]>([
  [
    "a flag that this version does not have",
    { flags: ["-no.such.flag=1"] },
    3,
    /has no flag -no\.such\.flag\. The host is as it was before\.$/,
  ],
  [
    "an address that is taken",
    { listen: "127.0.0.1:9090" },
    12,
    /something else answers at http:\/\/127\.0\.0\.1:9090 already; nothing was changed/,
  ],
  [
    "a directory with something else in it",
    { dataDirectory: "/var/lib/prometheus" },
    12,
    /\/var\/lib\/prometheus holds \S+, which is no data of VictoriaMetrics; nothing was changed/,
  ],
])("%s is refused, and the server runs on as it was", async (_what, more, code, words) => {
  const seen = [await inventory(host, true), await serverProcess(host, unit)];
  const result = await step({ retention: "2y", ...more });
  expect([result.code, lastWord(result)]).toEqual([code, expect.stringMatching(words)]);
  expect([await inventory(host, true), await serverProcess(host, unit)]).toEqual(seen);
});

test("a release from a URL with a wrong checksum is refused, and the server runs on as it was", async () => {
  const good = await release("v1.tar.gz", "one");
  const seen = [await inventory(host, true), await serverProcess(host, unit)];
  change({ download: { ...good, sha256: "0".repeat(64) } });
  const run = await stack.tryUp();
  expect(run.ok).toBe(false);
  expect(run.output).toContain(
    `what came from ${good.url} has the SHA-256 ${good.sha256}, not the one of the configuration; nothing was changed.`,
  );
  const missing = await step({ download: { ...good, url: files.urlForHosts("no-such-file") } });
  expect([missing.code, lastWord(missing)]).toEqual([
    3,
    expect.stringContaining("/no-such-file cannot be downloaded from this host"),
  ]);
  expect([await inventory(host, true), await serverProcess(host, unit)]).toEqual(seen);
});

test("a release takes over from the package, and the next release from it, each with one restart and all samples", async () => {
  const samples = await stored();
  for (const [name, note] of [
    ["v1.tar.gz", "one"],
    ["v2.tar.gz", "two"],
  ] as const) {
    const restarts = await starts();
    change({ download: await release(name, note) });
    await stack.up();
    expect(await starts()).toBe(restarts + 1);
    expect(await host.run("tail -c 3 /usr/local/bin/victoria-metrics-prod")).toBe(note);
  }
  const now = await stored();
  expect([...samples].filter(([time]) => !now.has(time))).toEqual([]);
  expect(await listeners()).toBe("127.0.0.1:8428\n");
});

test("destroy leaves the host as it was found, and the data", async () => {
  await host.run("cp -a /root/prometheus.yml /etc/prometheus/ && systemctl reload prometheus");
  const run = await stack.destroy();
  expect(run.output).toContain(`the data of VictoriaMetrics stay in ${data}`);
  expect(await inventory(host)).toBe(before);
  expect(await listeners()).toBe("");
  expect((await host.exec("dpkg-query --show victoria-metrics")).code).toBe(1);
  expect(await host.run(`ls ${data}`)).toContain("data\n");
});

test("data that are left are taken up again; whatever fails before that leaves nothing", async () => {
  const good = {
    url: files.urlForHosts("v1.tar.gz"),
    sha256: createHash("sha256")
      .update(files.files.get("v1.tar.gz") ?? "")
      .digest("hex"),
  };
  const refused = await step({ download: { ...good, sha256: "1".repeat(64) } });
  expect(refused.code).toBe(9);
  const broken = await step({
    download: good,
    dataDirectory: "/srv/metrics/new",
    flags: ["-maxConcurrentInserts=none"],
  });
  expect([broken.code, lastWord(broken)]).toEqual([
    4,
    expect.stringMatching(/the words of its journal are above\. The host is as it was before\.$/),
  ]);
  expect(await inventory(host)).toBe(before);
  expect(await host.run("ls /srv; systemctl show -P LoadState victoria-metrics.service")).toBe("not-found\n");
  expect(await step({ download: good })).toMatchObject({ code: 0 });
  expect((await stored()).size).toBeGreaterThan(1);
});

test("a server of somebody else is left alone", async () => {
  await host.run(`mv /usr/local/lib/prometheus-backup/victoria-metrics.state /root/`);
  const process = await serverProcess(host, unit);
  const result = await step({});
  expect([result.code, lastWord(result)]).toEqual([
    12,
    expect.stringContaining("runs on this host already and was not installed by this stack; nothing was changed"),
  ]);
  expect(await serverProcess(host, unit)).toBe(process);
  await host.run(`mv /root/victoria-metrics.state /usr/local/lib/prometheus-backup/`);
  expect(await remove(host, StepName.victoriaMetrics, "long-term-install")).toMatchObject({
    code: 0,
    stdout: `the data of VictoriaMetrics stay in ${data}\nremoved\n`,
  });
  expect(await inventory(host)).toBe(before);
});
