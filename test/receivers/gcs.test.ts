// A repository in Google Cloud Storage, as far as that can be had without Google: an emulator that speaks its API, and
// a token service that gives every service account a token.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RepositoryPlan } from "../../components/backupJob/rclone";
import { paths } from "../../components/host/paths";
import { createRemoteSite } from "../hostCommand/remoteSite";
import { historyIn, servedHistory } from "../hostCommand/served";
import { startOwnServer, type OwnServer } from "../hostCommand/server";
import { openSetting, type Setting } from "../hostCommand/setting";
import type { Site } from "../hostCommand/site";
import { startPrometheusStub, type PrometheusStub } from "../servers/prometheusStub";
import { ensureReceiver } from "../tools/receivers";

const PLACE = "/srv/sites/cloudy";
const EMULATOR = "http://127.0.0.1:9631";
const plan: RepositoryPlan = {
  name: "gcs",
  gcs: "fleet",
  prefix: "prometheus",
  endpoint: `${EMULATOR}/storage/v1/`,
  hasCredentials: true,
  prune: true,
  proof: "required",
};

let setting: Setting;
let server: OwnServer;
let tokens: PrometheusStub;
let site: Site;

beforeAll(async () => {
  setting = await openSetting();
  const { host } = setting;
  server = await startOwnServer(host, { name: "cloudy", port: 9632 });
  tokens = await startPrometheusStub(new URL(setting.minio.endpointForHosts).hostname, server.dataDirectory);
  tokens.answer("/token", {
    status: 200,
    type: "application/json",
    body: JSON.stringify({ access_token: "a-token", token_type: "Bearer", expires_in: 3600 }),
  });
  await host.writeFile("/usr/local/bin/fake-gcs-server", readFileSync(await ensureReceiver("fake-gcs-server")), {
    mode: "0755",
  });
  await host.run(`
    systemd-run --quiet --collect --unit fake-gcs-server /usr/local/bin/fake-gcs-server -scheme http -host 127.0.0.1 -port 9631 -backend memory -external-url ${EMULATOR} -public-host 127.0.0.1:9631
    timeout 30 bash -c 'until curl -fsS -X POST -H "content-type: application/json" -d "{\\"name\\":\\"fleet\\"}" ${EMULATOR}/storage/v1/b >/dev/null 2>&1; do sleep 0.2; done'`);
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const account = {
    type: "service_account",
    client_email: "backup@fleet.iam",
    private_key_id: "1",
    private_key: privateKey,
    token_uri: `${tokens.url}/token`,
  };
  await host.writeFile(`${paths.credentials}/gcs`, JSON.stringify(account), {
    mode: "0600",
    owner: "prometheus:prometheus",
  });
  site = await createRemoteSite(setting, "cloudy", server.url, plan);
});

afterAll(async () => {
  await setting?.host.exec("systemctl stop fake-gcs-server");
  await server?.stop();
  await Promise.all([tokens?.stop(), setting?.stop()]);
});

test("there and back: check, backups, verify, retention, restore and drill", async () => {
  const { host } = setting;
  expect((await site.command("check")).stdout).toMatch(/: write, read, delete$/m);
  expect(tokens.requests).toContain("POST /token");
  await site.good();
  const first = await site.manifest();
  expect((await site.good()).stderr).toContain(` plan repository=gcs new=0 pooled=${first.blocks.length} `);
  await site.good("verify latest");
  await site.good(`restore ${first.name} --target ${PLACE}/look --yes`, { user: "root" });
  expect(await historyIn(host, `${PLACE}/look`, 9633)).toEqual(await servedHistory(host, server.url));
  await site.good("drill latest");
  await site.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
  await site.good("prune --yes");
  expect((await site.list()).map(({ name, complete }) => [name === first.name, complete])).toEqual([[false, true]]);
  await site.good("verify latest");
});

test("a token service that refuses the account, and a bucket that is not there: red, with the reason", async () => {
  tokens.answer("/token", {
    status: 400,
    type: "application/json",
    body: JSON.stringify({ error: "invalid_grant", error_description: "Invalid JWT Signature." }),
  });
  const refused = await site.command("run");
  expect(refused).toMatchObject({ code: 8, stderr: expect.stringMatching(/repository gcs .*invalid_grant/) as string });
  tokens.answer("/token", {
    status: 200,
    type: "application/json",
    body: JSON.stringify({ access_token: "a-token", token_type: "Bearer", expires_in: 3600 }),
  });
  await site.configure({ REPOSITORY_1_LOCATION: "gcs:another/prometheus" });
  const gone = expect.stringMatching(/repository gcs .*(does not exist |notFound|Not Found)/) as string;
  expect(await site.command("run")).toMatchObject({ code: 8, stderr: gone });
});
