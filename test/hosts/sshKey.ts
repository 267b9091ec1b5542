// The key with which tests log in to their hosts: made once, so that a later command line can still get in.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
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
  if (!existsSync(`${file}.pub`)) {
    const made = newKey();
    try {
      writeFileSync(file, made.privateKey, { mode: 0o600, flag: "wx" });
      writeFileSync(`${file}.pub`, made.publicKey);
    } catch (error) {
      // Another process made the pair in the same moment; its public half may come a moment later.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw error;
      }
    }
  }
  const privateKey = readFileSync(file, "utf8");
  const parsed = utils.parseKey(privateKey);
  if (parsed instanceof Error) {
    throw parsed;
  }
  return { privateKey, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString("base64")}` };
}

/** A fresh pair in OpenSSH's form, for tests that need a wrong key. */
export function newKey(): KeyPair {
  const pair = utils.generateKeyPairSync("ed25519");
  return { privateKey: pair.private, publicKey: pair.public };
}
