// Whatever lies in place of a file that others can exchange: what reads it ends, says nothing of what a link leads to,
// and takes none of it.
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "./dataDirectory";
import { variants } from "../runner/pace";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
  // Whoever waits, or reads a hole to its end, is killed: the code is then null.
  data.shell.limit = 300;
});
afterAll(() => data.shell.remove());

const NAME = "20260101T020000Z";
const SECRET = "root:$6$secret";
const KINDS: Record<string, string> = {
  link: 'ln -s "$PWD/secret" "$1"',
  folder: 'mkdir "$1"',
  pipe: 'mkfifo "$1"',
  socket: 'cp -a "$PWD/socket" "$1"',
  empty: ': >"$1"',
  hole: 'truncate --size 1T "$1"',
};
const OBJECT = `blocks/${"0".repeat(26)}.tar.zst`;
const PLACE = "repository/prom-1";

/** What belongs there, of those that say no more than that: each of these is taken. */
const RIGHT: Record<string, string> = {
  "state/metrics.state": "last_exit_code\\t8\\n",
  "state/restored": `${NAME} ${NAME}\\n`,
  "state/deletions": "1 1 1 - -\\n",
  "state/drill-turn": "7\\n",
  "state/hold": "/data\\n",
  "state/last-name": `${NAME}\\n`,
  "state/marks/local.last": `${"0".repeat(32)}\\n-\\n/place\\n`,
  [`${PLACE}/${OBJECT}`]: "hello",
};

/** What reads a file: the file, and the call, which is true if anything of the file counts. */
const READERS: [file: string, call: string, accepts?: string[]][] = [
  ["state/metrics.state", "read_metrics && (( ${#METRICS[@]} > 0 ))"],
  ["state/contents/local", 'take_note contents "$FILE"'],
  ["state/wounds.json", 'take_note wounds "$FILE"'],
  ["state/server.json", 'take_note server "$FILE"'],
  ["state/journal/local", 'take_notes journal "$FILE" taken; [[ -s taken ]]'],
  ["state/cache/blocks/local.prom-1", 'take_notes facts "$FILE" taken; [[ -s taken ]]'],
  ["state/restored", '[[ -n "$(take_lines restored "$FILE")" ]]'],
  ["state/deletions", '[[ -n "$(take_lines deletions "$FILE")" ]]'],
  ["state/drill-turn", '[[ -n "$(take_lines turn "$FILE")" ]]'],
  // Without a line there is no wrong one; it names nothing either.
  ["state/hold", 'has_lines "/.*|$ULID_PATTERN" "$FILE"', ["empty"]],
  ["state/last-name", 'has_lines "$BACKUP_PATTERN" "$FILE"', ["empty"]],
  ["state/marks/local.last", "read_last_mark; [[ -n $LAST_MARK || -z $LAST_SPOILED ]]"],
  [
    "state/refused",
    'printf() { if [[ $1 == -v ]]; then REFUSED_NOTES=$FILE; else builtin printf "$@"; fi; }; read_refused; (( ${#REFUSED[@]} > 0 ))',
  ],
  [`${PLACE}/owner.json`, "repository_list && repository_read owner.json taken && take_note owner taken"],
  [`${PLACE}/backups/${NAME}.json`, `repository_list && read_manifest ${NAME} taken`],
  [`${PLACE}/backups/${NAME}.json`, `copy_manifest ${NAME} taken && check_manifest ${NAME} taken`],
  [`${PLACE}/backups/${NAME}.json`, `find_sound_manifests; (( \${#SOUND[@]} > 0 ))`],
  [`${PLACE}/backups/${NAME}.json`, `unpack_manifests 1000 "$FILE" >taken && [[ -s taken ]]`],
  [
    `${PLACE}/${OBJECT}`,
    `repository_list; printf '5\\t${OBJECT}\\tx\\n' >"$OBJECT_LIST"; echo ${OBJECT} >names
    repository_hash names >taken; [[ "$(<taken)" == "$RIGHT"* ]]`,
  ],
  [
    `${PLACE}/${OBJECT}`,
    `printf '5\\t${OBJECT}\\tx\\n' >"$OBJECT_LIST"; rm -f base.*; at_repository read_from ${OBJECT} base cat >taken
    [[ ! -e base.error && "$(<base.sum)" == "$RIGHT"* ]]`,
  ],
  ...["meta.json", "tombstones", "index", "chunks/000001"].map((name): [string, string] => [
    `data/BLOCK/${name}`,
    'describe_blocks "$DATA_DIRECTORY" "$SCRATCH/blocks" && [[ "$(<"$SCRATCH/blocks.damaged")" == "[]" ]]',
  ]),
];

test("whatever lies in place of a file ends what reads it, is not taken, and what a link leads to is not said", () => {
  const kinds = variants(["link", "pipe", "hole"], ["folder", "socket", "empty"]);
  const block = data.block(1);
  data.put("secret", `${SECRET}\n`);
  execFileSync("python3", [
    "-c",
    "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
    data.at("socket"),
  ]);
  const calls = READERS.map(
    ([file, call], index) => `reader_${index}() { ${call}; }; FILES[${index}]=${file.replace("BLOCK", block)}`,
  );
  const makers = Object.entries(KINDS).map(([kind, make]) => `make_${kind}() { ${make}; }`);
  const { code, stdout, stderr } = data.shell.run(`
    HOST_NAME=prom-1 COMMAND=run STATE_DIR="$PWD/state" DATA_DIRECTORY="$PWD/data" RIGHT="$(printf hello | openssl dgst -sha256 -r)"
    REPOSITORY_NAMES=(local) REPOSITORY_TYPES=(path) REPOSITORY_LOCATIONS=("$PWD/repository"); select_repository 0
    RIGHT=\${RIGHT:0:64} FILES=()
    ${[...calls, ...makers].join("\n")}
    make_right() { printf "\${CONTENT[index]}" >"$1"; }; CONTENT=()
    ${READERS.map(([file], index) => (RIGHT[file] === undefined ? "" : `CONTENT[${index}]='${RIGHT[file]}'`)).join("\n")}
    for kind in right ${kinds.join(" ")}; do
      for index in "\${!FILES[@]}"; do
        if [[ $kind == right && ! -v CONTENT[index] ]]; then continue; fi
        FILE="$PWD/\${FILES[index]}"
        mkdir -p "\${FILE%/*}" repository/prom-1; rm -rf kept; if [[ -e $FILE ]]; then mv "$FILE" kept; fi
        "make_$kind" "$FILE"
        if ( SCRATCH="$(mktemp -d)"; select_repository 0; "reader_$index" ) >said 2>&1; then end=taken; else end=refused; fi
        if grep --quiet --text --fixed-strings '${SECRET}' said; then end+=" and told"; fi
        echo "$kind $index $end"
        rm -rf "$FILE" taken; if [[ -e kept ]]; then mv kept "$FILE"; fi
      done
    done`);
  const taken = READERS.flatMap(([file], index) => (RIGHT[file] === undefined ? [] : [`right ${index} taken`]));
  const refused = kinds.flatMap(kind =>
    READERS.map(([, , accepts = []], index) => `${kind} ${index} ${accepts.includes(kind) ? "taken" : "refused"}`),
  );
  expect([code, stdout.trimEnd().split("\n")], stderr).toEqual([0, [...taken, ...refused]]);
});
