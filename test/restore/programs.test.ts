// Programs and paths come from the unit and from packages: nothing that a unit names is run to ask it, and no process
// is believed.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const place = (...names: string[]): string => path.join(shell.directory, ...names);
const EXECUTED = place("executed");

/** What systemd says of the unit. */
let properties: Record<string, string>;

beforeEach(() => {
  fs.rmSync(EXECUTED, { force: true });
  properties = { ExecStart: "", WorkingDirectory: "", Environment: "", EnvironmentFiles: "" };
});

/** A unit that starts `program` with these words, as busctl has it. */
function unit(program: string, words = ""): void {
  const argv = [program, ...words.split(" ").filter(word => word !== "")];
  properties["ExecStart"] =
    `a(sasbttttuii) 1 "${program}" ${argv.length} ${argv.map(word => `"${word}"`).join(" ")} false 0 0 0 0 0 0 0`;
}

/** Runs `text` on a host whose systemd knows that unit, whose process is this shell. */
function call(text: string): string {
  const { ExecStart = "", ...others } = properties;
  const answers = Object.entries(others).map(([name, value]) => `--property=${name}) printf '%s\\n' '${value}' ;;`);
  const systemctl = `systemctl() { case "$2" in ${answers.join(" ")} *) return 1 ;; esac; }`;
  const busctl = `busctl() { case "\${*: -1}" in ExecStart) printf '%s\\n' '${ExecStart}' ;; *) return 1 ;; esac; }`;
  return shell.print(`${systemctl}; ${busctl}; UNIT_KNOWN=true UNIT_USER=root UNIT_PID=$$; ${text}`);
}

/** A program that says so when it is run; without `script` it only begins as a program does. */
function program(name: string, script = true): string {
  const file = place(name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, script ? `#!/bin/sh\ntouch '${EXECUTED}'\necho 'prometheus, version 2.42.0'\n` : "\x7fELF");
  fs.chmodSync(file, 0o755);
  return file;
}

const DATA = 'unit_arguments >"$SCRATCH/arguments"; unit_data_directory "$SCRATCH/arguments"';

test.each([
  ["a flag with an equals sign", "--storage.tsdb.path=/srv/data/", "/srv/data"],
  ["a flag and its value", "--storage.tsdb.path /srv/data", "/srv/data"],
  ["a relative path, from the unit's working directory", "--storage.tsdb.path=metrics", "/srv/prometheus/metrics"],
  ["no flag: what Prometheus does by itself", "--config.file=/x.yml", "/srv/prometheus/data"],
])("where the data are by a unit with %s", (_title, words, expected) => {
  unit(program("bin/prometheus", false), words);
  properties["WorkingDirectory"] = "!/srv/prometheus";
  expect(call(DATA)).toBe(expected);
});

test.each([
  ["Docker", "docker", "run -v /srv:/prometheus prom/prometheus --storage.tsdb.path=/prometheus"],
  ["a script that is handed the flag", "start.sh", "--storage.tsdb.path=/prometheus"],
])("what %s makes of a path is not known", (_title, name, words) => {
  unit(program(`bin/${name}`, name.endsWith(".sh")), words);
  expect(call(DATA)).toBe("");
});

test("a start script is neither run nor guessed at", () => {
  unit(program("bin/start-prometheus"));
  expect(call(`${DATA}; printf '|'; packaged_version "$(unit_program)"`)).toBe("|");
  unit(program("bin/prometheus"));
  expect(call(DATA)).toBe("");
  expect(fs.existsSync(EXECUTED)).toBe(false);
});

test("promtool beside the unit's program counts for root only if nobody else can change it", () => {
  const beside = program("owned/promtool", false);
  unit(program("owned/prometheus", false));
  fs.chmodSync(path.dirname(beside), 0o777);
  expect(call(`belongs_to_root ${beside} && echo roots || echo others`)).toBe("others");
  const found = call("PATH=/usr/bin:/bin; server_program promtool");
  expect(found).toBe(process.getuid?.() === 0 ? "/usr/bin/promtool" : beside);
});

test("a program of root in directories of root is found, whatever links lead to it", () => {
  fs.symlinkSync("/usr/bin", place("linked"));
  unit(place("linked", "prometheus"));
  expect(call("server_program promtool")).toBe("/usr/bin/promtool");
});

test("another program that the unit starts is not taken for promtool", () => {
  unit("/bin/su", "-s /bin/bash -c prometheus prometheus");
  expect(call("PATH=/usr/bin:/bin; server_program promtool")).toBe("/usr/bin/promtool");
});

test.each([
  ["the unit says the same", "/srv/data", "/srv/data", "true"],
  ["nobody else says it", "", "/srv/data", "false"],
])("a data directory that the server names: %s", (_title, said, named, confirmed) => {
  expect(
    call(
      `DATA_DIR="" FACTS_FROM="the running server" DATA_DIRECTORY=${named}; confirm_data_directory '${said}'; printf %s "$CONFIRMED"`,
    ),
  ).toBe(confirmed);
});

test.each([
  [
    "that the unit contradicts",
    "/srv/data",
    "/srv/other",
    /^prometheus-backup: error: by the running server the data are in \/srv\/other, but the unit prometheus\.service says \/srv\/data; /,
  ],
  [
    "of root's, on the server's word alone",
    "",
    "/etc",
    /^prometheus-backup: error: by the running server the data are in \/etc, which belongs to root, and neither the settings nor the unit /,
  ],
])("a data directory %s is refused", (_title, said, named, words) => {
  const { code, stderr } = shell.run(
    `DATA_DIR="" FACTS_FROM="the running server" DATA_DIRECTORY=${named}; confirm_data_directory '${said}'`,
  );
  expect(code).toBe(12);
  expect(stderr).toMatch(words);
});
