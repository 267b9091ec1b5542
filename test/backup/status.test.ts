// Where a host stands: the verdict of status, and the part of check that ends at a person.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { CronExpressionParser } from "cron-parser";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { localCalendar } from "../../components/fields/calendar";
import { DataDirectory } from "./dataDirectory";

const data = new DataDirectory();
afterAll(() => data.shell.remove());

const HOUR = 3600;
const DAY = 24 * HOUR;
const CRON =
  "SHELL=/bin/sh\n# 1 1 * * * prometheus /usr/local/bin/prometheus-backup.sh run\n0 2 * * * prometheus /usr/local/bin/prometheus-backup.sh >> /var/log/prometheus-backup.log 2>&1\n7 4 * * 0 prometheus /usr/local/bin/prometheus-backup.sh drill --sample 7 >> /var/log/prometheus-backup.log 2>&1\n";
/** A host with this unit of cron. */
const hostCron = (loaded: string, active: string): string => `systemctl() {
  case "$1 \${*: -1}" in
    "show ${loaded}") echo loaded ;;
    "is-active ${active}") return 0 ;;
    *) return 1 ;;
  esac
}
has_cron_process() { false; }\n`;
/** The entry of cron, and its daemon. */
const cron = `CRON_FILE="$PWD/cron"\n${hostCron("bcron-sched.service", "bcron-sched.service")}`;

const configure = (more: Record<string, string> = {}) =>
  data.configure({
    TEXTFILE_DIR: data.at("textfiles"),
    RUN_CALENDAR: "*-*-* 02:00:00",
    DRILL_CALENDAR: "Sun *-*-* 04:07:00",
    ...more,
  });

beforeAll(() => {
  data.block(1);
  fs.mkdirSync(data.at("textfiles"));
  configure();
});

/** What runs and drills have noted, with times as seconds ago. */
function noted(values: Record<string, number>, ages: Record<string, number> = {}): void {
  const now = Math.floor(Date.now() / 1000);
  const rows = [...Object.entries(values), ...Object.entries(ages).map(([name, age]) => [name, now - age])];
  fs.writeFileSync(data.at("state/metrics.state"), rows.map(([name, value]) => `${name}\t${value}\n`).join(""));
}

const GOOD = { last_exit_code: 0, last_duration_seconds: 12, "repository_last_exit_code|repository=local": 0 };
const AGES = {
  last_run_timestamp_seconds: 7.5 * HOUR,
  last_success_timestamp_seconds: 7.5 * HOUR,
  drill_last_success_timestamp_seconds: 3 * DAY,
};

beforeEach(() => {
  fs.writeFileSync(data.at("cron"), CRON);
  noted(GOOD, AGES);
});

describe("status begins with a verdict", () => {
  const status = (more = "") => data.call("status", cron + more).stdout.split("\n");

  test("PROTECTED, with ages, the next run and the last good drill", () => {
    const [verdict, ...rows] = status();
    expect(verdict).toBe("prom-1: PROTECTED: the last good backup is 7 h 30 min old");
    expect(rows.slice(0, 5)).toEqual([
      expect.stringMatching(/^ {2}last good {3}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, 7 h 30 min ago$/),
      expect.stringMatching(/^ {2}last run {4}\S+ \S+ UTC, 7 h 30 min ago, good, took 12 s$/),
      expect.stringMatching(/^ {2}next run {4}\S+ \d\d:00:00 UTC, in .+$/),
      expect.stringMatching(/^ {2}good drill {2}\S+ \S+ UTC, 3 d ago; the next: \S+ \S+ UTC, in .+$/),
      "  good verify never, as far as this host knows",
    ]);
  });

  test("a drill that failed is not passed over: what is shown is the last good one", () => {
    const ages = { last_run_timestamp_seconds: HOUR, last_success_timestamp_seconds: HOUR };
    noted({ ...GOOD, verify_last_exit_code: 9 }, ages);
    expect(status().filter(row => row.includes("drill"))).toEqual([
      expect.stringMatching(/^prom-1: NOT PROTECTED: the last verification or drill failed /),
      expect.stringMatching(/^ {2}good drill {2}never, as far as this host knows; /),
    ]);
  });

  test.each([
    ["no run", {}, {}, "no run has ended on this host yet"],
    [
      "a failed run",
      { ...GOOD, last_exit_code: 8, "repository_last_exit_code|repository=local": 8 },
      { ...AGES, last_run_timestamp_seconds: 180 },
      /^the last run failed 3 min ago \(.*8.*; repository local\)$/,
    ],
    ["no success", GOOD, { last_run_timestamp_seconds: 60 }, "no good backup is known to this host"],
    [
      "runs that do not come",
      GOOD,
      { last_run_timestamp_seconds: 3 * DAY, last_success_timestamp_seconds: 3 * DAY },
      "the last good backup is 3 d old, and one is due every 24 h 0 min",
    ],
    [
      "a suspect backup",
      { ...GOOD, suspect: 1 },
      AGES,
      /^the newest backup is far smaller than the one before\. Data lost\? prometheus-backup\.sh restore latest\. Meant to be smaller\? prometheus-backup\.sh run --accept-smaller$/,
    ],
    [
      "damage that verify has found",
      { ...GOOD, verify_last_exit_code: 9 },
      AGES,
      /^the last verification or drill failed \(.*9.*\)$/,
    ],
  ])("NOT PROTECTED: %s", (_, values, ages, words) => {
    noted(values, ages);
    const [verdict = ""] = status();
    expect(verdict.startsWith("prom-1: NOT PROTECTED: ")).toBe(true);
    expect(verdict.slice("prom-1: NOT PROTECTED: ".length)).toEqual(
      typeof words === "string" ? words : expect.stringMatching(words),
    );
  });

  test("when the next run is not known, the verdict says so", () => {
    fs.writeFileSync(data.at("cron"), "");
    expect(status()[0]).toBe(
      "prom-1: PROTECTED: the last good backup is 7 h 30 min old, and when the next run comes is not known",
    );
  });

  test("NOT PROTECTED: a server that does not answer, with what check ends with and where to look", () => {
    configure({ PROMETHEUS_URL: "http://127.0.0.1:1" });
    const real = (words: string) =>
      data.shell.run(`CONFIG_FILE="$PWD/settings.conf"; ${cron}
        require_tools() { :; }; sleep() { command sleep 0.01; }; main ${words}`);
    const [verdict, ...rows] = real("status").stdout.split("\n");
    expect(verdict).toBe(
      "prom-1: NOT PROTECTED: no backup can be taken now (4: Prometheus does not answer or is not ready); the last good backup is 7 h 30 min old",
    );
    expect(rows.filter(row => row.startsWith("  server"))).toEqual([
      expect.stringMatching(
        /^ {2}server {6}Prometheus at http:\/\/127\.0\.0\.1:1 does not answer \([^;]*\); look at: systemctl status prometheus\.service$/,
      ),
    ]);
    expect(JSON.parse(real("status --json").stdout)).toMatchObject({
      protected: false,
      server: null,
      serverError: { exitCode: 4, words: expect.stringContaining("does not answer") as string },
    });
    configure();
  });

  test("a server that tells of itself is told of, even where its disk does not answer in time", () => {
    const hangs = "ANSWER_PATIENCE_SECONDS=1; bytes_below() { command sleep 600; }\n";
    const rows = status(hangs);
    expect(rows[0]).toBe("prom-1: PROTECTED: the last good backup is 7 h 30 min old");
    expect(rows.filter(row => /^ {2}(server|leftovers)/.test(row))).toEqual([
      expect.stringMatching(/^ {2}server {6}Prometheus 2\.42\.0, .*, not measured yet in /),
      "  leftovers   not looked for",
    ]);
    const [verdict, ...others] = status("ANSWER_PATIENCE_SECONDS=1; read_server() { command sleep 600; }\n");
    expect(verdict).toContain(": NOT PROTECTED: no backup can be taken now (4: ");
    expect(others).toContain("  server      did not tell all within 1 s; look at: prometheus-backup.sh check");
  });

  test("each repository with what is known of it from the last look, and when that was", () => {
    fs.rmSync(data.at("state/contents"), { recursive: true, force: true });
    expect(status().filter(row => row.startsWith("  local"))).toEqual(["  local       not looked at yet"]);
    expect(data.call("run", cron).code).toBe(0);
    expect(status().filter(row => row.startsWith("  local"))).toEqual([
      expect.stringMatching(/^ {2}local {7}1 backup, \d+ kB, newest \d{8}T\d{6}Z \(looked at \d+ s ago\)$/),
    ]);
    expect(JSON.parse(data.call("status --json", cron).stdout)).toMatchObject({
      protected: true,
      verdict: expect.stringMatching(/^the last good backup is \d+ s old$/) as string,
      repositories: [{ name: "local", backups: 1, lastExitCode: 0 }],
    });
  });
});

describe("the next run", () => {
  /** What comes next by these lines, in a time zone of the host: by systemd on the host, and by cron-parser. */
  function next(lines: string[], zone = "UTC"): { said: string; wanted: string } {
    const calendar = lines.flatMap(line => localCalendar(line)).join(";");
    const said = data.shell.print(
      `env() { shift; TZ=${zone} command "$@"; }; next_run "$1"; printf %s "$NEXT_RUN"`,
      calendar,
    );
    const times = lines.map(line => CronExpressionParser.parse(line, { tz: zone }).next().getTime() / 1000);
    return { said, wanted: times.length === 0 ? "" : String(Math.min(...times)) };
  }

  test.each([
    [["0 2 * * *"], "UTC"],
    [["5,35 8-10/2 * * *"], "UTC"],
    [["30 4 * * mon-fri"], "UTC"],
    [["0 3 15 * 1"], "UTC"],
    [["0 0 1 jan *", "59 23 31 12 *"], "UTC"],
    [["0 2 * * *"], "Asia/Kolkata"],
    [["7 4 * * 7", "0 12 1 * *"], "Asia/Tokyo"],
  ])("%j in %s is what cron would run first", (lines, zone) => {
    const { said, wanted } = next(lines, zone);
    expect(said).toBe(wanted);
  });

  test("of a time that never comes, and of none, nothing is said", () => {
    expect(
      data.shell.print(
        'next_run "*-02-30 00:00:00"; printf %s "$NEXT_RUN"; next_run "no schedule"; printf %s "$NEXT_RUN"; next_run ""; printf %s "$NEXT_RUN"',
      ),
    ).toBe("");
  });

  test("nothing comes next where cron has no line for it", () => {
    const asked =
      'CRON_FILE="$PWD/cron" SCHEDULER=cron RUN_CALENDAR="*-*-* 02:00:00" DRILL_CALENDAR=""; next_call run; printf %s "$NEXT_RUN"';
    expect(data.shell.print(asked)).not.toBe("");
    fs.writeFileSync(data.at("cron"), "");
    expect(data.shell.print(asked)).toBe("");
  });
});

describe("check ends at a person", () => {
  /** Answers of the server, by the beginning of the path. */
  const server = (answers: Record<string, unknown>) =>
    `api() { API_STATUS=404 API_ERROR="" API_BODY="$SCRATCH/answer.$BASHPID"; case "$2" in ${Object.entries(answers)
      .map(
        ([path, value]) =>
          `${path}*) API_STATUS=200; printf '%s' '${JSON.stringify({ status: "success", data: value })}' >"$API_BODY" ;;`,
      )
      .join(" ")} esac; }\n`;
  const rules = {
    groups: [
      {
        rules: [
          { name: "PrometheusBackupFailed", health: "ok" },
          { name: "Another", health: "err" },
        ],
      },
    ],
  };
  const served = (age: number) => ({ result: [{ value: [0, String(Math.floor(Date.now() / 1000) - age)] }] });
  const one = { activeAlertmanagers: [{ url: "http://127.0.0.1:9/api/v2/alerts" }] };
  const answers = (extra: Record<string, unknown> = {}) => ({
    "/api/v1/rules": rules,
    "/api/v1/query": served(7.5 * HOUR),
    "/api/v1/alertmanagers": one,
    ...extra,
  });
  const answering = "alertmanager_answers() { [[ $1 == http://127.0.0.1:9/api/v2/alerts ]]; }\n";

  function check(more: string): { code: number | null; rows: string[]; last: string } {
    const { code, stdout } = data.call("check", cron + more);
    const lines = stdout.trimEnd().split("\n");
    return {
      code,
      rows: lines.filter(line => /^ {2}\S (schedule|metrics|alerts|last run|last drill)/.test(line)),
      last: lines.at(-1) ?? "",
    };
  }

  test("all is well: each link of the chain is one line on standard output", () => {
    const { code, rows, last } = check(server(answers()) + answering);
    expect(rows).toEqual([
      expect.stringMatching(/^ {2}✔ schedule {8}"0 2 \* \* \*", cron runs, next in .+$/),
      "  ✔ metrics         Prometheus has those of the last run, 7 h 30 min ago",
      "  ✔ alerts          1 rule loaded, Alertmanager answers (127.0.0.1:9)",
      "  ✔ last run        good, 7 h 30 min ago",
      "  ✔ last drill      good, 3 d ago",
    ]);
    expect([code, last]).toEqual([
      0,
      expect.stringMatching(/^prom-1: (\d+) of \1 checks passed, 1 to think about \(!\)$/),
    ]);
  });

  test.each<[string, string, number, string]>([
    [
      "no entry of cron",
      "CRON_FILE=/nowhere\n",
      3,
      "  ✘ schedule        no line of /nowhere calls this command, so no backup is taken by itself; run 'pulumi up', which writes it",
    ],
    [
      "no cron",
      hostCron("", ""),
      3,
      "is there, but this host has no cron that reads it; install cron, cronie or systemd-cron, or set scheduler: systemd",
    ],
    [
      "a cron that does not run",
      hostCron("bcron-sched.service", ""),
      3,
      "is there, but cron does not run; run: systemctl enable --now bcron-sched.service",
    ],
    [
      "no Alertmanager that answers",
      server(answers()) + "alertmanager_answers() { false; }\n",
      3,
      "  ✘ alerts          1 rule loaded, but no Alertmanager answers (127.0.0.1:9): nobody will be told; ",
    ],
    [
      "no Alertmanager",
      server(answers({ "/api/v1/alertmanagers": { activeAlertmanagers: [] } })),
      3,
      "  ✘ alerts          1 rule loaded, but no Alertmanager is configured: nobody will be told; ",
    ],
    [
      "old metrics",
      server(answers({ "/api/v1/query": served(2 * DAY) })) + answering,
      3,
      "  ✘ metrics         Prometheus does not have the metrics of the last run, ",
    ],
    [
      "no metrics",
      server(answers({ "/api/v1/query": { result: [] } })) + answering,
      3,
      "  ✘ metrics         Prometheus does not have the metrics of the last run, ",
    ],
    [
      "rules that fail",
      server(
        answers({ "/api/v1/rules": { groups: [{ rules: [{ name: "PrometheusBackupFailed", health: "err" }] }] } }),
      ) + answering,
      3,
      "  ✘ alerts          1 of 1 rule cannot be evaluated; ",
    ],
    [
      "no rules",
      server(answers({ "/api/v1/rules": { groups: [] } })) + answering,
      0,
      "  ! alerts          no alert rules of this tool are loaded here: unless another server has them, nobody will be told",
    ],
  ])("%s", (_, more, code, words) => {
    const found = check(server(answers()) + answering + more);
    expect([found.code, found.rows.join("\n")]).toEqual([code, expect.stringContaining(words)]);
  });

  test("a run that failed, one that is late, and a drill that is due", () => {
    const call = () => check(server(answers()) + answering);
    noted({ ...GOOD, last_exit_code: 8 }, AGES);
    expect(call()).toMatchObject({
      code: 8,
      rows: expect.arrayContaining([
        expect.stringMatching(
          /^ {2}✘ last run {8}failed 7 h 30 min ago \(.*8.*\); look at its log: \/var\/log\/prometheus-backup\.log$/,
        ),
      ]) as string[],
    });
    noted(GOOD, { ...AGES, last_run_timestamp_seconds: 3 * DAY });
    expect(call().rows.join("\n")).toContain(
      "  ✘ last run        good, but 3 d ago, and one is due every 24 h 0 min; ",
    );
    noted(GOOD, AGES);
    data.configure({ TEXTFILE_DIR: data.at("textfiles"), DRILL_INTERVAL_SECONDS: String(DAY) });
    expect(call()).toMatchObject({
      code: 9,
      rows: expect.arrayContaining([
        expect.stringMatching(
          /^ {2}✘ last drill {6}no drill has succeeded for 3 d, and one is due every 24 h 0 min; run: prometheus-backup\.sh drill$/,
        ),
      ]) as string[],
    });
    configure();
  });

  test("what could not be looked at is no failure of its own, and no success either", () => {
    const { code, rows, last } = check('require_server() { die "$EXIT_SERVER" "no answer" "look"; }\n');
    expect(rows.slice(1, 3)).toEqual([
      "  – metrics         Prometheus cannot be used (above)",
      "  – alerts          Prometheus cannot be used (above)",
    ]);
    expect([code, last]).toEqual([4, expect.stringMatching(/^prom-1: \d+ of \d+ checks passed, 6 not made \(–\)$/)]);
  });

  test("without the tools it needs, nothing is said of the server", () => {
    const { stdout } = data.call("check", `${cron} require_tools() { die 3 "this host lacks jq" "install it"; }`);
    expect(stdout).toMatch(/^ {2}✘ tools {11}this host lacks jq; install it$/m);
    expect(stdout).toMatch(/^ {2}– Prometheus {6}a tool is missing \(above\)$/m);
  });

  test("a repository on the disk of the data, when there is no other", () => {
    expect(data.call("check", cron + server(answers()) + answering).stdout).toContain(
      "  ! disks           local: on the disk of the data, and there is no other repository: if that disk dies, both are gone\n",
    );
  });
});

describe("whoever reads may stop before the end", () => {
  test.each(["status", "status --json", "list --json", "check"])("%s | head -n 1", words => {
    const text = `source "$PROGRAM"; CONFIG_FILE="$PWD/settings.conf" CRON_FILE="$PWD/cron"; require_tools() { :; }; api() { API_STATUS=404 API_BODY=/dev/null API_ERROR=""; }
      (main ${words}; printf 'code %d\\n' $? >&2) | head -c 1 >/dev/null || true`;
    const all = execFileSync("bash", ["-c", `{ ${text}; } 2>&1`], {
      cwd: data.shell.directory,
      env: { ...process.env, PROGRAM: data.shell.program },
      encoding: "utf8",
    });
    expect(all).not.toMatch(/unexpected failure|Broken pipe/);
  });
});

test("what needs the data says that it was not looked at where they are not to be seen", () => {
  const checks = ["check_space", "check_disks", "check_leftovers"];
  const asked = checks.map(name => `( SERVER_ANSWERS=true DATA_DIRECTORY=/nowhere ${name} ) || echo ": $?"`).join("; ");
  expect(data.shell.print(asked)).toBe(checks.map(() => "/nowhere is not to be seen (above): 77").join("\n"));
});
