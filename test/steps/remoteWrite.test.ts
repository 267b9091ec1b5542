import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { renderRemoteWrite } from "../../components/remoteWrite/yaml";
import { callStep } from "./bash";

const target = {
  name: "a",
  url: "http://a/w",
  headers: {},
  hasBearerToken: false,
  queue: { capacity: 10 },
  relabel: [],
  arrival: "required",
  arrivalTimeoutSeconds: 9,
};
const fragment = renderRemoteWrite([target]);
const [ours] = (parse(fragment) as { remote_write: unknown[] }).remote_write;

/**
 * The configuration with the part, the same put in once more, and that with the part taken out; `undefined` if it is
 * refused.
 */
function put(config: string): { inserted: string; again: string; removed: string } | undefined {
  const script = `
    mapfile TEXT <config; take_out_part; if ! put_in_part fragment; then exit 3; fi; print_text >inserted
    mapfile TEXT <inserted; take_out_part; put_in_part fragment; print_text >again
    mapfile TEXT <again; take_out_part; print_text >removed
    cat inserted; printf '\\0'; cat again; printf '\\0'; cat removed; printf '\\0'`;
  const { code, stdout } = callStep("remote-write", script, { config, fragment });
  if (code === 3) {
    return undefined;
  }
  const [inserted = "", again = "", removed = ""] = stdout.split("\0");
  return { inserted, again, removed };
}

const list = (text: string): unknown => (parse(text) as { remote_write: unknown }).remote_write;

describe("the part of prometheus.yml", () => {
  test("has marks around it, and a word for whoever reads it", () => {
    expect(put("global: {}\n")?.inserted).toBe(
      [
        "global: {}",
        "# BEGIN prometheus-backup remote_write",
        "# Written by prometheus-backup; what stands between these marks is overwritten.",
        "remote_write:",
        '  - name: "a"',
        '    url: "http://a/w"',
        "    queue_config:",
        "      capacity: 10",
        "# END prometheus-backup remote_write",
        "",
      ].join("\n"),
    );
  });

  test.each([
    ["at the end, if there is no key", "global: {}\n# the end\n", []],
    ["at the end of a file without a last line break", "global: {}", []],
    [
      "in a file with the line ends of another system",
      "global: {}\r\nremote_write:\r\n  - url: http://b\r\n",
      [{ url: "http://b" }],
    ],
    ["into an empty file", "", []],
    ["under a key without items", "remote_write:\n  # - url: http://later\n\nglobal: {}\n", []],
    [
      "behind the items that are there",
      "remote_write:\n  - url: http://b\n    name: b\n\n# about rules\nrule_files: [a.yml]\n",
      [{ url: "http://b", name: "b" }],
    ],
    [
      "with their indentation, also none",
      "remote_write:\n- url: http://b\n  headers:\n    X: |\n      # no comment\nglobal: {}\n",
      [{ url: "http://b", headers: { X: "# no comment\n" } }],
    ],
    [
      "with their indentation, also deep",
      "remote_write: # two\n      -\n        url: http://b\n      - url: http://c",
      [{ url: "http://b" }, { url: "http://c" }],
    ],
    [
      "under a quoted key",
      '"remote_write" :\n  - url: http://b\n    # queue_config: {}\nglobal: {}\n',
      [{ url: "http://b" }],
    ],
  ])("goes %s, stays there, and leaves no trace when it is taken out", (_where, config, others) => {
    const result = put(config);
    expect(list(result?.inserted ?? "")).toEqual([...others, ours]);
    expect(result?.again).toBe(result?.inserted);
    expect(result?.removed).toBe(config);
  });

  test("ends with the document", () => {
    expect(put("remote_write:\n- url: http://b\n---\nglobal: {}\n")?.inserted).toMatch(
      /# END prometheus-backup remote_write\n---\nglobal: \{\}\n$/,
    );
  });

  test("keeps its place when others write behind it", () => {
    const result = put(
      "global: {}\n# BEGIN prometheus-backup remote_write\nremote_write: []\n# END prometheus-backup remote_write\nrule_files: [a.yml]\n",
    );
    expect(result?.inserted).toMatch(
      /^global: \{\}\n# BEGIN[^]*# END prometheus-backup remote_write\nrule_files: \[a.yml\]\n$/,
    );
    expect(result?.removed).toBe("global: {}\nrule_files: [a.yml]\n");
  });

  test.each([
    "remote_write: [{url: http://b}]\n",
    "remote_write: []\n",
    "remote_write: ~\n",
    "remote_write: *other\n",
    "remote_write: &name\n  - url: http://b\n",
  ])("is not forced into %j", config => {
    expect(put(config)).toBeUndefined();
  });

  test.each([
    "# BEGIN prometheus-backup remote_write\n",
    "# END prometheus-backup remote_write\n",
    "# END prometheus-backup remote_write\n# BEGIN prometheus-backup remote_write\n",
    "# BEGIN prometheus-backup remote_write\n# BEGIN prometheus-backup remote_write\n# END prometheus-backup remote_write\n",
  ])("is not taken out where its marks are %j", config => {
    expect(
      callStep("remote-write", "mapfile TEXT <config; if take_out_part; then echo out; fi; print_text", { config })
        .stdout,
    ).toBe(config);
  });
});

test.each([
  ["as they are, beside others", "- url: http://b\n- url: http://a/w\n  name: a\n- url: http://c\n", true],
  ["with another setting", "- url: http://a/w\n  name: a\n  remote_timeout: 5s\n- url: http://c\n", false],
  ["only in part", "- url: http://c\n", false],
  ["not at all", "", false],
])("targets that somebody else has written: %s", (_how, items, there) => {
  const parsed = items === "" ? "global: {}\n" : `global: {}\nremote_write:\n${items}scrape_configs: []\n`;
  const wanted = "- url: http://a/w\n  name: a\n- url: http://c\n";
  expect(callStep("remote-write", "if has_items parsed; then echo yes; fi", { parsed, items: wanted }).stdout).toBe(
    there ? "yes\n" : "",
  );
});

/** What is found of a target after each of several looks at the metrics. */
function judged(looks: { sent?: number; failed?: number }[], since = 1000): string[] {
  const files = Object.fromEntries(
    looks.map(({ sent, failed }, index) => [
      `look${index}`,
      [
        'prometheus_remote_storage_samples_failed_total{remote_name="ab",url="http://x"} 77',
        ...(failed === undefined
          ? []
          : [`prometheus_remote_storage_samples_failed_total{remote_name="a",url="http://x"} ${failed}`]),
        ...(sent === undefined
          ? []
          : [
              `prometheus_remote_storage_queue_highest_sent_timestamp_seconds{remote_name="a",url="http://x"} ${sent.toExponential()}`,
            ]),
        "",
      ].join("\n"),
    ]),
  );
  const script = looks
    .map((_look, index) => `cp look${index} body; judge a ${since}; printf '%s ' "\${OUTCOME[a]}"`)
    .join("\n");
  return callStep("remote-write", script, files).stdout.trim().split(" ");
}

describe("samples have arrived", () => {
  test.each([
    [
      "once newer ones were sent and none failed, seen twice",
      [{}, { sent: 999, failed: 0 }, { sent: 1001, failed: 0 }, { sent: 1001, failed: 0 }],
      ["waiting", "waiting", "sent", "arrived"],
    ],
    [
      "not if they were refused, which counts as sent, too",
      [{ failed: 0 }, { sent: 1001, failed: 30 }],
      ["waiting", "refused"],
    ],
    [
      "not if the refusal is counted a moment later",
      [
        { sent: 1001, failed: 0 },
        { sent: 1001, failed: 30 },
      ],
      ["sent", "refused"],
    ],
    [
      "not if some were refused before the first look, until later ones arrive",
      [
        { sent: 1001, failed: 30 },
        { sent: 1001, failed: 30 },
        { sent: 1005, failed: 30 },
        { sent: 1005, failed: 30 },
      ],
      ["waiting", "waiting", "sent", "arrived"],
    ],
  ])("%s", (_when, looks, outcomes) => {
    expect(judged(looks)).toEqual(outcomes);
  });
});

test.each([
  ["no queue", "", "1m", 60],
  ["one queue with the deadline of Prometheus", 'prometheus_remote_storage_shards{remote_name="a"} 1\n', "1m", 120],
  [
    "two queues with one of its own",
    'prometheus_remote_storage_shards{remote_name="a"} 1\nprometheus_remote_storage_shards{remote_name="b"} 1\n',
    "1m30s",
    240,
  ],
  ["a deadline of hours", 'prometheus_remote_storage_shards{remote_name="a"} 1\n', "2h", 300],
])("a reload of a server with %s is given time to send what is left", (_what, metrics, deadline, seconds) => {
  const script = `http_get() { cp metrics body; HTTP_STATUS=200; HTTP_BODY='{"storage.remote.flush-deadline":"${deadline}"}'; }; find_reload_patience; printf %s "$RELOAD_SECONDS"`;
  expect(callStep("remote-write", script, { metrics }).stdout).toBe(String(seconds));
});
