// F27 to F30: hostile text, secrets, clocks, full disks.
import { alerted, fails, noHalfBackup, type Fault } from "./check";

const secret = "throw-away-4711";
/** bcrypt of the secret. */
const hash = "$2b$10$LzbAjnu7e.dbE0pSYJ497.3uIiGUOFje/1t9y0EL4Its0uEQOF5PC";

export const faultsOfHost: Fault[] = [
  {
    id: "F27",
    fault: "a directory named `it's $(touch /srv/executed) Ü`",
    required: "arrives byte for byte, is never executed",
    async try(stage, candidate) {
      const directory = "/backup/it's $(touch /srv/executed) Ü";
      await candidate.configure({ directory });
      if (candidate.kind === "project") {
        await stage.run(`install -d -o prometheus -g prometheus "/backup/it's \\$(touch /srv/executed) Ü"`);
      }
      await candidate.backup();
      const executed = (await stage.host.exec("test -e /srv/executed")).code === 0;
      const files = await stage.run(`find "/backup/it's \\$(touch /srv/executed) Ü" -type f 2>/dev/null | wc -l`);
      const there = Number(files) > 0;
      return [
        { ok: !executed, seen: executed ? "is executed" : "is not executed", vital: true },
        { ok: there, seen: there ? "the backup lies there" : "the backup lies elsewhere or nowhere" },
      ];
    },
  },
  {
    id: "F28",
    fault: "the server asks for a password",
    required: "the password is in no argument list and no log",
    async try(stage, candidate) {
      await stage.host.writeFile("/etc/prometheus/web.yml", `basic_auth_users: { admin: "${hash}" }\n`);
      const unit = await stage.host.readFile("/etc/systemd/system/prometheus.service");
      await stage.host.writeFile(
        "/etc/systemd/system/prometheus.service",
        unit.replace("--web.enable-admin-api", "--web.enable-admin-api --web.config.file /etc/prometheus/web.yml"),
      );
      await stage.run("systemctl daemon-reload && systemctl restart prometheus");
      await stage.run(
        `for try in $(seq 100); do curl -fs -u admin:${secret} http://127.0.0.1:9090/-/ready && exit; sleep 0.3; done; exit 1`,
      );
      await candidate.configure({ login: { user: "admin", password: secret } });
      // Looks at every process until the run is over; it must not find itself.
      const watch = stage.host.exec(
        `for look in $(seq 100000); do [[ -e /run/over ]] && break; cat /proc/[0-9]*/cmdline; done 2>/dev/null | tr '\\0' ' ' | grep -c '[t]hrow-away-4711'`,
      );
      const ran = await candidate.backup();
      await stage.run("touch /run/over");
      const log = await stage.host.exec(`grep -rl '[t]hrow-away-4711' /var/log /backup`);
      const shown = Number((await watch).stdout) > 0 || log.stdout !== "";
      const works = ran.code === 0;
      return [
        { ok: works, seen: works ? "the backup works" : `exit code ${ran.code}` },
        {
          ok: !shown,
          seen: shown ? "every user of the host can read the password (ps)" : "the password is nowhere to be seen",
          vital: true,
        },
      ];
    },
  },
  {
    id: "F29",
    fault: "the clock runs ahead by forty days for one run",
    required: "no backup deleted by a wrong clock",
    async try(_, candidate) {
      await candidate.backup();
      await candidate.backup({
        environment: "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=+40d NO_FAKE_STAT=1",
      });
      const kept = (await candidate.stored()).length;
      return [
        {
          ok: kept === 2,
          seen:
            ["every backup is deleted, the new one too", "the good backup is deleted", "both backups are there"][
              kept
            ] ?? "",
          vital: true,
        },
      ];
    },
  },
  {
    id: "F30",
    fault: "the repository is on the server's own disk, which is nearly full",
    required: "red; the server's disk is not filled to the last byte",
    stage: { dataDisk: "1g" },
    async try(stage, candidate) {
      await stage.run("install -d -o prometheus -g prometheus /data/backup");
      await candidate.configure({ directory: "/data/backup" });
      await stage.fill("/data", 3 * 1024 * 1024);
      const free = async () => Number(await stage.run("df --output=avail -B1 /data | tail -n 1"));
      const ran = await candidate.backup();
      const left = await free();
      return [
        fails(ran),
        {
          ok: left > 1024 * 1024,
          seen: left > 1024 * 1024 ? "the server keeps its room" : `${left} bytes are left for the server`,
          vital: true,
        },
        await noHalfBackup(candidate),
        await alerted(candidate, ran),
      ];
    },
  },
];
