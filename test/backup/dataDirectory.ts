// A data directory of the test's own, and runs of the host command on it without a server: what runs, check and heal
// make of its blocks.
import * as fs from "node:fs";
import { userInfo } from "node:os";
import * as path from "node:path";
import { renderSettings } from "../../components/backupJob/confFile";
import { Shell, type Called } from "../restore/shell";
import type { Manifest } from "../hostCommand/site";
import { onScreen } from "../screens/terminal";
import { chunksOf, indexOf } from "../tools/blockFiles";
import { readManifest } from "../tools/manifest";

/** Magic number, version, no deletions, checksum: what Prometheus writes into every block. */
const NO_DELETIONS = Buffer.from("0130ba300100000000", "hex");
const RANGE = 7_200_000;

export interface BlockOptions {
  level?: number;
  sources?: string[];
  parents?: string[];
  numSamples?: number;
  numSeries?: number;
  numTombstones?: number;
}

export interface Wound {
  ulid: string;
  minTime: number | null;
  maxTime: number | null;
  reason: string;
}

/** What a run writes beside what others look at. */
export interface WoundedManifest extends Manifest {
  startedAt: string;
  prometheus: { retentionTime: string };
  lacks: Wound[];
  lost: (Wound & { object: string; backup: string })[];
  accepted: Wound[];
  coverage: Manifest["coverage"] & {
    oldestSample: string;
    gaps: { from: string; to: string }[];
    notCovered: string[];
    future: { ulid: string | null; newestSample: number }[];
  };
}

/** The n-th name of a block. */
export const ulid = (n: number) => `01M7VW2GC07R5ZX6V25SJJ${String(n).padStart(4, "0")}`;

export class DataDirectory {
  readonly shell = new Shell();
  /** Blocks begin this long ago, in ranges of two hours. */
  private readonly start = Math.floor(Date.now() / RANGE) * RANGE - 100 * RANGE;

  constructor() {
    for (const name of ["data", "state", "repository"]) {
      fs.mkdirSync(this.at(name));
    }
    this.configure();
  }

  at(name: string): string {
    return path.join(this.shell.directory, name);
  }

  configure(settings: Record<string, string> = {}): void {
    const all = {
      HOST_NAME: "prom-1",
      BACKUP_USER: userInfo().username,
      STATE_DIR: this.at("state"),
      SOURCE: "hot",
      COMPANIONS: "false",
      REPOSITORY_COUNT: "1",
      REPOSITORY_1_NAME: "local",
      REPOSITORY_1_TYPE: "path",
      REPOSITORY_1_LOCATION: this.at("repository"),
      ...settings,
    };
    fs.writeFileSync(this.at("settings.conf"), renderSettings(all), { mode: 0o644 });
  }

  /** Writes a block of the n-th two hours (or of these), and says its name. */
  block(
    n: number,
    { level = 1, sources, parents = [], numSamples = 100, numSeries = 10, numTombstones = 0 }: BlockOptions = {},
    [from, to] = [n, n + 1],
  ): string {
    const name = ulid(n);
    const meta = {
      ulid: name,
      minTime: this.start + from * RANGE,
      maxTime: this.start + to * RANGE,
      stats: { numSamples, numSeries, numChunks: 10, numTombstones },
      compaction: { level, sources: sources ?? [name], parents: parents.map(parent => ({ ulid: parent })) },
    };
    this.put(`data/${name}/meta.json`, JSON.stringify(meta));
    this.put(`data/${name}/index`, indexOf(name));
    this.put(`data/${name}/chunks/000001`, chunksOf(name));
    this.put(
      `data/${name}/tombstones`,
      numTombstones === 0
        ? NO_DELETIONS
        : Buffer.concat([NO_DELETIONS.subarray(0, 5), Buffer.alloc(numTombstones), Buffer.alloc(4)]),
    );
    return name;
  }

  put(name: string, content: string | Buffer): void {
    fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
    fs.writeFileSync(this.at(name), content);
  }

  remove(name: string): void {
    fs.rmSync(this.at(name), { recursive: true });
  }

  /**
   * Calls the command as `main` would be called; `more` may replace functions. The server is there, and holds the data
   * directory.
   */
  call(words: string, more = ""): Called {
    return this.shell.run(`${this.standIns(more)}
      main ${words}`);
  }

  /** The same on one terminal, one command after another: the lines of each. */
  screens(commands: string[], columns: number, more = "", env: Record<string, string> = {}): Map<string, string[]> {
    const calls = commands.map(words => `printf '=====\\n'; (main ${words}) || true`);
    const shown = this.shell.terminal([this.standIns(more), ...calls].join("\n"), columns, env);
    const screens = shown.split("=====\r\n").slice(1);
    return new Map(commands.map((words, index) => [words, onScreen(screens[index] ?? "").split("\n")]));
  }

  /** The settings, and what stands in for the server. */
  private standIns(more: string): string {
    return `CONFIG_FILE=${this.at("settings.conf")}
      require_tools() { :; }; require_server() { SERVER_VERSION=2.42.0 ADMIN_API=true LISTEN_ADDRESS=127.0.0.1:9090 RETENTION_TIME=15d RETENTION_SIZE=0B CONFIG_IN_FORCE="" WEB_CONFIG=""; }
      read_server() { DATA_DIRECTORY=${this.at("data")} EXTERNAL_LABELS="" OUT_OF_ORDER_WINDOW=""; }
      api() { API_STATUS=404 API_BODY=/dev/null API_ERROR=""; }
      why_no_backup() { WHY="" WAY_OUT=""; }
      ${more}`;
  }

  /** What heal would bring back, and what it says is wrong: "ulid|what". */
  heal(more = ""): { wounds: string[]; chosen: string[]; hopeless: string[] } {
    const { stdout, stderr, code } = this.shell.run(`CONFIG_FILE=${this.at("settings.conf")}; load_config; open_state
      COMMAND=heal QUICK=true RESTORE_HOST=prom-1 RETENTION_TIME=15d RETENTION_SIZE=0B ONLY_REPOSITORY=""
      api() { API_STATUS=404 API_BODY=/dev/null API_ERROR=""; }
      ${more}
      resolve_backup latest; DATA_DIRECTORY=${this.at("data")}; SELECTED="$SCRATCH/selected.json"
      find_wounds
      cat "$SCRATCH/wounds"; printf 'chosen|%s\n' "\${B_ULID[@]}"; printf 'hopeless|%s\n' "\${HOPELESS[@]}"`);
    if (code !== 0) {
      throw new Error(stderr);
    }
    const told = stdout.split("\n").filter(line => !line.endsWith("|"));
    const names = (kind: string) =>
      told
        .filter(line => line.startsWith(`${kind}|`))
        .map(line => line.slice(kind.length + 1))
        .sort();
    return { wounds: told.filter(line => /^01/.test(line)), chosen: names("chosen"), hopeless: names("hopeless") };
  }

  /** The newest manifest of the repository. */
  manifest(): WoundedManifest {
    const directory = this.at("repository/prom-1/backups");
    return readManifest(path.join(directory, fs.readdirSync(directory).sort().at(-1) ?? "")) as WoundedManifest;
  }

  metric(name: string): string | undefined {
    return new RegExp(`^${name}\t(.*)$`, "m").exec(fs.readFileSync(this.at("state/metrics.state"), "utf8"))?.[1];
  }
}
