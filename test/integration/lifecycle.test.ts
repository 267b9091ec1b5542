import { HeadBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderHostPolicy } from "../../components/offsiteBucket/policy";
import { ask, serverStarts } from "../demo/prometheus";
import { ensureDocker } from "../hosts/docker";
import { makeHistory } from "../hosts/history";
import { quote, startHost, waitForPrometheus, type Host } from "../hosts/host";
import { sharedMinio, type Minio } from "../servers/minio";
import { receiverUrl, receiverUser, startReceiver, waitForSample } from "../servers/receiver";
import { waitUntil } from "../tools/process";
import {
  changesOf,
  credentialsFile,
  Deployment,
  freePort,
  hostSettings,
  refusal,
  sharedSettings,
  type StackSettings,
} from "./deployment";
import { inventory, serverFlag, serverProcess } from "./stepHarness";
import { representatives } from "../runner/pace";

// The life of one stack on the two kinds of hosts, with settings that would be executed or cut if anything put them
// into code.
const bucketName = "lifecycle-test";
const environment = `it's "dev" $(touch /tmp/executed) \`id\` \\ % ü €`;
const team = `o'ps "a" $(touch /tmp/executed) \\n ß`;
const localPath = `/backup/it's $(touch executed) "ü"`;
const receiverPassword = `it's "$(id)" receiver-7391`;
/** The part of it that stays as it is in every notation. */
const receiverWord = "receiver-7391";
const command = "/usr/local/bin/prometheus-backup.sh";
const cronLine = (schedule: string) => `${schedule} prometheus ${command} run >> /var/log/prometheus-backup.log 2>&1`;

const restartOf = (name: string) => `Prometheus of ${name}`;

interface Found {
  inventory: string;
  starts: number;
}

interface Listed {
  name: string;
  repository: string;
  complete: boolean;
  suspect: boolean;
}

interface RuleGroup {
  name: string;
  file: string;
  rules: { name: string; labels: Record<string, string> }[];
}

let minio: Minio;
let deployment: Deployment;
let hosts: Host[];
/** A port of this machine that a host keeps when it boots again, unlike the one that Docker chooses. */
let ports: number[];
let found: Found[];
/** Server processes after the first `up`; nothing later may restart them. */
let processes: string[];

/** The first host sends its samples to a receiver as well. */
function settings(
  schedule: string,
  changed: Record<string, unknown> = {},
  maxShards = 10,
): Omit<StackSettings, "environment"> {
  const offsite = { bucket: "offsite", region: "eu-central-1", endpoint: minio.endpointForHosts };
  const target = {
    name: "long-term",
    url: receiverUrl,
    basicAuth: { username: receiverUser, password: "receiver" },
    queue: { maxShards },
  };
  const own = (host: Host, index: number) => ({
    port: ports[index],
    ...(index === 0 ? { remoteWrite: [target] } : {}),
    repositories: [{ path: localPath }, { ...offsite, credentials: `s3-${host.name}` }],
  });
  return {
    defaults: { ...sharedSettings, schedule, alerts: { labels: { team } }, ...changed },
    hosts: hosts.map((host, index) => hostSettings(host, own(host, index))),
    offsiteBucket: { bucketName },
  };
}

const onEach = <T>(what: (host: Host, index: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(what));
/**
 * Lets a run that is under way end, and starts no other before the next boot. Only a run may make the lock: it belongs
 * to its user.
 */
const stopCron = (host: Host) =>
  host.run("systemctl stop cron; cd /var/lib/prometheus-backup && if [ -e lock ]; then flock --wait 60 lock true; fi");
const processesNow = () =>
  onEach(async host => `${await serverProcess(host)} ${await serverProcess(host, host.paths.nodeExporterUnit)}`);

beforeAll(async () => {
  ports = [await freePort(), await freePort()];
  const keepPort = (index: number) => ({ dockerArguments: ["--publish", `127.0.0.1:${ports[index]}:22`] });
  [minio, ...hosts] = await Promise.all([
    sharedMinio(),
    startHost({ name: "life-debian", ...keepPort(0) }),
    startHost({ name: "life-course", layout: "course", ...keepPort(1) }),
  ]);
  await onEach(host => makeHistory(host, { days: 0.25, series: 20, cached: true }));
  if (hosts[0] !== undefined) {
    await startReceiver(hosts[0], receiverPassword);
  }
  found = await onEach(async host => ({ inventory: await inventory(host), starts: await serverStarts(host) }));
  const secrets: Record<string, string> = { sshKey: hosts[0]?.privateKey ?? "", receiver: receiverPassword };
  for (const host of hosts) {
    const policy = renderHostPolicy({
      bucketArn: `arn:aws:s3:::${bucketName}`,
      hostName: host.name,
      mayRead: [],
      mayPrune: true,
    });
    secrets[`s3-${host.name}`] = credentialsFile(await minio.addUser(host.name, JSON.parse(policy) as object));
  }
  deployment = await Deployment.create({ environment, ...settings("0 2 * * *") }, secrets, minio.environment);
});
afterAll(async () => {
  deployment?.stack.remove();
  await Promise.all([...(hosts ?? []), minio].map(each => each?.stop()));
});

test.each(
  representatives(
    [
      [
        "a line break in the environment",
        { environment: "a\nb" },
        "environment: holds a line break or another control character. Write it on one line.",
      ],
      [
        "a relative way in a path",
        { defaults: { repositories: [{ path: "/backup/../etc" }] } },
        "defaults.repositories[0].path: must be an absolute path without `..`, `//` and a slash at the end. Write it out.",
      ],
      [
        "a command in a path that becomes a line of its own",
        { defaults: { alerts: { rulesPath: "/etc/$(id).yml" } } },
        "defaults.alerts.rulesPath: must be a path of letters, digits and `._@+-`. Choose another path.",
      ],
      [
        "a template in a label",
        { defaults: { alerts: { labels: { team: "{{ $value }}" } } } },
        "defaults.alerts.labels.team: holds `{{`, which Prometheus would run as a template. Remove it.",
      ],
      [
        "a command in a user",
        { defaults: { prometheus: { user: "a;id" } } },
        "defaults.prometheus.user: must be the name of a user on the host. Write it as `id -un` prints it.",
      ],
    ],
    (_, index) => index < 2,
  ),
)("%s is refused before anybody is contacted", async (_what, changed, message) => {
  const given = settings("0 2 * * *", "defaults" in changed ? changed.defaults : {});
  await deployment.change({ ...given, environment: "environment" in changed ? changed.environment : environment });
  const run = await deployment.stack.tryUp();
  expect([run.ok, run.dials]).toEqual([false, []]);
  expect(refusal(run)).toEqual([message]);
});

test("up turns the admin API on with one restart of each server and one connection for each step", async () => {
  await deployment.change({ environment, ...settings("0 2 * * *") });
  const watch = `while sleep 0.2; do cat /proc/[0-9]*/cmdline; done 2>/dev/null | tr '\\0' ' ' >/root/arguments`;
  await hosts[0]?.run(`systemd-run --quiet --unit watch-arguments bash -c ${quote(watch)}`);
  const run = await deployment.stack.up();
  expect(await onEach(async (host, index) => (await serverStarts(host)) - (found[index]?.starts ?? 0))).toEqual([1, 1]);
  expect(await onEach(host => serverFlag(host, "web.enable-admin-api"))).toEqual(["true", "true"]);
  // The preview says it; after it, the last line of the step says what happened.
  expect(run.output).not.toContain(restartOf(""));
  expect(run.output).toMatch(/installed: backups are made by cron .*; the next one: \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  expect(ports.map(port => run.dials.filter(dial => dial.endsWith(`:${port}`)).length)).toEqual(
    deployment.stack.countsDials ? [8, 6] : [0, 0],
  );
  expect(run.output).not.toContain(receiverWord);
  expect(run.outputs).toMatchObject({
    bucketName: { value: bucketName },
    schedules: { value: { "life-debian": "0 2 * * *", "life-course": "0 2 * * *" } },
  });
  processes = await processesNow();
});

test("F24: a second up changes nothing, opens no connection and restarts nothing", async () => {
  const run = await deployment.stack.up();
  expect([changesOf(run), run.dials]).toEqual([{}, []]);
  expect(await processesNow()).toEqual(processes);
});

test("F27: free text is on the hosts byte for byte and was not executed", async () => {
  await onEach(async host => {
    const show = `. /etc/prometheus-backup/prometheus-backup.conf; printf '%s\\n' "$ENVIRONMENT" "$REPOSITORY_1_LOCATION"`;
    expect(await host.run(show)).toBe(`${environment}\n${localPath}\n`);
    expect(await host.run(`stat --format %U:%a -- ${quote(localPath)}`)).toBe("prometheus:750\n");
    expect(await host.run("find / -xdev -name 'executed*'")).toBe("");
    const [{ groups }] = (await ask(host, ["/api/v1/rules?type=alert"])) as [{ groups: RuleGroup[] }];
    const group = groups.find(each => each.name === "prometheus-backup");
    expect(group?.file).toBe("/etc/prometheus/rules/prometheus-backup.yml");
    expect(group?.rules.map(rule => rule.name)).toEqual(
      expect.arrayContaining(["PrometheusBackupFailed", "PrometheusBackupTooSlow"]),
    );
    expect(new Set(group?.rules.map(rule => rule.labels["team"]))).toEqual(new Set([team]));
  });
});

test("samples arrive at the receiver, whose password stands in no state, log, argument list or public file", async () => {
  const [host] = hosts as [Host];
  await waitForSample(host, 'up{job="prometheus"}', receiverPassword);
  expect(await host.run("cat /etc/prometheus-backup/remote-write/*.password")).toBe(`${receiverPassword}\n`);
  expect(await host.run("stat --format %U:%G:%a /etc/prometheus-backup/remote-write/*.password")).toBe(
    "root:prometheus:640\n",
  );
  expect(deployment.stack.storedState()).not.toContain(receiverWord);
  await host.run("systemctl stop watch-arguments && journalctl --no-pager >/root/journal");
  const holding = async (word: string, places: string): Promise<string> =>
    host.run(`grep -rslaF -- ${quote(word)} ${places} || true`);
  // Both were written while the steps ran.
  expect(await holding("/bin/bash -s", "/root/arguments /root/journal")).toBe("/root/arguments\n/root/journal\n");
  expect(await holding(receiverWord, "/root/arguments /root/journal /etc/prometheus /usr/local /tmp")).toBe("");
});

test("the state holds at most 100 KB for each host, and 25 KB more for one that sends samples", () => {
  const { resources } = JSON.parse(deployment.stack.storedState()) as { resources: { urn: string }[] };
  for (const [index, { name }] of hosts.entries()) {
    const own = resources.filter(resource => resource.urn.includes(`::${name}`));
    // The component of the host with four below it, the toolkit and five steps, for the first host also those of
    // remote_write; indented as the backend stores it.
    expect(own).toHaveLength(index === 0 ? 14 : 11);
    expect(
      own.reduce((bytes, resource) => bytes + Buffer.byteLength(JSON.stringify(resource, null, 4)), 0),
    ).toBeLessThan(index === 0 ? 125_000 : 100_000);
  }
});

test("the preview of another schedule and another queue shows the changed lines and contacts nobody", async () => {
  await deployment.change(settings("0 3 * * *", {}, 20));
  const run = await deployment.stack.preview();
  const at = (hour: number): string[] => [cronLine(`0 ${hour} * * *`), `RUN_CALENDAR='*-*-* 0${hour}:00:00'`];
  const cron = hosts.flatMap(() => [...at(2).map(line => `- | ${line}`), ...at(3).map(line => `+ | ${line}`)]);
  expect(
    run.output
      .match(/^ +[-+] \| .*$/gm)
      ?.map(line => line.trim().replace(/ +/g, " "))
      .sort(),
  ).toEqual([...cron, "- | max_shards: 10", "+ | max_shards: 20"].sort());
  expect(run.output).not.toContain(receiverWord);
  expect(run.output).not.toContain(restartOf(""));
  expect(run.dials).toEqual([]);
  expect(await hosts[0]?.readFile("/etc/cron.d/prometheus-backup")).toContain(`\n${cronLine("0 2 * * *")}\n`);
});

test("the preview of another address names the Prometheus that may be restarted", async () => {
  await deployment.change(settings("0 2 * * *", { prometheus: { url: "http://localhost:9090" } }));
  const { output, dials } = await deployment.stack.preview();
  expect(hosts.map(({ name }) => output.includes(`${restartOf(name)} (prometheus.service)`))).toEqual([true, true]);
  expect(dials).toEqual([]);
});

test("up with another schedule runs the steps that depend on it and restarts nothing", async () => {
  await deployment.change(settings("* * * * *"));
  const run = await deployment.stack.up();
  // The engine may print the line of a resource again when its output comes late.
  const updated = [
    ...new Set([...run.output.matchAll(/^ ~ +command:remote:\w+ (\S+) updated/gm)].map(match => match[1])),
  ].sort();
  expect(updated).toEqual(
    hosts.flatMap(({ name }) => [`${name}-alert-rules-install`, `${name}-backup-job-install`]).sort(),
  );
  expect(await processesNow()).toEqual(processes);
  expect(await onEach(host => host.readFile("/etc/cron.d/prometheus-backup"))).toEqual(
    hosts.map(() => expect.stringContaining(`\n${cronLine("* * * * *")}\n`) as string),
  );
});

test("F24: after a reboot the admin API is on and up has nothing to do", async () => {
  const docker = await ensureDocker();
  await onEach(stopCron);
  await onEach(host => docker.output(["restart", host.container]));
  await onEach(host => waitForPrometheus(host));
  expect(await onEach(host => serverFlag(host, "web.enable-admin-api"))).toEqual(["true", "true"]);
  const run = await deployment.stack.up();
  expect([changesOf(run), run.dials]).toEqual([{}, []]);
});

test("cron starts a run by itself, which puts a complete backup into both repositories", async () => {
  const backups = await onEach(async host => {
    let good: string[] = [];
    await waitUntil(
      `${host.name} has a complete backup in both repositories`,
      120,
      async () => {
        const shown = await host.exec(`${command} list --json`);
        const listed = shown.code === 0 ? (JSON.parse(shown.stdout) as Listed[]) : [];
        const complete = (repository: string) =>
          listed
            .filter(each => each.repository === repository && each.complete && !each.suspect)
            .map(each => each.name);
        good = complete("offsite").filter(name => complete("local").includes(name));
        return good.length > 0;
      },
      2000,
    );
    return good[0] ?? "";
  });
  const { Contents = [] } = await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName }));
  const manifests = Contents.map(object => object.Key).filter(key => key?.includes("/backups/"));
  expect(manifests).toEqual(
    expect.arrayContaining(hosts.map((host, index) => `${host.name}/backups/${backups[index]}.json`)),
  );
});

test("the run is in the log, in the metrics of node_exporter and of the server, and left no snapshot", async () => {
  await onEach(async host => {
    // A backup is listed before its run has pruned and is done.
    const done = /^\S+Z done backup=\d{8}T\d{6}Z newest_sample=\S+ seconds=\d+$/m;
    const log = () => host.readFile("/var/log/prometheus-backup.log");
    await waitUntil(`a run of ${host.name} is done`, 150, async () => done.test(await log()), 1000).catch(
      async (error: unknown) => {
        throw new Error(`its log says:\n${await log()}`, { cause: error });
      },
    );
    const escaped = environment.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    const line = `\nprometheus_backup_last_exit_code{environment="${escaped}",host="${host.name}"} 0\n`;
    // A run in the moments after the boot may have failed, because the server was not ready.
    await waitUntil(
      `node_exporter of ${host.name} serves${line}`,
      120,
      async () => (await host.run("curl --silent --show-error http://127.0.0.1:9100/metrics")).includes(line),
      2000,
    );
    let labels: Record<string, string> | undefined;
    await waitUntil(
      `${host.name} has scraped the metrics`,
      60,
      async () => {
        const [answer] = (await ask(host, [
          "/api/v1/query?query=prometheus_backup_last_success_timestamp_seconds",
        ])) as [{ result: { metric: Record<string, string> }[] }];
        labels = answer.result[0]?.metric;
        return labels !== undefined;
      },
      1000,
    );
    expect(labels).toMatchObject({ environment, host: host.name });
    await waitUntil(
      `no run is under way on ${host.name}`,
      30,
      async () => (await host.exec("flock --nonblock /var/lib/prometheus-backup/lock true")).code === 0,
    );
    expect(await host.run(`ls -A ${host.paths.dataDirectory}/snapshots`)).toBe("");
    expect(await host.run("find / -xdev -name 'executed*'")).toBe("");
  });
});

test("F25: destroy leaves the hosts as they were found, and the bucket and the backups where they are", async () => {
  await onEach(stopCron);
  await deployment.stack.destroy({ excludeProtected: true });
  expect(await onEach(host => inventory(host))).toEqual(found.map(each => each.inventory));
  expect(await onEach(host => serverFlag(host, "web.enable-admin-api"))).toEqual(["false", "false"]);
  await onEach(async host => {
    const [{ groups }] = (await ask(host, ["/api/v1/rules"])) as [{ groups: RuleGroup[] }];
    expect(groups.map(group => group.name)).not.toContain("prometheus-backup");
    expect(await host.run(`ls -- ${quote(localPath)}/${host.name}/backups`)).toMatch(/^\d{8}T\d{6}Z\.json\n/);
    expect((await host.exec("ls /var/log/prometheus-backup.log /var/lib/prometheus-backup")).code).toBe(0);
  });
  await minio.client().send(new HeadBucketCommand({ Bucket: bucketName }));
  const { Contents = [] } = await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName }));
  const withBackups = new Set(Contents.flatMap(object => /^([^/]+)\/backups\//.exec(object.Key ?? "")?.[1] ?? []));
  expect([...withBackups].sort()).toEqual(["life-course", "life-debian"]);
});
