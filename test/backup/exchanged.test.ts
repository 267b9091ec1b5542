// Files of a repository that somebody exchanges for pipes between the look at them and the opening.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { variants } from "../runner/pace";
import { DataDirectory } from "./dataDirectory";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
  [1, 2].forEach(n => data.block(n));
  expect(data.call("run").code).toBe(0);
  // Whoever waits for a pipe is killed, with all that it has started: its code is then null.
  data.shell.limit = 40;
});
afterAll(() => data.shell.remove());

const RESTORE = 'restore latest --target "$PWD/target" --yes';

/** Each program of the backup user finds pipes in place of the files that it is to open. */
const EXCHANGE = `FILES_PATIENCE_SECONDS=2
  eval "$(declare -f set_config_defaults | sed 's/IDLE_TIMEOUT_SECONDS=[0-9]*/IDLE_TIMEOUT_SECONDS=2/')"
  eval "opening_$(declare -f as_backup_user)"
  as_backup_user() {
    local word
    for word; do
      word=\${word#if=}
      if [[ $word == "$PWD/repository/"*.* && -f $word ]]; then rm -- "$word"; mkfifo -- "$word"; fi
    done
    opening_as_backup_user "$@"
  }`;
test.each(variants([["list"], ["verify"]], [["run"], ["prune"], ["show latest"], [RESTORE]]))(
  "%s does not wait for a pipe that takes a file's place when it is opened",
  words => {
    const whole = data.at("repository.whole");
    fs.cpSync(data.at("repository"), whole, { recursive: true, preserveTimestamps: true });
    fs.rmSync(data.at("state/cache"), { recursive: true, force: true });
    const { code, stderr } = data.call(words, EXCHANGE);
    fs.rmSync(data.at("repository"), { recursive: true });
    fs.renameSync(whole, data.at("repository"));
    expect([code, stderr]).not.toContain(null);
    expect(code).toBeGreaterThan(0);
  },
  60_000,
);
