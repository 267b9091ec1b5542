// What others do to a backup: a clone of the machine, a server of files that has gone away, somebody who can write
// where the backups lie.
import path from "node:path";
import { HANGING_MOUNT } from "../tools/hangingMount";
import { sealed } from "../tools/manifest";
import { waitUntil } from "../tools/process";
import type { Candidate } from "./candidates";
import { alerted, fails, serves, succeeds, type Check, type Fault } from "./check";
import type { Stage } from "./stage";

const STATE = "/var/lib/prometheus-backup";
/** After so long somebody brings the mount back, or nothing would ever end. */
const PATIENCE_SECONDS = 150;

/** Puts a device, such as the host's memory, into the newest backup, as whoever can write there could. */
async function addDevice(stage: Stage, candidate: Candidate): Promise<void> {
  await stage.run("mkdir -p /srv/forged");
  const pack = (archive: string, folder: string): string =>
    `cd /srv/forged && tar -xf ${archive} && mknod ${folder}/chunks/000002 c 1 1`;
  if (candidate.kind === "course") {
    const newest = (await candidate.stored()).at(-1)?.name ?? "";
    await stage.run(
      `${pack(newest, `$(tar -tzf ${newest} | grep -m 1 -o '^[^/]*/01[0-9A-Z]*')`)} && tar -czf ${newest} *`,
    );
    return;
  }
  const host = "/backup/prometheus/stage";
  const manifest = JSON.parse(await stage.run("/usr/local/bin/prometheus-backup.sh show latest --json")) as {
    name: string;
    blocks: Record<string, unknown>[];
  };
  const block = manifest.blocks[0] ?? {};
  const [object, ulid] = [`${host}/${String(block.object)}`, String(block.ulid)];
  await stage.run(`${pack(object, ulid)} && tar -c ${ulid} | zstd -q -f -o ${object}`);
  const facts = await stage.run(`stat -c %s ${object}; sha256sum ${object} | cut -d ' ' -f 1`);
  const [bytes = "", sha256 = ""] = facts.split("\n");
  Object.assign(block, { objectBytes: Number(bytes), objectSha256: sha256 });
  await stage.run(`rm ${host}/backups/${manifest.name}.*`);
  await stage.host.writeFile(path.join(host, "backups", `${manifest.name}.json`), sealed(manifest), {
    owner: "prometheus:prometheus",
  });
}

/** It ends although nobody answers, long before somebody comes. */
function endsByItself(seconds: number, code: number): Check {
  const ended = seconds < PATIENCE_SECONDS;
  const seen = ended
    ? `exit code ${code} after ${Math.round(seconds)} s`
    : `never ends (let go after ${PATIENCE_SECONDS} s)`;
  return { ok: ended && code !== 0, seen, vital: true };
}

export const faultsOfOthers: Fault[] = [
  {
    id: "F34",
    fault: "a clone of the machine, with its identity, its name and its state, backs up to the same place",
    required: "refused; nothing of the original is touched",
    async try(stage, candidate) {
      await candidate.backup();
      await stage.run(`if [[ -d ${STATE} ]]; then cp -a ${STATE} /srv/state; fi`);
      await candidate.backup();
      const before = (await candidate.stored()).length;
      await stage.run(`if [[ -d /srv/state ]]; then rm -rf ${STATE} && mv /srv/state ${STATE}; fi`);
      const ran = await candidate.backup();
      const mixed = (await candidate.stored()).length > before;
      return [
        fails(ran, false),
        { ok: !mixed, seen: mixed ? "backups of both machines lie mixed" : "nothing is written" },
      ];
    },
  },
  {
    id: "F35",
    fault: "the server of files behind the repository goes away: whoever touches the mount hangs in the kernel",
    required: "ends by itself, red, tells; the next run works once the mount is back",
    stage: { fuse: true },
    async try(stage, candidate) {
      await candidate.backup();
      await stage.host.writeFile("/srv/hang.pl", HANGING_MOUNT);
      await stage.run("mkdir -p /srv/behind && cp -a /backup/prometheus /srv/behind/");
      await stage.run('systemd-run --quiet --unit hanging perl /srv/hang.pl /backup/prometheus "$(uname -m)"');
      await waitUntil(
        "the mount hangs",
        20,
        async () => (await stage.run("grep -c '^hang ' /proc/mounts || true")).trim() === "1",
      );
      const back = setTimeout(
        () => void stage.run("systemctl stop hanging; umount --lazy /backup/prometheus"),
        PATIENCE_SECONDS * 1000,
      );
      const ran = await candidate.backup();
      clearTimeout(back);
      const told = await alerted(candidate, ran);
      await stage.run("systemctl stop hanging; umount --lazy /backup/prometheus 2>/dev/null || true");
      return [endsByItself(ran.seconds, ran.code), told, succeeds(await candidate.backup(), "the next run")];
    },
  },
  {
    id: "F36",
    fault: "whoever can write the repository puts a device into the newest backup, which is restored",
    required: "refused; no device in the data directory; every sample is served",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      await addDevice(stage, candidate);
      const ran = await candidate.restore();
      const devices = (await stage.run(`find ${stage.dataDirectory} -type b -o -type c`)).trim() !== "";
      return [
        fails(ran),
        { ok: !devices, seen: devices ? "the server's user owns the host's memory" : "no device", vital: true },
        await serves(stage, all),
      ];
    },
  },
];
