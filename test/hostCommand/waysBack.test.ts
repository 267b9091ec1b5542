// The ways back that touch no server: export for Thanos, companions, and a machine that is no host of any stack.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitForPrometheus } from "../hosts/host";
import { COMMAND } from "./install";
import { representatives, slowTest } from "../runner/pace";
import { lines, startOwnServer, type OwnServer } from "./server";
import { BUCKET, HISTORY_SERIES, openSetting, type Setting } from "./setting";
import { errorOf, Site, type ListedBackup, type Manifest } from "./site";

const CONFIGURATION = "/srv/sites/ways/prometheus.yml";
const TARGETS = "/srv/sites/ways/targets.json";
const RULES = "/srv/sites/ways/rules.yml";

let setting: Setting;
let server: OwnServer;
let site: Site;
let whole: Manifest;

beforeAll(async () => {
  setting = await openSetting();
  const { host } = setting;
  await host.writeFile(RULES, "groups: [ { name: own, rules: [ { record: own, expr: up } ] } ]\n", {
    mode: "0640",
    owner: "root:prometheus",
  });
  await host.writeFile(TARGETS, '[ { "targets": [ "127.0.0.1:9" ] } ]\n');
  server = await startOwnServer(host, {
    name: "ways",
    port: 9381,
    globals: "external_labels: { replica: a, env: test }",
    configuration: `rule_files: [ ${RULES} ]\nalerting: { alertmanagers: [ { basic_auth: { username: u, password: hunter2 }, file_sd_configs: [ { files: [ ${TARGETS} ] } ] } ] }\n`,
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
const sums = async (directory: string, words: string) =>
  lines(await setting.host.run(`cd ${directory} && find . -type f ${words} -exec sha256sum {} + | sort`));

test("an export for Thanos holds the server's own blocks, each with the labels of the server", async () => {
  const target = "/srv/sites/ways/thanos";
  const exported = await site.good(`export latest --thanos ${target} --label region=eu`, { user: "root" });
  expect(exported.stderr).toContain(`\nExported ${whole.blocks.length} blocks of ${whole.name} to ${target}.`);
  expect(exported.stderr).toContain(
    `--path='${target}' --label='env="test"' --label='region="eu"' --label='replica="a"'\n`,
  );
  expect(lines(await setting.host.run(`ls -A ${target}`))).toEqual(whole.blocks.map(({ ulid }) => ulid).sort());

  const data = whole.blocks
    .filter(({ head }) => !head)
    .map(({ ulid }) => `-path './${ulid}/*'`)
    .join(" -o ");
  const bytes = `\\( ${data} \\) \\( -name index -o -path '*/chunks/*' \\)`;
  expect(await sums(target, bytes)).toEqual(await sums(server.dataDirectory, bytes));
  expect(await setting.host.run(`cd ${target} && find . -mindepth 2 -type f | cut -d / -f 3- | sort -u`)).toBe(
    "chunks/000001\nindex\nmeta.json\n",
  );

  for (const { ulid, numSamples } of whole.blocks) {
    const meta = JSON.parse(await setting.host.readFile(`${target}/${ulid}/meta.json`)) as {
      stats: { numSamples: number };
      compaction: { level: number };
      thanos: object;
    };
    expect([meta.stats.numSamples, meta.compaction.level]).toEqual([numSamples, 1]);
    expect(meta.thanos).toMatchObject({
      version: 1,
      labels: { env: "test", region: "eu", replica: "a" },
      downsample: { resolution: 0 },
      source: "sidecar",
    });
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
  expect(lines((await site.good("companions latest", { user: "root" })).stdout)).toEqual(
    expect.arrayContaining([CONFIGURATION, RULES, TARGETS, "/left-out.txt", "/unit.txt"]),
  );

  const { stderr } = await site.good(`companions latest --target ${target}`, { user: "root" });
  expect(stderr).toMatch(
    new RegExp(`^ {2}${CONFIGURATION} +differs from the one in force; secrets masked as <secret>: 2$`, "m"),
  );
  expect(stderr).toMatch(new RegExp(`^ {2}${RULES} +differs from the one in force$`, "m"));
  expect(await host.readFile(`${target}${TARGETS}`)).toBe(await host.readFile(TARGETS));
  // Remarks may hold anything, so all but the names of the unit's files are left out.
  expect(await host.readFile(`${target}/unit.txt`)).toBe(
    await host.run("systemctl cat prometheus.service | grep -v '^# [^/]'"),
  );
  expect(await host.readFile(`${target}/left-out.txt`)).toContain(`${CONFIGURATION} line 5: password\n`);
  expect(stderr).toContain(`\n  install -D --mode=640 --owner=root --group=prometheus -- ${target}${RULES} ${RULES}\n`);
  expect(stderr).toContain(`\n  promtool check config ${CONFIGURATION}\n`);
  expect(await host.run(`stat --format '%a %U:%G' ${target}${RULES}`)).toBe("640 root:prometheus\n");
  expect((await host.exec(`grep -r hunter2 ${target}`)).code).toBe(1);
  expect((await host.exec(`zstd -dc ${site.localPath}/${site.name}/companions/* | grep -c hunter2`)).stdout).toBe(
    "0\n",
  );

  // What is printed works, and nothing was in force before it was typed.
  await host.run(`sed -i '/changed since/d' ${RULES}`);
  expect(await sums("/srv/sites/ways", `-name '*.yml' -not -path '*/companions/*'`)).toEqual(inForce);
  await host.run(`rm ${RULES} && install -D --mode=640 --owner=root --group=prometheus -- ${target}${RULES} ${RULES}`);
  expect(await sums("/srv/sites/ways", `-name '*.yml' -not -path '*/companions/*'`)).toEqual(inForce);

  const again = await site.command(`companions latest --target ${target}`, { user: "root" });
  expect([again.code, errorOf(again)]).toEqual([
    12,
    `${target} is not empty; name a new or empty directory, for nothing is mixed with what is there`,
  ]);
});

slowTest("a directory with something in it, and deleted series, are refused before anything is written", async () => {
  const full = await site.command("export latest --thanos /srv/sites/ways/part", { user: "root" });
  expect([full.code, errorOf(full)]).toEqual([
    12,
    "/srv/sites/ways/part is not empty; name a new or empty directory, for nothing is mixed with what is there",
  ]);

  await setting.host.run(
    `curl -fsS -g -X POST '${server.url}/api/v1/admin/tsdb/delete_series?match[]=history_requests_total{path="/p7"}'`,
  );
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

/**
 * A number of parts of which at least two hold blocks, and how many do: names of blocks are random, and all may fall
 * into one.
 */
function someParts(blocks: { ulid: string }[]): { sample: number; filled: number } {
  const partOf = (ulid: string, parts: number): number =>
    [...ulid].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_003, 0) % parts;
  for (let sample = 2; ; sample++) {
    const filled = new Set(blocks.map(({ ulid }) => partOf(ulid, sample))).size;
    if (filled > 1) {
      return { sample, filled };
    }
  }
}

slowTest("drills in parts take turns, and the next backup knows of them", async () => {
  const { sample, filled } = someParts(whole.blocks);
  const said = [];
  const parts = [...Array.from({ length: filled }, (_, index) => index + 1), 1];
  for (const _part of parts) {
    said.push((await site.good(`drill ${whole.name} --sample ${sample}`)).stderr);
  }
  expect(said).toEqual(parts.map(part => expect.stringContaining(`(part ${part} of ${filled}; `) as string));
  const metrics = await site.metrics();
  expect([metrics.get("drill_last_success_timestamp_seconds"), metrics.get("drill_restore_seconds")]).toEqual([
    expect.any(Number),
    undefined,
  ]);
  await site.good();
  expect((await site.manifest()).lastDrill?.restoreSeconds).toBeNull();
});

describe("a machine without settings and without a running server", () => {
  /** The command of a user without rights, who has the repository and a prometheus program. */
  const anywhere = (words: string) =>
    setting.host.exec(`cd /home/deploy && PROMETHEUS_BACKUP_CONFIG=/none HOME=/home/deploy ${COMMAND} ${words}`, {
      user: "deploy",
    });
  const places = { "a copy of the directory": "repository", "a remote of the user's own rclone": `mine:${BUCKET}` };

  beforeAll(async () => {
    const { host, minio } = setting;
    const remote = [
      "[mine]",
      "type = s3",
      "provider = Other",
      `endpoint = ${minio.endpointForHosts}`,
      `region = ${minio.region}`,
      `access_key_id = ${minio.root.accessKeyId}`,
      `secret_access_key = ${minio.root.secretAccessKey}`,
      "",
    ];
    await host.writeFile("/home/deploy/.config/rclone/rclone.conf", remote.join("\n"), { mode: "0600" });
    await host.run(
      `cp -r ${site.localPath} /home/deploy/repository && chown -R deploy /home/deploy && systemctl stop prometheus`,
    );
    await server.stop();
  });

  afterAll(async () => {
    await setting.host.run(
      "systemctl start prometheus && rm -rf /home/deploy/repository /home/deploy/.config /home/deploy/look",
    );
    await waitForPrometheus(setting.host);
  });

  test.each(representatives(Object.entries(places), ([, place]) => place !== "repository"))(
    "a drill proves a backup in %s",
    async (_, place) => {
      const drilled = await anywhere(`drill ${whole.name} --at ${place} --host ways`);
      expect(drilled.code, drilled.stderr).toBe(0);
      expect(drilled.stderr).toContain(`✔ ${whole.blocks.length} of ${whole.blocks.length} blocks, `);
      expect(
        await setting.host.run("ls -d /tmp/prometheus-backup* 2>/dev/null; pgrep -u deploy prometheus; true"),
      ).toBe("");
    },
  );

  slowTest("a drill of one part reads that part, and all parts are the backup", async () => {
    const drilled = [];
    const { sample, filled } = someParts(whole.blocks);
    for (let part = 1; part <= filled; part++) {
      const { code, stderr } = await anywhere(
        `drill ${whole.name} --sample ${part}/${sample} --at repository --host ways`,
      );
      expect(code, stderr).toBe(0);
      drilled.push(
        Number(
          new RegExp(
            `✔ (\\d+) of \\1 blocks, .* \\(part ${part} of ${filled}; ${whole.blocks.length} blocks in the backup\\); restored and ready in`,
          ).exec(stderr)?.[1],
        ),
      );
    }
    expect(drilled.reduce((sum, count) => sum + count, 0)).toBe(whole.blocks.length);
  });

  test.each(Object.entries(places))("what there is in %s is listed, shown and verified", async (_, place) => {
    const list = await anywhere(`list --json --at ${place} --host ways`);
    expect(
      (JSON.parse(list.stdout) as ListedBackup[]).map(({ name, complete }) => [name, complete]),
      list.stderr,
    ).toContainEqual([whole.name, true]);
    expect(
      (JSON.parse((await anywhere(`show ${whole.name} --json --at ${place} --host ways`)).stdout) as Manifest).name,
    ).toBe(whole.name);
    const verified = await anywhere(`verify ${whole.name} --at ${place} --host ways`);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining(`✔ ${whole.name} in given: `)]);
    const nobody = await anywhere(`list --at ${place} --host nobody`);
    expect([nobody.code, nobody.stderr]).toEqual([0, expect.stringMatching(/^there are no backups of nobody in /)]);
  });

  test("a damaged backup fails a drill there, too", async () => {
    const object = whole.blocks[0]?.object ?? "";
    await setting.host.run(
      `cd /home/deploy && cp -rp repository damaged && printf x | dd of=damaged/ways/${object} bs=1 seek=2000 conv=notrunc status=none`,
    );
    const drilled = await anywhere(`drill ${whole.name} --at damaged --host ways`);
    expect([drilled.code, drilled.stderr]).toEqual([
      9,
      expect.stringContaining(`${object} is damaged: its checksum is not the recorded one`),
    ]);
    expect(
      await setting.host.run(
        "rm -r /home/deploy/damaged; ls -d /tmp/prometheus-backup* 2>/dev/null; pgrep -u deploy prometheus; true",
      ),
    ).toBe("");
  });

  test("browse serves a backup until it is ended, and leaves nothing", async () => {
    const script = `${COMMAND} browse ${whole.name} --at repository --host ways >url 2>words & job=$!
      for (( try = 0; try < 600; try++ )); do if [[ -s url ]] || ! kill -0 $job; then break; fi; sleep 0.1; done
      curl -fsS --get "$(sed 's|/graph.*||' url)/api/v1/query" --data-urlencode 'query=count(count_over_time(history_requests_total[2d]))'
      kill -TERM $job; wait $job; echo " $?"; rm url words`;
    const browsed = await setting.host.exec(
      `cd /home/deploy && export PROMETHEUS_BACKUP_CONFIG=/none HOME=/home/deploy; ${script}`,
      { user: "deploy" },
    );
    expect(browsed.stdout, browsed.stderr).toMatch(new RegExp(`"${HISTORY_SERIES}"\\]\\}\\]\\}\\} 143\n$`));
    expect(await setting.host.run("ls -d /tmp/prometheus-backup* 2>/dev/null; pgrep -u deploy prometheus; true")).toBe(
      "",
    );
  });

  test("browse on a host serves the wanted time alone, and Ctrl-C ends it", async () => {
    const [first, second] = [...whole.blocks].sort((a, b) => a.minTime - b.minTime);
    const part = `--from ${new Date(first?.minTime ?? 0).toISOString()} --to ${new Date(first?.maxTime ?? 0).toISOString()}`;
    const call = `${COMMAND} browse ${whole.name} ${part}`;
    const browsed = await setting.host.exec(
      `cd ${site.stateDirectory} && export PROMETHEUS_BACKUP_CONFIG=${site.configuration}
      { for (( try = 0; try < 300; try++ )); do if [[ -s url ]]; then break; fi; sleep 0.1; done
        for at in ${first?.minTime} ${second?.minTime}; do
          curl -fsS --get "$(sed 's|/graph.*||' url)/api/v1/query" --data-urlencode "time=$(( at / 1000 + 3600 ))" --data-urlencode 'query=count(history_requests_total)'; echo
        done; } >answers &
      timeout --preserve-status --signal=INT 30 ${call} >url 2>words; echo "$?"; wait; cat answers; rm url words answers`,
      { user: "prometheus" },
    );
    const [code, there, beyond] = lines(browsed.stdout);
    expect(code, browsed.stdout + browsed.stderr).toBe("130");
    expect([there, beyond]).toEqual([
      expect.stringContaining(`"${HISTORY_SERIES}"]`),
      expect.stringContaining('"result":[]'),
    ]);
    expect(
      await setting.host.run(`ls -d ${site.stateDirectory}/scratch.* 2>/dev/null; pgrep -f '[b]rowse'; true`),
    ).toBe("");
  });

  test("what needs a host of its own is refused there", async () => {
    const codes = [];
    for (const words of [
      "run --at repository --host ways",
      "restore latest --at repository --host ways",
      "drill --at repository",
      "drill",
    ]) {
      codes.push((await anywhere(words)).code);
    }
    expect(codes).toEqual([2, 2, 2, 3]);
  });
});
