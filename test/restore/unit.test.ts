// What a unit says of its server while that is down: the words that systemd makes of its command.
import { afterAll, describe, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

/** A word as busctl prints it. */
const word = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("ü", "\\303\\274")}"`;
const command = (...words: string[]): string =>
  `${word(words[0] ?? "")} ${words.length} ${words.map(word).join(" ")} false 0 0 0 0 0 0 0`;

interface Unit {
  commands: string[];
  /** Further properties, as busctl prints them. */
  properties?: Record<string, string>;
}

/** Runs `text` on a host that has this unit; systemd-run there prints what it is told. */
function call({ commands, properties = {} }: Unit, text: string): string {
  const all: Record<string, string> = {
    ExecStart: `a(sasbttttuii) ${commands.length} ${commands.join(" ")}`,
    ...properties,
  };
  const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
  const answers = Object.entries(all).map(([name, value]) => `${name}) printf '%s\\n' ${quoted(value)} ;;`);
  return shell.print(`busctl() { case "\${*: -1}" in ${answers.join(" ")} *) return 1 ;; esac; }
    timeout() { shift; "$@"; }
    systemd-run() { printf '%s\\0' "$@"; }
    UNIT_KNOWN=true PROMETHEUS_UNIT=prometheus@main.service; ${text}`);
}

const SERVER = ["/usr/bin/prometheus", "--storage.tsdb.path=/srv/tsdb"];
const named = "unit_command; printf '%s|' \"${COMMAND_WORDS[@]}\"";

describe("the command of a server is found", () => {
  test.each<[string, string[]]>([
    ["by itself", [command(...SERVER)]],
    [
      "behind the proxy",
      [
        command(
          "/bin/bash",
          "/usr/local/lib/prometheus-backup/behind-proxy",
          "127.0.0.1:9091",
          "http://h:9090/",
          ...SERVER,
        ),
      ],
    ],
    ["behind what sets a priority", [command("/usr/bin/nice", "-n", "5", ...SERVER)]],
    ["behind what sets a variable", [command("/usr/bin/env", "GOGC=50", ...SERVER)]],
    ["among other commands", [command("/bin/mkdir", "-p", "/srv"), command(...SERVER), command("/bin/true")]],
  ])("%s", (_title, commands) => {
    expect(call({ commands }, named)).toBe(`${SERVER.join("|")}|`);
  });

  test("with every word as it is", () => {
    const words = ["/usr/bin/prometheus", "--a=x  y", '--b="q"', "--c=\\d", "--e=ü%d%%", "", "--f=\ng", "$$HOME"];
    expect(call({ commands: [command(...words)] }, named)).toBe(`${words.join("|")}|`);
  });

  test("nowhere, if two could be meant or none is there", () => {
    expect(call({ commands: [command(...SERVER), command(...SERVER)] }, named)).toBe("|");
    expect(call({ commands: [command("/bin/a"), command("/bin/b")] }, named)).toBe("|");
    expect(call({ commands: [] }, named)).toBe("|");
  });
});

test("words without variables need nobody's help", () => {
  expect(call({ commands: [command(...SERVER)] }, "unit_arguments")).toBe(SERVER.join("\n"));
  const verbatim = {
    commands: [command("/usr/bin/prometheus", "$A")],
    properties: {
      ExecStartEx:
        'a(sasasttttuii) 1 "/usr/bin/prometheus" 2 "/usr/bin/prometheus" "$A" 1 "no-env-expand" 0 0 0 0 0 0 0',
    },
  };
  expect(call(verbatim, "unit_arguments")).toBe("/usr/bin/prometheus\n$A");
});

test("variables are systemd's to put in, with the unit's own environment, and no program of the unit is run", () => {
  const properties = {
    User: `s ${word("prometheus")}`,
    Environment: `as 2 ${word('EXTRA=--x "a  b"')} ${word("RET=30d")}`,
    EnvironmentFiles: `a(sb) 2 ${word("/etc/default/prometheus")} false ${word("/etc/my env")} true`,
    StateDirectory: `as 1 ${word("prom-main")}`,
    CacheDirectory: "as 0",
  };
  const told = call(
    { commands: [command("/usr/bin/prometheus", "$ARGS", "--path=${STATE_DIRECTORY}")], properties },
    "unit_command; expand_unit_words | tr '\\0' '\\n'",
  );
  expect(told.split("\n")).toEqual([
    "--quiet",
    "--collect",
    "--pipe",
    "--wait",
    "--uid=prometheus",
    "--setenv=STATE_DIRECTORY=/var/lib/prom-main",
    '--setenv=EXTRA=--x "a  b"',
    "--setenv=RET=30d",
    "--property=EnvironmentFile=/etc/default/prometheus",
    "--property=EnvironmentFile=-/etc/my env",
    "--",
    "/usr/bin/printf",
    "%s\\0",
    "/usr/bin/prometheus",
    "$ARGS",
    "--path=${STATE_DIRECTORY}",
  ]);
});

test("a unit is asked by its name on the bus", () => {
  expect(
    shell.print('busctl() { printf %s "$3"; }; PROMETHEUS_UNIT=9-prom_x@main.service; unit_bus_property ExecStart'),
  ).toBe("/org/freedesktop/systemd1/unit/_39_2dprom_5fx_40main_2eservice");
});

test.each([
  ["/srv", "/srv"],
  ["!/srv/not-there", "/srv/not-there"],
  ["~", "/root"],
  ["!~", "/root"],
  ["", "/"],
])("a working directory %j is %s", (property, expected) => {
  expect(shell.print(`systemctl() { printf '%s\\n' '${property}'; }; UNIT_USER=root; unit_working_directory`)).toBe(
    expected,
  );
});

test("a unit with several names goes by the one that kernel and journal have", () => {
  const systemctl = "systemctl() { printf '%s\\n' Id=metrics.service LoadState=loaded ActiveState=active User=root; };";
  expect(
    shell.print(`${systemctl} PROMETHEUS_UNIT=prometheus.service; read_unit_properties; echo $PROMETHEUS_UNIT`),
  ).toBe("metrics.service");
});
