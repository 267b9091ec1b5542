import { describe, expect, test } from "vitest";
import { callStep } from "./bash";

/** A server that gives one answer to every request. */
function answering(status: number, body: string): string {
  return `BASE_URL=http://x; http_get() { HTTP_STATUS=${status}; HTTP_BODY='${body}'; }\n`;
}

describe("the version of Prometheus", () => {
  test.each(["2.39.0", "2.42.0+ds", "2.53.3", "3.5.0"])("%s is taken", version => {
    expect(
      callStep("admin-api", `${answering(200, `{"status":"success","data":{"version":"${version}"}}`)}require_version`),
    ).toEqual({
      code: 0,
      stdout: "",
      failure: "",
    });
  });

  test.each(["2.38.0", "2.24.1+ds", "1.8.2"])("%s is refused with the reason", version => {
    expect(
      callStep("admin-api", `${answering(200, `{"status":"success","data":{"version":"${version}"}}`)}require_version`),
    ).toEqual({
      code: 12,
      stdout: "",
      failure: `this is Prometheus ${version}, and 2.39 is the oldest that starts on overlapping blocks, which a restore can need; nothing was changed. Upgrade Prometheus first`,
    });
  });
});

describe("an answer that is not Prometheus's", () => {
  test.each([
    [200, "<html>Sign in</html>"],
    [401, "Unauthorized"],
    [404, "404 page not found"],
    [0, ""],
  ])("%i %s is no flag", (status, body) => {
    expect(callStep("admin-api", `${answering(status, body)}server_flag web.enable-admin-api`)).toEqual({
      code: 4,
      stdout: "",
      failure: `http://x/api/v1/status/flags answered with HTTP ${status} and not as Prometheus does; nothing was changed. Check the URL with its route prefix, and the credentials`,
    });
  });
});

describe("a server that is not ready", () => {
  const replaying = (current: number): string =>
    `http_get() { if [[ $1 == /-/ready ]]; then HTTP_STATUS=503; else HTTP_STATUS=200 HTTP_BODY='{"status":"success","data":{"min":0,"max":9,"current":${current}}}'; fi; }\n`;
  const isReplaying = (prelude: string): string =>
    callStep("admin-api", `${prelude}if replays_wal; then echo yes; fi`).stdout;

  test("is left alone while it replays its WAL, and only then", () => {
    expect(isReplaying(replaying(4))).toBe("yes\n");
    expect(isReplaying(replaying(9))).toBe("");
    expect(isReplaying(answering(0, ""))).toBe("");
  });
});

test("text of the server is never taken for a flag of another name", () => {
  const body = `{"status":"success","data":{"a.web.enable-admin-api":"true","web.enable-admin-api":"false"}}`;
  expect(callStep("admin-api", `HTTP_BODY='${body}'; json_value web.enable-admin-api; printf %s "$VALUE"`).stdout).toBe(
    "false",
  );
});
