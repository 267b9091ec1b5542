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
  data.shell.limit = 300;
});
afterAll(() => data.shell.remove());

const RESTORE = 'restore latest --target "$PWD/target" --yes';

/** Each program of the backup user finds pipes in place of the files that it is to open. */
const EXCHANGE = `eval "opening_$(declare -f as_backup_user)"
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
);

test("nor does the process that opens them all, for a pipe that comes after its look, nor any for a file without end", () => {
  const { stdout, stderr } = data.shell.run(
    `OPEN_PATIENCE_SECONDS=1; head -c 1000 /dev/urandom >a; head -c 2000 /dev/urandom >b; : >empty
    mkfifo pipe; ln -s a link; truncate --size 2T hole
    sums_of 2000 "$PWD"/{a,pipe,b,link,hole,none,empty} | while IFS=$'\\t' read -r sum file; do
      printf '%s %s\\n' "\${file##*/}" "$([[ "$(openssl dgst -sha256 -r "$file")" == "$sum "* ]] && echo right)"
    done
    read_many 2000 cat :: "$PWD"/{a,b} | wc --bytes
    for other in pipe link hole none; do
      read_many 2000 cat :: "$PWD"/{a,"$other"} || echo "$other is refused"
    done
    eval "$(declare -f opener | sed 's/-f $file && ! -L $file/-e $file/')"
    sums_of 2000 "$PWD"/{a,pipe} || echo $?`,
  );
  const refused = ["pipe", "link", "hole", "none"].map(name => `${name} is refused\n`).join("");
  expect([stdout, stderr]).toEqual([`a right\nb right\nempty right\n3000\n${refused}124\n`, ""]);
});

test("a block whose small files are exchanged for something else after the look is damaged, and nobody waits", () => {
  const [first = "", second = "", third = ""] = [1, 2, 3].map(n => data.block(n));
  data.put("secret", '{"secret":"x"}');
  const { code, stdout, stderr } = data.shell.run(
    `DATA_DIRECTORY="$PWD/data"
    exchange() { rm "data/$1"; "\${@:2}" "data/$1"; }
    as_owner() {
      if [[ ! -e exchanged ]]; then
        : >exchanged
        exchange ${first}/meta.json mkfifo
        exchange ${second}/tombstones mkfifo
        exchange ${third}/meta.json ln -s "$PWD/secret"
      fi
      "$@"
    }
    describe_blocks "$PWD/data" "$SCRATCH/blocks"; jq --raw-output '.[] | .ulid + " " + .reason' "$SCRATCH/blocks.damaged"`,
  );
  const damaged = [
    [first, "its meta.json is missing or not readable, so the server skips it"],
    [second, "its tombstones are not readable, so the server does not start"],
    [third, "its meta.json is missing or not readable, so the server skips it"],
  ].map(words => `${words.join(" ")}\n`);
  expect([code, stdout, stderr]).toEqual([0, damaged.join(""), ""]);
});
