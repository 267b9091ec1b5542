// Who owns what is restored, on hosts where users have no names too.
import * as fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const group = fs.statSync(shell.directory).gid;

test.each([
  [
    "a unit with user and group",
    'UNIT_KNOWN=true UNIT_USER=prometheus UNIT_GROUP=monitoring DATA_DIRECTORY="$PWD"',
    "prometheus:monitoring",
  ],
  [
    "a unit whose user is only a number: the group of the data directory",
    'UNIT_KNOWN=true UNIT_USER=10001 UNIT_GROUP="" DATA_DIRECTORY="$PWD"',
    `10001:${group}`,
  ],
  [
    "the same before there is a data directory: the number",
    'UNIT_KNOWN=true UNIT_USER=10001 UNIT_GROUP="" DATA_DIRECTORY=/none',
    "10001:10001",
  ],
  [
    "a unit of root's that starts its server as another user: the owner of the data directory",
    'UNIT_KNOWN=true UNIT_USER=root UNIT_GROUP=root DATA_DIRECTORY="$PWD/data"; mkdir -p data; chown 65534:65534 data;',
    "65534:65534",
  ],
  [
    "the same before there is a data directory: the unit's",
    "UNIT_KNOWN=true UNIT_USER=root UNIT_GROUP=root DATA_DIRECTORY=/none",
    "root:root",
  ],
  [
    "no unit: the owner of the data directory, by number",
    'UNIT_KNOWN=false UNIT_USER="" UNIT_GROUP="" DATA_DIRECTORY="$PWD"',
    `${fs.statSync(shell.directory).uid}:${group}`,
  ],
])("restored data belong to those of %s", (_, facts, owner) => {
  expect(shell.print(`${facts} BACKUP_USER=root; data_owner`)).toBe(owner);
});

test.runIf(process.getuid?.() === 0)("root reads what it keeps itself, which is closed to the backup user", () => {
  const note = '{"dataDirectory":"/data","version":"2.42.0","retentionTime":"30d","retentionSize":"0B"}';
  const script = `mkdir -p state state-restore; chmod 0700 state-restore; printf '%s' '${note}' >state-restore/server.json; BACKUP_STATE="$PWD/state" STATE_DIR="$PWD/state-restore" BACKUP_USER=nobody
    cp state-restore/server.json state; take_note server "$STATE_DIR/server.json"`;
  expect(shell.run(script)).toEqual({ code: 0, stdout: `${note}\n`, stderr: "" });
});

test.runIf(process.getuid?.() === 0)("without a state directory of the backup user, root's own has the lock", () => {
  const script = `mkdir -p own-restore; chmod 0700 own-restore; BACKUP_STATE="$PWD/own" STATE_DIR="$PWD/own-restore" BACKUP_USER=nobody COMMAND=restore; take_common_lock
    grep -o 'restore since' own-restore/lock`;
  expect(shell.run(script)).toEqual({ code: 0, stdout: "restore since\n", stderr: "" });
});
