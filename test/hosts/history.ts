// Days of data for a fresh server, made on the host with promtool: no waiting, any Prometheus version.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { quote, waitForPrometheus, type Host } from "./host";
import { cacheDirectory, step, withLock } from "../tools/cache";

export interface HistoryOptions {
  /** Defaults to 3. */
  days?: number;
  /** Defaults to 200. */
  series?: number;
  /** Seconds between two samples of a series. Defaults to 60. */
  intervalSeconds?: number;
  /** Age of the newest sample in hours. Defaults to 3, so that blocks stay clear of the running head. */
  endHoursAgo?: number;
  /**
   * Keeps the blocks in the cache and takes them from there, for two hours at most: the history is near now. For small
   * ones. Defaults to false.
   */
  cached?: boolean;
}

/**
 * Writes OpenMetrics text of one block's time on standard output, series after series. Values are a
 * rising line with a wave on it, whole numbers, so that a query result tells a lost sample.
 */
const OPENMETRICS_PROGRAM = `
BEGIN {
  print "# TYPE history_requests counter"
  for (s = 0; s < series; s++)
    for (t = from; t < to; t += interval)
      printf "history_requests_total{instance=\\"web-%d\\",path=\\"/p%d\\"} %d %d\\n", s % 10, s, (t - origin) * (s % 7 + 1) + int(50 * sin(t / 3600 + s)), t
  print "# EOF"
}`;

/** Puts blocks into the host's data directory; the server is stopped for it and ready again afterwards. */
export async function makeHistory(host: Host, options: HistoryOptions = {}): Promise<void> {
  const { days = 3, series = 200, intervalSeconds = 60, endHoursAgo = 3 } = options;
  const end = Math.floor(Date.now() / 1000 / 7200) * 7200 - Math.ceil(endHoursAgo / 2) * 7200;
  const blocks: Blocks = { origin: end - days * 86400, end, series, interval: intervalSeconds };
  const samples = Math.round((series * days * 86400) / intervalSeconds);
  const { dataDirectory, prometheusUnit } = host.paths;
  await step(`${host.name}: making ${days} days of ${series} series (${samples} samples)`, async () => {
    await host.run(`rm -rf ${MADE} && mkdir ${MADE}`);
    await (options.cached === true ? unpackBlocks(host, blocks) : makeBlocks(host, blocks));
    await host.run(`
      set -Eeuo pipefail
      systemctl stop ${prometheusUnit}
      mkdir -p ${dataDirectory}
      # A copy, not a move: directories of another file system or layer cannot be renamed everywhere.
      cp -r ${MADE}/* ${dataDirectory}/
      rm -rf ${MADE}
      chown -R --reference=${dataDirectory} ${dataDirectory}
      systemctl start ${prometheusUnit}`);
    await waitForPrometheus(host);
  });
}

/** Where the host has the blocks before they are its data. */
const MADE = "/var/tmp/history";

/** Times in seconds. */
interface Blocks {
  origin: number;
  end: number;
  series: number;
  interval: number;
}

async function makeBlocks(host: Host, { end, ...variables }: Blocks): Promise<void> {
  const awkArguments = Object.entries(variables)
    .map(([name, value]) => `-v ${name}=${value}`)
    .join(" ");
  await host.run(`
    set -Eeuo pipefail
    # promtool reads its whole input again for each block, so each block gets an input of its own.
    for (( from = ${variables.origin}; from < ${end}; from += 7200 )); do
      awk ${awkArguments} -v from=$from -v to=$(( from + 7200 )) ${quote(OPENMETRICS_PROGRAM)} >${MADE}.txt
      ${host.paths.promtool} tsdb create-blocks-from openmetrics ${MADE}.txt ${MADE} >/dev/null
    done
    rm ${MADE}.txt`);
}

/** The same from the cache; the first host makes what is there for the others. */
async function unpackBlocks(host: Host, blocks: Blocks): Promise<void> {
  const { origin, end, series, interval } = blocks;
  const version = (await host.run(`${host.paths.promtool} --version 2>&1 | cksum | cut -d ' ' -f 1`)).trim();
  const directory = cacheDirectory("history");
  const file = path.join(directory, `${end}-${origin}-${series}-${interval}-${version}.tar.base64`);
  const input = await withLock("history", async () => {
    if (!existsSync(file)) {
      readdirSync(directory)
        .filter(name => !name.startsWith(`${end}-`))
        .forEach(name => rmSync(path.join(directory, name)));
      await makeBlocks(host, blocks);
      writeFileSync(`${file}.new`, await host.run(`tar --create --directory ${MADE} . | base64`));
      renameSync(`${file}.new`, file);
    }
    return readFileSync(file);
  });
  await host.run(`base64 --decode | tar --extract --directory ${MADE}`, { input });
}
