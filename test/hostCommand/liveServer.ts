// A server that goes on running while its blocks are mended, with one backup of it, and what can be seen of both.
import { query, servedHistory } from "./served";
import { startOwnServer, type OwnServer } from "./server";
import type { Setting } from "./setting";
import { Site, type Manifest } from "./site";

export const SCRAPE_SECONDS = 5;

export interface LiveServer {
  server: OwnServer;
  site: Site;
  backup: Manifest;
  /** What the server shows of the history. */
  history: string[];
  /** What a block is made of: its files by their checksums, and its description, however that is laid out. */
  checksums(ulid: string): Promise<string>;
  /** The files of all other blocks with their inodes, which a copy would change. */
  others(but: string): Promise<string>;
  /** Spoils a chunk, at the same size. */
  rot(ulid: string): Promise<void>;
  /**
   * The longest time in seconds between two of the server's own scrapes since then, and whether all of them succeeded
   * in one process.
   */
  scrapes(since: number): Promise<{ gap: number; failed: number; processes: number }>;
}

export async function startLiveServer({ host, ...setting }: Setting, name: string, port: number): Promise<LiveServer> {
  const server = await startOwnServer(host, { name, port, lasting: true, scrapeSeconds: SCRAPE_SECONDS });
  const site = await Site.create(
    { host, ...setting },
    {
      name,
      prometheusUrl: server.url,
      repositories: ["local"],
      settings: { PROMETHEUS_UNIT: `${server.unit}.service` },
    },
  );
  await site.good();
  return {
    server,
    site,
    backup: await site.manifest(),
    history: await servedHistory(host, server.url),
    checksums: ulid =>
      host.run(
        `cd ${server.dataDirectory}/${ulid} && find . -type f ! -name meta.json | sort | xargs sha256sum && jq -cS . meta.json`,
      ),
    others: but =>
      host.run(`cd ${server.dataDirectory} && find 01* -type f ! -path '${but}/*' -printf '%p %i %T@\\n' | sort`),
    rot: async ulid => {
      await host.run(
        `printf '\\xff\\xff\\xff' | dd of=${server.dataDirectory}/${ulid}/chunks/000001 bs=1 seek=2000 conv=notrunc status=none`,
      );
    },
    scrapes: async since => {
      const window = `[${Math.ceil(Date.now() / 1000 - since)}s]`;
      const [up] = await query(host, server.url, `up${window}`);
      const [process] = await query(host, server.url, `process_start_time_seconds${window}`);
      const times = (up?.values ?? []).map(([time]) => time);
      return {
        gap: Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0))),
        failed: (up?.values ?? []).filter(([, value]) => value !== "1").length,
        processes: new Set((process?.values ?? []).map(([, value]) => value)).size,
      };
    },
  };
}

/** Finished blocks of a backup, oldest first. */
export const finished = (backup: Manifest): string[] =>
  backup.blocks.filter(({ head }) => !head).map(({ ulid }) => ulid);
