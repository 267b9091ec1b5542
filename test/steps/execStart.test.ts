import { describe, expect, test } from "vitest";
import { callStep } from "./bash";

/** The commands in force, given the texts of a unit and its drop-ins. */
function execStart(...texts: string[]): string[] {
  const files = Object.fromEntries(texts.map((text, index) => [`unit${index}`, text]));
  const names = Object.keys(files).join(" ");
  const { stdout } = callStep("admin-api", `read_exec_start ${names}\nprintf '%s\\0' "\${EXEC_START[@]}"`, files);
  return stdout
    .split("\0")
    .slice(0, -1)
    .filter(command => command !== "");
}

const debian =
  "[Service]\nEnvironmentFile=/etc/default/prometheus\nExecStart=/usr/bin/prometheus $ARGS\nExecReload=/bin/kill -HUP $MAINPID\n";
const course = [
  "[Service]",
  "User=prometheus",
  "ExecStart=/usr/local/bin/prometheus \\",
  "    --config.file /etc/prometheus/prometheus.yml \\",
  "    # where the blocks are",
  "    --storage.tsdb.path /var/lib/prometheus/ \\",
  "    --web.console.templates=/etc/prometheus/consoles",
  "",
  "[Install]",
  "WantedBy=multi-user.target",
].join("\n");

describe("the command in force", () => {
  test("keeps variables as they are written", () => {
    expect(execStart(debian)).toEqual(["/usr/bin/prometheus $ARGS"]);
  });

  test("joins continued lines and skips comments between them, as systemd does", () => {
    expect(execStart(course)).toEqual([
      "/usr/local/bin/prometheus --config.file /etc/prometheus/prometheus.yml --storage.tsdb.path /var/lib/prometheus/ --web.console.templates=/etc/prometheus/consoles",
    ]);
  });

  test("is that of the last drop-in which resets it", () => {
    const override = "[Service]\nExecStart=\nExecStart = /opt/prometheus --log.level=debug  \n";
    expect(execStart(debian, override)).toEqual(["/opt/prometheus --log.level=debug"]);
  });

  test("is not reset by a drop-in about something else", () => {
    expect(execStart(debian, "[Service]\nLimitNOFILE=65536\n")).toEqual(["/usr/bin/prometheus $ARGS"]);
  });

  test("is two commands where a unit has two", () => {
    expect(execStart(debian, "[Service]\nExecStart=/bin/true\n")).toEqual(["/usr/bin/prometheus $ARGS", "/bin/true"]);
  });

  test("ignores other sections, other keys and commented lines", () => {
    const unit =
      "[Unit]\nExecStart=/bin/no\n[Service]\n#ExecStart=/bin/no\n ; ExecStart=/bin/no\nExecStartPre=/bin/no\nExecStart=/bin/yes\n";
    expect(execStart(unit)).toEqual(["/bin/yes"]);
  });

  test("keeps quotes, specifiers, dollars and blanks in quotes byte for byte", () => {
    const command = `/usr/bin/prometheus "--web.page-title=a  $$b" --web.external-url=http://%H/ '--x=\\x41' $ARGS \${MORE}`;
    expect(execStart(`[Service]\nExecStart=${command}\n`)).toEqual([command]);
  });

  test("takes two backslashes at the end of a line for one, not for a continued line", () => {
    expect(execStart("[Service]\nExecStart=/bin/a b\\\\\nUser=x\n")).toEqual(["/bin/a b\\\\"]);
  });

  test("is the same where lines end in CRLF, as systemd takes them", () => {
    expect(execStart(debian.replaceAll("\n", "\r\n"))).toEqual(execStart(debian));
    expect(execStart(course.replaceAll("\n", "\r\n"))).toEqual(execStart(course));
  });

  test("is read from a file without a last line break", () => {
    expect(execStart("[Service]\nExecStart=/bin/a")).toEqual(["/bin/a"]);
  });
});

/** Why a flag cannot be appended to `command`; empty if it can. */
function reason(command: string, files: Record<string, string> = {}): string {
  return callStep("admin-api", `why_not_extendable "$(<command)"\nprintf %s "$REASON"`, { ...files, command }).stdout;
}

describe("a flag at the end of the command", () => {
  test.each([
    "/usr/bin/prometheus $ARGS",
    "-/usr/bin/prometheus",
    "/usr/bin/env GOGC=50 /usr/bin/prometheus",
    "/usr/bin/numactl --interleave=all /usr/bin/prometheus",
    '"/opt/my prometheus/prometheus" --x',
    "/opt/bash-tools/prometheus -c /etc/x",
  ])("reaches the program in %s", command => {
    expect(reason(command)).toBe("");
  });

  test.each([
    "/bin/sh -c '/usr/bin/prometheus $ARGS'",
    "/usr/bin/env bash -ec 'exec prometheus'",
    "-/bin/bash /opt/start.sh",
  ])("stays with the shell in %s", command => {
    expect(reason(command)).toBe("it starts a shell, which would keep the flag for itself");
  });

  test("would go to the wrong one of several commands", () => {
    expect(reason("/bin/a ; /bin/b")).toBe("it holds several commands");
  });

  test("is lost in a script that takes no arguments", () => {
    expect(reason("./start", { start: "#!/bin/sh\nexec prometheus\n" })).toBe(
      "it starts the script ./start, which does not hand its arguments on",
    );
    expect(reason("./start", { start: '#!/bin/sh\nexec prometheus "$@"\n' })).toBe("");
  });
});

describe("a drop-in with another command", () => {
  /** How it is put there where systemd has first the words `before`, and then `after`. */
  function putDropIn(before: string[], after: string[]): string {
    const bus = (words: string[]): string =>
      `a(sasbttttuii) 1 "/bin/p" ${words.length} ${words.map(word => `"${word}"`).join(" ")} false 0 0 0 0 0 0 0`;
    return callStep(
      "admin-api",
      `unit_bus_property() { cat "$SHOWN"; }; SHOWN=before
       put_file() { :; }; reload_units() { SHOWN=after; }; is_installed() { false; }
       unit_property() { if [[ $2 == LoadState ]]; then echo loaded; else cat "$SHOWN"; fi; }
       put_drop_in p.service ./p.conf "-/bin/p a --flag" --flag --flag`,
      { before: bus(before), after: bus(after) },
    ).failure;
  }

  test("keeps all that systemd has read in the files of the unit", () => {
    expect(putDropIn(["/bin/p", "a"], ["/bin/p", "a", "--flag"])).toBe("");
    expect(putDropIn(["/bin/p", "a"], ["/bin/bash", "x", "/bin/p", "a", "--flag"])).toBe("");
  });

  test("is refused where it does not", () => {
    const words = "systemd reads the ExecStart= of p.service otherwise than it is written in its files; nothing was";
    expect(putDropIn(["/bin/p", "a"], ["/bin/p", "\\\\", "--flag"])).toContain(words);
    expect(putDropIn(["/bin/p", "a", "b"], ["/bin/p", "a", "--flag"])).toContain(words);
  });
});
