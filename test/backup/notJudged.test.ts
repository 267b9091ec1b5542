// A manifest that nobody could judge, since a program was killed or a disk is full, is not one that is not there: what
// it might say against a backup counts as said.
import * as fs from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sealed } from "../tools/manifest";
import { DataDirectory, type WoundedManifest } from "./dataDirectory";

let data: DataDirectory;
let good: WoundedManifest;
beforeAll(() => {
  data = new DataDirectory();
  [1, 2, 3].forEach(n => data.block(n));
  expect(data.call("run").code).toBe(0);
  good = data.manifest();
  // Another host of the bucket, or a time before, has left an older and much smaller one.
  const older = {
    ...good,
    name: "20260101T000000Z",
    startedAt: "2026-01-01T00:00:00Z",
    blocks: good.blocks.slice(0, 1),
  };
  const totals = { ...good.totals, blocks: 1, samples: 100 };
  data.put("repository/prom-1/backups/20260101T000000Z.json", sealed({ ...older, totals }));
});
afterAll(() => data.shell.remove());
beforeEach(() => fs.rmSync(data.at("state/cache"), { recursive: true, force: true }));

/** Judging the backup of that name fails as if a program had been killed. */
const killed = (name: string) => `eval "judging_$(declare -f weigh_manifest)"
  weigh_manifest() {
    if [[ $1 == ${name} ]]; then REPOSITORY_ERROR="backups/$1.json could not be judged: killed"; return 3; fi
    judging_weigh_manifest "$@"
  }`;

test("a server that has shrunk is not accepted because the last good backup could not be judged", () => {
  const sound = data.call("run");
  expect([sound.code, data.manifest().suspect]).toEqual([0, null]);
  const newest = data.manifest().name;
  const [, ...gone] = [1, 2, 3].map(n => data.block(n));
  gone.forEach(name => data.remove(`data/${name}`));
  fs.rmSync(data.at("state/cache"), { recursive: true, force: true });
  data.remove(`repository/prom-1/backups/${good.name}.json`);
  const { code, stderr } = data.call("run", killed(newest));
  expect([code, data.manifest().suspect], stderr).toEqual([
    8,
    `it could not be compared with the backup before, ${newest}, which could not be judged`,
  ]);
  expect(stderr).toContain("retention deletes nothing for it");
});

test("nor is one that another repository may call suspect, or that is nearly empty beside one there", () => {
  const { stdout, stderr } = data.shell.run(`
    REPOSITORY_NAMES=(a b) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=(/a /b) HOST_NAME=prom-1
    OPEN_REPOSITORIES=(0 1) SHRINK_PERCENT=50; read_facts() { M_SAMPLES=100; }
    declare -A ENDS=() SAMPLES=()
    read_manifest() {
      M_SUSPECT="" M_SAMPLES=\${SAMPLES[$1]:-100}; REPOSITORY_ERROR="$1 \${ENDS[$1]:-}"; return "\${ENDS[$1]:-0}"
    }
    look() {
      UNREACHABLE=(); select_repository 0; M_SAMPLES=100
      if is_dwarfed 20260301T000000Z prom-1; then printf '%s|%s\\n' "$DWARFED" "\${UNREACHABLE[*]}"; else echo trusted; fi
    }
    list() { select_repository 1; printf '5\\tbackups/%s.json\\t2026-01-01 00:00:00\\n' "$@" >"$OBJECT_LIST"; }
    list 20260301T000000Z; look; ENDS[20260301T000000Z]=3; look; ENDS[20260301T000000Z]=1; look
    list 20260101T000000Z 20260201T000000Z; look
    SAMPLES[20260101T000000Z]=1000 ENDS[20260201T000000Z]=1; look
    ENDS[20260201T000000Z]=3; look`);
  expect([stdout.split("\n"), stderr]).toEqual([
    [
      "trusted",
      "it could not be compared with b: 20260301T000000Z 3|b (/b/prom-1): 20260301T000000Z 3",
      "trusted",
      "trusted",
      "100 samples, but 1000 in 20260101T000000Z in b, which lacks it|",
      "it could not be compared with 20260201T000000Z in b, which lacks it: 20260201T000000Z 3|b (/b/prom-1): 20260201T000000Z 3",
      "",
    ],
    "",
  ]);
});

test("while one could not be judged, retention removes no backup, and prune and check say so", () => {
  data.configure({ KEEP_LAST: "1", KEEP_MINIMUM: "1" });
  const newest = data.manifest().name;
  const count = () => fs.readdirSync(data.at("repository/prom-1/backups")).length;
  const before = count();
  const pruned = data.call("prune --yes", killed(newest));
  expect([pruned.code, count()]).toEqual([8, before]);
  expect(pruned.stderr).toContain(`nothing was removed, because manifests could not be judged: ${newest}`);
  [2, 3].forEach(n => data.block(n));
  const checked = data.call("check", killed(newest));
  expect(checked.stdout).toMatch(/✘ data directory +whether a block is damaged or lost is not known/);
});
