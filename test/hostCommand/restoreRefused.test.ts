// F13 to F16: restores that would do harm are refused before anything is touched, with the reason and the way out.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startS3Proxy, type S3Proxy } from "../servers/s3Proxy";
import { waitUntil } from "../tools/process";
import { slowTest, variants } from "../runner/pace";
import { historyIn, servedHistory } from "./served";
import { lines, processOf, startOwnServer, type OwnServer } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { errorOf, Site, type Manifest } from "./site";

let setting: Setting;
let proxy: S3Proxy;
/** One good server with one good backup, for refusals that leave both as they are. */
let server: OwnServer;
let site: Site;
let backup: Manifest;

const asRoot = { user: "root" };
const unitOf = (own: OwnServer) => ({ PROMETHEUS_UNIT: `${own.unit}.service` });

beforeAll(async () => {
  setting = await openSetting();
  proxy = await startS3Proxy({ target: setting.minio.endpointForHosts });
  server = await startOwnServer(setting.host, { name: "refusing", port: 9411, lasting: true });
  site = await Site.create(setting, {
    name: "refusing",
    prometheusUrl: server.url,
    endpoint: proxy.endpoint,
    settings: unitOf(server),
  });
  await site.good();
  backup = await site.manifest();
});

afterAll(async () => {
  await server.stop();
  await proxy.stop();
  await setting.stop();
});

/**
 * Process of the server and every file below and beside its data directory, but for what a running server writes all
 * the time.
 */
async function state(own: OwnServer): Promise<string> {
  return setting.host.run(`
    systemctl show --property MainPID ${own.unit}; systemctl cat ${own.unit}
    find ${own.dataDirectory} ${own.dataDirectory}.* -printf '%p %i %u %m\\n' 2>/dev/null | grep -v -e /wal -e /chunks_head -e /queries.active | sort || true`);
}

/**
 * With --plan and without: the same refusal, whose words are returned with those of the plan, and nothing has changed.
 */
async function refused(
  own: OwnServer,
  by: Site,
  code: number,
  words: string,
  environment = "",
): Promise<{ error: string; plan: string }> {
  const before = await state(own);
  const [plan, real] = [
    await by.command(`${words} --plan`, { ...asRoot, environment }),
    await by.command(`${words} --yes`, { ...asRoot, environment }),
  ];
  expect([plan.code, real.code], `${plan.stderr}${real.stderr}`).toEqual([code, code]);
  const [error, same] = [plan, real].map(finished => errorOf(finished).replace(/\(now [^)]*\)/, "(now)"));
  expect(same).toBe(error);
  expect(await state(own)).toBe(before);
  return { error: error ?? "", plan: plan.stdout };
}

test("F13: a server that answers but is not the unit's cannot be stopped, so it is not restored", async () => {
  const other = await Site.create(setting, {
    name: "refusing-unit",
    prometheusUrl: server.url,
    repositories: ["local"],
    localPath: site.localPath,
    settings: { PROMETHEUS_UNIT: "no-such.service" },
  });
  const { error } = await refused(server, other, 12, `restore latest --host ${site.name}`);
  expect(error).toBe(
    `a server answers at ${server.url}, but not as no-such.service, so it cannot be stopped; set prometheus.unit to its unit, stop it by hand, or use --merge or --target DIR`,
  );
});

test("F13: a process beside the unit that has the data open is named", async () => {
  const file = `${server.dataDirectory}/${backup.blocks[0]?.ulid}/index`;
  await setting.host.run(`systemd-run --quiet --unit holder --property StandardInput=file:${file} sleep 600`);
  const { error } = await refused(server, site, 12, "restore latest");
  expect(error).toMatch(
    new RegExp(
      `^another process has files in ${server.dataDirectory} open: pid \\d+ \\(.*sleep 600 ?\\); stop it first; nothing was touched$`,
    ),
  );
  await setting.host.run("systemctl stop holder");
});

test("F13: a unit that refuses to be stopped", async () => {
  const dropIn = `/etc/systemd/system/${server.unit}.service.d`;
  await setting.host.run(
    `mkdir -p ${dropIn} && printf '[Unit]\nRefuseManualStop=yes\n' >${dropIn}/stay.conf && systemctl daemon-reload`,
  );
  const { error } = await refused(server, site, 12, "restore latest");
  expect(error).toBe(
    `${server.unit}.service refuses to be stopped (RefuseManualStop); take that out of the unit, or use --merge or --target DIR`,
  );
  const cold = await Site.create(setting, {
    name: "refusing-cold",
    prometheusUrl: server.url,
    repositories: ["local"],
    settings: { ...unitOf(server), SOURCE: "cold", BACKUP_USER: "root" },
  });
  const process = await processOf(setting.host, server);
  const run = await cold.command("run");
  expect([run.code, errorOf(run)]).toEqual([
    12,
    `${server.unit}.service refuses to be stopped (RefuseManualStop); take that out of the unit, or choose source snapshot or hot`,
  ]);
  expect(await processOf(setting.host, server)).toBe(process);
  await setting.host.run(`rm -r ${dropIn} && systemctl daemon-reload`);
});

/**
 * The next restore from the bucket stands still at its third block until it may go on. `held` waits for that moment.
 */
function holdDownload(): { held: () => Promise<void>; now: () => void } {
  let now = (): void => undefined;
  const until = new Promise<void>(resolve => (now = resolve));
  const asked = proxy.requests.length;
  proxy.setRules([{ method: "GET", path: /\/refusing\/blocks\//, from: 3, to: 3, fault: { kind: "hold", until } }]);
  return {
    held: () =>
      waitUntil("a restore downloads", 60, () =>
        Promise.resolve(proxy.requests.slice(asked).some(({ fault }) => fault === "hold")),
      ),
    now,
  };
}

test("F13: a second restore, a backup and a heal are refused while a restore runs, and the first one ends well", async () => {
  const download = holdDownload();
  const first = site.command("restore latest --repository offsite --yes", asRoot);
  await download.held();
  for (const [words, user] of [
    ["restore latest --yes", "root"],
    ["restore latest --merge --yes", "root"],
    ["heal --yes", "root"],
    ["run", "prometheus"],
  ] as const) {
    const second = await site.command(words, { user });
    expect([words, second.code], second.stderr).toEqual([words, 10]);
    expect(errorOf(second)).toMatch(
      /^another run \(pid \d+, restore since \d\d:\d\d:\d\d UTC\) holds the lock; nothing was done; wait for it, or look at it with 'ps'$/,
    );
  }
  download.now();
  const { code, stderr } = await first;
  expect(code, stderr).toBe(0);
  await setting.host.run(`rm -rf ${server.dataDirectory}.before-*`);
  proxy.setRules([]);
});

const blockLines = (blocks: Manifest["blocks"]) => {
  const minute = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");
  return blocks.map(
    ({ ulid, minTime, maxTime }) => `             ${ulid}  ${minute(minTime)} … ${minute(maxTime)} UTC`,
  );
};

// What the server really deletes is the proof that the plan was right.
test.concurrent.each(
  variants([["size", "--storage.tsdb.retention.size="]], [["time", "--storage.tsdb.retention.time=12h"]]),
)(
  "F14: the plan names the blocks that retention by %s would delete again, the restore is refused, and with the override exactly they vanish",
  async (kind, flag) => {
    const newestFirst = [...backup.blocks].sort((a, b) => b.maxTime - a.maxTime);
    // In the middle of the fifth block, and without scrapes, whose WAL would count as well.
    const limit = `${Math.round(newestFirst.slice(0, 9).reduce((sum, { bytes }, index) => sum + (index < 4 ? bytes : index === 4 ? bytes / 2 : 0), 0) / 1024)}KB`;
    const name = `retaining-${kind}`;
    const small = await startOwnServer(setting.host, {
      name,
      port: kind === "time" ? 9412 : 9413,
      lasting: true,
      history: false,
      scrapeSeconds: 0,
      flags: [kind === "time" ? flag : flag + limit],
    });
    const reader = await Site.create(setting, {
      name,
      prometheusUrl: small.url,
      repositories: ["local"],
      localPath: site.localPath,
      settings: unitOf(small),
    });
    const restore = `restore ${backup.name} --host ${site.name}`;
    const { error, plan } = await refused(small, reader, 12, restore);
    const lost = Number(/would delete (\d+) of 9 blocks again/.exec(error)?.[1]);
    expect(error).toBe(
      `the server's retention would delete ${lost} of 9 blocks again; nothing was touched; raise the server's retention, or use --target DIR, or pass --allow-retention-loss`,
    );
    expect(lost).toBeGreaterThan(1);
    expect(lost).toBeLessThan(8);
    expect(plan).toContain(`  retention  ! ${lost} of 9 blocks go beyond this server's `);
    expect(plan).toContain(blockLines(newestFirst.slice(-lost)).join("\n"));
    expect(plan).not.toContain(newestFirst.at(-lost - 1)?.ulid);

    await reader.good(`${restore} --yes --allow-retention-loss`, asRoot);
    const kept = newestFirst
      .slice(0, -lost)
      .map(({ ulid }) => ulid)
      .sort();
    await waitUntil(
      "the server has deleted what its retention does not keep",
      100,
      async () => (await small.blocks()).length <= kept.length,
      1000,
    );
    expect(await small.blocks()).toEqual(kept);
    await small.stop();
  },
);

slowTest.concurrent(
  "F15: blocks that end in the future are refused with the reason, and can be had elsewhere",
  async () => {
    const name = "ahead-of-time";
    const config = `/srv/sites/${name}`;
    await setting.host.run(`
    set -Eeuo pipefail
    mkdir -p ${config}/future
    from=$(( ($(date +%s) / 7200 + 12) * 7200 ))
    { echo '# TYPE history_requests counter'; for t in $(seq $from 60 $(( from + 7000 ))); do echo "history_requests_total{path=\\"/p0\\"} 1 $t"; done; echo '# EOF'; } >${config}/text
    promtool tsdb create-blocks-from openmetrics ${config}/text ${config}/future >/dev/null`);
    const future = await startOwnServer(setting.host, { name, port: 9414, lasting: true });
    await setting.host.run(
      `cp -r ${config}/future/01* ${future.dataDirectory}/ && chown -R prometheus: ${future.dataDirectory}`,
    );
    const own = await Site.create(setting, {
      name,
      prometheusUrl: future.url,
      repositories: ["local"],
      settings: { ...unitOf(future), SOURCE: "hot" },
    });
    await own.good();
    await setting.host.run(`rm -rf ${future.dataDirectory}/$(ls ${config}/future)`);
    for (const words of ["restore latest", "restore latest --merge"]) {
      const { error } = await refused(future, own, 12, words);
      expect(error).toMatch(
        /^1 block ends in the future, the last at \d{4}-.*Z, and the server would refuse every new sample until then; nothing was touched; correct this host's clock if it is wrong \(now\), or restore them elsewhere with --target DIR$/,
      );
    }
    await own.good(`restore latest --target ${config}/elsewhere --yes`, asRoot);
    expect(lines(await setting.host.run(`ls -d ${config}/elsewhere/01*`))).toHaveLength(HISTORY_BLOCKS + 1);
    await future.stop();
  },
);

test("F15: a host whose clock runs behind refuses what is from its future", async () => {
  const environment = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=-1d";
  const { error } = await refused(server, site, 12, `restore ${backup.name}`, environment);
  expect(error).toMatch(/^\d+ blocks? ends? in the future/);
});

/** A server whose data directory lies in a small file system of its own, or is one. */
async function cramped(
  name: string,
  port: number,
  mount: "data" | "above",
  size: string,
): Promise<{ own: OwnServer; reader: Site; room: string }> {
  const room = `/srv/sites/${name}/${mount === "data" ? "data" : "room"}`;
  await setting.host.run(
    `mkdir -p ${room} && mount -t tmpfs -o size=${size},mode=0755,uid=prometheus,gid=prometheus tmpfs ${room}`,
  );
  const own = await startOwnServer(setting.host, {
    name,
    port,
    lasting: true,
    history: false,
    dataDirectory: mount === "data" ? room : `${room}/data`,
  });
  const reader = await Site.create(setting, {
    name,
    prometheusUrl: own.url,
    endpoint: proxy.endpoint,
    localPath: site.localPath,
    settings: unitOf(own),
  });
  return { own, reader, room };
}

test.concurrent(
  "F16: without space for blocks beside today's data nothing is downloaded; space that goes during the download ends with 7 and leaves nothing",
  async () => {
    const { own, reader, room } = await cramped("narrow", 9415, "above", "100m");
    const fill = await setting.host.run(`df --output=avail -B1M ${room} | tail -n 1`);
    await setting.host.run(`fallocate -l ${Number(fill) - 20}M ${room}/fill`);
    const restore = `restore ${backup.name} --host ${site.name}`;
    const { error } = await refused(own, reader, 7, restore);
    expect(error).toMatch(
      new RegExp(
        `^20\\.\\d MB are free on the file system of ${room}, the restore needs \\d+\\.\\d MB; nothing was touched; free space, or restore a part with --target DIR elsewhere$`,
      ),
    );
    await setting.host.run(`rm ${room}/fill`);
    const before = await state(own);
    const download = holdDownload();
    const running = reader.command(`${restore} --yes --repository offsite`, asRoot);
    await download.held();
    await setting.host.run(`head -c 100M /dev/zero >${room}/fill 2>/dev/null || true`);
    download.now();
    const late = await running;
    proxy.setRules([]);
    expect(late.code, late.stderr).toBe(7);
    expect(await state(own)).toBe(before);
    await setting.host.run(`rm ${room}/fill`);
    await reader.good(`${restore} --yes`, asRoot);
    expect(await servedHistory(setting.host, own.url)).toEqual(await servedHistory(setting.host, server.url));
    await own.stop();
  },
);

slowTest.concurrent(
  "F16: a data directory that is a file system of its own is restored inside it, and --target goes to any other",
  async () => {
    const { own, reader, room } = await cramped("mounted", 9416, "data", "300m");
    await reader.good(`restore ${backup.name} --host ${site.name} --yes`, asRoot);
    const history = await servedHistory(setting.host, server.url);
    expect(await servedHistory(setting.host, own.url)).toEqual(history);
    expect(lines(await setting.host.run(`cd ${room} && ls -d before-* restore-* 2>/dev/null || true`))).toEqual([
      expect.stringMatching(/^before-\d{8}T\d{6}Z$/),
    ]);
    await own.stop();
    const elsewhere = "/srv/sites/mounted/elsewhere";
    await setting.host.run(`mkdir ${elsewhere} && mount -t tmpfs -o size=200m tmpfs ${elsewhere}`);
    await reader.good(`restore ${backup.name} --host ${site.name} --target ${elsewhere} --yes`, asRoot);
    expect(await historyIn(setting.host, elsewhere, 9417)).toEqual(history);
  },
);

slowTest.concurrent(
  "F16: a data directory or one above it that the server's user may not use is refused; what is restored belongs to that user",
  async () => {
    const name = "owned";
    const own = await startOwnServer(setting.host, {
      name,
      port: 9418,
      lasting: true,
      dataDirectory: `/srv/sites/${name}/above/data`,
    });
    const reader = await Site.create(setting, {
      name,
      prometheusUrl: own.url,
      endpoint: proxy.endpoint,
      localPath: site.localPath,
      settings: unitOf(own),
    });
    const restore = `restore ${backup.name} --host ${site.name}`;
    await own.stop();
    await setting.host.run(`chown root:root ${own.dataDirectory}`);
    const wrong = await refused(own, reader, 12, restore);
    expect(wrong.error).toBe(
      `the server's user 'prometheus' cannot write to ${own.dataDirectory}, so the server would not start on the restored data; nothing was touched; run: chown prometheus:prometheus ${own.dataDirectory} && chmod u+rwx ${own.dataDirectory}`,
    );
    await setting.host.run(
      `chown prometheus:prometheus ${own.dataDirectory} && chmod u+rwx ${own.dataDirectory} && chmod 0700 /srv/sites/${name}/above && chown root: /srv/sites/${name}/above`,
    );
    const closed = await refused(own, reader, 12, restore);
    expect(closed.error).toContain(`the server's user 'prometheus' cannot enter /srv/sites/${name}/above`);
    await setting.host.run(`chmod 0755 /srv/sites/${name}/above`);
    await reader.good(`${restore} --yes`, asRoot);
    expect(await setting.host.run(`find ${own.dataDirectory} ! -user prometheus -o ! -group prometheus`)).toBe("");
    expect(await servedHistory(setting.host, own.url)).toEqual(await servedHistory(setting.host, server.url));
    await own.stop();
  },
);
