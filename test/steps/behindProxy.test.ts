import { describe, expect, test } from "vitest";
import { Shell } from "../restore/shell";
import { callStep } from "./bash";

const own = ["--web.listen-address=127.0.0.1:9091", "--web.enable-admin-api"];
const link = "--web.external-url=http://h:9090/";

/** The words that the installed program starts the server with, if systemd makes `words` of the unit's command. */
function started(words: string[]): string[] {
  const command = words.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const script = `print_behind_proxy >program; bash program 127.0.0.1:9091 http://h:9090/ printf '%s\\0' ${command}`;
  return callStep("admin-api", script).stdout.split("\0").slice(0, -1);
}

describe("behind the proxy a server is started", () => {
  const odd = "--web.page-title=a  'b' \"c\" $(id) *";
  const https = "--web.external-url=https://x/";
  test.each([
    ["without any word, as on a stock Debian", [], [link, ...own]],
    ["with the address in one word", ["--web.listen-address=0.0.0.0:9090", "--b"], ["--b", link, ...own]],
    ["with the address in two words", ["--a", "--web.listen-address", ":9090", "--b"], ["--a", "--b", link, ...own]],
    ["with several addresses", ["--web.listen-address=:9090", "--web.listen-address=:9095"], [link, ...own]],
    ["with the admin API named by its unit", ["--web.enable-admin-api", "--b"], ["--b", link, ...own]],
    ["with the admin API ruled out", ["--no-web.enable-admin-api"], [link, ...own]],
    ["with a URL of its own", [https], [https, ...own]],
    ["with a URL of its own in two words", ["--web.external-url", "https"], ["--web.external-url", "https", ...own]],
    ["with blanks, quotes and signs in its words", [odd, ""], [odd, "", link, ...own]],
  ])("%s", (_, words, expected) => {
    expect(started(words)).toEqual(expected);
  });

  test("by a program that the host command knows by the same path", () => {
    const shell = new Shell();
    try {
      expect(callStep("admin-api", 'printf %s "$BEHIND_PROXY"').stdout).toBe(shell.print('printf %s "$BEHIND_PROXY"'));
    } finally {
      shell.remove();
    }
  });
});

/** A unit with this command, these files and this environment file, in the eyes of systemd. */
function unit(command: string, files = "", environment = ""): string {
  return `unit_property() { if [[ $2 == EnvironmentFiles ]]; then printf '%s\\n' '${environment}'; fi; }
    server_flag() { VALUE=''; }
    UNIT=prometheus.service EXEC_COMMAND='${command}' UNIT_FILES=(${files}) PUBLIC=('[::]:9090')
    URL=http://127.0.0.1:9090 MOVED_URL=$URL\n`;
}

describe("a command whose address cannot be taken away is refused", () => {
  const refusal = (command: string, files: Record<string, string> = {}) =>
    callStep("admin-api", `${unit(command)}check_movable`, files);

  test("because its program goes by another name", () => {
    expect(refusal("-@/usr/bin/prometheus main --x")).toEqual({
      code: 12,
      stdout: "",
      failure:
        "prometheus.service gives its program another name (ExecStart=@...), so it cannot be started behind a proxy; " +
        "nothing was changed. Take the @ and the name away, or set adminApi.exposure otherwise",
    });
  });

  test("because a script sets it, with the line", () => {
    const start = '#!/bin/sh\n# --web.listen-address=:9091\nexec prometheus --web.listen-address=:9090 "$@"\n';
    expect(refusal("./start $ARGS", { start })).toEqual({
      code: 12,
      stdout: "",
      failure:
        "the script that prometheus.service starts sets the address to listen on itself, in ./start:3, where it " +
        "cannot be replaced; nothing was changed. Move web.listen-address from there to the ExecStart= of the unit, or set " +
        "adminApi.exposure otherwise",
    });
  });

  test("and a script that hands its arguments on is not", () => {
    const start = '#!/bin/sh\nexec prometheus "$@"\n';
    expect(refusal("./start $ARGS", { start })).toEqual({ code: 0, stdout: "", failure: "" });
  });
});

describe("where the address can be changed by hand", () => {
  const debian = '# --web.listen-address=":9090"\nARGS=""\n';
  const set = `${debian}ARGS="--log.level=warn \\\n  --web.listen-address=:9090"\n`;
  const lastLine = (setting: string, files: Record<string, string>) =>
    callStep("admin-api", `${setting}ways_out; printf %s "$WAYS_OUT"`, files).stdout.split("\n").at(-1);

  const usual = (file: string) => unit("/usr/bin/prometheus $ARGS", "", file);
  const literal = (flag: string) => ({ unit: `[Service]\nExecStart=/x${flag}\n` });
  const atLine = (place: string) => `in the place of what ${place} says`;
  test.each([
    ["the variable of that file", usual("./default (ignore_errors=no)"), { default: debian }, "to ARGS in ./default"],
    ["the line there that sets it", usual("./default"), { default: set }, atLine("./default:4")],
    ["the line of the unit", unit("/x", "./unit"), literal(" --web.listen-address=:1"), atLine("./unit:2")],
    ["the unit, where there is nothing else", unit("/x", "./unit"), literal(""), "to the ExecStart= of the unit"],
  ])("%s", (_, setting, files, place) => {
    expect(lastLine(setting, files)).toBe(
      `Or let it listen on loopback only: on the host add --web.listen-address=127.0.0.1:9090 ${place}, then run: ` +
        "systemctl daemon-reload; systemctl restart prometheus.service",
    );
  });
});
