// Local repositories on mounts of all kinds. The backup user is whoever runs this; a chown that fails stands for a
// mount without owners.
import { expect, test } from "vitest";
import { callStep } from "./bash";

const prelude = `
  as_user() { shift; "$@"; }
  chown() { echo "chown: changing ownership of '$*': Operation not permitted" >&2; return 1; }
  SETTINGS[BACKUP_USER]=nobody-else STATE_DIRECTORIES=(); save_state() { :; }; PLACE="$(realpath .)/nas"; mkdir "$PLACE"`;

test("a directory that the backup user may make is made by that user, with what is missing above it, and needs no chown", () => {
  const script = `${prelude}; ensure_own_directory "$PLACE/a/b" 0750; stat -c '%a' "$PLACE/a" "$PLACE/a/b"; printf '%s\\n' "\${#STATE_DIRECTORIES[@]}"`;
  expect(callStep("backup-job", script)).toMatchObject({ code: 0, stdout: "755\n750\n0\n" });
});

test("it goes again if the step fails", () => {
  const script = `${prelude}; ensure_own_directory "$PLACE/a/b" 0750; roll_back || true; ls "$PLACE"`;
  expect(callStep("backup-job", script)).toMatchObject({ code: 0, stdout: "" });
});

test("a chown that fails is said in its own words", () => {
  const script = `${prelude}; as_user() { return 1; }; id() { echo group; }; ensure_own_directory "$PLACE/a" 0750`;
  const { code, failure } = callStep(
    "backup-job",
    `trap 'printf "%s|%s" "$FAILURE" "$FAILURE_DETAIL" >failure' EXIT; ${script}`,
  );
  expect([code, failure]).toEqual([
    3,
    expect.stringMatching(
      /\/nas\/a cannot be given to nobody-else:group on this host; .*\|chown: changing ownership .*: Operation not permitted$/,
    ),
  ]);
});

test.each([
  ["stays the user's by its mount", "true", ""],
  [
    "is told of where the user cannot write",
    "[[ $1 != test ]]",
    "warning: PLACE cannot be given to nobody-else (chown: changing ownership of '-h -- nobody-else:group ./nas': Operation not permitted)\n",
  ],
])("what root wrote on a mount without owners %s", (_what, may, said) => {
  const find = 'find() { if [[ "$*" == *-quit ]]; then echo x; else chown -h -- nobody-else:group ./nas; fi; }';
  const script = `${prelude}; ${find}; id() { echo group; }; as_user() { shift; ${may}; }; hand_over "$PLACE"`;
  expect(callStep("backup-job", script).stdout.replace(/\/\S*\/nas(?= cannot)/, "PLACE")).toBe(said);
});
