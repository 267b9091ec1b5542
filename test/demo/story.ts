// The demo itself: from an empty machine to data that were lost and are back, every number measured.
import { CreateBucketCommand, PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import { deploy } from "../../components/stack/program";
import { renderHostPolicy } from "../../components/offsiteBucket/policy";
import { paths } from "../../components/host/paths";
import { ensureDocker } from "../hosts/docker";
import { makeHistory } from "../hosts/history";
import { waitForPrometheus, type Host } from "../hosts/host";
import { ensureImage, hostSuite } from "../hosts/image";
import { createTestStack, type TestStack } from "../integration/harness";
import { listenToEquipment } from "../tools/cache";
import { ensureMinio } from "../tools/minio";
import { ensurePlugins } from "../tools/plugins";
import { ensurePulumi } from "../tools/pulumi";
import { runOrThrow, waitUntil } from "../tools/process";
import type { Minio } from "../servers/minio";
import { parseCronFile, runAsCron } from "./cron";
import { HOST_NAME, type Equipment } from "./equipment";
import {
  alertStates,
  ask,
  blocksOnDisk,
  differentAnswers,
  isScraped,
  measure,
  numberOfQueries,
  serverStarts,
  type Measured,
} from "./prometheus";
import { exact, rounded, type Screen } from "./screen";
import { bucketOfStack, stackSettings } from "./stackSettings";

/** The newest backup as `list --json` shows it. */
interface ListedBackup {
  name: string;
  repository: string;
  complete: boolean;
  blocks: number;
  sentBytes: number;
  newestSample: string;
}

/** Tells the whole story and returns the host, for those who want to look around. */
export async function tellStory(screen: Screen, equipment: Equipment): Promise<Host> {
  listenToEquipment(text => screen.progress(text));
  await getTools(screen);
  const host = await bootHost(screen, equipment);
  const minio = await startServer(screen, equipment);
  await deployTwice(screen, equipment, host, minio);
  const backup = await takeBackup(screen, host);
  // Everything up to this moment is in the backup, so it must be the same afterwards.
  const at = Math.floor(Date.parse(backup.newestSample) / 1000);
  const before = await loseData(screen, host, at);
  await restore(screen, host);
  await prove(screen, host, at, before);
  return host;
}

async function getTools(screen: Screen): Promise<void> {
  let note = "";
  await screen.step("getting the tools", async () => {
    const docker = await ensureDocker();
    const root = await ensurePulumi();
    const plugins = await ensurePlugins(root);
    await ensureMinio();
    await ensureImage(docker, hostSuite(), "debian");
    if (plugins.kind === "stand-in") {
      note = "Pulumi's provider plugins cannot be downloaded here: the test equipment's stand-ins do their work";
    }
    const pulumi = (await runOrThrow(`${root}/bin/pulumi`, ["version"])).trim().replace(/^v/, "");
    return `tools: Pulumi ${pulumi}, Docker ${await docker.output(["version", "--format", "{{.Server.Version}}"])}`;
  });
  if (note !== "") {
    screen.detail(note);
  }
}

async function bootHost(screen: Screen, equipment: Equipment): Promise<Host> {
  let started: Host | undefined;
  await screen.step(`booting the host ${HOST_NAME}`, async () => {
    const host = await equipment.startHost();
    started = host;
    const [build] = (await ask(host, ["/api/v1/status/buildinfo"])) as [{ version: string }];
    const debian = (await host.run("cut --delimiter . --fields 1 /etc/debian_version")).trim();
    const exporter = /version (\S+)/.exec(await host.run("prometheus-node-exporter --version 2>&1"))?.[1] ?? "";
    return `host ${HOST_NAME}: Debian ${debian}, Prometheus ${build.version}, node_exporter ${exporter}`.replaceAll(
      "+ds",
      "",
    );
  });
  if (started === undefined) {
    throw new Error("the host is gone");
  }
  const host = started;
  await screen.step("making a history", async () => {
    const days = 3;
    await makeHistory(host, { days, series: 200, intervalSeconds: 15 });
    screen.progress("waiting for two scrapes of every target");
    await waitUntil("Prometheus has scraped every target twice", 60, () => isScraped(host));
    const { blocks, series, samples } = await blocksOnDisk(host);
    return `history: ${days} days, ${series} series, ${rounded(samples)} samples in ${blocks} blocks`;
  });
  return host;
}

async function startServer(screen: Screen, equipment: Equipment): Promise<Minio> {
  let started: Minio | undefined;
  await screen.step("starting the S3 server", async () => {
    started = await equipment.startMinio();
    const bucket = bucketOfStack();
    await started.client().send(new CreateBucketCommand({ Bucket: bucket }));
    await started
      .client()
      .send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: "Enabled" } }));
    return `S3 server with bucket ${bucket}`;
  });
  if (started === undefined) {
    throw new Error("the S3 server is gone");
  }
  return started;
}

async function deployTwice(screen: Screen, equipment: Equipment, host: Host, minio: Minio): Promise<void> {
  const bucket = bucketOfStack();
  // What the host may do is what the component would allow it in AWS: its own directory, and no versions.
  const policy = renderHostPolicy({
    bucketArn: `arn:aws:s3:::${bucket}`,
    hostName: HOST_NAME,
    mayRead: [],
    mayPrune: true,
  });
  const user = await minio.addUser(HOST_NAME, JSON.parse(policy) as object);
  const starts = await serverStarts(host);
  const stack = await makeStack(screen, {
    ...stackSettings(host, minio.endpointForHosts, user),
    environment: minio.environment,
  });
  equipment.noteStack(stack);
  await screen.step("pulumi up", async () => {
    const { changes } = await stack.up();
    return `pulumi up: ${changes.create ?? 0} resources created, Prometheus restarted ${times((await serverStarts(host)) - starts)}`;
  });
  await screen.step("pulumi up again", async () => {
    const again = await serverStarts(host);
    const { changes, dials, output } = await stack.up();
    const changed = Object.keys(changes).filter(operation => operation !== "same");
    if (changed.length > 0 || dials.length > 0 || (await serverStarts(host)) !== again) {
      throw new Error(
        `nothing was to change, but there were ${dials.length} connections, and the engine says:\n${output}`,
      );
    }
    return `second pulumi up: no changes${stack.countsDials ? ", no connection" : ""}`;
  });
}

async function makeStack(
  screen: Screen,
  options: Pick<Parameters<typeof createTestStack>[0], "config" | "secrets" | "environment">,
): Promise<TestStack> {
  return createTestStack({
    program: () => Promise.resolve({ ...deploy() }),
    stack: "dev",
    ...options,
    onOutput: text => {
      const doing = /^\s*[+~@]\s+(\S+) (\S+) (.*)$/m.exec(text);
      if (doing !== null) {
        screen.progress(`pulumi up: ${doing[2] ?? ""} ${doing[3]?.replace(/\s+/g, " ") ?? ""}`);
      }
    },
  });
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

async function takeBackup(screen: Screen, host: Host): Promise<ListedBackup> {
  let taken: ListedBackup[] = [];
  await screen.step("taking a backup", async () => {
    const job = parseCronFile(await host.readFile(paths.cron));
    const finished = await runAsCron(host, job);
    if (finished.code !== 0) {
      throw new Error(
        `${job.command}\nended with ${finished.code}\n${finished.stderr}${await host.readFile(paths.log)}`,
      );
    }
    const listed = JSON.parse(await host.run(`${paths.hostCommand} list --json`)) as ListedBackup[];
    taken = listed.filter(backup => backup.complete && backup.name === listed[0]?.name);
    const [newest] = taken;
    if (newest === undefined) {
      throw new Error(`the run said it succeeded, but this is all there is: ${JSON.stringify(listed)}`);
    }
    return `backup by the cron entry's own command: ${newest.blocks} blocks, ${rounded(newest.sentBytes)}B sent`;
  });
  screen.detail(`in the repositories ${taken.map(backup => backup.repository).join(" and ")}: ${taken[0]?.name ?? ""}`);
  await showMetrics(screen, host);
  return taken[0] as ListedBackup;
}

async function showMetrics(screen: Screen, host: Host): Promise<void> {
  const name = "prometheus_backup_last_success_timestamp_seconds";
  let value = "";
  await waitUntil(`node_exporter serves ${name}`, 10, async () => {
    const page = await host.run("curl --silent --show-error http://127.0.0.1:9100/metrics");
    value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(page)?.[1] ?? "";
    return value !== "";
  });
  screen.detail(`node_exporter serves ${name} ${Number(value).toFixed(0)}`);
  const states = await alertStates(host);
  if (states.length === 0) {
    throw new Error("Prometheus has loaded no alert rules");
  }
  const firing = states.filter(state => state === "firing").length;
  screen.detail(`Prometheus has loaded ${states.length} alert rules, ${firing === 0 ? "none" : firing} of them firing`);
}

/** Takes the measure of the server, then deletes its data and the local copy of the backup. */
async function loseData(screen: Screen, host: Host, at: number): Promise<Measured> {
  let before: Measured | undefined;
  await screen.step("deleting the data", async () => {
    before = await measure(host, at);
    const { dataDirectory, prometheusUnit } = host.paths;
    await host.run(`rm -rf -- ${dataDirectory} /backup/prometheus/* && systemctl restart ${prometheusUnit}`);
    await waitForPrometheus(host);
    const after = await measure(host, at);
    if (before.samples === 0 || after.series !== 0) {
      throw new Error(`this is no disaster: ${before.series} series before, ${after.series} after`);
    }
    return "disaster: data directory and local backups deleted";
  });
  if (before === undefined) {
    throw new Error("nothing was measured");
  }
  screen.detail(`Prometheus serves 0 of ${exact(before.series)} series`);
  return before;
}

async function restore(screen: Screen, host: Host): Promise<void> {
  let fetched = "";
  await screen.step("restoring", async () => {
    const command = `${paths.hostCommand} restore latest --yes`;
    const finished = await host.exec(command);
    const [, blocks, downtime] = /^Restored \S+ (\d+) blocks.*downtime (\S+ m?s)/m.exec(finished.stderr) ?? [];
    if (finished.code !== 0 || blocks === undefined || downtime === undefined) {
      throw new Error(`${command}\nended with ${finished.code}\n${finished.stdout}${finished.stderr}`);
    }
    fetched = /^ +fetch +(.*? from \w+)/m.exec(finished.stderr)?.[1] ?? "";
    return `restore latest: ${blocks} blocks, downtime ${downtime}`;
  });
  screen.detail(`fetched ${fetched}`);
}

async function prove(screen: Screen, host: Host, at: number, before: Measured): Promise<void> {
  let text = "";
  await screen.step("comparing", async () => {
    const after = await measure(host, at);
    const different = differentAnswers(before, after);
    text =
      `${exact(after.series)} of ${exact(before.series)} series, ` +
      `${exact(after.samples)} of ${exact(before.samples)} samples, ${numberOfQueries - different.length} of ${numberOfQueries} queries equal`;
    if (after.series !== before.series || after.samples !== before.samples || different.length > 0) {
      throw new Error([text, ...different.map(query => `different: ${query}`)].join("\n"));
    }
    return "proof: everything is as it was before the disaster";
  });
  screen.detail(text);
}
