// What an answer shows that is not the server's or the exporter's: in the steps, and in the host command.
import { afterAll, expect, test } from "vitest";
import { Shell } from "../restore/shell";
import { callStep } from "./bash";

const shell = new Shell();
afterAll(() => shell.remove());

const lecture =
  "More details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the server\nhow to fix it, please visit the web page mentioned above.\n";
const untrusted = "curl: (60) SSL certificate problem: self-signed certificate";
const nameless = "curl: (60) SSL: no alternative certificate subject name matches target host name '127.0.0.1'";
const noTls = "curl: (35) error:0A00010B:SSL routines::wrong version number";
const asksForOne =
  "curl: (56) OpenSSL SSL_read: OpenSSL/3.0.17: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0";
const noFile = "curl: (77) error setting certificate file: /root/ca.pem";

const withPassword = 'Name a secret with a curl configuration, such as user = "name:password", in S.credentials';
const withAuthority = 'name a secret with the line cacert = "FILE" in S.credentials';

// Name, HTTP status, body, what curl says, the configuration it was asked with, and what is made of it.
const cases: [string, number, string, string, string, string][] = [
  ["no password", 401, "Unauthorized", "", "", `asks for credentials (HTTP 401). ${withPassword}`],
  [
    "a wrong one",
    401,
    "Unauthorized",
    "",
    "/c",
    'asks for credentials (HTTP 401). Correct the secret that S.credentials names: its line user = "name:password" is missing or wrong',
  ],
  ["a proxy that lets nobody in", 403, "<html>", "", "", `asks for credentials (HTTP 403). ${withPassword}`],
  [
    "TLS, of Go",
    400,
    "Client sent an HTTP request to an HTTPS server.\n",
    "",
    "",
    `speaks TLS. Write https:// in S.url; for a certificate of your own, ${withAuthority}`,
  ],
  [
    "TLS, of nginx",
    400,
    "<center>The plain HTTP request was sent to HTTPS port</center>",
    "",
    "",
    `speaks TLS. Write https:// in S.url; for a certificate of your own, ${withAuthority}`,
  ],
  ["another 400", 400, "no", "", "", ""],
  [
    "a path",
    404,
    "404 page not found",
    "",
    "",
    "has no such page (HTTP 404). Correct S.url; its path is that of --web.route-prefix or --web.external-url, or of the proxy in front",
  ],
  ["a redirect", 302, "", "", "", "sends its callers elsewhere (HTTP 302). Write in S.url where it sends them"],
  [
    "a certificate of one's own",
    0,
    "",
    `${untrusted}\n${lecture}`,
    "",
    `shows a certificate that this host does not trust (${untrusted}). N${withAuthority.slice(1)}; is the name in the URL one of the certificate?`,
  ],
  [
    "another name",
    0,
    "",
    `${nameless}\n${lecture}`,
    "",
    `shows a certificate that this host does not trust (${nameless}). N${withAuthority.slice(1)}; is the name in the URL one of the certificate?`,
  ],
  ["no TLS", 0, "", `${noTls}\n`, "", `speaks no TLS (${noTls}). Write http:// in S.url`],
  [
    "a certificate of the caller",
    0,
    "",
    `${asksForOne}\n`,
    "",
    `asks for a certificate of its callers (${asksForOne}). Name a secret with the lines cert = "FILE" and key = "FILE" in S.credentials`,
  ],
  [
    "a file that is not there",
    0,
    "",
    `${noFile}\n`,
    "/c",
    `cannot be asked: /c, or a file that it names, cannot be read by 'ME' as what it should be (${noFile}). Correct the path in the secret that S.credentials names, and let 'ME' read the file`,
  ],
  // These may pass by themselves.
  ["nobody", 0, "", "curl: (7) Failed to connect to 127.0.0.1 port 9090\n", "/c", ""],
  ["a server that starts", 503, "Service Unavailable", "", "", ""],
  ["a proxy without a server", 502, "<html>", "", "/c", ""],
];

test("password, TLS, certificate and path are told from what passes by itself", () => {
  const script = cases.map(([, status, , , config], index) => {
    const code = String(status).padStart(3, "0");
    return `id() { printf ME; }; explain_answer ${code} body${index} "$(curl_words words${index})" S.url S.credentials '${config}'; printf '%s\\n' "$FAULT\${FAULT:+. }$REMEDY"`;
  });
  const files = Object.fromEntries(
    cases.flatMap(([, , body, words], index) => [
      [`body${index}`, body],
      [`words${index}`, words],
    ]),
  );
  const said = callStep("admin-api", script.join("\n"), files).stdout.split("\n").slice(0, -1);
  expect(Object.fromEntries(cases.map(([name], index) => [name, said[index]]))).toEqual(
    Object.fromEntries(cases.map(([name, , , , , text]) => [name, text])),
  );
});

test("a step says it at once, and does not wait for the server", () => {
  const server = `BASE_URL=http://x; require_unit() { :; }; http_get() { HTTP_STATUS=401; }; wait_ready() { echo waited; }; keep_journal() { :; }; declare -A SETTINGS=(); `;
  expect(callStep("admin-api", `${server} require_server prometheus.service 120`)).toEqual({
    code: 4,
    stdout: "",
    failure:
      'Prometheus at http://x asks for credentials (HTTP 401); nothing was changed. Name a secret with a curl configuration, such as user = "name:password", in prometheus.apiCredentials',
  });
});

test("a command says it, and a restore into a running server that nobody can ask is refused before anything", () => {
  const server = `curl() { printf '404 page not found' >"$SCRATCH/answer"; printf 404; }; wait_for() { "$@"; }; last_success_in_words() { printf 'no backup'; }; PROMETHEUS_URL=http://x; `;
  const path =
    "Correct prometheus.url; its path is that of --web.route-prefix or --web.external-url, or of the proxy in front";
  const run = shell.run(`${server} require_server`);
  expect([run.code, run.stderr]).toEqual([
    4,
    `prometheus-backup: error: Prometheus at http://x has no such page (HTTP 404); nothing was done, no backup; c${path.slice(1)}\n`,
  ]);

  const facts = `${server} read_unit() { UNIT_KNOWN=true UNIT_RUNS=$RUNS UNIT_CAN_STOP=true UNIT_USER="" UNIT_GROUP="" UNIT_PID=0 UNIT_LOAD=loaded; }; unit_arguments() { :; }; facts_of_dead_server() { say ASKED OTHERS; exit 0; }; `;
  const restore = shell.run(`${facts} RUNS=true; read_server_facts`);
  expect([restore.code, restore.stderr]).toEqual([
    4,
    `prometheus-backup: error: Prometheus at http://x has no such page (HTTP 404), so a restore could not see that it works; nothing was touched; c${path.slice(1)}\n`,
  ]);
  // Of a server that is down somebody else may answer.
  expect(shell.run(`${facts} RUNS=false; read_server_facts`)).toMatchObject({ code: 0, stderr: "ASKED OTHERS\n" });
});

test("a server that is up after the switch, but never to be asked, is not waited for to the end", () => {
  const server = `curl() { printf 404; }; unit_is() { true; }; start_was_in_vain() { false; }; PROMETHEUS_URL=http://x READY_TIMEOUT_SECONDS=900; wait_for() { EPOCHSECONDS=$(( EPOCHSECONDS + 10 )); }; `;
  const { stdout } = shell.run(
    `${server} unset EPOCHSECONDS; EPOCHSECONDS=1000; if await_start; then echo ready; fi; printf '%s %s' "$EPOCHSECONDS" "$START_ERROR"`,
  );
  expect(stdout).toBe(
    "1020 it runs, but http://x has no such page (HTTP 404). Correct prometheus.url; its path is that of --web.route-prefix or --web.external-url, or of the proxy in front",
  );
});
