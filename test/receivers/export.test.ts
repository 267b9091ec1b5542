// What `export` writes is what Thanos takes: sent to a real bucket by the line that it prints, and counted there by
// Thanos' own query.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { servedHistory } from "../hostCommand/served";
import { startOwnServer, untilCompacted } from "../hostCommand/server";
import { BUCKET, HISTORY_BLOCKS, openSetting, type Setting } from "../hostCommand/setting";
import { Site } from "../hostCommand/site";
import { ensureReceiver } from "../tools/receivers";
import { waitUntil } from "../tools/process";

const PLACE = "/srv/sites/exported";
const UNITS = ["thanos-store", "thanos-query-of-store"];

let setting: Setting;
beforeAll(async () => {
  setting = await openSetting();
  await setting.host.writeFile("/usr/local/bin/thanos", readFileSync(await ensureReceiver("thanos")), { mode: "0755" });
});
afterAll(async () => {
  await setting?.host.exec(`systemctl stop ${UNITS.join(" ")}`);
  await setting?.stop();
});

test("Thanos takes every block of an export, merged ones too, and serves every sample", async () => {
  const { host, minio } = setting;
  const server = await startOwnServer(host, {
    name: "exported",
    port: 9621,
    compaction: true,
    scrapeSeconds: 0,
    globals: "external_labels: { replica: a }",
  });
  await untilCompacted(server, HISTORY_BLOCKS);
  const site = await Site.create(setting, { name: "exported", prometheusUrl: server.url, repositories: ["local"] });
  await site.good();
  const history = await servedHistory(host, server.url);
  const backup = await site.manifest();
  expect(backup.blocks.length).toBeLessThan(HISTORY_BLOCKS);
  const { stderr } = await site.good(`export latest --thanos ${PLACE}/thanos`, { user: "root" });

  await host.writeFile(
    `${PLACE}/bucket.yml`,
    [
      "type: S3",
      "config:",
      `  bucket: ${BUCKET}`,
      `  endpoint: ${new URL(minio.endpointForHosts).host}`,
      "  insecure: true",
      `  region: ${minio.region}`,
      `  access_key: ${minio.root.accessKeyId}`,
      `  secret_key: ${minio.root.secretAccessKey}`,
      "prefix: thanos",
      "",
    ].join("\n"),
    { mode: "0600" },
  );
  const line = /^ {2}(thanos tools bucket upload-blocks .+)$/m.exec(stderr)?.[1];
  await host.run(`cd ${PLACE} && ${line ?? "false"}`);

  const tools = (words: string) =>
    host.run(`cd ${PLACE} && thanos tools bucket ${words} --objstore.config-file=bucket.yml 2>&1`);
  const listed = await tools("ls");
  expect(backup.blocks.filter(({ ulid }) => !listed.includes(ulid))).toEqual([]);
  expect(await tools("verify")).not.toMatch(/level=(warn|error)/);

  await host.run(`
    systemd-run --quiet --unit ${UNITS[0]} /usr/local/bin/thanos store --objstore.config-file=${PLACE}/bucket.yml --data-dir=${PLACE}/store --grpc-address=127.0.0.1:9622 --http-address=127.0.0.1:9623
    systemd-run --quiet --unit ${UNITS[1]} /usr/local/bin/thanos query --endpoint=127.0.0.1:9622 --grpc-address=127.0.0.1:9624 --http-address=127.0.0.1:9625`);
  let served: string[] = [];
  await waitUntil(
    "Thanos serves the blocks",
    120,
    async () => {
      served = await servedHistory(host, "http://127.0.0.1:9625").catch(() => []);
      return served.length > 0;
    },
    1000,
  );
  expect(served.map(each => each.replace('"replica":"a",', "").replace(',"replica":"a"', ""))).toEqual(history);
  expect(served.every(each => each.includes('"replica":"a"'))).toBe(true);
  await server.stop();
});
