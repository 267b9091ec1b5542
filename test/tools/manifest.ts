// Manifests that tests write themselves, and those of runs.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** What a manifest says, packed or not. */
export function readManifest(file: string): object {
  return JSON.parse(unpacked(file)) as object;
}

/** The text of a manifest, packed or not: of a file, or of what was in it. */
export function unpacked(from: string | Buffer): string {
  const input = typeof from === "string" ? readFileSync(from) : from;
  return execFileSync("zstd", ["-dcqf"], { input, encoding: "utf8", maxBuffer: 2 ** 30 });
}

/** A manifest as runs write it. */
export function packed(text: string): Buffer {
  return execFileSync("zstd", ["-1qc"], { input: text, maxBuffer: 2 ** 30 });
}

/**
 * The text of a manifest with the digest that belongs to it, as docs/format.md has it: of its one-line form with sorted
 * keys.
 */
export function sealed(manifest: object): string {
  const { digest: _old, ...content } = manifest as Record<string, unknown>;
  const canonical = JSON.stringify(sorted(content));
  const digest = createHash("sha256").update(`${canonical}\n`).digest("hex");
  return `{"digest":"${digest}",${canonical.slice(1)}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

type Changes = Record<string, unknown>;

/** An entry of a manifest's `blocks`, with all its fields, and these changed. */
export function blockEntry(ulid: string, changes: Changes = {}): Changes & { ulid: string } {
  const times = { minTime: 1_767_225_600_000, maxTime: 1_767_232_800_000 };
  const counts = { numSamples: 7, numSeries: 1, numChunks: 1, numTombstones: 0 };
  return {
    ulid,
    object: `blocks/${ulid}.tar.zst`,
    objectBytes: 5,
    objectSha256: "a".repeat(64),
    bytes: 5,
    ...times,
    ...counts,
    level: 1,
    sources: [ulid],
    head: false,
    meta: { ulid, ...times, stats: counts, compaction: { level: 1, sources: [ulid] }, version: 1 },
    tombstones: "",
    ...changes,
  };
}

/**
 * A manifest with all its fields, as a run writes it, and these changed. Fields of `totals` and `coverage` that are not
 * named stay.
 */
export function wholeManifest(name: string, changes: Changes = {}): Changes {
  const blocks = (changes.blocks ?? []) as unknown[];
  const at = `${name.slice(0, 4)}-${name.slice(4, 6)}-${name.slice(6, 11)}:${name.slice(11, 13)}:${name.slice(13)}`;
  return {
    format: 1,
    name,
    host: "prom-1",
    environment: "production",
    tool: "1.0.0",
    startedAt: at,
    finishedAt: at,
    source: "snapshot",
    layout: "blocks",
    suspect: null,
    prometheus: {
      version: "2.42.0",
      retentionTime: "15d",
      retentionSize: "0B",
      dataDirectory: "/var/lib/prometheus",
      externalLabels: "",
      outOfOrderWindow: "",
    },
    lastDrill: null,
    covered: [],
    lacks: [],
    lost: [],
    accepted: [],
    wal: null,
    archive: null,
    companions: [],
    ...changes,
    blocks,
    coverage: {
      oldestSample: null,
      newestSample: null,
      gaps: [],
      head: false,
      notCovered: [],
      future: [],
      ...(changes.coverage as object | undefined),
    },
    totals: {
      sizeBytes: 0,
      sentBytes: 0,
      blocks: blocks.length,
      samples: 7,
      series: 1,
      rawBytes: 0,
      ...(changes.totals as object | undefined),
    },
  };
}
