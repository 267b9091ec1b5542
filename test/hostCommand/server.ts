// Servers of a test's own, beside the one of the host: their data can be spoiled, and what they do disturbs nobody.
import { waitForPrometheus, type Host } from "../hosts/host";
import { waitUntil } from "../tools/process";
import { HISTORY } from "./setting";

export interface OwnServerOptions {
  name: string;
  port: number;
  /** Defaults to `/srv/sites/NAME/data`. */
  dataDirectory?: string;
  /** Defaults to true. */
  adminApi?: boolean;
  /** Start with the shared history. Defaults to true. */
  history?: boolean;
  /** Let the server compact. Defaults to false, so that blocks stay what the test made them. */
  compaction?: boolean;
  flags?: string[];
  /** Lines of YAML beside the scrape interval, such as `external_labels: { replica: a }`. */
  globals?: string;
  /** More of the configuration, in whole lines. */
  configuration?: string;
  /** More targets than the server itself, a line of YAML each. */
  jobs?: string[];
  /**
   * A unit that stays when the server is stopped, as that of a package, so that a restore can stop and start it.
   * Defaults to false.
   */
  lasting?: boolean;
  /** Seconds between two scrapes of itself; 0: none. Defaults to 2. */
  scrapeSeconds?: number;
}

export interface OwnServer {
  url: string;
  unit: string;
  dataDirectory: string;
  start(options?: { adminApi?: boolean; compaction?: boolean; flags?: string[] }): Promise<void>;
  stop(): Promise<void>;
  /** ULIDs of the blocks that lie in the data directory. */
  blocks(): Promise<string[]>;
  /** Snapshots that lie there, of whatever name. */
  snapshots(): Promise<string[]>;
}

export async function startOwnServer(host: Host, options: OwnServerOptions): Promise<OwnServer> {
  const dataDirectory = options.dataDirectory ?? `/srv/sites/${options.name}/data`;
  const url = `http://127.0.0.1:${options.port}`;
  const unit = `test-prometheus-${options.name}`;
  const configuration = `/srv/sites/${options.name}/prometheus.yml`;
  const scrapeSeconds = options.scrapeSeconds === undefined || options.scrapeSeconds === 0 ? 2 : options.scrapeSeconds;
  await host.writeFile(
    configuration,
    [
      "global:",
      `  scrape_interval: ${scrapeSeconds}s`,
      ...(options.globals === undefined ? [] : [`  ${options.globals}`]),
      ...(options.configuration === undefined ? [] : [options.configuration.trimEnd()]),
      ...(options.scrapeSeconds === 0
        ? []
        : [
            "scrape_configs:",
            `  - { job_name: self, static_configs: [ { targets: ["127.0.0.1:${options.port}"] } ] }`,
            ...(options.jobs ?? []).map(job => `  - ${job}`),
          ]),
      "",
    ].join("\n"),
  );
  await host.run(`
    set -Eeuo pipefail
    # As Debian's package has it: the user may write beside its data, too.
    ${options.dataDirectory === undefined ? `chown prometheus: /srv/sites/${options.name}` : ":"}
    install -d -o prometheus -g prometheus -m 0755 ${dataDirectory}
    ${options.history === false ? ":" : `cp -a -- ${HISTORY}/01* ${dataDirectory}/`}`);
  const server: OwnServer = {
    url,
    unit,
    dataDirectory,
    start: async (start = {}) => {
      const own = start.flags ?? options.flags ?? [];
      const flags = [
        `--config.file=${configuration}`,
        `--storage.tsdb.path=${dataDirectory}`,
        `--web.listen-address=127.0.0.1:${options.port}`,
        ...(own.some(flag => flag.startsWith("--storage.tsdb.retention.time="))
          ? []
          : ["--storage.tsdb.retention.time=10y"]),
        ...((start.adminApi ?? options.adminApi ?? true) ? ["--web.enable-admin-api"] : []),
        ...((start.compaction ?? options.compaction ?? false)
          ? []
          : ["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"]),
        ...own,
      ];
      await (options.lasting === true
        ? startLasting(host, unit, flags)
        : host.run(
            `systemd-run --quiet --unit ${unit} --uid prometheus --gid prometheus --collect /usr/bin/prometheus ${flags.join(" ")}`,
          ));
      await waitForPrometheus(host, 30, url);
      if ((await host.readFile(configuration)).includes("scrape_configs")) {
        const question = `curl -fsS '${url}/api/v1/query?query=prometheus_tsdb_head_samples_appended_total'`;
        await waitUntil(`the head of ${options.name} has samples`, 30, async () =>
          /"[1-9]\d*"\]/.test((await host.exec(question)).stdout),
        );
      }
    },
    stop: async () => {
      await host.exec(`systemctl stop ${unit}`);
    },
    blocks: async () => lines(await host.run(`cd ${dataDirectory} && ls -d 01* 2>/dev/null || true`)),
    snapshots: async () => lines(await host.run(`ls -A ${dataDirectory}/snapshots 2>/dev/null || true`)),
  };
  await server.start();
  return server;
}

/** Until the server has fewer blocks than that, and merges no more. */
export async function untilCompacted(server: OwnServer, blocks: number): Promise<void> {
  await waitUntil("the server has compacted", 90, async () => (await server.blocks()).length < blocks, 1000);
  // Until two looks agree: several levels follow each other.
  let seen = "";
  await waitUntil(
    "compaction is over",
    60,
    async () => {
      const now = (await server.blocks()).join(" ");
      const same = now === seen;
      seen = now;
      return same;
    },
    2500,
  );
}

/** As Debian's unit, but for the sandbox: a server that failed is started again by systemd. */
async function startLasting(host: Host, unit: string, flags: string[]): Promise<void> {
  const settings = [
    "User=prometheus",
    `ExecStart=/usr/bin/prometheus ${flags.join(" ")}`,
    "Restart=on-failure",
    "TimeoutStopSec=20s",
    "SendSIGKILL=no",
  ];
  await host.writeFile(`/etc/systemd/system/${unit}.service`, `[Service]\n${settings.join("\n")}\n`);
  await host.run(`systemctl daemon-reload && systemctl start ${unit}`);
}

/** File with the processes that any start of a stubborn server found on its data; nobody may ever find one. */
export const secondServers = (server: OwnServer): string => `${server.dataDirectory}.others`;

/**
 * From now on the signal of a stop does not end the server (SIGTERM by hand does), so that systemd gives up on it after
 * a second and leaves it alive.
 */
export async function makeStubborn(host: Host, server: OwnServer): Promise<void> {
  const found = `pgrep -f "[/]usr/bin/prometheus .*${server.dataDirectory}" >>${secondServers(server)} || :`;
  const dropIns = `/etc/systemd/system/${server.unit}.service.d`;
  await host.writeFile(`${dropIns}/starts.conf`, `[Service]\nExecStartPre=+/bin/sh -c '${found}'\n`);
  await host.writeFile(`${dropIns}/slow.conf`, "[Service]\nKillSignal=SIGCONT\nTimeoutStopSec=1s\n");
  await host.run(`: >${secondServers(server)}; systemctl daemon-reload`);
}

/** The next stop works as others do. The starts are still watched. */
export async function makeDocile(host: Host, server: OwnServer): Promise<void> {
  await host.run(`rm /etc/systemd/system/${server.unit}.service.d/slow.conf; systemctl daemon-reload`);
}

/** Shell that waits until systemd has given up on a stubborn server. */
export const untilGivenUp = (server: OwnServer): string =>
  `timeout 120 bash -c 'until systemctl is-failed --quiet ${server.unit}; do sleep 0.1; done'`;

/** The process of the server's unit. */
export const processOf = async (host: Host, server: OwnServer): Promise<string> =>
  (await host.run(`systemctl show --property MainPID --value ${server.unit}`)).trim();

export const lines = (text: string): string[] => text.split("\n").filter(line => line !== "");
