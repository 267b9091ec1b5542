import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheDirectory, withLock } from "./cache";
import { isTagAlive, processTag, sleep } from "./process";

const before = process.env.PROMETHEUS_BACKUP_CACHE;
const directory = mkdtempSync(path.join(tmpdir(), "cache-test-"));
beforeAll(() => {
  process.env.PROMETHEUS_BACKUP_CACHE = directory;
});
afterAll(() => {
  if (before === undefined) {
    delete process.env.PROMETHEUS_BACKUP_CACHE;
  } else {
    process.env.PROMETHEUS_BACKUP_CACHE = before;
  }
  rmSync(directory, { recursive: true });
});

test("work under one name never overlaps", async () => {
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} begins`);
    await sleep(50);
    events.push(`${name} ends`);
  };
  await Promise.all([withLock("same", work("a")), withLock("same", work("b")), withLock("same", work("c"))]);
  expect(events.map(event => event.split(" ")[1])).toEqual(["begins", "ends", "begins", "ends", "begins", "ends"]);
});

test("a lock is released when the work fails", async () => {
  await expect(withLock("failing", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withLock("failing", () => Promise.resolve("next"))).toBe("next");
});

test.each([
  ["a dead process", `${spawnSync("true").pid}-1`],
  ["a process whose id was given out again", `${process.pid}-1`],
])("the lock of %s is taken over", async (_what, tag) => {
  writeFileSync(path.join(cacheDirectory("locks"), "left.lock"), tag);
  expect(await withLock("left", () => Promise.resolve("mine"))).toBe("mine");
});

test("a process is alive under its own tag alone", () => {
  expect([isTagAlive(processTag()), isTagAlive(`${process.pid}-1`), isTagAlive("not a tag")]).toEqual([
    true,
    false,
    false,
  ]);
});
