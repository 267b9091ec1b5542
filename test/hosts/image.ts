// The image that test hosts start from: built once for a Debian release and a layout, kept by the Docker daemon.
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { cacheDirectory, say, step, withLock } from "../tools/cache";
import { runOrThrow, works } from "../tools/process";
import type { Docker } from "./docker";

/** `debian`: the distribution's packages. `course`: binaries and units as somebody installs them from the tarballs. */
export type Layout = "debian" | "course";

/** A layout as it is, or `command`: the layout `debian` with the packages that the host command needs. */
export type ImageTarget = Layout | "command";

/** The Debian release of hosts that ask for no other. */
export const hostSuite = (): string => process.env.PROMETHEUS_BACKUP_TEST_SUITE ?? "bookworm";

const IMAGE_DIRECTORY = path.join(__dirname, "image");

/** Returns the name of the image, building it first if this daemon does not have it. */
export async function ensureImage(docker: Docker, suite: string, target: ImageTarget): Promise<string> {
  const name = `prometheus-backup-test:${suite}-${target}-${contentDigest(IMAGE_DIRECTORY)}`;
  if (await exists(docker, name)) {
    return name;
  }
  return withLock("host-image", async () => {
    if (!(await exists(docker, name))) {
      const base = await ensureBase(docker, suite);
      await step(`building the host image ${name}`, () =>
        docker.output(
          [
            "build",
            "--network",
            "host",
            "--build-arg",
            `BASE=${base}`,
            "--target",
            target,
            "--tag",
            name,
            IMAGE_DIRECTORY,
          ],
          { timeoutSeconds: 1200 },
        ),
      );
    }
    return name;
  });
}

async function exists(docker: Docker, image: string): Promise<boolean> {
  return (await docker.run(["image", "inspect", image])).code === 0;
}

/** `debian:<suite>` where its registry answers, otherwise the same made with debootstrap. */
async function ensureBase(docker: Docker, suite: string): Promise<string> {
  const official = `debian:${suite}`;
  const own = `prometheus-backup-test-base:${suite}`;
  for (const present of [official, own]) {
    if (await exists(docker, present)) {
      return present;
    }
  }
  // Where no registry can be reached this fails at once, or is given up.
  const pulled = await docker
    .run(["pull", "--quiet", official], { timeoutSeconds: 120 })
    .catch((error: unknown) => ({ code: 1, stderr: String(error) }));
  if (pulled.code === 0) {
    return official;
  }
  say(
    `docker pull ${official} failed (${pulled.stderr.trim().split("\n").at(-1) ?? ""}), so the base image is made with debootstrap`,
  );
  await step(`debootstrap ${suite}`, () => importDebootstrap(docker, suite, own));
  return own;
}

async function importDebootstrap(docker: Docker, suite: string, name: string): Promise<void> {
  if (!(await works("debootstrap", ["--version"]))) {
    throw new Error(
      `There is no image debian:${suite}, its registry does not answer, and debootstrap is not installed.`,
    );
  }
  const tree = mkdtempSync(path.join(cacheDirectory("debootstrap"), `${suite}-`));
  try {
    await runOrThrow("debootstrap", ["--variant=minbase", suite, tree], { timeoutSeconds: 900 });
    rmSync(path.join(tree, "var/cache/apt/archives"), { recursive: true });
    const archive = `${tree}.tar`;
    await runOrThrow("tar", ["--create", "--file", archive, "--directory", tree, "--exclude=./dev/*", "."]);
    await docker.output(["import", archive, name]);
    rmSync(archive);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** Eight characters that change with the content of any file under the directory. */
function contentDigest(directory: string): string {
  const digest = createHash("sha256");
  const add = (folder: string): void => {
    for (const entry of readdirSync(folder).sort()) {
      const file = path.join(folder, entry);
      if (statSync(file).isDirectory()) {
        add(file);
      } else {
        digest.update(path.relative(directory, file)).update("\0").update(readFileSync(file)).update("\0");
      }
    }
  };
  add(directory);
  return digest.digest("hex").slice(0, 8);
}
