// Damage that a backup meets without any other sign: on the live disk, and where the repository should be.
import { lines } from "../hostCommand/server";
import type { Ran } from "./candidates";
import { alerted, fails, serves, type Check, type Fault } from "./check";
import type { Stage } from "./stage";

/** The course names its archives by the clock as well, but goes by the age of their files. */
const FORTY_DAYS_AGO = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=-40d";

/** The run says that something is wrong with the blocks of the server. */
function tells(ran: Ran): Check {
  const ok = ran.code !== 0 && ran.code !== 124;
  return { ok, seen: ok ? `exit code ${ran.code} says so` : "exit code 0, nothing is said", vital: true };
}

/** What is done while the server is stopped, as a fault of the disk would be met after a start. */
async function whileStopped(stage: Stage, command: string): Promise<void> {
  await stage.run(`systemctl stop prometheus && cd ${stage.dataDirectory} && ${command} && systemctl start prometheus`);
  await stage.ready();
}

/** A block in the middle of the history. */
async function middleBlock(stage: Stage): Promise<string> {
  const blocks = await stage.blocks();
  return blocks[Math.floor(blocks.length / 2)] ?? "";
}

export const faultsOfBlocks: Fault[] = [
  {
    id: "F31",
    fault: "a chunk file of a stored block is cut on the live disk, and the next backup is taken",
    required: "told at once; the new backup brings every sample back",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      const chunks = `${await middleBlock(stage)}/chunks/000001`;
      await whileStopped(stage, `truncate --size=$(( $(stat -c %s ${chunks}) * 2 / 3 )) ${chunks}`);
      const ran = await candidate.backup();
      await candidate.restore();
      return [tells(ran), await serves(stage, all)];
    },
  },
  {
    id: "F32",
    fault: "a block vanishes from the live TSDB, and backups go on until the last one that holds it is old",
    required: "told; its only copy is not deleted and comes back",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup({ environment: candidate.kind === "project" ? FORTY_DAYS_AGO : "" });
      await stage.run("find /backup -type f -exec touch --date '40 days ago' {} +");
      const block = await middleBlock(stage);
      await whileStopped(stage, `rm -rf ${block}`);
      const ran = await candidate.backup();
      const kept = (await candidate.stored()).length > 1;
      await candidate.heal(block);
      return [
        tells(ran),
        { ok: kept, seen: kept ? "its copy stays" : "deletes the backup that holds it", vital: true },
        await serves(stage, all),
      ];
    },
  },
  {
    id: "F33",
    fault: "the disk of the repository is not mounted: its mount point is there and empty",
    required: "red, tells; nothing is written in its place",
    async try(stage, candidate) {
      await candidate.backup();
      const empty = "install -d -o prometheus -g prometheus /backup/prometheus";
      await stage.run(`mv /backup/prometheus /backup/unmounted && ${empty}`);
      const ran = await candidate.backup();
      const written = lines(await stage.run("find /backup/prometheus -type f")).length > 0;
      return [
        fails(ran, false),
        { ok: !written, seen: written ? "a backup lies below the mount point" : "nothing is written" },
        await alerted(candidate, ran),
      ];
    },
  },
];
