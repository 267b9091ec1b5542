// Which files may travel with a backup as they are, and which manifests are believed: the functions by themselves.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const holdsSecrets = (text: string): boolean => {
  fs.writeFileSync(path.join(shell.directory, "file.yml"), `${text}\n`);
  return shell.run('holds_secrets "$PWD/file.yml"').code === 0;
};

test.each([
  ["  password: hunter2"],
  ["basic_auth: { username: u, password: hunter2 }"],
  ['basic_auth: {"username":"u","password":"hunter2"}'],
  ["- credentials: 'abc'"],
  ["    key: |"],
  ["- url: http://u:hunter2@example.org/write"],
])("%s is a secret", text => {
  expect(holdsSecrets(text)).toBe(true);
});

test.each([["  password: <secret>"], ["  password_file: /etc/password"], ["- url: http://u:<secret>@example.org"], ["- url: http://[::1]:9090/a"], ["  monkey: banana"]])("%s is none", text => {
  expect(holdsSecrets(text)).toBe(false);
});

test("passwords of a web configuration are masked, and the file still travels", () => {
  const hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
  fs.writeFileSync(path.join(shell.directory, "web.yml"), `basic_auth_users:\n  admin: ${hash}\n  other: '${hash}'\n`);
  const copied = shell.print('CONFIG_IN_FORCE=/none WEB_CONFIG="$PWD/web.yml"; copy_companion "$WEB_CONFIG" "$SCRATCH/copy"; cat "$SCRATCH/copy"');
  expect(copied).toBe("basic_auth_users:\n  admin: <secret>\n  other: '<secret>'");
});

test("any other file with a password stays on the host, and the log says so", () => {
  fs.writeFileSync(path.join(shell.directory, "sd.yml"), "- password: hunter2\n");
  const called = shell.run('CONFIG_IN_FORCE=/none WEB_CONFIG=""; copy_companion sd.yml "$SCRATCH/copy" || ls "$SCRATCH"');
  expect([called.stdout, called.stderr]).toEqual(["", "prometheus-backup: warning: companion sd.yml holds a password or key and does not travel with the backup\n"]);
});

const companion = { path: "/etc/prometheus/prometheus.yml", object: `companions/${"a".repeat(64)}.tar.zst`, objectBytes: 1, objectSha256: "a".repeat(64) };
const read = (...companions: object[]) =>
  shell.run('BACKUP=20260101T020000Z; printf "%s" "$1" >"$MANIFEST"; read_companions; printf "%s\\n" "${C_PATH[@]}" "${C_MODE[@]}" "${C_USER[@]}"', JSON.stringify({ companions }));

test("a backup that did not note modes gives files that only their owner and group may read", () => {
  expect(read(companion).stdout).toBe("/etc/prometheus/prometheus.yml\n640\n-\n");
  expect(read({ ...companion, mode: "644", user: "root", group: "root" }).stdout).toBe("/etc/prometheus/prometheus.yml\n644\nroot\n");
});

test.each([
  ["a path out of the directory", { path: "/etc/../../root/x" }],
  ["a mode that gives rights", { mode: "4755" }],
  ["a user that is no name", { user: "root:x;", group: "root" }],
  ["an object elsewhere", { object: "../other/blocks/x" }],
])("a manifest with %s is not believed", (_, wrong) => {
  expect(read({ ...companion, ...wrong }).code).toBe(9);
});

test("a backup without companions says so", () => {
  expect(read().code).toBe(11);
});
