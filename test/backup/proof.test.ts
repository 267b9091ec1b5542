// What `pulumi up` asks of a host before it says that the job is installed: can each repository be used?
import * as fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";

let data: DataDirectory;

beforeEach(() => {
  data = new DataDirectory();
});
afterEach(() => data.shell.remove());

const SECOND = { REPOSITORY_COUNT: "2", REPOSITORY_2_NAME: "nas", REPOSITORY_2_TYPE: "path" };
const prove = (more = "") => data.call("check --repositories", more);

test("repositories that can be written, read and deleted in are proven, and keep nothing of it", () => {
  const { code, stderr } = prove();
  expect([code, stderr]).toEqual([0, `  ✔ local           ${data.at("repository/prom-1")}: write, read, delete\n`]);
  // A mount point that was bare still looks like one.
  expect(fs.readdirSync(data.at("repository"))).toEqual([]);
  fs.mkdirSync(data.at("repository/prom-1"));
  expect(prove().code).toBe(0);
  expect(fs.readdirSync(data.at("repository/prom-1"))).toEqual([]);
});

test.each(["required", "warn"])("one that is not there, with proof: %s", proof => {
  data.configure({ ...SECOND, REPOSITORY_2_LOCATION: data.at("none"), REPOSITORY_2_PROOF: proof });
  const { code, stderr } = prove();
  expect(code, stderr).toBe(proof === "warn" ? 0 : 8);
  expect(stderr).toMatch(
    new RegExp(`^  ✔ local .*\\n  ${proof === "warn" ? "!" : "✘"} nas +repository nas \\(.*/none/prom-1\\): list: `),
  );
});

test("one that belongs to another machine is there, and whose it is to be is decided by somebody else", () => {
  fs.mkdirSync(data.at("repository/prom-1"));
  fs.writeFileSync(
    data.at("repository/prom-1/owner.json"),
    `{"host":"prom-1","id":"${"7".repeat(64)}","since":"2026-01-01T00:00:00Z"}\n`,
  );
  const { code, stderr } = prove();
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^ {2}! local +.* belongs to another machine named 'prom-1' .*run --take-over\n$/),
  ]);
  expect(fs.readdirSync(data.at("repository/prom-1"))).toEqual(["owner.json"]);
});

test("rights that take some seconds are waited for, and those that never come are not", () => {
  data.configure({ REPOSITORY_1_TYPE: "rclone", REPOSITORY_1_LOCATION: "s3:bucket" });
  const asked = (granted: number) => `sleep() { :; }; try_repository() {
    printf x >>${data.at("asked")}
    if (( $(wc -c <${data.at("asked")}) < ${granted} )); then die "$EXIT_REPOSITORY" "repository local: list: AccessDenied" "check"; fi
    printf there; }`;
  expect(prove(asked(3))).toMatchObject({ code: 0, stderr: expect.stringContaining("✔ local") as string });
  expect(fs.statSync(data.at("asked")).size).toBe(3);
  expect(prove(`PROOF_PATIENCE_SECONDS=0; ${asked(9)}`)).toMatchObject({
    code: 8,
    stderr: expect.stringContaining("✘ local           repository local: list: AccessDenied") as string,
  });
});

test("credentials of the server that this user cannot use are found now; a server that is not up is no fault", () => {
  data.configure({ API_CURL_CONFIG: data.at("curl") });
  const server = (words: string) =>
    `unset -f api; source <(sed -n '/^api() {/,/^}/p' "$PROGRAM"); require_api_credentials() { :; }; curl() { printf 000; echo '${words}' >&2; }`;
  const key = "curl: (58) unable to set private key file: /etc/prometheus/key.pem type PEM";
  const closed = prove(server(key));
  expect([closed.code, closed.stderr]).toEqual([
    4,
    expect.stringMatching(
      / ✔ local .*\n {2}✘ Prometheus {6}http:\S+ cannot be asked: .*key\.pem.*; correct the path in the secret that prometheus.apiCredentials names/,
    ),
  ]);
  expect(prove(server("curl: (7) Failed to connect")).code).toBe(0);
});
