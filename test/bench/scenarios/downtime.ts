// How long a full restore keeps a server down, against a plain stop and start of it, on a host with systemd.
import { installProgram, writeSettings, COMMAND, SETTINGS } from "../../hostCommand/install";
import { quote, startHost, waitForPrometheus, type Host } from "../../hosts/host";
import type { Aged } from "../aged";
import { report, type Cell } from "../results";

const SHARED = "/bench";
// Blocks stay as they are and are kept whatever their age; the server scrapes nothing, so its head stays the same.
const FLAGS = [
  "--web.listen-address=127.0.0.1:9090",
  `--storage.tsdb.path=${SHARED}/data`,
  "--storage.tsdb.retention.time=100y",
  "--web.enable-admin-api",
  "--storage.tsdb.min-block-duration=2h",
  "--storage.tsdb.max-block-duration=2h",
];
const READY = "curl -fs -m 5 -o /dev/null http://127.0.0.1:9090/-/ready";
// Asks the server again and again while the command runs, and prints the milliseconds of the longest time without an
// answer.
const WATCHED = `
  ( while :; do at=$EPOCHREALTIME; if ${READY}; then echo "\${at/./}"; fi; sleep 0.05; done ) >/tmp/ready & watcher=$!
  until [ -s /tmp/ready ]; do sleep 0.05; done
  eval "$1" >&2 || failed=$?
  before=$(wc -l </tmp/ready)
  until [ "$(wc -l </tmp/ready)" -gt $(( before + 1 )) ]; do sleep 0.05; done
  kill $watcher
  awk 'NR > 1 && $1 - last > longest { longest = $1 - last } { last = $1 } END { printf "%d", longest / 1000 }' /tmp/ready
  exit \${failed:-0}`;

async function prepare(host: Host): Promise<void> {
  await installProgram(host);
  await host.run("systemctl stop prometheus");
  await host.writeFile("/etc/prometheus/prometheus.yml", "global: {}\n");
  await host.writeFile("/etc/default/prometheus", `ARGS="${FLAGS.join(" ")}"\n`);
  await writeSettings(host, SETTINGS, {
    HOST_NAME: "bench",
    ENVIRONMENT: "bench",
    COMPANIONS: "false",
    REPOSITORY_COUNT: "1",
    REPOSITORY_1_NAME: "local",
    REPOSITORY_1_TYPE: "path",
    REPOSITORY_1_LOCATION: `${SHARED}/repository`,
  });
  await host.run(
    `mkdir -p ${SHARED}/repository && chown -R prometheus:prometheus ${SHARED} && systemctl start prometheus`,
  );
  await waitForPrometheus(host, 300);
  await host.run(`${COMMAND} run`, { timeoutSeconds: 3600 });
}

/** Seconds without a ready server while the host runs the command. */
async function secondsDown(host: Host, command: string): Promise<number> {
  return Number(await host.run(`set -- ${quote(command)}; ${WATCHED}`, { timeoutSeconds: 3600 })) / 1000;
}

export async function downtime(aged: Aged, runs: number): Promise<void> {
  await aged.stop();
  const host = await startHost({
    name: "bench-downtime",
    dockerArguments: ["--volume", `${aged.directory}:${SHARED}`],
  });
  try {
    await prepare(host);
    const stopAndStart = (): Promise<number> =>
      secondsDown(host, "systemctl stop prometheus && systemctl start prometheus");
    const withHead: number[] = [];
    const restored: number[] = [];
    const plain: number[] = [];
    for (let run = 0; run < runs; run++) {
      withHead.push(await stopAndStart());
    }
    for (let run = 0; run < runs; run++) {
      restored.push(await secondsDown(host, `${COMMAND} restore latest --yes`));
      await host.run(`rm -rf ${SHARED}/data.before-*`);
      plain.push(await stopAndStart());
    }
    const row = (name: string, values: number[]): Cell[] => [
      name,
      ...values.map(value => value.toFixed(1)),
      median(values).toFixed(1),
    ];
    report(
      "downtime",
      [
        {
          title: `Seconds without a ready server, ${aged.sizeText}`,
          columns: ["what", ...restored.map((_, index) => `run ${index + 1}`), "median"],
          rows: [
            row("plain stop and start, 2:45 h in its head", withHead),
            row("full restore", restored),
            row("plain stop and start after it, empty head", plain),
          ],
        },
      ],
      { withHead: median(withHead), restore: median(restored), plain: median(plain) },
    );
  } finally {
    // What belongs to the host's user is given back, so that the caller can remove it.
    await host.exec(`systemctl stop prometheus; chown -R 0:0 ${SHARED}`);
    await host.stop();
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
