// What of a host's files travels with its backups: secrets in the places and spellings that people have them in, none
// of which may be found again.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

/** The planted word. Whatever text holds it must not leave the host. */
const SECRET = "hunter2";

const write = (name: string, text: string): string => {
  const file = path.join(shell.directory, name);
  fs.writeFileSync(file, text);
  return file;
};

interface Copied {
  copy: string | undefined;
  left: string;
  stderr: string;
}

/**
 * What `copy_companion` makes of each of these texts, all in one bash; `served` is the configuration as the server
 * prints it.
 */
function copyAll(cases: [kind: string, text: string][], served = ""): Copied[] {
  const directory = path.join(shell.directory, String(copies++));
  fs.mkdirSync(directory);
  const file = (index: number, name: string) => path.join(directory, `${index}.${name}`);
  cases.forEach(([, text], index) => fs.writeFileSync(file(index, "file"), text));
  const called = shell.run(
    `directory=$1; printf %s "$2" >"$SCRATCH/prometheus.yml"; shift 2; index=0
    for kind in "$@"; do
      CONFIG_IN_FORCE=/none; if [[ $kind == config ]]; then CONFIG_IN_FORCE="$directory/$index.file"; fi
      : >"$SCRATCH/companion.left"
      copy_companion "$kind" "$directory/$index.file" "$directory/$index.copy" 2>"$directory/$index.stderr" || true
      cp "$SCRATCH/companion.left" "$directory/$index.left"
      index=$(( index + 1 ))
    done`,
    directory,
    served,
    ...cases.map(([kind]) => kind),
  );
  expect(called).toEqual({ code: 0, stdout: "", stderr: "" });
  return cases.map((_, index) => {
    const read = (name: string) => fs.readFileSync(file(index, name), "utf8").replaceAll(file(index, "file"), "FILE");
    return {
      copy: fs.existsSync(file(index, "copy")) ? read("copy") : undefined,
      left: read("left"),
      stderr: read("stderr"),
    };
  });
}

let copies = 0;

function copied(kind: string, text: string, served = ""): Copied {
  const [only] = copyAll([[kind, text]], served);
  if (only === undefined) {
    throw new Error("nothing came back");
  }
  return only;
}

/** A job with these lines in it, and something harmless before and behind them. */
const job = (lines: string): string =>
  `scrape_configs:\n  - job_name: before\n${lines}\n    static_configs: [ { targets: [ 'behind:9100' ] } ]\n`;

// Each holds the planted word and still travels; what is harmless beside it is there.
const masked: [title: string, kind: string, text: string][] = [
  ["a password", "config", job("    basic_auth:\n      username: u\n      password: hunter2")],
  ["a user name that is the token", "config", job("    basic_auth: { username: hunter2, password_file: /etc/empty }")],
  ["a value on the next line", "config", job("    bearer_token:\n      hunter2")],
  ["a value some lines further", "config", job("    bearer_token:\n\n      # here\n\n      hunter2")],
  [
    "a text over lines",
    "config",
    job("    authorization:\n      credentials: >-\n        hunter2\n        more hunter2"),
  ],
  [
    "a text with its own depth",
    "config",
    job("    authorization:\n      credentials: |2\n          hunter2\n        hunter2"),
  ],
  ["a plain text that goes on", "config", job("    bearer_token: begins\n      hunter2\n      hunter2")],
  ["quotes that go on at the left edge", "config", job('    bearer_token: "begins\nhunter2"')],
  ["a quoted key", "config", job('    "bearer_token": hunter2')],
  ["a key with a space before the colon", "config", job("    'bearer_token' : hunter2")],
  ["braces over lines", "config", job("    basic_auth: {\n      username: u,\n      password: hunter2\n    }")],
  ["braces as JSON has them", "config", job('    basic_auth: {"username":"u","password":"hunter2"}')],
  ["a token of Consul", "config", job("    consul_sd_configs:\n      - server: c:8500\n        token: hunter2")],
  [
    "keys of EC2",
    "config",
    job("    ec2_sd_configs:\n    - region: eu-1\n      access_key: hunter2\n      secret_key: hunter2"),
  ],
  [
    "a secret of OAuth",
    "config",
    job(
      "    oauth2: { client_id: a, client_secret: hunter2, token_url: 'https://h/token', endpoint_params: { pass: hunter2 } }",
    ),
  ],
  [
    "a key inside the configuration",
    "config",
    job(
      "    tls_config:\n      key: |\n        -----BEGIN PRIVATE KEY-----\n        hunter2\n        -----END PRIVATE KEY-----",
    ),
  ],
  ["a parameter", "config", job("    params:\n      module: [ http_2xx ]\n      api_key: [ hunter2 ]")],
  [
    "headers of a scrape",
    "config",
    job("    http_headers:\n      X-Api-Key: { secrets: [ hunter2 ] }\n      X-Other: { values: [ hunter2 ] }"),
  ],
  ["headers of a proxy", "config", job("    proxy_connect_header:\n      Proxy-Authorization: [ Basic hunter2 ]")],
  ["a user in the address of a proxy", "config", job("    proxy_url: http://proxy:hunter2@192.0.2.80:3128")],
  [
    "a password with signs of addresses in it",
    "config",
    job("    proxy_url: http://proxy:p/?#hunter2@192.0.2.80:3128"),
  ],
  [
    "a password with quotes and spaces in it",
    "config",
    job("    proxy_url: 'http://proxy:a\"b <c> hunter2@192.0.2.80:3128'"),
  ],
  ["an address with an escaped sign", "config", job('    proxy_url: "http://proxy:hunter2\\x40192.0.2.80:3128"')],
  [
    "an address cut by the end of a line",
    "config",
    job('    proxy_url: "http://proxy:hunter\\\n      2@192.0.2.80"').replace(
      "hunter\\\n      2",
      "hunter2\\\n      2",
    ),
  ],
  [
    "a target with a user",
    "config",
    job("    x: y").replace(
      "'behind:9100'",
      "'https://a:hunter2@behind:9100', 'a:hunter2@behind:9100', 'http://h/probe?token=hunter2'",
    ),
  ],
  ["a path that nobody knows", "config", job("    metrics_path: /metrics/hunter2")],
  ["a path with a question", "config", job("    metrics_path: /metrics?key=hunter2")],
  [
    "a label that becomes a parameter",
    "config",
    job("    x: y").replace("targets:", "labels: { rack: r1, __param_token: hunter2 }, targets:"),
  ],
  [
    "a relabeling to a parameter, named before",
    "config",
    job("    relabel_configs:\n      - target_label: __param_token\n        replacement: hunter2"),
  ],
  [
    "a relabeling to a parameter, named behind",
    "config",
    job("    relabel_configs: [ { replacement: hunter2, target_label: __param_token } ]"),
  ],
  ["an authorization without credentials", "config", job("    authorization: { type: 'Token hunter2' }")],
  [
    "a key that only a later version knows",
    "config",
    job("    vault_sd_configs:\n    - role_id: hunter2\n      more: { deep: [ hunter2 ] }"),
  ],
  ["a known name below an unknown one", "config", job("    plugin: { name: hunter2, job_name: hunter2 }")],
  ["a comment", "config", job("    # password: hunter2\n    scrape_interval: 15s # was hunter2")],
  ["lines that end as on Windows", "config", job("    bearer_token: hunter2").replaceAll("\n", "\r\n")],
  ["tabs behind the key", "config", job("    bearer_token:\thunter2\t# hunter2")],
  [
    "an address to write to",
    "config",
    `${job("    x: y")}remote_write:\n- url: https://h/api/v1/push/hunter2?token=hunter2\n  headers: { X-Scope-OrgID: hunter2 }\n  sigv4: { access_key: hunter2, secret_key: hunter2 }\n`,
  ],
  [
    "an Alertmanager with a password",
    "config",
    `${job("    x: y")}alerting: { alertmanagers: [ { basic_auth: { password: hunter2 }, path_prefix: /am/hunter2 } ] }\n`,
  ],
  ["a number where there is none", "config", job("    scrape_interval: hunter2")],
  [
    "hashes of passwords",
    "web",
    "tls_server_config:\n  cert_file: before\n  client_ca_file: behind:9100\nbasic_auth_users:\n  admin: $2y$10$hunter2\n  'joe@example.org': '$2y$10$hunter2'\n",
  ],
  [
    "targets in JSON",
    "targets",
    '[\n  { "targets": [ "before", "u:hunter2@behind:9100" ],\n    "labels": { "__param_auth": "hunter2", "rack": "r1" }, "password": "hunter2" } ]\n',
  ],
  [
    "targets in JSON that holds a key twice",
    "targets",
    '[{"token":"hunter2","token":true,"targets":["before","behind:9100"]}]',
  ],
  [
    "remarks of a query",
    "rules",
    "groups:\n- name: before\n  rules:\n  - alert: A\n    expr: |\n      # token hunter2\n      up{a=\"#\"} == 0 # hunter2\n    annotations: { summary: 'behind:9100', webhook_token: hunter2, link: 'https://g/d?key=hunter2' }\n",
  ],
  [
    "a key of a rule that nobody knows",
    "rules",
    "groups:\n- name: before\n  token: hunter2\n  rules: [ { record: 'behind:9100', expr: up } ]\n",
  ],
];

describe("a secret is left out, and the rest travels:", () => {
  let results: Copied[];
  beforeAll(() => {
    results = copyAll(masked.map(([, kind, text]) => [kind, text]));
  });

  test.each(masked.map(([title, , text], index) => [title, text, index] as const))("%s", (_, text, index) => {
    expect(text).toContain(SECRET);
    const { copy, left, stderr } = results[index] ?? { copy: undefined, left: "", stderr: "" };
    expect(`${copy} ${left} ${stderr}`).not.toContain(SECRET);
    expect(copy).toContain("before");
    expect(copy).toContain("behind:9100");
    expect(left).toMatch(/^FILE(: comments \(\d+\)| line \d+: .+)$/m);
  });
});

// What no rule can tell apart stays on the host as a whole.
const refused: [title: string, text: string][] = [
  ["anchors", job("    basic_auth: &a { password: hunter2 }")],
  ["an alias", job("    basic_auth: *hunter2")],
  ["merged keys", job("    basic_auth:\n      <<: *hunter2")],
  ["tags", job("    bearer_token: !!str hunter2")],
  ["a key with a question mark", job("    ? bearer_token\n    : hunter2")],
  ["several documents", `${job("    x: y")}---\nbearer_token: hunter2\n`],
  ["a tab as indentation", job("    basic_auth:\n\tpassword: hunter2")],
  ["a key in a value", job("    scheme: http bearer_token: hunter2")],
  ["odd indentation", job("    scheme: http\n      bearer_token: hunter2")],
  ["less indentation than the text before it", job("    job_name: |\n          a\n       bearer_token: hunter2")],
  ["quotes without an end", job('    job_name: "hunter2')],
  ["line ends that editors do not show", job("    scheme: http\u2028    bearer_token: hunter2")],
  ["a zero byte", job("    scheme: http\0hunter2")],
  ["no YAML at all", "PASSWORD=hunter2\n"],
];

describe("a file does not travel, and the log says why:", () => {
  let results: Copied[];
  beforeAll(() => {
    results = copyAll(refused.map(([, text]) => ["config", text]));
  });

  test.each(refused.map(([title, text], index) => [title, text, index] as const))("%s", (_, text, index) => {
    expect(text).toContain(SECRET);
    const { copy, left, stderr } = results[index] ?? { copy: "", left: "", stderr: "" };
    expect(copy).toBeUndefined();
    expect(`${left} ${stderr}`).not.toContain(SECRET);
    expect(left).toMatch(/^FILE: all of it; it cannot be judged whether it holds a secret \(.+\)\n$/);
    expect(stderr).toMatch(
      /^prometheus-backup: warning: companion FILE does not travel with the backup: it cannot be judged whether it holds a secret \(.+\)\n$/,
    );
  });
});

test("a configuration that cannot be judged comes as the server prints it", () => {
  const served =
    "global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: a\n  basic_auth:\n    password: <secret>\n  proxy_url: http://u:hunter2@h\n";
  expect(copied("config", job("    basic_auth: &a { password: hunter2 }"), served)).toEqual({
    copy: served.replace("u:hunter2", "<secret>"),
    left: "FILE line 7: proxy_url\n",
    stderr: "",
  });
});

const harmless: [kind: string, text: string][] = [
  [
    "config",
    `global:
  scrape_interval: 15s
  external_labels: { replica: "a", env: test }

rule_files:
- /etc/prometheus/rules/*.yml
- 'two words.yml'
scrape_configs:
  - job_name: "node"
    scheme: https
    honor_labels: true
    sample_limit: 10000
    body_size_limit: 10MB
    authorization: { type: Bearer, credentials_file: /etc/token }
    tls_config: { ca_file: ca.pem, insecure_skip_verify: false }
    file_sd_configs: [ { files: [ "targets/*.json" ], refresh_interval: 1m30s } ]
    relabel_configs:
      - source_labels: [__address__, job]
        regex: '([^:]+)(?::\\d+)?;"?(.*)"?'
        replacement: "$1"
        target_label: host
      - { target_label: __address__, replacement: "127.0.0.1:9115" }
      - { action: labelmap, regex: "__meta_(.+)" }
  - job_name: blackbox
    metrics_path: /probe
    params: { module: [ http_2xx ] }
    static_configs:
      - targets:
          - https://example.org/
          - http://[::1]:9090/metrics
        labels:
          rack: r1
remote_write:
- url: https://mimir.example.org/api/v1/push
  queue_config: { max_shards: 10 }
`,
  ],
  [
    "rules",
    `groups:
  - name: node
    interval: 1m
    rules:
      - record: job:up:sum
        expr: sum by (job) (up{job!="#1"})
      - alert: Down
        expr: |
          up == 0
            and on (instance) x > 1
        for: 5m
        labels:
          severity: page
        annotations:
          summary: "Instance {{ $labels.instance }} is down"
          description: 'Value: {{ $value | printf "%.2f" }}'
          runbook_url: https://runbooks.example.org/Down?instance={{ $labels.instance }}&from=now-1h
`,
  ],
  ["targets", '[ { "targets": [ "127.0.0.1:9" ], "labels": { "env": "test" } } ]\n'],
  ["targets", "- targets:\n    - a:9100\n    - b:9100\n  labels: {env: test}\n"],
  [
    "web",
    "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS12\nhttp_server_config: { http2: true }\n",
  ],
  [
    "unit",
    `# /lib/systemd/system/prometheus.service
[Unit]
Description=Monitoring system and time series database
After=network-online.target time-sync.target

[Service]
Restart=on-failure
User=prometheus
EnvironmentFile=/etc/default/prometheus
Environment=GOMAXPROCS=2 "GOGC=50"
ExecStart=/usr/bin/prometheus $ARGS \\
  --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.retention.time 30d \\
  --web.external-url=https://prometheus.example.org/prometheus/
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStopSec=20s
SystemCallFilter=~@clock @module
ReadWritePaths=/var/lib/prometheus

# /etc/systemd/system/prometheus.service.d/own.conf
[Service]
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
`,
  ],
];

test("what is harmless travels byte by byte", () => {
  expect(copyAll(harmless)).toEqual(harmless.map(([, text]) => ({ copy: text, left: "", stderr: "" })));
});

test("of a unit, only what is known to hold no secret travels", () => {
  const unit = `# /etc/systemd/system/prometheus.service
# token: hunter2
[Service]
Environment=AWS_ACCESS_KEY_ID=hunter2 AWS_SECRET_ACCESS_KEY=hunter2 GOGC=50
Environment="HTTPS_PROXY=http://proxy:hunter2@192.0.2.80:3128" 'A=b hunter2'
EnvironmentFile=-/etc/default/prometheus
SetCredential=token:hunter2
LoadCredential=token:/etc/token
ExecStartPre=/bin/sh -c 'curl -H "X-Token: hunter2" h'
ExecStart=/usr/bin/env TOKEN=hunter2 /usr/bin/prometheus --config.file=/etc/p.yml \\
  ; hunter2
  --web.external-url=https://u:hunter2@h/ --own.token=hunter2 --own.token hunter2 "--own=a hunter2"
ExecStop=/bin/echo "hunter2
X-Note=hunter2
TimeoutStopSec=hunter2
`;
  const { copy, left, stderr } = copied("unit", unit);
  expect(copy).toBe(`# /etc/systemd/system/prometheus.service
[Service]
Environment=AWS_ACCESS_KEY_ID=<secret> AWS_SECRET_ACCESS_KEY=<secret> GOGC=50
Environment="HTTPS_PROXY=<secret>" 'A=<secret>'
EnvironmentFile=-/etc/default/prometheus
SetCredential=<secret>
LoadCredential=token:/etc/token
ExecStartPre=/bin/sh -c <secret>
ExecStart=/usr/bin/env <secret> /usr/bin/prometheus --config.file=/etc/p.yml \\
  --web.external-url=https://<secret>@h/ --own.token=<secret> --own.token <secret> <secret>
ExecStop=<secret>
X-Note=<secret>
TimeoutStopSec=<secret>
`);
  expect(left).toBe(
    [
      "comments (2)",
      "line 4: Environment",
      "line 5: Environment",
      "line 7: SetCredential",
      "line 9: ExecStartPre",
      "line 10: ExecStart",
      "line 13: ExecStop",
      "line 14: X-Note",
      "line 15: TimeoutStopSec",
    ]
      .map((text, index) => `/unit.txt${index === 0 ? ":" : ""} ${text}\n`)
      .join(""),
  );
  expect(stderr).toBe("");
});

test("what is collected names what is missing, and files of the configuration are found by what they are", () => {
  const at = (name: string) => path.join(shell.directory, name);
  write(
    "prometheus.yml",
    `rule_files: [ rules.yml ]\nscrape_config_files: [ more.yml ]\nscrape_configs: [ { job_name: a, bearer_token: hunter2, file_sd_configs: [ { files: [ sd.json ] } ] } ]\n`,
  );
  write("rules.yml", "groups: [ { name: a, rules: [ { record: a, expr: up } ] } ] # hunter2\n");
  write("more.yml", "scrape_configs:\n- job_name: b\n  consul_sd_configs: [ { token: hunter2, more: hunter2 } ]\n");
  write("sd.json", '[{"targets":["a:1"],"token":"hunter2"}]');
  const served =
    "rule_files:\n- rules.yml\nscrape_config_files:\n- more.yml\nscrape_configs:\n- job_name: a\n  file_sd_configs:\n  - files:\n    - sd.json\n";
  const { stdout, stderr } = shell.run(
    `mkdir bin; printf '#!/bin/sh\necho "# /etc/systemd/system/p.service"; echo "Environment=TOKEN=hunter2"\n' >bin/systemctl; chmod +x bin/systemctl; PATH="$PWD/bin:$PATH"
    CONFIG_IN_FORCE="$PWD/prometheus.yml" WEB_CONFIG=""; printf %s "$1" >"$SCRATCH/prometheus.yml"
    collect_companions; cd "$SCRATCH/companions"; grep -r hunter2 . || true; find . -type f | sort; cat left-out.txt`,
    served,
  );
  const names = ["more.yml", "prometheus.yml", "rules.yml", "sd.json"].map(name => `.${at(name)}`);
  expect(stdout.split("\n")).toEqual([
    ...[...names, "./left-out.txt", "./unit.txt"].sort(),
    "Not in these companions, since it is a secret or may be one:",
    `${at("prometheus.yml")} line 3: bearer_token`,
    `${at("rules.yml")}: comments (1)`,
    `${at("more.yml")} line 3: token`,
    `${at("more.yml")} line 3: more`,
    `${at("sd.json")} line 1: token`,
    "/unit.txt line 2: Environment",
    "",
  ]);
  expect(stderr).toMatch(/^\S+ companions masked=5 \(left-out\.txt in the backup names what is missing\)\n$/);
});
