import { expect, test } from "vitest";
import { parseConfig, StackConfig } from "../components/config";
import { PrometheusBackupFleetArgs } from "../components/prometheusBackupFleet";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
const secrets = new Map([["sshKey", "PRIVATE"], ["s3", "[default]"], ["watcher", "https://watcher/1"]]);

function parse(plain: StackConfig): PrometheusBackupFleetArgs {
  return parseConfig({ environment: "test", ...plain }, name => secrets.get(name));
}

/** The complaints about a configuration, without their first line. */
function complaints(plain: StackConfig): string[] {
  try {
    parse(plain);
  } catch (error) {
    const [first = "", ...lines] = (error as Error).message.split("\n");
    expect(first).toBe(
      lines.length === 1
        ? "prometheus-backup: 1 setting in this stack needs a change. No resource was touched."
        : `prometheus-backup: ${lines.length} settings in this stack need a change. No resource was touched.`,
    );
    return lines.map(line => line.replace(/^ {2}- /, ""));
  }
  return [];
}

function host(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name: "prom-a", address: "10.0.0.11", hostKey, repositories: [{ path: "/backup/prometheus" }], ...more };
}

const missingKey = "is missing. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.";
const badKey = "is not a public host key. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.";
const oneLine = "holds a line break or another control character. Write it on one line.";

test("the smallest configuration is enough", () => {
  expect(parse({ hosts: [host()] })).toEqual({
    environment: "test",
    hosts: [{ name: "prom-a", connection: { address: "10.0.0.11", hostKey }, repositories: [{ path: "/backup/prometheus" }] }],
  });
});

test("a host takes shared settings, its secrets by name, and its name as address", () => {
  const defaults = { user: "deploy", privateKey: "sshKey", skipHead: true, repositories: [{ bucket: "backups", credentials: "s3" }], limits: { nice: 3 } };
  expect(parse({ defaults, hosts: [{ name: "prom-a", hostKey, port: 2222, limits: { parallel: 1 } }] }).hosts).toEqual([
    {
      name: "prom-a",
      connection: { address: "prom-a", user: "deploy", port: 2222, hostKey, privateKey: "PRIVATE" },
      skipHead: "always",
      repositories: [{ bucket: "backups", credentials: "[default]" }],
      limits: { nice: 3, parallel: 1 },
    },
  ]);
});

test.each<[string, Record<string, unknown>, string]>([
  ["a bad name", { name: "Prom A" }, "hosts[0].name: must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host."],
  ["a user in the address", { address: "root@10.0.0.1" }, "hosts[0].address: must be a host name or an IP address, without user, port or scheme. Give those in `user` and `port`."],
  ["no host key", { hostKey: undefined }, `hosts[0].hostKey: ${missingKey}`],
  ["a host key with the address", { hostKey: `10.0.0.11 ${hostKey}` }, `hosts[0].hostKey: ${badKey}`],
  ["a second line in the host key", { hostKey: `${hostKey}\nssh-rsa AAAA` }, `hosts[0].hostKey: ${badKey}`],
  ["a key instead of its name", { privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----" }, "hosts[0].privateKey: must be the name of a secret of this stack, not the secret itself. Store it with `pulumi config set --secret NAME`, and write that NAME here."],
  ["a secret that is not there", { privateKey: "other" }, "hosts[0].privateKey: names the secret `other`, which this stack does not have. Run `pulumi config set --secret other` and paste it."],
  ["a secret inside the structure", { privateKey: { secure: "v1:abc" } }, "hosts[0].privateKey: is encrypted inside a structure. Store it with `pulumi config set --secret NAME`, and write that NAME here."],
  ["a text for a number", { port: "22" }, "hosts[0].port: must be a number, and is a text. Correct it."],
  ["a number for a text", { schedule: 5 }, "hosts[0].schedule: must be a text, and is a number. Correct it."],
  ["an unknown choice", { source: "warm" }, "hosts[0].source: must be one of `snapshot`, `hot`, `cold`. Choose one."],
  ["an unknown setting", { retention: { day: 3 } }, "hosts[0].retention.day: is not a setting here. There are `days`, `keepLast`, `hourly`, `daily`, `weekly`, `monthly`, `yearly`, `minimum`."],
  ["a retention of nothing", { retention: { days: 0 } }, "hosts[0].retention.days: must be a whole number from 1 to 36500. Correct it."],
  ["half a day", { retention: { days: 0.5 } }, "hosts[0].retention.days: must be a whole number from 1 to 36500. Correct it."],
  ["a bad schedule", { schedule: "60 2 * * *" }, "hosts[0].schedule: is not a schedule that cron can run (constraint error, got value 60 expected range 0-59). Correct the field."],
  ["a command in the schedule", { schedule: "0 2 * * * root reboot" }, 'hosts[0].schedule: must be a cron line of five fields (minute, hour, day of month, month, day of week) or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Write for example "0 2 * * *" for every day at 02:00.'],
  ["a spread of many runs an hour", { schedule: "*/5 * * * *", spreadMinutes: 3 }, "hosts[0].schedule: runs several times an hour, so `spreadMinutes` cannot move it. Remove `spreadMinutes` or use one fixed minute."],
  ["a bad schedule of drills", { drill: { schedule: "0 25 * * 0" } }, "hosts[0].drill.schedule: is not a schedule that cron can run (constraint error, got value 25 expected range 0-23). Correct the field."],
  ["a spread that does not fit drills", { drill: { schedule: "30 23 * * 0" }, spreadMinutes: 60 }, "hosts[0].drill.schedule: would pass midnight when moved by `spreadMinutes`, into a day that the line does not name. Start earlier or lower `spreadMinutes`."],
  ["a time zone that is none", { timeZone: "Europe/Nowhere" }, "hosts[0].timeZone: is not a time zone. Write the name that `timedatectl` prints, such as `Europe/Berlin`."],
  ["no repository", { repositories: [] }, "hosts[0].repositories: is missing. Say where backups go, for example `[ { path: /backup/prometheus } ]`."],
  ["a repository of two kinds", { repositories: [{ path: "/b", gcs: "bucket" }] }, "hosts[0].repositories[0]: must have exactly one of `path`, `bucket`, `gcs` and `sftp`, and has 2. Keep one."],
  ["a backup that is none", { bootstrapFrom: { backup: "newest" } }, "hosts[0].bootstrapFrom.backup: must be `latest` or the name of a backup. Write it as `prometheus-backup.sh list --host NAME` prints it, for example `20261122T020000Z`."],
  ["a birth from a host that is none", { bootstrapFrom: { host: "Prom A" } }, "hosts[0].bootstrapFrom.host: must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host."],
  ["a birth out of a repository of another host", { bootstrapFrom: { repository: "nas" } }, "hosts[0].bootstrapFrom.repository: must be the name of a repository of this host: `local`. Choose one, or remove it."],
  ["a birth from a time", { bootstrapFrom: { time: "now" } }, "hosts[0].bootstrapFrom.time: is not a setting here. There are `host`, `backup`, `repository`."],
  ["a relative path", { repositories: [{ path: "backup" }] }, "hosts[0].repositories[0].path: must be an absolute path without `..`, `//` and a slash at the end. Write it out."],
  ["a way out of the path", { repositories: [{ path: "/backup/../etc" }] }, "hosts[0].repositories[0].path: must be an absolute path without `..`, `//` and a slash at the end. Write it out."],
  ["a line break in a path", { repositories: [{ path: "/backup\nX=1" }] }, `hosts[0].repositories[0].path: ${oneLine}`],
  ["credentials for a directory", { repositories: [{ path: "/b", credentials: "s3" }] }, "hosts[0].repositories[0].credentials: means nothing for a repository with `path`. Remove it."],
  ["credentials in a URL", { repositories: [{ bucket: "backups", endpoint: "https://key:secret@s3.example.org" }] }, "hosts[0].repositories[0].endpoint: must be a URL with `http://` or `https://`, a host, and at most a path; no user, password or query. Move credentials to their own setting."],
  ["two repositories of one name", { repositories: [{ path: "/a" }, { path: "/b" }] }, 'hosts[0].repositories[0].name, hosts[0].repositories[1].name: both are "local". Names must differ because commands and logs use them. Give each a `name` of its own.'],
  ["`offsite` without a bucket", { repositories: [{ bucket: "offsite" }] }, "hosts[0].repositories[0].bucket: `offsite` means the bucket that this stack creates, and none is described. Describe it, for example `offsiteBucket: { bucketName: NAME }`; bucket names are global, so you choose it."],
  ["a proxy that nobody asked for", { adminApi: { proxyListen: "0.0.0.0:9090" } }, "hosts[0].adminApi.proxyListen: is used only with `exposure: reverse-proxy`. Set that, or remove `proxyListen`."],
  ["a rules file that nothing would read", { alerts: { rulesPath: "/etc/prometheus/rules/backup.rules" } }, "hosts[0].alerts.rulesPath: must end in `.yml` or `.yaml`, or no `rule_files` entry would match it. Add the ending."],
  ["a template in a label", { alerts: { labels: { team: "{{ $value }}" } } }, "hosts[0].alerts.labels.team: holds `{{`, which Prometheus would run as a template. Remove it."],
  ["a name that is no label", { alerts: { labels: { "a b": "x" } } }, "hosts[0].alerts.labels.a b: is not a name that Prometheus takes for a label. Use letters, digits and `_`."],
  ["a URL instead of its name", { heartbeat: "https://watcher/1" }, "hosts[0].heartbeat: must be the name of a secret of this stack, not the secret itself. Store it with `pulumi config set --secret NAME`, and write that NAME here."],
  ["a repository that would overwrite another secret", { repositories: [{ name: "heartbeat", path: "/b" }] }, "hosts[0].repositories[0].name: is the name of another file of credentials on the host. Choose another name."],
  ["a wait that is none", { prometheus: { readyTimeoutSeconds: 0 } }, "hosts[0].prometheus.readyTimeoutSeconds: must be a whole number from 1 to 86400. Correct it."],
  ["a unit without its ending", { prometheus: { unit: "prometheus" } }, "hosts[0].prometheus.unit: must be a systemd unit with its ending. Write for example `prometheus.service`."],
  ["a user that ends the line", { prometheus: { user: "prometheus\nroot" } }, "hosts[0].prometheus.user: must be the name of a user on the host. Write it as `id -un` prints it."],
])("refused: %s", (_what, settings, text) => {
  expect(complaints({ hosts: [host(settings)] })).toEqual([text]);
});

test("all problems are said at once, in the order of the file", () => {
  const plain = {
    environment: "a\tb",
    defaults: { schedul: "x", limits: { nice: 20 }, user: "Root" },
    hosts: [host({ name: "prom-a", hostKey: "x" }), host({ source: "no" }), { address: "10.0.0.1" }, "prom-d"],
    offsiteBucket: { bucketName: "B", objectLock: { mode: "NONE", days: 1 } },
  };
  expect(complaints(plain).map(line => line.split(":")[0])).toEqual([
    "environment",
    "defaults.schedul",
    "defaults.limits.nice",
    "defaults.user",
    "hosts[0].name, hosts[1].name",
    "hosts[0].hostKey",
    "hosts[1].source",
    "hosts[2].name",
    "hosts[3]",
    "offsiteBucket.bucketName",
    "offsiteBucket.objectLock.mode",
  ]);
});

test("the heartbeat of all hosts is one secret, and one of them may have its own", () => {
  const defaults = { heartbeat: "watcher", companions: false, repositories: [{ path: "/b" }] };
  const hosts = parse({ defaults, hosts: [{ name: "prom-a", hostKey }, { name: "prom-b", hostKey, heartbeat: "s3", companions: true }] }).hosts;
  expect(hosts.map(({ heartbeat, companions }) => [heartbeat, companions])).toEqual([["https://watcher/1", false], ["[default]", true]]);
});

test("a problem of shared settings is said once, not for every host", () => {
  const bare = (name: string): Record<string, unknown> => ({ name, hostKey });
  const defaults = { schedule: "0 2 30 2 *", privateKey: "other", repositories: [{ path: "/b" }] };
  expect(complaints({ defaults, hosts: [bare("prom-a"), bare("prom-b")] })).toEqual([
    "defaults.schedule: is not a schedule that cron can run (invalid explicit day of month definition). Correct the field.",
    "defaults.privateKey: names the secret `other`, which this stack does not have. Run `pulumi config set --secret other` and paste it.",
  ]);
});

test("no message repeats a value that could be a secret", () => {
  const secret = "hunter2-hunter2";
  const everywhere = {
    hosts: [host({
      heartbeat: `https://${secret}`, privateKey: `${secret} `, privateKeyPassword: `${secret} `, user: `${secret} `, port: secret, schedule: secret, address: `${secret}@x`,
      prometheus: { apiCredentials: `user = "${secret}"`, url: `http://${secret}@localhost` },
      repositories: [{ bucket: `${secret}_`, endpoint: `https://u:${secret}@s3`, credentials: `x ${secret}` }],
      bastion: { address: "b", hostKey: secret, password: secret },
    })],
    offsiteBucket: { bucketName: `${secret} `, kmsKey: 5, secretKey: secret },
  };
  const lines = complaints(everywhere);
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.join("\n")).not.toContain(secret);
});

test("a configuration without hosts says what to write", () => {
  expect(complaints({})).toEqual(["hosts: is missing. List the hosts, or write `[]` while there are none."]);
  expect(parse({ hosts: [] })).toEqual({ environment: "test", hosts: [] });
});
