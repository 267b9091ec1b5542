// The host command with settings of its own, and what lies in its repository.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { renderHostCommand } from "../../components/host/programs";
import { renderSettings } from "../../components/backupJob/confFile";
import type { Manifest } from "../hostCommand/site";
import { readIfThere } from "../tools/cache";
import { readManifest } from "../tools/manifest";
import { measure, type Measured, type MemoryOf } from "./measure";

const HOST = "bench";

export interface BenchManifest extends Manifest {
  covered: { ulid: string; by: string[]; numSamples: number }[];
}

/** Where the backups go, if not to a directory: settings of the repository, and rclone's configuration. */
export interface Remote {
  location: string;
  rcloneConfiguration: string;
}

/** One "host" with a repository of its own in a directory; many of them may back up the same server. */
export class Site {
  /** Its name, and its folder in the repository. */
  readonly host = HOST;
  readonly repository: string;
  private readonly program: string;

  constructor(
    readonly directory: string,
    private url: string,
    private readonly remote?: Remote,
  ) {
    this.repository = path.join(directory, "repository");
    this.program = path.join(directory, "prometheus-backup.sh");
    mkdirSync(this.repository, { recursive: true });
    writeFileSync(this.program, renderHostCommand(), { mode: 0o755 });
  }

  /** The same site after its server got another address. */
  moveTo(url: string): void {
    this.url = url;
  }

  /** Runs the host command. `settings` come on top of the site's own. Rejects if it fails. */
  command(
    words: string[],
    settings: Record<string, string> = {},
    { stdout, memoryOf }: { stdout?: string; memoryOf?: MemoryOf } = {},
  ): Promise<Measured> {
    const file = path.join(this.directory, "settings.conf");
    writeFileSync(file, renderSettings({ ...this.settings(), ...settings }), { mode: 0o644 });
    return measure([this.program, ...words], { PROMETHEUS_BACKUP_CONFIG: file }, stdout, memoryOf);
  }

  /**
   * What `hold` has set aside of a server's blocks, as a state that can be brought back: a complete run lets all of it
   * go.
   */
  keepHeld(data: string): () => void {
    const [held, note] = [path.join(data, "prometheus-backup-held"), path.join(this.directory, "state/hold")];
    const kept = path.join(this.directory, "held");
    execFileSync("cp", ["--archive", "--link", held, fresh(kept)]);
    const words = readFileSync(note, "utf8");
    return () => {
      rmSync(held, { recursive: true, force: true });
      execFileSync("cp", ["--archive", "--link", path.join(kept, path.basename(held)), held]);
      writeFileSync(note, words);
    };
  }

  private settings(): Record<string, string> {
    const place: Record<string, string> =
      this.remote === undefined
        ? { REPOSITORY_1_TYPE: "path", REPOSITORY_1_LOCATION: this.repository }
        : {
            REPOSITORY_1_TYPE: "rclone",
            REPOSITORY_1_LOCATION: this.remote.location,
            RCLONE_CONFIG_FILE: this.remote.rcloneConfiguration,
          };
    return {
      HOST_NAME: HOST,
      ENVIRONMENT: "bench",
      PROMETHEUS_URL: this.url,
      BACKUP_USER: userInfo().username,
      STATE_DIR: path.join(this.directory, "state"),
      COMPANIONS: "false",
      NICE: "0",
      REPOSITORY_COUNT: "1",
      REPOSITORY_1_NAME: "local",
      ...place,
    };
  }

  /** Path of an object in the local repository. */
  object(name: string): string {
    return path.join(this.repository, HOST, name);
  }

  /** Names of the manifests, oldest first. */
  backups(): string[] {
    return readdirSync(this.object("backups")).sort();
  }

  manifest(name = this.backups().at(-1) ?? ""): BenchManifest {
    return readManifest(this.object(`backups/${name}`)) as BenchManifest;
  }

  manifestBytes(name: string): number {
    return statSync(this.object(`backups/${name}`)).size;
  }

  /** Objects that the newest backup needs and no other backup does. */
  newObjects(): string[] {
    const known = new Set(
      this.backups()
        .slice(0, -1)
        .flatMap(name => this.manifest(name).blocks.map(({ object }) => object)),
    );
    return this.manifest()
      .blocks.map(({ object }) => object ?? "")
      .filter(object => !known.has(object));
  }

  /** Forgets the newest backup and what it sent, so that the same run can be measured again. */
  undoNewest(): void {
    this.newObjects().forEach(object => rmSync(this.object(object)));
    rmSync(this.object(`backups/${this.backups().at(-1) ?? ""}`));
  }
}

export function blocksOf(data: string): string[] {
  return readdirSync(data)
    .filter(name => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name))
    .sort();
}

export interface BlockMeta {
  ulid: string;
  minTime: number;
  maxTime: number;
  stats: { numSamples: number };
  compaction: { level: number };
}

export function metaOf(data: string, block: string): BlockMeta {
  return JSON.parse(readIfThere(path.join(data, block, "meta.json"))) as BlockMeta;
}

/** Hard links of blocks in another directory of the same file system. */
export function linkBlocks(from: string, blocks: string[], to: string): void {
  mkdirSync(to, { recursive: true });
  if (blocks.length > 0) {
    execFileSync("cp", ["--archive", "--link", ...blocks.map(name => path.join(from, name)), to]);
  }
}

export function bytesOf(...places: string[]): number {
  if (places.length === 0) {
    return 0;
  }
  return Number(
    execFileSync("du", ["--summarize", "--total", "--bytes", ...places])
      .toString()
      .trim()
      .split("\n")
      .at(-1)
      ?.split("\t")[0],
  );
}

export function fresh(directory: string): string {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}
