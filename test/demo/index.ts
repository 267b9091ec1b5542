// `npm run demo`: the main job of this project in a few minutes, on real parts that are thrown away afterwards.
import { parseArgs } from "node:util";
import path from "node:path";
import { ensureDocker } from "../hosts/docker";
import type { Host } from "../hosts/host";
import { cacheDirectory, listenToEquipment } from "../tools/cache";
import { Equipment, removeDemo } from "./equipment";
import { Screen, StepFailed } from "./screen";
import { tellStory } from "./story";

const USAGE = `Usage: npm run demo [-- --keep | --stop]
  --keep   leaves host and S3 server running, to look around
  --stop   removes what --keep left
`;

const screen = new Screen();
let isInterrupted = false;

async function main(): Promise<number> {
  let values: { keep?: boolean; stop?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      options: { keep: { type: "boolean" }, stop: { type: "boolean" }, help: { type: "boolean" } },
    }));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  return values.stop === true ? stop() : demo(values.keep === true);
}

async function stop(): Promise<number> {
  listenToEquipment(() => undefined);
  screen.line((await removeDemo()) ? "The demo is removed." : "No demo is running.");
  await (await ensureDocker()).release();
  return 0;
}

async function demo(keep: boolean): Promise<number> {
  const start = Date.now();
  const equipment = new Equipment(keep);
  listenToEquipment(() => undefined);
  screen.line("prometheus-backup demo: a throw-away Debian host, a real Prometheus, a real S3 server.");
  screen.line();
  await equipment.claim();
  const interrupted = catchSignals();
  let code = 0;
  try {
    const host = await Promise.race([tellStory(screen, equipment), interrupted]);
    screen.line();
    screen.line(`Everything is back, after ${Math.round((Date.now() - start) / 1000)} s.`);
    sayWhereNext(host, keep);
  } catch (error) {
    code = report(error);
  }
  if (isInterrupted) {
    screen.line();
    screen.line("Interrupted; removing what was started.");
    await screen.stop();
  }
  await finish(equipment, keep && !isInterrupted, code);
  return code;
}

/** Rejects at the first signal; later ones do nothing, because the clean-up is under way then. */
function catchSignals(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (!isInterrupted) {
          isInterrupted = true;
          reject(new Error(signal));
        }
      });
    }
  });
}

function report(error: unknown): number {
  if (isInterrupted) {
    return 130;
  }
  screen.failed(error instanceof StepFailed ? error : new StepFailed("the demo itself", error));
  return 1;
}

function sayWhereNext(host: Host, keep: boolean): void {
  screen.line();
  if (keep) {
    const key = path.join(cacheDirectory("ssh"), "id_ed25519");
    const options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    screen.line(
      "Look around:             " + `ssh -p ${host.sshPort} -i ${key} ${options} ${host.user}@${host.sshHost}`,
    );
    screen.line(
      "  there, for example:    sudo prometheus-backup.sh list; sudo prometheus-backup.sh restore latest --plan",
    );
    screen.line("Stop it:                 npm run demo -- --stop");
  } else {
    screen.line("Look around in it:       npm run demo -- --keep");
  }
  screen.line('Your own first host:     README.md, "Your first host"');
}

async function finish(equipment: Equipment, keep: boolean, code: number): Promise<void> {
  const docker = await ensureDocker();
  if (keep) {
    equipment.leave();
    if (code !== 0) {
      screen.line("Host and S3 server are left running for a look. Remove them: npm run demo -- --stop");
    }
  } else {
    await removeDemo();
  }
  await docker.release();
}

main()
  .then(code => {
    // The story may still wait for something that is gone by now.
    process.exit(code);
  })
  .catch((error: unknown) => {
    process.stderr.write(`demo: error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
