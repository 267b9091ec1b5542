// Sending and listing, function by function: what no real repository shows within the time of a test.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { Shell } from "../restore/shell";
import { representatives } from "../runner/pace";

const shell = new Shell();
const at = (name: string) => path.join(shell.directory, name);
afterAll(() => shell.remove());
beforeEach(() => {
  for (const name of ["state", "remote", "data"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
    fs.mkdirSync(at(name), { recursive: true });
  }
  fs.writeFileSync(at("rclone.conf"), "[disk]\ntype = local\n");
});

const REMOTE = `HOST_NAME=prom-1 STATE_DIR="$PWD/state" RCLONE_CONFIG_FILE="$PWD/rclone.conf" COMMAND=run
  REPOSITORY_NAMES=(offsite) REPOSITORY_TYPES=(rclone) REPOSITORY_LOCATIONS=("disk:$PWD/remote"); select_repository 0`;

test.each([
  [1_000_000, "8M"],
  [70_000_000_000, "8M"],
  [90_000_000_000, "10M"],
  [5_000_000_000_000, "530M"],
])("an object of %d bytes fits into the 10,000 parts of an upload to S3", (bytes, part) => {
  const call = shell.print(`timeout() { printf '%s\\n' "$*"; }; SENDING_BYTES=${bytes} run_rclone rcat x`);
  expect(/--s3-chunk-size (\S+)/.exec(call)?.[1]).toBe(part);
  expect(Number.parseInt(part) * 1_048_576 * 10_000).toBeGreaterThan(bytes);
});

test("a place that does not exist is no empty repository; a host that has nothing there yet is one", () => {
  const list = `${REMOTE}; if repository_list; then printf 'empty %s' "$(wc -c <"$OBJECT_LIST")"; else printf '%s' "$REPOSITORY_ERROR"; fi`;
  expect(shell.print(list)).toBe("empty 0");
  fs.rmdirSync(at("remote"));
  expect(shell.print(list)).toBe(`disk:${at("remote")} does not exist (is it mounted there, and is the name right?)`);
});

test.each([
  [300_000_000, 1_000_000, 0],
  [300_000_000, 100_000_000, 7],
  [100_000_000, 1_000_000, 7],
])("with %d bytes free on the server's own file system, %d bytes of blocks end with %d", (free, bytes, code) => {
  const { code: ended, stderr } = shell.run(
    `COMMAND=run REPOSITORY=local REPOSITORY_TYPE=path REPOSITORY_ROOT="$PWD/data/prom-1" REPOSITORY_SHOWN="$PWD/data/prom-1" DATA_DIRECTORY="$PWD/data"
    free_bytes() { printf ${free}; }; require_room_beside_server ${bytes}`,
  );
  expect(ended, stderr).toBe(code);
});

test("elsewhere, only the repository itself says that it is full", () => {
  const elsewhere = `COMMAND=run REPOSITORY=nas REPOSITORY_TYPE=path REPOSITORY_ROOT=/proc/prom-1 DATA_DIRECTORY="$PWD/data"; free_bytes() { printf 0; }; require_room_beside_server 1000`;
  expect(shell.run(elsewhere).code).toBe(0);
});

test("a block whose note cannot be written is not left out without a word", () => {
  const said = shell.print(`${REMOTE}
    plan="$PWD/state/plan"; printf 'ok\\n' >"$plan.1.result"; printf 'ok\\n' >"$plan.2.result"; printf '{}\\n' >"$plan.1.done"; : >"$plan.2.done"
    if collect_results "$plan" 2; then echo whole; else echo "$REPOSITORY_ERROR"; fi`);
  expect(said).toBe("the notes of what was uploaded are not whole");
});

test("a disk that takes an object and then fails to keep it has no object", () => {
  const said = shell.print(`SCRATCH="$PWD/state"; REPOSITORY_ROOT="$PWD/remote" REPOSITORY_TYPE=path REPOSITORY_ERROR=""
    sync() { sleep 0.2; printf 'sync: error syncing: Input/output error\n' >&2; return 1; }
    if send_path backups/20261122T020000Z.json printf whole; then echo stored; else printf '%s\n' "$REPOSITORY_ERROR"; fi; find "$PWD/remote" -type f`);
  expect(said).toBe("error syncing: Input/output error");
});

test.each([1, 2, 13])(
  "at level %d, another number of threads packs the same bytes, and any zstd unpacks them",
  level => {
    const same = `COMPRESSION_LEVEL=${level}; seq 700000 >numbers
    for threads in 1 2 4; do compress "$threads" <numbers >"packed.$threads"; done
    cmp packed.1 packed.2 && cmp packed.1 packed.4 && zstd --decompress --stdout --quiet packed.1 | cmp - numbers && echo same`;
    expect(shell.print(same)).toBe("same");
  },
);

test("at the default level, what repeats itself in four bytes packs smaller than with zstd's own 6", () => {
  // Each line: four bytes out of 4096 kinds, then three that hardly ever come again.
  const sizes = `awk 'BEGIN { srand(1); for (i = 0; i < 400000; i++) printf "%c%c#~%c%c%c", 33 + rand() * 64, 33 + rand() * 64, rand() * 250 + 1, rand() * 250 + 1, rand() * 250 + 1 }' >chunks
    compress 1 <chunks | wc -c; zstd --quiet -6 --stdout <chunks | wc -c`;
  const [ours = NaN, level6 = NaN] = shell.print(sizes).split("\n").map(Number);
  expect(ours).toBeLessThan(level6);
});

const KINDS = { path: `"$PWD/remote"`, rclone: `"disk:$PWD/remote"` };

/**
 * Begins a run in a process of its own that is killed as soon as it has its name, and publishes a manifest of that name
 * if told so.
 */
const BEGUN = `begun() {
  ( begin_run; name_run
    if [[ $1 == published ]]; then mkdir -p "$PWD/remote/prom-1/backups"; : >"$PWD/remote/prom-1/backups/$BACKUP.json"; fi
    printf '%s\\n' "$BACKUP" >>names; kill -KILL "$BASHPID" ) &
  wait "$!" || true
}
next_second() { local now; printf -v now '%(%s)T' -1; while (( EPOCHSECONDS == now )); do :; done; }`;

const SECONDS = [
  ["path", "unpublished", ":"],
  ["path", "published", ":"],
  ["path", "published", "rm -r state; mkdir state"],
  ["rclone", "published", "rm -r state; mkdir state"],
] as const;
test.each(representatives(SECONDS, (_, index) => index === 2))(
  "runs of one second have names of their own (%s, the first killed %s, then: %s)",
  (kind, end, between) => {
    fs.rmSync(at("names"), { force: true });
    const settings = `HOST_NAME=prom-1 ENVIRONMENT=test STATE_DIR="$PWD/state" TEXTFILE_DIR="$PWD/state" RCLONE_CONFIG_FILE="$PWD/rclone.conf" COMMAND=run
    REPOSITORY_NAMES=(one) REPOSITORY_TYPES=(${kind}) REPOSITORY_LOCATIONS=(${KINDS[kind]})`;
    const { stderr } = shell.run(
      `${settings}; ${BEGUN}; next_second; begun ${end}; ${between}; begun ${end}; ${between}; begun ${end}`,
    );
    const names = fs.readFileSync(at("names"), "utf8").trim().split("\n");
    expect(names, stderr).toEqual([...new Set(names)].sort());
    expect(names).toHaveLength(3);
  },
);

test.each([
  [-40 * 86_400, "no later"],
  [0, "when that has passed"],
  [3, "when that has passed"],
  [40 * 86_400, "no later"],
])("the name given last is %i s ahead of the clock: the next run begins %s", (ahead, begins) => {
  const [last = "", name = "", naps] = shell
    .print(
      `STATE_DIR="$PWD/state"; date --utc --date "@$(( EPOCHSECONDS + ${ahead} ))" +%Y%m%dT%H%M%SZ | tee "$STATE_DIR/last-name"
      naps=0; sleep() { naps=$(( naps + 1 )); command sleep "$1"; }
      name_run; printf '%s\\n%d\\n' "$BACKUP" "$naps"`,
    )
    .split("\n");
  expect(name > last).toBe(ahead <= 3);
  if (begins === "no later") {
    expect(Number(naps)).toBe(0);
  }
});

test("what is cut off where rclone writes in place has no name yet; a later run removes it", () => {
  const said = shell.print(`${REMOTE}
    mkfifo "$SCRATCH/slow"; { head -c 300000 /dev/zero; sleep 600; } >"$SCRATCH/slow" & writer=$!
    ( repository_put backups/20260101T000000Z.json <"$SCRATCH/slow" ) & putter=$!
    until [[ -n "$(find remote -type f -size +0)" ]]; do sleep 0.1; done
    leave_behind "$putter"; leave_behind "$writer"
    ls remote/prom-1/backups | sed 's/partial-.*/partial/'
    repository_list; at_repository sweep; ls remote/prom-1/backups | wc -l
    touch -d '2 hours ago' remote/prom-1/backups/*
    printf whole | repository_put backups/20260101T000000Z.json
    repository_list; cut -f 1,2 "$OBJECT_LIST"; at_repository sweep; ls remote/prom-1/backups`);
  expect(said).toBe("20260101T000000Z.json.partial\n1\n5\tbackups/20260101T000000Z.json\n20260101T000000Z.json");
});

test("an archive has what blocks have, the WAL and the head of a cold backup, and no other file that lies there", () => {
  const ulid = "01M7VW2GC07R5ZX6V25SJJYAAA";
  const wanted = [
    `${ulid}/chunks/000001`,
    `${ulid}/index`,
    `${ulid}/meta.json`,
    `${ulid}/tombstones`,
    "chunks_head/000001",
    "wal/00000001",
    "wal/checkpoint.00000000/00000000",
    "wbl/00000001",
  ];
  const others = [`${ulid}/chunks/000002.tmp`, `${ulid}/note`, "queries.active", "lost+found/x", `${ulid}.tmp/index`];
  const made = [...wanted, ...others].map(name => `install -D /dev/null 'stage/${name}'`).join("; ");
  const members =
    shell.print(`${made}; ln -s /etc/passwd stage/${ulid}/chunks/000003; SOURCE_DIR="$PWD/stage" ARCHIVE_COMPRESSION=gzip REPOSITORY=a
    : >"$SCRATCH/left-out.a"; pack_archive | tar -tz | grep -v '/$'; rm -rf stage`);
  expect(members.split("\n")).toEqual(wanted.map(name => `stage/${name}`));
});
