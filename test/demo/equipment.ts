// What the demo starts on this machine, noted in a file, so that it can be removed by a later process as well.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TestStack } from "../integration/harness";
import { removeContainer } from "../hosts/container";
import { addUser, ensureDocker, releaseUser } from "../hosts/docker";
import { startHost, type Host } from "../hosts/host";
import { checkoutLabels } from "../hosts/leftovers";
import { startMinio, type Minio } from "../servers/minio";
import { cacheDirectory } from "../tools/cache";
import { isAlive, run, waitUntil } from "../tools/process";

export const HOST_NAME = "prom-demo";

interface Note {
  /** The demo that started all this. */
  pid: number;
  kept: boolean;
  minio?: { pid: number; directory: string };
  stackDirectory?: string;
}

const noteFile = () => path.join(cacheDirectory("demo"), `${checkoutLabels().prefix}.json`);
const daemonUser = () => `demo-${checkoutLabels().prefix}`;

function readNote(): Note | undefined {
  return existsSync(noteFile()) ? (JSON.parse(readFileSync(noteFile(), "utf8")) as Note) : undefined;
}

export class Equipment {
  private readonly note: Note = { pid: process.pid, kept: false };

  constructor(readonly keep: boolean) {}

  /**
   * Refuses while another demo of this checkout runs, and removes what one left or kept. Returns whether there was any.
   */
  async claim(): Promise<boolean> {
    const earlier = readNote();
    if (earlier !== undefined && !earlier.kept && earlier.pid !== process.pid && isAlive(earlier.pid)) {
      throw new Error(
        `another demo of this checkout is under way (process ${earlier.pid}). Wait for it, or end it with Ctrl-C.`,
      );
    }
    const hadAny = await removeDemo();
    this.write({});
    return hadAny;
  }

  async startHost(): Promise<Host> {
    if (this.keep) {
      addUser(daemonUser());
    }
    return startHost({ name: HOST_NAME, listen: "127.0.0.1:9090", keep: this.keep });
  }

  async startMinio(): Promise<Minio> {
    const minio = await startMinio({ keep: this.keep });
    this.write({ minio: { pid: minio.pid() ?? 0, directory: minio.directory } });
    return minio;
  }

  noteStack(stack: TestStack): void {
    this.write({ stackDirectory: stack.directory });
  }

  /** From now on everything stays until `removeDemo`. */
  leave(): void {
    this.write({ kept: true });
  }

  private write(more: Partial<Note>): void {
    writeFileSync(noteFile(), JSON.stringify(Object.assign(this.note, more)));
  }
}

/** Removes everything that a demo of this checkout started. Returns false if there was nothing. */
export async function removeDemo(): Promise<boolean> {
  const note = readNote();
  if (note === undefined) {
    return false;
  }
  if (note.minio !== undefined) {
    await endServer(note.minio.pid, note.minio.directory);
    rmSync(note.minio.directory, { recursive: true, force: true });
  }
  if (note.stackDirectory !== undefined) {
    rmSync(note.stackDirectory, { recursive: true, force: true });
  }
  const docker = await ensureDocker();
  await removeContainer(docker, `${checkoutLabels().prefix}-${HOST_NAME}`);
  await releaseUser(daemonUser());
  rmSync(noteFile(), { force: true });
  return true;
}

/** Ends the process if it still is the one that works in the directory: its id may belong to another by now. */
async function endServer(pid: number, directory: string): Promise<void> {
  const shown = await run("ps", ["-o", "args=", "-p", String(pid)]);
  if (pid === 0 || !shown.stdout.includes(directory)) {
    return;
  }
  process.kill(pid, "SIGTERM");
  await waitUntil(`process ${pid} has ended`, 10, () => Promise.resolve(!isAlive(pid))).catch(() =>
    process.kill(pid, "SIGKILL"),
  );
}
