// Throw-away Debian hosts in Docker: real systemd, cron, sshd, Prometheus and node_exporter.
import { setTimeout as pause } from "node:timers/promises";
import { ensureDocker, type Docker } from "./docker";
import { ensureImage, hostSuite, type Layout } from "./image";
import { checkoutLabels, removeLeftovers } from "./leftovers";
import { bootContainer, removeContainer } from "./container";
import { Shells, type ShellOptions } from "./shell";
import { clientKey } from "./sshKey";
import { waitUntil, type Finished } from "../tools/process";
import { step } from "../tools/cache";

export interface StartHostOptions {
  /** Host name, and part of the container's name. Lower case letters, digits and dashes. */
  name: string;
  /** Defaults to `debian`. */
  layout?: Layout;
  /** Has the packages that the host command needs; for the layout `debian`. Defaults to false. */
  forCommand?: boolean;
  /** Debian release. Defaults to the variable PROMETHEUS_BACKUP_TEST_SUITE, and without it to `bookworm`. */
  suite?: string;
  /**
   * Address for `--web.listen-address`. Defaults to `127.0.0.1:9090`; an empty text leaves the server's own default,
   * all addresses.
   */
  listen?: string;
  /** Small file systems of their own, for full disks: path to size, such as `{ "/backup": "64m" }`. */
  tmpfs?: Record<string, string>;
  /** Keeps the host when this process ends, until `stop` is called from elsewhere. Defaults to false. */
  keep?: boolean;
  /** Arguments for `docker run` beyond the usual. */
  dockerArguments?: string[];
}

export type ExecOptions = ShellOptions;

export interface Host {
  name: string;
  container: string;
  layout: Layout;
  /** Where sshd is reached from this machine, on every platform. */
  sshHost: string;
  sshPort: number;
  /** Public key as `hostKey` of a Pulumi connection wants it: `ssh-ed25519 AAAA...`. */
  hostKey: string;
  /** OpenSSH private key of `user`. */
  privateKey: string;
  /** Login with passwordless sudo. */
  user: string;
  /** Address on the bridge; other containers reach the host there, and this machine does if it runs Linux. */
  ip: string;
  /** Paths and names that differ between layouts. */
  paths: HostPaths;
  /** Runs a command with `bash -c` inside, not through SSH; never rejects because of its exit code. */
  exec(command: string, options?: ExecOptions): Promise<Finished>;
  /** The same, but rejects with the output unless the exit code is 0. Returns standard output. */
  run(command: string, options?: ExecOptions): Promise<string>;
  writeFile(path: string, content: string | Buffer, options?: { mode?: string; owner?: string }): Promise<void>;
  readFile(path: string): Promise<string>;
  stop(): Promise<void>;
}

export interface HostPaths {
  dataDirectory: string;
  prometheusUnit: string;
  nodeExporterUnit: string;
  prometheusBinary: string;
  promtool: string;
}

const PATHS: Record<Layout, HostPaths> = {
  debian: {
    dataDirectory: "/var/lib/prometheus/metrics2",
    prometheusUnit: "prometheus.service",
    nodeExporterUnit: "prometheus-node-exporter.service",
    prometheusBinary: "/usr/bin/prometheus",
    promtool: "/usr/bin/promtool",
  },
  course: {
    dataDirectory: "/var/lib/prometheus",
    prometheusUnit: "prometheus.service",
    nodeExporterUnit: "node_exporter.service",
    prometheusBinary: "/usr/local/bin/prometheus",
    promtool: "/usr/local/bin/promtool",
  },
};

/**
 * Boots a host and waits until systemd, sshd and Prometheus answer. A host of the same name from an earlier run is
 * replaced.
 */
export async function startHost(options: StartHostOptions): Promise<Host> {
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(options.name)) {
    throw new Error(`host name ${JSON.stringify(options.name)}: use lower case letters, digits and dashes.`);
  }
  const docker = await ensureDocker();
  await removeLeftovers(docker);
  const layout = options.layout ?? "debian";
  const suite = options.suite ?? hostSuite();
  const image = await ensureImage(docker, suite, options.forCommand === true ? "command" : layout);
  const container = containerName(options.name);
  return step(`booting host ${options.name} (${suite}, layout ${layout})`, async () => {
    await bootContainer(docker, { container, image, hostname: options.name, arguments: runArguments(options, layout) });
    const host = await attach(docker, options.name);
    await waitUntilReady(host);
    return host;
  });
}

/** A handle for a host that another process, or an earlier call, started. Rejects if it does not run. */
export async function attachHost(name: string): Promise<Host> {
  return attach(await ensureDocker(), name);
}

const containerName = (name: string) => `${checkoutLabels().prefix}-${name}`;

function runArguments(options: StartHostOptions, layout: Layout): string[] {
  const labels = { ...checkoutLabels({ keep: options.keep ?? false }).labels, "prometheus-backup-test.layout": layout };
  return [
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...Object.entries(options.tmpfs ?? {}).flatMap(([directory, size]) => [
      "--tmpfs",
      `${directory}:size=${size},exec`,
    ]),
    ...["--env", `TEST_AUTHORIZED_KEY=${clientKey().publicKey}`],
    ...["--env", `TEST_LISTEN=${options.listen ?? "127.0.0.1:9090"}`],
    ...["--publish", "127.0.0.1::22", "--add-host", "host.docker.internal:host-gateway"],
    ...(options.dockerArguments ?? []),
  ];
}

async function attach(docker: Docker, name: string): Promise<Host> {
  const container = containerName(name);
  const wanted = [
    'index .Config.Labels "prometheus-backup-test.layout"',
    '(index (index .NetworkSettings.Ports "22/tcp") 0).HostPort',
    ".NetworkSettings.IPAddress",
  ];
  const shown = await docker.output(["inspect", "--format", wanted.map(part => `{{${part}}}`).join("\t"), container]);
  const [named, sshPort, ip = ""] = shown.split("\t");
  const layout = named === "course" ? "course" : "debian";
  const access = fileAccess(docker, container);
  return {
    name,
    container,
    layout,
    sshHost: "127.0.0.1",
    sshPort: Number(sshPort),
    hostKey: await readHostKey(access),
    privateKey: clientKey().privateKey,
    user: "deploy",
    ip,
    paths: PATHS[layout],
    ...access,
    stop: () => removeContainer(docker, container),
  };
}

/** The key is made while the host boots, so the first look may come too early. */
async function readHostKey(access: Pick<Host, "exec">): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const shown = await access.exec("cat /etc/ssh/ssh_host_ed25519_key.pub");
    const [type, key] = shown.stdout.split(" ");
    if (shown.code === 0 && type !== undefined && key !== undefined) {
      return `${type} ${key.trim()}`;
    }
    await pause(100);
  }
  throw new Error("the host made no SSH host key within 10 s");
}

function fileAccess(docker: Docker, container: string): Pick<Host, "exec" | "run" | "writeFile" | "readFile"> {
  const shells = new Shells(docker, container);
  const exec = (command: string, options?: ExecOptions) => shells.run(command, options);
  const runIt = async (command: string, options: ExecOptions = {}) => {
    const finished = await exec(command, options);
    if (finished.code !== 0) {
      throw new Error(
        `on ${container}: exit code ${finished.code} of: ${command}\n${finished.stdout}${finished.stderr}`,
      );
    }
    return finished.stdout;
  };
  return {
    exec,
    run: runIt,
    readFile: path => runIt(`cat -- ${quote(path)}`),
    writeFile: async (path, content, { mode = "0644", owner = "root:root" } = {}) => {
      const file = quote(path);
      await runIt(
        `mkdir -p -- "$(dirname -- ${file})" && cat >${file} && chmod ${mode} ${file} && chown ${owner} ${file}`,
        { input: content },
      );
    },
  };
}

/** A word for bash that stands for exactly this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function waitUntilReady(host: Host): Promise<void> {
  let state = "";
  await waitUntil(`systemd of ${host.name} is up`, 90, async () => {
    state = (await host.exec("systemctl is-system-running")).stdout.trim();
    return state === "running" || state === "degraded";
  }).catch(async (error: unknown) => {
    const jobs = await host.exec(
      "systemctl list-jobs --no-pager; systemctl --failed --no-pager; journalctl -n 40 --no-pager",
    );
    throw new Error(`${String(error)}; it says "${state}"\n${jobs.stdout}`);
  });
  await waitUntil(
    `sshd of ${host.name} answers`,
    30,
    async () => (await host.exec("systemctl is-active ssh")).code === 0,
  );
  await waitForPrometheus(host);
}

/** Waits until the server is ready, on whatever address and port it listens. */
export async function waitForPrometheus(host: Host, seconds = 60, url = "http://127.0.0.1:9090"): Promise<void> {
  await waitUntil(
    `Prometheus on ${host.name} is ready`,
    seconds,
    async () => (await host.exec(`curl -fsS -m 5 ${quote(`${url}/-/ready`)}`)).code === 0,
  );
}
