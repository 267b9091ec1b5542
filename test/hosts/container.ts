// How a container with systemd is started: which options a machine allows is found out by trying.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import path from "node:path";
import { say } from "../tools/cache";
import { run, sleep } from "../tools/process";
import { volatileDirectory, type Docker } from "./docker";

export interface ContainerPlan {
  container: string;
  image: string;
  hostname: string;
  arguments: string[];
}

interface Way {
  name: string;
  arguments(container: string): string[];
}

let provenWay: Way | undefined;

/** Starts the container so that systemd lives in it; rejects with every way that was tried and why it failed. */
export async function bootContainer(docker: Docker, plan: ContainerPlan): Promise<void> {
  await refuseTooMany(docker);
  await removeContainer(docker, plan.container);
  const failures: string[] = [];
  for (const way of provenWay === undefined ? await waysToTry(docker) : [provenWay]) {
    const problem = await tryWay(docker, plan, way);
    if (problem === undefined) {
      provenWay = way;
      return;
    }
    failures.push(`${way.name}: ${problem}`);
    await removeContainer(docker, plan.container);
  }
  throw new Error(`systemd does not start in a container on this machine. Tried:\n  ${failures.join("\n  ")}`);
}

async function waysToTry(docker: Docker): Promise<Way[]> {
  const privileged: Way = {
    name: "--privileged --cgroupns=private",
    arguments: () => ["--privileged", "--cgroupns=private"],
  };
  const unconfined = [
    "--cap-add",
    "SYS_ADMIN",
    "--security-opt",
    "seccomp=unconfined",
    "--security-opt",
    "apparmor=unconfined",
  ];
  const version = await docker.output(["info", "--format", "{{.CgroupVersion}}"]);
  if (version === "2") {
    return [
      privileged,
      { name: "SYS_ADMIN with a private cgroup namespace", arguments: () => [...unconfined, "--cgroupns=private"] },
    ];
  }
  const hierarchy = await secondCgroupHierarchy();
  if (hierarchy === undefined) {
    return [privileged];
  }
  const own: Way = {
    name: `SYS_ADMIN with a group of its own under ${hierarchy}`,
    arguments: container => {
      const group = path.join(hierarchy, container);
      mkdirSync(group, { recursive: true });
      return [...unconfined, "--cgroupns=host", "--volume", `${group}:/sys/fs/cgroup:rw`];
    },
  };
  return [own, privileged];
}

/** Returns why it failed, or nothing if systemd is at work. */
async function tryWay(docker: Docker, plan: ContainerPlan, way: Way): Promise<string | undefined> {
  const started = await docker.run([
    ...["run", "--detach", "--name", plan.container, "--hostname", plan.hostname],
    ...["--tmpfs", "/run", "--tmpfs", "/run/lock", "--stop-signal", "SIGRTMIN+3"],
    ...way.arguments(plan.container),
    ...plan.arguments,
    plan.image,
  ]);
  if (started.code !== 0) {
    return started.stderr.trim();
  }
  for (let attempt = 0; attempt < 150; attempt++) {
    const running = await docker.output([
      "inspect",
      "--format",
      "{{.State.Running}} {{.State.ExitCode}}",
      plan.container,
    ]);
    if (!running.startsWith("true")) {
      const logs = await docker.run(["logs", "--tail", "20", plan.container]);
      return `the container ended (${running}): ${`${logs.stdout}${logs.stderr}`.trim()}`;
    }
    const state = (await docker.run(["exec", plan.container, "systemctl", "is-system-running"])).stdout.trim();
    if (["starting", "running", "degraded"].includes(state)) {
      return undefined;
    }
    await sleep(200);
  }
  return "systemd did not answer within 30 s";
}

/** Inotify instances that one of our hosts holds, measured with what the image masks. */
const INOTIFY_PER_HOST = 5;

/** More hosts than the machine's inotify instances allow would boot degraded, with errors far from the cause. */
async function refuseTooMany(docker: Docker): Promise<void> {
  const file = "/proc/sys/fs/inotify/max_user_instances";
  if (!existsSync(file)) {
    return;
  }
  const limit = Number(readFileSync(file, "utf8"));
  const list = await docker.output(["ps", "--quiet", "--filter", "label=prometheus-backup-test.checkout"]);
  const running = list.split("\n").filter(line => line !== "").length;
  if ((running + 1) * INOTIFY_PER_HOST > limit) {
    throw new Error(
      `${running} test hosts run already, and fs.inotify.max_user_instances is ${limit}: one more would not boot. ` +
        "Stop some (`npx tsx test/hosts/cli.ts list`) or raise the limit with sysctl.",
    );
  }
}

/** Ends a container at once, with its volumes and its control group. Succeeds if there is none. */
export async function removeContainer(docker: Docker, container: string): Promise<void> {
  const removed = await docker.run(["rm", "--force", "--volumes", container]);
  if (removed.code !== 0 && !removed.stderr.includes("No such container")) {
    say(`docker rm ${container}: ${removed.stderr.trim()}`);
  }
  const hierarchy = await secondCgroupHierarchy();
  if (hierarchy !== undefined) {
    removeGroup(path.join(hierarchy, container));
  }
}

/** A control group is removed with `rmdir`, innermost first; its files are not real. */
function removeGroup(group: string): void {
  if (!existsSync(group)) {
    return;
  }
  for (const entry of readdirSync(group)) {
    const below = path.join(group, entry);
    if (statSync(below).isDirectory()) {
      removeGroup(below);
    }
  }
  try {
    rmdirSync(group);
  } catch {
    // Busy for a moment after its processes ended; an empty group costs nothing and the next run reuses it.
  }
}

/** A folder whose subfolders can serve as `/sys/fs/cgroup` of hosts, on a machine that itself runs cgroup version 1. */
async function secondCgroupHierarchy(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    return undefined;
  }
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map(line => line.split(" "));
  const existing = mounts.find(([, directory, type]) => type === "cgroup2" && directory !== "/sys/fs/cgroup");
  if (existing?.[1] !== undefined) {
    return existing[1];
  }
  const directory = volatileDirectory("cgroup2");
  const mounted = await run("mount", ["-t", "cgroup2", "none", directory]);
  return mounted.code === 0 && statSync(directory).isDirectory() ? directory : undefined;
}
