import { expect, test } from "vitest";
import { renderCron } from "../../components/backupJob/cron";
import { parseCronFile } from "./cron";

test("the file that is installed begins with the backup and its environment", () => {
  expect(
    parseCronFile(
      renderCron("prometheus", [
        { schedule: "17 */2 * * *", command: "run" },
        { schedule: "5 * * * *", command: "hold" },
      ]),
    ),
  ).toEqual({
    environment: { SHELL: "/bin/sh", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    schedule: "17 */2 * * *",
    user: "prometheus",
    command: "/usr/local/bin/prometheus-backup.sh run >> /var/log/prometheus-backup.log 2>&1",
  });
});

test("a nickname is a schedule, and a file without a job is refused", () => {
  expect(parseCronFile("@daily root /bin/true\n")).toEqual({
    environment: {},
    schedule: "@daily",
    user: "root",
    command: "/bin/true",
  });
  expect(() => parseCronFile("SHELL=/bin/sh\n")).toThrow("no job of cron");
});
