// What the tests of the host command share: one Debian host with history and the program, one S3 server.
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { attachHost, startHost, type Host } from "../hosts/host";
import { makeHistory } from "../hosts/history";
import { OWNER_VARIABLE } from "../hosts/leftovers";
import { startMinio, type Minio } from "../servers/minio";
import { installProgram } from "./install";

export const BUCKET = "backups";
/** Blocks of the history, kept aside so that each test's server can start with a copy. */
export const HISTORY = "/srv/history";
/** As many of them as two compactions to six hours need, and no more: each one costs every first run. */
export const HISTORY_BLOCKS = 8;
export const HISTORY_SERIES = 60;

export interface Setting {
  host: Host;
  minio: Minio;
  stop(): Promise<void>;
}

/** The host is the same for all test files that one worker runs, one after another; the S3 server belongs to the file. */
export async function openSetting(): Promise<Setting> {
  const [host, minio] = await Promise.all([sharedHost(), startMinio()]);
  await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
  return { host, minio, stop: () => minio.stop() };
}

async function sharedHost(): Promise<Host> {
  const name = `command-${process.env.VITEST_POOL_ID ?? "0"}-${process.env[OWNER_VARIABLE] ?? process.pid}`;
  const ready = "/run/ready-for-tests";
  const running = await attachHost(name).catch(() => undefined);
  if (running !== undefined && (await running.exec(`test -e ${ready}`)).code === 0) {
    return running;
  }
  const host = await startHost({ name });
  await installProgram(host);
  // The server's own compaction would start at once; most tests have servers of their own, where it is off.
  await makeHistory(host, { days: HISTORY_BLOCKS / 12, series: HISTORY_SERIES });
  await host.run(`
    set -Eeuo pipefail
    install -d -m 0755 ${HISTORY} /srv/sites
    cd ${host.paths.dataDirectory}
    cp -a -- 01* ${HISTORY}/
    touch ${ready}`);
  return host;
}
