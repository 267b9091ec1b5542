// What every command shows on a narrow terminal, and where the locale has no signs but those of ASCII.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostCommands } from "../../components/host/command/commands";
import { DataDirectory } from "../backup/dataDirectory";

const COLUMNS = 60;
const data = new DataDirectory();
afterAll(() => data.shell.remove());

/** What is shown to a person, with the command or path that it is about. */
const commands = [
  'help list; for one in $(sort <<<"$HELP"); do print_help "$one"; done',
  "help",
  `run --pin --note 'before the great upgrade of everything that we have'; mv ${data.at("away")} ${data.at("gone")}`,
  "list",
  "list --since tomorrow",
  "show latest",
  "status",
  "check",
  "verify latest",
  "prune --dry-run",
  `restore latest --plan --target ${data.at("new")}`,
  "heal --plan",
  "explain",
  "explain 9",
  "lst",
  "list --lst",
  "show 20200101T000000Z",
  "unpin 20200101T000000Z",
];

let screens: Map<string, string[]>;

beforeAll(() => {
  fs.mkdirSync(data.at("away"));
  data.configure({
    REPOSITORY_COUNT: "2",
    REPOSITORY_2_NAME: "away",
    REPOSITORY_2_TYPE: "path",
    REPOSITORY_2_LOCATION: data.at("away"),
  });
  data.block(1);
  data.block(3);
  screens = data.screens(commands, COLUMNS, "CRON_FILE=/nowhere", {
    CALLER_LOCALE: "C",
    HELP: hostCommands.map(({ name }) => name).join("\n"),
  });
});

test("all of them show something", () => {
  expect([...screens].filter(([, lines]) => lines.join("") === "").map(([words]) => words)).toEqual([]);
  expect([...screens.values()].flat().filter(line => /unexpected failure in|command not found/.test(line))).toEqual([]);
});

test("no line is longer than the terminal is wide, but for one word or command that cannot be broken", () => {
  const long = [...screens].flatMap(([words, lines]) =>
    lines
      .filter(line => line.length > COLUMNS)
      .filter(line => !/^ *(prometheus-backup\.sh .*|(\S+( \S+)* {2,})?\S+)$/.test(line))
      .map(line => `${words}: ${line}`),
  );
  expect(long).toEqual([]);
});

test("no sign that is none of ASCII", () => {
  // eslint-disable-next-line no-control-regex
  expect([...screens.values()].flat().filter(line => /[^\u0000-\u007f]/.test(line))).toEqual([]);
});
