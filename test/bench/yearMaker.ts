// A repository as a year of two-hour runs leaves it, made from the manifest of one real run: each backup before that
// holds the same number of blocks, two hours older. Its objects have names and sizes, and no content.
import { randomBytes, randomInt } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, utimesSync, writeFileSync } from "node:fs";
import { packed, readManifest, sealed } from "../tools/manifest";
import type { Site } from "./site";

const HOUR = 3_600_000;
/** Blocks of 30,000 series every 15 s: samples, and bytes of a sample before and after compression. */
const SERIES = 30_000;
const SAMPLES = SERIES * 480;

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Entry = Record<string, Json>;

/** What of an entry is looked at here. */
interface Block extends Entry {
  object: string;
  objectBytes: number;
  minTime: number;
  maxTime: number;
}

function ulid(time: number): string {
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let number = (BigInt(time) << 80n) | BigInt(`0x${randomBytes(10).toString("hex")}`);
  let text = "";
  for (let digit = 0; digit < 26; digit++) {
    text = `${alphabet[Number(number & 31n)] ?? ""}${text}`;
    number >>= 5n;
  }
  return text;
}

/** The entry of a block from `minTime` on, with numbers as a large server has them. */
export function madeUp(minTime: number, head?: string): Block {
  const name = ulid(minTime + 3 * HOUR + randomInt(60_000));
  const maxTime = minTime + 2 * HOUR;
  const numSamples = SAMPLES + randomInt(3000);
  const numSeries = SERIES + randomInt(900);
  const numChunks = 4 * numSeries + randomInt(1000);
  const meta = {
    ulid: name,
    minTime,
    maxTime,
    version: 1,
    stats: { numSamples, numSeries, numChunks },
    compaction: { level: 1, sources: [name] },
  };
  return {
    ulid: name,
    object: head === undefined ? `blocks/${name}.tar.zst` : `heads/${head}.tar.zst`,
    objectBytes: 19_000_000 + randomInt(400_000),
    objectSha256: randomBytes(32).toString("hex"),
    bytes: 28_000_000 + randomInt(300_000),
    minTime,
    maxTime,
    numSamples,
    numSeries,
    numChunks,
    numTombstones: 0,
    level: 1,
    sources: [name],
    head: head !== undefined,
    meta,
    tombstones: "",
  };
}

function totalsOf(blocks: Block[]): Entry {
  const sum = (field: string): number => blocks.reduce((total, block) => total + Number(block[field]), 0);
  return {
    sizeBytes: sum("objectBytes"),
    sentBytes: 0,
    blocks: blocks.length,
    samples: sum("numSamples"),
    rawBytes: sum("bytes"),
    series: Math.max(...blocks.map(({ numSeries }) => Number(numSeries))),
  };
}

/** A sparse file. */
function touch(file: string, bytes: number, time: Date): void {
  const opened = openSync(file, "w");
  ftruncateSync(opened, bytes);
  closeSync(opened);
  utimesSync(file, time, time);
}

/** Adds `count` backups before the only one of the site, from two hours before it back in time, and their objects. */
export function makeYear(site: Site, count: number): void {
  const [original = ""] = site.backups();
  const newest = readManifest(site.object(`backups/${original}`)) as Entry & { blocks: Block[]; startedAt: string };
  const { digest: _digest, ...rest } = newest;
  const real = rest.blocks;
  const started = Date.parse(rest.startedAt);
  const oldest = real[0]?.minTime ?? started;
  const older = Array.from({ length: count }, (_, number) => madeUp(oldest - (count - number) * 2 * HOUR));
  const all = [...older, ...real];
  mkdirSync(site.object("heads"), { recursive: true });
  older.forEach(block => touch(site.object(block.object), block.objectBytes, new Date(block.maxTime + 2 * HOUR)));
  for (let number = 0; number < count; number++) {
    const time = new Date(started - (count - number) * 2 * HOUR);
    const startedAt = `${time.toISOString().slice(0, 19)}Z`;
    const name = startedAt.replaceAll(/[-:]/g, "");
    const head = madeUp(time.getTime() - 2 * HOUR, name);
    touch(site.object(head.object), head.objectBytes, time);
    const blocks = [...all.slice(number, number + real.length), head];
    const file = site.object(`backups/${name}.json`);
    const totals = totalsOf(blocks);
    const text = sealed({ ...rest, name, startedAt, finishedAt: startedAt, blocks, totals });
    // An earlier version takes no packed ones.
    writeFileSync(file, rest.format === 1 ? text : packed(text));
    utimesSync(file, time, time);
  }
}
