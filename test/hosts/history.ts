// Days of data for a fresh server, made on the host with promtool: no waiting, any Prometheus version.
import { quote, waitForPrometheus, type Host } from "./host";
import { step } from "../tools/cache";

export interface HistoryOptions {
  /** Defaults to 3. */
  days?: number;
  /** Defaults to 200. */
  series?: number;
  /** Seconds between two samples of a series. Defaults to 60. */
  intervalSeconds?: number;
  /** Age of the newest sample in hours. Defaults to 3, so that blocks stay clear of the running head. */
  endHoursAgo?: number;
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
  const { dataDirectory, prometheusUnit, promtool } = host.paths;
  const end = Math.floor(Date.now() / 1000 / 7200) * 7200 - Math.ceil(endHoursAgo / 2) * 7200;
  const origin = end - days * 86400;
  const variables = { series, interval: intervalSeconds, origin };
  const awkArguments = Object.entries(variables).map(([name, value]) => `-v ${name}=${value}`).join(" ");
  const samples = Math.round((series * days * 86400) / intervalSeconds);
  await step(`${host.name}: making ${days} days of ${series} series (${samples} samples)`, async () => {
    await host.run(`
      set -Eeuo pipefail
      scratch="$(mktemp -d -p /var/tmp)"
      trap 'rm -rf -- "$scratch"' EXIT
      mkdir "$scratch/blocks"
      # promtool reads its whole input again for each block, so each block gets an input of its own.
      for (( from = ${origin}; from < ${end}; from += 7200 )); do
        awk ${awkArguments} -v from=$from -v to=$(( from + 7200 )) ${quote(OPENMETRICS_PROGRAM)} >"$scratch/history.txt"
        ${promtool} tsdb create-blocks-from openmetrics "$scratch/history.txt" "$scratch/blocks" >/dev/null
      done
      systemctl stop ${prometheusUnit}
      mkdir -p ${dataDirectory}
      # A copy, not a move: directories of another file system or layer cannot be renamed everywhere.
      cp -r "$scratch"/blocks/* ${dataDirectory}/
      chown -R --reference=${dataDirectory} ${dataDirectory}
      systemctl start ${prometheusUnit}`);
    await waitForPrometheus(host);
  });
}
