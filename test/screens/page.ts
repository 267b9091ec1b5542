// docs/screens.md: written from a recorded session, and read again to be compared with the next one.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { drawScreens } from "./picture";
import type { Role, Screen } from "./session";
import { difference } from "./shape";

const docs = path.join(__dirname, "..", "..", "docs");
export const PAGE = path.join(docs, "screens.md");
/** Whether the page is to be written anew. */
export const WRITE = process.env.PROMETHEUS_BACKUP_WRITE_SCREENS === "1";

const ROLES: [Role, string, string][] = [
  ["newcomer", "Newcomer", "On your own machine, in the directory of the module; no host is contacted."],
  ["reviewer", "Reviewer", "On your own machine or in CI; no host is contacted and no secret needed."],
  ["operator", "Operator", "On the host, as root, one after another, on a terminal of 80 columns."],
];

export function writePage(screens: Screen[]): void {
  const parts = ROLES.flatMap(([role, title, where]) => [
    `## ${title}`,
    where,
    ...screens.filter(screen => screen.role === role).map(section),
  ]);
  const head = [
    "# Screens",
    "What you see, and what to look at. Every block is the output of a real command, written by " +
      "`npm run screens -- --write`; " +
      "a test records it anew and fails if a word differs. Names, sizes and times differ on yours.",
    "![status, the plan of a restore, a run while a disk is away, and status after it](screens.svg)",
  ];
  writeFileSync(PAGE, `${[...head, ...parts].join("\n\n")}\n`);
  writeFileSync(path.join(docs, "screens.svg"), drawScreens(screens));
}

const section = ({ want, look, typed, text }: Screen): string =>
  [`### ${want}`, "", look, "", "~~~text", typed, text, "~~~"].join("\n");

/** Each block of the page, the typed line first, under its heading. */
export function readPage(): Map<string, string> {
  const blocks = readFileSync(PAGE, "utf8").matchAll(/^### (.*)\n[^]*?^~~~text\n([^]*?)\n~~~$/gm);
  return new Map([...blocks].map(([, want = "", block = ""]) => [want, block]));
}

/** A line for each screen that the page shows otherwise. */
export function differences(page: Map<string, string>, screens: Screen[]): string[] {
  return screens.flatMap(({ want, typed, text, sideBySide }) => {
    const found = difference(page.get(want) ?? "", `${typed}\n${text}`, sideBySide);
    return found === undefined
      ? []
      : [`docs/screens.md, "${want}", ${found}; npm run screens -- --write takes it over`];
  });
}
