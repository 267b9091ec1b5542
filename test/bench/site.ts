// A Prometheus on this machine with a given history, the host command with settings of its own, and a repository.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { renderHostCommand } from "../../components/render/scripts";
import { renderSettings } from "../../components/render/settings";

export interface Site {
  directory: string;
  data: string;
  repository: string;
  program: string;
  environment: NodeJS.ProcessEnv;
  /** Blocks of the history, oldest first. */
  blocks: string[];
}

/** The program, its settings and an empty repository. `data` holds the blocks. */
export function makeSite(directory: string, data: string, port: number): Site {
  const repository = path.join(directory, "repository");
  const program = path.join(directory, "prometheus-backup.sh");
  const settings = path.join(directory, "settings.conf");
  mkdirSync(repository, { recursive: true });
  writeFileSync(program, renderHostCommand(), { mode: 0o755 });
  writeFileSync(
    settings,
    renderSettings({
      HOST_NAME: "bench", ENVIRONMENT: "bench", PROMETHEUS_URL: `http://127.0.0.1:${port}`, BACKUP_USER: "root", STATE_DIR: path.join(directory, "state"),
      COMPANIONS: "false", NICE: "0", REPOSITORY_COUNT: "1", REPOSITORY_1_NAME: "local", REPOSITORY_1_TYPE: "path", REPOSITORY_1_LOCATION: repository,
    }),
    { mode: 0o644 },
  );
  writeFileSync(path.join(directory, "prometheus.yml"), "global: {}\n");
  return { directory, data, repository, program, environment: { PROMETHEUS_BACKUP_CONFIG: settings }, blocks: blocksOf(data) };
}

export function blocksOf(data: string): string[] {
  return readdirSync(data).filter(name => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name)).sort();
}

/** Starts the server; it neither compacts nor forgets anything, so that every run sees the same blocks. */
export async function startServer(site: Site, port: number): Promise<ChildProcess> {
  const server = spawn(
    "prometheus",
    [
      `--config.file=${site.directory}/prometheus.yml`, `--storage.tsdb.path=${site.data}`, `--web.listen-address=127.0.0.1:${port}`, "--web.enable-admin-api",
      "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h", "--log.level=error",
    ],
    { stdio: "ignore" },
  );
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => undefined);
    if (answer?.ok === true) {
      return server;
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  server.kill();
  throw new Error("the Prometheus of the benchmark did not become ready within a minute");
}

export async function stopServer(server: ChildProcess): Promise<void> {
  const ended = new Promise(resolve => server.once("close", resolve));
  server.kill();
  await ended;
}

/** Takes the newest blocks away, so that a first backup does not see them, and returns how to bring them back. */
export function holdBack(site: Site, count: number): () => void {
  const aside = path.join(site.directory, "held-back");
  mkdirSync(aside, { recursive: true });
  const held = site.blocks.slice(-count);
  held.forEach(name => renameSync(path.join(site.data, name), path.join(aside, name)));
  return () => {
    held.forEach(name => renameSync(path.join(aside, name), path.join(site.data, name)));
  };
}

/** Forgets the newest backup and what it sent, so that the same incremental run can be measured again. */
export function undoNewest(site: Site, objects: string[]): void {
  const host = path.join(site.repository, "bench");
  const newest = readdirSync(path.join(host, "backups")).sort().at(-1);
  if (newest !== undefined) {
    rmSync(path.join(host, "backups", newest));
  }
  objects.forEach(object => rmSync(path.join(host, object), { force: true }));
}

export function bytesOf(...places: string[]): number {
  return Number(execFileSync("du", ["--summarize", "--total", "--bytes", ...places]).toString().trim().split("\n").at(-1)?.split("\t")[0]);
}
