// Signs in what people read: as their locale shows them, and in every command the same.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scriptsDirectory } from "../../components/host/programs";
import { DataDirectory } from "../backup/dataDirectory";

const data = new DataDirectory();
afterAll(() => data.shell.remove());

beforeAll(() => {
  data.block(1);
  data.block(3);
  expect(data.call("run").code).toBe(0);
});

test.each([
  [{}, true],
  [{ LANG: "C.UTF-8" }, true],
  [{ LANG: "de_DE.utf8" }, true],
  [{ LANG: "C", LC_CTYPE: "C.UTF-8" }, true],
  [{ LANG: "C" }, false],
  [{ LANG: "en_US.ISO-8859-1" }, false],
  [{ LANG: "C.UTF-8", LC_ALL: "POSIX" }, false],
  [{ LANG: "C.UTF-8", LC_CTYPE: "C" }, false],
])("%j: UTF-8 %s", (locale, utf8) => {
  const words = Object.entries(locale)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
  const program = `env -u CALLER_LOCALE -u LANG -u LC_ALL -u LC_CTYPE ${words} bash -c 'source "$PROGRAM"; say "✔ a … b"; bash -c "source \\"$PROGRAM\\"; say ✘"'`;
  expect(data.shell.run(program).stderr).toBe(utf8 ? "✔ a … b\n✘\n" : "+ a .. b\nx\n");
});

/** Names a locale, as it was before the program chose its own. */
const ASCII = "CALLER_LOCALE=C";
const cron = "CRON_FILE=/nowhere";

test("the same command has both", () => {
  const { stdout, stderr } = data.call("check", `${cron} ${ASCII}`);
  expect(stdout.length).toBeGreaterThan(0);
  // eslint-disable-next-line no-control-regex
  expect(`${stdout}${stderr}`).not.toMatch(/[^\u0000-\u007f]/);
  expect(data.call("check", cron).stdout).toMatch(/[✔✘–]/);
});

test("columns stand below each other in both", () => {
  const [head = "", row = ""] = data.call("list", ASCII).stdout.split("\n");
  expect(row.indexOf("local ")).toBe(head.indexOf("WHERE"));
  expect(row).toMatch(/\d\d-\d\d \d\d:\d\d \.\. \d\d-\d\d \d\d:\d\d {2}local/);
});

test("no other sign is written than those that have a form in ASCII, and none past the function that knows them", () => {
  const files = fs
    .readdirSync(`${scriptsDirectory}/lib`, { recursive: true, encoding: "utf8" })
    .filter(name => name.endsWith(".sh"));
  expect(files.length).toBeGreaterThan(50);
  const linesOf = (name: string) => fs.readFileSync(`${scriptsDirectory}/lib/${name}`, "utf8").split("\n");
  const lines = files.flatMap(name => linesOf(name).map(line => `${name}: ${line}`));
  // eslint-disable-next-line no-control-regex
  const foreign = lines.filter(line => !/^\S+: *#/.test(line) && /[^\u0000-\u007f]/.test(line.replace(/[✔✘…–·]/g, "")));
  expect(foreign).toEqual([]);
});
