// Sizes of folders in which a server is at work.
import { afterAll, expect, test } from "vitest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

test("a file that vanishes while du looks at it does not become a second number", () => {
  // As du does it: the sum, and then its status.
  expect(shell.run("du() { printf '4096\\t%s\\n' \"${@: -1}\"; return 1; }; bytes_below /somewhere").stdout).toBe(
    "4096",
  );
});

test("a folder that is not there has no bytes", () => {
  expect(shell.run("bytes_below /nowhere/at/all").stdout).toBe("0");
  expect(
    shell.run(
      "mkdir a b && printf 12345 >a/x && bytes_below a --exclude x | tr -d '0-9'; printf ' %d' $(( $(bytes_below a) - $(bytes_below b) ))",
    ).stdout,
  ).toBe(" 5");
});
