// Manifests that another host of the bucket has put there: each is judged once a day, not once in every command.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packed } from "../tools/manifest";
import { DataDirectory } from "./dataDirectory";
import { variants } from "../runner/pace";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
  [1, 2].forEach(n => data.block(n));
  expect(data.call("run").code).toBe(0);
});
afterAll(() => data.shell.remove());

const FORGED = 20;
const at = (index: number) => `repository/prom-1/backups/20260101T0000${String(index).padStart(2, "0")}Z.json`;

/** Starts of jq, which cost nearly all of it, and how the command ends. */
function starts(words: string): { jq: number; code: number | null; stderr: string; stdout: string } {
  data.put("calls", "");
  const { code, stdout, stderr } = data.call(words, 'jq() { echo >>"$CALLS"; command jq "$@"; }; CALLS="$PWD/calls"');
  return { jq: fs.readFileSync(data.at("calls"), "utf8").length, code, stdout, stderr };
}

test.each(variants(["list"], ["prune --dry-run", "run"]))("%s does not judge forged manifests again", words => {
  const before = starts(words);
  expect(before.code).toBe(0);
  // Digests are wrong, forms are wrong, and one is no JSON at all.
  for (let index = 0; index < FORGED; index++) {
    const forged =
      index === 0 ? "x" : index === 1 ? '{"format":99}' : JSON.stringify({ ...data.manifest(), name: index });
    data.put(at(index), forged);
  }
  fs.rmSync(data.at("state/cache/refused"), { recursive: true, force: true });
  const first = starts(words);
  const second = starts(words);
  expect([second.code, second.stdout.replace(/\d/g, ""), second.stderr.replace(/\d/g, "")]).toEqual([
    first.code,
    first.stdout.replace(/\d/g, ""),
    first.stderr.replace(/\d/g, ""),
  ]);
  // Many are judged with one start.
  expect(first.jq - before.jq).toBeLessThan(FORGED);
  expect(second.jq - before.jq).toBeLessThan(3);
  for (let index = 0; index < FORGED; index++) {
    data.remove(at(index));
  }
});

test.each(["show", "verify"])("nor does %s, of one that is named", words => {
  data.put(at(0), packed(JSON.stringify({ ...data.manifest(), blocks: 5 })));
  fs.rmSync(data.at("state/cache/refused"), { recursive: true, force: true });
  const [first, second] = [0, 1].map(() => starts(`${words} 20260101T000000Z`));
  data.remove(at(0));
  expect([first?.code, second?.code, second?.stderr]).toEqual([9, 9, first?.stderr]);
  expect(second?.jq).toBe((first?.jq ?? 0) - 1);
});

test("one that is whole again counts at once, and another day looks anew", () => {
  const name = `${data.manifest().name}.json`;
  const whole = fs.readFileSync(data.at(`repository/prom-1/backups/${name}`));
  const broken = Buffer.from(whole);
  broken[broken.length - 8] = (broken[broken.length - 8] ?? 0) ^ 1;
  const damaged = () => (data.call("list --json").stdout.match(/"damaged": ?true|DAMAGED/g) ?? []).length;
  expect(damaged()).toBe(0);
  data.remove("state/cache");
  data.put(`repository/prom-1/backups/${name}`, broken);
  expect(damaged()).toBe(1);
  const notes = fs.readdirSync(data.at("state/cache/refused"));
  expect(notes.length).toBe(1);
  data.put(`repository/prom-1/backups/${name}`, whole);
  expect(damaged()).toBe(0);
  data.remove("state/cache/summaries-4");
  fs.renameSync(data.at(`state/cache/refused/${notes[0]}`), data.at("state/cache/refused/local.prom-1.20260101"));
  data.put(`repository/prom-1/backups/${name}`, broken);
  expect(damaged()).toBe(1);
  expect(fs.readdirSync(data.at("state/cache/refused"))).toEqual(notes);
  data.put(`repository/prom-1/backups/${name}`, whole);
});

const FAULTS: [string, string][] = [
  ["jq is killed", 'jq() { if [[ "$*" == *--sort-keys*--rawfile* ]]; then return 137; fi; command jq "$@"; }'],
  [
    "a full disk takes half of what awk writes",
    'awk() { if [[ "${FUNCNAME[*]}" == *manifest_facts* ]]; then command awk "$@" && return 2; fi; command awk "$@"; }',
  ],
  ["zstd is killed", 'as_backup_user() { if [[ $1 == zstd ]]; then return 137; fi; "$@"; }'],
  [
    "the digest cannot be worked out",
    'openssl() { if [[ "${FUNCNAME[*]}" == *manifest_facts* ]]; then return 1; fi; command openssl "$@"; }',
  ],
];

test.each(FAULTS)("what was this host's fault is not remembered: %s", (_, fault) => {
  fs.rmSync(data.at("state/cache"), { recursive: true, force: true });
  const told = (more: string) => data.call("prune --dry-run", more).stdout.includes("a manifest cannot be read");
  expect([told(fault), told("")]).toEqual([true, false]);
});

test.each(FAULTS)("nor is it told as damage: %s", (_, fault) => {
  const anew = (words: string) => {
    fs.rmSync(data.at("state/cache"), { recursive: true, force: true });
    return data.call(words, fault);
  };
  const verified = anew("verify");
  expect([verified.code, verified.stderr]).toEqual([8, expect.stringContaining("could not be judged") as string]);
  expect(verified.stderr).not.toContain("damaged");
  data.put(at(0), packed(JSON.stringify({ ...data.manifest(), blocks: 5 })));
  const listed = anew("list");
  data.remove(at(0));
  expect([listed.code, listed.stdout + listed.stderr]).toEqual([8, expect.not.stringMatching(/DAMAGED/) as string]);
  expect(listed.stdout).toContain("NOT READ: a program of this host failed");
  const run = anew("run");
  expect([run.code, run.stderr]).toEqual([8, expect.stringContaining("the new backup is complete there") as string]);
  expect(fs.readFileSync(data.at("state/metrics.state"), "utf8")).toMatch(
    /repository_damaged_backups\|repository=local\t0$/m,
  );
});

/** Of each forged manifest what is said of it, when it is judged alone and together with the others. */
const verdicts = (more: string) =>
  data.shell
    .print(
      `${more} HOST_NAME=prom-1 STATE_DIR="$PWD/state" REPOSITORY_HOST=prom-1 REPOSITORY=local MANIFESTS="$PWD/repository/prom-1/backups"
      cd "$MANIFESTS"; files=(*.json); cd "$OLDPWD"; declare -A SUMS=() REFUSED=(); REFUSED_NOTES=/dev/null TO_JUDGE=("\${files[@]}")
      for name in "\${files[@]}"; do
        status=0; REPOSITORY_ERROR=""; judge_next "$name" "$SCRATCH/copy" || status=$?
        if (( status == 0 )); then REPOSITORY_ERROR="$(cksum <"$JUDGED.facts")"; fi
        printf '%s %d %s\n' "$name" "$status" "$REPOSITORY_ERROR"
      done`,
    )
    .split("\n");

test("what is said of a manifest is the same, whatever is judged together with it", () => {
  const text = JSON.stringify(data.manifest());
  const forged: (string | Buffer)[] = [
    "",
    text.slice(0, -9),
    `${text.slice(9)}`,
    text.replace('"prom-1"', '"prom-2"'),
    text + text,
    // What stands behind the end of a text would be hidden from whoever stops there.
    `${text}\0{"format":1}`,
    packed(text).subarray(0, 40),
    packed(text.replace('"blocks":[', '"blocks":[{},')),
    "[]",
    '{"format":99}',
    "\u001efacts /x\n",
    // What jq says of a text holds the text.
    `x\n\u001efacts ${data.at("planted")}\ny\n`,
    `{"format":1}\n\u001efacts ${data.at("planted")}\ny\n`,
    '{"format":2,"name":"\\u001efacts /x"}',
  ];
  forged.forEach((content, index) => data.put(at(index), content));
  const [together, alone] = [verdicts(""), verdicts("foresee_manifests() { TO_JUDGE=(); };")];
  expect(together).toEqual(alone);
  expect(fs.readdirSync(data.shell.directory).filter(name => name.startsWith("planted"))).toEqual([]);
  expect(together.filter(line => / [12] /.test(line))).toHaveLength(forged.length);
  expect(together.filter(line => / 0 /.test(line)).length).toBeGreaterThan(0);
  forged.forEach((_, index) => data.remove(at(index)));
});
