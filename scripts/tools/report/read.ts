import { execFile, execFileSync } from "child_process";
import * as fs from "fs/promises";
import * as path from "path";
import { paths } from "../../../components/host/paths";
import {
  renderKnownHosts,
  renderRclone,
  repositoryLocation,
  RepositoryPlan,
} from "../../../components/backupJob/rclone";
import { BackupSummary, RepositoryReading } from "./evaluate";

/** Objects of one host by name, with their size. */
type Listing = Map<string, number>;

const manifestName = /^backups\/([0-9]{8}T[0-9]{6}Z)\.json$/;

/** What is there of one host, listed, and its manifests as files of this machine. */
interface Found {
  listing: Listing;
  /** Directory that holds `<backup>.json`. */
  manifests: string;
}

/** Why a repository could not be read; the message is for people. */
class ReadError extends Error {}

/**
 * Reads what one repository holds of one host. A directory is read where it is mounted here; everything else through
 * rclone, whose credentials come from the environment. `scratch` is an empty directory of this call.
 */
export async function readRepository(
  host: string,
  repository: RepositoryPlan,
  scratch: string,
): Promise<RepositoryReading> {
  const { type, location } = repositoryLocation(repository);
  const reading = { repository: repository.name, place: `${location.replace(/\/$/, "")}/${host}` };
  try {
    if (type === "path" && !(await exists(location))) {
      return { ...reading, elsewhere: true };
    }
    const found = type === "path" ? await readDirectory(reading.place) : await readRemote(host, repository, scratch);
    return { ...reading, backups: await summaries(found) };
  } catch (error) {
    if (error instanceof ReadError || (error instanceof Error && "code" in error)) {
      return { ...reading, error: error.message };
    }
    throw error;
  }
}

async function exists(place: string): Promise<boolean> {
  return fs.stat(place).then(
    () => true,
    () => false,
  );
}

async function readDirectory(place: string): Promise<Found> {
  const listing: Listing = new Map();
  const manifests = path.join(place, "backups");
  if (await exists(place)) {
    for (const entry of await fs.readdir(place, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) {
        const file = path.join(entry.parentPath, entry.name);
        listing.set(path.relative(place, file), (await fs.stat(file)).size);
      }
    }
  }
  return { listing, manifests };
}

async function readRemote(host: string, plan: RepositoryPlan, scratch: string): Promise<Found> {
  // The files of credentials lie on the hosts; here the environment has them, as rclone reads it. No shell can set a
  // name with a dash, so the remote has none.
  const repository = { ...plan, name: plan.name.replaceAll("-", "_"), hasCredentials: false };
  // With a slash at the end, as in scripts/lib/repository/rclone.sh.
  const place = `${repositoryLocation(repository).location}/${host}/`;
  const config = path.join(scratch, "rclone.conf");
  const knownHosts = path.join(scratch, "known_hosts");
  const manifests = path.join(scratch, "backups");
  await fs.writeFile(config, renderRclone([repository]).replaceAll(paths.knownHosts, knownHosts));
  await fs.writeFile(knownHosts, renderKnownHosts([repository]));
  const text = await rclone(config, [
    "lsf",
    "--recursive",
    "--files-only",
    "--fast-list",
    "--format",
    "sp",
    "--separator",
    "\t",
    "--",
    place,
  ]);
  const listing: Listing = new Map();
  for (const line of text.split("\n").filter(row => row !== "")) {
    const [bytes = "", name = ""] = line.split("\t");
    listing.set(name, Number(bytes));
  }
  if ([...listing.keys()].some(name => manifestName.test(name))) {
    await rclone(config, [
      "copy",
      "--transfers",
      "8",
      "--max-size",
      String(manifestLimit),
      "--include",
      "/*.json",
      "--",
      `${place}backups/`,
      manifests,
    ]);
  }
  return { listing, manifests };
}

/** rclone's first complaint, with the reason that often stands in the line below, behind a signed address. */
function lastWords(stderr: string): string | undefined {
  const words = stderr.split("\n").find(line => /ERROR|CRITICAL|Failed|error/.test(line));
  const cause = /^caused by: (?:[A-Z][a-z]+ "[^"]*": )?(.*)$/m.exec(stderr)?.[1];
  const plain = words
    ?.replace(/^[0-9/]+ [0-9:]+ /, "")
    .replace(/\?[^ "]*/g, "")
    .slice(0, 300);
  return plain === undefined ? undefined : `rclone: ${plain}${cause === undefined ? "" : ` (${cause.slice(0, 200)})`}`;
}

/** rclone's output. A prefix that does not exist yet is empty. Messages lose what is signed in an address. */
function rclone(config: string, args: string[]): Promise<string> {
  // rclone 1.60 fails on S3 when it meets this variable; the option means the same and works everywhere.
  const { AWS_CA_BUNDLE: authorities, ...env } = process.env;
  const trust = authorities ? ["--ca-cert", authorities] : [];
  const limits = [
    ...trust,
    "--config",
    config,
    "--contimeout",
    "10s",
    "--timeout",
    "60s",
    "--retries",
    "2",
    "--low-level-retries",
    "3",
    "--stats",
    "0",
  ];
  return new Promise((resolve, reject) => {
    execFile("rclone", [...limits, ...args], { env, timeout: 600_000, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      const directoryNotFound = 3;
      if (error === null || error.code === directoryNotFound) {
        resolve(error === null ? stdout : "");
      } else if (String(error.code) === "ENOENT") {
        reject(new ReadError("rclone is not installed here"));
      } else {
        reject(new ReadError(lastWords(stderr) ?? `rclone: status ${String(error.code)}`));
      }
    });
  });
}

/** What a manifest may have, packed or not; see scripts/lib/shell/constants.sh. */
const manifestLimit = 16 * 1024 * 1024;
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** The text of a manifest: that of format 1 is not packed. What is no text is no manifest. */
function unpack(content: Buffer): string {
  if (!content.subarray(0, zstdMagic.length).equals(zstdMagic)) {
    return content.toString("utf8");
  }
  try {
    const options = {
      input: content,
      maxBuffer: manifestLimit,
      stdio: ["pipe", "pipe", "ignore"] as ["pipe", "pipe", "ignore"],
    };
    return execFileSync("zstd", ["--decompress", "--stdout", "--quiet", "--memory=16MB"], options).toString("utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new ReadError("zstd is not installed here");
    }
    return "";
  }
}

/** Retention may take a backup between its listing and its reading. */
async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return unpack(await fs.readFile(file));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

async function summaries({ listing, manifests }: Found): Promise<BackupSummary[]> {
  const names = [...listing.keys()].flatMap(object => manifestName.exec(object)?.[1] ?? []);
  const found: BackupSummary[] = [];
  // One after the other: thousands of manifests are more than fits into memory.
  for (const name of names.sort()) {
    const object = `${name}.json`;
    const isTooLarge = (listing.get(`backups/${object}`) ?? 0) > manifestLimit;
    const text = isTooLarge ? "" : await readIfThere(path.join(manifests, object));
    if (text !== undefined) {
      found.push(summary(name, text, listing));
    }
  }
  return found;
}

/** What of a manifest is looked at here; see docs/format.md. */
interface Manifest {
  format: number;
  suspect: string | null;
  finishedAt: string;
  blocks: StoredObject[];
  archive: StoredObject | null;
  wal: StoredObject | null;
  companions: StoredObject[];
  coverage: { newestSample: string | null };
  lastDrill?: { finishedAt: string } | null;
  totals: { sizeBytes: number; samples: number };
}

interface StoredObject {
  object: string | null;
  objectBytes: number;
}

function parseManifest(text: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(text) as Manifest;
    const { format, finishedAt, blocks, companions, totals, coverage } = manifest;
    const isKnown =
      (format === 1 || format === 2) &&
      !Number.isNaN(Date.parse(finishedAt)) &&
      typeof totals.samples === "number" &&
      typeof totals.sizeBytes === "number" &&
      (coverage.newestSample === null || !Number.isNaN(Date.parse(coverage.newestSample))) &&
      [...blocks, ...companions].every(({ objectBytes }) => typeof objectBytes === "number");
    return isKnown ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** One manifest against the list of objects. */
function summary(name: string, text: string, listing: Listing): BackupSummary {
  const manifest = parseManifest(text);
  const pinned = listing.has(`pins/${name}`);
  if (manifest === undefined) {
    return {
      name,
      complete: false,
      damaged: true,
      pinned,
      suspect: null,
      finishedAt: "",
      newestSample: null,
      sizeBytes: 0,
      samples: 0,
    };
  }
  const { blocks, archive, wal, companions, suspect, finishedAt, coverage, totals, lastDrill } = manifest;
  const objects = [...blocks, ...(archive === null ? [] : [archive]), ...(wal === null ? [] : [wal]), ...companions];
  const complete = objects.every(({ object, objectBytes }) => object === null || listing.get(object) === objectBytes);
  return {
    name,
    complete,
    damaged: false,
    pinned,
    suspect: suspect ?? null,
    finishedAt,
    newestSample: coverage.newestSample,
    sizeBytes: totals.sizeBytes,
    samples: totals.samples,
    ...(lastDrill === undefined ? {} : { lastDrill: lastDrill?.finishedAt ?? null }),
  };
}
