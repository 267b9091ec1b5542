// F27 and F28: text in settings that would like to be code, and secrets that would like to be seen.
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderCron } from "../../components/backupJob/cron";
import { quote } from "../hosts/host";
import { COMMAND, LOG } from "./install";
import { lines, startOwnServer, type OwnServer } from "./server";
import { HISTORY_BLOCKS, openSetting, type Setting } from "./setting";
import { Site } from "./site";
import { representatives, slowTest } from "../runner/pace";

let setting: Setting;
let server: OwnServer;

beforeAll(async () => {
  setting = await openSetting();
  server = await startOwnServer(setting.host, { name: "watched", port: 9371 });
  // For check: an entry that is not due.
  await setting.host.writeFile(
    "/etc/cron.d/prometheus-backup",
    renderCron("prometheus", [{ schedule: "0 0 1 1 *", command: "run" }]),
  );
});

afterAll(async () => {
  await server.stop();
  await setting.host.run("rm /etc/cron.d/prometheus-backup");
  await setting.stop();
});

const EXECUTED = "/tmp/executed";
const TEXTS = {
  "quotes and backslashes": String.raw`--json it's "dev" 'too' C:\new\\`,
  "a command": `$(touch ${EXECUTED}) \`touch ${EXECUTED}\` ; touch ${EXECUTED} #`,
  "lines and other alphabets": "first\nsecond\\n\nPrüfung – 試験 ✔ *",
};

test.concurrent.each(representatives(Object.entries(TEXTS), ([title]) => title === "a command"))(
  "F27: %s in a free text: byte for byte in manifest and metrics, never executed",
  async (title, text) => {
    const name = `text-${title.replaceAll(" ", "-")}`;
    const site = await Site.create(setting, {
      name,
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { ENVIRONMENT: text },
    });
    await site.good();
    expect((await site.manifest()).environment).toBe(text);
    const file = await setting.host.readFile(`${site.textfileDirectory}/prometheus_backup.prom`);
    const label = /^prometheus_backup_build_info\{host=".*?",environment="((?:\\.|[^"\\])*)"/m.exec(file)?.[1] ?? "";
    expect(label.replace(/\\(.)/g, (_all, letter: string) => (letter === "n" ? "\n" : letter))).toBe(text);
    expect((await setting.host.exec("promtool check metrics", { input: file })).stderr).toBe("");
    expect((await site.command("status --json")).stdout).toContain(JSON.stringify(text));
    expect((await setting.host.exec(`ls ${EXECUTED}`)).code).toBe(2);
  },
);

test("F27: paths with spaces, quotes and code in them", async () => {
  const directory = `/srv/sites/paths/my "backup's" $(touch ${EXECUTED}) [a-z]* ü`;
  const site = await Site.create(setting, {
    name: "paths",
    prometheusUrl: server.url,
    localPath: `${directory}/repository`,
    repositories: ["local"],
    settings: {
      STATE_DIR: `${directory}/state`,
      TEXTFILE_DIR: `${directory}/textfile`,
      KEEP_LAST: "1",
      KEEP_MINIMUM: "1",
      ORPHAN_GRACE_HOURS: "0",
    },
  });
  await setting.host.run(
    `install -d -o prometheus -g prometheus ${quote(`${directory}/state`)} ${quote(`${directory}/textfile`)}`,
  );
  for (const words of ["run", "run", "list", "show latest", "verify", "prune --yes", "status", "check"]) {
    await site.good(words);
  }
  expect([...(await site.localObjects()).keys()].filter(object => object.startsWith("blocks/"))).toHaveLength(
    HISTORY_BLOCKS,
  );
  expect((await setting.host.exec(`ls ${EXECUTED}`)).code).toBe(2);
});

slowTest.concurrent("called with sudo from a directory that the backup user cannot enter", async () => {
  const site = await Site.create(setting, { name: "closed", prometheusUrl: server.url, repositories: ["local"] });
  await setting.host.run("install -d -m 0700 /srv/closed-to-others");
  for (const words of [
    "run",
    "list",
    "verify",
    "drill",
    "restore latest --target /srv/closed-to-others/restored --yes",
  ]) {
    const finished = await setting.host.exec(
      `cd /srv/closed-to-others && PROMETHEUS_BACKUP_CONFIG=${site.configuration} ${COMMAND} ${words}`,
    );
    expect(
      [finished.code, lines(finished.stderr).filter(line => /^find: |: (error|warning): /.test(line))],
      words,
    ).toEqual([0, []]);
  }
});

test.concurrent.each([
  ["HOST_NAME", "../other"],
  ["HOST_NAME", "a b"],
  ["SOURCE", "snapshot; reboot"],
  ["KEEP_DAYS", "1; reboot"],
  ["PARALLEL", "a[$(touch /tmp/executed)]"],
  ["PROMETHEUS_URL", "file:///etc/passwd"],
  ["PROMETHEUS_URL", "http://127.0.0.1:9090 --output /etc/passwd"],
  ["REPOSITORY_1_NAME", "../x"],
  ["REPOSITORY_1_LOCATION", "relative"],
])("F27: %s=%s is refused before any work", async (key, value) => {
  const name = `refused-${key.toLowerCase().replaceAll("_", "-")}-${value.length}`;
  const site = await Site.create(setting, { name, prometheusUrl: server.url, repositories: ["local"] });
  await site.configure({ [key]: value });
  const finished = await site.command("run");
  expect(finished.code).toBe(3);
  expect(finished.stderr).toMatch(
    new RegExp(
      `^  - ${key} must .*\\nprometheus-backup: error: .* has 1 wrong settings \\(above\\); mend them in the stack's configuration and run 'pulumi up'\\n$`,
    ),
  );
  expect(await site.localObjects()).toEqual(new Map());
  expect((await setting.host.exec(`ls ${EXECUTED}`)).code).toBe(2);
});

test("F27: a settings file that somebody else could write is not read", async () => {
  const site = await Site.create(setting, { name: "writable", prometheusUrl: server.url, repositories: ["local"] });
  await setting.host.run(`echo 'touch ${EXECUTED}' >>${site.configuration} && chmod 0666 ${site.configuration}`);
  expect((await site.command("run")).code).toBe(3);
  await setting.host.run(`chmod 0644 ${site.configuration} && chown nobody ${site.configuration}`);
  expect((await site.command("run")).code).toBe(3);
  expect((await setting.host.exec(`ls ${EXECUTED}`)).code).toBe(2);
});

test("F28: no secret in a process list, an environment, a log, a state file or an error", async () => {
  const { host, minio } = setting;
  // The server asks for a password as well: the hash is the one of "test" in the server's own documentation.
  const guarded = await startOwnServer(host, { name: "guarded", port: 9372 });
  await guarded.stop();
  await host.writeFile(
    "/srv/sites/guarded/web.yml",
    "basic_auth_users: { admin: $2b$12$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay }\n",
  );
  await host.run(
    "printf 'scrape_configs: []\\n' | sed 's/^scrape_configs.*/global: {}/' >/srv/sites/guarded/prometheus.yml",
  );
  await host.run(
    "systemd-run --quiet --unit test-prometheus-guarded --uid prometheus --collect /usr/bin/prometheus --config.file=/srv/sites/guarded/prometheus.yml " +
      "--storage.tsdb.path=/srv/sites/guarded/data --storage.tsdb.retention.time=10y --web.listen-address=127.0.0.1:9372 --web.enable-admin-api --web.config.file=/srv/sites/guarded/web.yml " +
      "&& for i in $(seq 100); do curl -fsS -u admin:test http://127.0.0.1:9372/-/ready >/dev/null 2>&1 && exit; sleep 0.2; done",
  );
  const heartbeat = "http://127.0.0.1:9/ping/heartbeat-secret-4711";
  const site = await Site.create(setting, {
    name: "guarded",
    prometheusUrl: guarded.url,
    settings: {
      API_CURL_CONFIG: "/etc/prometheus-backup/credentials/guarded-api",
      HEARTBEAT_URL_FILE: "/etc/prometheus-backup/credentials/guarded-heartbeat",
    },
  });
  const secretFile = { mode: "0600", owner: "prometheus:prometheus" };
  await host.writeFile("/etc/prometheus-backup/credentials/guarded-api", 'user = "admin:test"\n', secretFile);
  await host.writeFile("/etc/prometheus-backup/credentials/guarded-heartbeat", `${heartbeat}\n`, secretFile);
  const secrets = [
    minio.root.secretAccessKey,
    minio.root.accessKeyId,
    "admin:test",
    Buffer.from("admin:test").toString("base64"),
    "heartbeat-secret-4711",
  ];
  // One more word is shown on purpose: the watch must be able to see.
  await host.writeFile("/run/secrets-of-the-test", [...secrets, "shown-on-purpose"].join("\n"), { mode: "0600" });

  // grep itself reads the words from a file, so that it does not find itself. One for all processes: the faster the
  // round, the less escapes it.
  const watch = host.run(`
    : >/run/seen; touch /run/watching
    while [[ -e /run/watching ]]; do
      grep --no-filename --text --only-matching -F -f /run/secrets-of-the-test /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/run/seen 2>/dev/null
      echo round >>/run/rounds
    done; sort -u /run/seen`);
  await host.run("exec -a shown-on-purpose sleep 3");
  const outputs: string[] = [];
  for (const words of ["run", "verify", "list", "check", "status --json", "show --json"]) {
    const { stdout, stderr } = await site.good(words);
    outputs.push(stdout, stderr);
  }
  await host.run("systemctl stop test-prometheus-guarded");
  outputs.push((await site.command("run")).stderr);
  await host.run("rm /run/watching");
  expect(await watch).toBe("shown-on-purpose\n");
  expect(lines(await host.readFile("/run/rounds")).length).toBeGreaterThan(5);

  const texts = outputs.join("\n") + (await host.readFile(LOG));
  expect(secrets.filter(secret => texts.includes(secret))).toEqual([]);
  const files = await host.exec(
    `grep -rlF --exclude-dir credentials -f /run/secrets-of-the-test ${site.directory} /etc/prometheus-backup /var/lib/prometheus-backup; rm /run/secrets-of-the-test`,
  );
  expect(lines(files.stdout)).toEqual([]);
  expect(await host.run("stat --format '%a %U' /etc/prometheus-backup/credentials/guarded")).toBe("600 prometheus\n");
});
