// What commands wait for that ask several repositories: all at once, and for none of them long. A stub stands for
// rclone.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "../backup/dataDirectory";
import { slowTest } from "../runner/pace";

const data = new DataDirectory();
afterAll(() => data.shell.remove());

/** What `rclone` does for the remotes `one` and `two`; where it is not called for these, it has nothing to say. */
function stub(one: string, two: string): string {
  data.put(
    "bin/rclone",
    `#!/bin/sh\nat=${data.shell.directory}\ncase "$*" in\n*one:*) ${one} ;;\n*two:*) ${two} ;;\nesac\n`,
  );
  fs.chmodSync(data.at("bin/rclone"), 0o755);
  return `ANSWER_PATIENCE_SECONDS=2; PATH="${data.at("bin")}:$PATH"`;
}

beforeAll(() => {
  data.block(1);
  expect(data.call("run").code).toBe(0);
  data.configure({
    REPOSITORY_COUNT: "3",
    REPOSITORY_2_NAME: "one",
    REPOSITORY_2_TYPE: "rclone",
    REPOSITORY_2_LOCATION: "one:bucket",
    REPOSITORY_3_NAME: "two",
    REPOSITORY_3_TYPE: "rclone",
    REPOSITORY_3_LOCATION: "two:bucket",
  });
});

/** Each of two remotes answers when the other one was asked, too. */
const together = () =>
  stub(
    ": >$at/asked-one; until [ -e $at/asked-two ]; do sleep 0.05; done",
    ": >$at/asked-two; until [ -e $at/asked-one ]; do sleep 0.05; done",
  );

const COMMANDS = ["list", `restore latest --plan --target ${data.at("new")}`, "status"];

test.each(COMMANDS)("%s asks all repositories at once", words => {
  const { code, stderr } = data.call(words, `${together()}; ANSWER_PATIENCE_SECONDS=60; rm -f asked-*`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

/**
 * Two remotes that do not answer: one is silent, the other one tries again and again, which is a few bytes each time.
 */
const hanging = () => stub("exec sleep 600", "while sleep 1; do :; done");

test("a place that does not answer costs list no more than its patience, and is named", () => {
  const { code, stdout, stderr } = data.call("list", hanging());
  expect(stdout).toMatch(/^BACKUP .*\n\d{8}T\d{6}Z .* local .*\n$/);
  expect([code, stderr.split("\n")]).toEqual([
    8,
    [
      "prometheus-backup: warning: repository one (one:bucket/prom-1) cannot be listed: no answer within 2 s",
      "prometheus-backup: warning: repository two (two:bucket/prom-1) cannot be listed: no answer within 2 s",
      "one, two could not be read; there may be more. Next: prometheus-backup.sh check",
      "",
    ],
  ]);
  expect(fs.readdirSync(data.at("state")).filter(name => name.startsWith("scratch."))).toEqual([]);
});

slowTest("nor a plan, which says where a newer backup may lie", () => {
  const { code, stdout, stderr } = data.call(COMMANDS[1] ?? "", hanging());
  expect([code, stderr]).toEqual([
    0,
    "prometheus-backup: warning: a newer backup may lie where nothing could be read: one (one:bucket/prom-1): no answer within 2 s; two (two:bucket/prom-1): no answer within 2 s\n",
  ]);
  expect(stdout).toMatch(/^Restore of backup /);
});

test("one that is slow, but goes on sending its list, is waited for", () => {
  const slow = stub(
    'for n in 1 2 3 4 5 6; do sleep 0.6; head -c 20000 /dev/zero >/dev/null; done; echo "oh no" >&2; exit 1',
    "exit 0",
  );
  const { code, stderr } = data.call("list", slow);
  expect([code, stderr]).toEqual([
    8,
    expect.stringContaining("one (one:bucket/prom-1) cannot be listed: rclone: ") as string,
  ]);
});
