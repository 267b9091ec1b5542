import { createHash } from "crypto";
import { gzipSync } from "zlib";
import { carriedFiles } from "./carried";
import { renderStepProgram } from "./programs";
import { StepName } from "./stepName";

/**
 * Everything that is the same on every host, as one text: the programs of the steps and the host command, each behind a
 * line `#== NAME`. It travels as a copied file, of which the state holds a checksum only: as the input of a command it
 * would lie there twice for each host, some 300 KB.
 */
export interface Toolkit {
  text: string;
  /** Hex sha256 of the text; every step names it, so that a new toolkit runs every step again. */
  digest: string;
}

const MARK = "#== ";

function section(name: string, content: string): string {
  if (content.split("\n").some(line => line.startsWith(MARK)) || !content.endsWith("\n")) {
    throw new RangeError(
      `${name} cannot be a section of the toolkit: it holds a line of the form "${MARK}NAME" or ends without a line ` +
        `break`,
    );
  }
  return `${MARK}${name}\n${content}`;
}

let made: Toolkit | undefined;

/** The toolkit of this version; the same for every host and stack. */
export function renderToolkit(): Toolkit {
  if (made === undefined) {
    const programs = Object.values(StepName).map(step => section(step, renderStepProgram(step)));
    const carried = Object.entries(carriedFiles()).map(([path, { content }]) =>
      section(path.split("/").at(-1) ?? "", content),
    );
    const text = [...programs, ...carried].join("");
    made = { text, digest: createHash("sha256").update(text).digest("hex") };
  }
  return made;
}

const packed = new Map<string, Buffer>();

/** The file that is copied: the same bytes on every machine (no time, no operating system in it). Packed once. */
export function packToolkit({ text, digest }: Toolkit): Buffer {
  const bytes = packed.get(digest) ?? gzipSync(text, { level: 9 });
  bytes[9] = 255;
  packed.set(digest, bytes);
  return bytes;
}

/**
 * Where the copy lands on a host. The place is part of the name, because a copy is made anew only if content or path
 * change, and another machine behind the same resource has not got it.
 */
export function carriedPath(toolkit: Toolkit, place: string): string {
  const digestOfPlace = createHash("sha256").update(place).digest("hex");
  return `/tmp/prometheus-backup-${toolkit.digest.slice(0, 16)}-${digestOfPlace.slice(0, 8)}.gz`;
}
