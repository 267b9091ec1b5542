// The list of a remote repository from its catalog, on a machine that has seen none of its manifests. rclone's own
// "local" stands for the remote.
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { blockEntry, packed, sealed, wholeManifest } from "../tools/manifest";
import { Shell } from "./shell";
import { representatives } from "../runner/pace";

const shell = new Shell();
afterAll(() => shell.remove());

const NAMES = ["20260101T020000Z", "20260102T020000Z", "20260103T020000Z"];
const at = (name: string) => path.join(shell.directory, name);
const manifestFile = (name: string) => at(`remote/prom-1/backups/${name}.json`);
const catalog = at("remote/prom-1/catalog.jsonl.zst");
const block = (name: string) => `blocks/01M7VW2GC07R5ZX6V25SJJYA${name.slice(6, 8)}.tar.zst`;

function put(name: string, environment = "production"): void {
  const startedAt = `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6, 8)}T02:00:00Z`;
  const manifest = wholeManifest(name, {
    environment,
    blocks: [blockEntry(block(name).slice(7, 33))],
    coverage: { oldestSample: startedAt, newestSample: startedAt, head: true },
    totals: { sizeBytes: 5, sentBytes: 5 },
  });
  // Of both formats.
  fs.writeFileSync(
    manifestFile(name),
    name === NAMES[2] ? packed(sealed({ ...manifest, format: 2 })) : sealed(manifest),
  );
  fs.writeFileSync(at(`remote/prom-1/${block(name)}`), "block");
}

function call(machine: string, words: string): string {
  const { code, stdout, stderr } = shell.run(
    `HOST_NAME=prom-1 STATE_DIR="$PWD/${machine}" RCLONE_CONFIG_FILE="$PWD/rclone.conf" COMMAND=list CONFIG_FILE=/dev/null
    REPOSITORY_NAMES=(offsite) REPOSITORY_TYPES=(rclone) REPOSITORY_LOCATIONS=("disk:$PWD/remote")
    load_metrics() { :; }
    ${words}`,
  );
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

interface Row {
  name: string;
  complete: boolean;
  damaged: boolean;
  samples: number;
}

/** What a list on that machine says, and which manifests it fetched. */
function list(machine: string): { rows: string[]; fetched: string[] } {
  const rows = JSON.parse(call(machine, "command_list --json")) as Row[];
  const cache = at(`${machine}/cache/offsite/prom-1/backups`);
  return {
    rows: rows.map(
      ({ name, complete, damaged, samples }) =>
        `${name} ${damaged ? "damaged" : complete ? "complete" : "incomplete"} ${samples}`,
    ),
    fetched: fs
      .readdirSync(cache)
      .map(name => name.replace(".json", ""))
      .sort(),
  };
}

const all = [...NAMES].reverse().map(name => `${name} complete 7`);

beforeEach(() => {
  for (const name of ["remote", "writer", "reader"]) {
    fs.rmSync(at(name), { recursive: true, force: true });
  }
  fs.writeFileSync(at("rclone.conf"), "[disk]\ntype = local\n");
  ["remote/prom-1/backups", "remote/prom-1/blocks", "writer", "reader"].forEach(name =>
    fs.mkdirSync(at(name), { recursive: true }),
  );
  NAMES.forEach(name => put(name));
  call("writer", "select_repository 0; repository_open; write_catalog");
});

test("a machine that has seen no manifest lists all backups from the catalog and fetches none", () => {
  expect(list("reader")).toEqual({ rows: all, fetched: [] });
  expect(list("writer")).toEqual({ rows: all, fetched: NAMES });
});

test("without a catalog, or with one that is damaged or empty, every manifest is fetched", () => {
  const good = fs.readFileSync(catalog);
  for (const content of [
    undefined,
    Buffer.alloc(0),
    Buffer.from("no catalog"),
    good.subarray(0, good.length >> 1),
    execFileSync("zstd", ["-qc"], { input: "\t\n{}\n" }),
  ]) {
    fs.rmSync(catalog);
    fs.rmSync(at("reader"), { recursive: true, force: true });
    fs.mkdirSync(at("reader"));
    fs.writeFileSync(catalog, content ?? "");
    if (content === undefined) {
      fs.rmSync(catalog);
    }
    expect(list("reader")).toEqual({ rows: all, fetched: NAMES });
    fs.writeFileSync(catalog, good);
  }
});

test("a manifest that came later, or has another size than the catalog knows, is fetched; one that is gone is not listed", () => {
  put("20260104T020000Z");
  put(NAMES[1] as string, "a longer one");
  fs.rmSync(manifestFile(NAMES[0] as string));
  expect(list("reader")).toEqual({
    rows: ["20260104T020000Z complete 7", ...all.slice(0, 2)],
    fetched: [NAMES[1], "20260104T020000Z"],
  });
});

test("whether a backup is complete is what the repository lists, not what the catalog was written with", () => {
  fs.rmSync(at(`remote/prom-1/${block(NAMES[2] as string)}`));
  expect(list("reader").rows[0]).toBe(`${NAMES[2]} incomplete 7`);
});

test.each(
  representatives(
    [
      ["another host's", { host: "prom-2" }],
      ["another backup's", { name: "20260109T020000Z" }],
      ["without a time", { startedAt: "yesterday" }],
      ["with a number that is none", { samples: "7" }],
      ["with control characters for the terminal", { suspect: "\u001b[2J" }],
      ["without objects", { objects: null }],
      ["in need of an object that the catalog does not name", { objects: "b2-4" }],
      ["in need of objects without end", { objects: "b1-99999999999" }],
    ],
    ([what]) => /host's|number/.test(what),
  ),
)("a row of the catalog that is %s counts as not there", (_, change) => {
  const rows = execFileSync("zstd", ["-dcq", catalog]).toString().trimEnd().split("\n");
  const changed = rows.map(row => {
    const [key = "", json = ""] = row.split("\t");
    const isMeant = key.startsWith(`${NAMES[1]}.json `);
    return isMeant ? `${key}\t${JSON.stringify({ ...(JSON.parse(json) as object), ...change })}` : row;
  });
  expect(changed).not.toEqual(rows);
  fs.writeFileSync(catalog, execFileSync("zstd", ["-qc"], { input: `${changed.join("\n")}\n` }));
  expect(list("reader")).toEqual({ rows: all, fetched: [NAMES[1]] });
});

test("a damaged manifest never enters the catalog", () => {
  fs.writeFileSync(manifestFile(NAMES[1] as string), "{");
  call("writer", "select_repository 0; repository_open; write_catalog");
  expect(execFileSync("zstd", ["-dcq", catalog]).toString()).not.toContain(`${NAMES[1]}.json damaged`);
  expect(list("reader").rows).toEqual(
    [all[0], `${NAMES[1]} damaged undefined`, all[2]].map(row => row?.replace("undefined", "0")),
  );
});
