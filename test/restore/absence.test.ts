// What is said to be nowhere, and what nobody can know because not everything could be looked at.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { sealed, wholeManifest } from "../tools/manifest";
import { slowTest } from "../runner/pace";
import { Shell } from "./shell";

const shell = new Shell();
afterAll(() => shell.remove());

const at = (name: string) => path.join(shell.directory, name);
const NAME = "20260101T020000Z";
const MISSING = "20260102T020000Z";
const ULID = "01M7VW2GC07R5ZX6V25SJJYAAA";

/** Another host uses it, too: a bare folder is taken for a disk that is not mounted. */
function makeRepository(name: string): void {
  fs.mkdirSync(at(`${name}/neighbour`), { recursive: true });
  fs.writeFileSync(at(`${name}/neighbour/owner.json`), "{}");
}

beforeEach(() => {
  for (const name of ["local", "offsite", "state", "data"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name));
  }
  makeRepository("local");
  makeRepository("offsite");
});

const gone = (repository: string) => fs.rmSync(at(repository), { recursive: true });
const notMounted = (repository: string) => `${at(repository)} does not exist (is its file system mounted?)`;
const cannotBeListed = (repository: string, why = notMounted(repository)) =>
  `prometheus-backup: warning: repository ${repository} (${at(repository)}/prom-1) cannot be listed: ${why}`;
const error = (words: string) => `prometheus-backup: error: ${words}`;
const nobodyAnswers = (what: string, who: string) =>
  error(
    `no repository that answers holds a ${what}, and these do not answer: ${who}; ` +
      "check the mount, the network and the credentials",
  );

/** A backup without blocks, as a run stores it. */
function put(repository: string, name = NAME): string {
  const folder = at(`${repository}/prom-1/backups`);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, `${name}.json`), sealed(wholeManifest(name)));
  return path.join(folder, `${name}.json`);
}

/** What `call` ends with, prints and says, line by line. */
function said(call: string): { code: number | null; stdout: string; stderr: string[] } {
  const { code, stdout, stderr } = shell.run(`COMMAND=list HOST_NAME=prom-1 STATE_DIR="$PWD/state"
    REPOSITORY_NAMES=(local offsite) REPOSITORY_TYPES=(path path) REPOSITORY_LOCATIONS=("$PWD/local" "$PWD/offsite")
    ${call}`);
  return { code, stdout, stderr: stderr.trimEnd().split("\n") };
}

const check = "Next: prometheus-backup.sh check";
const oneOfTwo = `Nobody knows what backups exist: 1 of 2 repositories could be read (above), without any of prom-1. ${check}`;

test("no repository can be read: nobody knows what there is", () => {
  gone("local");
  gone("offsite");
  const unknown = `Nobody knows what backups exist: 0 of 2 repositories could be read (above). ${check}`;
  const stderr = [cannotBeListed("local"), cannotBeListed("offsite"), unknown];
  expect(said("command_list")).toEqual({ code: 8, stdout: "", stderr });
  expect(said("command_list --json")).toEqual({ code: 8, stdout: "[]\n", stderr });
});

test("one repository can be read and holds none: nobody knows either", () => {
  gone("local");
  expect(said("command_list")).toEqual({ code: 8, stdout: "", stderr: [cannotBeListed("local"), oneOfTwo] });
});

test("one repository can be read: what it holds, and that there may be more", () => {
  put("offsite");
  gone("local");
  const { code, stdout, stderr } = said("command_list");
  const more = `local could not be read; there may be more. ${check}`;
  expect([code, stderr]).toEqual([8, [cannotBeListed("local"), more]]);
  expect(stdout).toMatch(new RegExp(`^BACKUP .*\n${NAME} .* offsite +complete\n$`));
  expect(said("command_list --json").stderr).toEqual(stderr);
  expect(said("command_list --repository offsite")).toMatchObject({ code: 0, stderr: [""] });
});

test.each([
  ["command_list", "no backups of prom-1 yet; take one with: prometheus-backup.sh run"],
  ["command_list --repository local", "there are no backups of prom-1 in repository local"],
  ["command_list --host other", "there are no backups of host 'other' in any repository of this host"],
  ['LOCATION="$PWD/local" command_list', `there are no backups of prom-1 in ${at("local")}`],
])("all was looked at: %s", (call, words) => {
  expect(said(call)).toEqual({ code: 0, stdout: "", stderr: [words] });
});

test("an empty folder where this host has had backups is a disk that is not mounted", () => {
  const memory = "repository_last_success_timestamp_seconds|repository=local\t1767232800\n";
  fs.writeFileSync(at("state/metrics.state"), memory);
  const why = "it is empty, and has held backups of this host (is its file system mounted?)";
  expect(said("command_list")).toEqual({ code: 8, stdout: "", stderr: [cannotBeListed("local", why), oneOfTwo] });
  expect(said(`load_metrics; resolve_backup ${NAME}`)).toMatchObject({
    code: 8,
    stderr: [nobodyAnswers(`backup ${NAME}`, `local (${at("local")}/prom-1): ${why}`)],
  });
  expect(said(`command_verify ${NAME}`)).toMatchObject({ code: 8 });
  expect(said("command_prune --dry-run")).toMatchObject({ code: 8 });
  expect(said(`command_pin ${NAME}`)).toMatchObject({ code: 8 });
  // Of another host's backups the metrics of this one know nothing.
  expect(said("command_list --host other").code).toBe(0);
});

test.each([
  ["a link to a disk that is not there", () => fs.symlinkSync("/no/such/disk", at("local/prom-1"))],
  ["a file", () => fs.writeFileSync(at("local/prom-1"), "")],
])("a host's folder that is %s is no empty repository", (_what, make) => {
  make();
  const why = `${at("local")}/prom-1 is no directory and no link to one (is its file system mounted?)`;
  expect(said("command_list").stderr[0]).toBe(cannotBeListed("local", why));
});

test("a host's folder that cannot be looked at is no empty repository", () => {
  const call = `stat() { printf "stat: cannot statx '%s': Input/output error\\n" "\${*: -1}" >&2; return 1; }
    select_repository 0; list_path || printf '%s' "$REPOSITORY_ERROR"`;
  expect(said(call).stdout).toBe(`cannot statx '${at("local")}/prom-1': Input/output error`);
});

test("a host's folder that is not there yet is an empty repository, in the words of any stat", () => {
  const call = `stat() { printf "stat: cannot stat '%s': No such file or directory (os error 2)\\n" "\${*: -1}" >&2; return 1; }
    select_repository 0; list_path && printf empty`;
  expect(said(call).stdout).toBe("empty");
});

const list = "prometheus-backup.sh list";
test.each([
  ["of this host", `resolve_backup ${MISSING}`, `there is no backup ${MISSING}; see what there is: ${list}`],
  [
    "of another host",
    `resolve_backup ${MISSING} other`,
    `there is no backup ${MISSING} of host 'other'; see what there is: ${list} --host other`,
  ],
  [
    "the newest of another host",
    "resolve_backup latest other",
    `there is no complete backup that can be trusted of host 'other'; see what there is: ${list} --host other`,
  ],
  [
    "in one repository",
    `ONLY_REPOSITORY=local; resolve_backup ${NAME}`,
    `no repository that was asked (local) holds a backup ${NAME}; see what there is: ${list}`,
  ],
  [
    "elsewhere",
    `LOCATION="/media/disk 1"; resolve_backup ${MISSING}`,
    `there is no backup ${MISSING}; see what there is: ${list} --at '/media/disk 1' --host prom-1`,
  ],
  [
    "by no name",
    "resolve_backup yesterday other",
    `'yesterday' is not the name of a backup; names look like 20261122T020000Z or 'latest'; see: ${list} --host other`,
  ],
])("a backup that is not there: %s", (_what, call, words) => {
  put("offsite");
  expect(said(call)).toEqual({ code: 11, stdout: "", stderr: [error(words)] });
});

test("a backup that is there and damaged is not said to be missing", () => {
  fs.appendFileSync(put("offsite"), "x");
  const why = `offsite: backups/${NAME}.json is damaged: not JSON`;
  expect(said(`resolve_backup ${NAME}`)).toMatchObject({
    code: 9,
    stderr: [error(`backup ${NAME} is there, but cannot be used (${why}); choose another one: ${list}`)],
  });
});

test("a manifest that is listed and does not come is no missing backup, and latest says what it passes over", () => {
  put("offsite");
  put("local", MISSING);
  const broken = `eval "real_$(declare -f get_path)"
    get_path() {
      if [[ $1 != */${MISSING}.json ]]; then real_get_path "$1"; else REPOSITORY_ERROR="Input/output error"; false; fi
    }`;
  const unread = `local (${at("local")}/prom-1): Input/output error`;
  expect(said(`${broken}\nresolve_backup ${MISSING}`)).toMatchObject({
    code: 8,
    stderr: [nobodyAnswers(`backup ${MISSING}`, unread)],
  });
  expect(said(`${broken}\nresolve_backup latest; echo "$BACKUP"`)).toEqual({
    code: 0,
    stdout: `${NAME}\n`,
    stderr: [
      `prometheus-backup: warning: passed over: ${MISSING} cannot be read (local: Input/output error)`,
      `prometheus-backup: warning: a newer backup may lie where nothing could be read: ${unread}`,
    ],
  });
});

test("verify with one repository says no more than that", () => {
  put("offsite");
  const words = `no repository that was asked (local) has a backup '${NAME}'; see: ${list}`;
  expect(said(`command_verify ${NAME} --repository local`)).toMatchObject({ code: 11, stderr: [error(words)] });
});

const healed = `COMMAND=heal DATA_DIRECTORY="$PWD/data" B_ULID=() HOPELESS=(${ULID}); : >"$SCRATCH/wounds"
  open_repositories prom-1; judge_live_blocks "\${OPEN_REPOSITORIES[@]}"\n`;

slowTest("heal claims no more than the backups tell that could be read", () => {
  put("offsite");
  const way = `move such a block out of ${at("data")} if it keeps the server from starting`;
  const hopeless = (who: string) => error(`${who}; ${way}`);
  const verdict = (more = "") => said(`${healed}mkdir --parents data/${ULID}; ${more} heal_verdict`);
  expect(verdict()).toMatchObject({ code: 9, stderr: [hopeless(`no backup has ${ULID}`)] });
  expect(verdict("HOPELESS=();")).toMatchObject({ code: 0, stderr: ["✔ nothing is damaged or missing"] });
  const most = "670 of 720 backups in local";
  expect(verdict(`NOT_READ=("${most}");`)).toMatchObject({
    code: 9,
    stderr: [hopeless(`no backup that was read has ${ULID} (not read: ${most})`)],
  });
  gone("local");
  const unread = `local (${at("local")}/prom-1): ${notMounted("local")}`;
  expect(verdict()).toMatchObject({
    code: 8,
    stderr: [hopeless(`no backup that was read has ${ULID} (not read: ${unread})`)],
  });
  const asFar = (found: string) =>
    error(
      `${found} is damaged or missing as far as could be read; not read: ${unread}; run this again when that can be read, or is given up`,
    );
  expect(verdict("HOPELESS=();")).toMatchObject({ code: 8, stderr: [asFar("nothing")] });
  expect(verdict(`HOPELESS=(); B_ULID=(${ULID});`)).toMatchObject({ code: 8, stderr: [asFar("nothing else")] });
});

test("heal counts the backups that it does not read", () => {
  put("offsite");
  fs.appendFileSync(put("offsite", MISSING), "x");
  expect(said(`${healed} printf '%s' "\${NOT_READ[@]}"`).stdout).toBe("1 of 2 backups in offsite");
});

test("an object that no repository which answers has may lie in the other one", () => {
  gone("local");
  const fetch = `RESTORE_HOST=prom-1; open_repositories prom-1; select_repository 1
    fetch_from_any blocks/x 5 0 "$SCRATCH/x" true || printf "%s" "$FETCH_ERROR"`;
  expect(said(fetch).stdout).toBe("8 no repository that answers has its object blocks/x with 5 bytes");
  makeRepository("local");
  expect(said(fetch).stdout).toBe("11 no repository has its object blocks/x with 5 bytes");
});
