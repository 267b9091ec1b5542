// What the tests of restores do to hosts and buckets.
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { waitForPrometheus, type Host } from "../hosts/host";
import type { Minio } from "../servers/minio";
import type { Finished } from "../tools/process";

export const command = "/usr/local/bin/prometheus-backup.sh";

/** What lies beside the data directory: downloads, and data kept aside. */
export const besideData = (on: Host) =>
  on.run(`ls -d ${on.paths.dataDirectory}.* ${on.paths.dataDirectory}/{restore,before}-* 2>/dev/null || true`);

/** The last error that a command has printed. */
export function errorOf(finished: Finished): string {
  return (
    finished.stderr
      .split("\n")
      .filter(line => line.startsWith("prometheus-backup: error: "))
      .at(-1) ?? finished.stderr
  );
}

/** Flips a byte in the middle of an object with this prefix. */
export async function flipByte(
  minio: Minio,
  bucketName: string,
  prefix: string,
): Promise<{ object: string; mend: () => Promise<unknown> }> {
  const { Contents = [] } = await minio.client().send(new ListObjectsV2Command({ Bucket: bucketName, Prefix: prefix }));
  const Key = Contents[0]?.Key ?? "";
  const whole = await (
    await minio.client().send(new GetObjectCommand({ Bucket: bucketName, Key }))
  ).Body?.transformToByteArray();
  const damaged = Buffer.from(whole ?? []);
  damaged.writeUInt8(damaged.readUInt8(damaged.length >> 1) ^ 1, damaged.length >> 1);
  const put = (Body: Uint8Array | undefined) =>
    minio.client().send(new PutObjectCommand({ Bucket: bucketName, Key, Body }));
  await put(damaged);
  return { object: Key.slice(Key.indexOf("/") + 1), mend: () => put(whole) };
}

/** Restores into a directory, starts a server there with the command line that the restore prints, and asks it. */
export async function served(
  host: Host,
  target: string,
  options: string,
): Promise<{ samples: number; names: string[] }> {
  const restored = await host.exec(`${command} restore latest --yes --target ${target} ${options}`);
  if (restored.code !== 0) {
    throw new Error(`the restore ended with ${restored.code}: ${restored.stderr}`);
  }
  const line = /^ +(prometheus --config.file=.*)$/m.exec(restored.stderr)?.[1] ?? "";
  await host.writeFile(`${target}.sh`, `exec ${line}\n`);
  await host.run(`systemd-run --quiet --collect --unit partial bash ${target}.sh`);
  await waitForPrometheus(host, 30, "http://127.0.0.1:9099");
  const ask = async (words: string) =>
    (JSON.parse(await host.run(`curl -sS --get 'http://127.0.0.1:9099/api/v1/${words}`)) as { data: unknown }).data;
  const names = (await ask("label/__name__/values'")) as string[];
  const counted = (await ask("query' --data-urlencode 'query=sum(count_over_time(history_requests_total[4d]))'")) as {
    result: { value: [number, string] }[];
  };
  await host.run("systemctl stop partial");
  return { samples: Number(counted.result[0]?.value[1]), names };
}
