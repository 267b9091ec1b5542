import * as pulumi from "@pulumi/pulumi";
import { expect, test, vi } from "vitest";
import { PrometheusBackup, PrometheusBackupArgs } from "../../components";
import { fakeKey } from "../privateKey";
import { Recorded, recordResources } from "../recordResources";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

function host(more: Partial<PrometheusBackupArgs> = {}): PrometheusBackupArgs {
  return {
    hostName: "prom-a",
    connection: { address: "10.0.0.11", user: "deploy", hostKey, privateKey: fakeKey() },
    repositories: [{ path: "/backup/prometheus" }],
    ...more,
  };
}

const install = "timeout 600 sudo -n /bin/bash -s";

function commands(all: Recorded[]): string[] {
  return all
    .filter(resource => resource.type === "command:remote:Command")
    .map(resource => resource.name)
    .sort();
}

test("a host without secrets takes four commands with names of its own", async () => {
  const { all } = await recordResources(() => new PrometheusBackup("prom-a", host()));
  expect(commands(all)).toEqual([
    "prom-a-admin-api-install",
    "prom-a-alert-rules-install",
    "prom-a-backup-job-install",
    "prom-a-textfile-directory-install",
  ]);
});

test("every step has constant commands, one secret input and a payload that can be read", async () => {
  const { named } = await recordResources(() => new PrometheusBackup("prom-a", host()));
  for (const step of ["admin-api", "textfile-directory", "backup-job", "alert-rules"]) {
    const command = named(`prom-a-${step}-install`);
    const program = `/usr/local/lib/prometheus-backup/${step}.sh`;
    expect(command.secretInputs).toEqual(["connection"]);
    expect({ ...command.inputs, stdin: undefined }).toEqual({
      connection: {
        host: "10.0.0.11",
        port: 22,
        user: "deploy",
        privateKey: fakeKey(),
        hostKey,
        dialErrorLimit: 10,
        perDialTimeout: 15,
      },
      create: install,
      update: install,
      delete: `timeout 600 sudo -n /bin/bash -c 'if [ -e ${program} ]; then exec /bin/bash ${program} remove prom-a-${step}-install </dev/null; fi'`,
      addPreviousOutputInEnv: false,
      stdin: undefined,
    });
    expect(String(command.inputs["stdin"]).split("\n").slice(-2)).toEqual(["end", ""]);
  }
});

test("the steps of a host run one after another", async () => {
  const { named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({ repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "[default]" }] }),
      ),
  );
  expect(named("prom-a-toolkit").dependsOn).toEqual([]);
  expect(named("prom-a-admin-api-install").dependsOn).toEqual(["prom-a-toolkit"]);
  expect(named("prom-a-textfile-directory-install").dependsOn).toContain("prom-a-admin-api-install");
  expect(named("prom-a-backup-job-credentials").dependsOn).toContain("prom-a-textfile-directory-install");
  expect(named("prom-a-backup-job-install").dependsOn).toEqual(["prom-a-backup-job-credentials"]);
  expect(named("prom-a-alert-rules-install").dependsOn).toContain("prom-a-backup-job-install");
});

test("secrets are in the step for credentials and nowhere else", async () => {
  const secrets = ["PRIVATE", "S3-SECRET", "API-SECRET", "EXPORTER-SECRET", "BEAT-SECRET"];
  const { all, named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({
          repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "[default]\nS3-SECRET" }],
          prometheus: { apiCredentials: 'user = "API-SECRET"' },
          textfile: { exporterCredentials: 'user = "EXPORTER-SECRET"' },
          heartbeat: "https://watcher.example.org/BEAT-SECRET",
        }),
      ),
  );
  const credentials = named("prom-a-backup-job-credentials");
  expect(credentials.secretInputs.sort()).toEqual(["connection", "stdin"]);
  expect(String(credentials.inputs["stdin"]).split("\n").slice(-11)).toEqual([
    "file /etc/prometheus-backup/credentials/offsite root:root 0640",
    "| [default]",
    "| S3-SECRET",
    "file /etc/prometheus-backup/credentials/prometheus-api root:root 0640",
    '| user = "API-SECRET"',
    "file /etc/prometheus-backup/credentials/node-exporter root:root 0640",
    '| user = "EXPORTER-SECRET"',
    "file /etc/prometheus-backup/credentials/heartbeat root:root 0640",
    "| https://watcher.example.org/BEAT-SECRET",
    "end",
    "",
  ]);
  for (const resource of all) {
    const open = Object.entries(resource.inputs).filter(([key]) => !resource.secretInputs.includes(key));
    for (const secret of secrets) {
      expect(JSON.stringify(open), `${resource.name} shows ${secret}`).not.toContain(secret);
    }
  }
});

test("the credentials of a cold backup belong to root, who runs it", async () => {
  const { named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({
          source: "cold",
          repositories: [{ bucket: "backups", region: "eu-central-1", credentials: "[default]" }],
        }),
      ),
  );
  const credentials = String(named("prom-a-backup-job-credentials").inputs["stdin"]);
  expect(credentials).toContain("setting BACKUP_USER root\nsetting SERVER_UNIT prometheus.service\n");
  expect(credentials).toContain("\nfile /etc/prometheus-backup/credentials/offsite root:root 0640\n");
  expect(String(named("prom-a-backup-job-install").inputs["stdin"])).toContain("setting BACKUP_USER root\n");
  expect(String(named("prom-a-textfile-directory-install").inputs["stdin"])).toContain("setting OWNER root\n");
});

test("a host that is born from a backup has a step for it, after the job and before its server must run, and no other host has one", async () => {
  const { all: without } = await recordResources(() => new PrometheusBackup("prom-a", host()));
  expect(commands(without)).not.toContain("prom-a-bootstrap-install");
  const { named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({ bootstrapFrom: { host: "prom-old", backup: "20261122T020000Z", repository: "local" } }),
      ),
  );
  const step = named("prom-a-bootstrap-install");
  expect(step.dependsOn).toContain("prom-a-backup-job-install");
  expect(named("prom-a-textfile-directory-install").dependsOn).toEqual(["prom-a-toolkit"]);
  expect(named("prom-a-admin-api-install").dependsOn).toContain("prom-a-bootstrap-install");
  expect(named("prom-a-alert-rules-install").dependsOn).toContain("prom-a-admin-api-install");
  expect(String(step.inputs["stdin"]).split("\n").slice(-6)).toEqual([
    "setting INSTALLATION prom-a-bootstrap-install",
    "setting HOST prom-old",
    "setting BACKUP 20261122T020000Z",
    "setting REPOSITORY local",
    "end",
    "",
  ]);
  expect(step.inputs["create"]).toBe("timeout 21600 sudo -n /bin/bash -s");
});

test("a host that takes its own place is born from its own newest backup", async () => {
  const { named } = await recordResources(() => new PrometheusBackup("prom-a", host({ bootstrapFrom: {} })));
  expect(String(named("prom-a-bootstrap-install").inputs["stdin"])).toContain(
    "setting HOST prom-a\nsetting BACKUP latest\nend\n",
  );
});

test("a server that asks for credentials gets them before its admin API is turned on", async () => {
  const { named } = await recordResources(
    () => new PrometheusBackup("prom-a", host({ prometheus: { apiCredentials: "x" } })),
  );
  expect(named("prom-a-admin-api-install").dependsOn).toContain("prom-a-backup-job-install");
  expect(String(named("prom-a-admin-api-install").inputs["stdin"])).toContain(
    "setting API_CURL_CONFIG /etc/prometheus-backup/credentials/prometheus-api\n",
  );
});

test("an exporter that asks for credentials gets them before its directory is proven", async () => {
  const { named } = await recordResources(
    () => new PrometheusBackup("prom-a", host({ textfile: { exporterCredentials: "x" } })),
  );
  expect(named("prom-a-textfile-directory-install").dependsOn).toContain("prom-a-backup-job-install");
  expect(named("prom-a-alert-rules-install").dependsOn).toContain("prom-a-textfile-directory-install");
  expect(String(named("prom-a-textfile-directory-install").inputs["stdin"])).toContain(
    "setting EXPORTER_CURL_CONFIG /etc/prometheus-backup/credentials/node-exporter\n",
  );
});

test("the source `hot` needs no admin API, and what is switched off has no step", async () => {
  const { all } = await recordResources(
    () =>
      new PrometheusBackup("prom-a", host({ source: "hot", textfile: { enabled: false }, alerts: { enabled: false } })),
  );
  expect(commands(all)).toEqual(["prom-a-backup-job-install"]);
});

test("behind a reverse proxy the job uses the port that the server moved to", async () => {
  const { named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({ adminApi: { exposure: "reverse-proxy" }, prometheus: { url: "http://127.0.0.1:9090/prom" } }),
      ),
  );
  expect(String(named("prom-a-admin-api-install").inputs["stdin"])).toContain(
    "setting URL http://127.0.0.1:9090/prom\n",
  );
  expect(String(named("prom-a-backup-job-install").inputs["stdin"])).toContain(
    "| PROMETHEUS_URL='http://127.0.0.1:9091/prom'\n",
  );
  expect(String(named("prom-a-alert-rules-install").inputs["stdin"])).toContain(
    "setting URL http://127.0.0.1:9091/prom\n",
  );
});

test("what is the same on every host is copied, and lies in no state", async () => {
  const { all, named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({
          repositories: [{ path: "/b" }, { bucket: "backups", region: "eu-central-1", credentials: "[default]" }],
        }),
      ),
  );
  expect(named("prom-a-toolkit").type).toBe("command:remote:CopyToRemote");
  expect(named("prom-a-toolkit").secretInputs).toEqual(["connection"]);
  // Inputs count twice: once as inputs, once as outputs. Of a file that is copied only path and checksum are kept.
  const copied = all.filter(({ type }) => type !== "command:remote:CopyToRemote");
  const bytes = 2 * Buffer.byteLength(JSON.stringify(copied.map(({ name, type, inputs }) => ({ name, type, inputs }))));
  expect(bytes).toBeLessThan(100_000);
  expect(all.filter(({ type }) => type.startsWith("command:")).length).toBeLessThanOrEqual(6);
});

test("a retired host's steps are forgotten instead of undone", async () => {
  const { all } = await recordResources(() => new PrometheusBackup("prom-a", host({ retired: true })));
  const kept = all.filter(resource => resource.type.startsWith("command:")).map(resource => resource.retainOnDelete);
  expect(kept).toEqual([true, true, true, true, true]);
});

test("an admin API that anybody may reach is warned about in every preview", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  await recordResources(() => new PrometheusBackup("prom-a", host({ adminApi: { exposure: "accept-public" } })), true);
  expect(warn.mock.calls.map(([text]) => text)).toEqual([
    "prom-a: the admin API is turned on whatever address the server listens on. Whoever reaches it can delete series; " +
      "make sure that a firewall or proxy denies /api/*/admin/.",
  ]);
  warn.mockRestore();
});

test("a preview knows every payload", async () => {
  const { all } = await recordResources(() => new PrometheusBackup("prom-a", host()), true);
  const payloads = all
    .filter(resource => resource.type === "command:remote:Command")
    .map(resource => typeof resource.inputs["stdin"]);
  expect(payloads).toEqual(["string", "string", "string", "string"]);
});

test("an address and a bucket may come from other resources", async () => {
  const bucket = pulumi.output("backups");
  const { named } = await recordResources(
    () =>
      new PrometheusBackup(
        "prom-a",
        host({
          connection: { address: pulumi.output("10.0.0.12"), hostKey },
          repositories: [{ bucket, region: "eu-central-1" }],
        }),
      ),
  );
  expect(named("prom-a-backup-job-install").inputs["connection"]).toMatchObject({ host: "10.0.0.12" });
  expect(String(named("prom-a-backup-job-install").inputs["stdin"])).toContain(
    "| REPOSITORY_1_LOCATION='offsite:backups'\n",
  );
});

test("a bastion is reached with a pinned key of its own", async () => {
  const connection = {
    address: "10.0.0.11",
    hostKey,
    bastion: { address: "bastion", hostKey, privateKey: fakeKey("OTHER") },
  };
  const { named } = await recordResources(() => new PrometheusBackup("prom-a", host({ connection })));
  expect(named("prom-a-backup-job-install").inputs["connection"]).toEqual({
    host: "10.0.0.11",
    port: 22,
    user: "root",
    hostKey,
    dialErrorLimit: 10,
    perDialTimeout: 15,
    proxy: {
      host: "bastion",
      port: 22,
      user: "root",
      privateKey: fakeKey("OTHER"),
      hostKey,
      dialErrorLimit: 10,
      perDialTimeout: 15,
    },
  });
});

test("what is wrong with several steps is said at once, under the host's own name, before any resource exists", async () => {
  const wrong: [string, Partial<PrometheusBackupArgs>][] = [
    ["adminApi.proxyListen", { adminApi: { proxyListen: "nowhere" } }],
    ["textfile.directory", { textfile: { directory: "relative" } }],
    ["limits.nice", { limits: { nice: 20 } }],
    ["bootstrapFrom.backup", { bootstrapFrom: { backup: "yesterday" } }],
    ["alerts.rulesPath", { alerts: { rulesPath: "/etc/rules.txt" } }],
    ["victoriaMetrics.listen", { victoriaMetrics: { listen: "8428" } }],
    ["remoteWrite[0].name", { remoteWrite: [{ name: "Long Term", url: "http://thanos:19291" }] }],
  ];
  const settings = Object.assign({}, ...wrong.map(([, more]) => more)) as Partial<PrometheusBackupArgs>;
  let message = "";
  const { all } = await recordResources(() => {
    try {
      new PrometheusBackup("prom-a", host(settings));
    } catch (error) {
      message = (error as Error).message;
    }
  });
  expect(message).toMatch(/^prometheus-backup: 8 settings of "prom-a" need a change\. No resource was touched\./);
  const paths = [...message.matchAll(/^ {2}- (\S+): /gm)].map(([, path]) => path);
  expect([...new Set(paths)].sort()).toEqual(wrong.map(([path]) => path).sort());
  expect(all.filter(({ type }) => !type.endsWith(":PrometheusBackup"))).toEqual([]);
});

test("a component refuses what the configuration would refuse, all at once", () => {
  const wrong = host({ hostName: "Prom A", connection: { address: "10.0.0.11" }, schedule: "never", repositories: [] });
  expect(() => new PrometheusBackup("prom-a", wrong)).toThrow(
    [
      'prometheus-backup: 4 settings of "prom-a" need a change. No resource was touched.',
      "  - hostName: must be lower case letters, digits, `.` and `-`, at most 63, with a letter or digit at both ends, because resources and directories carry it. Rename the host.",
      '  - schedule: must be a cron line of five fields (minute, hour, day of month, month, day of week) or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Write for example "0 2 * * *" for every day at 02:00.',
      "  - repositories: is missing. Say where backups go, for example `[ { path: /backup/prometheus } ]`.",
      "  - connection.hostKey: is missing. Paste the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the address in front.",
    ].join("\n"),
  );
});

test("a server behind a proxy whose URL is wrong is a complaint, and no crash", () => {
  const wrong = host({ adminApi: { exposure: "reverse-proxy" }, prometheus: { url: "nowhere" } });
  expect(() => new PrometheusBackup("prom-a", wrong)).toThrow(
    /^prometheus-backup: 1 setting of "prom-a" needs a change/,
  );
});
