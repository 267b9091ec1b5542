// What others wrote is data: it has the form that is expected, or it is refused by its place before anything of it is
// used, and is never executed.
import * as fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DataDirectory } from "../backup/dataDirectory";
import { blockEntry, sealed, wholeManifest } from "../tools/manifest";
import { slowTest } from "../runner/pace";

let data: DataDirectory;
beforeAll(() => {
  data = new DataDirectory();
});
afterAll(() => data.shell.remove());

const NAME = "20260101T020000Z";
const ULID = "01M7VW2GC07R5ZX6V25SJJYAAA";
const OTHER = "01M7VW2GC07R5ZX6V25SJJYBBB";
const DATE = "2026-01-01T00:00:00Z";
const sha = "a".repeat(64);

/** Every field that a manifest can have, with a value in it. */
function fullManifest(): Record<string, unknown> {
  const entry = blockEntry(ULID, {
    meta: {
      ...(blockEntry(ULID).meta as object),
      compaction: { level: 2, sources: [ULID], parents: [{ ulid: OTHER }] },
    },
    tombstones: "ATC6MAEAAAAA",
    numTombstones: 1,
  });
  const wound = { ulid: OTHER, minTime: 1, maxTime: 2, reason: "its index is missing" };
  return wholeManifest(NAME, {
    suspect: "1 sample instead of 100",
    lastDrill: { finishedAt: DATE, restoreSeconds: 1.5 },
    blocks: [entry, blockEntry(OTHER)],
    covered: [{ ulid: OTHER, minTime: 1, maxTime: 2, numSamples: 7, by: [ULID] }],
    lacks: [wound],
    accepted: [wound],
    lost: [blockEntry(OTHER, { backup: NAME })],
    wal: { object: `heads/${NAME}-wal.tar.zst`, objectBytes: 1, objectSha256: sha, rawBytes: 1, newestSample: 1 },
    companions: [
      {
        path: "/etc/prometheus.yml",
        mode: "644",
        user: "root",
        group: "root",
        object: `companions/${sha}.tar.zst`,
        objectBytes: 1,
        objectSha256: sha,
      },
    ],
    coverage: {
      oldestSample: DATE,
      newestSample: DATE,
      gaps: [{ from: DATE, to: DATE }],
      notCovered: ["the head"],
      future: [{ ulid: ULID, newestSample: 1 }],
    },
  });
}

const archived = () => ({
  ...fullManifest(),
  layout: "archive",
  archive: {
    object: "archives/prometheus-backup-20260101-020000.tar.gz",
    objectBytes: 1,
    objectSha256: sha,
    compression: "gzip",
    root: `${NAME}-0123456789abcdef`,
  },
  blocks: [ULID, OTHER].map(ulid => blockEntry(ulid, { object: null, objectBytes: 0, objectSha256: null })),
});

type Place = (string | number)[];
/** Every number, text and flag of a document. */
function leaves(value: unknown, place: Place = []): Place[] {
  if (typeof value !== "object" || value === null) {
    return value === null ? [] : [place];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...place, Array.isArray(value) ? Number(key) : key]),
  );
}

function changed(document: unknown, [step, ...rest]: Place, to: unknown): unknown {
  if (step === undefined) {
    return to;
  }
  const copy = (Array.isArray(document) ? [...(document as unknown[])] : { ...(document as object) }) as Record<
    string,
    unknown
  >;
  copy[step] = changed(copy[step], rest, to);
  return copy;
}

/** `blocks[3].numChunks`; of a list of names, the list. */
const written = (place: Place) =>
  place
    .map((step, index) => (typeof step === "number" ? (index === place.length - 1 ? "" : `[${step}]`) : `.${step}`))
    .join("")
    .slice(1);

/** Any words may stand there: they are shown, and nothing else. */
const TEXTS =
  /^(suspect|environment|tool|prometheus\.(version|retention(Time|Size)|externalLabels|outOfOrderWindow)|(lacks|accepted)\[0\]\.reason|companions\[0\]\.(user|group)|coverage\.notCovered)$/;
/** These are not looked at by anybody. */
const UNUSED = /\.meta\.version$/;
const code = (mark: string) => [
  `a[$(touch ${mark})]`,
  `$(touch ${mark})`,
  `'; touch ${mark}; #`,
  `"; touch ${mark}; "`,
  "../../../../etc/passwd",
];
const STRANGE = [
  1e300,
  -1e300,
  1e16,
  0.1,
  true,
  {},
  [],
  ["x"],
  "",
  "a\u001b[2Jb",
  "a\nb",
  "a\u0000b",
  "a\u007fb",
  "a\u009bb",
];

/** What is tried at a place, but for what is right there. */
function wrongValues(place: Place, old: unknown, mark: string): unknown[] {
  const at = written(place);
  const right = (value: unknown) =>
    typeof value === typeof old &&
    (typeof value === "boolean" ||
      (TEXTS.test(at) && /^[ -~]*$/.test(value as string)) ||
      (value === "a\nb" && /^(environment|prometheus\.externalLabels)$/.test(at)) ||
      (value === 0.1 && at === "lastDrill.restoreSeconds") ||
      (value === "" && at.endsWith(".tombstones")) ||
      (value === 1e16 && /Time$|\.newestSample$/.test(at)));
  return [...code(mark), ...STRANGE].filter(value => !right(value));
}

/** One document for each wrong value at each of these places. */
function variants(
  document: object,
  places: Place[],
  mark = "mark",
): { at: string; value: unknown; document: object }[] {
  return places.flatMap(place => {
    const old = place.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], document);
    return wrongValues(place, old, mark).map(value => ({
      at: written(place),
      value,
      document: changed(document, place, value) as object,
    }));
  });
}

/** What the gate says of each document: its first wrong place, or "". */
function faults(documents: unknown[], form = "manifest_form", ask = "manifest_fault"): string[] {
  fs.writeFileSync(data.at("documents.json"), documents.map(document => JSON.stringify(document)).join("\n"));
  return data.shell
    .print(`jq --raw-output "$(form_filter; ${form}; echo '[${ask}][0] // ""')" documents.json`)
    .split("\n")
    .concat("")
    .slice(0, documents.length);
}

/** What is refused, but not by its place. */
function missed(tried: ReturnType<typeof variants>, said: string[]): unknown[] {
  return tried.flatMap(({ at, value }, index) => (said[index] === at ? [] : [[at, value, said[index]]]));
}

test("a manifest with anything else at any place is refused, and its place is named", () => {
  const whole = { ...fullManifest(), digest: sha };
  const archive = { ...archived(), digest: sha };
  // The first block is like the second one, but for its parents.
  const places = leaves(whole).filter(
    place => !UNUSED.test(written(place)) && (!/^blocks\[0\]/.test(written(place)) || /parents/.test(written(place))),
  );
  const tried = [
    ...variants(whole, places),
    ...variants(
      archive,
      leaves(archive).filter(place => /^(archive|layout)/.test(written(place))),
    ),
  ];
  expect(faults([whole, archive])).toEqual(["", ""]);
  expect(tried.length).toBeGreaterThan(1200);
  expect(missed(tried, faults(tried.map(({ document }) => document)))).toEqual([]);
});

/** The name of the n-th second from now: newer than what a run has made, and not dated in the future. */
const later = (from: string, n: number) =>
  new Date(
    Date.UTC(Number(from.slice(0, 4)), Number(from.slice(4, 6)) - 1, Number(from.slice(6, 8)), 0, 0, 0, 0) +
      ((Number(from.slice(9, 11)) * 60 + Number(from.slice(11, 13))) * 60 + Number(from.slice(13, 15)) + n) * 1000,
  )
    .toISOString()
    .replace(/[-:]|\.\d{3}/g, "");

/** A repository with one good backup, made by a run, and what a stranger has put beside it. */
class Visited {
  readonly mark = data.at("executed");
  readonly good = this.firstBackup();
  private count = 0;

  private firstBackup() {
    [1, 2, 3].forEach(n => data.block(n));
    expect(data.call("run").code).toBe(0);
    const made = data.manifest();
    // A minute ago, so that others can be newer.
    const name = later(made.name, -60);
    data.remove(`repository/prom-1/backups/${made.name}.json`);
    data.put(`repository/prom-1/backups/${name}.json`, sealed({ ...made, name }));
    data.put("state/last-name", `${name}\n`);
    return { ...made, name };
  }

  /** Puts a manifest of a name of its own into the repository, with a digest that fits. */
  put(document: object): string {
    const name = later(this.good.name, ++this.count);
    data.put(`repository/prom-1/backups/${name}.json`, sealed({ ...document, name }));
    return name;
  }

  clear(): void {
    fs.readdirSync(data.at("repository/prom-1/backups"))
      .filter(file => file !== `${this.good.name}.json`)
      .forEach(file => data.remove(`repository/prom-1/backups/${file}`));
  }

  /** Calls the command, and looks whether anything was executed. */
  call(words: string, more = ""): ReturnType<DataDirectory["call"]> {
    const called = data.call(words, more);
    expect([words, fs.existsSync(this.mark)]).toEqual([words, false]);
    expect(called.stderr).not.toMatch(/syntax error|invalid number|unexpected failure|jq: error|unbound variable/);
    return called;
  }

  /** Every command that reads manifests, on the newest backup that there is. */
  readAll(): (number | null)[] {
    ["target", "exported"].forEach(name => fs.rmSync(data.at(name), { recursive: true, force: true }));
    const commands = [
      "list",
      "show latest",
      "verify latest",
      `restore latest --target ${data.at("target")} --yes`,
      `export latest --thanos ${data.at("exported")} --label replica=a`,
      "companions latest",
      "prune --dry-run",
      "status",
      "drill latest",
      "browse latest",
      "run",
    ];
    // Without a server of its own, which a drill would ask.
    const server = "start_scratch_server() { SCRATCH_VERSION=2.42.0 SCRATCH_ERROR=none; [[ $COMMAND == drill ]]; }";
    const ends = commands.map(words => this.call(words, server).code);
    // How these end is up to who calls them, and to the server.
    ["restore latest --plan", "heal --plan", "check"].forEach(words => this.call(words, server));
    return ends;
  }
}

let visited: Visited;
beforeAll(() => {
  visited = new Visited();
});

slowTest(
  "code at any place of a manifest is refused by name by whoever reads it, or shown as a text, and not executed",
  () => {
    visited.clear();
    const text = `a[$(touch ${visited.mark})]\`touch ${visited.mark}\`'"; touch ${visited.mark} #`;
    const wound = { ulid: OTHER, minTime: 1, maxTime: 2, reason: text };
    const texts = visited.put({
      ...visited.good,
      environment: text,
      tool: text,
      lacks: [wound],
      accepted: [wound],
      prometheus: {
        version: text,
        retentionTime: text,
        retentionSize: text,
        dataDirectory: `/${text}`,
        externalLabels: `    a: ${text}\n`,
        outOfOrderWindow: text,
      },
      coverage: { ...visited.good.coverage, notCovered: [text] },
    });
    expect(visited.call(`show ${texts}`).stdout).toContain(`  misses     ${text}\n`);
    expect(visited.call("verify latest").code).toBe(0);
    const whole = { ...fullManifest(), blocks: visited.good.blocks, suspect: null };
    const places = leaves(whole).filter(
      place =>
        !TEXTS.test(written(place)) &&
        !UNUSED.test(written(place)) &&
        !/^(name|format)$|^blocks\[[12]\]/.test(written(place)),
    );
    const tried = places.map((place, index) => ({
      at: written(place),
      name: visited.put(changed(whole, place, code(visited.mark)[index % 2]) as object),
    }));
    expect(tried.length).toBeGreaterThan(60);
    const { stdout } = data.shell.run(
      `CONFIG_FILE=${data.at("settings.conf")}; load_config; open_state; open_repositories prom-1
    for name in "$@"; do FIND_NOTES=(); try_backup "$name" prom-1 || true; printf '%s\\n' "\${FIND_NOTES[@]}"; done`,
      ...tried.map(({ name }) => name),
    );
    expect(stdout.trimEnd().split("\n")).toEqual(
      tried.map(({ at, name }) => `local: backups/${name}.json is not in the form of a manifest: ${at}`),
    );
    // Some that bash counts with. The newest one that is left has the texts.
    tried
      .filter(({ at }) => !/^(blocks.*\.(objectBytes|numChunks)|totals\.samples)$/.test(at))
      .forEach(({ name }) => data.remove(`repository/prom-1/backups/${name}.json`));
    expect(visited.readAll()).toEqual([0, 0, 9, 0, 0, 11, 0, 0, 9, 9, 0]);
  },
);

test("what a run would write in another form than it reads is not written, and the run ends red", () => {
  visited.clear();
  const { code: end, stderr } = data.call(
    "run",
    'look_into_future() { NEWEST_UP_TO_NOW=""; SERVER_VERSION=$(printf "2\\e[2J"); }',
  );
  expect([end, fs.readdirSync(data.at("repository/prom-1/backups"))]).toEqual([1, [`${visited.good.name}.json`]]);
  expect(stderr).toMatch(
    /error: the manifest of backup \S+ would not be in the form of a manifest \(prometheus\.version\), and nobody could restore it; no new backup was recorded in local/,
  );
});

test("a manifest is one document: nothing may stand behind the one whose digest was looked at", () => {
  visited.clear();
  const name = visited.put(visited.good);
  const file = `repository/prom-1/backups/${name}.json`;
  const second = JSON.stringify({ ...visited.good, name, blocks: [] });
  const digest = data.shell.print(
    `jq --compact-output --sort-keys . <<<"$1" | openssl dgst -sha256 -r | cut -c 1-64`,
    second,
  );
  data.put(file, `${JSON.stringify({ ...visited.good, name, digest })}\n${second}\n`);
  expect(visited.call("verify latest").stderr).toContain(
    `backups/${name}.json is damaged: more than one manifest, or something behind it`,
  );
  expect(visited.call("list").stdout).toMatch(new RegExp(`^${name} .*DAMAGED`, "m"));
});

/** Every file below a folder. */
const files = (folder: string) =>
  fs
    .readdirSync(data.at(folder), { recursive: true, encoding: "utf8" })
    .map(name => `${folder}/${name}`)
    .filter(name => fs.statSync(data.at(name)).isFile());

slowTest(
  "code in any number and any line of the state, the notes and what lies beside manifests is not executed",
  () => {
    visited.clear();
    data.put("state/restored", "20260101T020000Z 20260101T020000Z\n");
    data.put("state/deletions", "1 1 1 20260101T020000Z 20260101T020000Z\n");
    data.put("state/drill-turn", "7\n");
    data.put("state/hold", `${data.at("data")}\n${ULID}\n`);
    data.put("state/journal/local", `${JSON.stringify(blockEntry(ULID))}\n`);
    data.put("state/damaged/local", `blocks/${ULID}.tar.zst\n`);
    expect(visited.call("prune --dry-run").code).toBe(0);
    const kept = new Map(
      [...files("state"), ...files("repository").filter(name => !/backups|blocks/.test(name))].map(name => [
        name,
        fs.readFileSync(data.at(name), "utf8"),
      ]),
    );
    expect([...kept.keys()].join()).toMatch(/metrics\.state.*wounds\.json.*owner\.json/s);
    const numbers = (text: string) => text.replace(/\d+/g, `a[$(touch ${visited.mark})]`);
    const lines = (text: string) =>
      text
        .replace(/^([^\t\n]+)\t/gm, `a[$(touch ${visited.mark})]\t`)
        .concat(`x[$(touch ${visited.mark})]|repository=gone\t1\na[$(touch ${visited.mark})]\n`);
    for (const words of ["status", "list", "prune --dry-run", "verify", "drill latest", "hold", "check", "run"]) {
      // A note of one document has its numbers spoiled; stateForms.test.ts spoils each of its fields.
      kept.forEach((text, name) => data.put(name, numbers(text) + lines(text)));
      const { stderr } = visited.call(words, "start_scratch_server() { SCRATCH_VERSION=2.42.0 SCRATCH_ERROR=none; }");
      expect([words, stderr]).toEqual([words, expect.not.stringContaining("unexpected")]);
    }
    kept.forEach((text, name) => data.put(name, text));
  },
);

slowTest("code in any answer of the server is not executed", () => {
  visited.clear();
  const code = `a[$(touch ${visited.mark})]`;
  const value = {
    numSeries: code,
    minTime: code,
    chunkCount: code,
    name: code,
    health: code,
    url: code,
    version: code,
    value: [code, code],
  };
  data.put(
    "answer.json",
    JSON.stringify({
      status: "success",
      error: code,
      data: {
        ...value,
        headStats: value,
        groups: [{ rules: [value] }],
        activeAlertmanagers: [value],
        result: [{ ...value, metric: value }],
      },
    }),
  );
  const metrics = [
    "prometheus_tsdb_blocks_loaded",
    "prometheus_tsdb_reloads_total",
    "prometheus_tsdb_reloads_failures_total",
    "prometheus_tsdb_head_max_time",
    "process_start_time_seconds",
  ];
  data.put(
    "metrics.txt",
    metrics.flatMap(name => [code, "1e300", "nan", "-1", "+Inf"].map(text => `${name} ${text}\n`)).join(""),
  );
  const server = `api() { API_STATUS=200 API_ERROR=""; if [[ $2 == /metrics ]]; then API_BODY=${data.at("metrics.txt")}; else API_BODY=${data.at("answer.json")}; fi; }
    start_scratch_server() { SCRATCH_VERSION=2.42.0 SCRATCH_ERROR=none; }`;
  for (const words of ["status", "check", "drill latest", "run", "heal --plan"]) {
    visited.call(words, server);
  }
  // A block from the future, and what waits for the server.
  data.block(2000);
  visited.call("run", server);
  data.remove(`data/${data.block(2000)}`);
  visited.call("run --accept-smaller", server);
  const said = data.shell
    .run(`${server}; MERGE_PATIENCE_SECONDS=1 DATA_DIRECTORY=${data.at("data")} STAGING=$SCRATCH/none PROMETHEUS_UNIT=x B_ULID=(${ULID}) B_MIN=(1) B_MAX=(2)
    printf '[%s|%s|%s]' "$(server_metric prometheus_tsdb_blocks_loaded)" "$(head_max_time)" "$(head_start)"; SELECTED=/dev/null; wait_until_loaded 1 0 ${ULID}`);
  expect([said.stdout, fs.existsSync(visited.mark)]).toEqual(["[||]", false]);
  const facts = data.shell.print(
    `jq --null-input --raw-output --rawfile buildinfo answer.json --rawfile flags answer.json --rawfile runtimeinfo answer.json --rawfile config answer.json "$(status_filter)" | tr '\\n' '|'`,
  );
  expect(facts).toBe("||false|0B||||||");
});
