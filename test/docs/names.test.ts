// Every setting that a message or a page names exists under that name.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { hostSchema, settingPaths, sharedSchema } from "../../components/stack/schema";
import { bucketForm } from "../../components/offsiteBucket/settings";

const root = path.join(__dirname, "..", "..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** Paths of settings as people write them: from the host or from the file down. */
const paths = new Set([
  ...settingPaths(hostSchema),
  ...settingPaths(bucketForm, "offsiteBucket."),
  ...settingPaths(sharedSchema, "defaults."),
  ...settingPaths(hostSchema, "hosts[]."),
  ...["defaults", "hosts", "offsiteBucket", "environment"],
]);
const leaves = new Set([...paths].map(setting => setting.replace(/^.*\./, "").replace("[]", "")));
/** Groups by the name of their own, whose settings may also be named without what stands around them. */
const groups = new Set(
  [...paths].flatMap(setting => setting.split(".").slice(0, -1)).map(name => name.replace("[]", "")),
);

/** Whether a word such as `repositories[0].sftp.port` leads to a setting, from the top or from a group on. */
function leads(word: string): boolean {
  const wanted = word.replace(/\[\d*\]/g, "[]");
  const ends = (setting: string, end: string): boolean => setting === end || setting.endsWith(`.${end}`);
  const bare = (text: string): string => text.replaceAll("[]", "");
  return [...paths].some(setting => ends(setting, wanted) || ends(bare(setting), bare(wanted)));
}

type Kind = "shell" | "backticks";

/**
 * The words of a text that look like a setting and lead to none. On a host nothing stands around a message, so that
 * only a path from the host down is a name there; elsewhere the last part of one will do, in backticks or in front of a
 * value.
 */
function strangers(text: string, kind: Kind, others: ReadonlySet<string> = new Set()): string[] {
  const camel = /^(?=.{4})[a-z]+[A-Z][A-Za-z0-9]*$/;
  const file = /\.(yml|service|ts|io|size)$/;
  const dotted = (word: string): boolean =>
    groups.has(word.split(/[.[]/)[0] ?? "") && word.includes(".") && !file.test(word);
  if (kind === "shell") {
    const words =
      text.match(/(?<![\w$.{/-])[a-z][A-Za-z0-9]*(\[\d*\])?(\.[a-z][A-Za-z0-9]*(\[\d*\])?)*(?![\w/(=*-])/g) ?? [];
    return words.filter(
      word => (camel.test(word) ? !paths.has(word) : dotted(word) && !leads(word)) && !others.has(word),
    );
  }
  const words = [...text.matchAll(/`([a-z][A-Za-z0-9]*(?:\[\d*\])?(?:\.[a-z][A-Za-z0-9]*(?:\[\d*\])?)*)(: [^`]*)?`/g)];
  return words.flatMap(([, word = "", value]) => {
    const isName = camel.test(word) || dotted(word) || value !== undefined;
    const exists = word.includes(".") ? leads(word) : leaves.has(word);
    return isName && !exists && !others.has(word) ? [word] : [];
  });
}

describe("what is looked for", () => {
  test.each([
    ["set backupUser to the user of the unit", ["backupUser"]],
    ["install Prometheus, or set prometheusUnit to its unit", ["prometheusUnit"]],
    ["check prometheusUrl (with its route prefix)", ["prometheusUrl"]],
    ["on a host that is really new, set newHost: true", ["newHost"]],
    ["set prometheus.units to it", ["prometheus.units"]],
    ["set prometheus.unit to $PROMETHEUS_UNIT, or suspectBelowPercent to 0; see prometheus.yml", []],
  ])("in a message of a host: %s", (text, found) => {
    expect(strangers(text, "shell")).toEqual(found);
  });

  test.each([
    ["Set `exposures: loopback`, or remove `proxyListen`.", ["exposures"]],
    ["Name it in `backupUser`.", ["backupUser"]],
    ["See `adminApi.expose` and `repositories[0].sftp.prot`.", ["adminApi.expose", "repositories[0].sftp.prot"]],
    ["`limits.bandwidth`, `sftp.hostKey`, `hosts[1].name`, `defaults.user`, `source: hot`, `jq` and `cat file`", []],
  ])("on a page: %s", (text, found) => {
    expect(strangers(text, "backticks")).toEqual(found);
  });
});

function filesBelow(directory: string, ending: string): string[] {
  const all = readdirSync(path.join(root, directory), { recursive: true, encoding: "utf8" });
  return all
    .filter(name => name.endsWith(ending))
    .map(name => `${directory}/${name}`)
    .sort();
}

/** A shell file without comments, programs in here-documents, variables, fields of JSON and times of printf. */
function shellText(file: string): string {
  return read(file)
    .replace(/(^|\s)#.*$/gm, "")
    .replace(/<<'?(\w+)'?\n[\s\S]*?^\1$/gm, "")
    .replace(/\$\{?[A-Za-z_][^ ]*/g, " X ")
    .replace(/--(arg|argjson) \w+|"\w+":/g, "")
    .replace(/%\([^)]*\)T/g, "");
}

/** The fields of a manifest, as their page has them. */
const fields = [...read("docs/format.md").matchAll(/`([a-z]+[A-Z]\w*)`/g)].map(([, name = ""]) => name);
/** The fields of what --json prints, as their page has them. */
const jsonFields = [...read("docs/json.md").matchAll(/"([a-z]+[A-Z]\w*)":/g)].map(([, name = ""]) => name);
/** Names in shell files that are none of a setting: further fields of JSON for people or from servers. */
const shellWords = new Set([
  ...fields,
  ...jsonFields,
  "drilledAt",
  "drillSeconds",
  "dataBytes",
  "leftoverSnapshots",
  "topMetrics",
  "configFile",
  "reloadConfigSuccess",
  "lastConfigTime",
]);

test.each([...filesBelow("scripts/lib", ".sh"), ...filesBelow("scripts/steps", ".sh"), "scripts/prometheus-backup.sh"])(
  "%s",
  file => {
    expect(strangers(shellText(file), "shell", shellWords)).toEqual([]);
  },
);

/** Texts and comments of a TypeScript file, and the names that it declares. */
function typescriptTexts(file: string): { texts: string[]; names: string[] } {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const texts: string[] = [];
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) {
      texts.push(node.text);
    } else if (ts.isTemplateExpression(node)) {
      texts.push(node.head.text + node.templateSpans.map(span => `X${span.literal.text}`).join(""));
    } else if (ts.isIdentifier(node)) {
      names.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const comments = [...source.text.matchAll(/\/\*\*[\s\S]*?\*\/|^\s*\/\/.*$/gm)].map(([comment]) =>
    comment.replace(/\n\s*\*/g, ""),
  );
  return { texts: [...texts, ...comments], names };
}

const sources = [...filesBelow("components", ".ts"), ...filesBelow("scripts", ".ts"), "index.ts"];
const declared = new Set(sources.flatMap(file => typescriptTexts(file).names));

test.each(sources)("%s", file => {
  expect(typescriptTexts(file).texts.flatMap(text => strangers(text, "backticks", declared))).toEqual([]);
});

/** All but the pages for people who write code: names there are those of functions, outputs and options of Pulumi. */
const ofCode = ["docs/development.md", "docs/modules.md"];
const pages = ["README.md", ...filesBelow("docs", ".md")].filter(page => !ofCode.includes(page));
/**
 * Names on pages that are none of a setting: fields of manifests, outputs of the stack, answers and words of other
 * programs.
 */
const pageWords = new Set([
  ...fields,
  ...jsonFields,
  "hostPolicies",
  "seriesCountByMetricName",
  "monitor",
  "warning",
  "ssh",
  "sudo",
]);

test.each(pages)("%s", page => {
  expect(strangers(read(page), "backticks", pageWords)).toEqual([]);
});
