// Files of blocks whose ends are those that Prometheus writes, with a text between them.

const TABLES = 6;

/** An index of version 2: magic number, version, the text, where six parts begin (here one), a checksum. */
export function indexOf(text: string): Buffer {
  const contents = Buffer.alloc(8 * TABLES + 4);
  contents.writeBigUInt64BE(5n, 0);
  return Buffer.concat([Buffer.from("baaad70002", "hex"), Buffer.from(text), contents]);
}

/** The text of such an index. */
export const textOf = (index: Buffer) => index.subarray(5, index.length - 8 * TABLES - 4).toString();

/** A file of chunks: magic number, version, padding, the text. */
export const chunksOf = (text: string) => Buffer.concat([Buffer.from("85bd40dd01000000", "hex"), Buffer.from(text)]);
