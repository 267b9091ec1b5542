// The lock that restores share with the runs of another user: root opens nothing that this user can exchange.
import * as fs from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell";

const asRoot = test.runIf(process.getuid?.() === 0);
const shell = new Shell();
shell.limit = 300;
afterAll(() => shell.remove());

const TAKE = `cd ..; BACKUP_STATE="$PWD/state" STATE_DIR="$PWD/state-restore" BACKUP_USER=nobody COMMAND=restore;`;
const HELD = "setpriv --reuid nobody --clear-groups flock --nonblock state/lock true";

beforeEach(() => {
  fs.chmodSync(shell.directory, 0o755);
  shell.run(
    `rm -rf state* roots; mkdir -p state state-restore/here; chown nobody state; echo root >roots; chmod 600 roots`,
  );
});

/** What lies there instead, and how it ends: also where it was exchanged after the look. */
const PLACES: [string, string, number, number][] = [
  ["a pipe", "mkfifo state/lock; chmod 666 state/lock", 12, 12],
  ["a link to a pipe", "mkfifo state/pipe; chmod 666 state/pipe; ln -s pipe state/lock", 12, 12],
  ["a link to a device", "ln -s /dev/zero state/lock", 12, 12],
  ["a link to root's file", 'ln -s "$PWD/roots" state/lock', 12, 3],
  ["a link to nothing", 'ln -s "$PWD/made" state/lock', 12, 3],
  ["a folder", "mkdir state/lock", 12, 3],
  [
    "a socket",
    `node -e 'require("net").createServer().listen("state/lock", () => process.kill(process.pid, "SIGKILL"))' || true`,
    12,
    3,
  ],
  ["a file of root's", "echo root >state/lock; chmod 600 state/lock", 3, 3],
];

asRoot("whatever lies in its place is neither waited for nor followed", () => {
  const tried = PLACES.map(([, put]) => `rm -rf state/lock state/pipe; ${put}`);
  const blind = `eval "$(declare -f lock_keeper | sed 's/^  if \\[ -L.*/  :/')"`;
  const script = tried.flatMap(put =>
    [":", blind].map(
      how => `( ${put}; cd state-restore; ${how}; ${TAKE} ( take_common_lock ) 2>/dev/null && echo 0 || echo $? )`,
    ),
  );
  const { stdout } = shell.run(
    `trap - ERR; set +e; ${script.join("\n")}; cat roots; ls made 2>/dev/null; ls state-restore`,
  );
  expect(stdout.split("\n")).toEqual([
    ...PLACES.flatMap(([, , looked, exchanged]) => [String(looked), String(exchanged)]),
    "root",
    "here",
    "",
  ]);
});

asRoot("it is held until the end, whatever signals come, and then it is free", () => {
  const script = `cd state-restore; ${TAKE} ( take_common_lock
      wait; for child in $(holders_of state/lock); do for signal in INT HUP QUIT TERM; do kill -$signal "$child"; done; done
      ${HELD} && echo free || echo held; cat state/lock
      ( take_common_lock ) || echo $? )
    until ${HELD}; do read -r -t 0.05 _ <> <(:) || true; done; stat --format %U state/lock`;
  const { stdout, stderr } = shell.run(script);
  const said = stdout.split("\n");
  expect([said[0], said[1], said.slice(2)]).toEqual([
    "held",
    expect.stringMatching(/^pid [0-9]+, restore since [0-9:]+ UTC$/) as string,
    ["10", "nobody", ""],
  ]);
  expect(stderr).toContain(`another run (${said[1]}) holds the lock`);
});
