// The one folder where the tests keep what is slow to get: built tools, the Docker daemon's images.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { isTagAlive, processTag, sleep } from "./process";

/** Folder of the cache, made if missing. `PROMETHEUS_BACKUP_CACHE` moves it. */
export function cacheDirectory(...below: string[]): string {
  const base =
    process.env.PROMETHEUS_BACKUP_CACHE ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "prometheus-backup");
  const directory = path.join(path.resolve(base), ...below);
  mkdirSync(directory, { recursive: true });
  return directory;
}

let listener = (text: string): void => {
  process.stderr.write(`[test equipment] ${text}\n`);
};

/** One line for the person who waits, on stderr so that results on stdout stay clean. */
export function say(text: string): void {
  listener(text);
}

/** Hands what `say` says to somebody who shows it in another way, such as the demo. */
export function listenToEquipment(next: (text: string) => void): void {
  listener = next;
}

/** Does `work`, saying before what is done and after how long it took. */
export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  say(`${title} ...`);
  try {
    const result = await work();
    say(`${title}: done in ${((Date.now() - start) / 1000).toFixed(1)} s`);
    return result;
  } catch (error) {
    say(`${title}: failed after ${((Date.now() - start) / 1000).toFixed(1)} s`);
    throw error;
  }
}

/**
 * Runs `work` while no other process of this machine runs work under the same name. The lock is a file that
 * names its holder; one left by a dead process is taken over.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const file = path.join(cacheDirectory("locks"), `${name}.lock`);
  let told = false;
  while (!takeLock(file)) {
    if (!told) {
      say(`waiting for another process that holds the lock ${name}`);
      told = true;
    }
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function takeLock(file: string): boolean {
  try {
    writeFileSync(file, processTag(), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  }
  const holder = readIfThere(file);
  if (holder !== "" && !isTagAlive(holder)) {
    removeDeadLock(file);
  }
  return false;
}

/**
 * Moves the lock away first: of two processes that find the dead holder at once, the slower one must not take the lock
 * of the faster.
 */
function removeDeadLock(file: string): void {
  const aside = `${file}.${process.pid}.dead`;
  try {
    renameSync(file, aside);
    if (isTagAlive(readIfThere(aside))) {
      linkSync(aside, file);
    }
    rmSync(aside, { force: true });
  } catch {
    // Somebody else was faster; the next try sees what they left.
  }
}

/** Content of a file, or an empty text if there is none. */
export function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
