/** The tables of docs/settings.md, from the tables of fields. */
import { z } from "zod";
import { jobForm } from "../../../components/backupJob/form";
import { backupForm } from "../../../components/backupSettings";
import { factsOf, fieldsIn, group, isList } from "../../../components/fields/group";
import { bucketForm } from "../../../components/offsiteBucket/settings";
import { hostAloneForm, sharedConnectionForm } from "../../../components/stack/schema";

/** A setting that has a row of its own. */
interface Row {
  path: string;
  default: string;
  says: string;
}

function defaultText(field: z.ZodType): string {
  const { shown, default: value } = factsOf(field);
  if (shown !== undefined || (value !== undefined && value !== "")) {
    return shown ?? `\`${String(value)}\``;
  }
  return field instanceof z.ZodOptional || value !== undefined ? "" : "required";
}

/** The settings of a group, and of those in it that no row of their own sums up. */
export function settingRows(form: z.ZodType, prefix = ""): Row[] {
  return fieldsIn(form).flatMap(([name, field]) => {
    const { says } = factsOf(field);
    const path = `${prefix}${name}`;
    const own = says === undefined ? [] : [{ path, default: defaultText(field), says }];
    return [...own, ...settingRows(field, `${path}${isList(field) ? "[]" : ""}.`)];
  });
}

/** What is in a group that has a row, and has none itself: by path, with what that row says. */
export function summedUp(form: z.ZodType, prefix = "", says = ""): { name: string; path: string; says: string }[] {
  return fieldsIn(form).flatMap(([name, field]) => {
    const { says: own } = factsOf(field);
    const path = `${prefix}${name}`;
    const isGroup = fieldsIn(field).length > 0;
    return [
      ...(own === undefined && !isGroup ? [{ name, path, says }] : []),
      ...summedUp(field, `${path}${isList(field) ? "[]" : ""}.`, own ?? says),
    ];
  });
}

/** The rows under each heading of the page. */
function sections(): Record<string, Row[]> {
  const named = (rows: Row[], name: string): Row[] => rows.filter(({ path }) => path.split(/[.[]/)[0] === name);
  const ofJob = settingRows(jobForm);
  const ofFeatures = settingRows(group({ ...backupForm.shape, offsiteBucket: bucketForm }));
  const inGroups = new Set(ofJob.filter(({ path }) => /[.[]/.test(path)));
  const groups = [...new Set([...inGroups].map(({ path }) => path.split(/[.[]/)[0] ?? ""))];
  const features = Object.keys({ ...backupForm.shape, offsiteBucket: bucketForm }).filter(
    name => !(name in jobForm.shape),
  );
  return {
    "Of a host alone": settingRows(hostAloneForm),
    Connection: settingRows(sharedConnectionForm),
    "The job": ofJob.filter(row => !inGroups.has(row)),
    ...Object.fromEntries(groups.map(name => [`\`${name}\``, named([...inGroups], name)])),
    ...Object.fromEntries(features.map(name => [`\`${name}\``, named(ofFeatures, name)])),
  };
}

const HEAD = "| setting | default | meaning |\n|---|---|---|\n";

/** The page with its tables written anew. Throws `Error` on a group that it has no heading with a table for. */
export function withTables(page: string, tables: Record<string, Row[]> = sections()): string {
  let text = page;
  for (const [heading, rows] of Object.entries(tables)) {
    const start = text.indexOf(`\n## ${heading}\n`);
    const table = text.indexOf(HEAD, start);
    if (start < 0 || table < 0 || text.slice(start + 1, table).includes("\n## ")) {
      throw new Error(`docs/settings.md lacks the heading \`## ${heading}\` with a table of settings. Write it there.`);
    }
    const lines = rows.map(
      ({ path, default: value, says }) => `| \`${path}\` | ${value === "" ? "" : `${value} `}| ${says} |\n`,
    );
    const behind = text.slice(table + HEAD.length).replace(/^(\|.*\n)*/, "");
    text = text.slice(0, table) + HEAD + lines.join("") + behind;
  }
  return text;
}
