// Which manifests are believed when companions come back: the functions by themselves.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const companion = {
  path: "/etc/prometheus/prometheus.yml",
  object: `companions/${"a".repeat(64)}.tar.zst`,
  objectBytes: 1,
  objectSha256: "a".repeat(64),
};
const read = (...companions: object[]) =>
  shell.run(
    'BACKUP=20260101T020000Z; printf "%s" "$1" >"$MANIFEST"; read_companions; printf "%s\\n" "${C_PATH[@]}" "${C_MODE[@]}" "${C_USER[@]}"',
    JSON.stringify({ companions }),
  );

test("a backup that did not note modes gives files that only their owner and group may read", () => {
  expect(read(companion).stdout).toBe("/etc/prometheus/prometheus.yml\n640\n-\n");
  expect(read({ ...companion, mode: "644", user: "root", group: "root" }).stdout).toBe(
    "/etc/prometheus/prometheus.yml\n644\nroot\n",
  );
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
