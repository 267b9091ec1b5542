// Timers in place of the cron entry: what is rendered, and that systemd takes it.
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../components/stack/config";
import { fleetArtefacts } from "../../components/stack/hostFiles";
import type { HostFiles } from "../../components/host/files";
import { hostCommands } from "../../components/host/command/commands";
import { renderCompletion, renderManPage } from "../../components/host/command/manual";
import { paths } from "../../components/host/paths";
import { optionsOf } from "../../components/host/command/help";
import { Shell } from "../restore/shell";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-timer-"));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

/** The files of a host with these settings, and what its step is told. */
function rendered(settings: Record<string, unknown>): { files: HostFiles; packages: unknown } {
  const host = {
    name: "prom-1",
    address: "192.0.2.1",
    insecureHostKey: true,
    repositories: [{ path: "/backup" }],
    ...settings,
  };
  const fleet = parseConfig({ environment: "test", hosts: [host] }, () => "secret");
  const { files, steps } = Object.values(fleetArtefacts(fleet))[0] ?? { files: {}, steps: {} };
  return { files, packages: steps["backup-job"]?.settings["PACKAGES"] };
}

const units = (files: HostFiles): string[] =>
  Object.keys(files)
    .filter(name => /prometheus-backup[a-z-]*\.(service|timer)$/.test(name))
    .sort();
const content = (files: HostFiles, unit: string): string => files[`/etc/systemd/system/${unit}`]?.content ?? "";

describe("scheduler", () => {
  const drill = { schedule: "0 5 * * 0", parts: 7 };
  const systemd = rendered({ scheduler: "systemd", schedule: "17 2 * * *", drill });

  test("cron is the default, and has no units", () => {
    const { files, packages } = rendered({});
    expect(units(files)).toEqual([]);
    expect(files["/etc/cron.d/prometheus-backup"]?.content).toContain("prometheus-backup.sh run >>");
    expect(packages).toContain(" cron ");
  });

  test("systemd has a timer and a service for each line of the cron entry, and no cron", () => {
    const names = ["prometheus-backup", "prometheus-backup-drill", "prometheus-backup-hold"];
    expect(units(systemd.files)).toEqual(
      names.flatMap(name => [`/etc/systemd/system/${name}.service`, `/etc/systemd/system/${name}.timer`]).sort(),
    );
    expect(Object.keys(systemd.files)).not.toContain("/etc/cron.d/prometheus-backup");
    expect(systemd.packages).not.toContain("cron ");
    expect(systemd.files["/etc/prometheus-backup/prometheus-backup.conf"]?.content).toContain("SCHEDULER='systemd'\n");
  });

  test("the same commands at the same times, made up for where that helps", () => {
    const timers = ["prometheus-backup.timer", "prometheus-backup-drill.timer", "prometheus-backup-hold.timer"].map(
      name => content(systemd.files, name),
    );
    expect(timers.map(text => /^OnCalendar=(.*)$/m.exec(text)?.[1])).toEqual([
      "*-*-* 02:17:00 UTC",
      "Sun *-*-* 05:00:00 UTC",
      "*-*-* *:47:00 UTC",
    ]);
    expect(timers.map(text => text.includes("Persistent=true"))).toEqual([true, true, false]);
    expect(content(systemd.files, "prometheus-backup-drill.service")).toContain(
      "\nExecStart=/usr/local/bin/prometheus-backup.sh drill --sample 7\n",
    );
    expect(content(systemd.files, "prometheus-backup-drill.service")).toMatch(
      /^After=.* prometheus\.service prometheus-backup\.service$/m,
    );
    expect(content(systemd.files, "prometheus-backup.service")).toMatch(/^User=prometheus$/m);
  });

  test("a job that stops the server is root's, and leaves the process that would start it again", () => {
    const text = content(rendered({ scheduler: "systemd", source: "cold" }).files, "prometheus-backup.service");
    // With it, systemd 257 takes the right to become the owner of the data.
    expect(text).not.toMatch(/^User=/m);
    expect(text).toMatch(/^KillMode=process$/m);
    expect(text).not.toMatch(/^CapabilityBoundingSet=$/m);
  });

  test("both days restricted is two times, and a time that a timer would leave out is refused", () => {
    const { files } = rendered({ scheduler: "systemd", schedule: "0 3 13 * 5" });
    expect(content(files, "prometheus-backup.timer").match(/^OnCalendar=.*$/gm)).toEqual([
      "OnCalendar=*-*-13 03:00:00 UTC",
      "OnCalendar=Fri *-*-* 03:00:00 UTC",
    ]);
    expect(() => rendered({ scheduler: "systemd", timeZone: "Europe/Berlin" })).toThrow(
      "runs at 02:00, which does not exist in Europe/Berlin",
    );
    expect(() => rendered({ timeZone: "Europe/Berlin" })).not.toThrow();
  });

  test.each(["snapshot", "cold"])("systemd takes the units of the source %s without a word", source => {
    const { files } = rendered({ scheduler: "systemd", source, drill });
    const place = path.join(directory, source);
    fs.mkdirSync(place);
    const program = path.join(place, "command");
    fs.writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
    for (const name of units(files)) {
      const text = (files[name]?.content ?? "")
        .replace("/usr/local/bin/prometheus-backup.sh", program)
        .replace(/^User=.*$/m, "User=root");
      fs.writeFileSync(path.join(place, path.basename(name)), text);
    }
    const all = units(files).map(name => path.join(place, path.basename(name)));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...all], { encoding: "utf8" });
    const ours = stderr.split("\n").filter(line => line.includes(place) || line.includes("prometheus-backup"));
    expect({ status, ours }).toEqual({ status: 0, ours: [] });
  });
});

describe("check and status ask systemd", () => {
  const shell = new Shell();
  afterAll(() => shell.remove());
  const systemctl = (text: string): string => `SCHEDULER=systemd; systemctl() { ${text}; }`;

  test("when a timer elapses next", () => {
    const said = systemctl('[[ "$*" == *" prometheus-backup-drill.timer" ]] && echo "Sun 2026-12-06 05:00:00 UTC"');
    expect(shell.print(`${said}; next_call drill; printf %s "$NEXT_RUN"`)).toBe(
      String(Date.UTC(2026, 11, 6, 5) / 1000),
    );
    expect(shell.print(`${systemctl("true")}; next_call run; printf %s "$NEXT_RUN"`)).toBe("");
    expect(shell.print(`${systemctl("return 1")}; next_call run; printf %s "$NEXT_RUN"`)).toBe("");
  });

  test("whether the timer is enabled and active", () => {
    expect(shell.print(`${systemctl("true")}; check_schedule`)).toBe("prometheus-backup.timer is active");
    expect(shell.run(`${systemctl("[[ $1 != is-enabled ]]")}; check_schedule`)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        "prometheus-backup.timer is not enabled and active, so no backup is taken by itself",
      ) as string,
    });
  });
});

describe("completion", () => {
  const script = path.join(directory, "completion");
  const settings = path.join(directory, "settings.conf");
  const state = path.join(directory, "completed");
  const text = renderCompletion().replaceAll(paths.settings, settings).replaceAll(paths.state, state);
  fs.writeFileSync(script, text);

  /** What bash offers for the last of these words. */
  function offered(...words: string[]): string[] {
    const text =
      'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _prometheus_backup; printf "%s\\n" "${COMPREPLY[@]}"';
    const said = execFileSync("bash", ["-c", `set -u; ${text}`, script, "prometheus-backup.sh", ...words], {
      encoding: "utf8",
      cwd: directory,
    });
    return said.split("\n").filter(Boolean);
  }

  test("commands, then their options and words", () => {
    const people = hostCommands.filter(({ internal }) => internal !== true).map(({ name }) => name);
    expect(offered("")).toEqual([...people, "help", "--help", "--version"]);
    expect(offered("re")).toEqual(["restore"]);
    expect(offered("restore", "")).toEqual(["latest"]);
    expect(offered("list", "--la")).toEqual(["--last"]);
    expect(offered("explain", "1")).toContain("12");
    expect(offered("help", "dr")).toEqual(["drill"]);
    expect(offered("nonsense", "")).toEqual([]);
  });

  test.each(hostCommands.filter(({ internal }) => internal !== true))("$name has all its options", command => {
    const wanted = optionsOf(command).flatMap(({ name, alias }) => [name, ...(alias === undefined ? [] : [alias])]);
    expect(offered(command.name, "--")).toEqual(expect.arrayContaining(wanted.map(name => `--${name}`)));
  });

  test("names of this host's backups, to whoever may read them", () => {
    const names = ["20261121T020000Z", "20261122T020000Z"];
    const summaries = (host: string, backups: string[]) =>
      fs.writeFileSync(
        path.join(state, "cache", "summaries-4", host),
        ["#o1\t1\tblocks/x.tar.zst", ...backups.map(name => `${name}.json 9\t{"name":"${name}"}`), ""].join("\n"),
      );
    fs.writeFileSync(settings, "A='1'\nHOST_NAME='prom-1'\n");
    fs.mkdirSync(path.join(state, "cache", "summaries-4"), { recursive: true });
    summaries("local.prom-1", names);
    summaries("offsite.prom-1", names.slice(1));
    summaries("local.prom-2", ["20200101T000000Z"]);
    expect(offered("show", "")).toEqual(["latest", ...names.toReversed()]);
    expect(offered("restore", "20261121")).toEqual(names.slice(0, 1));
    expect(offered("explain", "2026")).toEqual([]);
    fs.rmSync(state, { recursive: true });
    expect(offered("show", "")).toEqual(["latest"]);
  });

  test("folders where one is named, and nothing where nobody knows", () => {
    fs.mkdirSync(path.join(directory, "folder"), { recursive: true });
    expect(offered("restore", "latest", "--target", "fol")).toEqual(["folder"]);
    expect(offered("list", "--last", "")).toEqual([]);
  });
});

test("the man page has every command, option and code, and man takes it without a word", () => {
  const page = renderManPage();
  for (const command of hostCommands.filter(({ internal }) => internal !== true)) {
    expect(page).toContain(`\n.SS ${command.name}`);
    for (const { name } of optionsOf(command)) {
      expect(page).toContain(`\\-\\-${name.replaceAll("-", "\\-")}`);
    }
  }
  const { error, stderr, stdout } = spawnSync("groff", ["-man", "-Tutf8", "-ww"], { encoding: "utf8", input: page });
  if (error === undefined) {
    expect(stderr).toBe("");
    // groff prints bold letters twice, with a backspace between them.
    expect(stdout.replaceAll(/.[\b]/g, "")).toContain("EXIT STATUS");
  }
});
