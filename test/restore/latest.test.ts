// Which backup `latest` means when repositories know different things, with repositories in directories.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { sealed, wholeManifest } from "../tools/manifest";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const OLD = "20260101T020000Z";
const NEW = "20260102T020000Z";

beforeEach(() => {
  fs.rmSync(path.join(shell.directory, "local"), { recursive: true, force: true });
  fs.rmSync(path.join(shell.directory, "offsite"), { recursive: true, force: true });
  fs.mkdirSync(path.join(shell.directory, "local/prom-1/backups"), { recursive: true });
  fs.mkdirSync(path.join(shell.directory, "offsite/prom-1/backups"), { recursive: true });
});

function put(repository: string, name: string, samples: number, suspect: string | null = null): void {
  const file = path.join(shell.directory, repository, "prom-1/backups", `${name}.json`);
  fs.writeFileSync(file, sealed(wholeManifest(name, { suspect, totals: { samples } })));
}

/** What is chosen, from where, and what is said about others. */
function latest(settings = ""): string[] {
  const { stdout, stderr } = shell.run(`
    HOST_NAME=prom-1 STATE_DIR="$PWD/state" REPOSITORY_NAMES=(local offsite) REPOSITORY_TYPES=(path path)
    REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/offsite") ${settings}
    resolve_backup latest
    echo "$BACKUP $REPOSITORY"`);
  return [stdout.trim(), stderr.trim()];
}

test("the newest good backup is the latest", () => {
  put("local", NEW, 90);
  put("offsite", NEW, 90);
  put("offsite", OLD, 100);
  expect(latest()).toEqual([`${NEW} local`, ""]);
});

test("a backup that another repository calls suspect is passed over", () => {
  put("local", NEW, 1);
  put("offsite", NEW, 1, "1 sample instead of 100");
  put("offsite", OLD, 100);
  expect(latest()).toEqual([
    `${OLD} offsite`,
    `prometheus-backup: warning: passed over: ${NEW} is not trusted (suspect in offsite: 1 sample instead of 100)`,
  ]);
});

test("the first backup of a replaced machine is passed over for a full one in a repository that lacks it", () => {
  put("local", NEW, 49);
  put("offsite", OLD, 100);
  expect(latest()).toEqual([
    `${OLD} offsite`,
    `prometheus-backup: warning: passed over: ${NEW} is not trusted (49 samples, but 100 in ${OLD} in offsite, which lacks it)`,
  ]);
});

test("a backup that is not much smaller, or newer than all others, or accepted everywhere, is the latest", () => {
  put("local", NEW, 50);
  put("offsite", OLD, 100);
  expect(latest()).toEqual([`${NEW} local`, ""]);
  put("local", OLD, 1);
  put("offsite", NEW, 1);
  put("local", NEW, 1);
  expect(latest()).toEqual([`${NEW} local`, ""]);
});

test("with the comparison turned off, size means nothing", () => {
  put("local", NEW, 1);
  put("offsite", OLD, 100);
  expect(latest("SHRINK_PERCENT=0")).toEqual([`${NEW} local`, ""]);
});
