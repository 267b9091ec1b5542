// Programs that the tests call on this machine, out of Debian's packages where they are missing.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { say, step, withLock } from "./cache";
import { runOrThrow, testEnvironment, works } from "./process";

export interface Program {
  command: string;
  /** Arguments with which it must succeed. Defaults to `--version`. */
  probe?: string;
  debianPackage: string;
}

/**
 * What the tests without hosts need: the linter of shell files, promtool for the alert rules, what the host command
 * calls.
 */
export const LOCAL_PROGRAMS: Program[] = [
  { command: "jq", debianPackage: "jq" },
  { command: "openssl", probe: "version", debianPackage: "openssl" },
  { command: "rclone", debianPackage: "rclone" },
  { command: "ssh", probe: "-V", debianPackage: "openssh-client" },
  { command: "shellcheck", debianPackage: "shellcheck" },
  { command: "promtool", debianPackage: "prometheus" },
];

/**
 * Makes sure that the programs are there, and returns whether any was missing. Installing needs root on a Debian
 * machine; elsewhere it rejects and names what to install.
 */
export async function ensurePrograms(programs: Program[]): Promise<boolean> {
  if ((await missing(programs)).length === 0) {
    return false;
  }
  return withLock("apt", async () => {
    const programsToGet = await missing(programs);
    if (programsToGet.length > 0) {
      await install(programsToGet);
    }
    return programsToGet.length > 0;
  });
}

async function missing(programs: Program[]): Promise<Program[]> {
  const found = await Promise.all(programs.map(program => works(program.command, [program.probe ?? "--version"])));
  return programs.filter((_, index) => found[index] === false);
}

async function install(programs: Program[]): Promise<void> {
  const names = [...new Set(programs.map(program => program.debianPackage))];
  if (process.getuid?.() !== 0 || !(await works("apt-get", ["--version"]))) {
    const commands = programs.map(program => program.command).join(", ");
    throw new Error(`Not found: ${commands}. Install them, on Debian with: sudo apt-get install ${names.join(" ")}`);
  }
  await step(`installing ${names.join(", ")} with apt-get`, async () => {
    const env = testEnvironment({ DEBIAN_FRONTEND: "noninteractive" });
    await runOrThrow("apt-get", ["update", "-qq"], { env });
    await withoutServiceStart(() =>
      runOrThrow("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], { env }),
    );
  });
  if (names.includes("prometheus") && existsSync("/run/systemd/system")) {
    say(
      "the package prometheus comes with a server, which systemd has started here; nothing needs it: systemctl disable --now prometheus",
    );
  }
}

/** Where no systemd runs, a package would start its daemon in the background, and nobody would ever stop it. */
async function withoutServiceStart<T>(work: () => Promise<T>): Promise<T> {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync("/run/systemd/system") || existsSync(policy)) {
    return work();
  }
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return await work();
  } finally {
    rmSync(policy, { force: true });
  }
}

/** Before the tests that need no host. */
export default async function setup(): Promise<void> {
  await ensurePrograms(LOCAL_PROGRAMS);
}
