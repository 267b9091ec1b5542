// How a server is told to load its configuration: never by a signal to a process that is not known to be the server.
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callStep } from "./bash";

/** A unit with a main process, and the process of it that is the server, if any. */
interface Situation {
  main: number;
  server: number | "";
  canReload: "yes" | "no";
  lifecycle: boolean;
  /** What the server, or what stands in front of it, says to a request to reload. */
  answer?: number;
}

/** What is done, in this order: requests with POST, signals and calls of systemctl. */
function done(
  { main, server, canReload, lifecycle, answer = 200 }: Situation,
  call: string,
): { done: string; failure: string; code: number } {
  const { stdout, failure, code } = callStep(
    "alert-rules",
    `BASE_URL=http://127.0.0.1:9090
    unit_property() { case "$2" in MainPID) echo ${main} ;; CanReload) echo ${canReload} ;; esac; }
    program_name() { printf bash; }
    find_server_process() { SERVER_PID='${server}'; }
    http_get() {
      HTTP_STATUS=200 HTTP_BODY='{"status":"success","data":{"web.enable-lifecycle":"${lifecycle}","storage.tsdb.path":"data/","web.listen-address":":9090"}}'
      if [[ $* == *POST* ]]; then echo "POST $1"; HTTP_STATUS=${answer}; fi
    }
    systemctl() { echo "systemctl $*"; }
    kill() { echo "kill $*"; }
    ${call}`,
  );
  return { done: stdout.trim().replaceAll("\n", ", "), failure, code };
}

const shell: Situation = { main: 10, server: 11, canReload: "no", lifecycle: false };
const itself: Situation = { ...shell, server: 10 };

describe("a server is told to reload", () => {
  test.each<[string, Situation, string]>([
    [
      "by its unit where it is the main process",
      { ...itself, canReload: "yes", lifecycle: true },
      "systemctl reload -- p.service",
    ],
    ["by itself where the unit cannot", { ...itself, lifecycle: true }, "POST /-/reload"],
    ["by a signal where neither can", itself, "kill -HUP 10"],
    ["by a signal to the server, not to the shell that has started it", shell, "kill -HUP 11"],
    ["not by a unit that would send the signal to that shell", { ...shell, canReload: "yes" }, "kill -HUP 11"],
    [
      "by a signal where something in front of it keeps the request back",
      { ...shell, lifecycle: true, answer: 403 },
      "POST /-/reload, kill -HUP 11",
    ],
  ])("%s", (_title, situation, expected) => {
    expect(done(situation, "require_reload p.service; order_reload p.service 60")).toEqual({
      done: expected,
      failure: "",
      code: 0,
    });
  });

  test("and does not get a signal after its own refusal", () => {
    expect(
      done({ ...shell, lifecycle: true, answer: 500 }, "if order_reload p.service 60; then echo loaded; fi").done,
    ).toBe("POST /-/reload");
  });

  test("or the step is refused before it changes anything", () => {
    const {
      code,
      failure,
      done: nothing,
    } = done({ ...shell, server: "", canReload: "yes" }, "require_reload p.service");
    expect({ code, nothing }).toEqual({ code: 12, nothing: "" });
    expect(failure).toMatch(
      /^p\.service cannot be told to load its configuration: its main process is not the server but bash, .*nothing was changed\. Add --web\.enable-lifecycle /,
    );
    expect(
      done({ ...shell, server: "", canReload: "yes" }, "if order_reload p.service 60; then echo loaded; fi").done,
    ).toBe("");
  });
});

describe("the process of a unit that is the server", () => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-data-"));
  const listener = net.createServer();
  let port = 0;
  let file = 0;

  beforeAll(async () => {
    await new Promise<void>(resolve => listener.listen(0, "127.0.0.1", resolve));
    port = (listener.address() as net.AddressInfo).port;
    file = fs.openSync(path.join(data, "00000001"), "w");
  });
  afterAll(() => {
    listener.close();
    fs.closeSync(file);
    fs.rmSync(data, { recursive: true });
  });

  /** The one that is found among this process and the shell that looks for it, which has the file open as well. */
  const found = (directory: string, ports: string, prelude = ""): string =>
    callStep(
      "alert-rules",
      `${prelude}unit_processes() { printf '%s\\n' $$ ${process.pid}; }; exec 5<'${data}/00000001'; find_server_process p.service '${directory}' '${ports}'; printf %s "$SERVER_PID"`,
    ).stdout;

  test("has one of its sockets, and its data open or its name", () => {
    expect(found(data, `:1 :${port}`)).toBe(String(process.pid));
    expect(found("/nowhere", `:${port}`, `program_name() { printf prometheus; }; `)).toBe(String(process.pid));
  });

  test("is found among all of the host where its unit does not know it, also by a user who sees no programs of others", async () => {
    const program = path.join(data, "prometheus-2.42");
    fs.copyFileSync("/usr/bin/sleep", program);
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const server = spawn(program, ["600"], { stdio: ["ignore", "ignore", "ignore", fd] });
    try {
      await once(server, "spawn");
      const anywhere = (ports: string, prelude = ""): string =>
        callStep("admin-api", `${prelude}SERVER_PID=''; find_server_elsewhere '${ports}'; printf %s "$SERVER_PID"`)
          .stdout;
      expect([anywhere(`:1 :${port}`), anywhere(":1")]).toEqual([String(server.pid), ""]);
      expect(anywhere(`:${port}`, 'find() { if [[ $* != */exe* ]]; then command find "$@"; fi; }; ')).toBe(
        String(server.pid),
      );
    } finally {
      server.kill();
    }
  });

  test("is none that has only one of both", () => {
    expect(found(data, ":1")).toBe("");
    expect(found("/nowhere", `:${port}`)).toBe("");
    expect(found(data, ":1", `program_name() { printf prometheus; }; `)).toBe("");
  });
});
