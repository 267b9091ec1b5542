// Who owns what is restored, on hosts where users have no names too.
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const group = fs.statSync(shell.directory).gid;

test.each([
  ["a unit with user and group", 'UNIT_KNOWN=true UNIT_USER=prometheus UNIT_GROUP=monitoring DATA_DIRECTORY="$PWD"', "prometheus:monitoring"],
  ["a unit whose user is only a number: the group of the data directory", 'UNIT_KNOWN=true UNIT_USER=10001 UNIT_GROUP="" DATA_DIRECTORY="$PWD"', `10001:${group}`],
  ["the same before there is a data directory: the number", 'UNIT_KNOWN=true UNIT_USER=10001 UNIT_GROUP="" DATA_DIRECTORY=/none', "10001:10001"],
  ["no unit: the owner of the data directory, by number", 'UNIT_KNOWN=false UNIT_USER="" UNIT_GROUP="" DATA_DIRECTORY="$PWD"', `${fs.statSync(shell.directory).uid}:${group}`],
])("restored data belong to those of %s", (_, facts, owner) => {
  expect(shell.print(`${facts} BACKUP_USER=root; data_owner`)).toBe(owner);
});
