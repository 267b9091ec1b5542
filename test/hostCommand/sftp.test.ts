// A repository on an SFTP server that knows nothing but SFTP: no shell, no checksums, no upload that appears at once.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { paths } from "../../components/host/paths";
import { renderKnownHosts, type RepositoryPlan } from "../../components/backupJob/rclone";
import type { Host } from "../hosts/host";
import { newKey } from "../hosts/sshKey";
import type { Finished } from "../tools/process";
import { slowTest } from "../runner/pace";
import { createRemoteSite } from "./remoteSite";
import { historyIn, servedHistory } from "./served";
import { lines, startOwnServer, type OwnServer } from "./server";
import { openSetting, type Setting } from "./setting";
import { expectFailure, type Site } from "./site";

const NAME = "distant";
const PLACE = `/srv/sites/${NAME}`;
const UNIT = "sftp-server";
const PORT = 2222;
const KEY = `${paths.credentials}/nas`;
const FILES = "/srv/nas/backups";

let setting: Setting;
let host: Host;
let server: OwnServer;
let site: Site;
let plan: RepositoryPlan;

beforeAll(async () => {
  setting = await openSetting();
  host = setting.host;
  server = await startOwnServer(host, { name: NAME, port: 9323 });
  const key = newKey();
  const hostKey = (await host.run("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")).trim();
  plan = {
    name: "nas",
    sftp: { address: "127.0.0.1", port: PORT, user: "keeper", path: FILES, hostKey },
    hasCredentials: true,
    prune: true,
    proof: "required",
  };
  await host.run(
    "useradd --system --home-dir /srv/nas --shell /usr/sbin/nologin keeper && install -d -m 0755 /srv/nas && install -d -o keeper -g keeper -m 0700 /srv/nas/backups",
  );
  await host.writeFile("/srv/nas/authorized_keys", `${key.publicKey}\n`);
  await host.writeFile(
    "/srv/nas/sshd_config",
    [
      `Port ${PORT}`,
      "ListenAddress 127.0.0.1",
      "HostKey /etc/ssh/ssh_host_ed25519_key",
      "PidFile none",
      "AuthorizedKeysFile /srv/nas/authorized_keys",
      "PasswordAuthentication no",
      "UsePAM yes",
      "Subsystem sftp internal-sftp",
      "ForceCommand internal-sftp",
      "",
    ].join("\n"),
  );
  await startSftp();
  await host.writeFile(KEY, key.privateKey, { mode: "0600", owner: "prometheus:prometheus" });
  site = await createRemoteSite(setting, NAME, server.url, plan);
});

beforeEach(() => host.writeFile(paths.knownHosts, renderKnownHosts([plan])));

afterAll(async () => {
  await host?.exec(`systemctl stop ${UNIT}`);
  await server?.stop();
  await setting?.stop();
});

async function startSftp(): Promise<void> {
  await host.run(
    `systemd-run --quiet --collect --unit ${UNIT} /usr/sbin/sshd -D -e -f /srv/nas/sshd_config && timeout 20 bash -c 'until : </dev/tcp/127.0.0.1/${PORT}; do sleep 0.1; done' 2>/dev/null`,
  );
}

/** Objects that lie there, with their sizes. */
const objects = async () =>
  lines(await host.run(`cd ${FILES}/${NAME} 2>/dev/null && find . -type f -printf '%P %s\\n' | sort || true`));

/**
 * Runs a command whose server dies as soon as a new object has begun to appear in `folder`; the server is there again
 * afterwards.
 */
async function cutOff(words: string, folder: string): Promise<Finished> {
  await host.run("touch /srv/nas/mark");
  const run = site.command(words);
  await host.run(`
    timeout 60 bash -c 'until [ -n "$(find ${FILES}/${NAME}/${folder} -type f -newer /srv/nas/mark -size +0 2>/dev/null)" ]; do sleep 0.05; done'
    systemctl kill --signal=KILL ${UNIT}; systemctl stop ${UNIT} || true`);
  const finished = await run;
  await startSftp();
  return finished;
}

test("there and back: check, backups, verify, pin, retention, restore and drill", async () => {
  expect((await site.command("check")).stdout).toMatch(/^ {2}✔ nas .*: write, read, delete$/m);
  await site.good();
  const first = await site.manifest();
  const stored = await objects();
  expect(stored.filter(object => object.startsWith("blocks/"))).toHaveLength(first.blocks.length);
  expect((await site.good()).stderr).toContain(` plan repository=nas new=0 pooled=${first.blocks.length} `);
  expect((await site.list()).map(({ complete, repository }) => [complete, repository])).toEqual([
    [true, "nas"],
    [true, "nas"],
  ]);
  await site.good("verify latest");

  await site.good(`restore ${first.name} --target ${PLACE}/look --yes`, { user: "root" });
  expect(await historyIn(host, `${PLACE}/look`, 9324)).toEqual(await servedHistory(host, server.url));
  await site.good("drill latest");

  await site.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
  await site.good(`pin ${first.name}`);
  await site.good("prune --yes");
  expect(await site.list()).toHaveLength(2);
  await site.good(`unpin ${first.name}`);
  await site.good("prune --yes");
  expect((await site.list()).map(({ name }) => name)).not.toContain(first.name);
  await site.good("verify latest");
});

slowTest("what rclone does not keep in memory before it sends is streamed, whole and cut off", async () => {
  await site.configure({ FORMAT: "archive", KEEP_LAST: "5" });
  await site.good();
  const [archive] = (await objects()).filter(object => object.startsWith("archives/"));
  expect(Number(archive?.split(" ")[1])).toBeGreaterThan(100 * 1024);
  await site.good("verify latest");
  await site.good(`restore latest --target ${PLACE}/archived --yes`, { user: "root" });
  expect(await historyIn(host, `${PLACE}/archived`, 9326)).toEqual(await servedHistory(host, server.url));
  const before = (await site.list()).map(({ name }) => name);
  await site.configure({ FORMAT: "archive", BANDWIDTH_LIMIT: "20k", KEEP_LAST: "5" });
  expect(await cutOff("run", "archives")).toMatchObject({
    code: 8,
    stderr: expect.stringMatching(/repository nas .*: upload: archives\/\S+: rclone: /) as string,
  });
  await site.configure({ KEEP_LAST: "5" });
  expect((await site.list()).map(({ name }) => name)).toEqual(before);
  await site.good();
});

slowTest("a manifest that is cut off has no name yet, and a later run removes what was left of it", async () => {
  const before = (await site.list()).map(({ name }) => name);
  await site.configure({ BANDWIDTH_LIMIT: "1k:off", SKIP_HEAD: "true", KEEP_LAST: "9" });
  expect(await cutOff("run", "backups")).toMatchObject({
    code: 8,
    stderr: expect.stringContaining("the manifest: backups/") as string,
  });
  await site.configure({ KEEP_LAST: "9" });
  const manifests = async () =>
    (await objects()).map(line => line.split(" ")[0] ?? "").filter(object => object.startsWith("backups/"));
  const [partial, ...others] = (await manifests()).filter(object => !object.endsWith(".json"));
  expect([partial, others]).toEqual([expect.stringMatching(/^backups\/\d{8}T\d{6}Z\.json\.partial-\d+-\d+$/), []]);
  expect((await site.list()).map(({ name, complete }) => [name, complete])).toEqual(before.map(name => [name, true]));

  await site.good();
  expect(await manifests()).toContain(partial);
  await host.run(`touch -d '2 hours ago' ${FILES}/${NAME}/${partial}`);
  await site.good();
  expect((await manifests()).filter(object => !object.endsWith(".json"))).toEqual([]);
});

slowTest("a flipped bit at the same size is found by name, and the next run mends it", async () => {
  const victim = (await objects()).find(object => object.startsWith("blocks/"))?.split(" ")[0] ?? "";
  await host.run(`printf '\\xff' | dd of=${FILES}/${NAME}/${victim} bs=1 seek=500 conv=notrunc status=none`);
  expect(await site.command("verify latest")).toMatchObject({
    code: 9,
    stdout: expect.stringContaining(victim) as string,
  });
  await site.good();
  await site.good("verify latest");
});

slowTest("a server with another key, one that refuses ours, and one that is gone: red, with the reason", async () => {
  const another = newKey().publicKey;
  await host.writeFile(paths.knownHosts, renderKnownHosts([{ ...plan, sftp: { ...plan.sftp!, hostKey: another } }]));
  await expectFailure(site, {
    code: 8,
    message: /nas.*key mismatch.*\(the server shows another key than the repository's sftp\.hostKey/,
  });
  await host.writeFile(paths.knownHosts, renderKnownHosts([plan]));
  await host.run("mv /srv/nas/authorized_keys /srv/nas/aside");
  await expectFailure(site, { code: 8, message: /nas.*unable to authenticate.*\(the server does not take our key/ });
  await host.run("mv /srv/nas/aside /srv/nas/authorized_keys");
  await host.run(`systemctl stop ${UNIT}`);
  await expectFailure(site, { code: 8, message: /nas.*connection refused/ });
  await startSftp();
  await site.good();
});

slowTest(
  "a connection that breaks in the middle leaves no backup, and the next run sends what was cut off",
  async () => {
    await host.run(`rm -rf ${FILES}/${NAME}`);
    await site.configure({ BANDWIDTH_LIMIT: "20k", KEEP_LAST: "5" });
    expect(await cutOff("run --take-over", "blocks")).toMatchObject({
      code: 8,
      stderr: expect.stringMatching(/repository nas .*: upload: blocks\/\S+: rclone: /) as string,
    });
    expect((await objects()).filter(object => object.startsWith("backups/"))).toEqual([]);
    await site.configure();
    await site.good("run --take-over");
    await site.good("verify latest");
    await site.good(`restore latest --target ${PLACE}/after --yes`, { user: "root" });
    expect(await historyIn(host, `${PLACE}/after`, 9325)).toEqual(await servedHistory(host, server.url));
  },
);
