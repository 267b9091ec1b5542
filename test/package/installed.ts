// The package as a user gets it: packed from a clean copy of this tree, installed by npm into an empty project.
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runOrThrow } from "../tools/process";

const root = path.join(__dirname, "..", "..");
const MADE = ["node_modules", "bin", ".git", "out", ".work", "coverage", "test-results"];

export interface Installed {
  /** Where everything lies that was made; for whoever removes it. */
  directory: string;
  /** The copy of this tree that was packed: a clone after `npm ci`. */
  copy: string;
  /** Files of the tarball, in order. */
  files: string[];
  /** The project that has nothing but this package. */
  project: string;
  /** The package in that project. */
  package: string;
}

/** The same files under another name; where the disk cannot have that, copies. */
function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) {
      linkTree(source, target);
    } else if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(source), target);
    } else {
      linkOrCopy(source, target);
    }
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") {
      throw error;
    }
    copyFileSync(source, target);
  }
}

/** Packs a copy of this tree that was never built, so that only what `prepare` builds can be in the package. */
async function pack(copy: string, directory: string): Promise<string> {
  for (const name of readdirSync(root).filter(entry => !MADE.includes(entry))) {
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
  await runOrThrow("npm", ["pack", "--pack-destination", directory], { cwd: copy });
  const [tarball = ""] = readdirSync(directory).filter(name => name.endsWith(".tgz"));
  return path.join(directory, tarball);
}

/** What npm would fetch for the package: the dependencies of this tree that are not for its development alone. */
async function dependencies(): Promise<string[]> {
  const listed = await runOrThrow("npm", ["ls", "--omit=dev", "--all", "--parseable"], { cwd: root });
  const places = listed
    .trim()
    .split("\n")
    .slice(1)
    .map(place => path.relative(root, place));
  return places.filter(place => place.lastIndexOf("node_modules") === 0);
}

/**
 * npm itself installs, but may fetch nothing: its cache is empty and it is offline. The dependencies lie there before,
 * in the versions that this tree has, so npm proves that they are all that the package asks for. What it does not show:
 * that a registry has them, and that later versions, which the ranges allow, do as well.
 */
export async function installPackage(): Promise<Installed> {
  const directory = mkdtempSync(path.join(tmpdir(), "prometheus-backup-package-"));
  const copy = path.join(directory, "copy");
  const tarball = await pack(copy, directory);
  const project = path.join(directory, "project");
  for (const place of [...(await dependencies()), path.join("node_modules", ".bin")]) {
    linkTree(path.join(root, place), path.join(project, place));
  }
  writeFileSync(path.join(project, "package.json"), `${JSON.stringify({ name: "project", version: "1.0.0" })}\n`);
  const cache = path.join(directory, "cache");
  await runOrThrow("npm", ["install", "--offline", "--cache", cache, "--ignore-scripts", tarball], { cwd: project });
  const files = (await runOrThrow("tar", ["--list", "--file", tarball])).trim().split("\n");
  return {
    directory,
    copy,
    files: files.map(file => file.replace(/^package\//, "")).sort(),
    project,
    package: path.join(project, "node_modules", "prometheus-backup"),
  };
}
