/**
 * `npm run compare -- OLD NEW`: what changes on which host between two directories of `npm run render`, as a comment
 * for a pull request. Contacts nothing. Ends with 0 whether there are changes or not, with 2 if a directory is none of
 * a render.
 */
import * as fs from "fs";
import * as path from "path";
import { compareHost } from "./changes";
import { renderPage } from "./page";
import { readRender } from "./renderedHost";

function main(directories: string[]): number {
  const [before = "", after = ""] = directories;
  const wrong = [before, after].find(directory => !fs.existsSync(path.join(directory, ".prometheus-backup-render")));
  if (directories.length !== 2 || wrong !== undefined) {
    console.error(
      `compare: error: ${directories.length === 2 ? `${wrong} was not written by \`npm run render\`` : "two directories are needed"}\nUsage: npm run compare -- OLD NEW`,
    );
    return 2;
  }
  const [old, now] = [readRender(before), readRender(after)];
  const names = [...new Set([...now.keys(), ...old.keys()])];
  process.stdout.write(renderPage(new Map(names.map(name => [name, compareHost(old.get(name), now.get(name))]))));
  return 0;
}

process.exitCode = main(process.argv.slice(2));
