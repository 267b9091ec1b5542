// What verify calls damaged: nothing that it could not read.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Shell } from "../restore/shell";

const shell = new Shell();
afterAll(() => shell.remove());

const object = (number: number) => `blocks/${"0".repeat(25)}${number}.tar.zst`;

beforeAll(() => {
  for (const name of ["place/prom-1/blocks", "bin", "state"]) {
    fs.mkdirSync(path.join(shell.directory, name), { recursive: true });
  }
  for (const number of [1, 2, 3]) {
    fs.writeFileSync(path.join(shell.directory, "place/prom-1", object(number)), `object ${number}`.repeat(100));
  }
  fs.writeFileSync(path.join(shell.directory, "rclone.conf"), "[disk]\ntype = local\n");
  // An rclone that cannot read the second object, in the way that $STUB says.
  fs.writeFileSync(
    path.join(shell.directory, "bin/rclone"),
    `#!/usr/bin/env bash
    if [[ "$*" != *hashsum* ]]; then exec "$REAL" "$@"; fi
    while [[ $1 != --files-from-raw ]]; do shift; done
    while IFS= read -r name; do
      if [[ $name != *2.tar.zst ]]; then printf '%s  %s\\n' "$(sha256sum <"$PLACE/$name" | cut -c 1-64)" "$name"; continue; fi
      case "$STUB" in
        refused) printf '%-64s  %s\\n' ERROR "$name"; echo "ERROR : $name: Failed to hash: 403 Forbidden: AccessDenied" >&2; failed=1 ;;
        broken) echo "ERROR : $name: Failed to hash: 500 InternalError" >&2; failed=1 ;;
        nothing) printf '%s  %s\\n' ${"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"} "$name" ;;
      esac
    done <"$2"
    exit "\${failed:-0}"
  `,
    { mode: 0o755 },
  );
});

const verify = (stub: string, type: string, location: string, more = "") =>
  shell.run(
    `export REAL="$(command -v rclone)" PLACE="$PWD/place/prom-1" STUB="$1" PATH="$PWD/bin:$PATH"
    HOST_NAME=prom-1 STATE_DIR="$PWD/state" RCLONE_CONFIG_FILE="$PWD/rclone.conf" COMMAND=verify
    REPOSITORY_NAMES=(there) REPOSITORY_TYPES=("$2") REPOSITORY_LOCATIONS=("$3"); select_repository 0; repository_list
    ( cd "$PLACE"; for object in blocks/*; do printf '%s\\t%s\\t%s\\n' "$(stat -c %s "$object")" "$(sha256sum <"$object" | cut -c 1-64)" "$object"; done ) >"$SCRATCH/expected"
    ${more}
    find_damage; cat "$SCRATCH/damage"`,
    stub,
    type,
    location,
  );

test.each([
  ["refused", "rclone: ERROR : OBJECT: Failed to hash: 403 Forbidden: AccessDenied"],
  ["broken", "rclone: ERROR : OBJECT: Failed to hash: 500 InternalError"],
  ["silent", "it is listed, and nothing of it came"],
  ["nothing", "it is listed, and nothing of it came"],
])("an object that rclone cannot read (%s) ends with 8 and the reason", (stub, reason) => {
  const { code, stdout, stderr } = verify(stub, "rclone", `disk:${shell.directory}/place`);
  expect([code, stdout]).toEqual([8, ""]);
  expect(stderr).toContain(`: ${object(2)}: ${reason.replace("OBJECT", object(2))}`);
});

test("one on a path that the backup user may not open ends with 8; one that is gone or different is damage", () => {
  const closed = 'as_backup_user() { if [[ $* == *2.tar.zst* ]]; then return 1; fi; "$@"; }';
  const refused = verify("", "path", `${shell.directory}/place`, closed);
  expect([refused.code, refused.stdout]).toEqual([8, ""]);
  expect(refused.stderr).toContain(`: ${object(2)}: '`);

  const damaged = verify(
    "",
    "path",
    `${shell.directory}/place`,
    `rm "$PLACE/${object(1)}"; echo x >>"$PLACE/${object(3)}"
    # All hole, and in the list already: whoever reads it computes for an hour.
    truncate --size 2T "$PLACE/${object(2)}"; repository_list; echo y >>"$PLACE/${object(3)}"`,
  );
  expect([damaged.code, damaged.stdout]).toEqual([
    0,
    `${object(1)}\tis missing or cannot be read\n${object(2)}\thas another size\n${object(3)}\thas another size\n`,
  ]);
  const shorten = (number: number) => fs.truncateSync(path.join(shell.directory, "place/prom-1", object(number)), 800);
  shorten(2);
  const exchanged = verify("", "path", `${shell.directory}/place`, `truncate --size 2T "$PLACE/${object(3)}"`);
  shorten(3);
  expect(exchanged.stdout).toContain(`${object(3)}\thas another checksum\n`);
});

test.each([
  ["killed", 'as_backup_user() { if [[ $* == *2.tar.zst* && $1 != test ]]; then kill -KILL $BASHPID; fi; "$@"; }'],
  ["not there", 'as_backup_user() { if [[ $* == *2.tar.zst* && $1 != test ]]; then no-such-program; else "$@"; fi; }'],
])("an object whose reading program is %s is not judged", (_, failing) => {
  const { code, stdout, stderr } = verify("", "path", `${shell.directory}/place`, failing);
  expect([code, stdout]).toEqual([8, ""]);
  expect(stderr).toContain(`2.tar.zst could be worked out (dd or openssl failed, or was killed)`);
  expect(stderr).not.toMatch(/damaged|missing/);
});
