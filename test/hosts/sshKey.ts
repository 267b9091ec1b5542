// The key with which tests log in to their hosts: made once, so that a later command line can still get in.
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { utils } from "ssh2";
import { cacheDirectory } from "../tools/cache";

export interface KeyPair {
  privateKey: string;
  publicKey: string;
}

/** Returns the pair from the cache directory; the first call makes it. */
export function clientKey(): KeyPair {
  const file = path.join(cacheDirectory("ssh"), "id_ed25519");
  if (!existsSync(file)) {
    keep(newKey().privateKey, file);
  }
  const privateKey = readFileSync(file, "utf8");
  const parsed = utils.parseKey(privateKey);
  if (parsed instanceof Error) {
    throw parsed;
  }
  return { privateKey, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString("base64")}` };
}

/** Puts the key there, whole or not at all; if another process did so in the same moment, its key stays. */
function keep(privateKey: string, file: string): void {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, privateKey, { mode: 0o600 });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw error;
    }
  } finally {
    rmSync(own);
  }
}

/**
 * A fresh pair in OpenSSH's form. ssh2 drops zero bytes in front of the public half, so of 256 keys one is a byte
 * short, which nobody can read: then another one is made.
 */
export function newKey(): KeyPair {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519");
    if (!(utils.parseKey(pair.private) instanceof Error)) {
      return { privateKey: pair.private, publicKey: pair.public };
    }
  }
}
