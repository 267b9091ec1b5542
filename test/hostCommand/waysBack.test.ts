// The ways back that touch no server: export for Thanos, companions.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startOwnServer, lines, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, Site, type Manifest } from "./site";

const CONFIGURATION = "/srv/sites/ways/prometheus.yml";
const RULES = "/srv/sites/ways/rules.yml";

let setting: Setting;
let server: OwnServer;
let site: Site;
let whole: Manifest;

beforeAll(async () => {
  setting = await openSetting();
  const { host } = setting;
  await host.writeFile(RULES, "groups: [ { name: own, rules: [ { record: own, expr: up } ] } ]\n", { mode: "0640", owner: "root:prometheus" });
  server = await startOwnServer(host, {
    name: "ways",
    port: 9381,
    globals: "external_labels: { replica: a, env: test }",
    configuration: `rule_files: [ ${RULES} ]\nalerting: { alertmanagers: [ { basic_auth: { username: u, password: hunter2 }, static_configs: [ { targets: [ "127.0.0.1:9" ] } ] } ] }\n`,
  });
  site = await Site.create(setting, { name: "ways", prometheusUrl: server.url });
  await site.good();
  whole = await site.manifest();
});

afterAll(async () => {
  await server?.stop();
  await setting?.stop();
});

/** Checksum and path of every file below a directory that `find` chooses with these words. */
const sums = async (directory: string, words: string) => lines(await setting.host.run(`cd ${directory} && find . -type f ${words} -exec sha256sum {} + | sort`));

test("an export for Thanos holds the server's own blocks, each with the labels of the server", async () => {
  const target = "/srv/sites/ways/thanos";
  const exported = await site.good(`export latest --thanos ${target} --label region=eu`, { user: "root" });
  expect(exported.stderr).toContain(`\nExported ${whole.blocks.length} blocks of ${whole.name} to ${target}.`);
  expect(exported.stderr).toContain(`--path='${target}' --label='env="test"' --label='region="eu"' --label='replica="a"'\n`);
  expect(lines(await setting.host.run(`ls -A ${target}`))).toEqual(whole.blocks.map(({ ulid }) => ulid).sort());

  const data = whole.blocks.filter(({ head }) => !head).map(({ ulid }) => `-path './${ulid}/*'`).join(" -o ");
  const bytes = `\\( ${data} \\) \\( -name index -o -path '*/chunks/*' \\)`;
  expect(await sums(target, bytes)).toEqual(await sums(server.dataDirectory, bytes));
  expect(await setting.host.run(`cd ${target} && find . -mindepth 2 -type f | cut -d / -f 3- | sort -u`)).toBe("chunks/000001\nindex\nmeta.json\n");

  for (const { ulid, numSamples } of whole.blocks) {
    const meta = JSON.parse(await setting.host.readFile(`${target}/${ulid}/meta.json`)) as { stats: { numSamples: number }; compaction: { level: number }; thanos: object };
    expect([meta.stats.numSamples, meta.compaction.level]).toEqual([numSamples, 1]);
    expect(meta.thanos).toMatchObject({ version: 1, labels: { env: "test", region: "eu", replica: "a" }, downsample: { resolution: 0 }, source: "sidecar" });
  }
});

test("a part of the time is exported as whole blocks", async () => {
  const [first, second] = [...whole.blocks].sort((a, b) => a.minTime - b.minTime);
  const to = new Date(first?.maxTime ?? 0).toISOString();
  await site.good(`export ${whole.name} --thanos /srv/sites/ways/part --to ${to}`, { user: "root" });
  expect(lines(await setting.host.run("ls /srv/sites/ways/part"))).toEqual([first?.ulid]);
  expect(second?.minTime).toBeGreaterThanOrEqual(first?.maxTime ?? 0);
});

test("companions come back beside those in force: secrets masked, rules with their mode and owner", async () => {
  const { host } = setting;
  const target = "/srv/sites/ways/companions";
  const inForce = await sums("/srv/sites/ways", `-name '*.yml' -not -path '*/companions/*'`);
  await host.run(`echo '# changed since' >>${RULES}`);
  expect(lines((await site.good("companions latest", { user: "root" })).stdout)).toEqual(expect.arrayContaining([CONFIGURATION, RULES]));

  const { stderr } = await site.good(`companions latest --target ${target}`, { user: "root" });
  expect(stderr).toMatch(new RegExp(`^ {2}${CONFIGURATION} +differs from the one in force; secrets masked as <secret>: 1$`, "m"));
  expect(stderr).toMatch(new RegExp(`^ {2}${RULES} +differs from the one in force$`, "m"));
  expect(stderr).toContain(`\n  install -D --mode=640 --owner=root --group=prometheus -- ${target}${RULES} ${RULES}\n`);
  expect(stderr).toContain(`\n  promtool check config ${CONFIGURATION}\n`);
  expect(await host.run(`stat --format '%a %U:%G' ${target}${RULES}`)).toBe("640 root:prometheus\n");
  expect((await host.exec(`grep -r hunter2 ${target}`)).code).toBe(1);
  expect((await host.exec(`zstd -dc ${site.localPath}/${site.name}/companions/* | grep -c hunter2`)).stdout).toBe("0\n");

  // What is printed works, and nothing was in force before it was typed.
  await host.run(`sed -i '/changed since/d' ${RULES}`);
  expect(await sums("/srv/sites/ways", `-name '*.yml' -not -path '*/companions/*'`)).toEqual(inForce);
  await host.run(`rm ${RULES} && install -D --mode=640 --owner=root --group=prometheus -- ${target}${RULES} ${RULES}`);
  expect(await sums("/srv/sites/ways", `-name '*.yml' -not -path '*/companions/*'`)).toEqual(inForce);

  const again = await site.command(`companions latest --target ${target}`, { user: "root" });
  expect([again.code, errorOf(again)]).toEqual([12, `${target} is not empty; name a new or empty directory, for nothing is mixed with what is there`]);
});

test("a directory with something in it, and deleted series, are refused before anything is written", async () => {
  const full = await site.command("export latest --thanos /srv/sites/ways/part", { user: "root" });
  expect([full.code, errorOf(full)]).toEqual([12, "/srv/sites/ways/part is not empty; name a new or empty directory, for nothing is mixed with what is there"]);

  await setting.host.run(`curl -fsS -g -X POST '${server.url}/api/v1/admin/tsdb/delete_series?match[]=history_requests_total{path="/p7"}'`);
  await site.good();
  const marked = (await site.manifest()).blocks.filter(({ numTombstones }) => numTombstones > 0).length;
  const refused = await site.command("export latest --thanos /srv/sites/ways/deleted", { user: "root" });
  expect(marked).toBeGreaterThan(1);
  expect([refused.code, errorOf(refused)]).toEqual([
    12,
    `deleted series in ${marked} blocks would come back in Thanos, which reads no tombstones; nothing was touched; on the server call /api/v1/admin/tsdb/clean_tombstones and take a new backup, or pass --with-deleted if they may come back`,
  ]);
  expect(await setting.host.run("ls -d /srv/sites/ways/deleted 2>/dev/null || echo none")).toBe("none\n");
});
