// Root follows nobody: what the server's user, the backup user or whoever writes a repository may put in root's way, on
// a real host.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COLD, startOwnSite, type OwnSite } from "./ownSite";
import { lines } from "./server";
import { openSetting, type Setting } from "./setting";
import { errorOf, Site } from "./site";
import { slowTest } from "../runner/pace";

let setting: Setting;
let own: OwnSite;
let backup: string;

/** A folder that only root may enter, and a note that programs leave when they are run. */
const VICTIM = "/root/victim";
const EXECUTED = "/var/tmp/executed";
const asRoot = { user: "root" };

beforeAll(async () => {
  setting = await openSetting();
  own = await startOwnSite(setting, { name: "trust", port: 9461, adminApi: true, settings: {} });
  await own.site.good("run");
  backup = (await own.site.manifest()).name;
  await setting.host.run(
    `install -d -m 0700 ${VICTIM} && touch ${VICTIM}/kept && install -m 0777 /dev/null ${EXECUTED}`,
  );
});

afterAll(async () => {
  await own.server.stop();
  await setting.host.run(`rm -rf ${VICTIM} ${EXECUTED}`);
  await setting.stop();
});

/** Everything about the folder that somebody who leads root there could change. */
const victim = (): Promise<string> => setting.host.run(`stat --format '%U:%G %a %h' ${VICTIM}; ls -A ${VICTIM}`);
const UNTOUCHED = "root:root 700 2\nkept\n";
/** Who has run what, a line each. */
const executed = async (): Promise<string[]> => lines(await setting.host.run(`cat ${EXECUTED}; : >${EXECUTED}`));
const asServer = (command: string): Promise<string> => setting.host.run(command, { user: "prometheus" });

describe("programs and paths come from root's files", () => {
  test("neither a start script nor what lies beside the server's program is run by planning", async () => {
    const { host } = setting;
    const { site, server } = own;
    const unit = `/etc/systemd/system/${server.unit}.service`;
    const place = `${server.dataDirectory}.programs`;
    const line = (await host.run(`sed -n 's/^ExecStart=//p' ${unit}`)).trim();
    // The server's user has its program, and everything beside it, in a folder of its own.
    await asServer(`
      mkdir ${place} && cp /usr/bin/prometheus ${place}/prometheus
      printf '#!/bin/sh\\nid -un >>${EXECUTED}\\n' >${place}/promtool
      printf '#!/bin/sh\\necho "start script" >>${EXECUTED}\\nexec ${place}/prometheus ${line.replace(/^\S+ /, "")}\\n' >${place}/start
      chmod 0755 ${place}/*`);
    await host.run(
      `cp ${unit} /root/unit && sed -i 's|^ExecStart=.*|ExecStart=${place}/start|' ${unit} && systemctl daemon-reload && systemctl restart ${server.unit}`,
    );
    await host.run(`for i in $(seq 100); do curl -fsS ${server.url}/-/ready && exit; sleep 0.2; done`);
    expect(await executed()).toEqual(["start script"]);
    for (const words of ["restore latest --plan", "heal --plan", "restore latest --plan --merge"]) {
      await site.good(words, asRoot);
    }
    await host.run(`systemctl stop ${server.unit}`);
    // Not running either: nothing is asked what it is.
    await site.good("restore latest --plan", asRoot);
    expect(await executed()).toEqual([]);
    await host.run(
      `mv /root/unit ${unit} && systemctl daemon-reload && systemctl start ${server.unit}; rm -rf ${place}`,
    );
    await host.run(`for i in $(seq 100); do curl -fsS ${server.url}/-/ready && exit; sleep 0.2; done`);
  });

  test("a data directory that only the answer at the URL names is refused", async () => {
    await own.site.configure({ PROMETHEUS_URL: "http://127.0.0.1:9090" });
    const finished = await own.site.command("restore latest --yes", asRoot);
    await own.site.configure();
    expect([finished.code, errorOf(finished)]).toEqual([
      12,
      `by the running server the data are in ${setting.host.paths.dataDirectory}, but the unit ${own.server.unit}.service says ${own.server.dataDirectory}; ` +
        "restart the server if its unit was changed, or set prometheus.unit or prometheus.dataDirectory to the right one",
    ]);
  });
});

describe("credentials that their user can change", () => {
  test("make root's curl write nothing", async () => {
    const file = "/etc/prometheus-backup/credentials/trust-api";
    await setting.host.writeFile(file, `output = "${VICTIM}/written"\n`, {
      mode: "0600",
      owner: "prometheus:prometheus",
    });
    await own.site.configure({ API_CURL_CONFIG: file });
    const finished = await own.site.command("restore latest --plan", asRoot);
    expect([finished.code, errorOf(finished)]).toEqual([
      3,
      `${file} can be changed by others than root, and curl would do as root whatever it says; run 'pulumi up', which gives it to root`,
    ]);
    // As `up` leaves them.
    await setting.host.writeFile(file, 'header = "X-Test: 1"\n', { mode: "0640", owner: "root:prometheus" });
    await own.site.good("restore latest --plan", asRoot);
    await own.site.configure();
    expect(await victim()).toBe(UNTOUCHED);
  });

  test("run their commands as that user, not as root", async () => {
    const site = await Site.create(setting, {
      name: "trust-s3",
      prometheusUrl: own.server.url,
      repositories: ["offsite"],
      settings: { PROMETHEUS_UNIT: `${own.server.unit}.service` },
    });
    await site.good("run");
    const { accessKeyId, secretAccessKey } = setting.minio.root;
    await setting.host.writeFile(
      "/srv/sites/trust-s3/process",
      `#!/bin/sh\nid -un >>${EXECUTED}\nprintf '{"Version":1,"AccessKeyId":"${accessKeyId}","SecretAccessKey":"${secretAccessKey}"}'\n`,
      { mode: "0755" },
    );
    await setting.host.writeFile(
      "/etc/prometheus-backup/credentials/trust-s3",
      "[default]\ncredential_process = /srv/sites/trust-s3/process\n",
      { mode: "0600", owner: "prometheus:prometheus" },
    );
    await site.good("restore latest --target /srv/trust-s3 --yes", asRoot);
    expect(new Set(await executed())).toEqual(new Set(["prometheus"]));
    expect(
      await setting.host.run(
        "stat --format %U /srv/trust-s3 && find /srv/trust-s3 ! -user root && rm -r /srv/trust-s3",
      ),
    ).toBe("root\n");
  });
});

describe("links where root would write", () => {
  test.each([
    ["a full restore", "restore latest --yes", ".restore-"],
    ["a merge", "restore latest --merge --yes", "/restore-"],
    ["a heal", "heal --yes", "/restore-"],
  ])("%s follows none to a folder of root's", async (_title, words, staging) => {
    const { site, server } = own;
    // Something to merge and to heal: a block that is gone.
    const block = (await server.blocks())[0] ?? "";
    const link = `${server.dataDirectory}${staging}${backup}`;
    await asServer(`mv ${server.dataDirectory}/${block} ${server.dataDirectory}.gone && ln -s ${VICTIM} ${link}`);
    const finished = await site.command(words, asRoot);
    expect([finished.code, await victim()], finished.stderr).toEqual([7, UNTOUCHED]);
    await asServer(`rm ${link} && mv ${server.dataDirectory}.gone ${server.dataDirectory}/${block}`);
  });

  test("a restore makes everything as the server's user, whose group the files have", async () => {
    const { site, server } = own;
    await site.good("restore latest --yes", asRoot);
    const others = await setting.host.run(
      `find ${server.dataDirectory} ${server.dataDirectory}.* \\( ! -user prometheus -o ! -group prometheus \\) -print; rm -rf ${server.dataDirectory}.before-*`,
    );
    expect(others).toBe("");
  });

  slowTest("where that user may not write beside its data, everything stays inside", async () => {
    const { site, server } = own;
    await setting.host.run(`chown root: /srv/sites/trust`);
    await site.good("restore latest --yes", asRoot);
    expect(
      await setting.host.run(
        `ls -d ${server.dataDirectory}.* ${server.dataDirectory}/restore-* 2>/dev/null; ls ${server.dataDirectory} | grep -c ^before-; rm -rf ${server.dataDirectory}/before-*`,
      ),
    ).toBe("1\n");
    await setting.host.run(`chown prometheus: /srv/sites/trust`);
  });

  test("hold as root follows none, and gives nothing of root's away", async () => {
    const { host } = setting;
    const { server } = own;
    const site = await Site.create(setting, {
      name: "trust-cold",
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { ...COLD, PROMETHEUS_UNIT: `${server.unit}.service` },
    });
    await host.run(
      `chown root: ${site.stateDirectory} && printf '%s\\n' ${server.dataDirectory} >${site.stateDirectory}/hold && touch ${site.stateDirectory}/lock`,
    );
    // As the server writes it; what a restore has brought is in fewer bytes.
    await asServer(
      `sed -i 's/"level":1,/"level": 1,/' ${server.dataDirectory}/01*/meta.json; ln -s ${VICTIM} ${server.dataDirectory}/prometheus-backup-held`,
    );
    const finished = await site.command("hold");
    expect([finished.code, await victim()], finished.stderr).toEqual([7, UNTOUCHED]);
    await asServer(`rm ${server.dataDirectory}/prometheus-backup-held`);
    expect((await site.good("hold")).stderr).toContain("hold blocks=");
    expect(await host.run(`find ${server.dataDirectory}/prometheus-backup-held ! -user prometheus`)).toBe("");
    await host.run(`rm -r ${server.dataDirectory}/prometheus-backup-held`);
  });
});
