import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { StepName } from "../../components/host/stepName";
import { type StepContent } from "../../components/host/payload";
import { remoteWriteCredentialsStep, remoteWriteStep } from "../../components/remoteWrite/step";
import { type RemoteWritePlan, type RemoteWriteTargetPlan } from "../../components/remoteWrite/plan";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import {
  acceptPassword,
  queryReceiver,
  receiverUrl,
  receiverUser,
  startReceiver,
  waitForSample,
} from "../servers/receiver";
import { waitUntil, type Finished } from "../tools/process";
import { alertRules } from "./stepContents";
import { install, inventory, lastWord, remove, serverProcess } from "./stepHarness";
import { representatives, slowTest } from "../runner/pace";

const configFile = "/etc/prometheus/prometheus.yml";
let host: Host;

function target(more: Partial<RemoteWriteTargetPlan>): RemoteWriteTargetPlan {
  return {
    name: "copy",
    url: receiverUrl,
    headers: {},
    hasBearerToken: false,
    queue: {},
    relabel: [],
    arrival: "required",
    arrivalTimeoutSeconds: 60,
    ...more,
  };
}

/** Prometheus' own receiver with basic auth; only some series, the other target gets all. */
const copy = target({
  username: receiverUser,
  relabel: [{ sourceLabels: ["__name__"], regex: "up|prometheus_build_info", action: "keep" }],
});
const longTerm = target({
  name: "long-term",
  preset: "victoriametrics",
  url: "http://127.0.0.1:8428",
  queue: { capacity: 10_000, maxShards: 50, maxSamplesPerSend: 5000 },
});
const plan = (...targets: RemoteWriteTargetPlan[]): RemoteWritePlan => ({
  unit: "prometheus.service",
  url: "http://127.0.0.1:9090",
  hasApiCredentials: false,
  targets,
});

const writeTo = (...targets: RemoteWriteTargetPlan[]): Promise<Finished> =>
  install(host, StepName.remoteWrite, remoteWriteStep(plan(...targets)));
const credentials = (password: string, ...targets: RemoteWriteTargetPlan[]): StepContent =>
  remoteWriteCredentialsStep(
    plan(...targets),
    Object.fromEntries(targets.map(({ name }) => [name, { password }])),
    undefined,
  );
const givePassword = (password: string, ...targets: RemoteWriteTargetPlan[]): Promise<Finished> =>
  install(host, StepName.remoteWriteCredentials, credentials(password, ...targets));

const inForce = async (): Promise<unknown> =>
  (parse(await host.readFile(configFile)) as { remote_write?: unknown }).remote_write;
const reloadIsGood = async (): Promise<boolean> =>
  (await host.run("curl -s http://127.0.0.1:9090/api/v1/status/runtimeinfo")).includes('"reloadConfigSuccess":true');

/** Asserts that a step failed and left nothing, neither on the host nor in the server. */
async function refused(run: () => Promise<Finished>): Promise<{ code: number; word: string; said: string }> {
  const before = [await inventory(host, true), await serverProcess(host)];
  const result = await run();
  expect([await inventory(host, true), await serverProcess(host)]).toEqual(before);
  return { code: result.code, word: lastWord(result), said: result.stderr };
}

beforeAll(async () => {
  host = await startHost({ name: "remote-write" });
  await host.run(
    "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends victoria-metrics >/dev/null 2>&1",
  );
  await startReceiver(host, "first-password");
  // Taking away a queue whose receiver is down holds up the reload for a minute otherwise.
  await host.run(
    "sed -i 's/^ARGS=\"/&--storage.remote.flush-deadline=2s /' /etc/default/prometheus && systemctl restart prometheus",
  );
  await waitForPrometheus(host);
});
afterAll(() => host.stop());

describe("remote_write on a host with real receivers", () => {
  let found: string;
  let original: string;
  let process: string;
  beforeAll(async () => {
    found = await inventory(host);
    original = await host.readFile(configFile);
    process = await serverProcess(host);
  });

  test("samples arrive at every target, with one reload and no restart", async () => {
    expect(await givePassword("first-password", copy)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: secrets .*\(files: 1\)$/m) as string,
      stderr: "",
    });
    expect(await writeTo(copy, longTerm)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: samples are sent to /) as unknown,
      stderr: "",
    });
    expect(await serverProcess(host)).toBe(process);
    await waitForSample(host, 'up{job="prometheus"}', "first-password");
    expect(await queryReceiver(host, "count(go_goroutines)", "first-password")).toBeUndefined();
    // What has arrived there can be searched a second later.
    const exported =
      'curl -s -d \'match[]=go_goroutines{job="prometheus",monitor="example"}\' http://127.0.0.1:8428/api/v1/export';
    await waitUntil("VictoriaMetrics shows the series", 30, async () =>
      (await host.run(exported)).includes('"values":['),
    );
  });

  test("every byte of prometheus.yml outside the marks is as it was, and no secret stands in it", async () => {
    const [before, part, after] = (await host.readFile(configFile)).split(
      /^# (?:BEGIN|END) prometheus-backup remote_write\n/m,
    );
    expect(`${before}${after}`).toBe(original);
    expect(part).toContain('\nremote_write:\n  - name: "copy"\n    url: "http://127.0.0.1:9095/api/v1/write"\n');
    const [secret = ""] = (await host.run("ls /etc/prometheus-backup/remote-write/*")).trim().split("\n");
    expect(secret).toMatch(/\/copy\.[0-9a-f]{8}\.password$/);
    expect(await host.run(`stat -c '%U:%G %a' ${secret}; cat ${secret}`)).toBe("root:prometheus 640\nfirst-password\n");
    expect(
      await host.run("grep -rlF first-password /etc/prometheus /usr/local/lib/prometheus-backup /tmp || true"),
    ).toBe("");
  });

  test("a second run changes nothing, not even a time", async () => {
    const seen = await inventory(host, true);
    expect(await givePassword("first-password", copy)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^unchanged: secrets .*\(files: 1\)$/m) as string,
    });
    expect((await writeTo(copy, longTerm)).stdout).toMatch(/^unchanged: samples are sent to /);
    expect(await inventory(host, true)).toBe(seen);
  });

  test("a wrong new password is taken back, with the words of Prometheus; the right one is kept", async () => {
    const { code, word, said } = await refused(() => givePassword("wrong", copy));
    expect(code).toBe(9);
    expect(said).toContain("401 Unauthorized");
    expect(word).toBe(
      `prometheus-backup: error: remote_write target copy (${receiverUrl}) of Prometheus on remote-write refuses the samples. Correct the target or the receiver and run \`pulumi up\` again, or set its arrival to warn. The host is as it was before.`,
    );
    expect(said).not.toContain("wrong");
    await acceptPassword(host, "second-pässword");
    expect(await givePassword("second-pässword", copy)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: secrets .*\(files: 1\)$/m) as string,
    });
    await waitForSample(host, 'up{job="prometheus"}', "second-pässword", 20);
  });

  test("a receiver that is down is named and everything is put back, unless it may be down", async () => {
    const down = target({ name: "down", url: "http://127.0.0.1:9", arrivalTimeoutSeconds: 12 });
    const { code, word, said } = await refused(() => writeTo(copy, longTerm, down));
    expect(code).toBe(9);
    expect(said).toContain("connect: connection refused");
    expect(word).toContain(
      "remote_write target down (http://127.0.0.1:9) of Prometheus on remote-write has got no sample within 12 s.",
    );
    expect(word).toContain("The host is as it was before.");
    expect(await reloadIsGood()).toBe(true);
    const warned = await writeTo(copy, longTerm, { ...down, arrival: "warn", arrivalTimeoutSeconds: 3 });
    expect(warned).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("warning: remote_write target down (http://127.0.0.1:9)") as unknown,
    });
    expect(await inForce()).toHaveLength(3);
  });

  slowTest(
    "a target whose URL and password change at once keeps the old password until the new one is proven",
    async () => {
      const moved = { ...copy, url: "http://127.0.0.1:9095/nowhere" };
      expect(await givePassword("new", moved)).toMatchObject({ code: 0 });
      const { code, said } = await refused(() => writeTo(moved, longTerm));
      expect([code, said]).toEqual([9, expect.stringMatching(/401|404/)]);
      expect(await host.run("cat /etc/prometheus-backup/remote-write/copy.*")).toContain("second-pässword\n");
      expect(await givePassword("second-pässword", copy)).toMatchObject({ code: 0 });
      expect(await writeTo(copy, longTerm)).toMatchObject({ code: 0 });
      expect(await host.run("cat /etc/prometheus-backup/remote-write/copy.*")).toBe("second-pässword\n");
    },
  );

  test("F23: what promtool does not accept is refused with its words", async () => {
    const { code, said } = await refused(() =>
      writeTo({ ...longTerm, relabel: [{ sourceLabels: ["job"], regex: "(", action: "drop" }] }),
    );
    expect([code, said]).toEqual([3, expect.stringContaining("missing closing )")]);
  });

  // Debian 12's. Later ones do.
  slowTest("a tenant is refused where Prometheus would not send it", async () => {
    const { code, word } = await refused(() => writeTo({ ...longTerm, preset: "thanos", tenant: "team-a" }));
    expect([code, word]).toEqual([
      12,
      expect.stringContaining("Prometheus 2.42.0+ds of this distribution does not send the headers of remote_write"),
    ]);
  });

  test("removing it leaves no trace", async () => {
    expect(await remove(host, StepName.remoteWrite)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await remove(host, StepName.remoteWriteCredentials)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await inventory(host)).toBe(found);
    expect(await serverProcess(host)).toBe(process);
    await waitUntil(
      "the server has no queue any more",
      30,
      async () => !(await host.run("curl -s http://127.0.0.1:9090/metrics")).includes("remote_name"),
    );
    expect(await remove(host, StepName.remoteWrite)).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });
});

describe("a prometheus.yml that others write", () => {
  let original: string;
  beforeAll(async () => {
    original = await host.readFile(configFile);
  });
  const use = (text: string): Promise<void> => host.writeFile(configFile, text);
  afterEach(async () => {
    await host.run(`umount ${configFile} 2>/dev/null || true; rm -f ${configFile}`);
    await use(original);
  });

  test("keeps its own remote_write targets beside the new ones", async () => {
    const foreign = `${original}\nremote_write:\n- url: http://127.0.0.1:8428/api/v1/write # mine\n  # name: later\n\n# the end`;
    await use(foreign);
    expect(await writeTo(longTerm)).toMatchObject({ code: 0, stderr: "" });
    expect(await inForce()).toMatchObject([{ url: "http://127.0.0.1:8428/api/v1/write" }, { name: "long-term" }]);
    expect(await remove(host, StepName.remoteWrite)).toMatchObject({ code: 0 });
    expect(await host.readFile(configFile)).toBe(foreign);
  });

  test.each([
    ["was broken before", "nonsense: 1\n", 3, "field nonsense not found in type config.plain"],
    [
      "has its targets in brackets",
      'remote_write: [{url: "http://x/secret"}]\n',
      12,
      "remote_write in /etc/prometheus/prometheus.yml has its value on the line of the key",
    ],
    ["has half of our marks", "# END prometheus-backup remote_write\n", 12, "do not enclose one part"],
  ])("stays as it is when it %s", async (_how, more, code, words) => {
    await use(`${original}${more}`);
    const result = await refused(() => writeTo(longTerm));
    expect([result.code, result.said]).toEqual([code, expect.stringContaining(words)]);
    expect(result.said).not.toContain("secret");
    expect(result.word).toContain("nothing was changed");
  });

  const rulesEntry = "'/etc/prometheus/rules/prometheus-backup*.yml'";
  const scrape = "scrape_configs:\n  - job_name: node\n    static_configs: [{ targets: ['127.0.0.1:9100'] }]\n";
  const groups = (): Promise<string> => host.run("curl -s http://127.0.0.1:9090/api/v1/rules");
  /**
   * Installs rules, and targets if asked, asserts that they are in force, and removes them: the file is what it was.
   */
  async function goesInAndOut(text: string, ...targets: RemoteWriteTargetPlan[]): Promise<string> {
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0, stderr: "" });
    expect(await groups()).toContain('"name":"prometheus-backup"');
    if (targets.length > 0) {
      expect(await writeTo(...targets)).toMatchObject({ code: 0, stderr: "" });
    }
    const changed = await host.readFile(configFile);
    if (targets.length > 0) {
      expect(await remove(host, StepName.remoteWrite)).toMatchObject({ code: 0, stdout: "removed\n" });
    }
    expect(await remove(host, StepName.alertRules)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await host.readFile(configFile)).toBe(text);
    return changed;
  }

  test.each([
    [
      "of several documents, with lines that end as elsewhere",
      `\ufeff--- # first\r\nglobal: { scrape_interval: 1s }\r\n${scrape.replaceAll("\n", "\r\n")}...\r\n---\r\nrule_files: [never-read.yml]\r\n`,
    ],
    [
      "with anchors",
      `global: &all\n  scrape_interval: 15s\n${scrape}\nrule_files:\n- &own /etc/prometheus/own*.yml\n- *own`,
    ],
  ])("takes what is added, and nothing else, in a file %s", async (_form, text) => {
    await use(text);
    const lines = text.split(/\r?\n/);
    const changed = (await goesInAndOut(text, ...(text.includes("---") ? [longTerm] : []))).split(/\r?\n/);
    expect(changed.filter(line => lines.includes(line))).toEqual(lines);
    expect(changed.filter(line => !lines.includes(line) && line.includes(rulesEntry))).toHaveLength(1);
  });

  test("that is a link is read where the link lies, and changed where it leads", async () => {
    await host.run("mkdir -p /srv/configuration && echo 'groups: []' >/etc/prometheus/own-rules.yml");
    await host.writeFile("/srv/configuration/prometheus.yml", `rule_files: # mine\n  - own-rules.yml\n${scrape}`);
    await host.run(`ln -sf /srv/configuration/prometheus.yml ${configFile}`);
    await goesInAndOut(`rule_files: # mine\n  - own-rules.yml\n${scrape}`);
    expect(await host.run(`readlink ${configFile}`)).toBe("/srv/configuration/prometheus.yml\n");
    await host.run(`rm -r /etc/prometheus/own-rules.yml /srv/configuration`);
  });

  test.each(
    representatives(
      [
        [
          "JSON",
          '{"rule_files": [\n"/etc/prometheus/own/*.yml"], "scrape_configs": []}\n',
          '"/etc/prometheus/own/*.yml"',
          `"/etc/prometheus/own/*.yml", "${rulesEntry.slice(1, -1)}"`,
        ],
        ["a list in brackets", "rule_files: [\n  own*.yml, ]\n", "own*.yml,", `own*.yml, ${rulesEntry},`],
        [
          "a list that is used twice",
          `rule_files: &both\n  - own*.yml\n${scrape}    params: { twice: *both }\n`,
          "rule_files: &both\n",
          "rule_files: &both\n  - rules/prometheus-backup.yml\n",
        ],
      ],
      ([form]) => form === "a list in brackets",
    ),
  )("that is %s is refused with the line to add, and taken as soon as it is there", async (_form, text, old, added) => {
    await use(text);
    const { code, word } = await refused(() => install(host, StepName.alertRules, alertRules()));
    expect([code, word]).toEqual([
      12,
      expect.stringContaining(
        `nothing was changed. Add the entry ${rulesEntry} to rule_files there yourself, and run \`pulumi up\` again`,
      ),
    ]);
    const mended = text.replace(old, added);
    await use(mended);
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0, stderr: "" });
    expect(await host.readFile(configFile)).toBe(mended);
    expect(await groups()).toContain('"name":"prometheus-backup"');
    expect(await remove(host, StepName.alertRules)).toMatchObject({ code: 0, stdout: "removed\n" });
    expect(await host.readFile(configFile)).toBe(mended);
  });

  test("that others write anew gets what was lost again", async () => {
    expect(await install(host, StepName.alertRules, alertRules())).toMatchObject({ code: 0 });
    await use(`# new\n${original}`);
    expect(await install(host, StepName.alertRules, alertRules(), "test")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^installed: /) as unknown,
      stderr: "",
    });
    await use(original);
    await goesInAndOut(original);
  });

  test("that is mounted by itself is left alone, with the line to add", async () => {
    await host.run(
      `cp ${configFile} /root/mounted.yml && mount --bind /root/mounted.yml ${configFile} && systemctl reset-failed && systemctl restart prometheus`,
    );
    await waitForPrometheus(host);
    const { code, word } = await refused(() => install(host, StepName.alertRules, alertRules()));
    expect([code, word]).toEqual([
      12,
      expect.stringMatching(
        /cannot be replaced: it is mounted by itself.* Add the entry .*The host is as it was before\.$/,
      ),
    ]);
    await host.run(`umount ${configFile}; systemctl restart prometheus`);
    await waitForPrometheus(host);
  });

  test("that another one hides from the server is left alone", async () => {
    await host.run(
      "cp /etc/prometheus/prometheus.yml /root/other.yml; mkdir -p /etc/systemd/system/prometheus.service.d",
    );
    await host.writeFile(
      "/etc/systemd/system/prometheus.service.d/own.conf",
      `[Service]\nBindReadOnlyPaths=/root/other.yml:${configFile}\n`,
    );
    await host.run("chmod 0711 /root; systemctl daemon-reload; systemctl restart prometheus");
    await waitForPrometheus(host);
    const { code, word } = await refused(() => install(host, StepName.alertRules, alertRules()));
    expect([code, word]).toEqual([
      12,
      expect.stringContaining(`prometheus.service mounts another file at ${configFile} than lies there on this host`),
    ]);
    await host.run(
      "rm -r /etc/systemd/system/prometheus.service.d; systemctl daemon-reload; systemctl restart prometheus",
    );
    await waitForPrometheus(host);
  });
});
