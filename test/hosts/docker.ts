// A Docker daemon for the tests: the machine's own if one answers, otherwise one of ours, shared and stopped at the
// end.
import { createHash } from "node:crypto";
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import path from "node:path";
import { cacheDirectory, readIfThere, say, step, withLock } from "../tools/cache";
import { ensurePrograms } from "../tools/debianPackages";
import {
  isAlive,
  isTagAlive,
  processTag,
  run,
  runOrThrow,
  sleep,
  testEnvironment,
  waitUntil,
  works,
  type Finished,
  type RunOptions,
} from "../tools/process";

export interface Docker {
  /** Runs the docker client against this daemon. */
  run(args: string[], options?: RunOptions): Promise<Finished>;
  /** The same, but rejects unless it succeeds. Returns standard output without the trailing newline. */
  output(args: string[], options?: RunOptions): Promise<string>;
  /** Starts it and leaves it to the caller. */
  spawn(args: string[]): ChildProcessWithoutNullStreams;
  /** Address under which containers on the default bridge reach servers of this machine. */
  gateway(): Promise<string>;
  /** Says that this process is done. A daemon of ours is stopped when its last user is. */
  release(): Promise<void>;
}

const cacheId = () => createHash("sha256").update(cacheDirectory()).digest("hex").slice(0, 8);
/** Short on purpose: socket paths end at 107 characters, and a cache directory may be deep. */
const runDirectory = () =>
  path.join(process.platform === "linux" ? "/run" : "/tmp", `prometheus-backup-test-${cacheId()}`);
const socketPath = () => path.join(runDirectory(), "docker.sock");
const pidFile = () => path.join(runDirectory(), "dockerd.pid");
const usersDirectory = () => cacheDirectory("docker", "users");

/** Folder for what lives as long as the machine is up: our daemon's socket, the hosts' control groups. */
export function volatileDirectory(...below: string[]): string {
  const directory = path.join(runDirectory(), ...below);
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * Returns a daemon that answers. Installs Docker on a Debian machine without it and starts a daemon if none is there.
 */
export async function ensureDocker(): Promise<Docker> {
  if (await works("docker", ["version"])) {
    return client({}, () => Promise.resolve());
  }
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error(
      "No Docker daemon answers (`docker version` fails). Start Docker and run this again; only root on Linux gets a daemon started.",
    );
  }
  const isNew = await installDocker();
  // With systemd, the package has started the machine's own daemon.
  if (isNew && (await works("docker", ["version"]))) {
    return client({}, () => Promise.resolve());
  }
  await withLock("dockerd", async () => {
    addUser(processTag());
    await startDaemon();
  });
  return client({ DOCKER_HOST: `unix://${socketPath()}` }, () => releaseUser(processTag()));
}

function client(environment: NodeJS.ProcessEnv, release: () => Promise<void>): Docker {
  const withEnvironment = (options: RunOptions = {}) => ({
    ...options,
    env: { ...testEnvironment(environment), ...options.env },
  });
  const output = async (args: string[], options?: RunOptions) =>
    (await runOrThrow("docker", args, withEnvironment(options))).replace(/\n$/, "");
  return {
    run: (args, options) => run("docker", args, withEnvironment(options)),
    output,
    spawn: args => spawn("docker", args, { env: testEnvironment(environment), stdio: ["pipe", "pipe", "pipe"] }),
    gateway: async () => {
      const [gateway, subnet = ""] = (
        await output([
          "network",
          "inspect",
          "bridge",
          "--format",
          "{{with index .IPAM.Config 0}}{{.Gateway}} {{.Subnet}}{{end}}",
        ])
      ).split(" ");
      // A daemon that chose the network itself names only the subnet, and takes its first address.
      return gateway || subnet.replace(/\d+\/\d+$/, "1");
    },
    release,
  };
}

/** Returns whether anything was missing. */
function installDocker(): Promise<boolean> {
  return ensurePrograms([
    { command: "docker", debianPackage: "docker.io" },
    { command: "dockerd", debianPackage: "docker.io" },
    { command: "iptables", debianPackage: "iptables" },
    { command: "debootstrap", debianPackage: "debootstrap" },
  ]);
}

async function startDaemon(): Promise<void> {
  if (await answers()) {
    return;
  }
  for (const driver of ["overlay2", "vfs"]) {
    const started = await step(`starting dockerd with storage driver ${driver}`, () => tryDaemon(driver));
    if (started) {
      return;
    }
    say(`dockerd does not come up with ${driver}; the end of ${logFile()}:\n${tail(logFile(), 15)}`);
  }
  throw new Error(`No Docker daemon could be started. See ${logFile()}.`);
}

const logFile = () => path.join(cacheDirectory("docker"), "dockerd.log");

const answers = () => works("docker", ["--host", `unix://${socketPath()}`, "version"]);

async function tryDaemon(driver: string): Promise<boolean> {
  const directory = volatileDirectory();
  await stopOrphanedContainerd(path.join(directory, "exec", "containerd"));
  rmSync(socketPath(), { force: true });
  const log = openSync(logFile(), "a");
  const daemon = spawn(
    "dockerd",
    [
      ...["--host", `unix://${socketPath()}`],
      ...["--data-root", cacheDirectory("docker", driver)],
      ...["--exec-root", path.join(directory, "exec")],
      ...["--pidfile", path.join(directory, "dockerd.own.pid")],
      ...["--storage-driver", driver],
      ...["--mtu", String(smallestMtu())],
      ...["--log-level", "warn"],
    ],
    { detached: true, stdio: ["ignore", log, log], env: testEnvironment() },
  );
  closeSync(log);
  daemon.on("error", () => undefined);
  daemon.unref();
  if (daemon.pid === undefined) {
    return false;
  }
  const pid = daemon.pid;
  writeFileSync(pidFile(), String(pid));
  for (let waited = 0; waited < 60 && isAlive(pid) && daemon.exitCode === null; waited++) {
    if (await answers()) {
      return true;
    }
    await sleep(500);
  }
  await stopProcess(pid);
  return false;
}

/** A daemon that was killed leaves its containerd behind, and the next daemon would wait for that one in vain. */
async function stopOrphanedContainerd(directory: string): Promise<void> {
  const pid = Number(readIfThere(path.join(directory, "containerd.pid")));
  if (pid > 0 && readIfThere(`/proc/${pid}/cmdline`).includes(directory)) {
    say("ending the containerd of a daemon that died");
    await stopProcess(pid);
  }
  rmSync(path.join(directory, "containerd.pid"), { force: true });
}

/**
 * Bridges start with 1500 bytes; a machine whose own interface takes less would lose the large packets of its
 * containers.
 */
function smallestMtu(): number {
  let smallest = 1500;
  for (const name of Object.keys(networkInterfaces())) {
    const mtu = Number(readIfThere(`/sys/class/net/${name}/mtu`));
    if (name !== "lo" && mtu >= 1280 && mtu < smallest) {
      smallest = mtu;
    }
  }
  return smallest;
}

function tail(file: string, lines: number): string {
  return readIfThere(file).split("\n").slice(-lines).join("\n");
}

/**
 * Notes that somebody needs our daemon. `name` is the tag of a process, or anything else to keep the daemon until
 * `releaseUser` is called with the same name, for example by a later command line.
 */
export function addUser(name: string): void {
  writeFileSync(path.join(usersDirectory(), name), new Date().toISOString());
}

/** Takes the note away and stops our daemon if nobody else is left. */
export async function releaseUser(name: string): Promise<void> {
  await withLock("dockerd", async () => {
    rmSync(path.join(usersDirectory(), name), { force: true });
    if (livingUsers().length === 0) {
      await stopDaemon();
    }
  });
}

/** Users that still exist; notes of dead processes are removed. */
function livingUsers(): string[] {
  return readdirSync(usersDirectory()).filter(name => {
    const dead = /^\d/.test(name) && !isTagAlive(name);
    if (dead) {
      rmSync(path.join(usersDirectory(), name), { force: true });
    }
    return !dead;
  });
}

async function stopDaemon(): Promise<void> {
  const pid = Number(readIfThere(pidFile()));
  if (pid > 0 && isDockerd(pid)) {
    await step("stopping our dockerd", () => stopProcess(pid));
  }
  rmSync(pidFile(), { force: true });
}

/** A process id survives in a file longer than its process: make sure that it still is what we started. */
function isDockerd(pid: number): boolean {
  return readIfThere(`/proc/${pid}/cmdline`).split("\0").includes(`unix://${socketPath()}`);
}

async function stopProcess(pid: number): Promise<void> {
  if (!isAlive(pid)) {
    return;
  }
  process.kill(pid, "SIGTERM");
  try {
    await waitUntil(`process ${pid} ended`, 30, () => Promise.resolve(!isAlive(pid)));
  } catch {
    process.kill(pid, "SIGKILL");
  }
}
