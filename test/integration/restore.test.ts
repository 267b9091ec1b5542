import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderHostPolicy } from "../../components/render/bucket";
import { differentAnswers, isScraped, measure, type Measured } from "../demo/prometheus";
import { makeHistory } from "../hosts/history";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import { startMinio, type Minio } from "../servers/minio";
import { waitUntil, type Finished } from "../tools/process";
import { changesOf, credentialsFile, Deployment, hostSettings, sharedSettings } from "./deployment";
import { serverProcess } from "./stepHarness";

// Every way back, on hosts that `up` has set up, with the installed command: what fails first, then what must work.
const bucketName = "restore-test";
const command = "/usr/local/bin/prometheus-backup.sh";

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
/** Configures the new host, with these settings on top. */
let configureSpare: (more: object) => Promise<void>;
/** Name and blocks of the one backup, newest moment in it, and what the server answered about all before that. */
let backup: string;
let blocks: Block[];
let at: number;
let before: Measured;

beforeAll(async () => {
  [minio, host, newHost] = await Promise.all([startMinio(), startHost({ name: "lost" }), startHost({ name: "spare", layout: "course" })]);
  await minio.client().send(new CreateBucketCommand({ Bucket: bucketName }));
  const user = async (hostName: string, mayRead: string[]) => {
    const policy = renderHostPolicy({ bucketArn: `arn:aws:s3:::${bucketName}`, hostName, mayRead, mayPrune: true });
    return credentialsFile(await minio.addUser(hostName, JSON.parse(policy) as object));
  };
  const offsite = { bucket: bucketName, region: "eu-central-1", endpoint: minio.endpointForHosts };
  const own = (name: string) => ({ repositories: [{ path: "/backup/prometheus" }, { ...offsite, credentials: `s3-${name}` }] });
  deployment = await Deployment.create(
    { environment: "test", defaults: sharedSettings, hosts: [hostSettings(host, own("lost"))] },
    { sshKey: host.privateKey, "s3-lost": await user("lost", []), "s3-spare": await user("spare", ["lost"]) },
    minio.environment,
  );
  // What is compared by block must not be merged meanwhile.
  await host.run(`sed -i 's/^ARGS="/&--storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h /' /etc/default/prometheus`);
  configureSpare = more => deployment.change({ hosts: [hostSettings(host, own("lost")), hostSettings(newHost, { ...own("spare"), ...more })] });
  await makeHistory(host, { days: 1, series: 50 });
  await deployment.stack.up();
  await waitUntil("the server has scraped its targets twice", 90, () => isScraped(host));
  await host.run(command);
  const shown = JSON.parse(await host.run(`${command} show latest --json`)) as { name: string; blocks: Block[]; coverage: { newestSample: string } };
  ({ name: backup, blocks } = shown);
  at = Math.floor(Date.parse(shown.coverage.newestSample) / 1000);
  before = await measure(host, at);
});
afterAll(async () => {
  deployment?.stack.remove();
  await Promise.all([host, newHost, minio].map(each => each?.stop()));
});

/** Without what the server is writing at this moment. */
const dataEntries = () => host.run(`cd ${host.paths.dataDirectory} && ls -d 01* wal chunks_head | grep -v '\\.tmp-for-'`);
const besideData = (on: Host) => on.run(`ls -d ${on.paths.dataDirectory}.* 2>/dev/null || true`);

function errorOf(finished: Finished): string {
  return finished.stderr.split("\n").filter(line => line.startsWith("prometheus-backup: error: ")).at(-1) ?? finished.stderr;
}

/** A restore that must fail: with this code, with the old data served afterwards, and nothing but a download left beside them. */
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

/** Flips a byte in the middle of a block in the bucket. */
async function flipByte(): Promise<{ object: string; mend: () => Promise<unknown> }> {
  const { Contents = [] } = await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName, Prefix: "lost/blocks/" }));
  const Key = Contents[0]?.Key ?? "";
  const whole = await (await minio.client().send(new GetObjectCommand({ Bucket: bucketName, Key }))).Body?.transformToByteArray();
  const damaged = Buffer.from(whole ?? []);
  damaged.writeUInt8(damaged.readUInt8(damaged.length >> 1) ^ 1, damaged.length >> 1);
  const put = (Body: Uint8Array | undefined) => minio.client().send(new PutObjectCommand({ Bucket: bucketName, Key, Body }));
  await put(damaged);
  return { object: Key.replace("lost/", ""), mend: () => put(whole) };
}

test("the backup holds what the tests need", () => {
  // The history, and what the server has scraped of itself.
  expect(before.samples).toBeGreaterThan(50 * 24 * 60);
  expect(differentAnswers(before, before)).toEqual([]);
  expect(blocks.filter(block => !block.head).length).toBeGreaterThan(2);
});

test("a restore from the only copy, one byte of which has flipped, ends with 9 and never stops the server", async () => {
  const process = await serverProcess(host);
  const { object, mend } = await flipByte();
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

/** Restores into a directory, starts a server there with the command line that the restore prints, and asks it. */
async function served(target: string, options: string): Promise<{ samples: number; names: string[] }> {
  const restored = await host.exec(`${command} restore latest --yes --target ${target} ${options}`);
  expect(restored.code, restored.stderr).toBe(0);
  const line = /^ +(prometheus --config.file=.*)$/m.exec(restored.stderr)?.[1] ?? "";
  await host.writeFile(`${target}.sh`, `exec ${line}\n`);
  await host.run(`systemd-run --quiet --collect --unit partial bash ${target}.sh`);
  await waitForPrometheus(host, 30, "http://127.0.0.1:9099");
  const ask = async (words: string) => (JSON.parse(await host.run(`curl -sS --get 'http://127.0.0.1:9099/api/v1/${words}`)) as { data: unknown }).data;
  const names = (await ask("label/__name__/values'")) as string[];
  const counted = (await ask("query' --data-urlencode 'query=sum(count_over_time(history_requests_total[4d]))'")) as { result: { value: [number, string] }[] };
  await host.run("systemctl stop partial");
  return { samples: Number(counted.result[0]?.value[1]), names };
}

const history = () => blocks.filter(block => !block.head && block.maxTime <= (at - 2 * 3600) * 1000).sort((a, b) => a.minTime - b.minTime);

test("a part by time is a data directory that serves exactly the blocks of that time", async () => {
  const [, wanted] = history();
  const [from, to] = [wanted?.minTime ?? 0, wanted?.maxTime ?? 0];
  const touched = blocks.filter(block => block.maxTime > from && block.minTime < to);
  const rfc3339 = (time: number) => new Date(time).toISOString();
  const part = await served("/srv/by-time", `--from ${rfc3339(from)} --to ${rfc3339(to)}`);
  expect(touched.length).toBeLessThan(blocks.length);
  expect(part).toEqual({ samples: touched.reduce((sum, block) => sum + block.numSamples, 0), names: ["history_requests_total"] });
});

test("a part by block serves exactly that block", async () => {
  const wanted = history().at(-1);
  const part = await served("/srv/by-block", `--block ${wanted?.ulid}`);
  expect(part).toEqual({ samples: wanted?.numSamples, names: ["history_requests_total"] });
});

test("a lost data directory comes back whole", async () => {
  await host.run(`systemctl stop prometheus && rm -rf -- ${host.paths.dataDirectory} /backup/prometheus`);
  const restored = await host.exec(`${command} restore latest --yes`);
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).toMatch(new RegExp(`^Restored ${backup}: ${blocks.length} blocks, downtime \\d+\\.\\d s, all in all \\d+ m?s\\.$`, "m"));
  expect(await measure(host, at)).toEqual(before);
  expect(await host.run(`stat --format %U:%G ${host.paths.dataDirectory}`)).toBe("prometheus:prometheus\n");
});

const rootState = "/var/lib/prometheus-backup-restore";
const note = () => newHost.run(`cat ${rootState}/bootstrapped`);
const bootstrap = () => newHost.exec(`${command} bootstrap latest --host lost`);
/** What only a restore would change on the new host. */
const bornState = async () => [await serverProcess(newHost), await newHost.run(`ls ${newHost.paths.dataDirectory} ${rootState}`), await besideData(newHost)];

test("a new host whose backup is missing or damaged fails `up` with the reason, and its server goes on as it was", async () => {
  await configureSpare({ bootstrapFrom: { host: "lost", backup: "20200101T000000Z" } });
  const previewed = await deployment.stack.preview();
  expect([previewed.dials, previewed.output]).toEqual([[], expect.stringContaining("spare-bootstrap-install")]);
  const missing = await deployment.stack.tryUp();
  expect([missing.ok, missing.output]).toEqual([false, expect.stringContaining("there is no backup 20200101T000000Z of host 'lost'")]);
  expect(missing.output).toContain("this host could not be restored from backup 20200101T000000Z of lost (above); its data are as before. Mend that and run `pulumi up` again");
  const untouched = await bornState();
  expect(untouched.join("\n")).not.toMatch(/01[0-9A-HJKMNP-TV-Z]{24}|bootstrapped|restore-|before-/);

  const { object, mend } = await flipByte();
  await configureSpare({ bootstrapFrom: { host: "lost" } });
  const damaged = await deployment.stack.tryUp();
  expect([damaged.ok, damaged.output]).toEqual([false, expect.stringContaining(`${object} is damaged: its checksum is not the recorded one`)]);
  const [process, entries, beside] = await bornState();
  // What has been downloaded whole is used by the next try.
  expect([process, entries, beside]).toEqual([untouched[0], untouched[1], `${newHost.paths.dataDirectory}.restore-${backup}\n`]);
  await mend();
});

test("a new host is born from the backup of another one by `up`, once", async () => {
  const born = await deployment.stack.up();
  // The step, which had failed, and the alert rules, which wait for it.
  expect(changesOf(born)).toEqual({ create: 2 });
  expect(await measure(newHost, at)).toEqual(before);
  expect(await note()).toMatch(new RegExp(`^bootstrapped from backup ${backup} of lost at \\d{4}-\\d\\d-\\d\\dT[0-9:]{8}Z\n$`));
  expect(await besideData(newHost)).toMatch(/^\/var\/lib\/prometheus\.before-\d{8}T\d{6}Z\n$/);
  const again = await deployment.stack.up();
  expect([changesOf(again), again.dials]).toEqual([{}, []]);
});

test("once born, neither lost data nor other values restore anything, and `up` says so", async () => {
  await newHost.run(`set -e; systemctl stop prometheus; mkdir /root/blocks; mv ${newHost.paths.dataDirectory}/01* /root/blocks/; systemctl start prometheus`);
  await waitForPrometheus(newHost);
  const wiped = await bornState();
  await configureSpare({ bootstrapFrom: { host: "lost", backup, repository: "offsite" } });
  const changed = await deployment.stack.up();
  // The command; and in the state alone, the arguments of the components around it.
  expect(changesOf(changed)).toEqual({ update: 4 });
  expect(changed.output).toContain(`nothing to do: ${(await note()).trim()}. Data that were lost since then come back with: prometheus-backup.sh restore latest`);
  expect(await bornState()).toEqual(wiped);

  await configureSpare({});
  const removed = await deployment.stack.up();
  expect(changesOf(removed)).toEqual({ delete: 2, update: 2 });
  expect(await bornState()).toEqual(wiped);
  await newHost.run(`set -e; systemctl stop prometheus; mv /root/blocks/* ${newHost.paths.dataDirectory}/; systemctl start prometheus; rm -rf ${newHost.paths.dataDirectory}.before-*`);
  await waitForPrometheus(newHost);
});

test("a host with blocks of its own is left alone for good, unless an earlier try found it new", async () => {
  await newHost.run(`mv ${rootState}/bootstrapped /root/`);
  const [process] = await bornState();
  const declined = await bootstrap();
  expect([declined.code, declined.stdout]).toEqual([0, expect.stringMatching(/^warning: left alone: \/var\/lib\/prometheus holds \d+ blocks of its own, so this host is not new\. To restore it all the same: prometheus-backup\.sh restore latest --host lost\n$/)]);
  expect((await bootstrap()).stdout).toMatch(/^nothing to do: left alone, because \/var\/lib\/prometheus held \d+ blocks of its own, at /);

  await newHost.run(`rm ${rootState}/bootstrapped; echo earlier >${rootState}/bootstrap-begun`);
  const beneath = await bootstrap();
  expect([beneath.code, beneath.stdout], beneath.stderr).toEqual([0, expect.stringMatching(`^bootstrapped from backup ${backup} of lost at `)]);
  expect(beneath.stderr).toContain(`${blocks.length} blocks are left out: the server holds their time already`);
  expect([await newHost.run(`ls ${rootState}`), (await bornState())[0]]).toEqual([expect.not.stringContaining("begun"), process]);
});

test("a new host gets the backup of another one, keeps its own data aside, and writes nothing to the other's directory", async () => {
  const objects = async () => (await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName, Prefix: "lost/" }))).Contents?.map(({ Key, LastModified }) => [Key, LastModified]);
  const untouched = await objects();
  const restored = await newHost.exec(`${command} restore latest --host lost --yes`);
  expect(restored.code, restored.stderr).toBe(0);
  expect(restored.stderr).toMatch(/downtime \d+\.\d s/);
  expect(await measure(newHost, at)).toEqual(before);
  const aside = (await besideData(newHost)).trim();
  expect(aside).toMatch(/^\/var\/lib\/prometheus\.before-\d{8}T\d{6}Z$/);
  expect(restored.stderr).toContain(`The data from before are in ${aside}.`);
  expect(await newHost.run(`ls -d ${aside}/wal`)).toBe(`${aside}/wal\n`);
  expect(await objects()).toEqual(untouched);
});
