// F7 and F12: an S3 server that fails in the middle, lies or refuses; and a prefix that belongs to another machine.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startMinio } from "../servers/minio";
import { startS3Proxy, type FaultRule, type S3Proxy } from "../servers/s3Proxy";
import { waitUntil } from "../tools/process";
import { COMMAND, writeS3Remote } from "./install";
import { representatives, slowTest } from "../runner/pace";
import { startOwnServer, type OwnServer } from "./server";
import { BUCKET, HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { errorOf, expectFailure, Site } from "./site";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "quiet", port: 9341 });
});

afterAll(async () => {
  await server.stop();
  await setting.stop();
});

const UNTOUCHED = "no new backup was recorded there, the last one is untouched; the next run resumes";
/**
 * Fewer seconds than a real host waits, for a run that would wait in vain. What must end well gets its time, on a busy
 * machine too.
 */
const IMPATIENT = { TRANSFER_TIMEOUT_SECONDS: "3" };

/** What a run says of the bucket of that site. */
const told = (name: string, what: RegExp) =>
  new RegExp(`^repository offsite \\(offsite:${BUCKET}/${name}\\): ${what.source}`);

interface Broken {
  site: Site;
  proxy: S3Proxy;
}

/** A site whose bucket is reached through a proxy of its own. */
async function behindProxy(
  name: string,
  settings: Record<string, string> = {},
  repositories: ("local" | "offsite")[] = ["offsite"],
): Promise<Broken> {
  const proxy = await startS3Proxy({ target: setting.minio.endpointForHosts });
  const site = await Site.create(setting, {
    name,
    prometheusUrl: server.url,
    endpoint: proxy.endpoint,
    repositories,
    settings,
  });
  return { site, proxy };
}

/** The blocks among the objects that the bucket took, each as often as it was sent. */
const storedBlocks = ({ proxy }: Broken) => proxy.stored().filter(path => path.includes("/blocks/"));

/** After the fault is over, the next run completes the work and sends no block again that was stored before it. */
async function expectResumed(broken: Broken): Promise<void> {
  const { site, proxy } = broken;
  proxy.setRules([]);
  const before = storedBlocks(broken);
  await site.good();
  expect((await site.list()).every(({ complete }) => complete)).toBe(true);
  await site.good("verify");
  const blocks = storedBlocks(broken);
  expect({
    different: new Set(blocks).size,
    again: blocks.slice(before.length).filter(path => before.includes(path)),
  }).toEqual({ different: HISTORY_BLOCKS, again: [] });
  await proxy.stop();
}

describe.concurrent("F7: the repository fails in the middle", () => {
  const failing: { name: string; title: string; rules: FaultRule[]; message: RegExp }[] = [
    {
      name: "nth-object",
      title: "503 on the fifth block and all after it",
      rules: [{ method: "PUT", path: /\/blocks\//, from: 5, fault: { kind: "answer", status: 503, code: "SlowDown" } }],
      message: told("nth-object", /upload: blocks\/01[0-9A-Z]{24}\.tar\.zst: rclone: .*SlowDown.* \(3 tries\); /),
    },
    {
      name: "manifest",
      title: "503 on the manifest",
      rules: [
        { method: "PUT", path: /\/manifest\/backups\//, fault: { kind: "answer", status: 503, code: "SlowDown" } },
      ],
      message: told("manifest", /the manifest: backups\/\d{8}T\d{6}Z\.json: rclone: .*SlowDown.* \(3 tries\); /),
    },
    {
      name: "refused",
      title: "403 on every write",
      rules: [{ method: "PUT", path: /./, fault: { kind: "answer", status: 403, code: "AccessDenied" } }],
      message: told(
        "refused",
        /owner.json: .*AccessDenied.*\(the host's role or key may not do this on this prefix; 'pulumi up' attaches the policy\); /,
      ),
    },
    {
      name: "silent",
      title: "an upload that is never answered",
      rules: [{ method: "PUT", path: /\/blocks\//, from: 3, fault: { kind: "hang" } }],
      message: told("silent", /upload: blocks\/01[0-9A-Z]{24}\.tar\.zst: no end within 3 s \(3 tries\); /),
    },
    {
      name: "cut",
      title: "connections that break in the middle of a body",
      rules: [{ method: "PUT", path: /\/blocks\//, from: 2, fault: { kind: "cut", afterBytes: 1000 } }],
      message: told("cut", /upload: blocks\/01[0-9A-Z]{24}\.tar\.zst: .* \(3 tries\); /),
    },
    {
      name: "no-listing",
      title: "a listing that breaks off",
      rules: [{ method: "GET", path: /prefix=/, fault: { kind: "answer", status: 500, code: "InternalError" } }],
      message: told("no-listing", /cannot be listed: rclone: .*InternalError.*; /),
    },
    {
      name: "hidden",
      title: "objects that the last look before the manifest does not find",
      rules: [{ method: "GET", path: /prefix=/, fault: { kind: "hide", objects: /blocks\/01/ } }],
      message: told(
        "hidden",
        /check before the manifest: missing or of another size: (blocks\/01[0-9A-Z]{24}\.tar\.zst )+; /,
      ),
    },
  ];

  const always = ["manifest"];
  test.for(representatives(failing, ({ name }) => always.includes(name)))(
    "$title",
    async ({ name, rules, message }) => {
      const broken = await behindProxy(name);
      broken.proxy.setRules(rules);
      await broken.site.configure(name === "silent" ? IMPATIENT : {});
      const { stderr } = await expectFailure(broken.site, { code: 8, message });
      expect(stderr).toContain(UNTOUCHED);
      // It gives up after some tries (rclone's own of four jobs, three times), and does not go on until a limit of
      // hours is over.
      const tries = broken.proxy.requests.filter(({ fault }) => fault !== undefined).length;
      expect(tries).toBeGreaterThan(0);
      expect(tries).toBeLessThan(60);
      broken.proxy.setRules([]);
      await broken.site.configure();
      expect(await broken.site.list()).toEqual([]);
      await expectResumed(broken);
    },
  );

  slowTest("503 after it stored the object: the retry is harmless, the run is good", async () => {
    const broken = await behindProxy("stored-503");
    broken.proxy.setRules([
      {
        method: "PUT",
        path: /\/blocks\//,
        from: 2,
        to: 3,
        fault: { kind: "answerAfter", status: 503, code: "SlowDown" },
      },
      {
        method: "PUT",
        path: /\/stored-503\/backups\//,
        from: 1,
        to: 1,
        fault: { kind: "answerAfter", status: 500, code: "InternalError" },
      },
    ]);
    await broken.site.good();
    expect(broken.proxy.requests.filter(({ fault }) => fault === "answerAfter")).toHaveLength(3);
    expect(await broken.site.list()).toHaveLength(1);
    // The two whose answers were errors were sent once more.
    expect(storedBlocks(broken)).toHaveLength(HISTORY_BLOCKS + 2);
    await expectResumed(broken);
  });

  slowTest(
    "a manifest that is stored although every answer says it is not: a complete backup, and a failed run",
    async () => {
      const { site, proxy } = await behindProxy("stored-manifest");
      proxy.setRules([
        {
          method: "PUT",
          path: /\/stored-manifest\/backups\//,
          fault: { kind: "answerAfter", status: 500, code: "InternalError" },
        },
      ]);
      const finished = await site.command("run");
      expect(finished.code).toBe(8);
      expect((await site.list()).map(({ complete }) => complete)).toEqual([true]);
      await site.good("verify");
      await proxy.stop();
    },
  );

  slowTest("a connection that breaks while verify reads is no damage", async () => {
    const { site, proxy } = await behindProxy("cut-verify");
    await site.good();
    proxy.setRules([
      { method: "GET", path: /\/cut-verify\/blocks\//, fault: { kind: "answer", status: 503, code: "SlowDown" } },
    ]);
    const red = await site.command("verify");
    expect([red.code, errorOf(red)], red.stderr).toEqual([
      8,
      expect.stringMatching(told("cut-verify", /blocks\/01.*\.tar\.zst: .+; check the mount/)),
    ]);
    proxy.setRules([]);
    expect((await site.list()).every(({ complete }) => complete)).toBe(true);
    await site.good("verify");
    await proxy.stop();
  });

  test("a bucket with KMS, whose ETags look like an MD5 and are none: there and back", async () => {
    const proxy = await startS3Proxy({ target: setting.minio.endpointForHosts, foreignEtags: true });
    const site = await Site.create(setting, {
      name: "encrypted",
      prometheusUrl: server.url,
      endpoint: proxy.endpoint,
      repositories: ["offsite"],
      settings: { FORMAT: "archive" },
    });
    await site.good();
    await site.configure({ FORMAT: "blocks" });
    await site.good();
    await setting.host.run(`rm -rf ${site.stateDirectory}/cache`);
    expect((await site.list()).map(({ complete }) => complete)).toEqual([true, true]);
    await site.good("verify");
    await site.good(`restore latest --target ${site.directory}/back --yes`, { user: "root" });
    expect(Number(await setting.host.run(`ls -d ${site.directory}/back/01* | wc -l`))).toBeGreaterThanOrEqual(
      HISTORY_BLOCKS,
    );
    await proxy.stop();
  });

  slowTest("slowness alone is no fault", async () => {
    const { site, proxy } = await behindProxy("slow");
    proxy.setRules([
      { method: "PUT", path: /\/blocks\//, from: 1, to: 2, fault: { kind: "throttle", bytesPerSecond: 8000 } },
    ]);
    await site.good();
    expect(proxy.requests.filter(({ fault }) => fault === "throttle")).toHaveLength(2);
    await proxy.stop();
  });

  test("one repository that fails does not stop the other, and the failure is told", async () => {
    const { site, proxy } = await behindProxy("half", {}, ["offsite", "local"]);
    proxy.setRules([{ method: "PUT", path: /\/blocks\//, fault: { kind: "answer", status: 503, code: "SlowDown" } }]);
    const finished = await site.command("run");
    expect({ code: finished.code, message: errorOf(finished) }).toEqual({
      code: 8,
      message: expect.stringMatching(told("half", /upload: /)) as string,
    });
    const metrics = await site.metrics();
    expect(metrics.get('repository_last_exit_code{repository="offsite"}')).toBe(8);
    expect(metrics.get('repository_last_exit_code{repository="local"}')).toBe(0);
    expect(metrics.get("last_success_timestamp_seconds")).toBeUndefined();
    proxy.setRules([]);
    expect((await site.list()).map(({ repository, complete }) => ({ repository, complete }))).toEqual([
      { repository: "local", complete: true },
    ]);
    await proxy.stop();
  });

  test("wrong keys: the real server's refusal, at once and in words, and no key in them", async () => {
    const site = await Site.create(setting, {
      name: "wrong-key",
      prometheusUrl: server.url,
      repositories: ["offsite"],
    });
    const secret = "not-the-right-secret";
    const { minio, host } = setting;
    await writeS3Remote(host, `${site.directory}/rclone.conf`, "offsite", {
      owner: site.name,
      endpoint: minio.endpointForHosts,
      region: minio.region,
      accessKeyId: "wrong-key-id",
      secretAccessKey: secret,
    });
    const { stderr } = await expectFailure(site, {
      code: 8,
      message:
        /InvalidAccessKeyId.*\(the credentials are missing or wrong; they come from the stack's secrets\); no new backup/,
    });
    expect(stderr).not.toContain(secret);
  });

  slowTest("the server dies in the middle, is down, and comes back", async () => {
    const minio = await startMinio();
    const own: Setting = { ...setting, minio };
    const site = await Site.create(own, { name: "dying", prometheusUrl: server.url, repositories: ["offsite"] });
    const { CreateBucketCommand } = await import("@aws-sdk/client-s3");
    await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    const run = site.command("run");
    await waitUntil(
      "something is stored",
      30,
      async () => [...(await site.offsiteObjects()).keys()].some(object => object.startsWith("blocks/")),
      50,
    );
    await minio.kill();
    const died = await run;
    expect({ code: died.code, message: errorOf(died) }).toEqual({
      code: 8,
      message: expect.stringMatching(
        told("dying", /upload: (blocks|heads)\/.*(connection refused|EOF|connection reset by peer|no end within 3 s)/),
      ) as string,
    });
    const down = await site.command("run");
    expect({ code: down.code, message: errorOf(down) }).toEqual({
      code: 8,
      message: expect.stringMatching(told("dying", /cannot be listed: /)) as string,
    });
    await minio.restart();
    await site.good();
    await site.good("verify");
    expect(await site.leftovers()).toEqual([]);
    await minio.stop();
  });
});

describe.concurrent("F12: the prefix belongs to another machine", () => {
  /** The command as another machine with the same settings would run it. */
  const elsewhere = (site: Site, words: string) =>
    setting.host.exec(
      `tr 0-9a-f f0-9a-e </etc/machine-id >/run/other-machine-id
       unshare --mount bash -c 'mount --bind /run/other-machine-id /etc/machine-id && PROMETHEUS_BACKUP_CONFIG=${site.configuration} exec ${COMMAND} ${words}'`,
    );
  const refusal = (place: string, name: string) =>
    `prometheus-backup: error: ${place} belongs to another machine named '${name}' (owner.json), and two writers would mix their blocks; ` +
    "give this host another name; if it replaces that machine for good, run once: prometheus-backup.sh run --take-over\n";

  slowTest(
    "a clone is refused in both repositories and writes nothing; --take-over moves the prefix for good",
    async () => {
      const name = "cloned";
      const site = await Site.create(setting, { name, prometheusUrl: server.url });
      await site.good();
      const before = [await site.localObjects(), await site.offsiteObjects()];

      const refused = await elsewhere(site, "run");
      expect(refused.code).toBe(12);
      expect(refused.stderr).toContain(refusal(`${site.localPath}/${name}`, name));
      expect(refused.stderr).toContain(refusal(`offsite:${BUCKET}/${name}`, name));
      expect([await site.localObjects(), await site.offsiteObjects()]).toEqual(before);
      expect((await elsewhere(site, "prune --yes")).code).toBe(12);
      // Reading is what a migration needs.
      expect((await elsewhere(site, "list")).code).toBe(0);

      expect((await elsewhere(site, "run --take-over")).code).toBe(0);
      await expectFailure(site, { code: 12, message: /^.* belongs to another machine named 'cloned' \(owner.json\)/ });
    },
  );

  slowTest(
    "a copy of the machine, with its identity and its state, is told apart: at the same time, between two runs, and until somebody decides",
    async () => {
      const name = "twins";
      const site = await Site.create(setting, { name, prometheusUrl: server.url });
      await site.good();
      const { host } = setting;
      const copy = `${site.directory}/copy`;
      await host.run(`install -d -o prometheus -g prometheus ${copy}/textfile && cp -a ${site.stateDirectory} ${copy}/state
      sed 's#${site.stateDirectory}#${copy}/state#; s#${site.textfileDirectory}#${copy}/textfile#' ${site.configuration} >${copy}/settings.conf`);
      const twin = (words: string) =>
        host.exec(`PROMETHEUS_BACKUP_CONFIG=${copy}/settings.conf ${COMMAND} ${words}`, { user: "prometheus" });
      const both = await Promise.all([site.command("run"), twin("run")]);
      // Each repository takes one of them, not always the same.
      expect(both.map(({ code }) => code).sort(), both.map(({ stderr }) => stderr).join("")).toContain(12);
      expect((await site.list()).map(({ complete, repository }) => [complete, repository]).sort()).toEqual([
        [true, "local"],
        [true, "local"],
        [true, "offsite"],
        [true, "offsite"],
      ]);
      await site.good("verify");
      const before = [await site.localObjects(), await site.offsiteObjects()];
      const refused = [await site.command("run"), await twin("run")];
      expect(refused.map(({ stderr }) => stderr).join("")).toMatch(
        /another machine with the name and the identity of this one writes to .* \(a run of \d{4}-.* UTC was not made here\)/,
      );
      for (const objects of [await site.localObjects(), await site.offsiteObjects()]) {
        before
          .shift()!
          .forEach(
            (bytes, object) =>
              object === "catalog.jsonl.zst" || expect([object, objects.get(object)]).toEqual([object, bytes]),
          );
      }
      await site.good("run --take-over");
      expect((await twin("run")).code).toBe(12);
      expect((await twin("prune --yes")).code).toBe(12);
      await site.good();
      await site.good("verify");
    },
  );
});
