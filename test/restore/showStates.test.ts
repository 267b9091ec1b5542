// What show says of a backup in each repository: complete only where it was looked at, and is.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "../backup/dataDirectory";

const NAMES = ["second", "third", "fourth", "fifth"];
const data = new DataDirectory();
afterAll(() => data.shell.remove());

beforeAll(() => {
  const places = NAMES.map((name, index) => [
    [`REPOSITORY_${index + 2}_NAME`, name],
    [`REPOSITORY_${index + 2}_TYPE`, "path"],
    [`REPOSITORY_${index + 2}_LOCATION`, data.at(name)],
  ]);
  for (const name of NAMES) {
    fs.mkdirSync(data.at(name));
  }
  data.configure({ REPOSITORY_COUNT: "5", ...(Object.fromEntries(places.flat()) as Record<string, string>) });
  data.block(1);
  expect(data.call("run").code).toBe(0);
  const backups = (name: string) => fs.readdirSync(data.at(`${name}/prom-1/backups`));
  const objects = fs.readdirSync(data.at("second/prom-1/blocks"));
  fs.rmSync(data.at(`second/prom-1/blocks/${objects[0] ?? ""}`), { recursive: true });
  fs.rmSync(data.at(`third/prom-1/backups/${backups("third")[0] ?? ""}`));
  fs.writeFileSync(data.at(`fourth/prom-1/backups/${backups("fourth")[0] ?? ""}`), "{}");
  fs.rmSync(data.at("fifth"), { recursive: true });
});

/** What stands behind `state`. */
function states(words: string): string[] {
  const { stdout, code, stderr } = data.call(words);
  expect(code, stderr).toBe(0);
  const [, rows = ""] = /^ {2}state {6}([^]*?)^ {2}\w/m.exec(stdout) ?? [];
  return rows
    .trimEnd()
    .split("\n")
    .map(row => row.trim());
}

test("show latest: a line for each repository", () => {
  expect(states("show latest")).toEqual([
    "complete in local",
    "INCOMPLETE: 1 object missing in second",
    "not in third",
    expect.stringMatching(/^cannot be read in fourth: ./),
    expect.stringMatching(/^not looked at in fifth \(.*\): .* does not exist \(is its file system mounted\?\)$/),
  ]);
});

test("show --repository: the others were not asked, and it says so", () => {
  expect(states("show latest --repository local")).toEqual(["complete in local", "nothing else was asked"]);
});
