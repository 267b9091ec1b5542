import { utils } from "ssh2";
import { expect, test } from "vitest";
import { newKey } from "./sshKey";

test("of 2000 new keys each can be read", () => {
  const unreadable = Array.from({ length: 2000 }, newKey).filter(
    pair => utils.parseKey(pair.privateKey) instanceof Error,
  );
  expect(unreadable).toEqual([]);
});
