import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { callStep } from "./bash";

const rules = "/etc/prometheus/rules/prometheus-backup.yml";
const pattern = "/etc/prometheus/rules/prometheus-backup*.yml";

/** The configuration with an entry, and that with the entry taken out again; `undefined` if it is refused. */
function insert(config: string): { inserted: string; removed: string } | undefined {
  const script = `
    mapfile TEXT <config
    find_rule_files
    if ! insert_entry '${pattern}'; then exit 3; fi
    printf '%s' "\${TEXT[@]}" >inserted
    mapfile TEXT <inserted
    remove_entry "$ENTRY"
    printf '%s' "\${TEXT[@]}" >removed
    cat inserted; printf '\\0'; cat removed; printf '\\0'`;
  const { code, stdout } = callStep("alert-rules", script, { config });
  if (code === 3) {
    return undefined;
  }
  const [inserted = "", removed = ""] = stdout.split("\0");
  return { inserted, removed };
}

const stock =
  'global:\n  scrape_interval: 15s # often\n\nrule_files:\n  # - "first_rules.yml"\n  # - "second_rules.yml"\n\nscrape_configs:\n  - job_name: a\n';

describe("the entry in rule_files", () => {
  test("goes under Debian's key, which has only comments", () => {
    expect(insert(stock)?.inserted).toBe(
      stock.replace("rule_files:\n", `rule_files:\n  - '${pattern}' # prometheus-backup\n`),
    );
  });

  test.each([
    [
      "after the items that are there",
      "rule_files:\n  - a.yml\n  - b.yml # mine\n\nscrape_configs: []\n",
      ["a.yml", "b.yml", pattern],
    ],
    ["with their indentation, also none", "rule_files:\n- a.yml\nscrape_configs: []\n", ["a.yml", pattern]],
    [
      "with their indentation, also deep",
      "rule_files:   # all\n      - a.yml\nscrape_configs: []\n",
      ["a.yml", pattern],
    ],
    ["under a quoted key", '"rule_files":\n  - "a.yml"\n', ["a.yml", pattern]],
    [
      "after items between comments",
      "rule_files:\n  - a.yml\n  # old\n  - b.yml\nglobal: {}\n",
      ["a.yml", "b.yml", pattern],
    ],
    ["instead of an empty list", "rule_files: []  # none yet\nglobal: {}\n", [pattern]],
    ["instead of null", "rule_files: ~\nglobal: {}\n", [pattern]],
    ["at the end, if there is no key", "global: {}\n", [pattern]],
    ["at the end of a file without a last line break", "global: {}", [pattern]],
    ["at the end of a list without a last line break", "rule_files:\n  - a.yml", ["a.yml", pattern]],
    [
      "in a file with the line ends of another system",
      "rule_files:\r\n  - a.yml\r\nglobal: {}\r\n",
      ["a.yml", pattern],
    ],
    ["into an empty file", "", [pattern]],
    ["behind a byte order mark", "\ufeffrule_files:\n  - a.yml\n", ["a.yml", pattern]],
    ["behind a byte order mark, instead of an empty list", "\ufeffrule_files: []\n", [pattern]],
    ["into a document with a start and an end", "%YAML 1.1\n---\nglobal: {}\n...\n# the end\n", [pattern]],
  ])("goes %s, and leaves no trace when it is taken out", (_where, config, expected) => {
    const result = insert(config);
    expect((parse(result?.inserted ?? "") as { rule_files: string[] }).rule_files).toEqual(expected);
    expect(result?.removed).toBe(config);
  });

  test.each([
    "rule_files: [a.yml]\n",
    "rule_files: [\n  a.yml\n]\n",
    "rule_files: *anchor\n",
    "rule_files: &rules\n  - a.yml\n",
  ])("is not forced into %j", config => {
    expect(insert(config)).toBeUndefined();
  });

  test("is left in place if somebody has changed the line", () => {
    const script = `mapfile TEXT <config; if remove_entry "  - '${pattern}' # prometheus-backup"; then echo removed; fi; printf %s "\${TEXT[@]}"`;
    const config = `rule_files:\n  - '${pattern}' # prometheus-backup, and mine\n`;
    expect(callStep("alert-rules", script, { config }).stdout).toBe(config);
  });
});

test("goes into the first document, the one that Prometheus reads", () => {
  const inserted = insert("# one\n--- # first\nglobal: {}\n---\nrule_files: [b.yml]\n")?.inserted;
  expect(inserted).toBe(
    `# one\n--- # first\nglobal: {}\nrule_files: ['${pattern}'] # prometheus-backup\n---\nrule_files: [b.yml]\n`,
  );
});

/** Whether what the server prints of its configuration already loads our file. */
function covered(...items: string[]): boolean {
  const parsed = [
    "global:",
    "  scrape_interval: 15s",
    ...(items.length > 0 ? ["rule_files:", ...items.map(item => `- ${item}`)] : []),
    "scrape_configs:",
    "- job_name: rules/*.yml",
    "",
  ];
  return (
    callStep("alert-rules", `RULES='${rules}'; if is_covered parsed; then echo yes; fi`, { parsed: parsed.join("\n") })
      .stdout === "yes\n"
  );
}

describe("an entry is not needed", () => {
  test.each([
    ["/etc/prometheus/rules/*.yml"],
    ["'/etc/prometheus/rules/prometheus-*'"],
    ["/a.yml", "/etc/*/rules/*.yml"],
    ["/a.yml", rules],
  ])("with %j", (...items) => {
    expect(covered(...items)).toBe(true);
  });

  test.each([[], ["/etc/prometheus/*.yml"], ["/etc/prometheus/rules/*.yaml"], ["/a.yml"]])(
    "but is with %j",
    (...items) => {
      expect(covered(...items)).toBe(false);
    },
  );
});

describe("what Prometheus makes of the file with the entry", () => {
  const base = "global:\n  scrape_interval: 15s\nrule_files:\n- /a.yml\nscrape_configs:\n- job_name: a\n";
  const adds = (wanted: string, from = base): string =>
    callStep("alert-rules", "if adds_exactly base wanted rule_files items; then echo yes; fi", {
      base: from,
      wanted,
      items: "- /b*.yml\n",
    }).stdout;

  test("is what it was, and the entry", () => {
    expect(adds(base.replace("- /a.yml\n", "- /a.yml\n- /b*.yml\n"))).toBe("yes\n");
    const without = base.replace("rule_files:\n- /a.yml\n", "");
    expect(adds(without.replace("scrape_configs", "rule_files:\n- /b*.yml\nscrape_configs"), without)).toBe("yes\n");
  });

  test.each([
    ["nothing", ""],
    ["what it was", base],
    ["only the entry", base.replace("/a.yml", "/b*.yml")],
    [
      "the entry in another list",
      base.replace("- /a.yml\n", "- /a.yml\n- /b*.yml\n").replace("job_name: a\n", "job_name: a\n- /b*.yml\n"),
    ],
    ["another value elsewhere", base.replace("- /a.yml\n", "- /a.yml\n- /b*.yml\n").replace("15s", "1m")],
  ])("is not taken for that if it is %s", (_what, wanted) => {
    expect(adds(wanted)).toBe("");
  });
});

test("of promtool's words those are shown that say what is wrong, however many files are right", () => {
  const fine = Array.from({ length: 30 }, (_, index) => `Checking /r/${index}.yml\n  SUCCESS: 1 rules found\n\n`).join(
    "",
  );
  const bad = 'Checking /r/bad.yml\n  FAILED:\n/r/bad.yml: 7:1: group "x", rule 1: could not parse expression\n\n';
  const script = `refuse_text 'the rules' 'Do this'`;
  const { code, failure } = callStep(
    "alert-rules",
    `trap 'printf "%s|%s" "$FAILURE" "$FAILURE_DETAIL" >failure' EXIT; ${script}`,
    { promtool: `${bad}${fine}` },
  );
  expect([code, failure]).toEqual([
    3,
    `promtool does not accept the rules; its words are above, nothing was changed. Do this|${bad.trimEnd()}`,
  ]);
});
