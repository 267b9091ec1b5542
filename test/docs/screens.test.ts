// Screens that pages show are those of docs/screens.md, which are recorded on a host;
// and those that need none are recorded here.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { differences, readPage } from "../screens/page";
import { operatorSession } from "../screens/session";
import { strange } from "../screens/shape";
import { recordTools } from "../screens/tools";

const root = path.join(__dirname, "..", "..");
const pages = [
  "README.md",
  ...readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter(name => name.endsWith(".md"))
    .map(name => `docs/${name}`),
];
const real = readPage();

/** `# prometheus-backup.sh list` of what is typed in another way. */
const plain = (typed: string): string => typed.replace(/^[#$] (sudo )?/, "# ").replace(/ --yes\b/, "");

/** The commands that a page shows with what follows them. */
function excerpts(page: string): { typed: string; lines: string[] }[] {
  const found: { typed: string; lines: string[] }[] = [];
  for (const [, indent = "", block = ""] of readFileSync(path.join(root, page), "utf8").matchAll(
    /^( *)```\w*\n([^]*?)^ *```$/gm,
  )) {
    let shown: string[] | undefined;
    for (const line of block.split("\n").map(text => (text.startsWith(indent) ? text.slice(indent.length) : text))) {
      if (/^[#$] .*prometheus-backup\.sh/.test(line)) {
        shown = [];
        found.push({ typed: plain(line), lines: shown });
      } else {
        shown?.push(line);
      }
    }
  }
  return found;
}

test("every step of the session has its block in docs/screens.md", () => {
  const wanted = operatorSession.map(({ want, typed }) => [want, typed]);
  expect(wanted.map(([want = ""]) => [want, real.get(want)?.split("\n")[0]])).toEqual(wanted);
});

test("what newcomer and reviewer see is what docs/screens.md shows", () => {
  expect(differences(real, recordTools())).toEqual([]);
});

test("other pages show the same screens", () => {
  const screens = [...real.values()];
  // What ends with an error is another situation.
  const compared = pages
    .flatMap(page => excerpts(page).map(excerpt => ({ page, ...excerpt })))
    .filter(
      ({ typed, lines }) =>
        screens.some(screen => screen.split("\n")[0] === typed) &&
        !lines.some(line => /^prometheus-backup: (error|warning): /.test(line)),
    );
  const wrong = compared.flatMap(({ page, typed, lines }) => {
    const same = screens.filter(screen => screen.split("\n")[0] === typed).map(screen => strange(lines, screen));
    return same.includes(undefined) ? [] : [`${page}, \`${typed}\`: no screen has \`${same[0]}\``];
  });
  expect(wrong).toEqual([]);
  expect(new Set(compared.filter(({ lines }) => lines.some(line => line !== "")).map(({ page }) => page))).toContain(
    "docs/restore.md",
  );
});
