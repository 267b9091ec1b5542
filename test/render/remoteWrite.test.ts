import { execFileSync } from "child_process";
import * as fs from "fs";
import * as os from "os";
import * as path from "path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { RemoteWriteTarget } from "../../components";
import { PlainTarget, remoteWritePlan, withoutSecrets } from "../../components/remoteWrite/plan";
import { remoteWriteCredentialsStep, remoteWriteStep } from "../../components/remoteWrite/step";
import { renderRemoteWrite } from "../../components/remoteWrite/yaml";
import { remoteWriteProblems } from "../../components/remoteWrite/problems";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "prometheus-backup-remote-write-"));
afterAll(() => fs.rmSync(directory, { recursive: true }));

function planOf(...targets: RemoteWriteTarget[]): ReturnType<typeof remoteWritePlan> {
  return remoteWritePlan(
    undefined,
    targets.map(target => withoutSecrets(target) as PlainTarget),
  );
}

/** What lands in prometheus.yml, after promtool has accepted it and without the line for readers of the file. */
function configuration(...targets: RemoteWriteTarget[]): string {
  const text = renderRemoteWrite(planOf(...targets).targets);
  const file = path.join(directory, "prometheus.yml");
  fs.writeFileSync(file, text);
  execFileSync("promtool", ["check", "config", file], { stdio: "pipe" });
  return text.replace(/^#.*\n/, "");
}

describe("the configuration of", () => {
  test("Thanos, with the values of the course", () => {
    const queue = { capacity: 10_000, maxShards: 50, maxSamplesPerSend: 5000 };
    expect(
      configuration({ name: "long-term", preset: "thanos", url: "http://thanos-receiver:19291/api/v1/receive", queue }),
    ).toBe(
      [
        "remote_write:",
        '  - name: "long-term"',
        '    url: "http://thanos-receiver:19291/api/v1/receive"',
        "    queue_config:",
        "      capacity: 10000",
        "      max_shards: 50",
        "      max_samples_per_send: 5000",
        "",
      ].join("\n"),
    );
  });

  test.each<[string, RemoteWriteTarget, string[]]>([
    [
      "Thanos with a tenant",
      { name: "t", preset: "thanos", url: "http://thanos:19291", tenant: "team-a" },
      ['    url: "http://thanos:19291/api/v1/receive"', "    headers:", '      THANOS-TENANT: "team-a"'],
    ],
    [
      "Cortex",
      { name: "t", preset: "cortex", url: "https://cortex/", tenant: "1" },
      ['    url: "https://cortex/api/v1/push"', "    headers:", '      X-Scope-OrgID: "1"'],
    ],
    [
      "Mimir behind a proxy",
      { name: "t", preset: "mimir", url: "https://proxy/mimir", headers: { "X-Team": "yes" } },
      ['    url: "https://proxy/mimir/api/v1/push"', "    headers:", '      X-Team: "yes"'],
    ],
    [
      "VictoriaMetrics",
      { name: "t", preset: "victoriametrics", url: "http://localhost:8428" },
      ['    url: "http://localhost:8428/api/v1/write"'],
    ],
    [
      "a VictoriaMetrics cluster",
      { name: "t", preset: "victoriametrics", url: "http://vminsert:8480", tenant: "42:7" },
      ['    url: "http://vminsert:8480/insert/42:7/prometheus/api/v1/write"'],
    ],
    [
      "anything else",
      { name: "t", url: "http://other:9090/api/v1/write?db=x" },
      ['    url: "http://other:9090/api/v1/write?db=x"'],
    ],
  ])("%s", (_what, target, lines) => {
    expect(configuration(target)).toBe(["remote_write:", '  - name: "t"', ...lines, ""].join("\n"));
  });

  test("everything at once", () => {
    const pem = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----";
    const target: RemoteWriteTarget = {
      name: "all",
      preset: "mimir",
      url: "https://mimir",
      tenant: "a",
      timeoutSeconds: 20,
      basicAuth: { username: "1: #no", password: "HIDDEN" },
      tls: { ca: pem, certificate: pem, key: "HIDDEN", serverName: "inside", insecureSkipVerify: false },
      queue: {
        capacity: 9,
        minShards: 1,
        maxShards: 2,
        maxSamplesPerSend: 3,
        batchSendDeadlineSeconds: 4,
        maxBackoffSeconds: 5,
        retryOnRateLimit: true,
      },
      writeRelabelConfigs: [
        { sourceLabels: ["__name__", "job"], separator: "@", regex: "go_.*@a", action: "drop" },
        { sourceLabels: ["instance"], modulus: 4, targetLabel: "shard", action: "hashmod" },
        { targetLabel: "cluster", replacement: "$1: 'x' \"y\" \\ %" },
      ],
      sendExemplars: true,
      sendNativeHistograms: true,
    };
    expect(parse(configuration(target))).toEqual({
      remote_write: [
        {
          name: "all",
          url: "https://mimir/api/v1/push",
          remote_timeout: "20s",
          headers: { "X-Scope-OrgID": "a" },
          basic_auth: {
            username: "1: #no",
            password_file: expect.stringMatching(
              /^\/etc\/prometheus-backup\/remote-write\/all\.[0-9a-f]{8}\.password$/,
            ) as unknown,
          },
          tls_config: {
            ca_file: expect.stringMatching(/\.ca$/) as unknown,
            cert_file: expect.stringMatching(/\.certificate$/) as unknown,
            key_file: expect.stringMatching(/\.key$/) as unknown,
            server_name: "inside",
            insecure_skip_verify: false,
          },
          queue_config: {
            capacity: 9,
            max_shards: 2,
            min_shards: 1,
            max_samples_per_send: 3,
            batch_send_deadline: "4s",
            max_backoff: "5s",
            retry_on_http_429: true,
          },
          write_relabel_configs: [
            { source_labels: ["__name__", "job"], separator: "@", regex: "go_.*@a", action: "drop" },
            { source_labels: ["instance"], target_label: "shard", modulus: 4, action: "hashmod" },
            { target_label: "cluster", replacement: "$1: 'x' \"y\" \\ %" },
          ],
          send_exemplars: true,
          send_native_histograms: true,
        },
      ],
    });
    expect(JSON.stringify(remoteWriteStep(planOf(target)))).not.toContain("HIDDEN");
  });
});

test("several targets keep their order, and a bearer token is read from a file of its own", () => {
  const found = parse(
    configuration({ name: "b", url: "http://b/w", bearerToken: "HIDDEN" }, { name: "a", url: "http://a/w" }),
  ) as { remote_write: Record<string, unknown>[] };
  expect(found.remote_write.map(({ name }) => name)).toEqual(["b", "a"]);
  expect(found.remote_write[0]?.["authorization"]).toEqual({
    credentials_file: expect.stringMatching(/\/b\.[0-9a-f]{8}\.token$/) as unknown,
  });
});

test("where a target is sent to, and as whom, names its files; what is sent does not", () => {
  const file = (more: Partial<RemoteWriteTarget>, username = "u"): string | undefined =>
    [
      remoteWriteStep(planOf({ name: "a", url: "http://a/w", basicAuth: { username, password: "x" }, ...more }))
        .settings["SECRET_FILE"],
    ].flat()[0];
  expect(file({ queue: { capacity: 1 } })).toBe(file({}));
  expect(new Set([file({}), file({ url: "http://b/w" }), file({}, "v")]).size).toBe(3);
});

test("any text that is not refused reaches Prometheus as it is", () => {
  const hostile = [
    "'",
    '"',
    "\\",
    "$(id)",
    "`id`",
    "yes",
    "~",
    "null",
    "1e3",
    "0x1",
    " - a",
    "# x",
    "a: b",
    "{{ x }}",
    "%YAML",
    "ü €",
    "\u2028",
    "a\nb",
    "\u0007",
  ];
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 20 }),
      fc.string({ unit: "binary", maxLength: 20 }),
      (username, replacement) => {
        const target: RemoteWriteTarget = {
          name: "a",
          url: "http://a/w",
          basicAuth: { username, password: "x" },
          writeRelabelConfigs: [{ replacement, targetLabel: "x" }],
        };
        if (remoteWriteProblems([target]).length > 0) {
          return;
        }
        // The words of YAML 1.1, which Prometheus reads, include more than those of 1.2.
        const read = parse(renderRemoteWrite(planOf(target).targets), { version: "1.1" }) as {
          remote_write: { basic_auth: { username: string }; write_relabel_configs: { replacement: string }[] }[];
        };
        expect([
          read.remote_write[0]?.basic_auth.username,
          read.remote_write[0]?.write_relabel_configs[0]?.replacement,
        ]).toEqual([username, replacement]);
      },
    ),
    { examples: hostile.map((text): [string, string] => [text, text]) },
  );
});

describe("secrets", () => {
  const target: RemoteWriteTarget = { name: "a", url: "http://a/w", basicAuth: { username: "u", password: "x" } };
  test("are files for root and the server", () => {
    const { files = {} } = remoteWriteCredentialsStep(
      planOf(target),
      { a: { password: "pä$$ 'word'" } },
      'user = "x:y"',
    );
    expect(Object.entries(files)).toEqual([
      [
        "/etc/prometheus-backup/remote-write/prometheus-api",
        { content: 'user = "x:y"\n', mode: "0600", owner: "root:root" },
      ],
      [
        expect.stringMatching(/\/a\.[0-9a-f]{8}\.password$/),
        { content: "pä$$ 'word'\n", mode: "0640", owner: "root:prometheus" },
      ],
    ]);
  });

  test.each(["", " x", "x ", "x\ny", "\n"])("%j is refused without being repeated", password => {
    expect(() => remoteWriteCredentialsStep(planOf(target), { a: { password } }, undefined)).toThrow(
      new RangeError(
        "the secret of `a` in remoteWrite (password) must be one line that is not empty, without blanks at its ends",
      ),
    );
  });
});

test.each<[string, Partial<RemoteWriteTarget>, string[]]>([
  [
    "a password in the URL",
    { url: "https://u:secret@host/w" },
    [
      "remoteWrite[0].url: must be a URL with `http://` or `https://` and a host; no user and no password. Move credentials to `basicAuth` or `bearerToken`.",
    ],
  ],
  [
    "a tenant without a preset",
    { tenant: "a" },
    [
      "remoteWrite[0].tenant: needs a `preset`, which says how the receiver is told. Set one, or write the header into `headers`.",
    ],
  ],
  [
    "a tenant twice",
    { preset: "mimir", tenant: "a", headers: { "x-scope-orgid": "b" } },
    ["remoteWrite[0].headers.x-scope-orgid: is set from `tenant` already. Give only one of the two."],
  ],
  [
    "a tenant of a cluster in both places",
    { preset: "victoriametrics", tenant: "0", url: "http://vm/insert/0/prometheus" },
    [
      "remoteWrite[0].tenant: is part of the path of a cluster, and `url` has a path already. Give only one of the two.",
    ],
  ],
  [
    "a secret in a header",
    { headers: { Authorization: "Bearer x" } },
    [
      "remoteWrite[0].headers.Authorization: would show its secret to everybody who reads the configuration. Use `basicAuth` or `bearerToken`.",
    ],
  ],
  [
    "a header of Prometheus",
    { headers: { "Content-Type": "x" } },
    ["remoteWrite[0].headers.Content-Type: is a header that Prometheus sets itself. Remove it."],
  ],
  [
    "two ways of authorization",
    { bearerToken: "x", basicAuth: { username: "u", password: "p" } },
    ["remoteWrite[0].bearerToken: cannot be used together with `basicAuth`. Give only one of the two."],
  ],
  [
    "a certificate without a key",
    { tls: { certificate: "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n" } },
    ["remoteWrite[0].tls: has only one of `certificate` and `key`. Give both, or none."],
  ],
  [
    "a key where a certificate belongs",
    { tls: { ca: "-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----\n" } },
    [
      "remoteWrite[0].tls.ca: must be certificates as PEM text, with their BEGIN and END lines and nothing else. Paste the file.",
    ],
  ],
  [
    "a queue that never fills",
    { queue: { capacity: 10, maxSamplesPerSend: 20 } },
    [
      "remoteWrite[0].queue.capacity: is smaller than `maxSamplesPerSend`, so that no request can ever be full. Three to ten times as much is usual.",
    ],
  ],
  [
    "a name that is none",
    { name: "A b" },
    [
      "remoteWrite[0].name: must be lower case letters, digits and `-`, at most 32, starting with a letter. Choose another name.",
    ],
  ],
])("%s is refused", (_what, more, texts) => {
  expect(
    remoteWriteProblems([{ name: "a", url: "http://a", ...more }]).map(({ path: place, text }) => `${place}: ${text}`),
  ).toEqual(texts);
});

test("two targets of one name are refused", () => {
  expect(
    remoteWriteProblems([
      { name: "a", url: "http://a" },
      { name: "a", url: "http://b" },
    ]),
  ).toEqual([
    {
      path: "remoteWrite[0].name, remoteWrite[1].name",
      text: 'both are "a". Names must differ because metrics and files carry them. Give each a `name` of its own.',
    },
  ]);
});
