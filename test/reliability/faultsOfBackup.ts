// F1 to F12: what can go wrong while a backup is taken.
import { lines } from "../hostCommand/server";
import { alerted, fails, noHalfBackup, noSnapshot, succeeds, type Fault } from "./check";
import { comesTrue } from "./stage";

const repositoryGrows = "find /backup -type f -size +0 | grep -q .";

export const faultsOfBackup: Fault[] = [
  {
    id: "F1",
    fault: "Prometheus hangs",
    required: "ends red, in bounded time, and tells",
    async try(stage, candidate) {
      await stage.run("systemctl kill --signal=STOP prometheus");
      const ran = await candidate.backup({ seconds: 180 });
      await stage.run("systemctl kill --signal=CONT prometheus");
      return [fails(ran), await alerted(candidate, ran)];
    },
  },
  {
    id: "F2",
    fault: "admin API off",
    required: "red before any work, names the flag",
    stage: { adminApi: false },
    async try(_, candidate) {
      const ran = await candidate.backup();
      const named = ran.output.includes("web.enable-admin-api");
      return [
        fails(ran),
        { ok: named, seen: named ? "names the flag" : "does not name the flag" },
        await alerted(candidate, ran),
      ];
    },
  },
  {
    id: "F3",
    fault: "the answer's snapshot name leads to a live block",
    required: "the name is never used as a path",
    async try(stage, candidate, { hostileServer }) {
      const [block = ""] = await stage.blocks();
      await candidate.configure({ url: await hostileServer(stage, `../${block}`) });
      const ran = await candidate.backup();
      const there = (await stage.blocks()).includes(block);
      return [
        fails(ran),
        { ok: there, seen: there ? "the block is untouched" : "deletes the live block", vital: true },
      ];
    },
  },
  {
    id: "F4",
    fault: "the data disk is full when the snapshot is taken",
    required: "red, tells, no partial snapshot stays",
    stage: { dataDisk: "1g" },
    async try(stage, candidate) {
      // Without samples in the head the snapshot is all hard links, which still fit.
      await stage.scraped();
      await stage.fill("/data", 64 * 1024);
      const ran = await candidate.backup();
      return [fails(ran), await noSnapshot(stage), await alerted(candidate, ran)];
    },
  },
  {
    id: "F5",
    fault: "kill -9 while data is written, then a good run",
    required: "no half backup; the next run clears up",
    async try(stage, candidate) {
      const killed = await stage.killWhen(candidate.command, repositoryGrows);
      const half = await noHalfBackup(candidate);
      const next = await candidate.backup();
      return [
        { ok: killed, seen: killed ? "killed" : "was too quick to be killed" },
        half,
        succeeds(next, "the next run"),
        await noSnapshot(stage),
      ];
    },
  },
  {
    id: "F6",
    fault: "a second run starts while one runs",
    required: "the second ends at once, without a snapshot",
    async try(stage, candidate) {
      // The first one is stopped in the middle, so that both are there at once however quick they are.
      await stage.run(`
        setsid ${candidate.command} >/dev/null 2>&1 & pid=$!
        until ${repositoryGrows}; do kill -0 $pid || exit 9; done
        kill -STOP -- -$pid; echo $pid >/run/first`);
      const snapshots = (await stage.snapshots()).length;
      const second = await candidate.backup({ seconds: 60 });
      const more = (await stage.snapshots()).length > snapshots || second.code === 0;
      await stage.run("kill -CONT -- -$(cat /run/first)");
      return [fails(second, false), { ok: !more, seen: more ? "both take snapshots and write" : "no second snapshot" }];
    },
  },
  {
    id: "F7",
    fault: "the repository is full in the middle of a run",
    required: "red, tells; no half backup, no snapshot left",
    stage: { backupDisk: "2m" },
    async try(stage, candidate) {
      const ran = await candidate.backup();
      return [fails(ran), await noHalfBackup(candidate), await noSnapshot(stage), await alerted(candidate, ran)];
    },
  },
  {
    id: "F8",
    fault: "one bit flips in the repository, at the same size",
    required: "a check finds it, the next run mends it",
    async try(stage, candidate) {
      const first = await candidate.backup();
      await stage.flip(await stage.largest("/backup"));
      const verified = await candidate.verify();
      const again = await candidate.backup();
      const mended = (await candidate.stored()).every(({ whole }) => whole);
      return [
        succeeds(first, "the backup"),
        {
          ok: verified?.code === 9,
          seen: verified === undefined ? "nothing checks" : `verify: exit code ${verified.code}`,
          vital: true,
        },
        { ok: again.code === 0 && mended, seen: mended ? "mended by the next run" : "stays damaged" },
      ];
    },
  },
  {
    id: "F9",
    fault: "series deleted between two backups",
    required: "each backup brings back what was visible when it was taken",
    async try(stage, candidate) {
      const deleted = 'sum(count_over_time(history_requests_total{path="/p0"}[10d] offset -1d))';
      const [all, gone] = [await stage.samples(), await stage.query(deleted)];
      await candidate.backup();
      await stage.run(
        `curl -fsS -X POST --globoff 'http://127.0.0.1:9090/api/v1/admin/tsdb/delete_series?match[]=history_requests_total{path="/p0"}'`,
      );
      await candidate.backup();
      const [older, newer] = await candidate.stored();
      await candidate.restore(newer?.name);
      await stage.ready();
      const after = [await stage.samples(), await stage.query(deleted)];
      await candidate.restore(older?.name);
      await stage.ready();
      const before = [await stage.samples(), await stage.query(deleted)];
      const kept = before[0] === all && before[1] === gone;
      const away = after[0] === all - gone && after[1] === 0;
      return [
        { ok: kept, seen: kept ? "the older one has the series" : "the older one lacks samples", vital: true },
        { ok: away, seen: away ? "the newer one does not" : "the newer one is wrong", vital: true },
      ];
    },
  },
  {
    id: "F10",
    fault: "blocks are merged between two backups",
    required: "both come back exactly",
    async try(stage, candidate) {
      const all = await stage.samples();
      await candidate.backup();
      const blocks = (await stage.blocks()).length;
      await stage.serve({ compaction: true });
      const merged = await comesTrue("blocks are merged", 180, async () => (await stage.blocks()).length < blocks);
      await candidate.backup();
      const same: boolean[] = [];
      for (const { name } of (await candidate.stored()).reverse()) {
        await candidate.restore(name);
        await stage.ready();
        same.push((await stage.samples()) === all);
      }
      const ok = merged && same.length === 2 && same.every(Boolean);
      return [
        { ok, seen: ok ? "both come back exactly" : `merged: ${merged}; equal: ${same.join(", ")}`, vital: true },
      ];
    },
  },
  {
    id: "F11",
    fault: "the TSDB has been emptied, the good backups are old",
    required: "kept apart and alerted; no good backup deleted for it",
    async try(stage, candidate) {
      const old =
        candidate.kind === "project"
          ? "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=-40d"
          : "";
      await candidate.backup({ environment: old });
      await stage.run("find /backup -type f -exec touch --date '40 days ago' {} +");
      await stage.loseData();
      await comesTrue("the server has scraped something", 60, async () => (await stage.query("count(up)")) > 0);
      const ran = await candidate.backup();
      const kept = (await candidate.stored()).length;
      const metrics = await candidate.metrics();
      const told = ran.code !== 0 || metrics.get("suspect") === 1;
      const lost = kept < (ran.code === 0 ? 2 : 1);
      return [
        { ok: !lost, seen: lost ? "deletes the good backup" : "the good backup stays", vital: true },
        {
          ok: told,
          seen: told
            ? ran.code === 0
              ? "alerted as suspect"
              : `exit code ${ran.code}`
            : "exit code 0, nothing is said",
        },
      ];
    },
  },
  {
    id: "F12",
    fault: "a restored clone writes to its source's directory",
    required: "the second machine is refused",
    async try(stage, candidate) {
      await candidate.backup();
      await stage.run(
        "tr 0-9a-f f0-9a-e </etc/machine-id >/run/machine-id.new && cat /run/machine-id.new >/etc/machine-id",
      );
      const files = lines(await stage.run("find /backup -type f")).length;
      const ran = await candidate.backup();
      const more = lines(await stage.run("find /backup -type f")).length > files;
      return [
        fails(ran, false),
        { ok: !more, seen: more ? "backups of both machines lie mixed" : "nothing is written" },
      ];
    },
  },
];
