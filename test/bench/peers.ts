// What people use today, and the limit nobody can go below. Each way is prepared once and can then be measured again
// and again.
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { measure, type Measured } from "./measure";
import { takeSnapshot, type Server } from "./server";
import { bytesOf, fresh } from "./site";

/** The limit: the day's blocks through tar and zstd, each with a checksum, straight to their files. */
const LIMIT = `set -e; cd "$1"; out=$2; options=$3; shift 3; for b; do tar -cf - "$b/chunks" "$b/index" | zstd -q -T0 $options | tee "$out/$b.tar.zst" | openssl dgst -sha256 >/dev/null; done; sync -f "$out"`;
const COURSE = `set -e; tar -czf "$2/course.tar.gz" -C "$1" .; sync -f "$2"`;
const RESTIC = `set -e; restic --quiet --repo "$1" --cache-dir "$2" backup --ignore-ctime "$3"; sync -f "$1"`;
const RCLONE = `set -e; rclone --config /dev/null sync "$1" "$2"; sync -f "$2"`;
const UNPACK = `set -e; cd "$1"; shift; printf '%s\\n' "$@" | xargs -P 2 -I{} sh -c 'zstd -dcq {} | tar -x'; sync -f .`;

export interface Sent extends Measured {
  bytes: number;
}

export class Peers {
  /** The newest snapshot, always under the same path, as restic needs it to recognise files. */
  private readonly stable: string;

  constructor(private readonly directory: string) {
    this.stable = path.join(directory, "stable");
  }

  /** Files are new hard links each time, as every snapshot makes them, so their ctime is new. */
  async snapshot(server: Server, data: string): Promise<void> {
    rmSync(this.stable, { recursive: true, force: true });
    renameSync(await takeSnapshot(server, data), this.stable);
  }

  async limit(data: string, blocks: string[], options = "-3"): Promise<Sent> {
    const out = fresh(path.join(this.directory, "limit"));
    return { ...(await measure(["bash", "-c", LIMIT, "bash", data, out, options, ...blocks])), bytes: bytesOf(out) };
  }

  async course(): Promise<Sent> {
    const out = fresh(path.join(this.directory, "course"));
    const measured = await measure(["bash", "-c", COURSE, "bash", this.stable, out]);
    const bytes = bytesOf(out);
    rmSync(out, { recursive: true });
    return { ...measured, bytes };
  }

  /** The backup of the day before, from which the measured ones go on. */
  async first(): Promise<void> {
    const [restic, cache, rclone] = [this.place("restic"), this.place("restic-cache"), this.place("rclone")];
    await measure(["restic", "--quiet", "--repo", restic, "--cache-dir", cache, "init"], this.environment);
    await measure(["bash", "-c", RESTIC, "bash", restic, cache, this.stable], this.environment);
    await measure(["bash", "-c", RCLONE, "bash", this.stable, fresh(rclone)]);
  }

  async restic(): Promise<Sent> {
    const [repository, cache] = [this.again("restic"), this.again("restic-cache")];
    const before = bytesOf(repository);
    const measured = await measure(["bash", "-c", RESTIC, "bash", repository, cache, this.stable], this.environment);
    return { ...measured, bytes: bytesOf(repository) - before };
  }

  async rclone(): Promise<Sent> {
    const copy = this.again("rclone");
    const measured = await measure(["bash", "-c", RCLONE, "bash", this.stable, copy]);
    // What was not there before has one name only; the rest is linked to the copy of the day before.
    const bytes = Number(
      execFileSync("bash", [
        "-c",
        `find "$1" -type f -links 1 -printf '%s\\n' | awk '{ sum += $1 } END { printf "%d", sum }'`,
        "bash",
        copy,
      ]),
    );
    return { ...measured, bytes };
  }

  /** The same objects, unpacked two at a time; nothing is checked. */
  async unpack(objects: string[]): Promise<Measured> {
    return measure(["bash", "-c", UNPACK, "bash", fresh(this.place("unpacked")), ...objects]);
  }

  private readonly environment = { RESTIC_PASSWORD: "bench" };

  private place(name: string): string {
    return path.join(this.directory, name);
  }

  /** A copy of hard links, so that the day before stays as it was. */
  private again(name: string): string {
    const copy = this.place(`${name}-again`);
    rmSync(copy, { recursive: true, force: true });
    if (existsSync(this.place(name))) {
      execFileSync("cp", ["--archive", "--link", this.place(name), copy]);
    }
    return copy;
  }
}
