// A Prometheus of this machine on a given data directory, for one scenario.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { sleep, waitUntil } from "../tools/process";

export interface Server {
  url: string;
  pid: number;
  /** Seconds from the start of the process until it was ready. */
  startSeconds: number;
  /** A metric of the server without labels; NaN if it does not show it. */
  metric(name: string): Promise<number>;
  /** CPU seconds of the process so far. */
  cpu(): number;
  /** Largest resident memory of the process so far, in bytes. */
  peakMemory(): number;
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** What a server with 15 days of retention derives: 2, 6 and 18 hours. Without it nothing is ever compacted. */
  compactUpTo?: string;
  /** Defaults to a hundred years. */
  retention?: string;
  /** Seconds it may take until it is ready. Defaults to 600. */
  readySeconds?: number;
}

/** Starts a server and waits until it is ready. It scrapes nothing, and forgets nothing if not told so. */
export async function startServer(data: string, options: ServerOptions = {}): Promise<Server> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const configuration = path.join(path.dirname(data), "prometheus.yml");
  writeFileSync(configuration, "global: {}\n");
  const began = performance.now();
  const child = spawn(
    "prometheus",
    [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${url.slice("http://".length)}`,
      "--web.enable-admin-api",
      "--web.enable-remote-write-receiver",
      `--storage.tsdb.retention.time=${options.retention ?? "100y"}`,
      "--storage.tsdb.min-block-duration=2h",
      `--storage.tsdb.max-block-duration=${options.compactUpTo ?? "2h"}`,
      "--log.level=error",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = new Promise<void>(resolve => child.once("close", () => resolve()));
  const pid = child.pid ?? 0;
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  try {
    await waitUntil("the server is ready", options.readySeconds ?? 600, () => isReady(url, child.exitCode), 20);
  } catch (error) {
    await stop();
    throw error;
  }
  const startSeconds = (performance.now() - began) / 1000;
  return {
    url,
    pid,
    startSeconds,
    metric: name => metric(url, name),
    cpu: () => cpuSeconds(pid),
    peakMemory: () => peakMemory(pid),
    stop,
  };
}

async function isReady(url: string, exitCode: number | null): Promise<boolean> {
  if (exitCode !== null) {
    throw new Error(`the server ended with ${exitCode}`);
  }
  return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true;
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** User and system time of a process, fields 14 and 15 of its stat file, in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function peakMemory(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/**
 * Waits until the server has compacted what it wants to compact. It looks once a minute, and writes into a temporary
 * directory for as long as it is at work.
 */
export async function waitUntilCompacted(server: Server, data: string, seconds = 3600): Promise<void> {
  await waitUntil(
    "the server looked for something to compact",
    300,
    async () => (await server.metric("prometheus_tsdb_compactions_triggered_total")) >= 1,
  );
  let before = "";
  let quiet = 0;
  await waitUntil("the server has compacted its blocks", seconds, async () => {
    const now = readdirSync(data).sort().join();
    quiet = now === before && !/tmp-for-(creation|deletion)/.test(now) ? quiet + 1 : 0;
    before = now;
    await sleep(1000);
    return quiet >= 8;
  });
}

/** A snapshot made by the server, as the course's recipe asks for it; returns its directory. */
export async function takeSnapshot(server: Server, data: string): Promise<string> {
  const answer = await fetch(`${server.url}/api/v1/admin/tsdb/snapshot`, { method: "POST" });
  const { data: made } = (await answer.json()) as { data: { name: string } };
  return path.join(data, "snapshots", made.name);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === "object" && address !== null
          ? resolve(address.port)
          : reject(new Error("there is no free port")),
      );
    });
  });
}
