import { CreateBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderHostPolicy } from "../../components/offsiteBucket/policy";
import { differentAnswers, isScraped, measure, type Measured } from "../demo/prometheus";
import { makeHistory } from "../hosts/history";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import { sharedMinio, type Minio } from "../servers/minio";
import { waitUntil } from "../tools/process";
import { changesOf, credentialsFile, Deployment, hostSettings, sharedSettings } from "./deployment";
import { besideData, command, errorOf, flipByte, served } from "./restoreParts";
import { serverFlag, serverProcess } from "./stepHarness";
import { slowTest } from "../runner/pace";

// Every way back, on hosts that `up` has set up, with the installed command: what fails first, then what must work.
const bucketName = "restore-test";

interface Block {
  ulid: string;
  minTime: number;
  maxTime: number;
  numSamples: number;
  head: boolean;
}

let minio: Minio;
let deployment: Deployment;
let host: Host;
let newHost: Host;
/** One whose Prometheus has never run when the first `up` comes. */
let unborn: Host;
/** Configures the new host, with these settings on top; and the other one, if it gets some. */
let configureSpare: (more: object, ofUnborn?: object) => Promise<void>;
/** Name and blocks of the one backup, newest moment in it, and what the server answered about all before that. */
let backup: string;
let blocks: Block[];
let at: number;
let before: Measured;

beforeAll(async () => {
  [minio, host, newHost, unborn] = await Promise.all([
    sharedMinio(),
    startHost({ name: "lost" }),
    startHost({ name: "spare", layout: "course" }),
    startHost({ name: "unborn" }),
  ]);
  await minio.client().send(new CreateBucketCommand({ Bucket: bucketName }));
  const user = async (hostName: string, mayRead: string[]) => {
    const policy = renderHostPolicy({ bucketArn: `arn:aws:s3:::${bucketName}`, hostName, mayRead, mayPrune: true });
    return credentialsFile(await minio.addUser(hostName, JSON.parse(policy) as object));
  };
  const offsite = { bucket: bucketName, region: "eu-central-1", endpoint: minio.endpointForHosts };
  const own = (name: string) => ({
    repositories: [{ path: "/backup/prometheus" }, { ...offsite, credentials: `s3-${name}` }],
  });
  deployment = await Deployment.create(
    { environment: "test", defaults: sharedSettings, hosts: [hostSettings(host, own("lost"))] },
    {
      sshKey: host.privateKey,
      "s3-lost": await user("lost", []),
      "s3-spare": await user("spare", ["lost"]),
      "s3-unborn": await user("unborn", ["lost"]),
    },
    minio.environment,
  );
  // What is compared by block must not be merged meanwhile.
  await host.run(
    `sed -i 's/^ARGS="/&--storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h /' /etc/default/prometheus`,
  );
  configureSpare = (more, ofUnborn) => {
    const others = ofUnborn === undefined ? [] : [hostSettings(unborn, { ...own("unborn"), ...ofUnborn })];
    return deployment.change({
      hosts: [hostSettings(host, own("lost")), hostSettings(newHost, { ...own("spare"), ...more }), ...others],
    });
  };
  await makeHistory(host, { days: 1, series: 50, cached: true });
  await deployment.stack.up();
  await waitUntil("the server has scraped its targets twice", 90, () => isScraped(host));
  await host.run(command);
  const shown = JSON.parse(await host.run(`${command} show latest --json`)) as {
    name: string;
    blocks: Block[];
    coverage: { newestSample: string };
  };
  ({ name: backup, blocks } = shown);
  at = Math.floor(Date.parse(shown.coverage.newestSample) / 1000);
  before = await measure(host, at);
});
afterAll(async () => {
  deployment?.stack.remove();
  await Promise.all([host, newHost, unborn, minio].map(each => each?.stop()));
});

/** Without what the server is writing at this moment. */
const dataEntries = () =>
  host.run(`cd ${host.paths.dataDirectory} && ls -d 01* wal chunks_head | grep -v '\\.tmp-for-'`);

/**
 * A restore that must fail: with this code, with the old data served afterwards, and nothing but a download left beside
 * them.
 */
async function failedRestore(options: string, code: number): Promise<string> {
  const entries = await dataEntries();
  const finished = await host.exec(`${command} restore latest --yes ${options}`);
  expect(finished.code, finished.stderr).toBe(code);
  await waitForPrometheus(host);
  expect(await measure(host, at)).toEqual(before);
  expect(await dataEntries()).toBe(entries);
  expect((await besideData(host)).replace(`${host.paths.dataDirectory}.restore-${backup}\n`, "")).toBe("");
  return errorOf(finished);
}

test("the backup holds what the tests need", () => {
  // The history, and what the server has scraped of itself.
  expect(before.samples).toBeGreaterThan(50 * 24 * 60);
  expect(differentAnswers(before, before)).toEqual([]);
  expect(blocks.filter(block => !block.head).length).toBeGreaterThan(2);
});

test("a restore from the only copy, one byte of which has flipped, ends with 9 and never stops the server", async () => {
  const process = await serverProcess(host);
  const { object, mend } = await flipByte(minio, bucketName, "lost/blocks/");
  const error = await failedRestore("--repository offsite", 9);
  expect(error).toContain(`${object} is damaged: its checksum is not the recorded one`);
  expect(await serverProcess(host)).toBe(process);
  await mend();
});

test("F17: a restore on which the server does not come up puts the old data back, and the unit is as it was", async () => {
  const dropIn = "/etc/systemd/system/prometheus.service.d/needs-a-wal.conf";
  // Restored data have no WAL until the server has started on them.
  await host.writeFile(dropIn, `[Service]\nExecStartPre=/usr/bin/test -e ${host.paths.dataDirectory}/wal\n`);
  await host.run("systemctl daemon-reload");
  const unit = await host.run("systemctl cat prometheus");
  expect(await failedRestore("", 4)).toContain("the server does not come up on the restored data");
  expect(await host.run("systemctl cat prometheus")).toBe(unit);
  await host.run(`rm ${dropIn} && systemctl daemon-reload`);
});

test("a restore is refused while prometheus.yml would keep the server from starting again", async () => {
  const process = await serverProcess(host);
  await host.run("cp -a /etc/prometheus/prometheus.yml /root/ && echo 'nonsense: 1' >>/etc/prometheus/prometheus.yml");
  expect(await failedRestore("", 12)).toContain("field nonsense not found in type config.plain");
  await host.run("cp -a /root/prometheus.yml /etc/prometheus/");
  expect(await serverProcess(host)).toBe(process);
});

const history = () =>
  blocks.filter(block => !block.head && block.maxTime <= (at - 2 * 3600) * 1000).sort((a, b) => a.minTime - b.minTime);

test("a part by time is a data directory that serves exactly the blocks of that time", async () => {
  const [, wanted] = history();
  const [from, to] = [wanted?.minTime ?? 0, wanted?.maxTime ?? 0];
  const touched = blocks.filter(block => block.maxTime > from && block.minTime < to);
  const rfc3339 = (time: number) => new Date(time).toISOString();
  const part = await served(host, "/srv/by-time", `--from ${rfc3339(from)} --to ${rfc3339(to)}`);
  expect(touched.length).toBeLessThan(blocks.length);
  expect(part).toEqual({
    samples: touched.reduce((sum, block) => sum + block.numSamples, 0),
    names: ["history_requests_total"],
  });
});

test("a part by block serves exactly that block", async () => {
  const wanted = history().at(-1);
  const part = await served(host, "/srv/by-block", `--block ${wanted?.ulid}`);
  expect(part).toEqual({ samples: wanted?.numSamples, names: ["history_requests_total"] });
});

test("a lost data directory comes back whole", async () => {
  await host.run(`systemctl stop prometheus && rm -rf -- ${host.paths.dataDirectory} /backup/prometheus`);
  const restored = await host.exec(`${command} restore latest --yes`);
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).toMatch(
    new RegExp(
      `^Restored ${backup}: ${blocks.length} blocks, downtime \\d+\\.\\d s, all in all \\d+ m?s; the server has answered from the time of ${blocks.length} blocks\\.$`,
      "m",
    ),
  );
  expect(await measure(host, at)).toEqual(before);
  expect(await host.run(`stat --format %U:%G ${host.paths.dataDirectory}`)).toBe("prometheus:prometheus\n");
});

const rootState = "/var/lib/prometheus-backup-restore";
const note = () => newHost.run(`cat ${rootState}/bootstrapped`);
const bootstrap = (on = newHost) => on.exec(`${command} bootstrap latest --host lost`);
/** What only a restore would change on the new host. */
const bornState = async () => [
  await serverProcess(newHost),
  await newHost.run(`ls --ignore='restore-*' ${newHost.paths.dataDirectory} ${rootState}`),
  await besideData(newHost),
];

test("a new host whose backup is missing or damaged fails `up` with the reason, and its server goes on as it was", async () => {
  await configureSpare({ bootstrapFrom: { host: "lost", backup: "20200101T000000Z" } });
  const previewed = await deployment.stack.preview();
  expect([previewed.dials, previewed.output]).toEqual([[], expect.stringContaining("spare-bootstrap-install")]);
  const missing = await deployment.stack.tryUp();
  // Its own directory is new: nobody can tell that from a disk which is not mounted.
  const words =
    "no repository that answers holds a backup 20200101T000000Z of host 'lost', and these do not answer: local";
  expect([missing.ok, missing.output]).toEqual([false, expect.stringContaining(words)]);
  expect(missing.output).toContain(
    "this host could not be restored from backup 20200101T000000Z of lost (above); its data are as before. Mend that and run `pulumi up` again",
  );
  const untouched = await bornState();
  expect(untouched.join("\n")).not.toMatch(/01[0-9A-HJKMNP-TV-Z]{24}|bootstrapped|restore-|before-/);

  const { object, mend } = await flipByte(minio, bucketName, "lost/blocks/");
  await configureSpare({ bootstrapFrom: { host: "lost" } });
  const damaged = await deployment.stack.tryUp();
  expect([damaged.ok, damaged.output]).toEqual([
    false,
    expect.stringContaining(`${object} is damaged: its checksum is not the recorded one`),
  ]);
  const [process, entries, beside] = await bornState();
  // What has been downloaded whole is used by the next try.
  expect([process, entries, beside]).toEqual([
    untouched[0],
    untouched[1],
    `${newHost.paths.dataDirectory}/restore-${backup}\n`,
  ]);
  await mend();
});

test("a new host is born from the backup of another one by `up`, once", async () => {
  const born = await deployment.stack.up();
  // The step, which had failed, and what waits for it: the admin API and the alert rules.
  expect(changesOf(born)).toEqual({ create: 3 });
  expect(await measure(newHost, at)).toEqual(before);
  expect(await note()).toMatch(
    new RegExp(`^bootstrapped from backup ${backup} of lost at \\d{4}-\\d\\d-\\d\\dT[0-9:]{8}Z\n$`),
  );
  expect(await besideData(newHost)).toMatch(/^\/var\/lib\/prometheus\/before-\d{8}T\d{6}Z\n$/);
  const again = await deployment.stack.up();
  expect([changesOf(again), again.dials]).toEqual([{}, []]);
});

slowTest("once born, neither lost data nor other values restore anything, and `up` says so", async () => {
  await newHost.run(
    `set -e; systemctl stop prometheus; mkdir /root/blocks; mv ${newHost.paths.dataDirectory}/01* /root/blocks/; systemctl start prometheus`,
  );
  await waitForPrometheus(newHost);
  const wiped = await bornState();
  await configureSpare({ bootstrapFrom: { host: "lost", backup, repository: "offsite" } });
  const changed = await deployment.stack.up();
  // The command; and in the state alone, the arguments of the components around it.
  expect(changesOf(changed)).toEqual({ update: 4 });
  expect(changed.output).toContain(
    `nothing to do: ${(await note()).trim()}. Data that were lost since then come back with: prometheus-backup.sh restore latest`,
  );
  expect(await bornState()).toEqual(wiped);

  await configureSpare({});
  const removed = await deployment.stack.up();
  expect(changesOf(removed)).toEqual({ delete: 2, update: 2 });
  expect(await bornState()).toEqual(wiped);
  await newHost.run(
    `set -e; systemctl stop prometheus; mv /root/blocks/* ${newHost.paths.dataDirectory}/; systemctl start prometheus; rm -rf ${newHost.paths.dataDirectory}/before-*`,
  );
  await waitForPrometheus(newHost);
});

test("a host with blocks of its own is left alone for good, unless an earlier try found it new", async () => {
  await newHost.run(`mv ${rootState}/bootstrapped /root/`);
  const [process] = await bornState();
  const declined = await bootstrap();
  expect([declined.code, declined.stdout]).toEqual([
    0,
    expect.stringMatching(
      /^warning: left alone: \/var\/lib\/prometheus holds \d+ blocks of its own, so this host is not new\. To restore it all the same: prometheus-backup\.sh restore latest --host lost\n$/,
    ),
  ]);
  expect((await bootstrap()).stdout).toMatch(
    /^nothing to do: left alone, because \/var\/lib\/prometheus held \d+ blocks of its own, at /,
  );

  await newHost.run(`rm ${rootState}/bootstrapped; echo earlier >${rootState}/bootstrap-begun`);
  const beneath = await bootstrap();
  expect([beneath.code, beneath.stdout], beneath.stderr).toEqual([
    0,
    expect.stringMatching(`^bootstrapped from backup ${backup} of lost at `),
  ]);
  expect(beneath.stderr).toContain(`${blocks.length} blocks: the server holds their time already`);
  expect([await newHost.run(`ls ${rootState}`), (await bornState())[0]]).toEqual([
    expect.not.stringContaining("begun"),
    process,
  ]);
});

test("a new host gets the backup of another one, keeps its own data aside, and writes nothing to the other's directory", async () => {
  const objects = async () =>
    (await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName, Prefix: "lost/" }))).Contents?.map(
      ({ Key, LastModified }) => [Key, LastModified],
    );
  const untouched = await objects();
  await newHost.run(`rm -rf ${newHost.paths.dataDirectory}/before-*`);
  const restored = await newHost.exec(`${command} restore latest --host lost --yes`);
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).toMatch(/downtime \d+\.\d s/);
  expect(await measure(newHost, at)).toEqual(before);
  const aside = (await besideData(newHost)).trim();
  expect(aside).toMatch(/^\/var\/lib\/prometheus\/before-\d{8}T\d{6}Z$/);
  expect(restored.stderr).toContain(`The data from before are in ${aside}.`);
  expect(await newHost.run(`ls -d ${aside}/wal`)).toBe(`${aside}/wal\n`);
  expect(await objects()).toEqual(untouched);
});

slowTest("a host whose Prometheus has never run stays like that while its birth fails, and `up` says so", async () => {
  const { dataDirectory } = unborn.paths;
  await unborn.run(`systemctl disable --now prometheus && rm -rf ${dataDirectory}`);
  const state = async () => [
    await unborn.run("systemctl show --property=ActiveState --value prometheus"),
    (await unborn.exec(`ls -d ${dataDirectory}`)).code,
  ];
  await configureSpare({}, { bootstrapFrom: { host: "lost", backup: "20200101T000000Z" } });
  const missing = await deployment.stack.tryUp();
  // Its own directory is new: nobody can tell that from a disk which is not mounted.
  const words =
    "no repository that answers holds a backup 20200101T000000Z of host 'lost', and these do not answer: local";
  expect([missing.ok, missing.output]).toEqual([false, expect.stringContaining(words)]);
  expect(missing.output).toContain("prometheus.service is not running; the try that succeeds starts it.");
  expect(await state()).toEqual(["inactive\n", 2]);

  await unborn.run("systemctl mask prometheus");
  const masked = await bootstrap(unborn);
  expect([masked.code, errorOf(masked)]).toEqual([
    12,
    expect.stringMatching(/prometheus\.service is masked, .*; run: systemctl unmask prometheus\.service$/),
  ]);
  await unborn.run("systemctl unmask prometheus");

  const dropIn = "/etc/systemd/system/prometheus.service.d/not-yet.conf";
  await unborn.writeFile(dropIn, "[Unit]\nConditionPathExists=/etc/provisioned\n");
  await unborn.run("systemctl daemon-reload");
  const unmet = await bootstrap(unborn);
  expect([unmet.code, errorOf(unmet)]).toEqual([
    4,
    expect.stringContaining("a condition of its unit is not met, so systemd does not start it"),
  ]);
  expect([...(await state()), await besideData(unborn)]).toEqual([
    "inactive\n",
    2,
    `${dataDirectory}.restore-${backup}\n`,
  ]);
  await unborn.run(`rm ${dropIn} && systemctl daemon-reload`);
});

slowTest("a host whose Prometheus has never run is born by `up` before its first start, once", async () => {
  const cursor = (await unborn.run("journalctl --lines=1 --show-cursor | sed -n 's/^-- cursor: //p'")).trim();
  await configureSpare({}, { bootstrapFrom: { host: "lost" } });
  const born = await deployment.stack.up();
  // The updates are in the state alone: the arguments of the components around it, with another backup than in the try
  // before.
  expect(changesOf(born)).toEqual({ create: 3, update: 3 });
  expect(born.output).toContain(
    "warning: prometheus.service runs, but will not start when this host boots. Run: systemctl enable prometheus.service",
  );
  expect(await measure(unborn, at)).toEqual(before);
  expect([await serverFlag(unborn, "web.enable-admin-api"), await besideData(unborn)]).toEqual(["true", ""]);
  expect(await unborn.run(`stat --format %U:%G ${unborn.paths.dataDirectory}`)).toBe("prometheus:prometheus\n");
  // One start for the birth, one for the admin API.
  const starts = (await unborn.run(`journalctl --unit prometheus --output cat --after-cursor '${cursor}'`))
    .split("Server is ready to receive web requests")
    .slice(0, -1);
  expect(starts).toHaveLength(2);
  const found = [...(starts[0] ?? "").matchAll(/Found healthy block.* ulid=(\w+)/g)].map(([, ulid]) => ulid);
  expect(found.sort()).toEqual(blocks.map(({ ulid }) => ulid).sort());

  const [process, marker] = [await serverProcess(unborn), await unborn.run(`cat ${rootState}/bootstrapped`)];
  const again = await deployment.stack.up();
  expect([changesOf(again), again.dials]).toEqual([{}, []]);
  expect((await bootstrap(unborn)).stdout).toContain(`nothing to do: ${marker.trim()}`);
  expect(await serverProcess(unborn)).toBe(process);
});

slowTest("a server that is down and has a WAL without a block is born, too, and its WAL is kept aside", async () => {
  const { dataDirectory } = unborn.paths;
  await unborn.run(`set -e; systemctl stop prometheus; rm -rf ${dataDirectory}/01*; rm ${rootState}/bootstrapped`);
  const wal = await unborn.run(`cat ${dataDirectory}/wal/0* | sha256sum`);
  const born = await bootstrap(unborn);
  expect([born.code, born.stdout], born.stderr).toEqual([
    0,
    expect.stringContaining(`bootstrapped from backup ${backup} of lost`),
  ]);
  expect(await measure(unborn, at)).toEqual(before);
  const aside = (await besideData(unborn)).trim();
  expect(born.stderr).toContain(`The data from before are in ${aside}.`);
  expect(await unborn.run(`cat ${aside}/wal/0* | sha256sum`)).toBe(wal);
});
