// What status says of repositories: each is asked, all at once, and one that does not answer in time did not.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";

let data: DataDirectory;

beforeAll(() => {
  data = new DataDirectory();
  fs.mkdirSync(data.at("second"));
  data.configure({
    REPOSITORY_COUNT: "3",
    REPOSITORY_2_NAME: "second",
    REPOSITORY_2_TYPE: "path",
    REPOSITORY_2_LOCATION: data.at("second"),
    REPOSITORY_3_NAME: "third",
    REPOSITORY_3_TYPE: "path",
    REPOSITORY_3_LOCATION: data.at("third"),
  });
  fs.mkdirSync(data.at("third"));
  data.block(60);
  expect(data.call("run").code).toBe(0);
});
afterAll(() => data.shell.remove());

interface Status {
  protected: boolean;
  repositories: { name: string; error: string | null }[];
}
const status = (more = "") => JSON.parse(data.call("status --json", more).stdout) as Status;

test("a repository that answers, one whose place is empty and one that hangs are told apart, within the limit", () => {
  const { repositories, ...rest } = status();
  const errors = repositories.map(({ name, error }) => [name, error]);
  expect(errors).toEqual([
    ["local", null],
    ["second", null],
    ["third", null],
  ]);
  expect(rest.protected).toBe(true);
  fs.rmSync(data.at("second/prom-1"), { recursive: true });
  // As on a file system that hangs: it neither answers nor ends.
  const hangs = `ANSWER_PATIENCE_SECONDS=2; eval "real_$(declare -f list_path)"
    list_path() { if [[ $REPOSITORY == third ]]; then trap "" TERM; sleep 600; fi; real_list_path; }`;
  const { code, stdout, stderr } = data.call("status", hangs);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain(": NOT PROTECTED: repository second, third does not answer\n");
  expect(stdout).toMatch(/ {2}local {7}1 backup, .*\)\n/);
  expect(stdout).toMatch(
    / {2}second {6}1 backup, .*; DOES NOT ANSWER: it is empty, and has held backups of this host .*\n/,
  );
  expect(stdout).toMatch(
    / {2}third {7}1 backup, .*; DOES NOT ANSWER: no answer for \d s \(does the server behind the mount still run\?\)\n/,
  );
});
