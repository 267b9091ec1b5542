// The file that is copied to the hosts lies in a directory whose name others can foresee.
import * as fs from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { carryToolkit } from "../../components/host/remoteStep";
import "../recordResources";

let own: string;
let directory: string;

beforeEach(() => {
  own = fs.mkdtempSync(path.join(tmpdir(), "prometheus-backup-toolkit-"));
  directory = path.join(own, `prometheus-backup-${userInfo().uid}`);
  vi.stubEnv("TMPDIR", own);
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(own, { recursive: true });
});

const carry = () => carryToolkit("toolkit", { hostName: "prom-a", connection: { address: "10.0.0.1" } }, {});

test("it is made for this user alone", () => {
  carry();
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
  expect(fs.readdirSync(directory)).toEqual([expect.stringMatching(/^toolkit-[0-9a-f]{64}\.gz$/)]);
  carry();
});

const TAKEN: [string, () => void][] = [
  ["a link", () => fs.symlinkSync(own, directory)],
  [
    "writable by others",
    () => {
      fs.mkdirSync(directory);
      fs.chmodSync(directory, 0o777);
    },
  ],
  ...(process.getuid?.() === 0
    ? [
        [
          "somebody else's",
          () => {
            fs.mkdirSync(directory);
            fs.chownSync(directory, 65534, 65534);
          },
        ] as [string, () => void],
      ]
    : []),
];

test.each(TAKEN)("one that is %s is refused, and nothing is written there", (_title, take) => {
  take();
  const before = fs.readdirSync(own);
  expect(carry).toThrow(`${directory} is not a directory of this user alone`);
  expect([fs.readdirSync(own), fs.readdirSync(directory)]).toEqual([
    before,
    fs.lstatSync(directory).isSymbolicLink() ? before : [],
  ]);
});
