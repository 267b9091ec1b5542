// What the tests of the host command share: one Debian host with history and the program, one bucket.
import { randomBytes } from "node:crypto";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { addUser } from "../hosts/docker";
import { attachHost, startHost, type Host } from "../hosts/host";
import { makeHistory } from "../hosts/history";
import { KEEP_VARIABLE, OWNER_VARIABLE } from "../hosts/leftovers";
import { sharedMinio, type Minio } from "../servers/minio";
import { installProgram, LOG } from "./install";

/** The bucket of this test file: the S3 server is shared with all others. */
export const BUCKET = `backups-${randomBytes(4).toString("hex")}`;
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

/**
 * The host is the same for all test files that one worker runs, one after another; the S3 server is that of the whole
 * run.
 */
export async function openSetting(): Promise<Setting> {
  const [host, minio] = await Promise.all([sharedHost(), sharedMinio()]);
  await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
  return { host, minio, stop: () => minio.stop() };
}

/** Names the run that the host is ready for. */
const READY = "/run/ready-for-tests";

async function sharedHost(): Promise<Host> {
  const keep = process.env[KEEP_VARIABLE] === "1";
  const run = process.env[OWNER_VARIABLE] ?? String(process.pid);
  const name = `command-${process.env.VITEST_POOL_ID ?? "0"}-${keep ? "kept" : run}`;
  const there = await attachHost(name).catch(() => undefined);
  const readyFor = (await there?.exec(`cat ${READY}`))?.stdout ?? "";
  if (there !== undefined && readyFor === run) {
    return there;
  }
  if (keep) {
    addUser(`host-${name}`);
  }
  const host =
    there !== undefined && readyFor !== "" ? await clear(there) : await startHost({ name, forCommand: true, keep });
  await installProgram(host);
  // The server's own compaction would start at once; most tests have servers of their own, where it is off.
  await makeHistory(host, { days: HISTORY_BLOCKS / 12, series: HISTORY_SERIES, cached: true });
  await host.run(`
    set -Eeuo pipefail
    install -d -m 0755 ${HISTORY} /srv/sites
    cd ${host.paths.dataDirectory}
    cp -a -- 01* ${HISTORY}/
    printf %s ${run} >${READY}`);
  return host;
}

/** Takes away what the files of an earlier run have left on a host that was kept. */
async function clear(host: Host): Promise<Host> {
  await host.run(`
    systemctl stop 'test-*' 'look-*' sftp-server prometheus 2>/dev/null
    find /etc/systemd/system -maxdepth 1 -name 'test-*' -exec rm -rf {} +
    systemctl daemon-reload; systemctl reset-failed
    tac /proc/mounts | cut -d ' ' -f 2 | grep ^/srv/sites/ | xargs --no-run-if-empty umount --lazy
    userdel keeper 2>/dev/null
    rm -rf /srv/* /backup /var/lib/prometheus-backup* /etc/prometheus-backup /var/lib/prometheus/node-exporter/*.prom ${host.paths.dataDirectory}/* ${LOG}`);
  return host;
}
