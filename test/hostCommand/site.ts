// One "host" of the fleet as the host command sees it: settings, state and repositories of its own on the shared
// machine, so that many of them can be tested side by side.
import { DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect } from "vitest";
import { quote, type Host } from "../hosts/host";
import type { Finished } from "../tools/process";
import { COMMAND, writeS3Remote, writeSettings } from "./install";
import { lines } from "./server";
import { BUCKET, type Setting } from "./setting";

export interface SiteOptions {
  /** Host name in the settings, and folder of everything that belongs to the site. */
  name: string;
  prometheusUrl: string;
  /** Defaults to a path and an S3 bucket. */
  repositories?: ("local" | "offsite")[];
  /** S3 endpoint, such as a proxy's. Defaults to the server itself. */
  endpoint?: string;
  /** Directory of the local repository. */
  localPath?: string;
  settings?: Record<string, string>;
}

/** A backup as `list --json` shows it. */
export interface ListedBackup {
  name: string;
  host: string;
  repository: string;
  complete: boolean;
  suspect: boolean;
  pinned: boolean;
  damaged: boolean;
  blocks: number;
  samples: number;
  sentBytes: number;
  sizeBytes: number;
}

export interface ManifestBlock {
  ulid: string;
  object: string | null;
  objectBytes: number;
  objectSha256: string;
  bytes: number;
  numSamples: number;
  numTombstones: number;
  tombstones: string;
  minTime: number;
  maxTime: number;
  head: boolean;
}

export interface Manifest {
  name: string;
  host: string;
  environment: string;
  source: string;
  suspect: string | null;
  lastDrill: { finishedAt: string; restoreSeconds: number | null } | null;
  wal: { object: string; rawBytes?: number } | null;
  coverage: { newestSample: string; head: boolean };
  blocks: ManifestBlock[];
  covered: { ulid: string; by: string[] }[];
  totals: { samples: number; blocks: number; sentBytes: number; sizeBytes: number };
}

export class Site {
  readonly directory: string;
  readonly configuration: string;
  readonly stateDirectory: string;
  readonly textfileDirectory: string;
  readonly localPath: string;

  private constructor(
    readonly setting: Setting,
    readonly options: SiteOptions,
  ) {
    this.directory = `/srv/sites/${options.name}`;
    this.configuration = `${this.directory}/prometheus-backup.conf`;
    this.stateDirectory = `${this.directory}/state`;
    this.textfileDirectory = `${this.directory}/textfile`;
    this.localPath = options.localPath ?? `${this.directory}/repository`;
  }

  static async create(setting: Setting, options: SiteOptions): Promise<Site> {
    const site = new Site(setting, options);
    await site.host.run(`
      install -d -m 0755 ${site.directory}
      install -d -o prometheus -g prometheus -m 0755 ${site.stateDirectory} ${site.textfileDirectory} ${quote(site.localPath)}`);
    await site.configure();
    return site;
  }

  get host(): Host {
    return this.setting.host;
  }

  get name(): string {
    return this.options.name;
  }

  /** Writes the settings anew, with these on top. */
  async configure(settings: Record<string, string> = {}, endpoint = this.options.endpoint): Promise<void> {
    const { minio } = this.setting;
    await writeSettings(this.host, this.configuration, { ...this.settings(), ...settings });
    await writeS3Remote(this.host, `${this.directory}/rclone.conf`, "offsite", {
      owner: this.name,
      endpoint: endpoint ?? minio.endpointForHosts,
      region: minio.region,
      ...minio.root,
    });
  }

  settings(): Record<string, string> {
    const kinds = this.options.repositories ?? ["local", "offsite"];
    const repositories = kinds.flatMap((kind, index) => [
      [`REPOSITORY_${index + 1}_NAME`, kind],
      [`REPOSITORY_${index + 1}_TYPE`, kind === "local" ? "path" : "rclone"],
      [`REPOSITORY_${index + 1}_LOCATION`, kind === "local" ? this.localPath : `offsite:${BUCKET}`],
    ]);
    return {
      HOST_NAME: this.name,
      ENVIRONMENT: "test",
      PROMETHEUS_URL: this.options.prometheusUrl,
      STATE_DIR: this.stateDirectory,
      TEXTFILE_DIR: this.textfileDirectory,
      RCLONE_CONFIG_FILE: `${this.directory}/rclone.conf`,
      REPOSITORY_COUNT: String(kinds.length),
      ...(Object.fromEntries(repositories) as Record<string, string>),
      ...this.options.settings,
    };
  }

  /**
   * Runs the host command as cron would: by the backup user of the settings, no terminal. `environment` is shell text,
   * such as `TZ=Asia/Tokyo`.
   */
  command(
    words: string,
    { environment = "", user = this.options.settings?.BACKUP_USER ?? "prometheus" } = {},
  ): Promise<Finished> {
    const call = `env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PROMETHEUS_BACKUP_CONFIG=${this.configuration} ${environment} ${COMMAND} ${words}`;
    return this.host.exec(call, { user });
  }

  /** The same, and it must end well. */
  async good(words = "run", options: { environment?: string; user?: string } = {}): Promise<Finished> {
    const finished = await this.command(words, options);
    expect(finished.code, `${words}:\n${finished.stdout}${finished.stderr}`).toBe(0);
    return finished;
  }

  async list(words = ""): Promise<ListedBackup[]> {
    return JSON.parse((await this.good(`list --json ${words}`)).stdout) as ListedBackup[];
  }

  /** The newest manifest in a repository. */
  async manifest(backup = "latest", repository = ""): Promise<Manifest> {
    const words = `show ${backup} --json${repository === "" ? "" : ` --repository ${repository}`}`;
    return JSON.parse((await this.good(words)).stdout) as Manifest;
  }

  /** The metrics file: name with its own labels (host and environment left out) to value; empty if there is no file. */
  async metrics(): Promise<Map<string, number>> {
    const file = await this.host.exec(`cat ${this.textfileDirectory}/prometheus_backup.prom`);
    const pairs = lines(file.stdout).filter(line => !line.startsWith("#"));
    return new Map(
      pairs.map(line => [
        line
          .replace(/ \S+$/, "")
          .replace(/host=".*?",environment="(\\.|[^"])*",?/, "")
          .replace("{}", "")
          .replace("prometheus_backup_", ""),
        Number(/ (\S+)$/.exec(line)?.[1]),
      ]),
    );
  }

  /** Objects of the local repository with their sizes, `owner.json` included. */
  async localObjects(): Promise<Map<string, number>> {
    const listed = await this.host.run(
      `cd ${quote(this.localPath)}/${this.name} 2>/dev/null && find . -type f -printf '%P\\t%s\\n' || true`,
    );
    return new Map(
      lines(listed)
        .map(line => line.split("\t"))
        .map(([object = "", bytes]) => [object, Number(bytes)]),
    );
  }

  /** Objects of the bucket under this host's prefix. */
  async offsiteObjects(): Promise<Map<string, number>> {
    const objects = new Map<string, number>();
    let token: string | undefined;
    do {
      const page = await this.s3.send(
        new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${this.name}/`, ContinuationToken: token }),
      );
      (page.Contents ?? []).forEach(({ Key = "", Size = 0 }) => objects.set(Key.slice(this.name.length + 1), Size));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return objects;
  }

  async getOffsite(object: string): Promise<Buffer> {
    const got = await this.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `${this.name}/${object}` }));
    return Buffer.from((await got.Body?.transformToByteArray()) ?? []);
  }

  async putOffsite(object: string, body: Buffer): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${this.name}/${object}`, Body: body }));
  }

  async deleteOffsite(objects: string[]): Promise<void> {
    await this.s3.send(
      new DeleteObjectsCommand({
        Bucket: BUCKET,
        Delete: { Objects: objects.map(object => ({ Key: `${this.name}/${object}` })) },
      }),
    );
  }

  /**
   * What a run that ended must not leave: scratch folders, notes of snapshots, unfinished writes, a lock that is held.
   */
  async leftovers(): Promise<string[]> {
    return lines(
      await this.host.run(`
        cd ${this.stateDirectory} && ls -d scratch.* snapshot.intent *.new 2>/dev/null
        find ${quote(this.localPath)} -name '.partial-*' 2>/dev/null
        ls -A ${this.textfileDirectory} | grep -v '^prometheus_backup.prom$'
        flock --nonblock lock true || echo 'the lock is held'
        true`),
    );
  }

  private get s3() {
    return this.setting.minio.client();
  }
}

/** What must hold after every failed run: see `expectFailure`. */
export interface ExpectedFailure {
  code: number;
  /** The one line that begins with `prometheus-backup: error:`, without that beginning. */
  message: string | RegExp;
}

/** The message of a command that failed: its last error line. */
export function errorOf(finished: Finished): string {
  const errors = lines(finished.stderr).filter(line => line.startsWith("prometheus-backup: error: "));
  return (errors.at(-1) ?? finished.stderr).replace("prometheus-backup: error: ", "");
}

/**
 * Runs the command and checks all that a failed run promises: its exit code and words, the same code in the metrics,
 * the last success untouched, no new object under any manifest's name, nothing left behind.
 */
export async function expectFailure(site: Site, expected: ExpectedFailure, words = "run"): Promise<Finished> {
  const before = await facts(site);
  const finished = await site.command(words);
  expect({ code: finished.code, message: errorOf(finished) }).toEqual({
    code: expected.code,
    message:
      typeof expected.message === "string" ? expected.message : (expect.stringMatching(expected.message) as string),
  });
  const after = await facts(site);
  expect(after.metrics.get("last_exit_code")).toBe(expected.code);
  expect(after.metrics.get("last_success_timestamp_seconds")).toBe(
    before.metrics.get("last_success_timestamp_seconds"),
  );
  expect(after.manifests).toEqual(before.manifests);
  expect(await site.leftovers()).toEqual([]);
  return finished;
}

async function facts(site: Site): Promise<{ metrics: Map<string, number>; manifests: string[] }> {
  const objects = [...(await site.localObjects()).keys(), ...(await site.offsiteObjects()).keys()];
  return { metrics: await site.metrics(), manifests: objects.filter(object => object.startsWith("backups/")) };
}
