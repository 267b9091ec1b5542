/** What the host command knows of its settings file: scripts/lib/shell/keys.sh, from the tables of fields. */
import { z } from "zod";
import { jobForm } from "../../../components/backupJob/form";
import { unwrittenForm, workedOutForm } from "../../../components/backupJob/hostFiles";
import { quote } from "../../../components/backupJob/confFile";
import { bare, Facts, factsOf, fieldsIn, group, isList } from "../../../components/fields/group";
import { directoryCheck, filePathCheck, hostNameCheck, urlCheck } from "../../../components/fields/patterns";

/** One line of a host's settings file. */
interface Key {
  name: string;
  /** What holds where there is no file. */
  default: string;
  /** The call that checks its value on the host; none if every text will do. */
  check?: string;
}

const textChecks = new Map<Facts<unknown>["check"], string>([
  [urlCheck, "url"],
  [directoryCheck, "path"],
  [filePathCheck, "path"],
  [hostNameCheck, "host"],
]);

function checkOf(name: string, field: z.ZodType): string | undefined {
  const { range, check, default: value } = factsOf(field);
  const form = bare(field);
  if (form instanceof z.ZodEnum) {
    return `require_choice ${name} ${form.options.join(" ")}`;
  }
  if (form instanceof z.ZodBoolean) {
    return `require_choice ${name} true false`;
  }
  const optional = value === undefined || value === "";
  if (range !== undefined) {
    const kind = !optional ? "whole" : range.low > 0 ? "optional_count" : "optional_whole";
    return `require_${kind} ${name}`;
  }
  const kind = textChecks.get(check);
  return kind === undefined ? undefined : `require_${optional && kind === "path" ? "optional_path" : kind} ${name}`;
}

/** The lines that a table stands for. */
export function keysIn(form: z.ZodType): Key[] {
  return fieldsIn(form).flatMap(([, field]) => {
    const { key, default: value } = factsOf(field) as Facts<string | number | boolean>;
    if (key === undefined) {
      return isList(field) ? [] : keysIn(field);
    }
    const check = checkOf(key, field);
    return [{ name: key, default: String(value ?? ""), ...(check === undefined ? {} : { check }) }];
  });
}

const keys = keysIn(group({ ...workedOutForm.shape, ...jobForm.shape, ...unwrittenForm.shape }));

/** Words in lines of at most 120 columns. */
const wrapped = (words: string[]): string => words.join(" ").replace(/(.{1,116})( |$)/g, "  $1\n");
const bashWord = (text: string): string => (text === "" ? '""' : /^[\w./-]+$/.test(text) ? text : quote(text));

/** The library that the command is joined from. */
export function renderKeys(all = keys): string {
  return [
    "# shellcheck shell=bash",
    "# The settings of a host, each with its form. Written by `npm run settings` from the tables of fields in components/.",
    "",
    "# What may stand in the file; of repositories see load_repositories.",
    `readonly CONFIG_KEYS=(\n${wrapped(all.map(key => key.name))})`,
    "",
    "# set_config_defaults: what holds where the file does not say it.",
    "set_config_defaults() {",
    ...all.map(key => `  ${key.name}=${bashWord(key.default)}`),
    "}",
    "",
    "# check_config_forms: adds one line to CONFIG_PROBLEMS for each value that has a wrong form.",
    "check_config_forms() {",
    ...all.flatMap(({ check }) => (check === undefined ? [] : [`  ${check}`])),
    "}",
    "",
  ].join("\n");
}
