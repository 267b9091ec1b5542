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

const stock = 'global:\n  scrape_interval: 15s # often\n\nrule_files:\n  # - "first_rules.yml"\n  # - "second_rules.yml"\n\nscrape_configs:\n  - job_name: a\n';

describe("the entry in rule_files", () => {
  test("goes under Debian's key, which has only comments", () => {
    expect(insert(stock)?.inserted).toBe(stock.replace("rule_files:\n", `rule_files:\n  - '${pattern}' # prometheus-backup\n`));
  });

  test.each([
    ["after the items that are there", "rule_files:\n  - a.yml\n  - b.yml # mine\n\nscrape_configs: []\n", ["a.yml", "b.yml", pattern]],
    ["with their indentation, also none", "rule_files:\n- a.yml\nscrape_configs: []\n", ["a.yml", pattern]],
    ["with their indentation, also deep", "rule_files:   # all\n      - a.yml\nscrape_configs: []\n", ["a.yml", pattern]],
    ["under a quoted key", '"rule_files":\n  - "a.yml"\n', ["a.yml", pattern]],
    ["after items between comments", "rule_files:\n  - a.yml\n  # old\n  - b.yml\nglobal: {}\n", ["a.yml", "b.yml", pattern]],
    ["instead of an empty list", "rule_files: []  # none yet\nglobal: {}\n", [pattern]],
    ["instead of null", "rule_files: ~\nglobal: {}\n", [pattern]],
    ["at the end, if there is no key", "global: {}\n", [pattern]],
    ["at the end of a file without a last line break", "global: {}", [pattern]],
    ["at the end of a list without a last line break", "rule_files:\n  - a.yml", ["a.yml", pattern]],
    ["in a file with the line ends of another system", "rule_files:\r\n  - a.yml\r\nglobal: {}\r\n", ["a.yml", pattern]],
    ["into an empty file", "", [pattern]],
  ])("goes %s, and leaves no trace when it is taken out", (_where, config, expected) => {
    const result = insert(config);
    expect((parse(result?.inserted ?? "") as { rule_files: string[] }).rule_files).toEqual(expected);
    expect(result?.removed).toBe(config);
  });

  test.each(["rule_files: [a.yml]\n", "rule_files: [\n  a.yml\n]\n", "rule_files: *anchor\n", "rule_files: &rules\n  - a.yml\n"])(
    "is not forced into %j",
    config => {
      expect(insert(config)).toBeUndefined();
    },
  );

  test("is left in place if somebody has changed the line", () => {
    const script = `mapfile TEXT <config; if remove_entry "  - '${pattern}' # prometheus-backup"; then echo removed; fi; printf %s "\${TEXT[@]}"`;
    const config = `rule_files:\n  - '${pattern}' # prometheus-backup, and mine\n`;
    expect(callStep("alert-rules", script, { config }).stdout).toBe(config);
  });
});

/** Whether the items of `config` already load our file. */
function covered(config: string): boolean {
  const script = `mapfile TEXT <config; find_rule_files; if is_covered '${rules}' /etc/prometheus; then echo yes; fi`;
  return callStep("alert-rules", script, { config }).stdout === "yes\n";
}

describe("an entry is not needed", () => {
  test.each([
    "rule_files:\n  - /etc/prometheus/rules/*.yml\n",
    'rule_files:\n  - "rules/*.yml" # ours\n',
    "rule_files:\n  - ./rules/prometheus-*\n",
    "rule_files: ['a.yml', 'rules/*.yml']\n",
    "rule_files:\n  - a.yml\n  - rules/prometheus-backup.yml\n",
  ])("with %j", config => {
    expect(covered(config)).toBe(true);
  });

  test.each([
    "rule_files:\n  - /etc/prometheus/*.yml\n",
    "rule_files:\n  - rules/*.yaml\n",
    "rule_files:\n  # - rules/*.yml\n",
    "scrape_configs:\n  - rules/*.yml\n",
    "rule_files:\n  - a.yml\nscrape_config_files:\n  - rules/*.yml\n",
  ])("but is with %j", config => {
    expect(covered(config)).toBe(false);
  });
});
