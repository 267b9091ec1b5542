// What this host keeps between two commands, and what lies about in repositories and data directories, is data: in its
// form, or told by name and unknown.
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blockEntry } from "../tools/manifest";
import { slowTest } from "../runner/pace";
import { DataDirectory } from "./dataDirectory";
import { spoil } from "../tools/spoil";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
});
afterAll(() => data.shell.remove());

const NAME = "20260101T020000Z";
const ULID = "01M7VW2GC07R5ZX6V25SJJYAAA";
const OTHER = "01M7VW2GC07R5ZX6V25SJJYBBB";
const OBJECT = `blocks/${ULID}.tar.zst`;
const DATE = "2026-01-01T00:00:00Z";
const MARK = "0123456789abcdef0123456789abcdef";
const LARGE = "99999999999999999999";
const ESCAPE = "\u001b[2J\u001b]0;x\u0007";
const code = () => `a[$(touch ${data.at("executed")})]`;
const executed = () => fs.existsSync(data.at("executed"));
// eslint-disable-next-line no-control-regex -- these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** Each field of each note, with a value in it. */
const NOTES: Record<string, object> = {
  owner: { host: "prom-1", id: "7".repeat(64), since: DATE },
  server: { dataDirectory: "/data", version: "2.42.0", retentionTime: "15d", retentionSize: "1GB" },
  contents: { name: "local", backups: 3, sizeBytes: 5, newest: NAME, lookedAt: DATE },
  wounds: {
    damaged: [{ ulid: ULID, minTime: 1, maxTime: 2, reason: "its index is missing" }],
    lost: [{ ulid: ULID, minTime: 1, maxTime: 2, reason: "x", backup: NAME }],
  },
  facts: { ulid: ULID, minTime: 1, maxTime: 2, sources: [ULID], parents: [OTHER] },
  journal: blockEntry(ULID),
};
/** Not looked at by anybody. */
const UNUSED = /\.meta\.version$/;
const hostile = (): unknown[] => [
  code(),
  `$(touch ${data.at("executed")})`,
  "1e20",
  "-5",
  "0x10",
  LARGE,
  "",
  "a\u0000b",
  "x".repeat(100_000),
  ESCAPE,
  "a\u009bb",
  1e20,
  -5,
  1e300,
  Number(LARGE),
  0.1,
  true,
  {},
  [],
  ["x"],
];

/** Whether a value is as right at that place as the old one. */
function isRight(at: string, old: unknown, value: unknown): boolean {
  if (typeof value !== typeof old) {
    return false;
  }
  if (typeof value === "number") {
    return value === old || (/Time$/.test(at) && Number.isInteger(value) && value < 1e300);
  }
  const forms: [RegExp, RegExp][] = [
    // Any words may stand there: they are shown, and nothing else.
    [/^server\.(version|retention(Time|Size))$|\.reason$/, /^[ -~]{0,1000}$/],
    [/^server\.dataDirectory$/, /^$/],
    [/^owner\.host$/, /^[a-z0-9]{1,63}$/],
    [/\.tombstones$/, /^[A-Za-z0-9+/=]*$/],
  ];
  return typeof value === "boolean" || forms.some(([place, form]) => place.test(at) && form.test(String(value)));
}

test("a note with anything else at any place is refused", () => {
  const sound = Object.entries(NOTES).map(([kind, document]) => ({ kind, document }));
  const tried = sound.flatMap(({ kind, document }) =>
    spoil(document, kind, { hostile, isRight })
      .filter(({ at }) => !UNUSED.test(at))
      .map(spoiled => ({ kind, ...spoiled })),
  );
  expect(tried.length).toBeGreaterThan(700);
  const lines = [...sound, ...tried].map(({ kind, document }) => JSON.stringify({ kind, document }));
  data.put("notes.json", lines.join("\n"));
  const taken = data.shell
    .print(
      `jq --null-input --compact-output \
    "$(note_form) inputs | .kind as \\$kind | [.document] | formed(\\$kind) | length" notes.json`,
    )
    .split("\n");
  expect(taken.slice(0, sound.length)).toEqual(sound.map(() => "1"));
  const missed = tried.filter((_, index) => taken[sound.length + index] !== "0");
  expect(missed.map(({ at, value }) => [at, value])).toEqual([]);
});

test("a note that is no plain file, too large or not whole is told by name; one that is not there is not told", () => {
  data.put("sound", `${JSON.stringify(NOTES.contents)}\n`);
  data.put("lines", `${NAME}\n`);
  data.put("facts", `${OBJECT}\t5\t${JSON.stringify(NOTES.facts)}\n`);
  const tried = {
    note: ["none", "sound", "folder", "pipe", "link", "empty", "nul", "long", "large", "twice", "cut", "code"],
    lines: ["lines", "folder", "pipe", "lines.link", "nul", "long", "code", "both"],
    facts: ["none", "facts", "some", "folder", "pipe", "nul", "long"],
  };
  const { stdout } = data.shell.run(
    `
    mkdir folder; mkfifo pipe; ln -s sound link; ln -s lines lines.link; : >empty; printf 'a\\0b\\n' >nul
    head -c 10000000 /dev/zero | tr '\\0' x >long; head -c 17000000 /dev/zero | tr '\\0' '\\n' >large
    cat sound sound >twice; head -c 20 sound >cut; printf '%s' "$1" >code; cat lines code >both
    { printf '\\n%s\\nx\\t5\\t{}\\n' "$1"; cat facts; printf '%s\\t5\\t{"ulid":5}\\n%s\\t1e20\\t%s\\n%s\\t5\\t{"ul' \
      "$2" "$2" "$3" "$2"; } >some
    told() { grep --count "$1 holds something else" said || true; }
    for file in ${tried.note.join(" ")}; do
      echo "note $file" "$({ take_note contents "$file" 2>said || true; } | wc -l)" "$(told "$file")"
    done
    for file in ${tried.lines.join(" ")}; do
      taken=0; if has_lines "$BACKUP_PATTERN" "$file" 2>said; then taken=1; fi
      echo "lines $file" "$taken" "$(told "$file")"
    done
    for file in ${tried.facts.join(" ")}; do
      take_notes facts "$file" taken 2>said
      echo "facts $file" "$(wc -l <taken)" "$(told "$file")"
    done`,
    code(),
    OBJECT,
    JSON.stringify(NOTES.facts),
  );
  const sound: Record<string, string> = { none: "0 0", sound: "1 0", lines: "1 0", facts: "1 0", some: "1 1" };
  const all = Object.entries(tried).flatMap(([kind, names]) => names.map(name => [kind, name]));
  expect(stdout).toBe(all.map(([kind, name = ""]) => `${kind} ${name} ${sound[name] ?? "0 1"}\n`).join(""));
  expect(executed()).toBe(false);
});

test("metrics are numbers that bash and a date can hold, and exit codes are whole", () => {
  const keys = [
    "last_run_timestamp_seconds",
    "last_exit_code",
    "drill_restore_seconds",
    "repository_last_exit_code|repository=a",
  ];
  const wrong = [code(), "1e20", "-5", "0x10", LARGE, "", "007", "1 2", ESCAPE];
  const cases = [
    ...wrong.flatMap(value => keys.map(key => `${key}\t${value}`)),
    "last_exit_code\t1.5",
    "last_exit_code\t1000",
    "drill_last_success_timestamp_seconds\t999999999999",
    `${code()}\t1`,
    `x|repository=${code()}\t1`,
    "x|other=a\t1",
    `${ESCAPE}\t1`,
    "a\u0000b\t1x",
  ];
  const right = ["last_duration_seconds\t1.5", "last_exit_code\t8", "newest_sample_timestamp_seconds\t-5"];
  data.put("state/metrics.state", `${[...cases, ...right].join("\n")}\n`);
  const { stdout, stderr } = data.shell.run(`STATE_DIR=state; load_metrics
    for key in "\${!METRICS[@]}"; do printf '%s\\t%s\\n' "$key" "\${METRICS[$key]}"; done | sort
    code_in_words "\${METRICS[last_exit_code]}"`);
  expect(stdout).toBe(`${right.join("\n")}\n8: a repository cannot be reached or a transfer failed`);
  expect(stderr).toMatch(/^prometheus-backup: warning: state\/metrics\.state holds something else than [^\n]*\n$/);
  expect(executed()).toBe(false);
});

test("a spoiled mark of last time makes no empty place a new one, and no stranger's mark one's own", () => {
  const right = `${MARK}\n${NAME}\n/place\n`;
  const wrong = [
    "",
    "\u0000",
    `${MARK}\n`,
    `${MARK}\n${NAME}\n`,
    `${code()}\n${NAME}\n/place\n`,
    `${MARK}\n${code()}\n/place\n`,
    `${MARK}\n-5\n/place\n`,
    "x".repeat(10_000_000),
  ];
  fs.mkdirSync(data.at("state/marks"));
  [right, ...wrong].forEach((text, index) => data.put(`last.${index}`, text));
  const { stdout, stderr } = data.shell.run(
    `STATE_DIR=state HOST_NAME=prom-1 COMMAND=run
    REPOSITORY_NAMES=(local) REPOSITORY_TYPES=(path) REPOSITORY_LOCATIONS=(/elsewhere); select_repository 0
    look() {
      : >"$OBJECT_LIST"
      if require_place; then printf 'new '; else printf '%s ' "\${REPOSITORY_ERROR%% and *}"; fi
      printf '%s\\t2026-01-02 00:00:00\\n' "5"$'\\t'"marks/$1" "7"$'\\t'"backups/$2.json" >"$OBJECT_LIST"
      own_marks; wc -l <"$SCRATCH/marks.own"
    }
    look "$@"
    for (( index = 0; index <= ${wrong.length}; index++ )); do cp "last.$index" state/marks/local.last; look "$@"; done
    rm state/marks/local.last; mkfifo state/marks/local.last; look "$@"`,
    "f".repeat(32),
    NAME,
  );
  // Nothing is known: a new machine, which takes over; the place was moved: a new one; all others are unknown.
  expect(stdout.split("\n")).toEqual(["new 1", "new 0", ...[...wrong, "pipe"].map(() => "it is empty, 0"), ""]);
  expect([stderr.replace(/^.*ignored null byte in input\n/gm, ""), executed()]).toEqual(["", false]);
  data.remove("state/marks");
});

test("a list shows objects of ours with size and time, or did not come; files of others do not count", () => {
  const time = "2026-01-01 00:00:00";
  const lists = [
    [
      `5\t${OBJECT}\t${time}`,
      `7\tpins/${code()}\t${time}`,
      `1\tmarks/Thumbs.db\t${time}`,
      `2\tblocks/${ESCAPE}\t${time}`,
      `3\tx\ty\t${time}`,
      `-1\t-rf\t${time}`,
      "",
      "5",
      `5\t\t${time}`,
    ],
    ...["-1", "1e20", "0x10", LARGE, "", "007", code()].map(size => [`${size}\t${OBJECT}\t${time}`]),
    ...["", "1e20", code(), `${time} ${ESCAPE}`, `${LARGE}-01-01 00:00:00`].map(odd => [`5\t${OBJECT}\t${odd}`]),
    [`5\t${OBJECT}`],
  ];
  lists.forEach((lines, index) => data.put(`list.${index}`, `${lines.join("\n")}\n`));
  data.put(
    "marks.list",
    ["7\tmarks/Thumbs.db", "8\tmarks/@eaDir/x", `9\tmarks/${code()}`, `5\tmarks/${MARK}`]
      .map(line => `${line}\t${time}\n`)
      .join(""),
  );
  const { stdout, stderr } = data.shell.run(`
    for (( index = 0; index < ${lists.length}; index++ )); do
      take_listing "list.$index" || printf '%s\\n' "$REPOSITORY_ERROR"
    done
    take_listing marks.list`);
  const odd = `it lists ${OBJECT} with a size or time that is none (look at that object there)\n`;
  expect(stdout).toBe(`5\t${OBJECT}\t${time}\n${odd.repeat(lists.length - 1)}5\tmarks/${MARK}\t${time}\n`);
  expect([stderr, executed()]).toEqual(["", false]);
});

test("what a dead server had said has its form or is not used, and nothing that is said makes a terminal obey", () => {
  data.put("state/lock", `pid ${ESCAPE} \u0000 ${code()}\n`);
  const said = [
    NOTES.server,
    { ...NOTES.server, version: ESCAPE },
    { ...NOTES.server, dataDirectory: `/${ESCAPE}` },
    { ...NOTES.server, retentionTime: 15 },
    [],
    "x",
  ];
  said.forEach((server, index) => data.put(`server.${index}`, JSON.stringify(server, null, 2)));
  const { stdout, stderr } = data.shell.run(
    `
    BACKUP_STATE=state STATE_DIR=none RESTORE_HOST=other HOST_NAME=prom-1 COMMAND=restore
    unit_program() { :; }; packaged_version() { :; }; argument_value() { :; }
    for (( index = 0; index < ${said.length}; index++ )); do
      cp "server.$index" state/server.json
      ( facts_of_dead_server /dev/null /data 2>/dev/null
        printf '[%s|%s|%s|%s]\\n' "$DATA_DIRECTORY" "$RETENTION_TIME" "$RETENTION_SIZE" "$SERVER_VERSION" )
    done
    exec 9>>state/lock; flock 9; ( take_common_lock ) || true
    warn "$1"; say "$1"; log "$1"; tell "$1"; ( die 3 "$1" "$1" ) || true`,
    `a${ESCAPE}\u009b\u007f\tb äß`,
  );
  expect(stdout.split("\n")).toEqual([
    "[/data|15d|1GB|2.42.0]",
    ...said.slice(1).map(() => "[/data|15d||]"),
    "a?[2J?]0;x???\tb äß",
    "",
  ]);
  expect(stderr).toMatch(/another run \(pid \[2J\]0;x {2}a\[\$\(touch .*\) holds the lock/);
  expect([executed(), stderr]).toEqual([false, expect.not.stringMatching(CONTROLS)]);
  fs.rmSync(data.at("state"), { recursive: true });
  fs.mkdirSync(data.at("state"));
});

/** Every file below a folder, by its name there. */
const files = (folder: string) =>
  fs
    .readdirSync(data.at(folder), { recursive: true, encoding: "utf8" })
    .filter(name => fs.statSync(path.join(data.at(folder), name)).isFile());

/** Names of files that nobody asked for; a restore takes none of them. */
const names = () => [
  "-rf",
  code().replaceAll("/", "_"),
  "x\nwal",
  `${ULID}.${ESCAPE}`,
  `x\n${ULID}`,
  "*",
  "'\"; #",
  "000002.tmp",
];
const litter = (folders: string[]) =>
  folders.forEach(folder => names().forEach(name => data.put(`${folder}/${name}`, "x")));

test("an archive holds what blocks have and no other file; a segment that is no file is damage", () => {
  data.configure({ FORMAT: "archive" });
  const [block = "", broken = ""] = [1, 2].map(n => data.block(n));
  litter([block, broken].flatMap(name => [`data/${name}`, `data/${name}/chunks`]));
  const segment = data.at(`data/${broken}/chunks/000002`);
  fs.symlinkSync("000001", segment);
  const { code: end, stderr } = data.call("run");
  expect([end, stderr]).toEqual([9, expect.stringContaining("not whole: what should be a file is none")]);
  expect(data.manifest().blocks.map(({ ulid }) => ulid)).toEqual([block]);
  expect(data.call(`restore latest --target ${data.at("unpacked")} --yes`).code).toBe(0);
  expect(fs.readdirSync(data.at(`unpacked/${block}`)).sort()).toEqual(["chunks", "index", "meta.json", "tombstones"]);
  expect(fs.readdirSync(data.at(`unpacked/${block}/chunks`))).toEqual(["000001"]);
  ["data", "state", "repository"].forEach(name => {
    data.remove(name);
    fs.mkdirSync(data.at(name));
  });
  data.configure();
});

slowTest(
  "commands go on beside hostile notes and names, execute nothing, print no escape and remove nothing sound",
  () => {
    const blocks = [1, 2, 3].map(n => data.block(n));
    litter(blocks.flatMap(block => [`data/${block}`, `data/${block}/chunks`]));
    expect(data.call("run").code).toBe(0);
    const manifest = data.manifest();
    const block = manifest.blocks[0] as unknown as { object: string; objectBytes: number };
    const kept = files("repository");
    litter(["data", ...["blocks", "pins", "marks", "backups", "heads"].map(folder => `repository/prom-1/${folder}`)]);
    fs.mkdirSync(data.at(`data/x\n${OTHER}`));
    data.put("repository/prom-1/x\n5\tbackups/20990101T000000Z.json\t2026-01-01 00:00:00\n", "x");
    const facts = (of: object) =>
      `${block.object}\t${block.objectBytes}\t${JSON.stringify({ ...NOTES.facts, ...of })}\n`;
    const entries = (...all: unknown[]) => all.map(entry => `${JSON.stringify(entry)}\n`).join("");
    const rounds: { notes: Record<string, string>; commands: string[] }[] = [
      {
        notes: {
          "contents/local": JSON.stringify({ ...NOTES.contents, newest: ESCAPE }),
          "wounds.json": JSON.stringify({ damaged: [{ ulid: ESCAPE, reason: code() }], lost: [] }),
          "metrics.state": `last_run_timestamp_seconds\t${ESCAPE}\n${code()}\t1\n`,
          "journal/local": entries({ ...block, ulid: ESCAPE, sources: code() }, 5, "x", null),
          "cache/blocks/local.prom-1": facts({ ulid: code() }),
          "last-name": ESCAPE,
          hold: `/${ESCAPE}\n${code()}\n`,
          deletions: `1 1 1 ${code()} ${ESCAPE}\n`,
          "drill-turn": code(),
          "damaged/local": `${ESCAPE}\n${code()}\n`,
        },
        commands: [
          "status",
          "list",
          `show ${manifest.name}`,
          `restore latest --target ${data.at("target")} --yes`,
          "prune --dry-run",
          "pin latest",
          "verify",
          "hold",
          "run",
          "restore latest --plan",
          "heal --plan",
          "check",
        ],
      },
      {
        notes: {
          "contents/local": JSON.stringify({ ...NOTES.contents, sizeBytes: "1e20", lookedAt: 5 }),
          "wounds.json": JSON.stringify({ damaged: "x", lost: 5 }),
          "metrics.state":
            "last_exit_code\t1.5\ndrill_restore_seconds\t-5\nverify_last_exit_code\t0x10\n" +
            "drill_last_success_timestamp_seconds\t999999999999\n",
          "journal/local": entries({ ...block, objectBytes: LARGE }, { ...block, sources: 5 }),
          "cache/blocks/local.prom-1": facts({ ulid: 5, minTime: "0x10" }),
          "last-name": "99999999T999999Z",
          hold: "-5\n",
          deletions: "1e20 -5 0x10 - -\n",
          "drill-turn": LARGE,
          "damaged/local": "x".repeat(10_000_000),
        },
        commands: ["status", "prune --dry-run", "run", "check"],
      },
    ];
    // How these end is up to the machine, but never with 1.
    const upToMachine = /plan|check/;
    const bashErrors =
      /syntax error|too great for base|invalid number|unexpected failure|jq: error|unbound variable|cannot stat/;
    for (const { notes, commands } of rounds) {
      for (const words of commands) {
        Object.entries(notes).forEach(([name, text]) => data.put(`state/${name}`, text));
        const { code: end, stdout, stderr } = data.call(words);
        expect([words, executed(), stderr]).toEqual([words, false, expect.not.stringMatching(bashErrors)]);
        expect([words, stdout + stderr]).toEqual([words, expect.not.stringMatching(CONTROLS)]);
        expect([words, upToMachine.test(words) && end !== 1 ? 0 : end]).toEqual([words, 0]);
      }
    }
    expect(files("repository")).toEqual(expect.arrayContaining(kept));
  },
);

test("a note that is exchanged for a link after the look is not taken for one without a line", () => {
  data.put("behind", "20260101T020000Z\n");
  const { stdout } = data.shell.run(`ln -s behind exchanged; is_note() { :; }
    has_lines "$BACKUP_PATTERN" behind 2>/dev/null && echo plain; has_lines "$BACKUP_PATTERN" exchanged 2>/dev/null || echo refused`);
  expect(stdout).toBe("plain\nrefused\n");
});

test("metrics of the server, and notes in plain text, have their form line by line, or are told and not used", () => {
  data.put("secret", `${NAME} ${NAME}\n`);
  data.put(
    "served",
    `# HELP x y\nprocess_start_time_seconds 1.7e+09\nprometheus_tsdb_blocks_loaded 12\ntoo_large 1e400\nlarger 1e19
negative -5\nnone NaN\ncode ${code()}\ntimed 5 6\n${code()} 7\n
prometheus_http_requests_total{code="200",handler="/api/v1/admin/tsdb/delete_series"} 3
prometheus_http_requests_total{code="200",handler="/api/v1/admin/tsdb/clean_tombstones"} +Inf\n`,
  );
  const { stdout, stderr } = data.shell.run(
    `api() { API_STATUS=200 API_BODY="$PWD/served"; }; mkdir -p told; STATE_DIR="$PWD/told" BACKUP=${NAME}
    for name in prometheus_tsdb_blocks_loaded too_large larger negative none code timed; do server_metric "$name"; echo; done
    note_deletions; cat told/deletions
    printf '%s\\n' "1 1 1 $1 -" >told/deletions; note_deletions; cat told/deletions
    try() { echo "$1 $(wounds_arguments; echo "\${WOUNDS_ARGUMENTS[2]}") $(take_lines turn told/drill-turn || echo unknown)"; }
    try none
    printf '%s\\n' "${NAME} ${NAME}" >told/restored; echo 7 >told/drill-turn
    try sound
    spoil() { rm -f told/restored told/drill-turn; "\${@:2}" told/restored; "\${@:2}" told/drill-turn; try "$1"; }
    spoil pipe mkfifo; spoil folder mkdir; rmdir told/restored told/drill-turn; spoil link ln -s "$PWD/secret"
    spoil hole truncate --size 1T; write() { printf '%s\\n' "$WORDS" >"$1"; }; WORDS=$1; spoil code write
    nul() { printf '7\\0\\n' >"$1"; }; spoil nul nul; spoil empty touch`,
    code(),
  );
  expect(stdout.split("\n")).toEqual([
    "12",
    ...Array<string>(6).fill(""),
    `1.7e+09 3 0 ${NAME} -`,
    `1.7e+09 3 0 ${NAME} -`,
    "none null ",
    `sound {"at":"${NAME}","backup":"${NAME}"} 7`,
    ...["pipe", "folder", "link", "hole", "code", "nul"].map(kind => `${kind} null unknown`),
    "empty null ",
    "",
  ]);
  expect(stderr.match(/ holds something else than runs write there/g)).toHaveLength(13);
  expect([executed(), stderr]).toEqual([false, expect.not.stringMatching(CONTROLS)]);
});
