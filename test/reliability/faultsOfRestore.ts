// F13 to F20: what can go wrong on the way back.
import { fails, serves, succeeds, type Fault } from "./check";
import { comesTrue } from "./stage";

const identity = (directory: string) => `stat -c %i ${directory}/$(ls ${directory} | grep '^01' | head -n 1)`;

export const faultsOfRestore: Fault[] = [
  {
    id: "F13",
    fault: "the server cannot be stopped",
    required: "refused, its data directory as it was",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      await stage.host.writeFile(
        "/etc/systemd/system/prometheus.service.d/stay.conf",
        "[Unit]\nRefuseManualStop=yes\n",
      );
      await stage.run("systemctl daemon-reload");
      const before = await stage.run(identity(stage.dataDirectory));
      const ran = await candidate.restore();
      const same = (await stage.host.exec(identity(stage.dataDirectory))).stdout === before;
      return [
        fails(ran),
        {
          ok: same,
          seen: same ? "the data directory is untouched" : "swaps the data directory of a running server",
          vital: true,
        },
        await serves(stage, all, 10),
      ];
    },
  },
  {
    id: "F14",
    fault: "the backup is older than the server's retention",
    required: "refused, unless the loss is accepted",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      await stage.loseData({ flags: ["--storage.tsdb.retention.time=1d"] });
      const ran = await candidate.restore();
      await stage.ready();
      const loses =
        ran.code === 0 && (await comesTrue("blocks vanish", 150, async () => (await stage.samples()) < all));
      const served = Math.floor((100 * (await stage.samples())) / all);
      return [
        fails(ran, false),
        {
          ok: !loses,
          seen: loses
            ? `minutes later ${100 - served} % of the samples are deleted again, without a word`
            : "nothing vanishes",
          vital: true,
        },
      ];
    },
  },
  {
    id: "F15",
    fault: "the backup has blocks that end in the future",
    required: "refused: the server could not scrape any more",
    async try(stage, candidate, { future }) {
      await stage.run("systemctl stop prometheus");
      await stage.unpack(await future());
      await stage.serve();
      await candidate.backup();
      await stage.loseData();
      const ran = await candidate.restore();
      await stage.ready();
      const count = () => stage.query("sum(count_over_time(up[5m]))");
      const start = await count();
      const scrapes = await comesTrue("the server scrapes", 60, async () => (await count()) > start + 1);
      return [
        fails(ran, false),
        { ok: scrapes, seen: scrapes ? "the server goes on scraping" : "no scrape is stored any more", vital: true },
      ];
    },
  },
  {
    id: "F16",
    fault: "no room for the restored data beside today's",
    required: "refused, every sample still served",
    stage: { dataDisk: "1g" },
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      await stage.fill("/data", 2 * 1024 * 1024);
      const ran = await candidate.restore();
      await stage.run("rm -f /data/fill");
      return [fails(ran), await serves(stage, all, 30)];
    },
  },
  {
    id: "F17",
    fault: "kill -9 while a restore unpacks, then the server starts",
    required: "the old data are served, never half of the new ones",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      const unpacking = `find /var/lib/prometheus* -path '*/chunks/000001' -newer /run/mark | grep -q .`;
      await stage.run("touch /run/mark");
      const killed = await stage.killWhen(await candidate.restoreCommand(), unpacking);
      await stage.run("systemctl stop prometheus; systemctl start prometheus");
      await comesTrue("the server is up", 60, () => stage.ready(60).then(() => true));
      return [{ ok: killed, seen: killed ? "killed" : "was too quick to be killed" }, await serves(stage, all, 60)];
    },
  },
  {
    id: "F18",
    fault: "a block of the live TSDB is gone",
    required: "just that block comes back, the server runs on",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      const block = (await stage.blocks())[3] ?? "";
      await stage.run(`rm -rf ${stage.dataDirectory}/${block} && systemctl restart prometheus`);
      await stage.ready();
      const process = await stage.process();
      const ran = await candidate.heal(block);
      const same = (await stage.process()) === process;
      return [
        succeeds(ran, "the repair"),
        await serves(stage, all, 90),
        { ok: same, seen: same ? "no restart" : "stops the server" },
      ];
    },
  },
  {
    id: "F19",
    fault: "the data come back into a running server",
    required: "served within two minutes, without a restart",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      await stage.loseData();
      const process = await stage.process();
      const ran = await candidate.merge();
      const same = (await stage.process()) === process;
      return [
        succeeds(ran, "bringing back"),
        await serves(stage, all, 120),
        { ok: same, seen: same ? "no restart" : "stops the server" },
      ];
    },
  },
  {
    id: "F20",
    fault: "the proof that a damaged backup can be restored",
    required: "green for a good one, red for a damaged one",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      const good = await candidate.drill();
      await stage.flip(await stage.largest("/backup"));
      const bad = await candidate.drill();
      const drills = good?.code === 0 && bad?.code === 9;
      const seen =
        good === undefined
          ? "there is no trial"
          : `drill: ${good.code} on the good one, ${bad?.code ?? 0} on the damaged one`;
      await stage.loseData();
      const ran = await candidate.restore();
      await stage.ready();
      const served = Math.floor((100 * (await stage.samples())) / all);
      const silent = ran.code === 0 && served < 100;
      return [
        { ok: drills, seen },
        {
          ok: !silent,
          seen: silent
            ? `the restore ends with exit code 0 and ${served} % of the samples`
            : `the restore says so (exit code ${ran.code})`,
          vital: true,
        },
      ];
    },
  },
];
