import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StepName } from "../../components/host/stepName";
import { type StepContent } from "../../components/host/payload";
import { receiverPasswords } from "../servers/receiver";
import { quote, startHost, waitForPrometheus, type Host } from "../hosts/host";
import { renderHostCommand } from "../../components/host/programs";
import {
  adminApi,
  alertRules,
  all,
  backupJob,
  credentials,
  hostile,
  jobOf,
  rules,
  rulesPath,
  textfile,
  url,
} from "./stepContents";
import { install, inventory, lastWord, remove, serverFlag, serverProcess } from "./stepHarness";
import { variants, slowTest } from "../runner/pace";

describe.each(variants<"debian" | "course">(["debian"], ["course"]))("on a host in the layout %s", layout => {
  let host: Host;
  let before: string;
  beforeAll(async () => {
    host = await startHost({ name: `steps-${layout}`, layout });
    await waitForPrometheus(host);
    before = await inventory(host);
  });
  afterAll(() => host.stop());

  test("all steps install, with one restart of the server", async () => {
    const first = await serverProcess(host);
    const results = [];
    for (const [step, content] of all) {
      results.push(await install(host, step, content()));
    }
    expect(results.map(result => result.code)).toEqual([0, 0, 0, 0, 0]);
    expect(results.map(result => result.stdout.trim())).toEqual([
      `installed: the admin API of prometheus.service is on at ${url}; the server was restarted for it`,
      expect.stringMatching(/^installed: node_exporter serves what prometheus writes to \/var\/lib\//),
      "installed: secrets that only prometheus can read lie in /etc/prometheus-backup/credentials (files: 1)",
      "installed: backups are made by cron as prometheus, which has written to and read from: local",
      expect.stringMatching(/^installed: the alert rules of \/.* are in force \(\d+\)$/),
    ]);
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("true");
    expect(await serverProcess(host)).not.toBe(first);
    expect(await host.run("journalctl -u prometheus -o cat | grep -c 'Started '")).toBe("2\n");
  });

  test("the alert group is loaded and the metrics directory is served and writable", async () => {
    expect(await host.run(`curl -s ${url}/api/v1/rules`)).toContain(`"name":"prometheus-backup","file":"${rulesPath}"`);
    const directory = (await host.readFile("/etc/prometheus-backup/textfile-directory")).trim();
    expect(directory).toBe(
      layout === "debian" ? "/var/lib/prometheus/node-exporter" : "/var/lib/node_exporter/textfile_collector",
    );
    await host.run(`echo 'prometheus_backup_blocks 7' >'${directory}/prometheus_backup.prom'`, { user: "prometheus" });
    expect(await host.run("curl -s http://127.0.0.1:9100/metrics")).toContain("\nprometheus_backup_blocks 7\n");
  });

  test("F27: hostile text arrives as it is, and is not executed", async () => {
    expect(await host.readFile("/etc/prometheus-backup/credentials/offsite")).toBe(`${hostile}\n`);
    expect(await host.readFile("/usr/local/bin/prometheus-backup.sh")).toBe(renderHostCommand());
    expect(await host.run(`. /etc/prometheus-backup/prometheus-backup.conf; printf %s "$ENVIRONMENT"`)).toBe(hostile);
    expect(await host.run("stat -c '%U %a %F' /backup/*id*")).toBe("prometheus 750 directory\n");
    expect((await host.exec("test -e /tmp/executed")).code).toBe(1);
  });

  test("secrets are readable for their user alone", async () => {
    expect(
      await host.run(
        "stat -c '%U:%G %a' /etc/prometheus-backup/credentials/offsite /etc/prometheus-backup/credentials",
      ),
    ).toBe("root:prometheus 640\nroot:prometheus 750\n");
    expect(
      await host.run(
        "find /tmp /var/tmp /usr/local/lib/prometheus-backup -newer /etc/hostname -type f -print0 | xargs -0 -r grep -lF 'touch /tmp/executed' || true",
      ),
    ).toBe("");
  });

  test("F24: installing again changes nothing, not even a time, and restarts nothing", async () => {
    const seen = [
      await inventory(host, true),
      await serverProcess(host),
      await serverProcess(host, host.paths.nodeExporterUnit),
    ];
    for (const [step, content] of all) {
      const result = await install(host, step, content());
      expect([step, result.code, result.stdout.slice(0, 10)]).toEqual([step, 0, "unchanged:"]);
    }
    const now = [
      await inventory(host, true),
      await serverProcess(host),
      await serverProcess(host, host.paths.nodeExporterUnit),
    ];
    expect(now).toEqual(seen);
  });

  test("what cold runs left to root is handed to the backup user, and a link to somebody else's file is not", async () => {
    const places = ["/var/lib/prometheus-backup", "/backup/it's $(id > x)/prom-1"].map(quote);
    for (const place of places) {
      await host.run(
        `install -d -m 0700 ${place}/blocks && install -m 0600 /dev/null ${place}/blocks/one && touch /root/stranger && ln -f /root/stranger ${place}/stranger 2>/dev/null || ln -sf /root/stranger ${place}/stranger`,
      );
    }
    expect((await install(host, StepName.backupJob, backupJob())).code).toBe(0);
    for (const place of places) {
      expect(await host.run(`cd ${place} && stat --format %U . blocks blocks/one; rm -rf blocks stranger`)).toBe(
        "prometheus\nprometheus\nprometheus\n",
      );
    }
    expect(await host.run("stat --format %U /root/stranger; rm /root/stranger")).toBe("root\n");
  });

  test("what the backup user wrote belongs to root when root runs the job from then on, and none of its links stays", async () => {
    const places = ["/var/lib/prometheus-backup", "/backup/it's $(id > x)/prom-1"].map(quote);
    for (const place of places) {
      await host.run(
        `mkdir -p ${place} && cd ${place} && mkdir -p sub && ln -sfn /root/stranger lock && ln -sfn /etc sub/cache && mkfifo sub/fifo; touch sub/file; chown -hR prometheus: .`,
      );
    }
    expect(await install(host, StepName.backupJob, backupJob("root"))).toMatchObject({ code: 0 });
    for (const place of places) {
      expect(
        await host.run(
          `find ${place} \\( ! -user root -o ! -type f ! -type d \\) -print; ls ${place}/sub; rm -r ${place}/sub`,
        ),
      ).toBe("file\n");
    }
    expect((await host.exec("ls /root/stranger")).code).toBe(2);
    expect((await install(host, StepName.backupJob, backupJob())).code).toBe(0);
  });

  test("a repository that the job cannot use fails the step, unless it may be away; then it is said", async () => {
    const seen = await inventory(host, true);
    const away = (proof: string) => {
      const job = backupJob();
      const conf = job.files?.["/etc/prometheus-backup/prometheus-backup.conf"];
      const more = `REPOSITORY_COUNT='2'\nREPOSITORY_2_NAME='nas'\nREPOSITORY_2_TYPE='rclone'\nREPOSITORY_2_LOCATION='nas:/none'\nREPOSITORY_2_PROOF='${proof}'\n`;
      return {
        ...job,
        files: {
          ...job.files,
          "/etc/prometheus-backup/prometheus-backup.conf": { ...conf, content: `${conf?.content ?? ""}${more}` },
        },
      } as ReturnType<typeof backupJob>;
    };
    const red = await install(host, StepName.backupJob, away("required"));
    const words =
      / {2}✔ local .*\n {2}✘ nas +repository nas \(nas:\/none\/prom-1\): list: rclone: [^\n]+\nprometheus-backup: error: the backup job of this host cannot do its work \(✘ above\)\. .*The host is as it was before\.\n$/;
    expect([red.code, red.stderr], red.stderr).toEqual([8, expect.stringMatching(words)]);
    expect(await inventory(host, true)).toBe(seen);
    const told = await install(host, StepName.backupJob, away("warn"));
    expect([told.code, told.stdout], told.stderr).toEqual([
      0,
      expect.stringMatching(/^warning: repository nas \(nas:\/none\/prom-1\): list: /m),
    ]);
    expect((await install(host, StepName.backupJob, backupJob())).code).toBe(0);
  });

  test("timers in place of the cron entry: the same jobs with few rights; switching back leaves nothing of them", async () => {
    const settings = {
      repositories: [{ path: "/backup/timer" }],
      prometheus: { newHost: true },
      drill: { schedule: "0 5 * * 0" },
    };
    const units = ["prometheus-backup", "prometheus-backup-drill", "prometheus-backup-hold"];
    const known =
      "systemctl list-units --all --plain --no-legend 'prometheus-backup*' | awk '{ print $1 }' | sort; ls /etc/systemd/system/timers.target.wants /var/lib/systemd/timers | grep prometheus-backup || true";
    const cron = jobOf(settings);
    expect((await install(host, StepName.backupJob, cron)).code).toBe(0);
    // All but the metrics, which jobs write.
    const seen = async (): Promise<string[]> =>
      (await inventory(host)).split("\n").filter(line => !line.includes("prometheus_backup.prom"));
    const withCron = await seen();
    const systemd = jobOf({ ...settings, scheduler: "systemd" });

    expect(await install(host, StepName.backupJob, systemd)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: /) as string,
    });
    expect((await host.exec("ls /etc/cron.d/prometheus-backup")).code).toBe(2);
    const next = await host.run("systemctl show --property=NextElapseUSecRealtime --value prometheus-backup.timer");
    expect(next).toContain("02:00:00 UTC");
    for (const unit of units) {
      expect([unit, await host.run(`systemctl is-enabled ${unit}.timer; systemctl is-active ${unit}.timer`)]).toEqual([
        unit,
        "enabled\nactive\n",
      ]);
      const { code } = await host.exec(`systemctl start ${unit}.service`);
      expect([unit, code, code === 0 ? "" : await host.run("tail -n 5 /var/log/prometheus-backup.log")]).toEqual([
        unit,
        0,
        "",
      ]);
    }
    expect(JSON.parse(await host.run("prometheus-backup.sh list --json"))).toMatchObject([
      { complete: true, repository: "local" },
    ]);
    expect(
      await host.run("stat --format %U /backup/timer/prom-1/backups/*.json /var/log/prometheus-backup.log | uniq"),
    ).toBe("prometheus\n");
    expect(await host.run("curl -s http://127.0.0.1:9100/metrics")).toMatch(
      /^prometheus_backup_drill_last_success_timestamp_seconds.* \d/m,
    );
    expect((await install(host, StepName.backupJob, systemd)).stdout).toMatch(/^unchanged: /);

    const cold = jobOf({ ...settings, scheduler: "systemd", source: "cold" });
    expect((await install(host, StepName.backupJob, cold)).code).toBe(0);
    const { code } = await host.exec("systemctl start prometheus-backup.service");
    expect([code, code === 0 ? "" : await host.run("tail -n 5 /var/log/prometheus-backup.log")]).toEqual([0, ""]);
    expect(await host.run(`systemctl is-active ${host.paths.prometheusUnit}`)).toBe("active\n");

    expect((await install(host, StepName.backupJob, cron)).code).toBe(0);
    expect(await seen()).toEqual(withCron);
    expect(await host.run(known)).toBe("");
    expect((await install(host, StepName.backupJob, systemd)).code).toBe(0);
    expect(await remove(host, StepName.backupJob)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await host.run(known)).toBe("");
    await host.run("rm -r /backup/timer /var/lib/prometheus-backup");
    expect((await install(host, StepName.backupJob, backupJob())).code).toBe(0);
  });

  test("a removal that means another installation of the host changes nothing", async () => {
    const seen = await inventory(host, true);
    for (const [step] of [...all].reverse()) {
      expect([step, await remove(host, step, "old-name")]).toMatchObject([
        step,
        { code: 0, stdout: "left alone: it belongs to test now\n" },
      ]);
    }
    expect(await inventory(host, true)).toBe(seen);
  });

  test("F25: removing the steps leaves the host as it was found, with backups and log", async () => {
    await host.run('touch "$(echo /backup/it*)/backup"');
    const { dataDirectory } = host.paths;
    await host.run(
      `install -d -o prometheus -g prometheus ${dataDirectory}/prometheus-backup-held ${dataDirectory}/prometheus-backup-held/block && echo ${dataDirectory} | install -o prometheus /dev/stdin /var/lib/prometheus-backup/hold`,
    );
    for (const [step] of [...all].reverse()) {
      expect([step, await remove(host, step)]).toMatchObject([step, { code: 0, stdout: "removed\n" }]);
    }
    expect(await inventory(host)).toBe(before);
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("false");
    expect(await host.run(`curl -s ${url}/api/v1/rules`)).not.toContain("prometheus-backup");
    expect(await host.run("ls /backup/*/backup /var/log/prometheus-backup.log")).toContain("/backup");
    expect(await host.run(`ls ${dataDirectory}`)).not.toContain("prometheus-backup");
  });

  test("removing what is not there succeeds", async () => {
    for (const [step] of all) {
      expect(await remove(host, step)).toMatchObject({ code: 0, stdout: "", stderr: "" });
    }
  });
});

describe("a host that is not as expected", () => {
  let host: Host;
  beforeAll(async () => {
    host = await startHost({ name: "steps-odd" });
    await waitForPrometheus(host);
  });
  afterAll(() => host.stop());

  /** Runs an install that must fail, and asserts that nothing on the host has changed. */
  async function refused(step: StepName, content: StepContent): Promise<{ code: number; word: string; said: string }> {
    const before = await inventory(host, true);
    const result = await install(host, step, content);
    expect(await inventory(host, true)).toBe(before);
    return { code: result.code, word: lastWord(result), said: result.stderr };
  }

  test("F23: a broken prometheus.yml stays as it is, with promtool's words", async () => {
    await host.run(
      "cp -a /etc/prometheus/prometheus.yml /root/ && echo 'nonsense: 1' >>/etc/prometheus/prometheus.yml",
    );
    const { code, word, said } = await refused(StepName.alertRules, alertRules());
    expect(code).toBe(3);
    expect(said).toContain("field nonsense not found in type config.plain");
    expect(word).toContain(
      "promtool does not accept /etc/prometheus/prometheus.yml as it is in force, before any change,",
    );
    await host.run("cp -a /root/prometheus.yml /etc/prometheus/");
  });

  test("F23: broken rules are refused with promtool's words", async () => {
    const { code, said } = await refused(StepName.alertRules, alertRules(rules.replace("vector(1) > 2", "sum(")));
    expect(code).toBe(3);
    expect(said).toContain("could not parse expression: 1:5: parse error: unclosed left parenthesis");
  });

  test("F23: rules that only the server cannot load are taken back, and the server runs on with the old ones", async () => {
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0 });
    const process = await serverProcess(host);
    const { code, word } = await refused(StepName.alertRules, alertRules(rules.replace("> 2", "> 3"), "0600"));
    expect(code).toBe(3);
    expect(word).toContain("did not load its configuration");
    expect(word).toContain("The host is as it was before.");
    expect(await serverProcess(host)).toBe(process);
    expect(await host.run(`curl -s ${url}/api/v1/status/runtimeinfo`)).toContain('"reloadConfigSuccess":true');
    expect(await host.run(`curl -s ${url}/api/v1/rules`)).toContain("vector(1) \\u003e 2");
    expect(await remove(host, StepName.alertRules)).toMatchObject({ code: 0 });
  });

  test("a server that does not come up with the flag gets its unit back and runs again", async () => {
    await host.writeFile(
      "/opt/start",
      '#!/bin/sh\ncase "$*" in *enable-admin-api*) echo no such flag here; exit 2 ;; esac\nexec /usr/bin/prometheus "$@"\n',
      { mode: "0755" },
    );
    await host.writeFile(
      "/etc/systemd/system/prometheus.service.d/override.conf",
      "[Service]\nExecStart=\nExecStart=/opt/start $ARGS\n",
    );
    await host.run("systemctl daemon-reload && systemctl restart prometheus");
    await waitForPrometheus(host);
    const { code, word, said } = await refused(StepName.adminApi, adminApi());
    expect(code).toBe(4);
    expect(said).toContain("no such flag here");
    expect(word).toContain("did not become ready at http://127.0.0.1:9090 within 30 s with --web.enable-admin-api");
    expect(word).toContain("The host is as it was before.");
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("false");
  });

  test("an interrupted install puts the host back", async () => {
    await host.writeFile(
      "/opt/start",
      '#!/bin/sh\ncase "$*" in *enable-admin-api*) exec sleep 60 ;; esac\nexec /usr/bin/prometheus "$@"\n',
      { mode: "0755" },
    );
    const before = await inventory(host, true);
    const running = install(host, StepName.adminApi, adminApi());
    await host.run(
      "for i in $(seq 100); do pgrep -x sleep >/dev/null && break; sleep 0.1; done; sleep 1; pkill -TERM -f 'bash /tmp/tmp[.].* install'",
    );
    expect((await running).code).toBe(143);
    expect(await inventory(host, true)).toBe(before);
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("false");
  });

  test("a unit with a drop-in of its own keeps what that sets", async () => {
    await host.writeFile("/opt/start", '#!/bin/sh\nexec /usr/bin/prometheus "$@"\n', { mode: "0755" });
    // Somebody has just tried this and that: systemd would refuse the next start within ten seconds.
    await host.run("systemctl reset-failed prometheus; for _ in 1 2 3 4 5; do systemctl restart prometheus; done");
    await waitForPrometheus(host);
    expect(await install(host, StepName.adminApi, adminApi())).toMatchObject({ code: 0 });
    expect(
      await host.readFile("/etc/systemd/system/prometheus.service.d/zz-prometheus-backup-admin-api.conf"),
    ).toContain("\nExecStart=\nExecStart=/opt/start $ARGS --web.enable-admin-api\n");
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    expect(await serverFlag(host, "web.enable-admin-api")).toBe("false");
    await host.run(
      "rm /etc/systemd/system/prometheus.service.d/override.conf; rmdir /etc/systemd/system/prometheus.service.d; systemctl daemon-reload; systemctl restart prometheus",
    );
    await waitForPrometheus(host);
  });

  test("a flag that somebody else has set is neither added nor taken away", async () => {
    await host.run(
      "cp -a /etc/default/prometheus /root/ && sed -i 's/^ARGS=\"/&--web.enable-admin-api /' /etc/default/prometheus && systemctl restart prometheus",
    );
    await waitForPrometheus(host);
    const process = await serverProcess(host);
    expect(await install(host, StepName.adminApi, adminApi())).toMatchObject({ code: 0 });
    expect((await host.exec("test -e /etc/systemd/system/prometheus.service.d")).code).toBe(1);
    expect(await remove(host, StepName.adminApi)).toMatchObject({ code: 0 });
    expect(await serverProcess(host)).toBe(process);
    await host.run("cp -a /root/prometheus /etc/default/ && systemctl restart prometheus");
    await waitForPrometheus(host);
  });

  test("files that were there before come back, and those that leave the payload go", async () => {
    // As installations from before have it; `up` mends that.
    await host.run("install -d -m 0755 /etc/prometheus-backup/credentials");
    await host.writeFile("/etc/prometheus-backup/credentials/offsite", "mine\n", {
      mode: "0600",
      owner: "prometheus:prometheus",
    });
    const two = credentials();
    two.files = {
      ...two.files,
      "/etc/prometheus-backup/credentials/other": { content: "x\n", mode: "0640", owner: "root:root" },
    };
    expect(await install(host, StepName.credentials, two)).toMatchObject({ code: 0 });
    expect(await install(host, StepName.credentials, credentials("rotated"))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: secrets .*\(files: 1\)$/m) as string,
    });
    expect(
      await host.run("cd /etc/prometheus-backup/credentials && ls && cat offsite && stat -c '%U:%G %a' . offsite"),
    ).toBe("offsite\nrotated\nroot:prometheus 750\nroot:prometheus 640\n");
    expect(await remove(host, StepName.credentials)).toMatchObject({ code: 0 });
    expect(
      await host.run("cd /etc/prometheus-backup/credentials && ls && cat offsite && stat -c '%U:%G %a' offsite"),
    ).toBe("offsite\nmine\nprometheus:prometheus 600\n");
    await host.run("rm -r /etc/prometheus-backup");
  });

  test.each([
    [
      "a user that does not exist",
      StepName.textfileDirectory,
      textfile({ OWNER: "nobody-here" }),
      3,
      "this host has no user nobody-here",
    ],
    [
      "a unit that does not exist",
      StepName.adminApi,
      adminApi({ UNIT: "prom.service" }),
      12,
      "this host has no unit prom.service",
    ],
    [
      "a URL that is not Prometheus",
      StepName.adminApi,
      adminApi({ URL: "http://127.0.0.1:9100" }),
      4,
      // node_exporter 1.5 answers everything, later ones only what they have.
      /http:\/\/127\.0\.0\.1:9100(\/api\/v1\/status\/buildinfo names no version \(HTTP 200\)| has no such page \(HTTP 404\))/,
    ],
    [
      "a directory that hides a command",
      StepName.textfileDirectory,
      textfile({ DIRECTORY: "/tmp/$(id)" }),
      3,
      "setting DIRECTORY must be a plain absolute path",
    ],
    [
      "another directory than the exporter reads",
      StepName.textfileDirectory,
      textfile({ DIRECTORY: "/srv/prom" }),
      12,
      "would get lost if it read /srv/prom instead",
    ],
  ] as const)("%s is refused", async (_what, step, content, code, words) => {
    await host.run("touch /var/lib/prometheus/node-exporter/other.prom");
    const result = await refused(step, content);
    await host.run("rm /var/lib/prometheus/node-exporter/other.prom");
    expect(result).toMatchObject({ code, word: expect.stringMatching(words) as string });
  });

  const exporterDropIn = "/etc/systemd/system/prometheus-node-exporter.service.d/own.conf";
  /** The exporter of the host with other flags, until `asItWas`. */
  async function exporterWith(flags: string, more = ""): Promise<void> {
    await host.writeFile(
      exporterDropIn,
      `[Service]\nExecStart=\nExecStart=/usr/bin/prometheus-node-exporter ${flags}\n${more}`,
    );
    await host.run("systemctl daemon-reload; systemctl restart prometheus-node-exporter");
  }
  async function exporterAsItWas(): Promise<void> {
    await host.run(
      `rm -r ${exporterDropIn.replace(/[^/]*$/, "")}; systemctl daemon-reload; systemctl restart prometheus-node-exporter`,
    );
  }

  test("a textfile directory of somebody else's behind a link is shared, and given back exactly", async () => {
    await host.run(
      "useradd --system metrics; install -d -o metrics -g metrics -m 2755 /srv/metrics/textfile; mkdir -p /srv/links; ln -s ../metrics/textfile /srv/links/textfile",
    );
    await exporterWith("--collector.textfile.directory=/srv/links/textfile");
    const before = await host.run(
      "stat -c '%U:%G %a' /srv/metrics/textfile; stat -c '%U:%G %a %N' /srv/links/textfile",
    );
    expect(await install(host, StepName.textfileDirectory, textfile())).toMatchObject({ code: 0, stderr: "" });
    expect(await host.run("stat -c '%U:%G %a' /srv/metrics/textfile")).toBe("metrics:prometheus 2775\n");
    await host.run("touch /srv/metrics/textfile/own.prom", { user: "metrics" });
    expect(await remove(host, StepName.textfileDirectory)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await host.run("stat -c '%U:%G %a' /srv/metrics/textfile; stat -c '%U:%G %a %N' /srv/links/textfile")).toBe(
      before,
    );
  });

  test.each([
    ["its group may do more than all others", "chmod 2750 /srv/metrics/textfile"],
    ["a link of somebody else's leads there", "chmod 2755 /srv/metrics/textfile; chown metrics /srv/links"],
  ])("a textfile directory of somebody else's stays as it is where %s", async (_why, command) => {
    await host.run(command);
    const before = await host.run("stat -c '%U:%G %a' /srv/metrics/textfile");
    const { code, word } = await refused(StepName.textfileDirectory, textfile());
    expect([code, word]).toEqual([
      12,
      expect.stringContaining(
        "Run: setfacl --modify user:prometheus:rwx /srv/links/textfile/ (or add prometheus to a group that may)",
      ),
    ]);
    expect(await host.run("stat -c '%U:%G %a' /srv/metrics/textfile")).toBe(before);
  });

  test("a node_exporter behind TLS and a password is asked with the credentials of its own, and says what it wants without them", async () => {
    const directory = "/etc/node_exporter";
    await host.run(
      `mkdir -p ${directory} && cd ${directory} && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null; chown prometheus key.pem`,
    );
    const tls = `tls_server_config: { cert_file: ${directory}/cert.pem, key_file: ${directory}/key.pem }\n`;
    await host.writeFile(
      `${directory}/web.yml`,
      `${tls}basic_auth_users:\n  scraper: ${receiverPasswords["first-password"]}\n`,
    );
    await exporterWith(`--web.config.file=${directory}/web.yml`);
    const curlConfig = "/etc/node_exporter/curl";
    const https = { EXPORTER_URL: "https://localhost:9100/metrics" };
    await host.writeFile(curlConfig, `cacert = "${directory}/cert.pem"\n`, { mode: "0640" });
    const words: string[] = [];
    for (const settings of [{}, https, { ...https, EXPORTER_CURL_CONFIG: curlConfig }]) {
      words.push((await refused(StepName.textfileDirectory, textfile(settings))).word);
    }
    expect(words).toEqual([
      expect.stringContaining("speaks TLS. Write https:// in textfile.exporterUrl"),
      expect.stringContaining(
        "shows a certificate that this host does not trust (curl: (60) SSL certificate problem: self-signed certificate)",
      ),
      expect.stringContaining(
        "asks for credentials (HTTP 401). Correct the secret that textfile.exporterCredentials names",
      ),
    ]);
    await host.writeFile(curlConfig, `cacert = "${directory}/cert.pem"\nuser = "scraper:first-password"\n`, {
      mode: "0640",
    });
    const content = textfile({ ...https, EXPORTER_CURL_CONFIG: curlConfig });
    expect(await install(host, StepName.textfileDirectory, content)).toMatchObject({ code: 0, stderr: "" });
    expect(await remove(host, StepName.textfileDirectory)).toMatchObject({ code: 0, stdout: "removed\n" });
    await exporterAsItWas();
  });

  slowTest(
    "a node_exporter that reads the directory under another name is taken, with and without a unit, if the probe is served",
    async () => {
      await host.run("install -d -o prometheus /srv/textfile /srv/other");
      await exporterWith("--collector.textfile.directory=/textfile", "BindReadOnlyPaths=/srv/textfile:/textfile\n");
      expect(await install(host, StepName.textfileDirectory, textfile({ DIRECTORY: "/srv/textfile" }))).toMatchObject({
        code: 0,
        stderr: "",
      });
      expect(await remove(host, StepName.textfileDirectory)).toMatchObject({ code: 0, stdout: "removed\n" });
      const { code, word } = await refused(StepName.textfileDirectory, textfile({ DIRECTORY: "/srv/other" }));
      expect([code, word]).toEqual([
        9,
        expect.stringContaining(
          "does not serve a metric written to /srv/other (prometheus-node-exporter.service reads /textfile, not /srv/other).",
        ),
      ]);
      await exporterAsItWas();
      await host.run(
        "systemctl stop prometheus-node-exporter; systemd-run --quiet --unit=docker-77af --property=BindReadOnlyPaths=/srv/textfile:/textfile /usr/bin/prometheus-node-exporter --collector.textfile.directory=/textfile",
      );
      expect(await install(host, StepName.textfileDirectory, textfile({ DIRECTORY: "/srv/textfile" }))).toMatchObject({
        code: 0,
        stderr: "",
      });
      expect(await remove(host, StepName.textfileDirectory)).toMatchObject({ code: 0, stdout: "removed\n" });
      await host.run("systemctl stop docker-77af; systemctl start prometheus-node-exporter");
    },
  );

  test("a server that is down is not touched", async () => {
    await host.run("systemctl stop prometheus");
    const { code, word } = await refused(StepName.adminApi, adminApi());
    expect(code).toBe(4);
    expect(word).toContain("prometheus.service does not run (inactive)");
    await host.run("systemctl start prometheus");
    await waitForPrometheus(host);
  });
});

describe("a host whose disk is full", () => {
  let host: Host;
  beforeAll(async () => {
    host = await startHost({ name: "steps-full", tmpfs: { "/usr/local/lib": "2m" } });
    await waitForPrometheus(host);
  });
  afterAll(() => host.stop());

  test("keeps what it had, and takes the step once there is space", async () => {
    const before = await inventory(host);
    const result = await install(host, StepName.textfileDirectory, textfile());
    expect(result.code).toBe(0);
    expect(await remove(host, StepName.textfileDirectory)).toMatchObject({ code: 0 });
    await host.exec("cat /dev/zero >/usr/local/lib/fill");
    const full = await install(host, StepName.alertRules, alertRules());
    expect(full.code).toBe(7);
    expect(lastWord(full)).toMatch(
      /^prometheus-backup: error: there is no space left for \/usr\/local\/lib\/prometheus-backup/,
    );
    await host.run("rm /usr/local/lib/fill");
    expect(await inventory(host)).toBe(before);
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0 });
  });

  test("recovers after a kill that left it half-way", async () => {
    expect(await remove(host, StepName.alertRules)).toMatchObject({ code: 0 });
    const before = await inventory(host);
    // Killed without a chance to clean up, in the moment the server is told to reload.
    await host.writeFile(
      "/etc/systemd/system/prometheus.service.d/slow.conf",
      "[Service]\nExecReload=\nExecReload=/bin/sleep 5\n",
    );
    await host.run("systemctl daemon-reload");
    const running = install(host, StepName.alertRules, alertRules());
    await host.run(
      "for i in $(seq 100); do pgrep -x sleep >/dev/null && break; sleep 0.1; done; pkill -KILL -f 'bash /tmp/tmp[.].* install'",
    );
    expect((await running).code).not.toBe(0);
    await host.run("rm -r /etc/systemd/system/prometheus.service.d; systemctl daemon-reload");
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0 });
    expect(await remove(host, StepName.alertRules)).toMatchObject({ code: 0 });
    expect(await inventory(host)).toBe(before);
  });
});
