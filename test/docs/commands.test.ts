import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { renderCommandsPage, renderExitCodeTable } from "../../components/host/command/pages";
import { hostCommands } from "../../components/host/command/commands";

const read = (page: string): string => readFileSync(path.join(__dirname, "..", "..", "docs", page), "utf8");

test("the page of commands is made from the table: npm run commands", () => {
  expect(read("commands.md")).toBe(renderCommandsPage());
});

test("the table of exit codes is made from the list: npm run commands", () => {
  expect(read("exit-codes.md")).toContain(`\n\n${renderExitCodeTable()}\n`);
});

/** What a page shows of the host command: its name, a command, and the words behind them. */
function shown(text: string): { command: string; words: string[] }[] {
  const lines = [...text.matchAll(/prometheus-backup\.sh ([a-z-]+)((?: +[^\s`;|<>&#]+)*)/g)];
  return lines.map(([, command = "", words = ""]) => ({ command, words: words.split(/ +/).filter(Boolean) }));
}

const pages = [
  "restore.md",
  "how-it-works.md",
  "troubleshooting.md",
  "security.md",
  "exercises.md",
  "export.md",
  "course.md",
  "../README.md",
];

test.each(pages)("%s shows commands and options that exist", page => {
  const known = new Map(
    hostCommands.map(({ name, options }) => [name, options.flatMap(option => [option.name, option.alias ?? ""])]),
  );
  const wrong = shown(read(page)).flatMap(({ command, words }) => {
    const options = known.get(command);
    const strange = words.filter(word => /^--[a-z]/.test(word)).map(word => word.slice(2).replace(/[^a-z-].*/, ""));
    const others = ["at", "host", "help"];
    return options === undefined
      ? [command]
      : strange.filter(option => ![...options, ...others].includes(option)).map(option => `${command} --${option}`);
  });
  expect(wrong).toEqual([]);
});
