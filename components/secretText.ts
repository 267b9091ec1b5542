import * as pulumi from "@pulumi/pulumi";
import { Check } from "./checks";
import { Repository } from "./settings";

/** What is wrong with the text of a secret, as a clause such as "is empty"; never a letter of it. */
export type SecretFault = (text: string) => string | undefined;

const lostLines = "has lost its line breaks, as a text does that is pasted at the prompt of `pulumi config set`";

/** Of a private key in PEM form, whatever program it is for. */
export const privateKeyFault: SecretFault = text => {
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    return /^\s*(ssh|ecdsa)-/.test(text)
      ? "is a public key"
      : "is no private key: it has no line `-----BEGIN … PRIVATE KEY-----`";
  }
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[ \t]*\r?\n/.test(text)) {
    return lostLines;
  }
  return /\n-----END [A-Z0-9 ]*PRIVATE KEY-----/.test(text)
    ? undefined
    : "is cut off: it has no line `-----END … PRIVATE KEY-----`";
};

/** Of a shared credentials file of AWS. */
const awsFault: SecretFault = text => {
  if (/^\s*\[[^\]]+\]\s*$/m.test(text)) {
    return undefined;
  }
  return /^\s*\[[^\]]+\]/.test(text) ? lostLines : "is no credentials file of AWS: it has no line such as `[default]`";
};

/** Of the key of a service account. */
const googleFault: SecretFault = text => {
  try {
    return typeof JSON.parse(text) === "object" ? undefined : "is no JSON text, as the key of a service account is";
  } catch {
    return "is no JSON text, as the key of a service account is";
  }
};

/** Of what lets a host into a repository of this kind. */
export function credentialsFault(repository: Pick<Repository, "bucket" | "gcs" | "sftp">): SecretFault | undefined {
  if (repository.sftp !== undefined) {
    return privateKeyFault;
  }
  if (repository.gcs !== undefined) {
    return googleFault;
  }
  return repository.bucket === undefined ? undefined : awsFault;
}

/** The fault as a check of a setting. An empty text stands for a secret that nobody has looked up. */
export function secretCheck(fault: SecretFault | undefined): Check {
  return text => {
    const words = text === "" ? undefined : fault?.(text);
    return words === undefined ? undefined : `${words}. Give the whole text of its file.`;
  };
}

/**
 * A secret that may come from elsewhere, and is then checked as soon as it is known; `path` says which one it is. A plain
 * one has been checked.
 *
 * What is wrong is logged as an error, which fails a preview or an `up` in the end. A rejected output would leave a program
 * of the Automation API waiting for ever.
 */
export function checkedSecret(
  value: pulumi.Input<string>,
  path: string,
  fault: SecretFault | undefined,
): pulumi.Output<string> {
  const secret = pulumi.secret(value);
  if (typeof value === "string") {
    return secret;
  }
  return secret.apply(text => {
    const words = fault?.(text);
    if (words !== undefined) {
      void pulumi.log.error(`prometheus-backup: ${path} ${words}. Give the whole text of its file.`);
    }
    return text;
  });
}
