// What the server's API says is data of another program, or of a proxy in front of it: in its form, or no answer at
// all.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";
import { spoil } from "../tools/spoil";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
});
afterAll(() => data.shell.remove());

const code = () => `a[$(touch ${data.at("executed")})]`;
const LOGIN = "<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>$(touch executed)</body></html>\n";
const NO_JSON = "HTTP 200, but no answer of Prometheus: no JSON (the page of a proxy or a login?)";

/** An answer of each kind, as Prometheus gives it. */
const ANSWERS: Record<string, unknown> = {
  buildinfo: { version: "2.42.0+ds" },
  flags: {
    "storage.tsdb.path": "/data",
    "web.enable-admin-api": "true",
    "storage.tsdb.retention.size": "1GB",
    "web.listen-address": "0.0.0.0:9090",
    "config.file": "/etc/p.yml",
    "web.config.file": "",
  },
  runtimeinfo: { storageRetention: "15d or 1GiB", CWD: "/" },
  config: { yaml: "global:\n  scrape_interval: 1m\n" },
  snapshot: { name: "20261122T020000Z-0123456789abcdef" },
  tsdb: {
    headStats: { numSeries: 508, chunkCount: 937, minTime: 1591516800000 },
    seriesCountByMetricName: [{ name: "net_conntrack_dialer_conn_failed_total", value: 20 }],
  },
  query: { resultType: "vector", result: [{ metric: { job: "x" }, value: [1435781451.781, "1.5"] }] },
  values: ["up", "ä\u0001"],
  series: [{ __name__: "up", job: "x" }],
  rules: { groups: [{ rules: [{ name: "PrometheusBackupFailed", health: "ok" }] }] },
  alertmanagers: { activeAlertmanagers: [{ url: "http://127.0.0.1:9093/api/v2/alerts" }] },
};
/** Text that anybody may choose, such as the name of a metric; or what is shown in one line and nothing else. */
const ANY = /^(values|series|query\.result\.0\.metric)|\.name$|\.url$|resultType$|^config\.yaml$/;
const SHOWN = /^(flags\.(storage|web\.(listen|config)|config)|runtimeinfo)/;
const hostile = (): unknown[] => [
  code(),
  "1e20",
  "-5x",
  "0x10",
  "9".repeat(30),
  "a\u0000b",
  "x".repeat(200_000),
  "\u001b[2J",
  "NaN",
  "+Inf",
  1e20,
  -5,
  1e300,
  0.1,
  true,
  {},
  [],
  ["x"],
  [1, "2", "3"],
];

function isRight(at: string, old: unknown, value: unknown): boolean {
  if (typeof value !== typeof old) {
    return false;
  }
  const text = typeof value === "string" ? value : "";
  return (
    (typeof value === "string" && ANY.test(at) && !/^snapshot|^buildinfo|health$/.test(at)) ||
    (SHOWN.test(at) && /^[ -~]{1,100}$/.test(text)) ||
    (at === "buildinfo.version" && /^[0-9A-Za-z.+-]{1,100}$/.test(text)) ||
    (typeof value === "number" &&
      ((at.endsWith("minTime") && Number.isInteger(value) && value < 1e300) ||
        (at.endsWith("value.0") && value < 1e15)))
  );
}

test("an answer with anything else at any place that is used is none", () => {
  const sound = Object.entries(ANSWERS).map(([kind, document]) => ({ kind, document }));
  const tried = sound
    .flatMap(({ kind, document }) => spoil(document, kind, { hostile, isRight }).map(spoiled => ({ kind, ...spoiled })))
    .filter(({ at }) => !/resultType$|metric\.job$/.test(at));
  expect(tried.length).toBeGreaterThan(300);
  const lines = [...sound, ...tried].map(({ kind, document }) =>
    JSON.stringify({ kind, answer: { status: "success", data: document } }),
  );
  data.put("answers.json", lines.join("\n"));
  const taken = data.shell
    .print(
      `jq --null-input --raw-output "$(answer_form)"'
    inputs | .kind as $kind | [.answer] | try (answer($kind) | "1") catch .' answers.json`,
    )
    .split("\n");
  expect(taken.slice(0, sound.length)).toEqual(sound.map(() => "1"));
  const missed = tried.filter((_, index) => !taken[sound.length + index]?.startsWith("not in its form: "));
  expect(missed.map(({ at, value }) => [at, String(value).slice(0, 50)])).toEqual([]);
});

test("what is no answer gives no value, and says why in words", () => {
  const success = (value: unknown) => JSON.stringify({ status: "success", data: value });
  const bodies: Record<string, [string, string]> = {
    login: [LOGIN, NO_JSON],
    empty: ["", "HTTP 200, but nothing in it"],
    blanks: [" \n ", "HTTP 200, but no answer of Prometheus: not one answer"],
    list: ["[]", "HTTP 200, but no answer of Prometheus: no success"],
    text: [JSON.stringify(code()), "HTTP 200, but no answer of Prometheus: no success"],
    failed: ['{"status":"error","error":"x"}', "HTTP 200, but no answer of Prometheus: no success"],
    twice: [success(ANSWERS["query"]).repeat(2), "HTTP 200, but no answer of Prometheus: not one answer"],
    cut: [success(ANSWERS["query"]).slice(0, 40), NO_JSON],
    nothing: [success(null), "HTTP 200, but no answer of Prometheus: not in its form: result"],
    wrong: [
      success({ result: [{ value: [1, code()] }] }),
      "HTTP 200, but no answer of Prometheus: not in its form: result[0].value",
    ],
    giant: [LOGIN.repeat(100_000), NO_JSON],
  };
  Object.entries(bodies).forEach(([name, [body]]) => data.put(`body.${name}`, body));
  const { stdout, stderr } = data.shell.run(`API_STATUS=200 API_ERROR=""
    for name in ${Object.keys(bodies).join(" ")}; do
      API_BODY="body.$name"
      if api_value query '.result[0].value[1]'; then echo taken; else printf '%s\\n' "$(answer_words)"; fi
    done
    API_STATUS=401; api_value query . || answer_words`);
  expect(stdout.split("\n")).toEqual([...Object.values(bodies).map(([, words]) => words), "HTTP 401"]);
  expect([stderr, fs.existsSync(data.at("executed"))]).toEqual(["", false]);
});

test("a login page with HTTP 200 in place of everything is no server, and each command says so", () => {
  data.put("login.html", LOGIN);
  const answers = `CONFIG_FILE="$PWD/settings.conf"; require_tools() { :; }
    why_no_backup() { WHY="" WAY_OUT=""; }
    curl() {
      while (( $# > 0 )); do
        if [[ $1 == --output ]]; then cat login.html >"$2"; printf '200\\n'; fi
        shift
      done
    }`;
  data.block(1);
  for (const words of ["run", "check"]) {
    const {
      code: end,
      stdout,
      stderr,
    } = data.shell.run(`${answers}
      main ${words}`);
    expect([words, stdout + stderr]).toEqual([
      words,
      expect.stringContaining("does not answer like a Prometheus (HTTP 200 on buildinfo)"),
    ]);
    expect([words, end, stderr]).toEqual([
      words,
      words === "run" ? 4 : end,
      expect.not.stringMatching(/unexpected failure|jq: error/),
    ]);
    expect(end).not.toBe(0);
  }
  expect(fs.existsSync(data.at("executed"))).toBe(false);
});
