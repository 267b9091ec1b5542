import { expect, test } from "vitest";
import { parseConfig } from "../components/stack/config";
import { StackConfig, StackFacts } from "../components/stack/stackConfig";
import { PrometheusBackupFleetArgs } from "../components/fleetSettings";
import { fakeKey } from "./privateKey";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";
const certificate = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
const secrets = new Map([
  ["sshKey", fakeKey()],
  ["s3", "[default]"],
  ["watcher", "https://watcher/1"],
]);

function parse(plain: StackConfig, facts?: StackFacts): PrometheusBackupFleetArgs {
  return parseConfig({ environment: "test", ...plain }, name => secrets.get(name), facts);
}

/** The complaints about a configuration, without their first line. */
function complaints(plain: StackConfig, facts?: StackFacts): string[] {
  try {
    parse(plain, facts);
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

const missingKey =
  "is missing. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.";
const badKey =
  "is not a public host key. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.";
const oneLine = "holds a line break or another control character. Write it on one line.";

test("the smallest configuration is enough", () => {
  expect(parse({ hosts: [host()] })).toEqual({
    environment: "test",
    hosts: [
      { name: "prom-a", connection: { address: "10.0.0.11", hostKey }, repositories: [{ path: "/backup/prometheus" }] },
    ],
  });
});

test("a host takes shared settings, its secrets by name, and its name as address", () => {
  const defaults = {
    user: "deploy",
    privateKey: "sshKey",
    skipHead: true,
    repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "s3" }],
    limits: { nice: 3 },
  };
  expect(parse({ defaults, hosts: [{ name: "prom-a", hostKey, port: 2222, limits: { parallel: 1 } }] }).hosts).toEqual([
    {
      name: "prom-a",
      connection: { address: "prom-a", user: "deploy", port: 2222, hostKey, privateKey: fakeKey() },
      skipHead: "always",
      repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "[default]" }],
      limits: { nice: 3, parallel: 1 },
    },
  ]);
});

test.each<[string, Record<string, unknown>, string]>([
  [
    "a bad name",
    { name: "Prom A" },
    "hosts[0].name: must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host.",
  ],
  [
    "a user in the address",
    { address: "root@10.0.0.1" },
    "hosts[0].address (prom-a): must be a host name or an IP address, without user, port or scheme. Give those in `user` and `port`.",
  ],
  ["no host key", { hostKey: undefined }, `hosts[0].hostKey (prom-a): ${missingKey}`],
  ["a host key with the address", { hostKey: `10.0.0.11 ${hostKey}` }, `hosts[0].hostKey (prom-a): ${badKey}`],
  ["a second line in the host key", { hostKey: `${hostKey}\nssh-rsa AAAA` }, `hosts[0].hostKey (prom-a): ${badKey}`],
  [
    "a key instead of its name",
    { privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----" },
    "hosts[0].privateKey (prom-a): must be the name of a secret of this stack, not the secret itself. Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.",
  ],
  [
    "a secret that is not there",
    { privateKey: "other" },
    "hosts[0].privateKey (prom-a): names the secret `other`, which this stack does not have. Store it: `pulumi config set --secret prometheus-backup:other < FILE`.",
  ],
  [
    "a secret inside the structure",
    { privateKey: { secure: "v1:abc" } },
    "hosts[0].privateKey (prom-a): is encrypted inside a structure. Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.",
  ],
  ["a text for a number", { port: "22" }, "hosts[0].port (prom-a): must be a number, and is a text. Correct it."],
  ["a number for a text", { schedule: 5 }, "hosts[0].schedule (prom-a): must be a text, and is a number. Correct it."],
  [
    "an unknown choice",
    { source: "warm" },
    "hosts[0].source (prom-a): must be one of `snapshot`, `hot`, `cold`, and is `warm`. Choose one.",
  ],
  [
    "an unknown setting",
    { retention: { day: 3 } },
    "hosts[0].retention.day (prom-a): is not a setting here. Did you mean `days`?",
  ],
  [
    "a misspelt setting",
    { scheduel: "0 2 * * *" },
    "hosts[0].scheduel (prom-a): is not a setting here. Did you mean `schedule`?",
  ],
  [
    "a setting that stands deeper",
    { bandwidth: "10M" },
    "hosts[0].bandwidth (prom-a): is not a setting here. Did you mean `limits.bandwidth`?",
  ],
  [
    "a misspelt setting in a list",
    { repositories: [{ path: "/b", prun: true }] },
    "hosts[0].repositories[0].prun (prom-a): is not a setting here. Did you mean `prune`?",
  ],
  [
    "a setting like no other",
    { frobnicate: 1 },
    "hosts[0].frobnicate (prom-a): is not a setting here. docs/settings.md has all that there are.",
  ],
  [
    "a bandwidth that rclone refuses",
    { limits: { bandwidth: "fast" } },
    "hosts[0].limits.bandwidth (prom-a): must be a rate for rclone's `--bwlimit`, or rates by time of day. Write for example `10M`, `10M:1M` (up:down) or `08:00,1M 19:00,10M`.",
  ],
  [
    "a bucket nowhere",
    { repositories: [{ bucket: "backups" }] },
    "hosts[0].repositories[0].region (prom-a): is missing. Write the region of the bucket, such as `eu-central-1`, or the `endpoint` of a server other than AWS.",
  ],
  [
    "a retention of nothing",
    { retention: { days: 0 } },
    "hosts[0].retention.days (prom-a): must be a whole number from 1 to 36500, and is 0. Correct it.",
  ],
  [
    "half a day",
    { retention: { days: 0.5 } },
    "hosts[0].retention.days (prom-a): must be a whole number from 1 to 36500, and is 0.5. Correct it.",
  ],
  [
    "a bad schedule",
    { schedule: "60 2 * * *" },
    "hosts[0].schedule (prom-a): is not a schedule that cron can run (constraint error, got value 60 expected range 0-59). Correct the field.",
  ],
  [
    "a command in the schedule",
    { schedule: "0 2 * * * root reboot" },
    'hosts[0].schedule (prom-a): must be a cron line of five fields (minute, hour, day of month, month, day of week) or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Write for example "0 2 * * *" for every day at 02:00.',
  ],
  [
    "a spread of many runs an hour",
    { schedule: "*/5 * * * *", spreadMinutes: 3 },
    "hosts[0].schedule (prom-a): runs several times an hour, so `spreadMinutes` cannot move it. Remove `spreadMinutes` or use one fixed minute.",
  ],
  [
    "a bad schedule of drills",
    { drill: { schedule: "0 25 * * 0" } },
    "hosts[0].drill.schedule (prom-a): is not a schedule that cron can run (constraint error, got value 25 expected range 0-23). Correct the field.",
  ],
  [
    "a spread that does not fit drills",
    { drill: { schedule: "30 23 * * 0" }, spreadMinutes: 60 },
    "hosts[0].drill.schedule (prom-a): would pass midnight when moved by `spreadMinutes`, into a day that the line does not name. Start earlier or lower `spreadMinutes`.",
  ],
  [
    "a time zone that is none",
    { timeZone: "Europe/Nowhere" },
    "hosts[0].timeZone (prom-a): is not a time zone. Write the name that `timedatectl` prints, such as `Europe/Berlin`.",
  ],
  [
    "no repository",
    { repositories: [] },
    "hosts[0].repositories (prom-a): is missing. Say where backups go, for example `[ { path: /backup/prometheus } ]`.",
  ],
  [
    "a repository of two kinds",
    { repositories: [{ path: "/b", gcs: "bucket" }] },
    "hosts[0].repositories[0] (prom-a): must have exactly one of `path`, `bucket`, `gcs` and `sftp`, and has 2. Keep one.",
  ],
  [
    "a backup that is none",
    { bootstrapFrom: { backup: "newest" } },
    "hosts[0].bootstrapFrom.backup (prom-a): must be `latest` or the name of a backup. Write it as `prometheus-backup.sh list --host NAME` prints it, for example `20261122T020000Z`.",
  ],
  [
    "a birth from a host that is none",
    { bootstrapFrom: { host: "Prom A" } },
    "hosts[0].bootstrapFrom.host (prom-a): must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host.",
  ],
  [
    "a birth out of a repository of another host",
    { bootstrapFrom: { repository: "nas" } },
    "hosts[0].bootstrapFrom.repository (prom-a): must be the name of a repository of this host: `local`. Choose one, or remove it.",
  ],
  [
    "a birth from a time",
    { bootstrapFrom: { time: "now" } },
    "hosts[0].bootstrapFrom.time (prom-a): is not a setting here. There are `host`, `backup`, `repository`.",
  ],
  [
    "a relative path",
    { repositories: [{ path: "backup" }] },
    "hosts[0].repositories[0].path (prom-a): must be an absolute path without `..`, `//` and a slash at the end. Write it out.",
  ],
  [
    "a way out of the path",
    { repositories: [{ path: "/backup/../etc" }] },
    "hosts[0].repositories[0].path (prom-a): must be an absolute path without `..`, `//` and a slash at the end. Write it out.",
  ],
  [
    "a line break in a path",
    { repositories: [{ path: "/backup\nX=1" }] },
    `hosts[0].repositories[0].path (prom-a): ${oneLine}`,
  ],
  [
    "credentials for a directory",
    { repositories: [{ path: "/b", credentials: "s3" }] },
    "hosts[0].repositories[0].credentials (prom-a): means nothing for a repository with `path`. Remove it.",
  ],
  [
    "credentials in a URL",
    { repositories: [{ bucket: "backups", endpoint: "https://key:secret@s3.example.org" }] },
    "hosts[0].repositories[0].endpoint (prom-a): must be a URL with `http://` or `https://`, a host, and at most a path; no user, password or query. Move credentials to their own setting.",
  ],
  [
    "two repositories of one name",
    { repositories: [{ path: "/a" }, { path: "/b" }] },
    'hosts[0].repositories[0].name, hosts[0].repositories[1].name: both are "local". Names must differ because commands and logs use them. Give each a `name` of its own.',
  ],
  [
    "`offsite` without a bucket",
    { repositories: [{ bucket: "offsite", region: "eu-central-1" }] },
    "hosts[0].repositories[0].bucket (prom-a): `offsite` means the bucket that this stack creates, and none is described. Describe it, for example `offsiteBucket: { bucketName: NAME }`; bucket names are global, so you choose it.",
  ],
  [
    "a proxy that nobody asked for",
    { adminApi: { proxyListen: "0.0.0.0:9090" } },
    "hosts[0].adminApi.proxyListen (prom-a): is used only with `exposure: reverse-proxy`. Set that, or remove `proxyListen`.",
  ],
  [
    "a rules file that nothing would read",
    { alerts: { rulesPath: "/etc/prometheus/rules/backup.rules" } },
    "hosts[0].alerts.rulesPath (prom-a): must end in `.yml` or `.yaml`, or no `rule_files` entry would match it. Add the ending.",
  ],
  [
    "a template in a label",
    { alerts: { labels: { team: "{{ $value }}" } } },
    "hosts[0].alerts.labels.team (prom-a): holds `{{`, which Prometheus would run as a template. Remove it.",
  ],
  [
    "a name that is no label",
    { alerts: { labels: { "a b": "x" } } },
    "hosts[0].alerts.labels.a b: is not a name that Prometheus takes for a label. Use letters, digits and `_`.",
  ],
  [
    "a URL instead of its name",
    { heartbeat: "https://watcher/1" },
    "hosts[0].heartbeat (prom-a): must be the name of a secret of this stack, not the secret itself. Store it with `pulumi config set --secret prometheus-backup:NAME < FILE`, and write that NAME here.",
  ],
  [
    "a repository that would overwrite another secret",
    { repositories: [{ name: "heartbeat", path: "/b" }] },
    "hosts[0].repositories[0].name (prom-a): is the name of another file of credentials on the host. Choose another name.",
  ],
  [
    "a wait that is none",
    { prometheus: { readyTimeoutSeconds: 0 } },
    "hosts[0].prometheus.readyTimeoutSeconds (prom-a): must be a whole number from 1 to 86400, and is 0. Correct it.",
  ],
  [
    "a unit without its ending",
    { prometheus: { unit: "prometheus" } },
    "hosts[0].prometheus.unit (prom-a): must be a systemd unit with its ending. Write for example `prometheus.service`.",
  ],
  [
    "a user that ends the line",
    { prometheus: { user: "prometheus\nroot" } },
    "hosts[0].prometheus.user (prom-a): must be the name of a user on the host. Write it as `id -un` prints it.",
  ],
])("refused: %s", (_what, settings, text) => {
  expect(complaints({ hosts: [host(settings)] })).toEqual([text]);
});

test.each(["jane.doe", "12345", "DOMAIN\\jane", "jane@example.org", "u1-sub1", "Jörg"])(
  "a login may be %s, at a host and at a repository",
  login => {
    const sftp = { address: "192.0.2.22", user: login, path: "backups", hostKey };
    expect(complaints({ hosts: [host({ user: login, repositories: [{ sftp, credentials: "sshKey" }] })] })).toEqual([]);
  },
);

test.each(["svc.prometheus", "Prometheus", "_prometheus"])("the server's user may be %s", user => {
  expect(complaints({ hosts: [host({ prometheus: { user } })] })).toEqual([]);
});

test.each(["a b", "-oProxyCommand=x", "a;id", "a\nb", "%(x)s", "a\\"])("a login is not %j", login => {
  expect(complaints({ hosts: [host({ user: login })] })).toEqual([
    "hosts[0].user (prom-a): must be the name that is logged in with. Write it as you would in front of the `@` of `ssh`.",
  ]);
});

test("all problems are said at once, in the order of the file", () => {
  const plain = {
    environment: "a\tb",
    defaults: { schedul: "x", limits: { nice: 20 }, user: "a b" },
    hosts: [host({ name: "prom-a", hostKey: "x" }), host({ source: "no" }), { address: "10.0.0.1" }, "prom-d"],
    offsiteBucket: { bucketName: "B", objectLock: { mode: "NONE", days: 1 } },
  };
  expect(complaints(plain).map(line => line.split(":")[0])).toEqual([
    "environment",
    "defaults.schedul",
    "defaults.limits.nice",
    "defaults.user",
    "hosts[0].name, hosts[1].name",
    "hosts[0].hostKey (prom-a)",
    "hosts[1].source (prom-a)",
    "hosts[2].name",
    "hosts[3]",
    "offsiteBucket.bucketName",
    "offsiteBucket.objectLock.mode",
  ]);
});

test("the heartbeat of all hosts is one secret, and one of them may have its own", () => {
  const defaults = { heartbeat: "watcher", companions: false, repositories: [{ path: "/b" }] };
  const hosts = parse({
    defaults,
    hosts: [
      { name: "prom-a", hostKey },
      { name: "prom-b", hostKey, heartbeat: "s3", companions: true },
    ],
  }).hosts;
  expect(hosts.map(({ heartbeat, companions }) => [heartbeat, companions])).toEqual([
    ["https://watcher/1", false],
    ["[default]", true],
  ]);
});

test("a problem of shared settings is said once, not for every host", () => {
  const bare = (name: string): Record<string, unknown> => ({ name, hostKey });
  const defaults = { schedule: "0 2 30 2 *", privateKey: "other", repositories: [{ path: "/b" }] };
  expect(complaints({ defaults, hosts: [bare("prom-a"), bare("prom-b")] })).toEqual([
    "defaults.schedule: is not a schedule that cron can run (invalid explicit day of month definition). Correct the field.",
    "defaults.privateKey: names the secret `other`, which this stack does not have. Store it: `pulumi config set --secret prometheus-backup:other < FILE`.",
  ]);
});

test("no message repeats a value that could be a secret", () => {
  const secret = "hunter2-hunter2";
  const everywhere = {
    hosts: [
      host({
        heartbeat: `https://${secret}`,
        privateKey: `${secret} `,
        privateKeyPassword: `${secret} `,
        user: `${secret} `,
        port: secret,
        schedule: secret,
        address: `${secret}@x`,
        prometheus: { apiCredentials: `user = "${secret}"`, url: `http://${secret}@localhost` },
        repositories: [{ bucket: `${secret}_`, endpoint: `https://u:${secret}@s3`, credentials: `x ${secret}` }],
        bastion: { address: "b", hostKey: secret, password: secret },
      }),
    ],
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

/** Keys of a stack beside its structures. */
const keys = (texts: Record<string, string>, plain: string[] = []): StackFacts => ({
  keys: Object.entries(texts).map(([name, text]) => ({ name, text, secret: !plain.includes(name) })),
});
const store = (name: string) => `\`pulumi config set --secret prometheus-backup:${name} < FILE\``;

test("a key of the stack that nothing knows is refused, a secret that nothing names is only told", () => {
  const unknown = (name: string) => complaints({ hosts: [host()] }, keys({ [name]: "" }, [name]));
  expect(unknown("default")).toEqual(["default: is not a setting of prometheus-backup. Did you mean `defaults`?"]);
  expect(unknown("Hosts")).toEqual(["Hosts: is not a setting of prometheus-backup. Did you mean `hosts`?"]);
  expect(unknown("color")).toEqual([
    "color: is not a setting of prometheus-backup. There are `environment`, `defaults`, `hosts`, `offsiteBucket`, and secrets that they name.",
  ]);
  const warnings: string[] = [];
  const facts = { ...keys({ later: "x", sshKey: fakeKey() }), warn: (text: string) => warnings.push(text) };
  parse({ defaults: { privateKey: "sshKey" }, hosts: [] }, facts);
  expect(warnings).toEqual(["the secret `later` of this stack is named by no setting of prometheus-backup"]);
});

test("a secret that is named and not encrypted is none of the unknown keys", () => {
  expect(complaints({ hosts: [host({ privateKey: "sshKey" })] }, keys({ sshKey: fakeKey() }, ["sshKey"]))).toEqual([]);
});

test("a missing secret is told with its whole command, and with the name that was meant", () => {
  const missing = (name: string) =>
    complaints({ hosts: [host({ privateKey: name })] }, keys({ sshKey: fakeKey(), s3: "[default]" }));
  const words = (name: string) =>
    `hosts[0].privateKey (prom-a): names the secret \`${name}\`, which this stack does not have`;
  expect(missing("sshkey")).toEqual([
    `${words("sshkey")}; there is \`sshKey\`. Write that name, or store it: ${store("sshkey")}.`,
  ]);
  expect(missing("other")).toEqual([`${words("other")}. Store it: ${store("other")}.`]);
});

test.each([
  ["privateKey", { privateKey: "sshKey" }, "sshKey"],
  ["bastion.privateKey", { bastion: { address: "b", hostKey, privateKey: "sshKey" } }, "sshKey"],
  [
    "repositories[0].credentials",
    { repositories: [{ sftp: { address: "s", user: "u", path: "p", hostKey }, credentials: "sshKey" }] },
    "sshKey",
  ],
  [
    "repositories[0].credentials",
    { repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "s3" }] },
    "s3",
  ],
  [
    "remoteWrite[0].tls.key",
    { remoteWrite: [{ name: "a", url: "http://a", tls: { certificate, key: "sshKey" } }] },
    "sshKey",
  ],
])("a text that was pasted at the prompt is refused in %s, and not shown", (path, settings, name) => {
  const texts = { sshKey: fakeKey("HUNTER2"), s3: "[default]\naws_access_key_id = HUNTER2" };
  const pasted = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, text.trim().replaceAll("\n", " ")]),
  );
  const said = complaints({ hosts: [host(settings)] }, keys({ [name]: pasted[name] ?? "" }));
  expect(said).toEqual([
    `hosts[0].${path} (prom-a): names the secret \`${name}\`, which has lost its line breaks, as a text does that is pasted at the prompt of \`pulumi config set\`. ` +
      `Store it from its file: ${store(name)}.`,
  ]);
  expect(complaints({ hosts: [host(settings)] }, keys({ [name]: "\n" }))).toEqual([
    `hosts[0].${path} (prom-a): names the secret \`${name}\`, which is empty. Store it from its file: ${store(name)}.`,
  ]);
  expect(complaints({ hosts: [host(settings)] }, keys(texts))).toEqual([]);
});

const machine = (names: string, place: string) =>
  `${names} are one machine (${place}). A host is one machine with one Prometheus server: files, cron entry and command of the second would replace those of the first. ` +
  "Correct the address, or remove one.";

test("two hosts that are one machine are refused, however its address is written", () => {
  const two = (a: Record<string, unknown>, b: Record<string, unknown>, defaults = {}) =>
    complaints({
      defaults,
      hosts: [host({ address: undefined, ...a }), host({ name: "prom-b", address: undefined, ...b })],
    });
  const path = "hosts[0].address, hosts[1].address: ";
  expect(two({ address: "10.0.0.1" }, { address: "10.0.0.1", port: 22 })).toEqual([
    path + machine("prom-a and prom-b", "`10.0.0.1`, port 22"),
  ]);
  expect(two({ address: "Mon.Example.org" }, { address: "mon.example.org" })).toEqual([
    expect.stringContaining("are one machine"),
  ]);
  expect(two({}, { address: "PROM-A" })).toEqual([expect.stringContaining("are one machine")]);
  expect(two({ address: "10.0.0.1" }, { address: "10.0.0.1" }, { port: 2222 })).toEqual([
    path + machine("prom-a and prom-b", "`10.0.0.1`, port 2222"),
  ]);
  const bastion = (address: string) => ({ address, hostKey });
  expect(two({ address: "10.0.0.1", bastion: bastion("a") }, { address: "10.0.0.1", bastion: bastion("A") })).toEqual([
    expect.stringContaining("are one machine"),
  ]);
});

test.each([
  ["another port", { address: "10.0.0.11", port: 2222 }],
  ["the same private address behind a bastion", { address: "10.0.0.11", bastion: { address: "b", hostKey } }],
  ["a dead host whose place the other one takes", { address: "10.0.0.11", retired: true }],
])("%s is another machine", (_what, other) => {
  expect(complaints({ hosts: [host(), host({ name: "prom-b", ...other })] })).toEqual([]);
});

test("the stack's own bucket lies where the stack works, and must be said to lie somewhere", () => {
  const plain = {
    defaults: { repositories: [{ bucket: "offsite" }] },
    hosts: [{ name: "prom-a", hostKey }],
    offsiteBucket: { bucketName: "backups" },
  };
  expect(parse(plain, { awsRegion: "eu-central-1" }).hosts[0]?.repositories).toEqual([
    { bucket: "offsite", region: "eu-central-1" },
  ]);
  const named = { ...plain, defaults: { repositories: [{ bucket: "offsite", region: "eu-west-1" }] } };
  expect(parse(named, { awsRegion: "eu-central-1" }).hosts[0]?.repositories).toEqual([
    { bucket: "offsite", region: "eu-west-1" },
  ]);
  expect(complaints(plain)).toEqual([
    "defaults.repositories[0].region: is missing, and this stack does not say in which region it works. Set it, or run `pulumi config set aws:region REGION`.",
  ]);
  // What lies somewhere else says so itself.
  expect(
    complaints({ ...plain, defaults: { repositories: [{ bucket: "others" }] } }, { awsRegion: "eu-central-1" }),
  ).toEqual([expect.stringContaining(".region: is missing. ")]);
});
