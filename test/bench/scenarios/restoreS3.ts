// A full restore from S3 into an empty directory, against plain downloads of the same objects with the same
// parallelism. The S3 server is on the same machine, so its work counts in the wall time of all ways alike, and in the
// CPU time of none.
import path from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { startMinio } from "../../servers/minio";
import { runOrThrow } from "../../tools/process";
import type { Aged } from "../aged";
import { measure, measureRounds, ratioInRounds, type Measured } from "../measure";
import { Peers } from "../peers";
import { s3Remote } from "../remote";
import { report } from "../results";
import { fresh, Site, type Remote } from "../site";
import { requireBlocks, RESTORE_COLUMNS, restoreFigures, restoreRows, restoreTo } from "./restore";

const BUCKET = "bench";
/** What a restore of the only backup needs. */
const WANTED = "/{blocks,heads}/*";
/** Each object straight from the bucket into tar, two at a time. */
const STREAM = `set -e; config=$1; place=$2; cd "$3"; shift 3; export config place
printf '%s\\n' "$@" | xargs -P 2 -I{} bash -c 'set -o pipefail; rclone --config "$config" cat "$place/{}" | zstd -dcq | tar -x'; sync -f .`;
/** All objects by one program, two at a time; what follows unpacks them. */
const COPY = `rclone --config "$1" copy --transfers 2 --include "$2" "$3" "$4"`;

export async function restoreS3(aged: Aged, directory: string, runs: number): Promise<void> {
  const minio = await startMinio({ bindAddress: "127.0.0.1" });
  try {
    await minio.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    const remote = s3Remote(directory, minio.endpoint, minio.root, BUCKET);
    const site = new Site(path.join(directory, "site"), aged.server.url, remote);
    await site.command(["run"]);
    const objects = await objectsIn(remote, site.host);
    const target = path.join(directory, "restored");
    const all = await measureRounds(runs, {
      stream: () => stream(remote, site.host, directory, objects),
      copy: () => copyAndUnpack(remote, site.host, directory, objects),
      ours: () => restoreTo(site, target),
    });
    requireBlocks(target, objects.length);
    const rows = restoreRows(all.ours, {
      "`rclone cat \\| zstd -dc \\| tar x` of the same objects, two at a time, nothing checked": all.stream,
      "`rclone copy --transfers 2` of the same objects, then `zstd -dc \\| tar x`, two at a time": all.copy,
    });
    report("restore-s3", [{ title: `Full restore of ${aged.sizeText} from S3`, columns: RESTORE_COLUMNS, rows }], {
      ...restoreFigures("ours", all.ours),
      ...restoreFigures("stream", all.stream),
      ...restoreFigures("copy", all.copy),
      wallRatio: ratioInRounds(all.ours, all.stream, "wall"),
      cpuRatio: ratioInRounds(all.ours, all.stream, "cpu"),
    });
  } finally {
    await minio.stop();
  }
}

async function objectsIn(remote: Remote, host: string): Promise<string[]> {
  const words = [
    "--config",
    remote.rcloneConfiguration,
    "lsf",
    "--recursive",
    "--files-only",
    "--include",
    WANTED,
    `${remote.location}/${host}`,
  ];
  return (await runOrThrow("rclone", words)).trim().split("\n");
}

function stream(remote: Remote, host: string, directory: string, objects: string[]): Promise<Measured> {
  const unpacked = fresh(path.join(directory, "streamed"));
  return measure([
    "bash",
    "-c",
    STREAM,
    "bash",
    remote.rcloneConfiguration,
    `${remote.location}/${host}`,
    unpacked,
    ...objects,
  ]);
}

/** The sum of both steps: the copy is whole before anything is unpacked. */
async function copyAndUnpack(remote: Remote, host: string, directory: string, objects: string[]): Promise<Measured> {
  const copy = fresh(path.join(directory, "copy"));
  const fetched = await measure([
    "bash",
    "-c",
    COPY,
    "bash",
    remote.rcloneConfiguration,
    WANTED,
    `${remote.location}/${host}`,
    copy,
  ]);
  const unpacked = await new Peers(directory).unpack(objects.map(name => path.join(copy, name)));
  return {
    wall: fetched.wall + unpacked.wall,
    cpu: fetched.cpu + unpacked.cpu,
    memory: Math.max(fetched.memory, unpacked.memory),
    errors: "",
  };
}
