// Names in a repository that nobody here gives: on a path, and in a bucket, where a key may hold what it likes. They
// hide no object of ours, make up none, and are never touched.
import * as fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";
import { variants } from "../runner/pace";

/** What a terminal obeys, but for tabs and line ends. */
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const NEXT = "20990101T000000Z";
const ULID = "01M7VW2GC07R5ZX6V25SJJYAAA";
const TIME = "2026-01-01 00:00:00";
const LISTED = `5\tbackups/${NEXT}.json\t${TIME}`;

// In a bucket these are names as well: rclone changes none of them there, nor here with this encoding.
const CONFIGURATION = "[disk]\ntype = local\nencoding = Slash,InvalidUtf8,Dot\n";

describe.each(variants(["path"], ["rclone"]))("of a repository behind %s", type => {
  let data: DataDirectory;
  beforeAll(() => {
    data = new DataDirectory();
    data.put("rclone.conf", CONFIGURATION);
    if (type === "rclone") {
      data.configure({
        REPOSITORY_1_TYPE: "rclone",
        REPOSITORY_1_LOCATION: `disk:${data.at("repository")}`,
        RCLONE_CONFIG_FILE: data.at("rclone.conf"),
      });
    }
    [1, 2].forEach(n => data.block(n));
  });
  afterAll(() => data.shell.remove());

  const place = () => data.at("repository/prom-1");
  const odd = () =>
    [
      `x\n${LISTED}\ny`,
      `backups/${NEXT}.json\t${TIME}`,
      `x\tbackups/${NEXT}.json`,
      `backups/x\n${LISTED}`,
      `blocks/${ULID}.tar.zst\n`,
      `blocks/${ULID}.tar.zst\t5`,
      "backups/-rf",
      "*",
      "[a-z]*",
      "-rf",
      "x\u001b[2J",
      "\\",
      `backups/$(touch ${data.at("executed").replaceAll("/", "_")}).json`,
      `backups/${"x".repeat(240)}.json`,
      `backups/${NEXT}.json.partial-1-2\t0`,
      "marks/x\ny",
      `pins/${NEXT}\t`,
      "'\"; #",
    ]
      .map(name => Buffer.from(name))
      .concat(Buffer.from("blocks/\xff\xfe.tar.zst", "latin1"));

  test("names of others hide nothing, make up nothing and stay, whatever is in them", () => {
    expect(data.call("run").code).toBe(0);
    const added = odd().map(name => Buffer.concat([Buffer.from(`${place()}/`), name]));
    added.forEach(name => {
      fs.mkdirSync(name.subarray(0, name.lastIndexOf("/")), { recursive: true });
      fs.writeFileSync(name, "12345");
    });
    for (const words of ["list", "verify", "run", "prune"]) {
      const { code, stdout, stderr } = data.call(words);
      expect([words, code, stderr]).toEqual([words, 0, expect.anything()]);
      expect([words, stdout + stderr]).toEqual([words, expect.not.stringContaining(NEXT)]);
      expect([words, stdout + stderr]).toEqual([words, expect.not.stringMatching(CONTROLS)]);
      expect([words, added.filter(name => !fs.existsSync(name))]).toEqual([words, []]);
      if (words !== "list") {
        expect([words, stderr]).toEqual([
          words,
          expect.stringMatching(/repository local: names with line ends or the like are there, [0-9]+ in all/),
        ]);
      }
    }
    const listed = JSON.parse(data.call("list --json").stdout) as { backups: unknown[] };
    expect(Array.isArray(listed) ? listed.length : listed.backups.length).toBe(2);
  });
});
