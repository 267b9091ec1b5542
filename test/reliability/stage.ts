// Where one fault meets one candidate: a throw-away host with Prometheus and some days of history, new for each of
// them.
import { gunzipSync } from "node:zlib";
import { makeHistory } from "../hosts/history";
import { startHost, waitForPrometheus, type Host } from "../hosts/host";
import { lines } from "../hostCommand/server";
import { waitUntil } from "../tools/process";

const ULID = "01[0-9A-HJKMNP-TV-Z]*";
export const SERIES = 300;

/** How the server of a stage is started. */
export interface ServerOptions {
  /** Defaults to true. */
  adminApi?: boolean;
  /** Lets the server merge blocks. Defaults to false. */
  compaction?: boolean;
  flags?: string[];
}

export interface StageOptions extends ServerOptions {
  /** A disk of its own for the data, below /data, so that it can be filled. */
  dataDisk?: string;
  /** A disk of its own for the repository. */
  backupDisk?: string;
  /** Lets programs of the host serve a file system. */
  fuse?: boolean;
}

export class Stage {
  private constructor(
    readonly host: Host,
    readonly dataDirectory: string,
  ) {}

  /** Boots a host and starts its server on a copy of the history, a tar archive of blocks. */
  static async open(name: string, history: Buffer, options: StageOptions): Promise<Stage> {
    const tmpfs = {
      ...(options.dataDisk === undefined ? {} : { "/data": options.dataDisk }),
      ...(options.backupDisk === undefined ? {} : { "/backup": options.backupDisk }),
    };
    const host = await startHost({
      name,
      layout: "course",
      tmpfs,
      ...(options.fuse === true ? { dockerArguments: ["--device", "/dev/fuse"] } : {}),
    });
    const stage = new Stage(host, options.dataDisk === undefined ? "/var/lib/prometheus" : "/data/prometheus");
    await host.run("systemctl stop prometheus");
    await host.run(
      `rm -rf ${stage.dataDirectory} && install -d -o prometheus -g prometheus ${stage.dataDirectory} /backup/prometheus`,
    );
    await stage.unpack(history);
    await stage.serve(options);
    return stage;
  }

  run(command: string): Promise<string> {
    return this.host.run(command);
  }

  /** Puts blocks into the data directory; the server must not run. */
  async unpack(history: Buffer): Promise<void> {
    await this.host.run(`tar -x -C ${this.dataDirectory} && chown -R prometheus:prometheus ${this.dataDirectory}`, {
      input: history,
    });
  }

  /** Writes the unit anew, restarts the server and waits until it is ready. */
  async serve({ adminApi = true, compaction = false, flags = [] }: ServerOptions = {}): Promise<void> {
    const words = [
      "/usr/local/bin/prometheus --config.file /etc/prometheus/prometheus.yml",
      `--storage.tsdb.path ${this.dataDirectory}/ --web.listen-address=127.0.0.1:9090`,
      ...(adminApi ? ["--web.enable-admin-api"] : []),
      ...(compaction ? [] : ["--storage.tsdb.min-block-duration=2h --storage.tsdb.max-block-duration=2h"]),
      ...flags,
    ];
    const unit = `[Service]\nUser=prometheus\nType=simple\nTimeoutStopSec=20\nExecStart=${words.join(" \\\n    ")}\n\n[Install]\nWantedBy=multi-user.target\n`;
    await this.host.writeFile("/etc/systemd/system/prometheus.service", unit);
    await this.host.run(
      "rm -rf /etc/systemd/system/prometheus.service.d && systemctl daemon-reload && systemctl restart prometheus",
    );
    await this.ready();
  }

  ready(seconds = 60): Promise<void> {
    return waitForPrometheus(this.host, seconds);
  }

  /** Stops the server, empties its data directory and starts it again: the disaster. */
  async loseData(options: ServerOptions = {}): Promise<void> {
    await this.host.run(`systemctl stop prometheus && find ${this.dataDirectory} -mindepth 1 -delete`);
    await this.serve(options);
  }

  /** One number that the server answers; 0 for none, also if it does not answer. */
  async query(expression: string): Promise<number> {
    const asked = await this.host.exec(
      `curl -sS -m 30 --get http://127.0.0.1:9090/api/v1/query --data-urlencode 'query=${expression}' | jq -r '.data.result[0].value[1] // 0'`,
    );
    return Number(asked.stdout) || 0;
  }

  /** Samples of the history that the server serves. */
  samples(): Promise<number> {
    return this.query("sum(count_over_time(history_requests_total[10d] offset -1d))");
  }

  /** Waits until the server's head has samples. */
  scraped(): Promise<void> {
    return waitUntil("the head has samples", 60, async () => (await this.query("prometheus_tsdb_head_series")) > 0);
  }

  blocks(): Promise<string[]> {
    return this.host.run(`cd ${this.dataDirectory} && ls -d ${ULID} 2>/dev/null || true`).then(lines);
  }

  snapshots(): Promise<string[]> {
    return this.host.run(`ls -A ${this.dataDirectory}/snapshots 2>/dev/null || true`).then(lines);
  }

  /** When the server's process began; another one after a restart. */
  process(): Promise<string> {
    return this.host.run("systemctl show prometheus --property ExecMainStartTimestampMonotonic");
  }

  /**
   * Starts `command` in a group of its own and kills the whole group as soon as `until` holds. Returns false if it
   * ended before.
   */
  async killWhen(command: string, until: string): Promise<boolean> {
    const killed = await this.host.exec(`
      setsid ${command} >/dev/null 2>&1 & pid=$!
      until ${until}; do kill -0 $pid 2>/dev/null || exit 9; done
      kill -9 -- -$pid`);
    return killed.code === 0;
  }

  /** Turns one bit in the middle of a file. */
  async flip(file: string): Promise<void> {
    await this.host.run(`
      set -Eeuo pipefail
      middle=$(( $(stat -c %s '${file}') / 2 ))
      byte=$(od -An -tu1 -j $middle -N 1 '${file}')
      printf "\\\\$(printf %03o $(( byte ^ 1 )))" | dd of='${file}' bs=1 seek=$middle conv=notrunc status=none`);
  }

  /** The largest file below a directory. */
  async largest(directory: string): Promise<string> {
    return (
      await this.host.run(`find ${directory} -type f -printf '%s %p\\n' | sort -rn | head -n 1 | cut -d ' ' -f 2-`)
    ).trim();
  }

  /** Leaves so many bytes free on a disk. */
  async fill(disk: string, free: number): Promise<void> {
    await this.host.run(`fallocate -l $(( $(df --output=avail -B1 ${disk} | tail -n 1) - ${free} )) ${disk}/fill`);
  }
}

/** Three days of blocks as a tar archive, made once and shared by all stages. */
export async function recordHistory(endHoursAgo = 3, days = 3): Promise<Buffer> {
  const host = await startHost({ name: "reliability-history", layout: "course" });
  try {
    await makeHistory(host, { days, series: SERIES, intervalSeconds: 15, endHoursAgo });
    const packed = await host.run(
      `systemctl stop prometheus && cd ${host.paths.dataDirectory} && tar -cz ${ULID} | base64 -w 0`,
    );
    return gunzipSync(Buffer.from(packed, "base64"));
  } finally {
    await host.stop();
  }
}

/** Waits at most so long for something that may never happen. */
export function comesTrue(what: string, seconds: number, holds: () => Promise<boolean>): Promise<boolean> {
  return waitUntil(what, seconds, holds).then(
    () => true,
    () => false,
  );
}
