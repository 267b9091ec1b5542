import { execFileSync, spawnSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import { expect, test } from "vitest";
import { fleetArtefacts, HostArtefacts } from "../../components/stack/hostFiles";
import { parseConfig } from "../../components/stack/config";
import { credentialsStep } from "../../components/backupJob/step";
import { renderHostCommand, renderStepProgram } from "../../components/host/programs";
import { renderStep } from "../../components/host/payload";
import { StepName } from "../../components/host/stepName";
import { renderToolkit } from "../../components/host/toolkit";
import { PrometheusBackup } from "../../components";
import { recordResources } from "../recordResources";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ5dGVzLW9mLW5vLXJlYWwta2V5LWF0LWFsbC0h";

function rendered(more: Record<string, unknown> = {}): HostArtefacts {
  const hosts = [
    { name: "prom-a", hostKey, schedule: "0 */6 * * *", repositories: [{ path: "/backup/prometheus" }], ...more },
  ];
  const artefacts = fleetArtefacts(parseConfig({ environment: "test", hosts }, () => ""))["prom-a"];
  if (!artefacts) {
    throw new Error("the host is missing");
  }
  return artefacts;
}

function content(host: HostArtefacts, file: string): string | undefined {
  return host.files[file]?.content;
}

test("the settings of a host with everything left to its default", () => {
  expect(content(rendered(), "/etc/prometheus-backup/prometheus-backup.conf")).toMatchInlineSnapshot(`
    "HOST_NAME='prom-a'
    ENVIRONMENT='test'
    BACKUP_USER='prometheus'
    API_CURL_CONFIG=''
    HEARTBEAT_URL_FILE=''
    SKIP_HEAD='false'
    EXPECTED_INTERVAL_SECONDS='21600'
    DRILL_INTERVAL_SECONDS=''
    DURATION_LIMIT_SECONDS=''
    ADMIN_API_EXPOSURE='loopback'
    RUN_CALENDAR='*-*-* 00,06,12,18:00:00'
    DRILL_CALENDAR=''
    REPOSITORY_COUNT='1'
    PROMETHEUS_URL='http://127.0.0.1:9090'
    PROMETHEUS_UNIT='prometheus.service'
    DATA_DIR=''
    NEW_HOST='false'
    READY_TIMEOUT_SECONDS='900'
    SCHEDULER='cron'
    SOURCE='snapshot'
    FORMAT='blocks'
    ARCHIVE_COMPRESSION='gzip'
    KEEP_DAYS='30'
    KEEP_LAST=''
    KEEP_HOURLY=''
    KEEP_DAILY=''
    KEEP_WEEKLY=''
    KEEP_MONTHLY=''
    KEEP_YEARLY=''
    KEEP_MINIMUM='3'
    ORPHAN_GRACE_HOURS='48'
    SHRINK_PERCENT='50'
    COMPANIONS='true'
    PARALLEL='2'
    COMPRESSION_LEVEL='2'
    BANDWIDTH_LIMIT=''
    NICE='10'
    IONICE_CLASS='2'
    IONICE_LEVEL='7'
    SNAPSHOT_TIMEOUT_SECONDS='3600'
    TRANSFER_TIMEOUT_SECONDS='7200'
    API_TIMEOUT_SECONDS='10'
    REPOSITORY_1_NAME='local'
    REPOSITORY_1_TYPE='path'
    REPOSITORY_1_LOCATION='/backup/prometheus'
    "
  `);
});

test("the cron entry and the log rotation", () => {
  expect(content(rendered(), "/etc/cron.d/prometheus-backup")).toMatchInlineSnapshot(`
    "# Written by prometheus-backup; times are in the host's time zone. Changes here are overwritten.
    SHELL=/bin/sh
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    0 */6 * * * prometheus /usr/local/bin/prometheus-backup.sh run >> /var/log/prometheus-backup.log 2>&1
    30 * * * * prometheus /usr/local/bin/prometheus-backup.sh hold >> /var/log/prometheus-backup.log 2>&1
    "
  `);
  expect(content(rendered(), "/etc/logrotate.d/prometheus-backup")).toMatchInlineSnapshot(`
    "/var/log/prometheus-backup.log {
        weekly
        rotate 12
        compress
        delaycompress
        missingok
        notifempty
        create 0644
    }
    "
  `);
});

test("settings that the host command knows reach it", () => {
  const host = rendered({ companions: false, heartbeat: "watcher", prometheus: { readyTimeoutSeconds: 3600 } });
  const settings = content(host, "/etc/prometheus-backup/prometheus-backup.conf")?.split("\n") ?? [];
  expect(settings).toEqual(
    expect.arrayContaining([
      "COMPANIONS='false'",
      "HEARTBEAT_URL_FILE='/etc/prometheus-backup/credentials/heartbeat'",
      "READY_TIMEOUT_SECONDS='3600'",
    ]),
  );
  expect(host.notes).toContain(
    "/etc/prometheus-backup/credentials/ holds the secrets of the stack; they are not written here.",
  );
  expect(content(host, "/usr/local/lib/prometheus-backup/credentials.sh")).toBe(renderStepProgram("credentials"));
});

test.each([
  "",
  "watcher",
  "https://watcher/a b",
  'https://watcher/a"\nurl = "file:///etc/shadow',
  "https://watcher/a\\",
])("a heartbeat of %j is refused without being repeated", url => {
  expect(() =>
    credentialsStep({ heartbeat: url }, "prometheus", {
      unit: "prometheus.service",
      url: "http://127.0.0.1:9090",
      hasApiCredentials: false,
    }),
  ).toThrow(
    new RangeError(
      "the secret of `heartbeat` must be one URL with `http://` or `https://`, without blanks, quotes and backslashes",
    ),
  );
});

test("drills are a second line of the cron entry, moved as the first", () => {
  const drill = { schedule: "0 5 * * 0" };
  const cron = (host: HostArtefacts): string[] =>
    content(host, "/etc/cron.d/prometheus-backup")
      ?.split("\n")
      .slice(3, -1)
      .filter(line => !line.includes(" hold ")) ?? [];
  const log = ">> /var/log/prometheus-backup.log 2>&1";
  expect(cron(rendered({ drill }))).toEqual([
    `0 */6 * * * prometheus /usr/local/bin/prometheus-backup.sh run ${log}`,
    `0 5 * * 0 prometheus /usr/local/bin/prometheus-backup.sh drill ${log}`,
  ]);
  expect(cron(rendered({ drill: { ...drill, parts: 7 } }))[1]).toBe(
    `0 5 * * 0 prometheus /usr/local/bin/prometheus-backup.sh drill --sample 7 ${log}`,
  );
  const spread = cron(rendered({ name: "prom-a", schedule: "0 2 * * *", drill, spreadMinutes: 60 })).map(
    line => line.split(" ")[0],
  );
  expect(spread[0]).toBe(spread[1]);
  expect(content(rendered({ drill }), "/etc/prometheus-backup/prometheus-backup.conf")).toContain(
    "\nDRILL_INTERVAL_SECONDS='604800'\n",
  );
});

test("a cold backup runs as root, because it stops and starts the server", () => {
  const host = rendered({ source: "cold", prometheus: { user: "monitoring" } });
  expect(content(host, "/etc/prometheus-backup/prometheus-backup.conf")).toContain("\nBACKUP_USER='root'\n");
  expect(content(host, "/etc/cron.d/prometheus-backup")).toContain(
    "\n0 */6 * * * root /usr/local/bin/prometheus-backup.sh run >> ",
  );
  expect(content(host, "/etc/logrotate.d/prometheus-backup")).toContain("create 0644\n");
  expect(host.steps["backup-job"]?.settings["BACKUP_USER"]).toBe("root");
  expect(host.steps["textfile-directory"]?.settings["OWNER"]).toBe("root");
  const hot = rendered({ source: "hot", prometheus: { user: "monitoring" } });
  expect(content(hot, "/etc/prometheus-backup/prometheus-backup.conf")).toContain("\nBACKUP_USER='monitoring'\n");
});

test("every kind of repository as rclone gets it", () => {
  const repositories = [
    { path: "/mnt/nas" },
    { bucket: "backups", region: "eu-central-1", prefix: "team", kmsKey: "arn:aws:kms:eu-central-1:1234:key/1" },
    { name: "minio", bucket: "backups", endpoint: "http://10.0.0.5:9000", credentials: "minio" },
    { gcs: "gcs-backups", credentials: "gcs" },
    { sftp: { address: "nas", port: 2222, user: "backup", path: "prometheus", hostKey }, credentials: "sftp" },
  ];
  const host = rendered({ repositories });
  expect(content(host, "/etc/prometheus-backup/rclone.conf")).toMatchInlineSnapshot(`
    "[offsite]
    type = s3
    provider = AWS
    region = eu-central-1
    env_auth = true
    server_side_encryption = aws:kms
    sse_kms_key_id = arn:aws:kms:eu-central-1:1234:key/1
    use_multipart_etag = false
    no_check_bucket = true
    no_head = true

    [minio]
    type = s3
    provider = Other
    region = us-east-1
    endpoint = http://10.0.0.5:9000
    force_path_style = true
    env_auth = true
    shared_credentials_file = /etc/prometheus-backup/credentials/minio
    use_multipart_etag = false
    no_check_bucket = true
    no_head = true

    [gcs]
    type = google cloud storage
    service_account_file = /etc/prometheus-backup/credentials/gcs
    bucket_policy_only = true
    no_check_bucket = true

    [sftp]
    type = sftp
    host = nas
    port = 2222
    user = backup
    key_file = /etc/prometheus-backup/credentials/sftp
    known_hosts_file = /etc/prometheus-backup/known_hosts
    shell_type = none
    disable_hashcheck = true
    "
  `);
  expect(content(host, "/etc/prometheus-backup/known_hosts")).toBe(`[nas]:2222 ${hostKey}\n`);
  expect(
    content(host, "/etc/prometheus-backup/prometheus-backup.conf")
      ?.split("\n")
      .filter(line => line.startsWith("REPOSITORY_")),
  ).toEqual([
    "REPOSITORY_COUNT='5'",
    "REPOSITORY_1_NAME='local'",
    "REPOSITORY_1_TYPE='path'",
    "REPOSITORY_1_LOCATION='/mnt/nas'",
    "REPOSITORY_2_NAME='offsite'",
    "REPOSITORY_2_TYPE='rclone'",
    "REPOSITORY_2_LOCATION='offsite:backups/team'",
    "REPOSITORY_3_NAME='minio'",
    "REPOSITORY_3_TYPE='rclone'",
    "REPOSITORY_3_LOCATION='minio:backups'",
    "REPOSITORY_4_NAME='gcs'",
    "REPOSITORY_4_TYPE='rclone'",
    "REPOSITORY_4_LOCATION='gcs:gcs-backups'",
    "REPOSITORY_5_NAME='sftp'",
    "REPOSITORY_5_TYPE='rclone'",
    "REPOSITORY_5_LOCATION='sftp:prometheus'",
  ]);
});

test.each([
  ["0 2 * * *", "auto", "false"],
  ["0 */6 * * *", "auto", "false"],
  ["0 * * * *", "auto", "true"],
  ["*/10 * * * *", "auto", "true"],
  ["*/10 * * * *", "never", "false"],
  ["0 2 * * *", "always", "true"],
])("with the schedule %s, `skipHead: %s` is %s", (schedule, skipHead, value) => {
  expect(content(rendered({ schedule, skipHead }), "/etc/prometheus-backup/prometheus-backup.conf")).toContain(
    `\nSKIP_HEAD='${value}'\n`,
  );
});

test("files that are rendered are what the components install", async () => {
  const host = rendered({
    repositories: [{ path: "/b" }, { bucket: "backups", region: "eu-central-1", credentials: "s3" }],
    adminApi: { exposure: "reverse-proxy" },
    spreadMinutes: 30,
  });
  const { named } = await recordResources(
    () =>
      new PrometheusBackup("prom-a", {
        hostName: "prom-a",
        environment: "test",
        connection: { address: "prom-a", hostKey },
        schedule: "0 */6 * * *",
        spreadMinutes: 30,
        repositories: [{ path: "/b" }, { bucket: "backups", region: "eu-central-1", credentials: "[default]" }],
        adminApi: { exposure: "reverse-proxy" },
      }),
  );
  for (const [step, told] of Object.entries(host.steps) as [StepName, Parameters<typeof renderStep>[1]][]) {
    expect(named(`prom-a-${step}-install`).inputs["stdin"]).toBe(
      renderStep(step, told, "prom-a:22", `prom-a-${step}-install`),
    );
    expect(content(host, `/usr/local/lib/prometheus-backup/${step}.sh`)).toBe(renderStepProgram(step));
  }
});

test("the host command and the steps are programs that bash understands", () => {
  for (const program of [renderHostCommand(), ...Object.values(StepName).map(step => renderStepProgram(step))]) {
    expect(program.startsWith("#!/usr/bin/env bash\n")).toBe(true);
    expect(spawnSync("bash", ["-n"], { input: program })).toMatchObject({ status: 0 });
    expect(program.trimEnd().split("\n").at(-1)).toMatch(
      /^if \[\[ "\$\{BASH_SOURCE\[0\]:-\$0\}" == "\$0" \]\]; then main "\$@";( exit;)? fi$/,
    );
  }
});

test("a payload is the same wherever and whenever it is made, and names the digest of the toolkit", () => {
  const first = renderStep(
    "backup-job",
    rendered().steps["backup-job"] ?? { settings: {} },
    "prom-a:22",
    "prom-a-backup-job-install",
  );
  expect(
    renderStep(
      "backup-job",
      rendered().steps["backup-job"] ?? { settings: {} },
      "prom-a:22",
      "prom-a-backup-job-install",
    ),
  ).toBe(first);
  expect(first.split("\n")[0]).toBe(
    `# prometheus-backup host step: backup-job; toolkit sha256 ${renderToolkit().digest}`,
  );
});

test("the command line writes the files of every host, with their modes, and contacts nobody", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-test-"));
  try {
    const config = path.join(directory, "Pulumi.test.yaml");
    const out = path.join(directory, "out");
    fs.writeFileSync(
      config,
      [
        "config:",
        "  aws:region: eu-central-1",
        "  prometheus-backup:sshKey: { secure: v1:abc }",
        "  prometheus-backup:hosts:",
        `    - { name: prom-a, hostKey: "${hostKey}", privateKey: sshKey, repositories: [ { path: /b } ] }`,
        "",
      ].join("\n"),
    );
    const root = path.join(__dirname, "..", "..");
    const command = ["--import", "tsx", "scripts/tools/render.ts", "--stack", "test", "--config", config, "--out", out];
    expect(execFileSync(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "ignore"] }).toString()).toBe(
      `${out}/prom-a: 13 files\n`,
    );
    const hostCommand = path.join(out, "prom-a/usr/local/bin/prometheus-backup.sh");
    expect(fs.readFileSync(hostCommand, "utf8")).toBe(renderHostCommand());
    expect((fs.statSync(hostCommand).mode & 0o777).toString(8)).toBe("755");
    expect(fs.readFileSync(path.join(out, "prom-a/etc/prometheus-backup/prometheus-backup.conf"), "utf8")).toContain(
      "\nENVIRONMENT='test'\n",
    );
    const busy = spawnSync(process.execPath, [...command.slice(0, -1), directory], { cwd: root });
    expect([
      busy.status,
      busy.stderr
        .toString()
        .split("\n")
        .find(line => line.startsWith("render:")),
    ]).toEqual([
      2,
      `render: error: ${directory} is not empty and was not written by this command; name another directory`,
    ]);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});

test("blocks are held between runs that are more than two hours and at most a day apart, and only where they are sent once", () => {
  const held = (settings: Record<string, unknown>): boolean =>
    content(rendered(settings), "/etc/cron.d/prometheus-backup")?.includes("prometheus-backup.sh hold >>") ?? false;
  expect(content(rendered({ schedule: "45 2 * * *" }), "/etc/cron.d/prometheus-backup")).toContain(
    "\n15 * * * * prometheus /usr/local/bin/prometheus-backup.sh hold >> /var/log/prometheus-backup.log 2>&1\n",
  );
  expect(["0 */6 * * *", "0 2 * * *", "30 1-23/3 * * *"].map(schedule => held({ schedule }))).toEqual([
    true,
    true,
    true,
  ]);
  expect(held({ schedule: "0 2 * * *", timeZone: "Europe/Berlin" })).toBe(true);
  expect(["0 */2 * * *", "@hourly", "0 2 * * 0", "0 2 1-30 * *"].map(schedule => held({ schedule }))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  expect([held({ format: "archive" }), held({ holdBlocks: false }), held({ source: "hot" })]).toEqual([
    false,
    false,
    true,
  ]);
});
